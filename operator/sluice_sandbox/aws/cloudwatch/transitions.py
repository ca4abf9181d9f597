"""An alarm's change of state: the books, the history, the event, the actions, and who watches.

Actions run on a change only; scaling policies (`arn:aws:autoscaling:...`) are invoked again every minute
while the alarm stays (user guide, "Alarm actions"). SNS is moto's: a message is published in moto's own
thread and nobody waits for it. Other actions are kept and noted in the history as what the stand-in
does not carry out. Event: "CloudWatch Alarm State Change" (EventBridge user guide, alarm events).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sluice_sandbox.aws.cloudwatch.alarm_rules import SINGLE_METRIC
from sluice_sandbox.aws.cloudwatch.desk import Desk
from sluice_sandbox.aws.cloudwatch.evaluation import timestamp
from sluice_sandbox.aws.cloudwatch.history import note
from sluice_sandbox.aws.cloudwatch.state import ALARM, METRIC_ALARM, OK, Alarm
from sluice_sandbox.aws.ports import Emitter
from sluice_sandbox.aws.service import Caller

Watcher = Callable[[Caller, str, str], None]
ACTIONS_OF = {ALARM: "AlarmActions", OK: "OKActions"}
"""INSUFFICIENT_DATA has InsufficientDataActions."""
MAX_REASON = 1_023
"""botocore: StateReason."""


class Notifier(Protocol):
    """Where notifications go (SNS, by moto)."""

    def publish(self, caller: Caller, topic_arn: str, *, subject: str, message: str) -> None:
        """Publish one message; never raises, never blocks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """What an action is told: the alarm after its change."""

    action: str
    alarm: Alarm
    previous: str


class Transitions:
    """Changes alarms' states and tells everybody."""

    def __init__(self, desk: Desk, *, emitter: Emitter, notifier: Notifier | None) -> None:
        """Send events to `emitter` and notifications to `notifier`."""
        self._desk = desk
        self._emitter = emitter
        self._notifier = notifier
        self._watchers: list[Watcher] = []
        self._actions: list[tuple[str, Callable[[Caller, Invocation], None]]] = []

    def watch(self, callback: Watcher) -> None:
        """Call back after each change of a state; see `ports.Alarms`."""
        self._watchers.append(callback)

    def on_action(self, prefix: str, callback: Callable[[Caller, Invocation], None]) -> None:
        """Carry out actions whose ARN begins with `prefix`."""
        self._actions.append((prefix, callback))

    def set(
        self, caller: Caller, alarm: Alarm, *, state: str, reason: str, reason_data: str, act: bool = True
    ) -> bool:
        """Set an alarm's state; True when it is another one than before.

        The reason follows even where the state stays, without a line of history and without actions.
        """
        now = self._desk.now()
        previous = alarm.state
        before, before_at = _state_of(alarm), alarm.updated_at
        alarm.reason, alarm.reason_data, alarm.updated_at = reason[:MAX_REASON], reason_data, now
        if state == previous:
            return False
        alarm.state, alarm.transitioned_at = state, now
        note(
            self._desk.region(caller),
            alarm,
            at=now,
            item_type="StateUpdate",
            summary=f"Alarm updated from {previous} to {state}",
            data={"version": "1.0", "oldState": before, "newState": _state_of(alarm)},
        )
        self._emit(caller, alarm, before=_event_state(before, before_at))
        if act:
            self.act(caller, alarm, previous=previous)
        for callback in list(self._watchers):
            callback(caller, alarm.name, state)
        return True

    def repeat(self, caller: Caller, alarm: Alarm) -> None:
        """Invoke scaling policies again while the alarm stays in its state."""
        if self._desk.now() < alarm.acted_at + self._desk.settings.repeat_seconds:
            return
        self.act(caller, alarm, previous=alarm.state, only="arn:aws:autoscaling:")

    def act(self, caller: Caller, alarm: Alarm, *, previous: str, only: str = "") -> None:
        """Run the actions of the state that the alarm is in, unless they are disabled."""
        alarm.acted_at = self._desk.now()
        member = ACTIONS_OF.get(alarm.state, "InsufficientDataActions")
        actions = [action for action in alarm.spec.get(member, ()) if action.startswith(only)]
        if not actions or not alarm.spec.get("ActionsEnabled", True):
            return
        for action in actions:
            done = self._carry_out(caller, Invocation(action=action, alarm=alarm, previous=previous))
            word = "Successfully executed" if done else "The sandbox does not carry out"
            note(
                self._desk.region(caller),
                alarm,
                at=self._desk.now(),
                item_type="Action",
                summary=f"{word} action {action}",
                data={
                    "actionState": "Succeeded" if done else "Failed",
                    "stateUpdateTimestamp": round(alarm.updated_at * 1000),
                    "notificationResource": action,
                },
            )

    def _carry_out(self, caller: Caller, invocation: Invocation) -> bool:
        action = invocation.action
        if action.startswith("arn:aws:sns:") and self._notifier is not None:
            alarm = invocation.alarm
            self._notifier.publish(
                caller,
                action,
                subject=f'{alarm.state}: "{alarm.name}" in {caller.region}',
                message=json.dumps(notification(caller, alarm, previous=invocation.previous)),
            )
            return True
        for prefix, callback in self._actions:
            if action.startswith(prefix):
                callback(caller, invocation)
                return True
        return False

    def _emit(self, caller: Caller, alarm: Alarm, *, before: Mapping[str, Any]) -> None:
        self._emitter.emit(
            caller,
            source="aws.cloudwatch",
            detail_type="CloudWatch Alarm State Change",
            resources=(alarm.arn,),
            detail={
                "alarmName": alarm.name,
                "state": _event_state(_state_of(alarm), alarm.updated_at),
                "previousState": before,
                "configuration": configuration(alarm),
            },
        )


