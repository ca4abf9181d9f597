"""Tags: their limits, and TagResource, UntagResource, ListTagsForResource.

Limits as botocore documents them beside every `tags` member: 50 per resource, keys 1-128 and values
up to 256 characters, no `aws:` prefix in any case.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sluice_sandbox.aws.ecs import refusals
from sluice_sandbox.aws.ecs.core import Core
from sluice_sandbox.aws.ecs.identity import last_segment
from sluice_sandbox.aws.ecs.state import Scope, Tags
from sluice_sandbox.aws.errors import AwsError
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
    """The three tag operations, for every kind of resource that ECS tags."""

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
        # botocore: tags with the aws: prefix don't count against the limit.
        if sum(not key.startswith("aws:") for key in tags | added) > MAX_TAGS:
            raise AwsError("LimitExceededException", "The maximum number of tags per resource is 50.")
        tags.update(added)
        return {}

    def untag_resource(self, caller: Caller, params: Params) -> Response:
        """Remove tags; absent keys are no error."""
        tags = self._find(caller, params["resourceArn"])
        if any(key.lower().startswith("aws:") for key in params["tagKeys"]):
            # botocore: tags with this prefix cannot be edited or deleted.
            raise refusals.invalid_parameter("Tag keys that start with aws: are reserved for AWS use.")
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
            return self._of_cluster(scope, arn)
        if kind == "task-definition":
            family, _, revision = last_segment(arn).partition(":")
            known = scope.families.get(family)
            if known is not None and revision.isdecimal() and int(revision) in known.revisions:
                return known.revisions[int(revision)].tags
        service = scope.services.get(arn)
        if service is not None and service.status == "ACTIVE":
            return service.tags
        sets = {item.arn: item for each in scope.services.values() for item in each.task_sets.values()}
        providers = {item.arn: item for item in scope.capacity_providers.values() if item.status == "ACTIVE"}
        instances = {item.arn: item for item in scope.instances.values() if item.status != "INACTIVE"}
        for group in (scope.tasks, sets, providers, instances):
            if arn in group:
                return group[arn].tags
        raise refusals.resource_not_found(arn)

    @staticmethod
    def _of_cluster(scope: Scope, arn: str) -> Tags:
        cluster = scope.clusters.get(last_segment(arn))
        if cluster is None or cluster.arn != arn:
            raise refusals.cluster_not_found()
        if cluster.status != "ACTIVE":
            # Text: hashicorp/terraform-provider-aws, recognised by it.
            raise refusals.invalid_parameter(
                "The specified cluster is inactive. Specify an active cluster and try again."
            )
        return cluster.tags
