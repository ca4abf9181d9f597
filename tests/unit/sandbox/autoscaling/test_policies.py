"""Scaling policies: what is refused, which alarms they own, and how they scale."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scaling_world import CPU, WEB, Scaling

from sluice_sandbox.aws.autoscaling.scaling import adjusted

LABEL = "app/front/0123456789abcdef/targetgroup/web/fedcba9876543210"


def step(scaling: Scaling, *steps: tuple[float | None, float | None, int], **more: Any) -> str:
    """Put a step scaling policy and return its ARN."""
    answer = scaling.call(
        "PutScalingPolicy",
        PolicyName="steps",
        PolicyType="StepScaling",
        StepScalingPolicyConfiguration={
            "AdjustmentType": "ChangeInCapacity",
            "StepAdjustments": adjustments(*steps),
            **more,
        },
        **WEB,
    )
    return str(answer["PolicyARN"])


def adjustments(*steps: tuple[float | None, float | None, int]) -> list[dict[str, Any]]:
    """Return StepAdjustments from (lower, upper, adjustment)."""
    found = []
    for low, high, change in steps:
        item: dict[str, Any] = {"ScalingAdjustment": change}
        if low is not None:
            item["MetricIntervalLowerBound"] = low
        if high is not None:
            item["MetricIntervalUpperBound"] = high
        found.append(item)
    return found


def alarm(scaling: Scaling, action: str, **changes: Any) -> None:
    """Put a user's own alarm above 60 % CPU that invokes a policy."""
    params = {
        "AlarmName": "mine",
        "Namespace": "AWS/ECS",
        "MetricName": "CPUUtilization",
        "Dimensions": [{"Name": "ClusterName", "Value": "shop"}, {"Name": "ServiceName", "Value": "web"}],
        "Statistic": "Average",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 60.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "AlarmActions": [action],
        **changes,
    }
    scaling.world.call("cloudwatch", "PutMetricAlarm", params)


@pytest.mark.parametrize(
    ("configuration", "code"),
    [
        pytest.param({**CPU, "CustomizedMetricSpecification": {}}, "ValidationException", id="two metrics"),
        pytest.param({"TargetValue": 50.0}, "ValidationException", id="no metric"),
        pytest.param({**CPU, "TargetValue": 0.0}, "ValidationException", id="target 0"),
        pytest.param({**CPU, "TargetValue": 2.0**361}, "ValidationException", id="target too large"),
        pytest.param({**CPU, "ScaleInCooldown": -1}, "ValidationException", id="negative cooldown"),
        pytest.param(
            {
                "TargetValue": 1.0,
                "PredefinedMetricSpecification": {"PredefinedMetricType": "ALBRequestCountPerTarget"},
            },
            "ValidationException",
            id="no resource label",
        ),
        pytest.param(
            {
                "TargetValue": 1.0,
                "PredefinedMetricSpecification": {
                    "PredefinedMetricType": "ALBRequestCountPerTarget",
                    "ResourceLabel": "web",
                },
            },
            "ValidationException",
            id="malformed resource label",
        ),
        pytest.param(
            {
                "TargetValue": 1.0,
                "PredefinedMetricSpecification": {
                    "PredefinedMetricType": "ECSServiceAverageCPUUtilization",
                    "ResourceLabel": LABEL,
                },
            },
            "ValidationException",
            id="resource label where none belongs",
        ),
        pytest.param(
            {
                "TargetValue": 1.0,
                "PredefinedMetricSpecification": {"PredefinedMetricType": "DynamoDBReadCapacityUtilization"},
            },
            "ValidationException",
            id="metric of another service",
        ),
        pytest.param(
            {"TargetValue": 1.0, "PredefinedMetricSpecification": {"PredefinedMetricType": "Happiness"}},
            "ValidationException",
            id="unknown metric",
        ),
        pytest.param(
            {"TargetValue": 1.0, "CustomizedMetricSpecification": {"MetricName": "m", "Namespace": "n"}},
            "ValidationException",
            id="customized without statistic",
        ),
        pytest.param(
            {
                "TargetValue": 1.0,
                "CustomizedMetricSpecification": {
                    "MetricName": "m",
                    "Metrics": [{"Id": "a", "Expression": "1"}],
                },
            },
            "ValidationException",
            id="metric and metrics",
        ),
    ],
)
def test_target_tracking_is_refused(scaling: Scaling, configuration: dict[str, Any], code: str) -> None:
    """Each rule of a target tracking configuration has its refusal."""
    scaling.register()
    error = scaling.refusal(
        "PutScalingPolicy",
        PolicyName="p",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=configuration,
        **WEB,
    )
    assert error.code == code
    assert scaling.call("DescribeScalingPolicies", ServiceNamespace="ecs")["ScalingPolicies"] == []


