"""ECS, load balancer and data plane together: a rolling deployment under load, and one that fails.

These need neither the control plane nor moto, only loopback sockets and a few seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from sluice_sandbox.aws.clock import RealClock, VirtualClock
from sluice_sandbox.aws.estate import EXECUTION_ROLE, SECURITY_GROUP_ID, SUBNET_IDS, VPC_ID
from sluice_sandbox.aws.ports import HttpRequest
from sluice_sandbox.aws.world import World
from sluice_sandbox.dataplane import load
from sluice_sandbox.dataplane.sockets import SocketPlane

SPEED = 10.0
DEADLINE = 60.0


@dataclass
class Shop:
    """One service of two tasks behind one listener."""

    world: World
    group: str
    listener: str

    def register(self, tag: str, **environment: str) -> str:
        """Register a revision of the task definition and return its ARN."""
        answer = self.world.call(
            "ecs",
            "RegisterTaskDefinition",
            {
                "family": "shop",
                "networkMode": "awsvpc",
                "requiresCompatibilities": ["FARGATE"],
                "cpu": "256",
                "memory": "512",
                "executionRoleArn": EXECUTION_ROLE,
                "containerDefinitions": [
                    {
                        "name": "app",
                        "image": f"shop:{tag}",
                        "portMappings": [{"containerPort": 8080}],
                        "environment": [{"name": key, "value": value} for key, value in environment.items()],
                    }
                ],
            },
        )
        return str(answer["taskDefinition"]["taskDefinitionArn"])

    def deploy(self, definition: str) -> None:
        """Start a deployment of a revision."""
        self.world.call("ecs", "UpdateService", {"service": "shop", "taskDefinition": definition})

    @property
    def primary(self) -> dict[str, Any]:
        """The service's PRIMARY deployment."""
        service = self.world.call("ecs", "DescribeServices", {"services": ["shop"]})["services"][0]
        return next(item for item in service["deployments"] if item["status"] == "PRIMARY")


def open_shop(world: World) -> Shop:
    """Make the load balancer, the target group and the service."""
    balancer = world.call(
        "elbv2",
        "CreateLoadBalancer",
        {"Name": "shop", "Subnets": list(SUBNET_IDS), "SecurityGroups": [SECURITY_GROUP_ID]},
    )["LoadBalancers"][0]["LoadBalancerArn"]
    group = world.call(
        "elbv2",
        "CreateTargetGroup",
        {
            "Name": "shop",
            "Protocol": "HTTP",
            "Port": 8080,
            "VpcId": VPC_ID,
            "TargetType": "ip",
            "HealthCheckIntervalSeconds": 5,
            "HealthCheckTimeoutSeconds": 2,
        },
    )["TargetGroups"][0]["TargetGroupArn"]
    delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "5"}
    world.call("elbv2", "ModifyTargetGroupAttributes", {"TargetGroupArn": group, "Attributes": [delay]})
    listener = world.call(
        "elbv2",
        "CreateListener",
        {
            "LoadBalancerArn": balancer,
            "Port": 80,
            "Protocol": "HTTP",
            "DefaultActions": [{"Type": "forward", "TargetGroupArn": group}],
        },
    )["Listeners"][0]["ListenerArn"]
    shop = Shop(world, group, listener)
    world.call("ecs", "CreateCluster", {"clusterName": "default"})
    world.call(
        "ecs",
        "CreateService",
        {
            "serviceName": "shop",
            "taskDefinition": shop.register("v1"),
            "desiredCount": 2,
            "launchType": "FARGATE",
            "networkConfiguration": {
                "awsvpcConfiguration": {"subnets": list(SUBNET_IDS), "securityGroups": [SECURITY_GROUP_ID]}
            },
            "loadBalancers": [{"targetGroupArn": group, "containerName": "app", "containerPort": 8080}],
            "deploymentConfiguration": {
                "minimumHealthyPercent": 100,
                "maximumPercent": 200,
                "deploymentCircuitBreaker": {"enable": True, "rollback": True},
            },
        },
    )
    return shop


@pytest.fixture
async def served() -> AsyncIterator[tuple[Shop, SocketPlane]]:
    """Yield a shop with real sockets, ten times as fast as real time."""
    loop = asyncio.get_running_loop()
    world = World.build(clock=RealClock(loop, speed=SPEED))
    plane = SocketPlane(world, loop)
    await plane.start()
    yield open_shop(world), plane
    await plane.stop()


async def until(condition: Any) -> None:
    """Wait until a condition holds; TimeoutError after the deadline."""
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110 - a world has no event for any condition
            await asyncio.sleep(0.02)


async def test_a_rolling_deployment_under_load_fails_no_request(served: tuple[Shop, SocketPlane]) -> None:
    """Every request is answered with 200 by the old or the new revision, and by the new one at the end."""
    shop, plane = served
    url = await plane.ready(shop.listener)
    await until(lambda: shop.primary["rolloutState"] == "COMPLETED")
    stop = asyncio.Event()
    plan = load.Plan(url=url, rate=100, duration_seconds=120, host="shop.example")
    running = asyncio.create_task(load.run(plan, stop=stop))
    shop.deploy(shop.register("v2"))
    await until(lambda: shop.primary["rolloutState"] == "COMPLETED")
    stop.set()
    figures = (await running).to_json()
    assert set(figures["statusCodes"]) == {"200"}
    assert (figures["failed"], figures["connectionErrors"]) == (0, {})
    assert set(figures["images"]) == {"shop:v1", "shop:v2"}
    after = await load.run(load.Plan(url=url, rate=100, duration_seconds=0.3))
    assert after.to_json()["images"] == {"shop:v2": 30}


def test_a_bad_revision_is_rolled_back_and_nobody_notices() -> None:
    """In virtual time: the new tasks never pass, the breaker goes back, simulated traffic sees 200 only."""
    clock = VirtualClock()
    world = World.build(clock=clock)
    shop = open_shop(world)
    service = world.services["elbv2"]
    clock.advance(120)
    assert shop.primary["rolloutState"] == "COMPLETED"
    good = shop.primary["taskDefinition"]
    shop.deploy(shop.register("bad", SANDBOX_UNHEALTHY="1"))
    statuses: set[int] = set()
    for _ in range(1800):
        clock.advance(1)
        result = service.route(  # type: ignore[attr-defined] - elbv2's own
            world.caller, shop.listener, HttpRequest(host="shop.example", path="/")
        )
        statuses.add(result.status)
        if shop.primary["taskDefinition"] == good and shop.primary["rolloutState"] == "COMPLETED":
            break
    assert shop.primary["taskDefinition"] == good
    assert statuses == {200}
