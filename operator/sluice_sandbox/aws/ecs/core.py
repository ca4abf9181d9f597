"""What every part of the stand-in's ECS shares: the state, the clock, the ports, the generator.

The parts keep `Core`, never a piece of its state: stale-read faults and resets swap the state
whole, and timers look objects up again by ARN.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from sluice_sandbox.aws.clock import Clock
from sluice_sandbox.aws.ecs import refusals
from sluice_sandbox.aws.ecs.identity import last_segment, owner
from sluice_sandbox.aws.ecs.images import Images, ReferenceImages
from sluice_sandbox.aws.ecs.namespaces import Namespaces
from sluice_sandbox.aws.ecs.settings import EcsSettings
from sluice_sandbox.aws.ecs.state import Cluster, Definition, EcsState, Scope, Service, Task
from sluice_sandbox.aws.ports import (
    Alarms,
    Emitter,
    Estate,
    Registries,
    TargetGroups,
    TaskRuntime,
    TrafficRules,
)
from sluice_sandbox.aws.service import Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The other services that ECS works with."""

    estate: Estate
    target_groups: TargetGroups
    runtime: TaskRuntime
    emitter: Emitter
    images: Images = field(default_factory=ReferenceImages)
    alarms: Alarms | None = None
    """CloudWatch; None in a world without: no alarm exists."""
    registries: Registries | None = None
    """Cloud Map; None in a world without: no registry exists."""
    namespaces: Namespaces | None = None
    """Cloud Map's namespaces; None in a world without: names are taken as given."""
    traffic_rules: TrafficRules | None = None
    """Listener rules that native deployments write; None in a world without: none exists."""


@dataclass(slots=True, kw_only=True)
class Core:
    """State and surroundings."""

    clock: Clock
    rng: random.Random
    ports: Ports
    settings: EcsSettings = field(default_factory=EcsSettings)
    state: EcsState = field(default_factory=EcsState)

    def now(self) -> float:
        """Return the world's time."""
        return self.clock.now()

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Run `act` after `seconds`; it must look its objects up by id."""
        self.clock.call_later(seconds, act)

    def scope(self, caller: Caller) -> Scope:
        """Return the caller's account and region."""
        return self.state.scope(caller)

    def service(self, arn: str) -> Service | None:
        """Return a service by its ARN, for the scheduler."""
        return self.state.scope(owner(arn)).services.get(arn)

    def task(self, arn: str) -> Task | None:
        """Return a task by its ARN, for the scheduler."""
        return self.state.scope(owner(arn)).tasks.get(arn)

    def definition(self, arn: str) -> Definition:
        """Return a definition that something already refers to (deleted ones stay for it)."""
        family, revision = last_segment(arn).split(":")
        return self.state.scope(owner(arn)).families[family].revisions[int(revision)]

    def cluster(self, caller: Caller, name_or_arn: str | None, *, inactive: bool = False) -> Cluster:
        """Return the cluster a call names; absent means `default` (botocore, every call).

        Raises ClusterNotFoundException for an unknown one, and for a deleted one unless `inactive`.
        """
        found = self.scope(caller).clusters.get(last_segment(name_or_arn or "default"))
        if found is None or ((name_or_arn or "").startswith("arn:") and found.arn != name_or_arn):
            raise refusals.cluster_not_found()
        if found.status != "ACTIVE" and not inactive:
            raise refusals.cluster_inactive()
        return found
