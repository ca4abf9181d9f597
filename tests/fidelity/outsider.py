"""A stranger at the stand-in's door: clients as AWS's users make them, network and roles by the API.

Nothing here knows how the stand-in works. The checks beside this file are an independent list: an examiner's
view of AWS, drawn from botocore's reference and well-known behaviour, never from the stand-in's own code.
"""

from __future__ import annotations

import itertools
import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, TypeVar

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

T = TypeVar("T")

REGION = "eu-west-1"
ACCOUNT = "111122223333"
PATIENCE = 60.0  # seconds; the longest that a check waits for the world to move

_numbers = itertools.count(1)
ports = itertools.count(8300)
"""Ports of listeners. Here, for a test module may be imported twice: as itself, and by another's name."""
priorities = itertools.count(20000)
"""Priorities of rules on the shared listener, likewise."""
_run = uuid.uuid4().hex[:6]


def fresh(prefix: str) -> str:
    """Make a name that no other check has."""
    return f"{prefix}-{_run}-{next(_numbers)}"


@contextmanager
def refused(*codes: str, says: str = "", status: int = 400) -> Iterator[None]:
    """Expect a ClientError with one of `codes`, its HTTP status, and `says` in its message (in any case)."""
    with pytest.raises(ClientError) as caught:
        yield
    response: Any = caught.value.response
    error = response["Error"]
    assert error["Code"] in codes, f"{error['Code']}: {error['Message']}"
    assert error["Message"], "an error without a message"
    assert says.lower() in error["Message"].lower(), error["Message"]
    assert response["ResponseMetadata"]["HTTPStatusCode"] == status, error
    assert response["ResponseMetadata"].get("RequestId"), "an error without a request id"


def until(question: Callable[[], T], holds: Callable[[T], object] = bool, *, within: float = PATIENCE) -> T:
    """Ask until the answer `holds`; fail with the last answer after `within` seconds."""
    end = time.monotonic() + within
    while True:
        answer = question()
        if holds(answer):
            return answer
        assert time.monotonic() < end, f"still not so after {within} s: {answer!r}"
        time.sleep(0.25)


