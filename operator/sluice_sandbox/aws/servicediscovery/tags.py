"""Tags of namespaces and services: Cloud Map's own calls, and the Tagging API's way to them.

Source: botocore's TagResource, UntagResource, ListTagsForResource (50 tags a resource). The reserved
prefix is AWS's general rule for tags; texts from memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sluice_sandbox.aws.ports import TaggedResource
from sluice_sandbox.aws.service import Caller, Handler, Params, Response
from sluice_sandbox.aws.servicediscovery import refusals
from sluice_sandbox.aws.servicediscovery.desk import Desk
from sluice_sandbox.aws.servicediscovery.state import DiscoveryService, Namespace, Tags


def merged(present: Tags, given: Sequence[dict[str, Any]], *, arn: str, limit: int) -> Tags:
    """Return `present` with `given` put over it, or refuse (InvalidInput, TooManyTagsException)."""
    wanted: Tags = {}
    for tag in given:
        key = tag["Key"]
        if key in wanted:
            raise refusals.invalid_input(f"Duplicate tag key: {key}.")
        if key.lower().startswith("aws:"):
            raise refusals.invalid_input(f"Tag key '{key}' cannot begin with 'aws:'; the prefix is reserved.")
        wanted[key] = tag["Value"]
    result = present | wanted
    if len(result) > limit:
        raise refusals.too_many_tags(arn, limit)
    return result


class TagCalls:
    """TagResource, UntagResource, ListTagsForResource."""

    def __init__(self, desk: Desk) -> None:
        """Work on the desk's books."""
        self._desk = desk

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""
        return {"TagResource": self.tag, "UntagResource": self.untag, "ListTagsForResource": self.list}

    def new(self, params: Params) -> Tags:
        """Return the tags of a Create call, or refuse them."""
        return merged({}, params.get("Tags") or [], arn="", limit=self._desk.settings.quotas.tags)

    def tag(self, caller: Caller, params: Params) -> Response:
        """Put tags over the present ones."""
        found = self._resource(caller, params["ResourceARN"])
        limit = self._desk.settings.quotas.tags
        found.tags = merged(found.tags, params["Tags"], arn=found.arn, limit=limit)
        return {}

    def untag(self, caller: Caller, params: Params) -> Response:
        """Remove keys; a key that is not there is no error."""
        found = self._resource(caller, params["ResourceARN"])
        found.tags = {key: value for key, value in found.tags.items() if key not in params["TagKeys"]}
        return {}

    def list(self, caller: Caller, params: Params) -> Response:
        """Return the tags of one resource."""
        tags = self._resource(caller, params["ResourceARN"]).tags
        return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def _resource(self, caller: Caller, arn: str) -> Namespace | DiscoveryService:
        found = self._find(caller, arn)
        if found is None:
            raise refusals.resource_not_found(arn)
        return found

    def _find(self, caller: Caller, arn: str) -> Namespace | DiscoveryService | None:
        region = self._desk.region(caller)
        identifier = arn.rsplit("/", 1)[-1]
        found = region.services.get(identifier) or region.namespaces.get(identifier)
        if found is None or found.arn != arn or (isinstance(found, Namespace) and not found.ready):
            return None
        return found

    # The Tagged port.

    def tagged_resources(self, caller: Caller) -> Sequence[TaggedResource]:
        """Return the caller's namespaces and services with their tags; see `ports.Tagged`."""
        region = self._desk.region(caller)
        namespaces = [item for item in region.namespaces.values() if item.ready]
        return [
            TaggedResource(arn=item.arn, resource_type=f"servicediscovery:{kind}", tags=dict(item.tags))
            for kind, items in (("namespace", namespaces), ("service", region.services.values()))
            for item in items
        ]

    def change_tags(
        self, caller: Caller, arn: str, *, put: Mapping[str, str], remove: Sequence[str] = ()
    ) -> bool:
        """Change tags as the calls do; False when nothing has the ARN."""
        found = self._find(caller, arn)
        if found is None:
            return False
        given = [{"Key": key, "Value": value} for key, value in put.items()]
        kept = {key: value for key, value in found.tags.items() if key not in remove}
        found.tags = merged(kept, given, arn=arn, limit=self._desk.settings.quotas.tags)
        return True
