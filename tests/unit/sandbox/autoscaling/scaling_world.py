"""Application Auto Scaling over a real CloudWatch and services that only count, on a virtual clock."""

from __future__ import annotations

import random
from typing import Any

from sluice_sandbox.aws.autoscaling.service import AutoScalingService
from sluice_sandbox.aws.clock import VirtualClock
from sluice_sandbox.aws.cloudwatch.service import CloudWatchService
from sluice_sandbox.aws.emitter import RememberingEmitter
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Caller
from sluice_sandbox.aws.world import World

START = 1_800_000_000.0
"""A Friday, 08:00 UTC (15 January 2027)."""
WEB = {
    "ServiceNamespace": "ecs",
    "ResourceId": "service/shop/web",
    "ScalableDimension": "ecs:service:DesiredCount",
}
CPU = {
    "TargetValue": 50.0,
    "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
}


class Services:
    """Services that have a desired count and may be deploying."""

    def __init__(self) -> None:
        """Know `shop/web` and `shop/api`."""
        self.counts = {"shop/web": 2, "shop/api": 1}
        self.busy = False

    def desired_count(self, caller: Caller, cluster: str, service: str) -> int | None:
        """Return the count."""
        return self.counts.get(f"{cluster}/{service}")

    def set_desired_count(self, caller: Caller, cluster: str, service: str, count: int) -> None:
        """Set the count."""
        self.counts[f"{cluster}/{service}"] = count

    def deploying(self, caller: Caller, cluster: str, service: str) -> bool:
        """Tell whether a deployment is in progress."""
        return self.busy


class Scaling:
    """The world under test."""

    def __init__(self) -> None:
        """Start on a full minute."""
        self.clock = VirtualClock(START)
        self.services = Services()
        self.cloudwatch = CloudWatchService(self.clock, emitter=RememberingEmitter(self.clock))
        self.service = AutoScalingService(
            self.clock, services=self.services, alarms=self.cloudwatch, rng=random.Random(7)
        )
        self.world = World.of(
            {"application-autoscaling": self.service, "cloudwatch": self.cloudwatch}, clock=self.clock
        )

    @property
    def count(self) -> int:
        """The desired count of `shop/web`."""
        return self.services.counts["shop/web"]

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        """Make a call."""
        return self.world.call("application-autoscaling", operation, params)

    def refusal(self, operation: str, **params: Any) -> AwsError:
        """Make a call that must be refused, and return how."""
        try:
            self.call(operation, **params)
        except AwsError as error:
            return error
        raise AssertionError(f"{operation} was accepted: {params}")

    def register(self, low: int = 1, high: int = 20, **more: Any) -> str:
        """Register `shop/web` and return the target's ARN."""
        answer = self.call("RegisterScalableTarget", MinCapacity=low, MaxCapacity=high, **WEB, **more)
        return str(answer["ScalableTargetARN"])

    def track(self, name: str = "cpu", **configuration: Any) -> dict[str, Any]:
        """Put a target tracking policy."""
        return self.call(
            "PutScalingPolicy",
            PolicyName=name,
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration={**CPU, **configuration},
            **WEB,
        )

    def cpu(self, percent: float, *, minutes: int = 1, metric: str = "CPUUtilization") -> None:
        """Let `shop/web` show a utilization for some minutes."""
        for _ in range(minutes):
            self.cloudwatch.publish(
                self.world.caller,
                namespace="AWS/ECS",
                metric=metric,
                dimensions={"ClusterName": "shop", "ServiceName": "web"},
                values=[percent],
            )
            self.clock.advance(60)

    def alarms(self) -> list[dict[str, Any]]:
        """Return CloudWatch's alarms."""
        found: list[dict[str, Any]] = self.world.call("cloudwatch", "DescribeAlarms", {})["MetricAlarms"]
        return found

    def activities(self, **more: Any) -> list[dict[str, Any]]:
        """Return the scaling activities."""
        answer = self.call("DescribeScalingActivities", ServiceNamespace="ecs", **more)
        found: list[dict[str, Any]] = answer["ScalingActivities"]
        return found

    def target(self) -> dict[str, Any]:
        """Return the registered target."""
        found: dict[str, Any] = self.call("DescribeScalableTargets", ServiceNamespace="ecs")[
            "ScalableTargets"
        ][0]
        return found
