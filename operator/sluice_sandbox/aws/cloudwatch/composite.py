"""Composite alarms: created, evaluated when a child changes, suppressed by another alarm.

Sources: botocore's PutCompositeAlarm and DeleteAlarms, "Create a composite alarm" of the user guide. Every
child must exist when the rule is put, so an alarm cannot name itself; a longer cycle is not refused
(PutCompositeAlarm says that one can come about) but its evaluation stops. An alarm that a rule names
cannot be deleted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sluice_sandbox.aws.cloudwatch import alarm_rules, composite_rules
from sluice_sandbox.aws.cloudwatch.alarm_calls import AlarmCalls
from sluice_sandbox.aws.cloudwatch.composite_rules import Rule, alarm_name
from sluice_sandbox.aws.cloudwatch.desk import Desk
from sluice_sandbox.aws.cloudwatch.evaluation import timestamp
from sluice_sandbox.aws.cloudwatch.refusals import not_modelled, validation_error
from sluice_sandbox.aws.cloudwatch.state import ALARM, COMPOSITE_ALARM, OK, Alarm, Region
from sluice_sandbox.aws.cloudwatch.transitions import Transitions
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

MAX_PARENTS = 150
_SUPPRESSOR = ("ActionsSuppressor", "ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod")


class CompositeCalls:
    """PutCompositeAlarm, and what composite alarms do when others change."""

    def __init__(self, desk: Desk, *, alarms: AlarmCalls, transitions: Transitions) -> None:
        """Keep alarms through `alarms` and follow the changes of `transitions`."""
        self._desk = desk
        self._alarms = alarms
        self._transitions = transitions
        self._changing: list[str] = []
        transitions.watch(self._changed)

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""
        return {"PutCompositeAlarm": self.put}

    def put(self, caller: Caller, params: Params) -> Response:
        """Create or replace a composite alarm; it is evaluated a moment later."""
        region = self._desk.region(caller)
        alarm_rules.check_name(params["AlarmName"])
        alarm_rules.check_actions(params)
        _check_actions(params)
        rule = composite_rules.parse(params["AlarmRule"])
        _check_children(region, params["AlarmName"], rule)
        _check_suppressor(region, params)
        if "ActionConfiguration" in params:
            raise not_modelled("tags in alarm notifications (ActionConfiguration)")
        alarm = self._alarms.keep(caller, params, kind=COMPOSITE_ALARM)
        name = alarm.name

        def first() -> None:
            found = self._desk.region(caller).alarms.get(name)
            if found is not None and found.kind == COMPOSITE_ALARM:
                self.evaluate(caller, found)

        self._desk.clock.call_later(self._desk.settings.first_evaluation_seconds, first)
        return {}

    def _changed(self, caller: Caller, name: str, state: str) -> None:
        """Evaluate the parents of an alarm that changed, and those that it suppresses."""
        if name in self._changing:  # a cycle: its evaluation stops (botocore: PutCompositeAlarm)
            return
        self._changing.append(name)
        try:
            for alarm in list(self._desk.region(caller).alarms.values()):
                if alarm.kind != COMPOSITE_ALARM:
                    continue
                if name in composite_rules.children(composite_rules.parse(alarm.spec["AlarmRule"])):
                    self.evaluate(caller, alarm, trigger=name)
                if alarm_name(alarm.spec.get("ActionsSuppressor", "")) == name:
                    self._suppressor_changed(caller, alarm, state)
        finally:
            self._changing.pop()

    # ------------------------------------------------------------- evaluation

    def evaluate(self, caller: Caller, alarm: Alarm, *, trigger: str = "") -> None:
        """Set a composite alarm to what its rule says of its children."""
        region = self._desk.region(caller)
        rule = composite_rules.parse(alarm.spec["AlarmRule"])
        children = [region.alarms[name] for name in composite_rules.children(rule) if name in region.alarms]
        state = ALARM if composite_rules.holds(rule, lambda name: _state(region, name)) else OK
        if state == alarm.state:
            return
        reason, data = _told(alarm, children, trigger=region.alarms.get(trigger), state=state)
        suppressed = "ActionsSuppressor" in alarm.spec
        self._transitions.set(caller, alarm, state=state, reason=reason, reason_data=data, act=not suppressed)
        if suppressed:
            self._hold_back(caller, alarm)

    # ------------------------------------------------------------ suppression

    def _hold_back(self, caller: Caller, alarm: Alarm) -> None:
        """Keep the actions of a change back: while the suppressor is in ALARM, or might soon be."""
        suppressor = alarm_name(alarm.spec["ActionsSuppressor"])
        if _state(self._desk.region(caller), suppressor) == ALARM:
            alarm.suppression = {
                "by": "Alarm",
                "reason": f"Actions suppressed by alarm {suppressor}",
                "previous": alarm.state,
            }
            return
        alarm.suppression = {
            "by": "WaitPeriod",
            "reason": "Actions suppressed by WaitPeriod",
            "previous": alarm.state,
        }
        self._release_later(caller, alarm, alarm.spec["ActionsSuppressorWaitPeriod"])

    def _suppressor_changed(self, caller: Caller, alarm: Alarm, state: str) -> None:
        by = alarm.suppression.get("by")
        if state == ALARM and by in {"WaitPeriod", "ExtensionPeriod"}:
            alarm.suppression = alarm.suppression | {
                "by": "Alarm",
                "reason": f"Actions suppressed by alarm {alarm_name(alarm.spec['ActionsSuppressor'])}",
            }
        elif state != ALARM and by == "Alarm":
            alarm.suppression = alarm.suppression | {
                "by": "ExtensionPeriod",
                "reason": "Actions suppressed by ExtensionPeriod",
            }
            self._release_later(caller, alarm, alarm.spec["ActionsSuppressorExtensionPeriod"])

    def _release_later(self, caller: Caller, alarm: Alarm, seconds: float) -> None:
        name, held = alarm.name, alarm.suppression

        def release() -> None:
            found = self._desk.region(caller).alarms.get(name)
            if found is None or found.suppression != held:
                return
            found.suppression = {}
            self._transitions.act(caller, found, previous=str(held["previous"]))

        self._desk.clock.call_later(seconds, release)


def parents(region: Region, name: str) -> list[Alarm]:
    """Return the composite alarms whose rule or suppressor names an alarm."""
    return [
        alarm
        for alarm in region.alarms.values()
        if alarm.kind == COMPOSITE_ALARM
        and (
            name in composite_rules.children(composite_rules.parse(alarm.spec["AlarmRule"]))
            or alarm_name(alarm.spec.get("ActionsSuppressor", "")) == name
        )
    ]


def _state(region: Region, name: str) -> str | None:
    alarm = region.alarms.get(name)
    return alarm.state if alarm is not None else None


def _check_actions(params: Params) -> None:
    """Refuse EC2 and Auto Scaling actions: composite alarms have none (user guide)."""
    for member in alarm_rules.ACTIONS:
        for action in params.get(member, ()):
            if action.split(":")[2] in {"automate", "autoscaling", "swf"}:
                raise validation_error(f"The action {action} is not supported for composite alarms.")


def _check_children(region: Region, name: str, rule: Rule) -> None:
    missing = [child for child in composite_rules.children(rule) if child not in region.alarms]
    if name in composite_rules.children(rule):
        raise validation_error(f"AlarmRule must not refer to the alarm itself: {name}.")
    if missing:
        raise validation_error(
            # Text: awsdocs/aws-cloudformation-user-guide#911.
            f"Could not save the composite alarm as alarms [{', '.join(missing)}] in the alarm rule do "
            "not exist"
        )
    for child_name in composite_rules.children(rule):
        others = [alarm for alarm in parents(region, child_name) if alarm.name != name]
        if len(others) >= MAX_PARENTS:
            raise validation_error(
                f"The alarm {child_name} is in the rules of {MAX_PARENTS} composite alarms already."
            )


def _check_suppressor(region: Region, params: Params) -> None:
    given = [member for member in _SUPPRESSOR if member in params]
    if given and len(given) < len(_SUPPRESSOR):
        raise validation_error(
            "ActionsSuppressor, ActionsSuppressorWaitPeriod and ActionsSuppressorExtensionPeriod must be "
            "specified together."
        )
    if given and alarm_name(params["ActionsSuppressor"]) not in region.alarms:
        raise validation_error(f"ActionsSuppressor {params['ActionsSuppressor']} does not exist.")
    for member in given[1:]:
        if params[member] < 0:
            raise validation_error(f"{member} must not be negative.")


def _told(alarm: Alarm, children: list[Alarm], *, trigger: Alarm | None, state: str) -> tuple[str, str]:
    """Return reason and data: which child's change it was (wording as AWS's notifications have it)."""
    cause = trigger or max(children, key=lambda child: child.transitioned_at, default=None)
    if cause is None:
        return f"{alarm.arn} was created and its alarm rule evaluates to {state}", ""
    moment = timestamp(cause.transitioned_at)
    reason = (
        f"{cause.arn} transitioned to {cause.state} at {moment}"
        if trigger is not None
        else f"{alarm.arn} was created and its alarm rule evaluates to {state}"
    )
    data: dict[str, Any] = {
        "triggeringAlarms": [
            {"arn": cause.arn, "state": {"value": cause.state, "timestamp": moment}},
        ]
    }
    return reason, json.dumps(data, separators=(",", ":"))