class Outsider:
    """An account's user: one client for each service, and what AWS wants to exist before ECS can work.

    Everything is made at its first use, so a check pays only for what it asks.
    """

    def __init__(self, endpoint: str, *, key: str = "testing") -> None:
        """Take the endpoint, and dummy keys."""
        self.endpoint = endpoint
        self._session = boto3.session.Session(
            aws_access_key_id=key, aws_secret_access_key=key, region_name=REGION
        )
        self._clients: dict[str, Any] = {}

    def __call__(self, service: str) -> Any:
        """Answer the client of a service; one attempt each, so that a refusal is seen at once."""
        if service not in self._clients:
            config = Config(retries={"total_max_attempts": 1}, inject_host_prefix=False, read_timeout=70)
            self._clients[service] = self._session.client(service, endpoint_url=self.endpoint, config=config)
        return self._clients[service]

    @property
    def ecs(self) -> Any:
        """Answer the client of ECS."""
        return self("ecs")

    @property
    def elb(self) -> Any:
        """Answer the client of Elastic Load Balancing."""
        return self("elbv2")

    @cached_property
    def vpc(self) -> str:
        """Make a VPC."""
        made: str = self("ec2").create_vpc(CidrBlock="10.61.0.0/16")["Vpc"]["VpcId"]
        return made

    @cached_property
    def subnets(self) -> list[str]:
        """Make a subnet in each of three zones."""
        return [
            self("ec2").create_subnet(
                VpcId=self.vpc, CidrBlock=f"10.61.{number}.0/24", AvailabilityZone=f"{REGION}{zone}"
            )["Subnet"]["SubnetId"]
            for number, zone in enumerate("abc", 1)
        ]

    @cached_property
    def security_group(self) -> str:
        """Make a security group."""
        made: str = self("ec2").create_security_group(
            GroupName=fresh("tasks"), Description="tasks", VpcId=self.vpc
        )["GroupId"]
        return made

    @cached_property
    def role(self) -> str:
        """Make a role that ECS's tasks and infrastructure may take."""
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": ["ecs-tasks.amazonaws.com", "ecs.amazonaws.com"]},
                    "Action": "sts:AssumeRole",
                }
            ],
        }
        made: str = self("iam").create_role(
            RoleName=fresh("execution"), AssumeRolePolicyDocument=json.dumps(trust)
        )["Role"]["Arn"]
        return made

    @cached_property
    def network(self) -> dict[str, Any]:
        """Answer a network configuration in the three subnets."""
        return {
            "awsvpcConfiguration": {
                "subnets": self.subnets,
                "securityGroups": [self.security_group],
                "assignPublicIp": "DISABLED",
            }
        }

    @cached_property
    def balancer(self) -> dict[str, Any]:
        """Make an application load balancer in the three subnets."""
        made: dict[str, Any] = self.elb.create_load_balancer(
            Name=fresh("lb"), Subnets=self.subnets, SecurityGroups=[self.security_group], Scheme="internal"
        )["LoadBalancers"][0]
        return made

    def clear(self) -> None:
        """Delete the rules of the shared balancer, if it was ever made."""
        if "balancer" not in self.__dict__:
            return
        listeners = self.elb.describe_listeners(LoadBalancerArn=self.balancer["LoadBalancerArn"])["Listeners"]
        for listener in listeners:
            for rule in self.elb.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]:
                if not rule["IsDefault"]:
                    self.elb.delete_rule(RuleArn=rule["RuleArn"])

    @cached_property
    def listener(self) -> str:
        """Make its listener on a port of its own, which answers 404 by default."""
        made: str = self.elb.create_listener(
            LoadBalancerArn=self.balancer["LoadBalancerArn"],
            Protocol="HTTP",
            Port=8100,
            DefaultActions=[
                {
                    "Type": "fixed-response",
                    "FixedResponseConfig": {"StatusCode": "404", "ContentType": "text/plain"},
                }
            ],
        )["Listeners"][0]["ListenerArn"]
        return made

    @cached_property
    def cluster(self) -> str:
        """Make the cluster of those checks that don't need one of their own."""
        made: str = self.ecs.create_cluster(
            clusterName=fresh("shared"), capacityProviders=["FARGATE", "FARGATE_SPOT"]
        )["cluster"]["clusterName"]
        return made

    @cached_property
    def plain(self) -> str:
        """Register a Fargate definition with one container `web` on port 80; answer its ARN."""
        return self.register()

    def register(self, *, container: dict[str, Any] | None = None, **members: Any) -> str:
        """Register a Fargate definition: one container `web` on port 80, and changes; answer its ARN."""
        web = {
            "name": "web",
            "image": "example.com/web:1.0",
            "essential": True,
            "portMappings": [{"containerPort": 80, "protocol": "tcp", "name": "http"}],
        } | (container or {})
        wish: dict[str, Any] = {
            "family": fresh("app"),
            "networkMode": "awsvpc",
            "requiresCompatibilities": ["FARGATE"],
            "cpu": "256",
            "memory": "512",
            "containerDefinitions": [web],
        } | members
        wish = {name: value for name, value in wish.items() if value is not None}
        arn: str = self.ecs.register_task_definition(**wish)["taskDefinition"]["taskDefinitionArn"]
        return arn

    def service(self, **members: Any) -> dict[str, Any]:
        """Create a Fargate service with no task and these changes; answer it as the call did."""
        wish: dict[str, Any] = {
            "cluster": self.cluster,
            "serviceName": fresh("svc"),
            "taskDefinition": self.plain,
            "desiredCount": 0,
            "launchType": "FARGATE",
            "networkConfiguration": self.network,
        } | members
        wish = {name: value for name, value in wish.items() if value is not None}
        made: dict[str, Any] = self.ecs.create_service(**wish)["service"]
        return made

    def described(self, service: str, *, cluster: str | None = None, tags: bool = False) -> dict[str, Any]:
        """Describe one service."""
        include = ["TAGS"] if tags else []
        found: dict[str, Any] = self.ecs.describe_services(
            cluster=cluster or self.cluster, services=[service], include=include
        )["services"][0]
        return found

    def steady(self, service: str, *, running: int, cluster: str | None = None) -> dict[str, Any]:
        """Wait until a service has one deployment, COMPLETED, with so many tasks; answer it."""
        return until(
            lambda: self.described(service, cluster=cluster),
            lambda found: (
                found["runningCount"] == running
                and len(found["deployments"]) == 1
                and found["deployments"][0].get("rolloutState") == "COMPLETED"
            ),
        )

    def run(self, **members: Any) -> dict[str, Any]:
        """Run a Fargate task of the plain definition, and changes (None: without); answer what AWS does."""
        wish = {
            "cluster": self.cluster,
            "taskDefinition": self.plain,
            "launchType": "FARGATE",
            "networkConfiguration": self.network,
        } | members
        wish = {name: value for name, value in wish.items() if value is not None}
        answer: dict[str, Any] = self.ecs.run_task(**wish)
        return answer

    def group(self, **members: Any) -> str:
        """Create a target group of addresses with a quick health check; answer its ARN."""
        wish: dict[str, Any] = {
            "Name": fresh("tg"),
            "Protocol": "HTTP",
            "Port": 80,
            "VpcId": self.vpc,
            "TargetType": "ip",
            "HealthCheckIntervalSeconds": 5,
            "HealthCheckTimeoutSeconds": 2,
            "HealthyThresholdCount": 2,
            "UnhealthyThresholdCount": 2,
        } | members
        wish = {name: value for name, value in wish.items() if value is not None}
        made: str = self.elb.create_target_group(**wish)["TargetGroups"][0]["TargetGroupArn"]
        return made

    def rule(self, groups: dict[str, int] | str, *, priority: int, path: str | None = None) -> str:
        """Create a rule on the shared listener that forwards to groups by weight; answer its ARN."""
        made: str = self.elb.create_rule(
            ListenerArn=self.listener,
            Priority=priority,
            Conditions=[{"Field": "path-pattern", "Values": [path or f"/{fresh('p')}/*"]}],
            Actions=[forward(groups)],
        )["Rules"][0]["RuleArn"]
        return made

    def attached(self, **members: Any) -> str:
        """Create a target group that a rule of the shared listener forwards to; answer its ARN."""
        arn = self.group(**members)
        self.rule(arn, priority=next(_numbers) + 1000)
        return arn


def forward(groups: dict[str, int] | str) -> dict[str, Any]:
    """Answer a forward action to one group, or to several by weight."""
    if isinstance(groups, str):
        return {"Type": "forward", "TargetGroupArn": groups}
    return {
        "Type": "forward",
        "ForwardConfig": {
            "TargetGroups": [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in groups.items()]
        },
    }
