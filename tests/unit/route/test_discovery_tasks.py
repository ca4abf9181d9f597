"""What ECS says of a task and a service becomes what discovery decides on."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from sluice.controllers.discovery_tasks import (
    SlotSeen,
    addresses,
    is_healthy,
    port_of,
    tasks_of,
    wish_of,
)

DEFINITION = "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:7"
CONTAINERS = [
    {"name": "app", "portMappings": [{"name": "http", "containerPort": 8080}, {"containerPort": 9090}]},
    {"name": "proxy", "portMappings": [{"name": "admin", "containerPort": 9901}]},
]


def task(**members: Any) -> dict[str, Any]:
    """Return a task as DescribeTasks has it."""
    return {
        "taskArn": "arn:aws:ecs:eu-west-1:111122223333:task/prod/0a1b2c",
        "clusterArn": "arn:aws:ecs:eu-west-1:111122223333:cluster/prod",
        "taskDefinitionArn": DEFINITION,
        "lastStatus": "RUNNING",
        "desiredStatus": "RUNNING",
        "healthStatus": "UNKNOWN",
        "availabilityZone": "eu-west-1b",
        "startedBy": "ecs-svc/1",
        "startedAt": dt.datetime(2026, 11, 21, tzinfo=dt.UTC),
        "containers": [{"name": "app", "networkInterfaces": [{"privateIpv4Address": "10.0.0.7"}]}],
    } | members


def service(**members: Any) -> dict[str, Any]:
    """Return a service as DescribeServices has it."""
    return {
        "taskDefinition": DEFINITION,
        "desiredCount": 3,
        "deployments": [{"id": "ecs-svc/1", "status": "PRIMARY"}],
        "tags": [{"key": "sluice.dev/revision", "value": "web-1111111111"}],
    } | members


def checked(*, essential: bool = True) -> dict[str, Any]:
    """Return a definition with a container health check."""
    return {"containerDefinitions": [{"name": "app", "essential": essential, "healthCheck": {"command": []}}]}


HEALTH = {
    "no check": (task(), {}, {}, True),
    "checked and not yet known": (task(), checked(), {}, False),
    "checked and healthy": (task(healthStatus="HEALTHY"), checked(), {}, True),
    "unhealthy": (task(healthStatus="UNHEALTHY"), {}, {}, False),
    "not running yet": (task(lastStatus="PENDING"), {}, {}, False),
    "on its way out": (task(desiredStatus="STOPPED"), {}, {}, False),
    "target healthy": (task(), {}, {"tg": {"10.0.0.7": "healthy"}}, True),
    "target of no rule": (task(), {}, {"tg": {"10.0.0.7": "unused"}}, True),
    "target initial": (task(), {}, {"tg": {"10.0.0.7": "initial"}}, False),
    "target draining": (task(), {}, {"tg": {"10.0.0.7": "draining"}}, False),
    "not a target yet": (task(), {}, {"tg": {"10.0.0.8": "healthy"}}, False),
    "one of two groups": (task(), {}, {"a": {"10.0.0.7": "healthy"}, "b": {"10.0.0.7": "unhealthy"}}, False),
}


@pytest.mark.parametrize(("seen", "definition", "targets", "expected"), HEALTH.values(), ids=HEALTH)
def test_health(
    seen: dict[str, Any],
    definition: dict[str, Any],
    targets: dict[str, dict[str, str]],
    expected: bool,  # noqa: FBT001 - a table's column
) -> None:
    """A task is healthy when it runs, its checked containers say so, and so do its slot's targets."""
    assert is_healthy(seen, definition, targets) is expected


