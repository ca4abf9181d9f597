"""PutScheduledAction, DescribeScheduledActions, DeleteScheduledAction, and the actions when they are due.

Sources: botocore's operations: at the scheduled time the target's limits change, then its capacity
follows; start and end bound a recurring schedule, and an update without them removes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sluice_sandbox.aws.autoscaling import schedules
from sluice_sandbox.aws.autoscaling.desk import Desk, check_describe, check_dimension, fits, page
from sluice_sandbox.aws.autoscaling.refusals import invalid, limit_exceeded, not_found
from sluice_sandbox.aws.autoscaling.scaling import Scaling
from sluice_sandbox.aws.autoscaling.state import DIMENSION, ScheduledAction, Target
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

MAX_SCHEDULES = 200


class ScheduleCalls:
    """The handlers of scheduled actions, and their timers."""

    def __init__(self, desk: Desk, scaling: Scaling) -> None:
        """Scale through `scaling`."""
        self._desk = desk
        self._scaling = scaling

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""
        return {
            "PutScheduledAction": self.put,
            "DescribeScheduledActions": self.describe,
            "DeleteScheduledAction": self.delete,
        }

    def put(self, caller: Caller, params: Params) -> Response:
        """Create or change a scheduled action."""
        target = self._desk.target(caller, params)
        name = params["ScheduledActionName"]
        present = target.schedules.get(name)
        schedule = params.get("Schedule", present.schedule if present else None)
        action = params.get("ScalableTargetAction", present.action if present else None)
        timezone = params.get("Timezone", present.timezone if present else "UTC")
        if schedule is None or action is None:
            raise invalid("Schedule and ScalableTargetAction are required for a new scheduled action.")
        _check_action(action)
        schedules.check(schedule, timezone=timezone)
        start, end = params.get("StartTime"), params.get("EndTime")
        if end is not None and end <= max(start or 0.0, self._desk.now()):
            raise invalid("EndTime must be later than StartTime and in the future.")
        if present is None and len(target.schedules) >= MAX_SCHEDULES:
            raise limit_exceeded(f"A scalable target can have at most {MAX_SCHEDULES} scheduled actions.")
        self._desk.state.numbers += 1
        item = target.schedules[name] = ScheduledAction(
            arn=present.arn if present else self._arn(caller, target, name),
            name=name,
            schedule=schedule,
            timezone=timezone,
            action=dict(action),
            created_at=present.created_at if present else self._desk.now(),
            start=start,
            end=end,
            generation=self._desk.state.numbers,
        )
        self.arm(caller, target, item)
        return {}

    def _arn(self, caller: Caller, target: Target, name: str) -> str:
        return (
            f"arn:aws:autoscaling:{caller.region}:{caller.account}:scheduledAction:{self._desk.uuid()}:"
            f"resource/ecs/{target.resource}:scheduledActionName/{name}"
        )

    def arm(self, caller: Caller, target: Target, item: ScheduledAction) -> None:
        """Set the timer of an action's next time; a timer of an older form finds itself out of date."""
        since = item.start if item.start is not None else item.created_at
        after = max(self._desk.now(), since - 1e-6 if item.start is not None else 0.0)
        moment = schedules.due(item.schedule, timezone=item.timezone, after=after, since=since)
        if moment is None or (item.end is not None and moment > item.end):
            return
        resource, name, generation = target.resource, item.name, item.generation

        def run() -> None:
            found = self._desk.region(caller).targets.get(resource)
            action = found.schedules.get(name) if found is not None else None
            if found is None or action is None or action.generation != generation:
                return
            self._run(caller, found, action)
            self.arm(caller, found, action)

        self._desk.clock.call_at(moment, run)

    def _run(self, caller: Caller, target: Target, item: ScheduledAction) -> None:
        if target.suspended["ScheduledScalingSuspended"]:
            return
        low = item.action.get("MinCapacity", target.low)
        high = item.action.get("MaxCapacity", target.high)
        if low > high:  # only one of them was given, and the target's other one contradicts it
            return
        target.low, target.high = low, high
        self._scaling.fit(caller, target, cause=f"scheduled action name {item.name} was triggered")

    def describe(self, caller: Caller, params: Params) -> Response:
        """Return a page of scheduled actions."""
        check_describe(params)
        names = params.get("ScheduledActionNames") or []
        found = [
            (target, item)
            for target in self._desk.region(caller).targets.values()
            for item in target.schedules.values()
            if fits(params, target.resource) and (not names or item.name in names or item.arn in names)
        ]
        chosen, token = page(found, params, most=50)
        return {"ScheduledActions": [_shown(*pair) for pair in chosen], **token}

    def delete(self, caller: Caller, params: Params) -> Response:
        """Delete a scheduled action."""
        check_dimension(params)
        target = self._desk.region(caller).targets.get(params["ResourceId"])
        if target is None or target.schedules.pop(params["ScheduledActionName"], None) is None:
            raise not_found(
                f"No scheduled action found for service namespace: {params['ServiceNamespace']}, "
                f"resource ID: {params['ResourceId']}, scalable dimension: {params['ScalableDimension']}, "
                f"scheduled action name: {params['ScheduledActionName']}"
            )
        return {}


def _check_action(action: Mapping[str, int]) -> None:
    low, high = action.get("MinCapacity"), action.get("MaxCapacity")
    if low is None and high is None:
        raise invalid("ScalableTargetAction must have MinCapacity or MaxCapacity.")
    if (low is not None and low < 0) or (high is not None and high < 0):
        raise invalid("Capacity must not be negative.")
    if low is not None and high is not None and low > high:
        raise invalid("Maximum capacity cannot be less than minimum capacity")


def _shown(target: Target, item: ScheduledAction) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "ScheduledActionName": item.name,
        "ScheduledActionARN": item.arn,
        "ServiceNamespace": "ecs",
        "Schedule": item.schedule,
        "Timezone": item.timezone,
        "ResourceId": target.resource,
        "ScalableDimension": DIMENSION,
        "ScalableTargetAction": dict(item.action),
        "CreationTime": item.created_at,
    }
    if item.start is not None:
        answer["StartTime"] = item.start
    if item.end is not None:
        answer["EndTime"] = item.end
    return answer
