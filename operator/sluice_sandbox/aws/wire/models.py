"""botocore's service models as the stand-in's table of contents.

A model says which operations a service has, which shapes they take and give, and which protocol the
clients speak. Loading one costs tens of milliseconds, so they are loaded on first use and kept.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import botocore.loaders
import botocore.model

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
