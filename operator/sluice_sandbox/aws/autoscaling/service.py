"""The `application-autoscaling` service of the stand-in, composed."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from sluice_sandbox.aws.autoscaling.desk import AlarmKeeper, Desk
from sluice_sandbox.aws.autoscaling.execution import Execution
from sluice_sandbox.aws.autoscaling.policies import PolicyCalls
from sluice_sandbox.aws.autoscaling.scaling import Scaling
from sluice_sandbox.aws.autoscaling.scheduled import ScheduleCalls
from sluice_sandbox.aws.autoscaling.state import State
from sluice_sandbox.aws.autoscaling.tags import TagCalls
from sluice_sandbox.aws.autoscaling.targets import TargetCalls
from sluice_sandbox.aws.clock import Clock
from sluice_sandbox.aws.cloudwatch.transitions import Invocation
from sluice_sandbox.aws.composed import ComposedService
from sluice_sandbox.aws.ports import ScalableServices, TaggedResource
from sluice_sandbox.aws.service import Caller

ACTION_PREFIX = "arn:aws:autoscaling:"


class ScalingAlarms(AlarmKeeper, Protocol):
    """CloudWatch as this service needs it: alarms to keep, and their actions."""

    def on_action(self, prefix: str, callback: Callable[[Caller, Invocation], None]) -> None:
        """Carry out alarm actions whose ARN begins with `prefix`."""


class AutoScalingService(ComposedService[State]):
    """Application Auto Scaling as a `Service` of the world."""

    name = "application-autoscaling"

    def __init__(
        self, clock: Clock, *, services: ScalableServices, alarms: ScalingAlarms, rng: random.Random
    ) -> None:
        """Start with nothing registered; policies are invoked by `alarms`."""
        self._desk = Desk(clock=clock, rng=rng, services=services, alarms=alarms, state=State())
        scaling = Scaling(self._desk)
        self._execution = Execution(self._desk, scaling)
        self._schedules = ScheduleCalls(self._desk, scaling)
        self._tags = TagCalls(self._desk)
        super().__init__(
            self._desk, TargetCalls(self._desk, scaling), PolicyCalls(self._desk), self._schedules, self._tags
        )
        alarms.on_action(ACTION_PREFIX, self._invoked)

    def _invoked(self, caller: Caller, invocation: Invocation) -> None:
        alarm = invocation.alarm
        if alarm.state != "ALARM":
            return
        self._execution.invoke(
            caller,
            invocation.action,
            alarm=alarm.name,
            threshold=float(alarm.spec.get("Threshold", 0.0)),
            value=alarm.value,
        )

    def tagged_resources(self, caller: Caller) -> Sequence[TaggedResource]:
        """Return the caller's targets with their tags; see `ports.Tagged`."""
        return self._tags.tagged_resources(caller)

    def change_tags(
        self, caller: Caller, arn: str, *, put: Mapping[str, str], remove: Sequence[str] = ()
    ) -> bool:
        """Change a target's tags; see `ports.Tagged`."""
        return self._tags.change_tags(caller, arn, put=put, remove=remove)
