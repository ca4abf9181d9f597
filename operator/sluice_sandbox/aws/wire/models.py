"""botocore's service models as the stand-in's table of contents.

A model says which operations a service has, which shapes they take and give, and which protocol the
clients speak. Loading one costs tens of milliseconds, so they are loaded on first use and kept.
"""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar

import botocore.loaders
import botocore.model
from botocore.loaders import JSONFileLoader

Shape = Any
"""A botocore shape; botocore has no type information."""

Value = Any
"""A value as JSON, CBOR, XML or Python knows it: whatever the shape says."""

SIGNING_NAMES = {
    "elasticloadbalancing": "elbv2",
    "monitoring": "cloudwatch",
    "tagging": "resourcegroupstaggingapi",
}
"""SigV4 signing name → botocore's service name, where the two differ (`signingName` in the models)."""


class SharedFiles(JSONFileLoader):  # type: ignore[misc]  # botocore has no types
    """Reads each of botocore's files once for the process, whoever's session asks.

    moto opens sessions of its own, and each would parse EC2's model again: half of what a start cost,
    and tens of megabytes a copy. Sessions share what they only read, which are the shapes (but for the
    SDK's extras, which botocore merges in at each loading and which a second time change nothing). Each has
    operations of its own: botocore writes into them (`remove_bucket_from_url_paths_from_model` takes the
    bucket off the paths of S3 at a client's first call), and who reads next would find no path at all.
    """

    _files: ClassVar[dict[str, Value]] = {}

    def load_file(self, file_path: str) -> Value:
        """Return the parsed file, None when there is none."""
        found = self._files.get(file_path)
        if found is None:
            found = self._files[file_path] = super().load_file(file_path)
        if isinstance(found, dict) and isinstance(operations := found.get("operations"), dict):
            return {**found, "operations": {name: _own(told) for name, told in operations.items()}}
        return found


def _own(operation: Value) -> Value:
    """Return an operation whose members (`http`, `endpoint`) are nobody else's."""
    return {name: dict(told) if isinstance(told, dict) else told for name, told in operation.items()}


def share_files() -> None:
    """Let every session that is opened from now on read through SharedFiles. Twice is once."""
    botocore.loaders.Loader.FILE_LOADER_CLASS = SharedFiles


@cache
def _loader() -> Shape:
    return botocore.loaders.create_loader()


@cache
def service_model(service: str) -> Shape:
    """Return botocore's ServiceModel of `service`; raises UnknownServiceError for a made-up name."""
    return botocore.model.ServiceModel(_loader().load_service_model(service, "service-2"), service)


def service_for_signing_name(signing_name: str) -> str:
    """Return botocore's service name for the service part of a SigV4 credential scope."""
    return SIGNING_NAMES.get(signing_name, signing_name)


@cache
def target_prefix(service: str) -> str:
    """Return the prefix of X-Amz-Target (json) and of the path (rpc-v2-cbor), '' if there is none."""
    return str(service_model(service).metadata.get("targetPrefix", ""))
