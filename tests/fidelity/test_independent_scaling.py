"""Application Auto Scaling: targets, policies with their alarms, schedules, activities, tags."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from fidelity.outsider import ACCOUNT, REGION, Outsider, fresh, refused, until

TRACKING = {
    "TargetValue": 50.0,
    "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
    "ScaleInCooldown": 60,
    "ScaleOutCooldown": 30,
}
ECS = {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount"}


def resource(aws: Outsider) -> dict[str, str]:
    """Create a service; answer how Application Auto Scaling names it."""
    return ECS | {"ResourceId": f"service/{aws.cluster}/{aws.service()['serviceName']}"}


def target(aws: Outsider, **members: Any) -> dict[str, str]:
    """Register a service as a scalable target."""
    named = resource(aws)
    aws("application-autoscaling").register_scalable_target(
        **named | {"MinCapacity": 1, "MaxCapacity": 5} | members
    )
    return named


def test_target_is_described(aws: Outsider) -> None:
    """A target tells its bounds, its service-linked role, ARN, time and that nothing is suspended."""
    named = target(aws)
    (found,) = aws("application-autoscaling").describe_scalable_targets(
        ServiceNamespace="ecs", ResourceIds=[named["ResourceId"]]
    )["ScalableTargets"]
    assert (found["MinCapacity"], found["MaxCapacity"]) == (1, 5)
    assert found["RoleARN"].endswith("AWSServiceRoleForApplicationAutoScaling_ECSService")
    assert found["ScalableTargetARN"].startswith(
        f"arn:aws:application-autoscaling:{REGION}:{ACCOUNT}:scalable-target/"
    )
    assert isinstance(found["CreationTime"], datetime)
    assert found["SuspendedState"] == {
        "DynamicScalingInSuspended": False,
        "DynamicScalingOutSuspended": False,
        "ScheduledScalingSuspended": False,
    }


def test_register_again_changes(aws: Outsider) -> None:
    """Registering again changes what is named and keeps the rest."""
    named = target(aws)
    aws("application-autoscaling").register_scalable_target(
        **named, MaxCapacity=9, SuspendedState={"DynamicScalingInSuspended": True}
    )
    (found,) = aws("application-autoscaling").describe_scalable_targets(
        ServiceNamespace="ecs", ResourceIds=[named["ResourceId"]]
    )["ScalableTargets"]
    assert (found["MinCapacity"], found["MaxCapacity"]) == (1, 9)
    assert found["SuspendedState"]["DynamicScalingInSuspended"] is True


def test_target_of_an_unknown_service(aws: Outsider) -> None:
    """The ECS service must exist."""
    with refused("ValidationException", says="ECS service doesn't exist"):
        aws("application-autoscaling").register_scalable_target(
            **ECS, ResourceId=f"service/{aws.cluster}/{fresh('none')}", MinCapacity=1, MaxCapacity=2
        )


@pytest.mark.parametrize(
    "change",
    [{"MinCapacity": 5, "MaxCapacity": 1}, {"MinCapacity": -1}, {"MaxCapacity": None}],
    ids=["minimum above maximum", "negative", "no maximum"],
)
def test_target_refuses_bounds(aws: Outsider, change: dict[str, Any]) -> None:
    """Bounds are both told, not negative, and in order."""
    wish = resource(aws) | {"MinCapacity": 1, "MaxCapacity": 2} | change
    with refused("ValidationException"):
        aws("application-autoscaling").register_scalable_target(
            **{name: value for name, value in wish.items() if value is not None}
        )


def test_tracking_policy_has_two_alarms(aws: Outsider) -> None:
    """A target tracking policy creates a high and a low alarm in CloudWatch."""
    named = target(aws)
    made = aws("application-autoscaling").put_scaling_policy(
        **named,
        PolicyName="cpu",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=TRACKING,
    )
    assert made["PolicyARN"].startswith(f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:scalingPolicy:")
    names = {alarm["AlarmName"] for alarm in made["Alarms"]}
    assert {name.split("-")[0] for name in names} == {"TargetTracking"}
    assert {word for name in names for word in ("AlarmHigh", "AlarmLow") if word in name} == {
        "AlarmHigh",
        "AlarmLow",
    }
    alarms = aws("cloudwatch").describe_alarms(AlarmNames=sorted(names))["MetricAlarms"]
    assert {alarm["ComparisonOperator"] for alarm in alarms} == {"GreaterThanThreshold", "LessThanThreshold"}
    assert all(alarm["AlarmActions"] == [made["PolicyARN"]] for alarm in alarms)
    (found,) = aws("application-autoscaling").describe_scaling_policies(
        ServiceNamespace="ecs", ResourceId=named["ResourceId"]
    )["ScalingPolicies"]
    assert found["TargetTrackingScalingPolicyConfiguration"] == TRACKING
    aws("application-autoscaling").delete_scaling_policy(**named, PolicyName="cpu")
    assert aws("cloudwatch").describe_alarms(AlarmNames=sorted(names))["MetricAlarms"] == []


def test_policy_wants_a_target(aws: Outsider) -> None:
    """A policy without a registered target is ObjectNotFoundException."""
    with refused("ObjectNotFoundException", says="No scalable target"):
        aws("application-autoscaling").put_scaling_policy(
            **resource(aws),
            PolicyName="cpu",
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration=TRACKING,
        )


def test_deregister_takes_the_policies(aws: Outsider) -> None:
    """With a target go its policies, alarms and schedules; a second time it isn't there."""
    named = target(aws)
    made = aws("application-autoscaling").put_scaling_policy(
        **named,
        PolicyName="cpu",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=TRACKING,
    )
    aws("application-autoscaling").deregister_scalable_target(**named)
    policies = aws("application-autoscaling").describe_scaling_policies(
        ServiceNamespace="ecs", ResourceId=named["ResourceId"]
    )["ScalingPolicies"]
    assert policies == []
    names = [alarm["AlarmName"] for alarm in made["Alarms"]]
    assert aws("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"] == []
    with refused("ObjectNotFoundException"):
        aws("application-autoscaling").deregister_scalable_target(**named)