def _state_of(alarm: Alarm) -> dict[str, Any]:
    state: dict[str, Any] = {"stateValue": alarm.state, "stateReason": alarm.reason}
    if alarm.reason_data:
        try:
            state["stateReasonData"] = json.loads(alarm.reason_data)
        except ValueError:
            state["stateReasonData"] = alarm.reason_data
    return state


def _event_state(state: Mapping[str, Any], at: float) -> dict[str, Any]:
    shown = {"value": state["stateValue"], "reason": state["stateReason"], "timestamp": timestamp(at)}
    if "stateReasonData" in state:
        shown["reasonData"] = json.dumps(state["stateReasonData"])
    return shown


def configuration(alarm: Alarm) -> dict[str, Any]:
    """Return an alarm's configuration as its event has it."""
    spec = alarm.spec
    if alarm.kind != METRIC_ALARM:
        return {"alarmRule": spec["AlarmRule"]}
    if "Metrics" in spec:
        metrics = [
            {
                "id": item["Id"],
                "returnData": item.get("ReturnData", True),
                **({"expression": item["Expression"]} if "Expression" in item else {}),
                **({"label": item["Label"]} if "Label" in item else {}),
                **({"metricStat": _metric_stat(item["MetricStat"])} if "MetricStat" in item else {}),
            }
            for item in spec["Metrics"]
        ]
    else:
        members = ("Namespace", "MetricName", "Dimensions")
        stat = {
            "Metric": {name: spec[name] for name in members if name in spec},
            "Period": spec["Period"],
            "Stat": spec.get("Statistic", spec.get("ExtendedStatistic")),
        }
        # AWS makes up an id for the one metric (a UUID there).
        metrics = [{"id": "m1", "returnData": True, "metricStat": _metric_stat(stat)}]
    shown: dict[str, Any] = {"metrics": metrics}
    if spec.get("AlarmDescription"):
        shown["description"] = spec["AlarmDescription"]
    return shown


def _metric_stat(stat: Mapping[str, Any]) -> dict[str, Any]:
    metric = stat["Metric"]
    return {
        "metric": {
            "namespace": metric["Namespace"],
            "name": metric["MetricName"],
            "dimensions": {item["Name"]: item["Value"] for item in metric.get("Dimensions", ())},
        },
        "period": stat["Period"],
        "stat": stat["Stat"],
    }


def notification(caller: Caller, alarm: Alarm, *, previous: str) -> dict[str, Any]:
    """Return the message that SNS subscribers get (fields as public handlers of it read them)."""
    spec = alarm.spec
    shown: dict[str, Any] = {
        "AlarmName": alarm.name,
        "AlarmDescription": spec.get("AlarmDescription"),
        "AWSAccountId": caller.account,
        "AlarmConfigurationUpdatedTimestamp": timestamp(alarm.configured_at),
        "NewStateValue": alarm.state,
        "NewStateReason": alarm.reason,
        "StateChangeTime": timestamp(alarm.updated_at),
        "Region": caller.region,
        "AlarmArn": alarm.arn,
        "OldStateValue": previous,
        "OKActions": spec.get("OKActions", []),
        "AlarmActions": spec.get("AlarmActions", []),
        "InsufficientDataActions": spec.get("InsufficientDataActions", []),
    }
    if alarm.kind != METRIC_ALARM:
        return shown | {"AlarmRule": spec["AlarmRule"]}
    trigger: dict[str, Any] = {
        "Period": spec.get("Period"),
        "EvaluationPeriods": spec["EvaluationPeriods"],
        "DatapointsToAlarm": spec.get("DatapointsToAlarm", spec["EvaluationPeriods"]),
        "ComparisonOperator": spec["ComparisonOperator"],
        "Threshold": spec["Threshold"],
        "TreatMissingData": spec.get("TreatMissingData", "missing"),
        "EvaluateLowSampleCountPercentile": spec.get("EvaluateLowSampleCountPercentile", ""),
    }
    if "Metrics" in spec:
        trigger["Metrics"] = spec["Metrics"]
    else:
        trigger |= {name: spec[name] for name in SINGLE_METRIC if name in spec and name != "Dimensions"}
        trigger["Dimensions"] = [
            {"name": item["Name"], "value": item["Value"]} for item in spec.get("Dimensions", ())
        ]
        trigger["StatisticType"] = "Statistic" if "Statistic" in spec else "ExtendedStatistic"
        trigger["Statistic"] = str(spec.get("Statistic", "")).upper()
    return shown | {"Trigger": {key: value for key, value in trigger.items() if value is not None}}
