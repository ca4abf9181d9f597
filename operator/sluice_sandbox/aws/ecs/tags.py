"""Tags: their limits, and TagResource, UntagResource, ListTagsForResource.

Limits as botocore documents them beside every `tags` member: 50 per resource, keys 1-128 and values
up to 256 characters, no `aws:` prefix in any case.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sluice_sandbox.aws.ecs import refusals
from sluice_sandbox.aws.ecs.core import Core
from sluice_sandbox.aws.ecs.identity import last_segment
from sluice_sandbox.aws.ecs.state import Tags
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

MAX_TAGS = 50
MAX_KEY, MAX_VALUE = 128, 256


def parse(items: Iterable[Mapping[str, str]] | None) -> Tags:
    """Return tags as a mapping; refuse what AWS refuses (texts from memory)."""
    tags: Tags = {}
    for item in items or ():
        key, value = item.get("key", ""), item.get("value", "")
        if not 1 <= len(key) <= MAX_KEY:
            raise refusals.invalid_parameter("Tag keys must be between 1 and 128 characters long.")
        if len(value) > MAX_VALUE:
            raise refusals.invalid_parameter("Tag values must be at most 256 characters long.")
        if key.lower().startswith("aws:"):
            raise refusals.invalid_parameter("Tag keys that start with aws: are reserved for AWS use.")
        if key in tags:
            raise refusals.invalid_parameter(
                f"Duplicate tag keys found. Please note that tag keys are unique: {key}"
            )
        tags[key] = value
    if len(tags) > MAX_TAGS:
        raise refusals.invalid_parameter("The maximum number of tags per resource is 50.")
    return tags


def render(tags: Tags) -> list[dict[str, str]]:
    """Return tags as ECS lists them: `[{"key": ..., "value": ...}]`."""
    return [{"key": key, "value": value} for key, value in tags.items()]


class TagCalls:
    """The three tag operations, for clusters, services, tasks and task definitions."""

    def __init__(self, core: Core) -> None:
        """Work on `core`'s state."""
        self._core = core

    def operations(self) -> dict[str, Handler]:
        """Return the handlers by operation."""
        return {
            "TagResource": self.tag_resource,
            "UntagResource": self.untag_resource,
            "ListTagsForResource": self.list_tags_for_resource,
        }

    def tag_resource(self, caller: Caller, params: Params) -> Response:
        """Add or overwrite tags; the sum is limited too."""
        tags = self._find(caller, params["resourceArn"])
        added = parse(params["tags"])
        if len(tags | added) > MAX_TAGS:
            raise refusals.invalid_parameter("The maximum number of tags per resource is 50.")
        tags.update(added)
        return {}

    def untag_resource(self, caller: Caller, params: Params) -> Response:
        """Remove tags; absent keys are no error."""
        tags = self._find(caller, params["resourceArn"])
        for key in params["tagKeys"]:
            tags.pop(key, None)
        return {}

    def list_tags_for_resource(self, caller: Caller, params: Params) -> Response:
        """List a resource's tags."""
        return {"tags": render(self._find(caller, params["resourceArn"]))}

    def _find(self, caller: Caller, arn: str) -> Tags:
        scope = self._core.scope(caller)
        parts = arn.split(":", 5)
        if len(parts) != 6 or parts[2] != "ecs" or "/" not in parts[5]:
            raise refusals.invalid_parameter("Invalid ARN: Invalid ARN format.")
        kind = parts[5].split("/", 1)[0]
        if kind == "cluster":
            cluster = scope.clusters.get(last_segment(arn))
            if cluster is None or cluster.arn != arn or cluster.status != "ACTIVE":
                raise refusals.cluster_not_found()
            return cluster.tags
        if kind == "service" and arn in scope.services and scope.services[arn].status == "ACTIVE":
            return scope.services[arn].tags
        if kind == "task" and arn in scope.tasks:
            return scope.tasks[arn].tags
        if kind == "task-definition":
            family, _, revision = last_segment(arn).partition(":")
            known = scope.families.get(family)
            if known is not None and revision.isdecimal() and int(revision) in known.revisions:
                return known.revisions[int(revision)].tags
        raise refusals.resource_not_found(arn)