def test_scheduled_action_is_described(aws: Outsider) -> None:
    """A schedule is kept with its times and bounds."""
    named = target(aws)
    aws("application-autoscaling").put_scheduled_action(
        **named,
        ScheduledActionName="morning",
        Schedule="cron(0 6 * * ? *)",
        Timezone="Europe/Berlin",
        ScalableTargetAction={"MinCapacity": 2, "MaxCapacity": 4},
    )
    (found,) = aws("application-autoscaling").describe_scheduled_actions(
        ServiceNamespace="ecs", ResourceId=named["ResourceId"]
    )["ScheduledActions"]
    assert found["Schedule"] == "cron(0 6 * * ? *)"
    assert found["Timezone"] == "Europe/Berlin"
    assert found["ScalableTargetAction"] == {"MinCapacity": 2, "MaxCapacity": 4}


def test_step_policy_scales_and_tells_the_activity(aws: Outsider) -> None:
    """An alarm in ALARM runs its policy: the service's count changes, and an activity tells why."""
    service = aws.service(desiredCount=1)["serviceName"]
    named = ECS | {"ResourceId": f"service/{aws.cluster}/{service}"}
    scaling = aws("application-autoscaling")
    scaling.register_scalable_target(**named, MinCapacity=1, MaxCapacity=3)
    policy = scaling.put_scaling_policy(
        **named,
        PolicyName="up",
        PolicyType="StepScaling",
        StepScalingPolicyConfiguration={
            "AdjustmentType": "ChangeInCapacity",
            "Cooldown": 0,
            "MetricAggregationType": "Average",
            "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 2}],
        },
    )["PolicyARN"]
    alarm, space = fresh("busy"), fresh("Shop")
    aws("cloudwatch").put_metric_alarm(
        AlarmName=alarm,
        Namespace=space,
        MetricName="Load",
        Statistic="Average",
        Period=10,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[policy],
    )
    aws("cloudwatch").put_metric_data(
        Namespace=space,
        MetricData=[
            {"MetricName": "Load", "Value": 5.0, "StorageResolution": 1, "Timestamp": datetime.now(UTC)}
        ],
    )
    until(lambda: aws.described(service)["desiredCount"] == 3)
    activities = until(
        lambda: scaling.describe_scaling_activities(ServiceNamespace="ecs", ResourceId=named["ResourceId"])[
            "ScalingActivities"
        ]
    )
    assert activities[0]["StatusCode"] in {"Successful", "InProgress", "Pending"}
    assert activities[0]["Description"] == "Setting desired count to 3."
    assert alarm in activities[0]["Cause"]
    aws.ecs.delete_service(cluster=aws.cluster, service=service, force=True)


def test_target_has_tags(aws: Outsider) -> None:
    """Tags of a target are listed, added and removed."""
    named = resource(aws)
    scaling = aws("application-autoscaling")
    arn = scaling.register_scalable_target(**named, MinCapacity=1, MaxCapacity=2, Tags={"a": "1"})[
        "ScalableTargetARN"
    ]
    scaling.tag_resource(ResourceARN=arn, Tags={"b": "2"})
    scaling.untag_resource(ResourceARN=arn, TagKeys=["a"])
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"b": "2"}


def test_tags_of_an_unknown_target(aws: Outsider) -> None:
    """A target that isn't there is ResourceNotFoundException."""
    arn = f"arn:aws:application-autoscaling:{REGION}:{ACCOUNT}:scalable-target/0ec5{'0' * 28}"
    with refused("ResourceNotFoundException"):
        aws("application-autoscaling").list_tags_for_resource(ResourceARN=arn)
