"""A whole stand-in in virtual time for native deployments: real rules, real targets, real alarms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sluice_sandbox.aws.clock import VirtualClock
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.estate import SECURITY_GROUP_ID, SUBNET_IDS, VPC_ID
from sluice_sandbox.aws.ports import HttpRequest
from sluice_sandbox.aws.world import World

ROLE = "arn:aws:iam::111122223333:role/ecsInfrastructure"
FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:check"
BLUE_GREEN = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 1}
CANARY = {
    "strategy": "CANARY",
    "canaryConfiguration": {"canaryPercent": 20.0, "canaryBakeTimeInMinutes": 1},
}
LINEAR = {
    "strategy": "LINEAR",
    "linearConfiguration": {"stepPercent": 40.0, "stepBakeTimeInMinutes": 1},
}


class NativeWorld:
    """A load balancer with a production and a test listener, two groups, and room for one service."""

    def __init__(self) -> None:
        """Build it; groups and rules are there, no service yet."""
        self.clock = VirtualClock()
        self.world = World.build(clock=self.clock)
        elb = self.elbv2("CreateLoadBalancer", Name="web", Subnets=list(SUBNET_IDS))
        self.balancer = elb["LoadBalancers"][0]["LoadBalancerArn"]
        self.blue, self.green = self._group("blue"), self._group("green")
        self.production = self._rule(80, self.blue)
        self.test = self._rule(8080, self.green)
        self.ecs("CreateCluster", clusterName="main")
        self.register("app:1")

    def ecs(self, operation: str, **params: Any) -> Any:
        """Call ECS."""
        return self.world.call("ecs", operation, params)

    def elbv2(self, operation: str, **params: Any) -> Any:
        """Call Elastic Load Balancing."""
        return self.world.call("elbv2", operation, params)

    def cloudwatch(self, operation: str, **params: Any) -> Any:
        """Call CloudWatch."""
        return self.world.call("cloudwatch", operation, params)

    def refusal(self, operation: str, **params: Any) -> tuple[str, str]:
        """Call ECS and return code and text of the refusal."""
        with pytest.raises(AwsError) as caught:
            self.ecs(operation, **params)
        return caught.value.code, caught.value.message

    def _group(self, name: str) -> str:
        made = self.elbv2(
            "CreateTargetGroup",
            Name=name,
            Protocol="HTTP",
            Port=80,
            VpcId=VPC_ID,
            TargetType="ip",
            HealthCheckIntervalSeconds=5,
            HealthCheckTimeoutSeconds=2,
        )
        arn = str(made["TargetGroups"][0]["TargetGroupArn"])
        delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "0"}
        self.elbv2("ModifyTargetGroupAttributes", TargetGroupArn=arn, Attributes=[delay])
        return arn

    def _rule(self, port: int, group: str) -> str:
        fixed = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
        made = self.elbv2(
            "CreateListener",
            LoadBalancerArn=self.balancer,
            Protocol="HTTP",
            Port=port,
            DefaultActions=[fixed],
        )
        listener = made["Listeners"][0]["ListenerArn"]
        if port == 80:
            self.listener = listener
        rule = self.elbv2(
            "CreateRule",
            ListenerArn=listener,
            Priority=1,
            Conditions=[{"Field": "path-pattern", "Values": ["/*"]}],
            Actions=[{"Type": "forward", "TargetGroupArn": group}],
        )
        return str(rule["Rules"][0]["RuleArn"])

    def register(self, image: str) -> str:
        """Register the next revision of `web` with this image; return its ARN."""
        container = {"name": "app", "image": image, "portMappings": [{"containerPort": 8080}]}
        made = self.ecs(
            "RegisterTaskDefinition",
            family="web",
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=[container],
        )
        return str(made["taskDefinition"]["taskDefinitionArn"])

    def request(self, configuration: dict[str, Any], **advanced: Any) -> dict[str, Any]:
        """Return CreateService's parameters; `advanced` replaces members (None removes one)."""
        members = {
            "alternateTargetGroupArn": self.green,
            "productionListenerRule": self.production,
            "testListenerRule": self.test,
            "roleArn": ROLE,
        } | advanced
        balancer = {
            "targetGroupArn": self.blue,
            "containerName": "app",
            "containerPort": 8080,
            "advancedConfiguration": {key: value for key, value in members.items() if value is not None},
        }
        return {
            "cluster": "main",
            "serviceName": "web",
            "taskDefinition": "web",
            "desiredCount": 2,
            "launchType": "FARGATE",
            "networkConfiguration": {
                "awsvpcConfiguration": {"subnets": list(SUBNET_IDS), "securityGroups": [SECURITY_GROUP_ID]}
            },
            "loadBalancers": [balancer],
            "deploymentConfiguration": configuration,
        }

    def create(self, configuration: dict[str, Any], **advanced: Any) -> None:
        """Create the service and wait for its first deployment."""
        self.ecs("CreateService", **self.request(configuration, **advanced))
        self.until(lambda: self.deployment()["status"] == "SUCCESSFUL")

    def update(self, image: str = "app:2", **changes: Any) -> str:
        """Deploy an image; return the service deployment's ARN."""
        self.register(image)
        self.ecs("UpdateService", cluster="main", service="web", taskDefinition="web", **changes)
        return str(self.arns()[0])

    def arns(self) -> list[str]:
        """Return the service deployments, newest first."""
        listed = self.ecs("ListServiceDeployments", cluster="main", service="web")["serviceDeployments"]
        return [item["serviceDeploymentArn"] for item in listed]

    def deployment(self, arn: str = "") -> Any:
        """Describe a service deployment, the newest unless named."""
        arn = arn or self.arns()[0]
        return self.ecs("DescribeServiceDeployments", serviceDeploymentArns=[arn])["serviceDeployments"][0]

    def service(self) -> Any:
        """Describe the service."""
        return self.ecs("DescribeServices", cluster="main", services=["web"])["services"][0]

    def messages(self) -> list[str]:
        """Return the service's events, oldest first."""
        return [event["message"] for event in reversed(self.service()["events"])]

    def weights(self, rule: str = "") -> dict[str, int]:
        """Return a rule's weights by `blue` and `green`, the production rule's unless named."""
        shown = self.elbv2("DescribeRules", RuleArns=[rule or self.production])["Rules"][0]
        names = {self.blue: "blue", self.green: "green"}
        entries = shown["Actions"][0]["ForwardConfig"]["TargetGroups"]
        return {names[item["TargetGroupArn"]]: item["Weight"] for item in entries}

    def targets(self, group: str) -> int:
        """Return how many targets of a group are healthy."""
        shown = self.elbv2("DescribeTargetHealth", TargetGroupArn=group)["TargetHealthDescriptions"]
        return sum(item["TargetHealth"]["State"] == "healthy" for item in shown)

    def statuses(self, requests: int = 20) -> set[int]:
        """Send requests through the production listener; return the statuses."""
        elb: Any = self.world.services["elbv2"]
        found = set()
        for _ in range(requests):
            request = HttpRequest(host="web", path="/")
            found.add(elb.route(self.world.caller, self.listener, request).status)
        return found

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds)

    def until(self, fact: Callable[[], Any], *, within: float = 300.0, step: float = 0.1) -> None:
        """Let time pass until `fact` holds."""
        start = self.clock.now()
        while not fact():
            assert self.clock.now() - start < within, self.messages()
            self.clock.advance(step)

    def until_stage(self, stage: str) -> None:
        """Let time pass until the newest deployment is in a stage."""
        self.until(lambda: self.deployment().get("lifecycleStage") == stage)

    def until_ended(self, arn: str) -> Any:
        """Let time pass until a service deployment has ended; return it."""
        ended = {"SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"}
        self.until(lambda: self.deployment(arn)["status"] in ended)
        return self.deployment(arn)
