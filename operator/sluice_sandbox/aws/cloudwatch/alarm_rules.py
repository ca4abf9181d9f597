"""What PutMetricAlarm refuses, and what it fills in.

Sources: botocore's PutMetricAlarm (each "must", "cannot" and "valid values" of its members), "Using
Amazon CloudWatch alarms" of the user guide. Texts of the refusals: as public clients' tests repeat
them where there are any, else from memory. Anomaly detection, PromQL and Metrics Insights are refused
by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sluice_sandbox.aws.cloudwatch import math_syntax, queries, statistics
from sluice_sandbox.aws.cloudwatch.math_evaluation import Points
from sluice_sandbox.aws.cloudwatch.refusals import (
    invalid_combination,
    invalid_value,
    missing_parameter,
    not_modelled,
    validation_error,
)
from sluice_sandbox.aws.service import Params

MISSING = ("breaching", "notBreaching", "ignore", "missing")
ANOMALY_OPERATORS = (
    "LessThanLowerOrGreaterThanUpperThreshold",
    "LessThanLowerThreshold",
    "GreaterThanUpperThreshold",
)
SINGLE_METRIC = ("MetricName", "Namespace", "Dimensions", "Period", "Unit", "Statistic", "ExtendedStatistic")
DAY, WEEK = 86_400, 604_800
MAX_METRICS = 10
ACTIONS = ("OKActions", "AlarmActions", "InsufficientDataActions")
NOT_MODELLED = {
    "EvaluationCriteria": "PromQL alarms (EvaluationCriteria)",
    "EvaluationInterval": "PromQL alarms (EvaluationInterval)",
    "ThresholdMetricId": "anomaly detection alarms (ThresholdMetricId)",
    "ActionConfiguration": "tags in alarm notifications (ActionConfiguration)",
}
_ACTION_PREFIXES = ("arn:aws:", "arn:aws-cn:", "arn:aws-us-gov:")


def check(params: Params) -> None:
    """Refuse what PutMetricAlarm would refuse."""
    check_name(params["AlarmName"])
    for member, what in NOT_MODELLED.items():
        if member in params:
            raise not_modelled(what)
    if params.get("ComparisonOperator") in ANOMALY_OPERATORS:
        raise not_modelled("anomaly detection alarms", "Use a static threshold.")
    for member in ("EvaluationPeriods", "ComparisonOperator", "Threshold"):
        if member not in params:
            raise validation_error(f"The parameter {member} is required.")
    check_actions(params)
    if "Metrics" in params:
        _check_metrics(params)
        period = max(
            (item["MetricStat"]["Period"] for item in params["Metrics"] if "MetricStat" in item), default=60
        )
    else:
        _check_single(params)
        period = params["Period"]
    _check_periods(params, period)
    _check_choices(params)
    if "WallClockWindow" in params.get("EvaluationWindow", {}):
        raise not_modelled("wall clock windows of alarms", "Leave EvaluationWindow out for a sliding one.")


def check_name(name: str) -> None:
    """Refuse control characters in an alarm's name."""
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in name) or not name.strip():
        raise validation_error(f"The value {name!r} for parameter AlarmName is invalid.")


def check_actions(params: Mapping[str, Any]) -> None:
    """Refuse actions that are no ARNs; that they exist is never checked (user guide, alarm actions)."""
    for member in ACTIONS:
        for action in params.get(member, ()):
            if not action.startswith(_ACTION_PREFIXES) or action.count(":") < 5:
                raise validation_error(f"Invalid arn syntax: {action}")


def _check_single(params: Params) -> None:
    if "MetricName" not in params:
        raise validation_error(
            "Either MetricName, a Metrics array or EvaluationCriteria must be specified for the alarm."
        )
    for member in ("Namespace", "Period"):
        if member not in params:
            raise validation_error(f"The parameter {member} is required.")
    if "Statistic" in params and "ExtendedStatistic" in params:
        raise invalid_combination(
            "The parameters Statistic and ExtendedStatistic are mutually exclusive and you have specified "
            "both."
        )
    if "Statistic" not in params and "ExtendedStatistic" not in params:
        raise missing_parameter("Either Statistic or ExtendedStatistic must be specified.")
    extended = params.get("ExtendedStatistic")
    if extended is not None and not statistics.is_extended(extended):
        raise invalid_value(f"The value {extended} for parameter ExtendedStatistic is not supported.")
    _check_period(params["Period"])
    names = [item["Name"] for item in params.get("Dimensions", ())]
    if len(set(names)) < len(names):
        raise invalid_value("No Dimension name may be specified more than once.")


