"""PutMetricAlarm, SetAlarmState, Enable/DisableAlarmActions: what changes an alarm.

Sources: botocore's operations; a new alarm is INSUFFICIENT_DATA, an update keeps the state and replaces
all else but the tags.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sluice_sandbox.aws.cloudwatch import alarm_rules, tags
from sluice_sandbox.aws.cloudwatch.desk import Desk
from sluice_sandbox.aws.cloudwatch.evaluator import Evaluator
from sluice_sandbox.aws.cloudwatch.history import note
from sluice_sandbox.aws.cloudwatch.refusals import validation_error
from sluice_sandbox.aws.cloudwatch.state import METRIC_ALARM, Alarm
from sluice_sandbox.aws.cloudwatch.transitions import Transitions
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

MAX_ALARMS = 5_000


class AlarmCalls:
    """The handlers that change alarms of either kind."""

    def __init__(self, desk: Desk, *, evaluator: Evaluator, transitions: Transitions) -> None:
        """Work on the desk's books."""
        self._desk = desk
        self._evaluator = evaluator
        self._transitions = transitions

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""
        return {
            "PutMetricAlarm": self.put,
            "SetAlarmState": self.set_state,
            "EnableAlarmActions": lambda caller, params: self._switch(caller, params, enabled=True),
            "DisableAlarmActions": lambda caller, params: self._switch(caller, params, enabled=False),
        }

    def put(self, caller: Caller, params: Params) -> Response:
        """Create or replace a metric alarm."""
        alarm_rules.check(params)
        alarm = self.keep(caller, params, kind=METRIC_ALARM)
        alarm.seen = ()
        self._evaluator.put(caller, alarm)
        return {}

    def keep(self, caller: Caller, params: Params, *, kind: str) -> Alarm:
        """Put an alarm's configuration into the books, with a line of history.

        Raises ValidationError when the name is an alarm's of the other kind, LimitExceeded at the
        quota.
        """
        region = self._desk.region(caller)
        name = params["AlarmName"]
        spec = {key: value for key, value in params.items() if key not in {"AlarmName", "Tags"}}
        spec.setdefault("ActionsEnabled", True)
        if "Threshold" in spec:
            spec["Threshold"] = float(spec["Threshold"])
        for member in alarm_rules.ACTIONS:
            spec.setdefault(member, [])
        if kind == METRIC_ALARM:
            spec.setdefault("Dimensions", [])
        now = self._desk.now()
        alarm = region.alarms.get(name)
        if alarm is not None and alarm.kind != kind:
            raise validation_error(f"An alarm of another type has the name {name} already.")
        if alarm is None:
            if len(region.alarms) >= MAX_ALARMS:
                raise AwsError("LimitExceeded", f"The maximum limit of {MAX_ALARMS} alarms has been reached.")
            alarm = region.alarms[name] = Alarm(
                name=name,
                arn=self._desk.arn(caller, name),
                kind=kind,
                spec=spec,
                created_at=now,
                configured_at=now,
                updated_at=now,
                transitioned_at=now,
                tags=tags.new_tags(params),
            )
            word = "Created"
        else:
            alarm.spec, alarm.configured_at = spec, now
            word = "Updated"
        note(
            region,
            alarm,
            at=now,
            item_type="ConfigurationUpdate",
            summary=f'Alarm "{name}" {word.lower()}',
            data={"version": "1.0", "type": word[:-1], word.lower() + "Alarm": {"alarmName": name, **spec}},
        )
        return alarm

    def set_state(self, caller: Caller, params: Params) -> Response:
        """Set a state by hand; it stands until the alarm is evaluated anew."""
        name = params["AlarmName"]
        alarm = self._desk.region(caller).alarms.get(name)
        if alarm is None:
            raise AwsError("ResourceNotFound", "Unknown", status=404)
        data = params.get("StateReasonData", "")
        if data:
            alarm.value = _newest(_read_json(data))
        if alarm.kind == METRIC_ALARM:
            seconds = self._desk.settings.held_seconds
            if alarm.spec.get("Period", 60) < 60:
                seconds = min(seconds, 10.0)
            alarm.held_until = self._desk.now() + seconds
            self._evaluator.take_note(caller, alarm)
        self._transitions.set(
            caller, alarm, state=params["StateValue"], reason=params["StateReason"], reason_data=data
        )
        return {}

    def _switch(self, caller: Caller, params: Params, *, enabled: bool) -> Response:
        """Turn actions on or off; names that no alarm has are passed over (botocore lists no error)."""
        region = self._desk.region(caller)
        for name in params["AlarmNames"]:
            alarm = region.alarms.get(name)
            if alarm is None or alarm.spec["ActionsEnabled"] is enabled:
                continue
            alarm.spec["ActionsEnabled"] = enabled
            alarm.configured_at = self._desk.now()
            note(
                region,
                alarm,
                at=self._desk.now(),
                item_type="ConfigurationUpdate",
                summary=f'Alarm "{name}" updated',
                data={"version": "1.0", "type": "Update", "updatedAlarm": {"actionsEnabled": enabled}},
            )
        return {}


def _read_json(text: str) -> Any:  # noqa: ANN401 - whatever JSON says
    try:
        return json.loads(text)
    except ValueError:
        raise AwsError("InvalidFormat", "StateReasonData is not valid JSON") from None


def _newest(data: Any) -> float | None:  # noqa: ANN401 - whatever JSON says
    """Return the newest of `recentDatapoints`, by which a scaling policy measures."""
    points = data.get("recentDatapoints") if isinstance(data, dict) else None
    found = points[-1] if isinstance(points, list) and points else None
    return float(found) if isinstance(found, (int, float)) else None
