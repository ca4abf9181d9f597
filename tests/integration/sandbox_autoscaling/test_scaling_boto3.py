"""A service of the stand-in's ECS scaled by policies and schedules: boto3 over the port, quick minutes."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError

from integration.sandbox_ecs.ecs_port import Side, until

WEB = {
    "ServiceNamespace": "ecs",
    "ResourceId": "service/shop/web",
    "ScalableDimension": "ecs:service:DesiredCount",
}
TARGET_ARN = "arn:aws:application-autoscaling:eu-central-1:111122223333:scalable-target/1234abcd"
CPU = {
    "TargetValue": 50,
    "ScaleInCooldown": 60,
    "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
}


@pytest.fixture(scope="module")
def ecs(fast: Side) -> Any:
    """Return ECS with the service shop/web, two tasks wanted."""
    ecs = fast.client("ecs")
    ecs.create_cluster(clusterName="shop")
    ecs.register_task_definition(
        family="web",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "web", "image": "shop/web:1"}],
    )
    ecs.create_service(
        cluster="shop",
        serviceName="web",
        taskDefinition="web",
        desiredCount=2,
        launchType="FARGATE",
        networkConfiguration=fast.network,
    )
    return ecs


@pytest.fixture(scope="module")
def scaling(fast: Side, ecs: Any) -> Any:
    """Return Application Auto Scaling with the service registered."""
    client = fast.client("application-autoscaling")
    client.register_scalable_target(MinCapacity=1, MaxCapacity=10, **WEB)
    return client


def desired(ecs: Any) -> int:
    """Return the service's desired count."""
    return int(ecs.describe_services(cluster="shop", services=["web"])["services"][0]["desiredCount"])


def load(side: Side, **fields: Any) -> None:
    """Put the service under a load by the control API."""
    request = urllib.request.Request(
        f"{side.url}/_sandbox/load",
        data=json.dumps({"service": "shop/web", **fields}).encode(),
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert json.load(answer)["loads"]["shop/web"]["cpu"] == fields["cpu"]


def test_target_tracking_follows_the_load(fast: Side, ecs: Any, scaling: Any) -> None:
    """Three hundred percent of load at a target of fifty is six tasks; ECS starts them; activities tell."""
    load(fast, cpu=300, shared=True)
    answer = scaling.put_scaling_policy(
        PolicyName="cpu",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=CPU,
        **WEB,
    )
    assert [item["AlarmName"].split("-")[2] for item in answer["Alarms"]] == ["AlarmHigh", "AlarmLow"]
    until(lambda: desired(ecs) == 6)
    until(lambda: ecs.describe_services(cluster="shop", services=["web"])["services"][0]["runningCount"] == 6)
    activity = scaling.describe_scaling_activities(**WEB)["ScalingActivities"][0]
    assert activity["Description"] == "Setting desired count to 6."
    scaling.delete_scaling_policy(PolicyName="cpu", **WEB)
    alarms = fast.client("cloudwatch").describe_alarms(AlarmNamePrefix="TargetTracking-")
    assert alarms["MetricAlarms"] == []


def test_a_scheduled_action_runs(ecs: Any, scaling: Any) -> None:
    """When its time has come the limits hold, and the capacity follows."""
    scaling.put_scheduled_action(
        ScheduledActionName="rush",
        Schedule="rate(1 minute)",
        ScalableTargetAction={"MinCapacity": 8},
        **WEB,
    )
    until(lambda: desired(ecs) == 8)
    scaling.delete_scheduled_action(ScheduledActionName="rush", **WEB)


def test_shapes_of_refusals(scaling: Any) -> None:
    """boto3 raises the client's own exceptions."""
    with pytest.raises(scaling.exceptions.ValidationException, match="Maximum capacity"):
        scaling.register_scalable_target(MinCapacity=5, MaxCapacity=2, **WEB)
    ghost = {**WEB, "ResourceId": "service/shop/ghost"}
    with pytest.raises(scaling.exceptions.ValidationException, match="ECS service doesn't exist"):
        scaling.register_scalable_target(MinCapacity=1, MaxCapacity=2, **ghost)
    with pytest.raises(scaling.exceptions.ObjectNotFoundException):
        scaling.put_scaling_policy(
            PolicyName="p",
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration=CPU,
            **ghost,
        )
    with pytest.raises(scaling.exceptions.InvalidNextTokenException):
        scaling.describe_scalable_targets(ServiceNamespace="ecs", NextToken="x")
    with pytest.raises(scaling.exceptions.ResourceNotFoundException) as unknown:
        scaling.list_tags_for_resource(ResourceARN=TARGET_ARN)
    assert unknown.value.response["ResourceName"] == TARGET_ARN
    with pytest.raises(ClientError) as unsupported:
        scaling.register_scalable_target(
            ServiceNamespace="dynamodb",
            ResourceId="table/t",
            ScalableDimension="dynamodb:table:ReadCapacityUnits",
            MinCapacity=1,
            MaxCapacity=2,
        )
    assert unsupported.value.response["Error"]["Code"] == "UnsupportedOperation"


def test_deregistering(scaling: Any) -> None:
    """Policies go with their target."""
    scaling.put_scaling_policy(
        PolicyName="cpu",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=CPU,
        **WEB,
    )
    scaling.deregister_scalable_target(**WEB)
    assert scaling.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"] == []
