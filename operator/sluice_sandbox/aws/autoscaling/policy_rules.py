"""What PutScalingPolicy refuses. Pure.

Sources: botocore's StepScalingPolicyConfiguration and TargetTrackingScalingPolicyConfiguration (each "must",
"can't" and "required"), "Step adjustments" of the user guide. Texts from memory.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from sluice_sandbox.aws.autoscaling.refusals import invalid, limit_exceeded, not_modelled
from sluice_sandbox.aws.service import Params

ECS_METRICS = (
    "ECSServiceAverageCPUUtilization",
    "ECSServiceAverageMemoryUtilization",
    "ALBRequestCountPerTarget",
)
LABELLED = "ALBRequestCountPerTarget"
LABEL = re.compile(r"(app/[^/]+/[0-9a-f]+)/(targetgroup/[^/]+/[0-9a-f]+)")
MAX_STEPS = 20
MAX_MAGNITUDE = 2.0**360
CONFIGURATIONS = {
    "StepScaling": "StepScalingPolicyConfiguration",
    "TargetTrackingScaling": "TargetTrackingScalingPolicyConfiguration",
    "PredictiveScaling": "PredictiveScalingPolicyConfiguration",
}


def check(params: Params, *, kind: str) -> None:
    """Refuse a policy's request; `kind` is its PolicyType, of the request or of what is there."""
    if kind == "PredictiveScaling":
        raise not_modelled("predictive scaling policies")
    for other, member in CONFIGURATIONS.items():
        if other != kind and member in params:
            raise invalid(f"{member} is not allowed for a policy of type {kind}.")
    configuration = params.get(CONFIGURATIONS[kind])
    if configuration is None:
        raise invalid(f"{CONFIGURATIONS[kind]} is required for a policy of type {kind}.")
    if kind == "StepScaling":
        _check_step(configuration)
    else:
        _check_tracking(configuration)


# ---------------------------------------------------------------------- tracking


def _check_tracking(configuration: Mapping[str, Any]) -> None:
    target = configuration["TargetValue"]
    if math.isnan(target) or abs(target) > MAX_MAGNITUDE:
        raise invalid("TargetValue must be in the range of -2^360 to 2^360.")
    if target <= 0:
        raise invalid("TargetValue must be greater than 0.")
    for member in ("ScaleOutCooldown", "ScaleInCooldown"):
        if configuration.get(member, 0) < 0:
            raise invalid(f"{member} must not be negative.")
    predefined = configuration.get("PredefinedMetricSpecification")
    customized = configuration.get("CustomizedMetricSpecification")
    if (predefined is None) == (customized is None):
        raise invalid(
            "Exactly one of PredefinedMetricSpecification and CustomizedMetricSpecification must be "
            "specified."
        )
    if predefined is not None:
        _check_predefined(predefined)
    if customized is not None:
        _check_customized(customized)


def _check_predefined(given: Mapping[str, Any]) -> None:
    kind, label = given["PredefinedMetricType"], given.get("ResourceLabel")
    if kind not in ECS_METRICS:
        raise invalid(f"Predefined metric type {kind} is not supported for service namespace ecs.")
    if kind == LABELLED and label is None:
        raise invalid(f"ResourceLabel is required for the predefined metric type {kind}.")
    if kind != LABELLED and label is not None:
        raise invalid(f"ResourceLabel is not allowed for the predefined metric type {kind}.")
    if label is not None and LABEL.fullmatch(label) is None:
        raise invalid(
            f"The resource label {label} is invalid; it has the form "
            "app/<load-balancer-name>/<load-balancer-id>/targetgroup/<target-group-name>/<target-group-id>."
        )


def _check_customized(given: Mapping[str, Any]) -> None:
    single = [
        member for member in ("MetricName", "Namespace", "Statistic", "Dimensions", "Unit") if member in given
    ]
    if "Metrics" in given:
        if single:
            raise invalid(f"Metrics cannot be combined with {', '.join(single)}.")
        returned = [item for item in given["Metrics"] if item.get("ReturnData", True)]
        if len(returned) != 1:
            raise invalid("Exactly one element of the metrics list should return data.")
        return
    for member in ("MetricName", "Namespace", "Statistic"):
        if member not in given:
            raise invalid(f"CustomizedMetricSpecification requires {member}, or Metrics instead.")


# -------------------------------------------------------------------------- step


def _check_step(configuration: Mapping[str, Any]) -> None:
    kind = configuration.get("AdjustmentType")
    steps = configuration.get("StepAdjustments") or []
    if kind is None:
        raise invalid("AdjustmentType is required.")
    if not steps:
        raise invalid("At least one step adjustment is required.")
    if len(steps) > MAX_STEPS:
        raise limit_exceeded(f"A policy can have at most {MAX_STEPS} step adjustments.")
    if configuration.get("Cooldown", 0) < 0:
        raise invalid("Cooldown must not be negative.")
    if "MinAdjustmentMagnitude" in configuration and kind != "PercentChangeInCapacity":
        raise invalid("MinAdjustmentMagnitude is only allowed with PercentChangeInCapacity.")
    if configuration.get("MinAdjustmentMagnitude", 1) < 1:
        raise invalid("MinAdjustmentMagnitude must be greater than 0.")
    if kind == "ExactCapacity" and any(step["ScalingAdjustment"] < 0 for step in steps):
        raise invalid("ScalingAdjustment must not be negative for ExactCapacity.")
    _check_intervals(steps)


def bounds(step: Mapping[str, Any]) -> tuple[float, float]:
    """Return a step's interval; an absent bound is infinite."""
    return (
        step.get("MetricIntervalLowerBound", -math.inf),
        step.get("MetricIntervalUpperBound", math.inf),
    )


def _check_intervals(steps: Sequence[Mapping[str, Any]]) -> None:
    """Refuse empty, overlapping and gaping intervals (user guide, "Step adjustments")."""
    if any(
        "MetricIntervalLowerBound" not in step and "MetricIntervalUpperBound" not in step for step in steps
    ) and (len(steps) > 1):
        raise invalid("Only a single step adjustment may have neither a lower nor an upper bound.")
    intervals = sorted(bounds(step) for step in steps)
    if any(low >= high for low, high in intervals):
        raise invalid("MetricIntervalUpperBound must be greater than MetricIntervalLowerBound.")
    if (
        sum(low == -math.inf for low, _ in intervals) > 1
        or sum(high == math.inf for _, high in intervals) > 1
    ):
        raise invalid("At most one step adjustment may have no lower bound, and at most one no upper bound.")
    for (_, before), (after, _) in itertools.pairwise(intervals):
        if after < before:
            raise invalid("Step adjustment intervals must not overlap.")
        if after > before:
            raise invalid("There must not be a gap between step adjustment intervals.")
    lowest, highest = intervals[0][0], intervals[-1][1]
    if lowest < 0 and lowest != -math.inf:
        raise invalid("There must be a step adjustment without a lower bound when a lower bound is negative.")
    if highest > 0 and highest != math.inf:
        raise invalid(
            "There must be a step adjustment without an upper bound when an upper bound is positive."
        )


def step_for(configuration: Mapping[str, Any], difference: float) -> Mapping[str, Any] | None:
    """Return the step for a metric that is `difference` away from the alarm's threshold.

    Above the threshold the lower bound belongs to the interval, below it the upper one (botocore).
    """
    for step in configuration["StepAdjustments"]:
        low, high = bounds(step)
        if (low <= difference < high) if difference >= 0 else (low < difference <= high):
            found: Mapping[str, Any] = step
            return found
    return None
