"""The composed world: the real ECS and Elastic Load Balancing under stale reads, resets and faults."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sluice_sandbox.aws.clock import VirtualClock
from sluice_sandbox.aws.emitter import RememberingEmitter
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.estate import SECURITY_GROUP_ID, SUBNET_IDS
from sluice_sandbox.aws.faults import Fault
from sluice_sandbox.aws.world import World


@pytest.fixture
def clock() -> VirtualClock:
    """Virtual time."""
    return VirtualClock()


@pytest.fixture
def built(clock: VirtualClock) -> World:
    """A composed world with a cluster and a task definition."""
    world = World.build(clock=clock, seed=7)
    world.call("ecs", "CreateCluster", {"clusterName": "c"})
    container = {"name": "app", "image": "demo/app:1", "portMappings": [{"containerPort": 80}]}
    definition = {
        "family": "app",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [container],
    }
    world.call("ecs", "RegisterTaskDefinition", definition)
    world.mark_baseline()
    return world


def create(world: World, name: str) -> None:
    """Create a service of two tasks."""
    network = {"subnets": list(SUBNET_IDS), "securityGroups": [SECURITY_GROUP_ID]}
    params = {
        "cluster": "c",
        "serviceName": name,
        "taskDefinition": "app",
        "desiredCount": 2,
        "launchType": "FARGATE",
        "networkConfiguration": {"awsvpcConfiguration": network},
    }
    world.call("ecs", "CreateService", params)


def running(world: World, name: str) -> int | None:
    """Return a service's running count, None when it is missing."""
    found = world.call("ecs", "DescribeServices", {"cluster": "c", "services": [name]})["services"]
    return int(found[0]["runningCount"]) if found else None


def test_tasks_run_and_tell(built: World, clock: VirtualClock) -> None:
    """A service's tasks run within a minute of virtual time, and their state changes are events."""
    create(built, "web")
    clock.advance(60)
    assert running(built, "web") == 2
    emitter = built.outside.emitter
    assert isinstance(emitter, RememberingEmitter)
    assert "ECS Task State Change" in {event.detail_type for event in emitter.recent}


def test_simulation_needs_no_moto() -> None:
    """The in-process world imports neither moto nor a web server: it is up in a fraction of a second."""
    code = (
        "import sys; from sluice_sandbox.aws.world import World;"
        "from sluice_sandbox.aws.clock import VirtualClock;"
        "World.build(clock=VirtualClock()); sys.exit('moto' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_stale_reads_of_the_real_services(built: World, clock: VirtualClock) -> None:
    """Under the fault a service just created is missing, and the live state is untouched by the look."""
    built.faults.add(Fault(kind="stale-read", operation="DescribeServices", seconds=30))
    create(built, "web")
    clock.advance(10)
    assert running(built, "web") is None
    built.faults.clear()
    assert running(built, "web") == 2


def test_reset_ends_what_ran(built: World, clock: VirtualClock) -> None:
    """After a reset no service and no task is left, old timers fall silent, and names are free."""
    create(built, "web")
    clock.advance(60)
    built.reset()
    clock.advance(600)
    assert running(built, "web") is None
    assert built.outside.runtime is not None
    assert built.outside.runtime.running() == []
    create(built, "web")
    clock.advance(60)
    assert running(built, "web") == 2


def test_same_seed_same_ids(clock: VirtualClock) -> None:
    """Two worlds of one seed give the same answers to the same calls."""

    def arn(seed: int) -> str:
        world = World.build(clock=VirtualClock(), seed=seed)
        params = {
            "Name": "a",
            "Protocol": "HTTP",
            "Port": 80,
            "VpcId": "vpc-0a1b2c3d4e5f60718",
            "TargetType": "ip",
        }
        return str(world.call("elbv2", "CreateTargetGroup", params)["TargetGroups"][0]["TargetGroupArn"])

    assert arn(1) == arn(1)
    assert arn(1) != arn(2)


def test_the_buckets_throttle_a_storm(built: World, clock: VirtualClock) -> None:
    """With the published buckets a storm of reads is throttled after the burst, until tokens are back."""
    built.faults.add(Fault(kind="buckets"))
    for _ in range(100):
        running(built, "web")
    with pytest.raises(AwsError, match="Rate exceeded"):
        running(built, "web")
    clock.advance(1)
    assert running(built, "web") is None
