"""The `ecr` service of the stand-in: its parts, composed, and its ports for ECS and for tagging."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sluice_sandbox.aws.clock import Clock
from sluice_sandbox.aws.composed import ComposedService
from sluice_sandbox.aws.ecr.images import ImageCalls, Registered
from sluice_sandbox.aws.ecr.layers import LayerCalls
from sluice_sandbox.aws.ecr.policies import PolicyCalls
from sluice_sandbox.aws.ecr.repositories import RepositoryCalls, merged
from sluice_sandbox.aws.ecr.state import State
from sluice_sandbox.aws.ports import TaggedResource
from sluice_sandbox.aws.service import Caller


class EcrService(ComposedService[State]):
    """Amazon ECR as a `Service` of the world."""

    name = "ecr"

    def __init__(self, clock: Clock) -> None:
        """Start with empty registries."""
        self._desk = Registered(clock, State())
        super().__init__(
            self._desk,
            RepositoryCalls(self._desk),
            ImageCalls(self._desk),
            LayerCalls(self._desk),
            PolicyCalls(self._desk),
        )

    def tagged_resources(self, caller: Caller) -> Sequence[TaggedResource]:
        """Return the repositories with tags; see `ports.Tagged`."""
        return [
            TaggedResource(arn=repository.arn, resource_type="ecr:repository", tags=repository.tags)
            for repository in self.state.own(caller).repositories.values()
            if repository.tags
        ]

    def change_tags(
        self, caller: Caller, arn: str, *, put: Mapping[str, str], remove: Sequence[str] = ()
    ) -> bool:
        """Change a repository's tags; see `ports.Tagged`."""
        for repository in self.state.own(caller).repositories.values():
            if repository.arn == arn:
                kept = {key: value for key, value in repository.tags.items() if key not in remove}
                given = [{"Key": key, "Value": value} for key, value in put.items()]
                repository.tags = merged(kept, given)
                return True
        return False
