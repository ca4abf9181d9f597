"""The whole world: what ECS services show in CloudWatch, and scaling that really starts and ends tasks."""

from __future__ import annotations

from typing import Any

import pytest
from scaling_world import CPU, WEB

from sluice_sandbox.aws.clock import VirtualClock
from sluice_sandbox.aws.control_load import LoadControl
from sluice_sandbox.aws.ecs.scalable import EcsScalables
from sluice_sandbox.aws.ecs.utilization import Load, Utilization
from sluice_sandbox.aws.estate import SUBNET_IDS
from sluice_sandbox.aws.world import World

START = 1_800_000_000.0


class Shop:
    """A world with the service shop/web of two running tasks."""

    def __init__(self) -> None:
        """Build it and wait until the service is steady."""
        self.clock = VirtualClock(START)
        self.world = World.build(clock=self.clock)
        self.ecs("CreateCluster", clusterName="shop")
        self.register("shop/web:1")
        self.ecs(
            "CreateService",
            cluster="shop",
            serviceName="web",
            taskDefinition="web",
            desiredCount=2,
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": {"subnets": [SUBNET_IDS[0]]}},
        )
        self.clock.advance(30)

    @property
    def utilization(self) -> Utilization:
        """The model of load."""
        assert self.world.outside.utilization is not None
        return self.world.outside.utilization

    def ecs(self, operation: str, **params: Any) -> dict[str, Any]:
        """Call ECS."""
        return self.world.call("ecs", operation, params)

    def scaling(self, operation: str, **params: Any) -> dict[str, Any]:
        """Call Application Auto Scaling."""
        return self.world.call("application-autoscaling", operation, params)

    def register(self, image: str) -> None:
        """Register a revision of the task definition."""
        self.ecs(
            "RegisterTaskDefinition",
            family="web",
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=[{"name": "web", "image": image}],
        )

    def service(self) -> dict[str, Any]:
        """Describe shop/web."""
        found: dict[str, Any] = self.ecs("DescribeServices", cluster="shop", services=["web"])["services"][0]
        return found

    def metric(self, name: str, stat: str = "Average", *, minutes: int = 5) -> list[float]:
        """Return a metric of shop/web by the minute, oldest first."""
        dimensions = [{"Name": "ClusterName", "Value": "shop"}, {"Name": "ServiceName", "Value": "web"}]
        metric = {"Namespace": "AWS/ECS", "MetricName": name, "Dimensions": dimensions}
        answer = self.world.call(
            "cloudwatch",
            "GetMetricData",
            {
                "MetricDataQueries": [
                    {"Id": "m", "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}}
                ],
                "StartTime": self.clock.now() - minutes * 60,
                "EndTime": self.clock.now() + 60,
                "ScanBy": "TimestampAscending",
            },
        )
        found: list[float] = answer["MetricDataResults"][0]["Values"]
        return found


@pytest.fixture
def shop() -> Shop:
    """Return a fresh world."""
    return Shop()


def test_a_service_shows_ten_percent(shop: Shop) -> None:
    """Without a load each task shows a tenth, one sample a task and minute, in Percent."""
    assert shop.metric("CPUUtilization") == [10.0]
    shop.clock.advance(120)
    assert shop.metric("MemoryUtilization") == [10.0, 10.0, 10.0]
    assert shop.metric("CPUUtilization", "SampleCount") == [2.0, 2.0, 2.0]


def test_nobody_looking_costs_nothing(shop: Shop) -> None:
    """No metric is made while nobody reads metrics and no alarm exists."""
    shop.clock.advance(3_600)
    assert shop.world.services["cloudwatch"].state.regions == {}


def test_a_shared_load_is_divided(shop: Shop) -> None:
    """Two tasks show half of a shared load each, all of one that is not shared; None is the default."""
    for load, shown in (
        (Load(cpu=120.0, shared=True), 60.0),
        (Load(cpu=120.0), 120.0),
        (None, 10.0),
    ):
        shop.utilization.set("shop/web", load)
        shop.clock.advance(60)
        assert shop.metric("CPUUtilization", minutes=0)[-1] == shown


def test_the_load_by_the_control_api(shop: Shop) -> None:
    """It is set by name or ARN, shown, refused when it is none, and forgotten by a reset of the world."""
    control = LoadControl(shop.utilization)
    assert control.change({"service": "shop/web", "cpu": 80})["loads"]["shop/web"]["cpu"] == 80.0
    control.change({"service": shop.service()["serviceArn"], "memory": 20, "shared": True})
    assert control.shown()["loads"]["shop/web"] == {"cpu": 10.0, "memory": 20.0, "shared": True}
    assert control.change({"service": "shop/web", "reset": True}) == {"loads": {}}
    for wrong in ({}, {"service": "web"}, {"service": "a/b", "disk": 1}, {"service": "a/b", "cpu": -1}):
        with pytest.raises(ValueError, match=r"service|load"):
            control.change(wrong)
    control.change({"service": "shop/web", "cpu": 80})
    shop.world.reset()
    assert control.shown() == {"loads": {}}


def test_target_tracking_out_and_in(shop: Shop) -> None:
    """Three hundred percent is six tasks at a target of fifty; sixty percent is two; tasks really run."""
    shop.scaling("RegisterScalableTarget", MinCapacity=1, MaxCapacity=10, **WEB)
    shop.scaling(
        "PutScalingPolicy",
        PolicyName="cpu",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=CPU,
        **WEB,
    )
    shop.utilization.set("shop/web", Load(cpu=300.0, shared=True))
    shop.clock.advance(900)
    assert (shop.service()["desiredCount"], shop.service()["runningCount"]) == (6, 6)
    shop.utilization.set("shop/web", Load(cpu=60.0, shared=True))
    shop.clock.advance(3_600)
    assert (shop.service()["desiredCount"], shop.service()["runningCount"]) == (2, 2)


def test_the_port(shop: Shop) -> None:
    """Only ACTIVE services have a count; a deployment is seen; setting what is gone does nothing."""
    port, caller = EcsScalables(shop.world.services["ecs"]), shop.world.caller
    assert port.desired_count(caller, "shop", "web") == 2
    assert port.desired_count(caller, "shop", "ghost") is None
    assert port.desired_count(caller, "ghost", "web") is None
    assert not port.deploying(caller, "shop", "web")
    shop.register("shop/web:2")
    shop.ecs("UpdateService", cluster="shop", service="web", taskDefinition="web")
    assert port.deploying(caller, "shop", "web")
    shop.clock.advance(60)
    assert not port.deploying(caller, "shop", "web")
    port.set_desired_count(caller, "shop", "web", 3)
    assert shop.service()["desiredCount"] == 3
    port.set_desired_count(caller, "shop", "ghost", 3)
    shop.ecs("DeleteService", cluster="shop", service="web", force=True)
    assert port.desired_count(caller, "shop", "web") is None
    assert not port.deploying(caller, "shop", "web")


def test_a_reset_forgets_what_came_after_the_baseline() -> None:
    """Alarms, metrics and targets made after the baseline are gone, those before are back and alive."""
    shop = Shop()
    shop.scaling("RegisterScalableTarget", MinCapacity=1, MaxCapacity=10, **WEB)
    alarm = {
        "AlarmName": "kept",
        "Namespace": "Shop",
        "MetricName": "m",
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanThreshold",
    }
    shop.world.call("cloudwatch", "PutMetricAlarm", alarm)
    shop.world.mark_baseline()
    shop.scaling("DeregisterScalableTarget", **WEB)
    shop.world.call("cloudwatch", "DeleteAlarms", {"AlarmNames": ["kept"]})
    shop.world.call("cloudwatch", "PutMetricAlarm", {**alarm, "AlarmName": "later"})
    shop.world.reset()
    shop.world.call(
        "cloudwatch",
        "PutMetricData",
        {"Namespace": "Shop", "MetricData": [{"MetricName": "m", "Value": 9.0}]},
    )
    shop.clock.advance(10)
    alarms = shop.world.call("cloudwatch", "DescribeAlarms", {})["MetricAlarms"]
    assert [(item["AlarmName"], item["StateValue"]) for item in alarms] == [("kept", "ALARM")]
    assert len(shop.scaling("DescribeScalableTargets", ServiceNamespace="ecs")["ScalableTargets"]) == 1
