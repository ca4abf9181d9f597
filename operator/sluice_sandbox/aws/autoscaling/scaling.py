"""Setting a service's desired count: limits, cooldowns, suspensions, and the record of it.

Sources: botocore's RegisterScalableTarget and PutScalingPolicy, "Target tracking scaling policies", "Step
scaling policies" and "Scaling activities" of the Application Auto Scaling user guide: capacity stays
within the target's limits; what an earlier scale-out added counts until its cooldown is over; a
scale-in waits for its cooldown, and for a deployment in progress (ECS developer guide, service auto
scaling); a scale-out never waits for a scale-in.
"""

from __future__ import annotations

import math
from typing import Any

from sluice_sandbox.aws.autoscaling.desk import Desk
from sluice_sandbox.aws.autoscaling.state import DIMENSION, Movement, Policy, Target
from sluice_sandbox.aws.service import Caller

MAX_ACTIVITIES = 5_000


class Scaling:
    """Changes capacities and remembers why."""

    def __init__(self, desk: Desk) -> None:
        """Scale the services behind the desk's port."""
        self._desk = desk

    def fit(self, caller: Caller, target: Target, *, cause: str) -> None:
        """Bring the capacity inside the target's limits."""
        present = self._desk.services.desired_count(caller, target.cluster, target.service)
        if present is None:
            return
        wanted = min(max(present, target.low), target.high)
        if wanted != present:
            self._set(caller, target, wanted, cause=cause)

    def by_policy(
        self, caller: Caller, target: Target, policy: Policy, *, alarm: str, wanted: Wanted
    ) -> None:
        """Set the capacity that a policy asks for, unless something forbids it."""
        present = self._desk.services.desired_count(caller, target.cluster, target.service)
        if present is None:
            return
        cause = f"monitor alarm {alarm} in state ALARM triggered policy {policy.name}"
        if wanted.out:
            self._out(caller, target, present, wanted, cause=cause)
        else:
            self._in(caller, target, present, wanted, cause=cause)

    def base(self, target: Target, present: int, *, out: bool) -> int:
        """Return the capacity that a change is reckoned from: before a scale-out still cooling down."""
        last = target.last_out
        if out and last is not None and self._desk.now() < last.at + last.cooldown:
            return min(last.before, present)
        return present

    def refuse(self, caller: Caller, target: Target, *, cause: str, code: str, present: int) -> None:
        """Note that nothing was scaled and why (IncludeNotScaledActivities)."""
        reason: dict[str, Any] = {"Code": code, "CurrentCapacity": present}
        if code == "AlreadyAtMaxCapacity":
            reason["MaxCapacity"] = target.high
        if code == "AlreadyAtMinCapacity":
            reason["MinCapacity"] = target.low
        self._note(
            caller,
            target,
            Description="Attempting to scale due to alarm triggered",
            Cause=cause,
            StatusCode="Unfulfilled",
            NotScaledReasons=[reason],
        )

    def _out(self, caller: Caller, target: Target, present: int, wanted: Wanted, *, cause: str) -> None:
        if target.suspended["DynamicScalingOutSuspended"]:
            return
        capacity = min(wanted.capacity, target.high)
        if present >= target.high:
            self.refuse(caller, target, cause=cause, code="AlreadyAtMaxCapacity", present=present)
            return
        if capacity <= present:
            return
        before = self.base(target, present, out=True)
        self._set(caller, target, max(capacity, target.low), cause=cause)
        target.last_out = Movement(at=self._desk.now(), before=before, cooldown=wanted.cooldown)
        target.last_in = None

    def _in(self, caller: Caller, target: Target, present: int, wanted: Wanted, *, cause: str) -> None:
        if target.suspended["DynamicScalingInSuspended"]:
            return
        now = self._desk.now()
        for last in (target.last_in, target.last_out):
            if last is not None and now < last.at + last.cooldown:
                return
        if self._desk.services.deploying(caller, target.cluster, target.service):
            return
        capacity = max(wanted.capacity, target.low)
        if present <= target.low:
            self.refuse(caller, target, cause=cause, code="AlreadyAtMinCapacity", present=present)
            return
        if capacity >= present:
            return
        self._set(caller, target, min(capacity, target.high), cause=cause)
        target.last_in = Movement(at=now, before=present, cooldown=wanted.cooldown)

    def _set(self, caller: Caller, target: Target, count: int, *, cause: str) -> None:
        self._desk.services.set_desired_count(caller, target.cluster, target.service, count)
        self._note(
            caller,
            target,
            Description=f"Setting desired count to {count}.",
            Cause=cause,
            EndTime=self._desk.now(),
            StatusCode="Successful",
            StatusMessage=(
                f"Successfully set desired count to {count}. Change successfully fulfilled by ecs."
            ),
        )

    def _note(self, caller: Caller, target: Target, **members: Any) -> None:  # noqa: ANN401 - as the shape has it
        activities = self._desk.region(caller).activities
        activities.append(
            {
                "ActivityId": self._desk.uuid(),
                "ServiceNamespace": "ecs",
                "ResourceId": target.resource,
                "ScalableDimension": DIMENSION,
                "StartTime": self._desk.now(),
                **members,
            }
        )
        if len(activities) > MAX_ACTIVITIES:
            del activities[: MAX_ACTIVITIES // 10]


class Wanted:
    """What a policy asks for: the capacity, the direction, and how long it cools down."""

    __slots__ = ("capacity", "cooldown", "out")

    def __init__(self, capacity: int, *, out: bool, cooldown: float) -> None:
        """Ask for `capacity`, with `cooldown` seconds before the next change of this direction."""
        self.capacity = capacity
        self.out = out
        self.cooldown = cooldown


def adjusted(present: int, step: int, *, kind: str, least: int = 0) -> int:
    """Return the capacity after a step adjustment (user guide, "Scaling adjustment types").

    Percentages that come to a fraction are rounded towards zero, but never to nothing.
    """
    if kind == "ExactCapacity":
        return step
    if kind == "ChangeInCapacity":
        return max(present + step, 0)
    exact = present * step / 100
    change = math.trunc(exact) if abs(exact) >= 1 else int(math.copysign(1, exact)) if exact else 0
    if change and abs(change) < least:
        change = int(math.copysign(least, change))
    return max(present + change, 0)
