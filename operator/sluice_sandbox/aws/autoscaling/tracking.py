"""The two alarms of a target tracking policy. Pure.

Source: "Target tracking scaling policies" of the user guide and public listings of such alarms: AlarmHigh
when the metric is above the target for 3 minutes, AlarmLow when it is below nine tenths of it for 15;
their names begin with TargetTracking-, and they are not to be edited. Without scale-in there is no AlarmLow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sluice_sandbox.aws.autoscaling.policy_rules import LABEL, LABELLED

HIGH_PERIODS, LOW_PERIODS = 3, 15
LOW_SHARE = 0.9
_PERIOD = 60
_METRICS = {
    "ECSServiceAverageCPUUtilization": "CPUUtilization",
    "ECSServiceAverageMemoryUtilization": "MemoryUtilization",
}


def alarms(
    configuration: Mapping[str, Any], *, policy_arn: str, resource: str, ids: tuple[str, str]
) -> list[dict[str, Any]]:
    """Return the PutMetricAlarm requests of a policy: AlarmHigh, then AlarmLow unless disabled."""
    metric = _metric(configuration, resource)
    target = float(configuration["TargetValue"])
    common = {
        **metric,
        "AlarmActions": [policy_arn],
        "AlarmDescription": f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy_arn}.",
    }
    high = {
        **common,
        "AlarmName": f"TargetTracking-{resource}-AlarmHigh-{ids[0]}",
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": target,
        "EvaluationPeriods": HIGH_PERIODS,
    }
    low = {
        **common,
        "AlarmName": f"TargetTracking-{resource}-AlarmLow-{ids[1]}",
        "ComparisonOperator": "LessThanThreshold",
        "Threshold": target * LOW_SHARE,
        "EvaluationPeriods": LOW_PERIODS,
    }
    return [high] if configuration.get("DisableScaleIn", False) else [high, low]


def _metric(configuration: Mapping[str, Any], resource: str) -> dict[str, Any]:
    customized = configuration.get("CustomizedMetricSpecification")
    if customized is not None:
        return _customized(customized)
    predefined = configuration["PredefinedMetricSpecification"]
    kind = predefined["PredefinedMetricType"]
    if kind == LABELLED:
        match = LABEL.fullmatch(predefined["ResourceLabel"])
        parts = match.groups() if match is not None else ("", "")
        return {
            "Namespace": "AWS/ApplicationELB",
            "MetricName": "RequestCountPerTarget",
            "Dimensions": [
                {"Name": "LoadBalancer", "Value": parts[0]},
                {"Name": "TargetGroup", "Value": parts[1]},
            ],
            "Statistic": "Sum",
            "Period": _PERIOD,
        }
    _, cluster, service = resource.split("/")
    return {
        "Namespace": "AWS/ECS",
        "MetricName": _METRICS[kind],
        "Dimensions": [
            {"Name": "ClusterName", "Value": cluster},
            {"Name": "ServiceName", "Value": service},
        ],
        "Statistic": "Average",
        "Period": _PERIOD,
    }


def _customized(given: Mapping[str, Any]) -> dict[str, Any]:
    if "Metrics" not in given:
        members = ("Namespace", "MetricName", "Dimensions", "Statistic", "Unit")
        return {member: given[member] for member in members if member in given} | {"Period": _PERIOD}
    metrics = []
    for item in given["Metrics"]:
        query = {name: item[name] for name in ("Id", "Expression", "Label", "ReturnData") if name in item}
        if "MetricStat" in item:
            query["MetricStat"] = {**item["MetricStat"], "Period": _PERIOD}
        query.setdefault("ReturnData", True)
        metrics.append(query)
    return {"Metrics": metrics}