def _check_metrics(params: Params) -> None:
    given = [member for member in SINGLE_METRIC if member in params]
    if given:
        # Text: cloudtools/troposphere#1276.
        raise validation_error(f"{given[0]} should not be set if list of Metrics is set.")
    metrics: Sequence[Mapping[str, Any]] = params["Metrics"]
    if not metrics:
        raise validation_error("The parameter Metrics must not be empty.")
    _refuse_foreign(metrics)
    queries.check(metrics, where="Metrics")
    if sum("MetricStat" in item for item in metrics) > MAX_METRICS:
        raise validation_error(f"An alarm on a math expression can include at most {MAX_METRICS} metrics.")
    returned = [item for item in metrics if item.get("ReturnData", True)]
    if len(returned) != 1:
        raise validation_error("Exactly one element of the metrics list should return data.")
    periods = {item["MetricStat"]["Period"] for item in metrics if "MetricStat" in item}
    if len(periods) > 1:
        raise validation_error("Metrics list must have the same period for all metrics.")
    for period in periods:
        _check_period(period)
    _check_functions(metrics)
    _check_result(metrics, watched=returned[0]["Id"])


def _refuse_foreign(metrics: Sequence[Mapping[str, Any]]) -> None:
    """Refuse what the stand-in cannot evaluate."""
    for item in metrics:
        if "AccountId" in item:
            raise not_modelled("cross-account alarms")
        if item.get("Expression", "").lstrip().upper().startswith("SELECT"):
            raise not_modelled("alarms on Metrics Insights queries")


def _check_period(period: int) -> None:
    if period not in (10, 20, 30) and period % 60:
        raise validation_error("Period must be 10, 20, 30 or a multiple of 60")


def _check_functions(metrics: Sequence[Mapping[str, Any]]) -> None:
    for item in metrics:
        if "Expression" in item:
            used = math_syntax.functions(math_syntax.parse(item["Id"], item["Expression"]))
            if "SEARCH" in used:
                raise validation_error("SEARCH is not supported in alarms: it returns several time series.")
            if "ANOMALY_DETECTION_BAND" in used:
                raise not_modelled("anomaly detection alarms")


def _check_result(metrics: Sequence[Mapping[str, Any]], *, watched: str) -> None:
    """Refuse an expression that gives no single time series, by computing it over nothing."""
    nothing = queries.Computation(metrics={}, queries=metrics, start=0.0, end=60.0)
    for item in metrics:
        nothing.value(item["Id"])
    if not isinstance(nothing.value(watched), Points):
        raise validation_error(
            f"Error in expression '{watched}': An alarm can watch only a single time series."
        )


def _check_periods(params: Params, period: int) -> None:
    periods = params["EvaluationPeriods"]
    limit = WEEK if period >= 3_600 else DAY
    if periods * period > limit:
        days = "seven days" if limit == WEEK else "a day"
        raise validation_error(
            f"Metrics cannot be checked across more than {days} "
            f"(EvaluationPeriods * Period must be <= {limit})."
        )
    if params.get("DatapointsToAlarm", periods) > periods:
        raise validation_error("DatapointsToAlarm must be less than or equal to EvaluationPeriods")


def _check_choices(params: Params) -> None:
    missing = params.get("TreatMissingData", "missing")
    if missing not in MISSING:
        raise validation_error(
            f"Option {missing} is not supported. Supported options for parameter TreatMissingData are "
            "breaching, notBreaching, ignore and missing."
        )
    low = params.get("EvaluateLowSampleCountPercentile")
    if low is None:
        return
    if low not in ("evaluate", "ignore"):
        raise validation_error(
            f"Option {low} is not supported. Supported options for parameter "
            "EvaluateLowSampleCountPercentile are evaluate and ignore."
        )
    if statistics.percentile(params.get("ExtendedStatistic", "")) is None:
        raise invalid_combination("EvaluateLowSampleCountPercentile is only for alarms based on percentiles.")