ADDRESSES = {
    "container's interface": (task(), ("10.0.0.7", "")),
    "both families": (
        task(
            containers=[{"networkInterfaces": [{"privateIpv4Address": "10.0.0.7", "ipv6Address": "fd00::7"}]}]
        ),
        ("10.0.0.7", "fd00::7"),
    ),
    "attachment alone": (
        task(
            containers=[{"name": "app"}],
            attachments=[
                {"type": "AmazonElasticBlockStorage", "details": [{"name": "volumeId", "value": "v"}]},
                {
                    "type": "ElasticNetworkInterface",
                    "details": [{"name": "privateIPv4Address", "value": "10.0.0.9"}],
                },
            ],
        ),
        ("10.0.0.9", ""),
    ),
    "bridge": (task(containers=[{"networkBindings": [{"containerPort": 80, "hostPort": 1}]}]), ("", "")),
}


@pytest.mark.parametrize(("seen", "expected"), ADDRESSES.values(), ids=ADDRESSES)
def test_addresses(seen: dict[str, Any], expected: tuple[str, str]) -> None:
    """Addresses are the interface's; in bridge mode a task has none of its own."""
    assert addresses(seen) == expected


PORTS = {
    "name": (("http",), 8080),
    "number": (("9090",), 9090),
    "of another container": (("admin",), 9901),
    "the former name": (("web", "http"), 8080),
    "unknown": (("grpc",), 0),
    "none": ((), 0),
}


@pytest.mark.parametrize(("ports", "expected"), PORTS.values(), ids=PORTS)
def test_ports(ports: tuple[str, ...], expected: int) -> None:
    """A port is known by the task's own definition, by name or number."""
    assert port_of(task(), {"containerDefinitions": CONTAINERS}, ports) == expected


def test_a_bound_port_is_the_hosts() -> None:
    """Where the host's port differs from the container's, clients need the host's."""
    bound = task(containers=[{"networkBindings": [{"containerPort": 8080, "hostPort": 32768}]}])
    assert port_of(bound, {"containerDefinitions": CONTAINERS}, ("http",)) == 32768


@pytest.mark.parametrize(
    ("desired", "limits", "minimum", "maximum"),
    [
        pytest.param(3, {}, 3, 6, id="defaults"),
        pytest.param(3, {"minimumHealthyPercent": 50, "maximumPercent": 150}, 2, 4, id="rounded"),
        pytest.param(4, {"minimumHealthyPercent": 0, "maximumPercent": 100}, 0, 4, id="recreate"),
        pytest.param(0, {}, 0, 0, id="none"),
    ],
)
def test_wish(desired: int, limits: dict[str, int], minimum: int, maximum: int) -> None:
    """Percentages of the desired count: the lower one up, the upper one down (ECS)."""
    found = wish_of("a", service(desiredCount=desired, deploymentConfiguration=limits))
    assert (found.slot, found.desired, found.minimum_healthy, found.maximum) == (
        "a",
        desired,
        minimum,
        maximum,
    )
    assert (found.revision, found.deployment) == ("web-1111111111", "ecs-svc/1")


@pytest.mark.parametrize(
    ("members", "revision"),
    [
        pytest.param({"tags": [{"key": "sluice.dev/revision", "value": "web-2"}]}, "web-2", id="own tag"),
        pytest.param({}, "web-1111111111", id="the service's definition"),
        pytest.param({"taskDefinitionArn": DEFINITION.replace(":7", ":6")}, "web:6", id="another definition"),
    ],
)
def test_a_task(members: dict[str, Any], revision: str) -> None:
    """Everything that discovery needs of a task; its revision also where ECS hands no tags on."""
    seen = SlotSeen(
        name="a",
        service=service(),
        tasks=[task(**members)],
        definitions={DEFINITION: {"containerDefinitions": CONTAINERS}},
        protected={task()["taskArn"]: 42.0},
        targets={},
    )
    (found,) = tasks_of(seen, ports=("http",), backend="")
    assert (found.id, found.slot, found.revision) == ("0a1b2c", "a", revision)
    assert (found.ipv4, found.zone, found.deployment) == ("10.0.0.7", "eu-west-1b", "ecs-svc/1")
    assert (found.healthy, found.running, found.protected_until) == (True, True, 42.0)
    assert found.started_at == 1795219200.0
    assert found.port == (8080 if "taskDefinitionArn" not in members else 0)
