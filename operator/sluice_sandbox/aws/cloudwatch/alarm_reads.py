"""DescribeAlarms, DescribeAlarmsForMetric: what alarms there are, by which filters, in pages.

Sources: botocore's operations. Metric alarms only unless AlarmTypes says otherwise, also where a composite
alarm is named; 50 a page unless MaxRecords says otherwise (from memory), by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sluice_sandbox.aws.cloudwatch import composite_rules
from sluice_sandbox.aws.cloudwatch.alarm_rules import ACTIONS
from sluice_sandbox.aws.cloudwatch.desk import Desk
from sluice_sandbox.aws.cloudwatch.paging import page
from sluice_sandbox.aws.cloudwatch.queries import key_of
from sluice_sandbox.aws.cloudwatch.refusals import validation_error
from sluice_sandbox.aws.cloudwatch.state import COMPOSITE_ALARM, METRIC_ALARM, Alarm, Region
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

DEFAULT_RECORDS = 50
_RELATIVES = ("ChildrenOfAlarmName", "ParentsOfAlarmName")


class AlarmReads:
    """The handlers that read alarms."""

    def __init__(self, desk: Desk) -> None:
        """Read the desk's books."""
        self._desk = desk

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""
        return {"DescribeAlarms": self.describe, "DescribeAlarmsForMetric": self.for_metric}

    def describe(self, caller: Caller, params: Params) -> Response:
        """Return a page of alarms by name."""
        _check(params)
        region = self._desk.region(caller)
        if "ChildrenOfAlarmName" in params:
            found = _children(region, params["ChildrenOfAlarmName"])
            show = _child
        elif "ParentsOfAlarmName" in params:
            found = _parents(region, params["ParentsOfAlarmName"])
            show = _parent
        else:
            found = [alarm for alarm in region.alarms.values() if _fits(alarm, params)]
            show = shown
        found.sort(key=lambda alarm: alarm.name)
        chosen, token = page(found, params, size=params.get("MaxRecords", DEFAULT_RECORDS))
        return {
            "MetricAlarms": [show(alarm) for alarm in chosen if alarm.kind == METRIC_ALARM],
            "CompositeAlarms": [show(alarm) for alarm in chosen if alarm.kind == COMPOSITE_ALARM],
            "LogAlarms": [],
            **token,
        }

    def for_metric(self, caller: Caller, params: Params) -> Response:
        """Return the alarms on one metric; those on expressions and composite ones are left out."""
        wanted = key_of(params)
        found = [
            alarm
            for alarm in self._desk.region(caller).alarms.values()
            if alarm.kind == METRIC_ALARM
            and "MetricName" in alarm.spec
            and key_of(alarm.spec) == wanted
            and all(
                alarm.spec.get(member) == params[member]
                for member in ("Statistic", "ExtendedStatistic", "Period", "Unit")
                if member in params
            )
        ]
        return {"MetricAlarms": [shown(alarm) for alarm in sorted(found, key=lambda alarm: alarm.name)]}


def _check(params: Params) -> None:
    if "AlarmNames" in params and "AlarmNamePrefix" in params:
        raise validation_error("AlarmNamePrefix and AlarmNames are mutually exclusive.")
    for member in _RELATIVES:
        others = sorted(set(params) - {member, "MaxRecords", "NextToken"})
        if member in params and others:
            raise validation_error(
                f"{member} cannot be combined with other parameters than MaxRecords and NextToken; you have "
                f"specified {', '.join(others)}."
            )


def _fits(alarm: Alarm, params: Params) -> bool:
    if alarm.kind not in (params.get("AlarmTypes") or [METRIC_ALARM]):
        return False
    if params.get("AlarmNames") and alarm.name not in params["AlarmNames"]:
        return False
    if not alarm.name.startswith(params.get("AlarmNamePrefix", "")):
        return False
    if params.get("StateValue", alarm.state) != alarm.state:
        return False
    prefix = params.get("ActionPrefix", "")
    return not prefix or any(
        action.startswith(prefix) for member in ACTIONS for action in alarm.spec.get(member, ())
    )


def _children(region: Region, name: str) -> list[Alarm]:
    parent = region.alarms.get(name)
    if parent is None or parent.kind != COMPOSITE_ALARM:
        return []
    names = composite_rules.children(composite_rules.parse(parent.spec["AlarmRule"]))
    return [region.alarms[child] for child in names if child in region.alarms]


def _parents(region: Region, name: str) -> list[Alarm]:
    return [
        alarm
        for alarm in region.alarms.values()
        if alarm.kind == COMPOSITE_ALARM
        and name in composite_rules.children(composite_rules.parse(alarm.spec["AlarmRule"]))
    ]


def _child(alarm: Alarm) -> dict[str, Any]:
    return {
        "AlarmName": alarm.name,
        "AlarmArn": alarm.arn,
        "StateValue": alarm.state,
        "StateUpdatedTimestamp": alarm.updated_at,
    }


def _parent(alarm: Alarm) -> dict[str, Any]:
    return {"AlarmName": alarm.name, "AlarmArn": alarm.arn}


def shown(alarm: Alarm) -> dict[str, Any]:
    """Return an alarm as DescribeAlarms has it."""
    answer = {
        **alarm.spec,
        "AlarmName": alarm.name,
        "AlarmArn": alarm.arn,
        "AlarmConfigurationUpdatedTimestamp": alarm.configured_at,
        "StateValue": alarm.state,
        "StateReason": alarm.reason,
        "StateUpdatedTimestamp": alarm.updated_at,
        "StateTransitionedTimestamp": alarm.transitioned_at,
    }
    if alarm.reason_data:
        answer["StateReasonData"] = alarm.reason_data
    if alarm.fault:
        answer["EvaluationState"] = "EVALUATION_ERROR"
        answer["StateReason"] = alarm.fault
    if alarm.kind == COMPOSITE_ALARM and alarm.suppression.get("by"):
        answer["ActionsSuppressedBy"] = alarm.suppression["by"]
        answer["ActionsSuppressedReason"] = alarm.suppression["reason"]
    return answer
