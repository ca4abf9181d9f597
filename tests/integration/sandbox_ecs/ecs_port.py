"""A whole AWS side behind a port, in a loop of its own thread, with boto3 as the only client.

One side per session: tests keep apart by their own clusters and families.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from sluice_sandbox.aws.side import AwsSide, Settings

REGION = "eu-central-1"
_NUMBERS = itertools.count(1)


class Side:
    """What tests ask of the AWS side: clients, a network, and waiting."""

    def __init__(self, *, speed: float = 1.0) -> None:
        """Start it; `speed` world seconds pass in one."""
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.side = AwsSide(Settings(with_estate=False, speed=speed))
        self.url = asyncio.run_coroutine_threadsafe(self.side.start(), self.loop).result(timeout=60)
        self.clients: dict[str, Any] = {}
        ec2 = self.client("ec2")
        self.vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
        self.subnets = [
            ec2.create_subnet(
                VpcId=self.vpc, CidrBlock=f"10.77.{n}.0/24", AvailabilityZone=f"{REGION}{zone}"
            )["Subnet"]["SubnetId"]
            for n, zone in enumerate("ab")
        ]
        self.network = {"awsvpcConfiguration": {"subnets": self.subnets}}

    def client(self, service: str) -> Any:
        """Return a boto3 client of a service."""
        if service not in self.clients:
            self.clients[service] = boto3.client(
                service,
                endpoint_url=self.url,
                region_name=REGION,
                aws_access_key_id="AKIATEST",
                aws_secret_access_key="secret",
                config=Config(retries={"max_attempts": 1}),
            )
        return self.clients[service]

    def target_group(self, **members: Any) -> str:
        """Return the ARN of a new ip target group, attached to nothing."""
        params = {"Protocol": "HTTP", "Port": 80, "VpcId": self.vpc, "TargetType": "ip"} | members
        made = self.client("elbv2").create_target_group(Name=fresh("tg"), **params)
        return str(made["TargetGroups"][0]["TargetGroupArn"])

    def attached_group(self) -> str:
        """Return the ARN of a new target group behind a listener of a new load balancer."""
        elb = self.client("elbv2")
        balancer = elb.create_load_balancer(Name=fresh("lb"), Subnets=self.subnets)["LoadBalancers"][0]
        group = self.target_group()
        elb.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"],
            Protocol="HTTP",
            Port=8000 + next(_NUMBERS),
            DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
        )
        return group

    def close(self) -> None:
        """Stop it."""
        asyncio.run_coroutine_threadsafe(self.side.stop(), self.loop).result(timeout=30)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(timeout=30)
        self.loop.close()


def fresh(prefix: str) -> str:
    """Return a name that no other test has."""
    return f"{prefix}-{next(_NUMBERS)}"


def until(fact: Callable[[], Any], *, within: float = 30.0) -> Any:
    """Poll until `fact` is true and return it; fail after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        found = fact()
        if found:
            return found
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.05)


def code_of(call: Callable[..., Any], **params: Any) -> str:
    """Call, expect a refusal, and return its code; its status is 4xx and it has a text."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    answer = caught.value.response
    assert 400 <= answer["ResponseMetadata"]["HTTPStatusCode"] < 500
    assert answer["Error"]["Message"]
    return str(answer["Error"]["Code"])


def definition(of: str, /, **changes: Any) -> dict[str, Any]:
    """Return RegisterTaskDefinition's parameters; `changes` replace members (None removes one)."""
    base = {
        "family": of,
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [
            {
                "name": "app",
                "image": "nginx:1.27",
                "essential": True,
                "portMappings": [{"containerPort": 80, "name": "http"}],
            }
        ],
    }
    return {key: value for key, value in (base | changes).items() if value is not None}
