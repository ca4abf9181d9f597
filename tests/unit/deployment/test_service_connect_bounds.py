"""Service Connect: the longest and shortest that ECS takes passes, one more or less is told at its field."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.plan.deployment.service_connect import WHERE, named_ports, problems

DEFINITION = {
    "networkMode": "awsvpc",
    "containerDefinitions": [
        {"name": "app", "portMappings": [{"name": "http", "containerPort": 8080}, {"containerPort": 9090}]},
        {"name": "side", "portMappings": [{"name": "admin", "containerPort": 9000}]},
        {"name": "log"},
    ],
}


def paths(*services: dict[str, Any], **members: Any) -> list[str]:
    """Return where problems of a configuration are, below its own path."""
    connect = {"enabled": True, "services": [{"portName": "http"} | entry for entry in services]} | members
    return [problem.path.removeprefix(f"{WHERE}.") for problem in problems(connect, DEFINITION)]


def alias(**members: Any) -> dict[str, Any]:
    """Return a service with one alias of port 80."""
    return {"clientAliases": [{"port": 80} | members]}


@pytest.mark.parametrize(
    ("service", "wrong"),
    [
        pytest.param({"ingressPortOverride": 1}, "", id="first port"),
        pytest.param({"ingressPortOverride": 65_535}, "", id="last port"),
        pytest.param({"ingressPortOverride": 0}, "ingressPortOverride", id="no port"),
        pytest.param({"ingressPortOverride": 65_536}, "ingressPortOverride", id="beyond the last port"),
        pytest.param(alias(port=1), "", id="alias, first port"),
        pytest.param(alias(port=65_535), "", id="alias, last port"),
        pytest.param(alias(port=0), "clientAliases[0].port", id="alias, no port"),
        pytest.param(alias(port=65_536), "clientAliases[0].port", id="alias, beyond the last port"),
        pytest.param({"clientAliases": [{}]}, "clientAliases[0].port", id="alias without a port"),
        pytest.param({"discoveryName": "a" * 64}, "", id="longest name"),
        pytest.param({"discoveryName": "a" * 65}, "discoveryName", id="too long a name"),
        pytest.param({"discoveryName": "_a-0"}, "", id="all kinds of characters"),
        pytest.param({"discoveryName": "-a"}, "discoveryName", id="begins with -"),
        pytest.param({"discoveryName": "a.b"}, "discoveryName", id="a dot in a name"),
        pytest.param(alias(dnsName="a" * 127), "", id="longest alias"),
        pytest.param(alias(dnsName="a" * 128), "clientAliases[0].dnsName", id="too long an alias"),
        pytest.param(alias(dnsName=".a_-"), "", id="alias, all kinds of characters"),
        pytest.param(alias(dnsName="-a"), "clientAliases[0].dnsName", id="alias begins with -"),
        pytest.param({"portName": ""}, "portName", id="no port name"),
    ],
)
def test_bounds(service: dict[str, Any], wrong: str) -> None:
    """Botocore, ServiceConnectService and ServiceConnectClientAlias; ports are TCP's."""
    assert paths(service) == ([f"services[0].{wrong}"] if wrong else [])


@pytest.mark.parametrize(
    ("members", "wrong"),
    [
        pytest.param({"namespace": "corp.local"}, [], id="a namespace's name"),
        pytest.param({"namespace": "arn:of-nothing"}, ["namespace"], id="an ARN of something else"),
        pytest.param(
            {"accessLogConfiguration": {"format": "JSON"}}, ["accessLogConfiguration"], id="no logs"
        ),
        pytest.param(
            {"accessLogConfiguration": {"format": "JSON"}, "logConfiguration": {"logDriver": "awslogs"}},
            [],
            id="access log and logs",
        ),
        pytest.param({"logConfiguration": {"logDriver": "awslogs"}}, [], id="logs alone"),
    ],
)
def test_the_whole(members: dict[str, Any], wrong: list[str]) -> None:
    """What is not inside one service."""
    assert paths(**members) == wrong


@pytest.mark.parametrize(
    ("mode", "taken"),
    [
        pytest.param("awsvpc", True, id="awsvpc"),
        pytest.param("bridge", True, id="bridge"),
        pytest.param("", True, id="ECS's default is bridge"),
        pytest.param("none", False, id="none"),
    ],
)
def test_network_modes(mode: str, *, taken: bool) -> None:
    """ECS guide, considerations of Service Connect."""
    found = problems({"enabled": True}, DEFINITION | {"networkMode": mode})
    assert [problem.path for problem in found] == ([] if taken else [WHERE])


def test_a_name_is_given_once() -> None:
    """The port's name counts where no other is given; the text names the first of the two."""
    admin = {"portName": "admin"}
    assert paths({}, admin | {"discoveryName": "http"}) == ["services[1].discoveryName"]
    assert paths({"discoveryName": "web"}, admin | {"discoveryName": "http"}) == []
    connect = {
        "enabled": True,
        "services": [{"portName": "http"}, {"portName": "http"}, {"portName": "http"}],
    }
    assert [problem.text.split(",")[0] for problem in problems(connect, DEFINITION)] == [
        "http is the name of services[0]",
        "http is the name of services[0]",
    ]


def test_ports_without_a_name_are_left_out() -> None:
    """In the definition's order, of all containers."""
    assert named_ports(DEFINITION) == ("http", "admin")
    assert named_ports({}) == ()