@pytest.mark.parametrize(
    ("configuration", "code"),
    [
        pytest.param({"StepAdjustments": adjustments((0, None, 1))}, "ValidationException", id="no type"),
        pytest.param({"AdjustmentType": "ChangeInCapacity"}, "ValidationException", id="no steps"),
        pytest.param(
            {
                "AdjustmentType": "ChangeInCapacity",
                "StepAdjustments": adjustments(*((n, n + 1, 1) for n in range(20)), (20, None, 1)),
            },
            "LimitExceededException",
            id="21 steps",
        ),
        pytest.param(
            {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": adjustments((0, 10, 1), (5, None, 2))},
            "ValidationException",
            id="overlap",
        ),
        pytest.param(
            {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": adjustments((0, 10, 1), (20, None, 2))},
            "ValidationException",
            id="gap",
        ),
        pytest.param(
            {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": adjustments((10, 0, 1))},
            "ValidationException",
            id="upper below lower",
        ),
        pytest.param(
            {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": adjustments((0, 10, 1))},
            "ValidationException",
            id="open above",
        ),
        pytest.param(
            {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": adjustments((-10, 0, 1))},
            "ValidationException",
            id="open below",
        ),
        pytest.param(
            {
                "AdjustmentType": "ChangeInCapacity",
                "StepAdjustments": adjustments((None, None, 1), (0, None, 1)),
            },
            "ValidationException",
            id="two without bounds",
        ),
        pytest.param(
            {"AdjustmentType": "ExactCapacity", "StepAdjustments": adjustments((0, None, -1))},
            "ValidationException",
            id="negative exact capacity",
        ),
        pytest.param(
            {
                "AdjustmentType": "ChangeInCapacity",
                "StepAdjustments": adjustments((0, None, 1)),
                "MinAdjustmentMagnitude": 2,
            },
            "ValidationException",
            id="magnitude without percent",
        ),
        pytest.param(
            {"AdjustmentType": "Double", "StepAdjustments": adjustments((0, None, 1))},
            "ValidationException",
            id="unknown type",
        ),
    ],
)
def test_step_scaling_is_refused(scaling: Scaling, configuration: dict[str, Any], code: str) -> None:
    """Each rule of a step scaling configuration has its refusal."""
    scaling.register()
    error = scaling.refusal(
        "PutScalingPolicy",
        PolicyName="p",
        PolicyType="StepScaling",
        StepScalingPolicyConfiguration=configuration,
        **WEB,
    )
    assert error.code == code


def test_a_policy_needs_a_target_a_type_and_its_configuration(scaling: Scaling) -> None:
    """No target: ObjectNotFoundException; the type is required and cannot be changed."""
    tracking = {"TargetTrackingScalingPolicyConfiguration": CPU}
    error = scaling.refusal(
        "PutScalingPolicy", PolicyName="p", PolicyType="TargetTrackingScaling", **tracking, **WEB
    )
    assert error.code == "ObjectNotFoundException"
    assert error.message.startswith("No scalable target registered for service namespace: ecs")
    scaling.register()
    assert (
        scaling.refusal("PutScalingPolicy", PolicyName="p", **tracking, **WEB).code == "ValidationException"
    )
    for kind, code in (("StepScaling", "ValidationException"), ("PredictiveScaling", "UnsupportedOperation")):
        error = scaling.refusal("PutScalingPolicy", PolicyName="p", PolicyType=kind, **tracking, **WEB)
        assert error.code == code
    scaling.track("p")
    steps = {
        "StepScalingPolicyConfiguration": {
            "AdjustmentType": "ChangeInCapacity",
            "StepAdjustments": adjustments((0, None, 1)),
        }
    }
    error = scaling.refusal("PutScalingPolicy", PolicyName="p", PolicyType="StepScaling", **steps, **WEB)
    assert "cannot be changed" in error.message


def test_a_tracking_policy_owns_two_alarms(scaling: Scaling) -> None:
    """AlarmHigh at the target for 3 minutes, AlarmLow at nine tenths of it for 15, both invoke the policy."""
    scaling.register()
    answer = scaling.track()
    names = [item["AlarmName"] for item in answer["Alarms"]]
    assert [[*name.split("-")[:2], name.split("-")[2]] for name in names] == [
        ["TargetTracking", "service/shop/web", "AlarmHigh"],
        ["TargetTracking", "service/shop/web", "AlarmLow"],
    ]
    high, low = (next(item for item in scaling.alarms() if item["AlarmName"] == name) for name in names)
    for item, operator, threshold, periods in (
        (high, "GreaterThanThreshold", 50.0, 3),
        (low, "LessThanThreshold", 45.0, 15),
    ):
        assert (item["Namespace"], item["MetricName"], item["Statistic"]) == (
            "AWS/ECS",
            "CPUUtilization",
            "Average",
        )
        assert (item["ComparisonOperator"], item["Threshold"]) == (operator, threshold)
        assert (item["Period"], item["EvaluationPeriods"]) == (60, periods)
        assert item["AlarmActions"] == [answer["PolicyARN"]]
        assert item["Dimensions"] == [
            {"Name": "ClusterName", "Value": "shop"},
            {"Name": "ServiceName", "Value": "web"},
        ]
    assert answer["PolicyARN"].startswith("arn:aws:autoscaling:eu-west-1:111122223333:scalingPolicy:")
    assert answer["PolicyARN"].endswith(":resource/ecs/service/shop/web:policyName/cpu")


def test_a_change_keeps_the_policy_and_its_alarms(scaling: Scaling) -> None:
    """ARN and alarms stay, their thresholds move; without scale-in AlarmLow goes; deleting takes both."""
    scaling.register()
    before, after = scaling.track(), scaling.track(TargetValue=80.0)
    assert after == before
    assert sorted(item["Threshold"] for item in scaling.alarms()) == [72.0, 80.0]
    scaling.track(DisableScaleIn=True)
    assert len(scaling.alarms()) == 1
    scaling.call("DeleteScalingPolicy", PolicyName="cpu", **WEB)
    assert scaling.alarms() == []
    error = scaling.refusal("DeleteScalingPolicy", PolicyName="cpu", **WEB)
    assert (error.code, error.message) == (
        "ObjectNotFoundException",
        (
            "No scaling policy found for service namespace: ecs, resource ID: service/shop/web, "
            "scalable dimension: ecs:service:DesiredCount, policy name: cpu"
        ),
    )


@pytest.mark.parametrize(
    ("configuration", "metric"),
    [
        pytest.param(
            {"PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageMemoryUtilization"}},
            ("AWS/ECS", "MemoryUtilization", "Average"),
            id="memory",
        ),
        pytest.param(
            {
                "PredefinedMetricSpecification": {
                    "PredefinedMetricType": "ALBRequestCountPerTarget",
                    "ResourceLabel": LABEL,
                }
            },
            ("AWS/ApplicationELB", "RequestCountPerTarget", "Sum"),
            id="requests",
        ),
        pytest.param(
            {
                "PredefinedMetricSpecification": None,
                "CustomizedMetricSpecification": {
                    "MetricName": "Backlog",
                    "Namespace": "Shop",
                    "Statistic": "Maximum",
                },
            },
            ("Shop", "Backlog", "Maximum"),
            id="customized",
        ),
    ],
)
def test_metrics_of_tracking_policies(
    scaling: Scaling, configuration: dict[str, Any], metric: tuple[str, str, str]
) -> None:
    """Each kind of metric becomes the alarms' metric."""
    scaling.register()
    given = {key: value for key, value in {**CPU, **configuration}.items() if value is not None}
    scaling.call(
        "PutScalingPolicy",
        PolicyName="p",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=given,
        **WEB,
    )
    for item in scaling.alarms():
        assert (item["Namespace"], item["MetricName"], item["Statistic"]) == metric


def test_customized_math(scaling: Scaling) -> None:
    """A Metrics list becomes alarms on its expression."""
    scaling.register()
    stat = {"Metric": {"Namespace": "Shop", "MetricName": "Backlog"}, "Stat": "Sum"}
    scaling.call(
        "PutScalingPolicy",
        PolicyName="p",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 10.0,
            "CustomizedMetricSpecification": {
                "Metrics": [
                    {"Id": "a", "MetricStat": stat, "ReturnData": False},
                    {"Id": "b", "Expression": "a / 2"},
                ]
            },
        },
        **WEB,
    )
    assert [item["Metrics"][1]["Expression"] for item in scaling.alarms()] == ["a / 2", "a / 2"]


def test_math_that_no_alarm_can_watch(scaling: Scaling) -> None:
    """What CloudWatch refuses is refused here, and neither policy nor alarms come about."""
    scaling.register()
    error = scaling.refusal(
        "PutScalingPolicy",
        PolicyName="p",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 10.0,
            "CustomizedMetricSpecification": {"Metrics": [{"Id": "b", "Expression": "ghost / 2"}]},
        },
        **WEB,
    )
    assert error.code == "ValidationException"
    assert scaling.alarms() == []
    assert scaling.call("DescribeScalingPolicies", ServiceNamespace="ecs")["ScalingPolicies"] == []


def test_one_policy_a_metric(scaling: Scaling) -> None:
    """A second target tracking policy on the same metric is refused."""
    scaling.register()
    scaling.track("one")
    error = scaling.refusal(
        "PutScalingPolicy",
        PolicyName="two",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=CPU,
        **WEB,
    )
    assert error.code == "ValidationException"


def test_tracking_scales_out_by_the_ratio(scaling: Scaling) -> None:
    """After three hot minutes the capacity follows metric over target, within the limits."""
    scaling.register(1, 20)
    scaling.track()
    scaling.cpu(100.0, minutes=2)
    assert scaling.count == 2
    scaling.cpu(100.0)
    assert scaling.count == 4
    activity = scaling.activities()[0]
    assert activity["Description"] == "Setting desired count to 4."
    assert activity["Cause"].endswith("in state ALARM triggered policy cpu")
    assert activity["StatusCode"] == "Successful"
    assert activity["StatusMessage"] == (
        "Successfully set desired count to 4. Change successfully fulfilled by ecs."
    )


def test_a_scale_out_counts_during_its_cooldown(scaling: Scaling) -> None:
    """What was added counts until the cooldown is over: only a hotter metric adds more."""
    scaling.register(1, 20)
    scaling.track(ScaleOutCooldown=300)
    scaling.cpu(100.0, minutes=5)
    assert scaling.count == 4
    scaling.cpu(150.0, minutes=1)
    assert scaling.count == 6
    scaling.clock.advance(240)
    scaling.cpu(100.0, minutes=3)
    assert scaling.count == 12


def test_tracking_scales_in_after_a_quiet_quarter_of_an_hour(scaling: Scaling) -> None:
    """Fifteen cool minutes scale in, never below the minimum, with a cooldown between."""
    scaling.services.counts["shop/web"] = 10
    scaling.register(2, 20)
    scaling.track(ScaleInCooldown=600)
    scaling.cpu(20.0, minutes=14)
    assert scaling.count == 10
    scaling.cpu(20.0, minutes=2)
    assert scaling.count == 4
    scaling.cpu(5.0, minutes=5)
    assert scaling.count == 4
    scaling.cpu(5.0, minutes=8)
    assert scaling.count == 2


def test_scale_in_waits_for_deployments(scaling: Scaling) -> None:
    """While a deployment is in progress nothing is scaled in; scaling out goes on."""
    scaling.services.busy = True
    scaling.register(1, 20)
    scaling.track()
    scaling.cpu(10.0, minutes=20)
    assert scaling.count == 2
    scaling.cpu(100.0, minutes=4)
    assert scaling.count == 4
    scaling.services.busy = False
    scaling.cpu(10.0, minutes=30)
    assert scaling.count == 1


@pytest.mark.parametrize(
    ("suspended", "percent", "minutes", "moves"),
    [
        ("DynamicScalingOutSuspended", 100.0, 5, False),
        ("DynamicScalingInSuspended", 10.0, 30, False),
        ("DynamicScalingInSuspended", 100.0, 5, True),
        ("ScheduledScalingSuspended", 100.0, 5, True),
    ],
)
def test_suspensions(scaling: Scaling, suspended: str, percent: float, minutes: int, moves: bool) -> None:  # noqa: FBT001
    """A suspended direction does nothing, the others go on."""
    scaling.register(1, 20, SuspendedState={suspended: True})
    scaling.track()
    scaling.cpu(percent, minutes=minutes)
    assert (scaling.count != 2) is moves


def test_all_tracking_policies_must_agree_to_scale_in(scaling: Scaling) -> None:
    """While memory is busy, idle CPUs alone do not scale in."""
    scaling.register(1, 20)
    scaling.track()
    scaling.track(
        "memory",
        PredefinedMetricSpecification={"PredefinedMetricType": "ECSServiceAverageMemoryUtilization"},
    )
    for _ in range(20):
        scaling.cloudwatch.publish(
            scaling.world.caller,
            namespace="AWS/ECS",
            metric="MemoryUtilization",
            dimensions={"ClusterName": "shop", "ServiceName": "web"},
            values=[48.0],
        )
        scaling.cpu(5.0)
    assert scaling.count == 2


def test_what_was_not_scaled_is_told_on_request(scaling: Scaling) -> None:
    """At the maximum nothing happens; IncludeNotScaledActivities tells why."""
    scaling.register(1, 2)
    scaling.track()
    scaling.cpu(100.0, minutes=4)
    assert scaling.activities() == []
    reasons = scaling.activities(IncludeNotScaledActivities=True)[0]["NotScaledReasons"]
    assert reasons == [{"Code": "AlreadyAtMaxCapacity", "MaxCapacity": 2, "CurrentCapacity": 2}]


@pytest.mark.parametrize(("percent", "count"), [(65.0, 3), (79.0, 3), (80.0, 5), (200.0, 5)])
def test_steps_above_the_threshold(scaling: Scaling, percent: float, count: int) -> None:
    """The size of the breach chooses the step; a lower bound belongs to its step."""
    scaling.register(1, 20)
    alarm(scaling, step(scaling, (0, 20, 1), (20, None, 3)))
    scaling.cpu(percent)
    assert scaling.count == count


def test_steps_below_the_threshold(scaling: Scaling) -> None:
    """Below the threshold an upper bound belongs to its step."""
    scaling.services.counts["shop/web"] = 10
    scaling.register(1, 20)
    alarm(
        scaling,
        step(scaling, (-20, 0, -1), (None, -20, -4), Cooldown=60),
        ComparisonOperator="LessThanThreshold",
    )
    scaling.cpu(41.0)
    assert scaling.count == 9
    scaling.cpu(40.0)
    assert scaling.count == 5


def test_a_step_policy_lists_the_alarms_that_invoke_it(scaling: Scaling) -> None:
    """Its alarms are the user's: listed by their action, and left alone when it is deleted."""
    scaling.register()
    alarm(scaling, step(scaling, (0, None, 1)))
    shown = scaling.call("DescribeScalingPolicies", ServiceNamespace="ecs")["ScalingPolicies"][0]
    assert [item["AlarmName"] for item in shown["Alarms"]] == ["mine"]
    assert shown["StepScalingPolicyConfiguration"]["AdjustmentType"] == "ChangeInCapacity"
    scaling.call("DeleteScalingPolicy", PolicyName="steps", **WEB)
    assert [item["AlarmName"] for item in scaling.alarms()] == ["mine"]
    scaling.cpu(100.0, minutes=2)
    assert scaling.count == 2


def test_policies_by_name_and_page(scaling: Scaling) -> None:
    """Filters by name; at most 10 a page; a foreign token and a larger page are refused."""
    scaling.register()
    configuration = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": adjustments((0, None, 1))}
    for number in range(12):
        scaling.call(
            "PutScalingPolicy",
            PolicyName=f"p{number:02}",
            PolicyType="StepScaling",
            StepScalingPolicyConfiguration=configuration,
            **WEB,
        )
    first = scaling.call("DescribeScalingPolicies", ServiceNamespace="ecs")
    rest = scaling.call("DescribeScalingPolicies", ServiceNamespace="ecs", NextToken=first["NextToken"])
    names = [item["PolicyName"] for item in first["ScalingPolicies"] + rest["ScalingPolicies"]]
    assert (len(first["ScalingPolicies"]), names) == (10, [f"p{number:02}" for number in range(12)])
    one = scaling.call("DescribeScalingPolicies", ServiceNamespace="ecs", PolicyNames=["p03"])
    assert [item["PolicyName"] for item in one["ScalingPolicies"]] == ["p03"]
    assert scaling.refusal("DescribeScalingPolicies", ServiceNamespace="ecs", MaxResults=11).code == (
        "ValidationException"
    )
    for number in range(12, 50):
        scaling.call(
            "PutScalingPolicy",
            PolicyName=f"p{number:02}",
            PolicyType="StepScaling",
            StepScalingPolicyConfiguration=configuration,
            **WEB,
        )
    error = scaling.refusal(
        "PutScalingPolicy",
        PolicyName="p50",
        PolicyType="StepScaling",
        StepScalingPolicyConfiguration=configuration,
        **WEB,
    )
    assert error.code == "LimitExceededException"


def test_forecasts_are_not_modelled(scaling: Scaling) -> None:
    """Without the policy it is not found, with any other it says that forecasts are not modelled."""
    ask = {**WEB, "PolicyName": "cpu", "StartTime": 0.0, "EndTime": 1.0}
    assert scaling.refusal("GetPredictiveScalingForecast", **ask).code == "ObjectNotFoundException"
    scaling.register()
    scaling.track()
    assert scaling.refusal("GetPredictiveScalingForecast", **ask).code == "UnsupportedOperation"


@pytest.mark.parametrize(
    ("present", "change", "kind", "least", "expected"),
    [
        (4, 2, "ChangeInCapacity", 0, 6),
        (1, -2, "ChangeInCapacity", 0, 0),
        (4, 9, "ExactCapacity", 0, 9),
        (10, 25, "PercentChangeInCapacity", 0, 12),
        (10, -25, "PercentChangeInCapacity", 0, 8),
        (4, 10, "PercentChangeInCapacity", 0, 5),
        (4, -10, "PercentChangeInCapacity", 0, 3),
        (4, 25, "PercentChangeInCapacity", 2, 6),
        (0, 50, "PercentChangeInCapacity", 2, 0),
    ],
)
def test_adjustments(present: int, change: int, kind: str, least: int, expected: int) -> None:
    """Adjustment types, rounding towards zero but never to nothing, and the least magnitude."""
    assert adjusted(present, change, kind=kind, least=least) == expected


@given(st.integers(0, 1000), st.integers(-300, 300), st.integers(0, 50))
def test_a_percentage_never_moves_against_its_sign(present: int, percent: int, least: int) -> None:
    """A positive percentage never removes, a negative one never adds or goes below zero."""
    found = adjusted(present, percent, kind="PercentChangeInCapacity", least=least)
    assert found >= 0
    assert (found - present) * percent >= 0
