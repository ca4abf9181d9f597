"""ECS's resources for the Resource Groups Tagging API (`ports.Tagged`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sluice_sandbox.aws.ecs.core import Core
from sluice_sandbox.aws.ecs.tags import TagCalls
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.ports import TaggedResource
from sluice_sandbox.aws.service import Caller

_ABSENT = {"ResourceNotFoundException", "ClusterNotFoundException"}


class EcsTagged:
    """Clusters, services, tasks, task sets and task definitions with their tags."""

    def __init__(self, core: Core, calls: TagCalls) -> None:
        """Read `core`'s state and change tags as `calls` does."""
        self._core = core
        self._calls = calls

    def tagged_resources(self, caller: Caller) -> Sequence[TaggedResource]:
        """Return what has tags now; deleted clusters and services, and stopped tasks, are no resources."""
        return [
            TaggedResource(
                arn=arn, resource_type=f"ecs:{arn.split(':', 5)[5].split('/')[0]}", tags=dict(tags)
            )
            for arn, tags in self._all(caller)
            if tags
        ]

    def change_tags(
        self, caller: Caller, arn: str, *, put: Mapping[str, str], remove: Sequence[str] = ()
    ) -> bool:
        """Change tags as TagResource and UntagResource would; False when ECS has no such resource."""
        if not arn.startswith("arn:aws:ecs:"):
            return False
        tags = [{"key": key, "value": value} for key, value in put.items()]
        try:
            if tags:
                self._calls.tag_resource(caller, {"resourceArn": arn, "tags": tags})
            if remove:
                self._calls.untag_resource(caller, {"resourceArn": arn, "tagKeys": list(remove)})
        except AwsError as error:
            if error.code in _ABSENT:
                return False
            raise
        return True

    def _all(self, caller: Caller) -> Iterator[tuple[str, Mapping[str, str]]]:
        scope = self._core.scope(caller)
        yield from ((item.arn, item.tags) for item in scope.clusters.values() if item.status == "ACTIVE")
        for service in scope.services.values():
            if service.status != "INACTIVE":
                yield service.arn, service.tags
                yield from ((item.arn, item.tags) for item in service.task_sets.values())
        yield from ((item.arn, item.tags) for item in scope.tasks.values() if item.last_status != "STOPPED")
        for group in (scope.capacity_providers, scope.instances):
            yield from ((item.arn, item.tags) for item in group.values() if item.status != "INACTIVE")
        for family in scope.families.values():
            yield from ((item.arn, item.tags) for item in family.revisions.values())
