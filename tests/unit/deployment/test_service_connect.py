"""Service Connect: what ECS would refuse is refused before, with the field and what to do."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.plan.deployment.service_connect import WHERE, problems

DEFINITION = {
    "networkMode": "awsvpc",
    "containerDefinitions": [
        {"name": "app", "portMappings": [{"name": "http", "containerPort": 8080}, {"containerPort": 9090}]},
        {"name": "side", "portMappings": [{"name": "admin", "containerPort": 9000}]},
    ],
}
SERVER = {
    "portName": "http",
    "discoveryName": "web",
    "clientAliases": [{"port": 80, "dnsName": "web.corp.local"}],
}


def connect(*services: dict[str, Any], **members: Any) -> dict[str, Any]:
    """Return a configuration that is on."""
    return {"enabled": True, "namespace": "corp.local", "services": list(services)} | members


@pytest.mark.parametrize(
    "configuration",
    [
        pytest.param(connect(SERVER), id="server"),
        pytest.param(connect(SERVER, {"portName": "admin"}), id="two services"),
        pytest.param({"enabled": True}, id="client, in the cluster's default namespace"),
        pytest.param(
            connect(namespace="arn:aws:servicediscovery:eu-west-1:111122223333:namespace/ns-1"), id="ARN"
        ),
        pytest.param({"enabled": False, "services": [{"portName": "nothing"}]}, id="off"),
        pytest.param({}, id="absent"),
    ],
)
def test_what_ecs_takes_passes(configuration: dict[str, Any]) -> None:
    """Nothing is wrong with it."""
    assert problems(configuration, DEFINITION) == []


@pytest.mark.parametrize(
    ("configuration", "path", "text"),
    [
        pytest.param(
            connect(SERVER | {"portName": "web"}),
            ".services[0].portName",
            "web is no named port of the containers; its named ports: http, admin",
            id="port",
        ),
        pytest.param(
            connect(SERVER, {"portName": "admin", "discoveryName": "web"}),
            ".services[1].discoveryName",
            "web is the name of services[0], too; give one of them another discoveryName",
            id="name twice",
        ),
        pytest.param(
            connect(SERVER | {"discoveryName": "-web"}), ".services[0].discoveryName", "up to 64", id="name"
        ),
        pytest.param(
            connect(SERVER | {"clientAliases": [{"port": 80}, {"port": 81}]}),
            ".services[0].clientAliases",
            "ECS takes one alias",
            id="two aliases",
        ),
        pytest.param(
            connect(SERVER | {"clientAliases": [{"port": 70_000}]}),
            ".services[0].clientAliases[0].port",
            "from 1 to 65535",
            id="alias port",
        ),
        pytest.param(
            connect(SERVER | {"clientAliases": [{"port": 80, "dnsName": "Web"}]}),
            ".services[0].clientAliases[0].dnsName",
            "up to 127 lower-case",
            id="alias name",
        ),
        pytest.param(
            connect(SERVER | {"ingressPortOverride": 0}),
            ".services[0].ingressPortOverride",
            "from 1 to 65535",
            id="override",
        ),
        pytest.param(
            connect(namespace="arn:aws:servicediscovery:eu-west-1:111122223333:service/srv-1"),
            ".namespace",
            "is not the ARN of a Cloud Map namespace",
            id="namespace",
        ),
        pytest.param(
            connect(accessLogConfiguration={"format": "JSON"}),
            ".accessLogConfiguration",
            "needs logConfiguration",
            id="access log",
        ),
    ],
)
def test_what_ecs_refuses_is_refused_before(configuration: dict[str, Any], path: str, text: str) -> None:
    """One problem, at the field."""
    (problem,) = problems(configuration, DEFINITION)
    assert (problem.path, text in problem.text) == (f"{WHERE}{path}", True)


def test_without_any_named_port_the_text_says_what_to_do() -> None:
    """The port needs a name."""
    bare = {"networkMode": "awsvpc", "containerDefinitions": [{"name": "app"}]}
    (problem,) = problems(connect({"portName": "http"}), bare)
    assert problem.text == "http is no named port of the containers; give a container port that name"


def test_host_mode_has_no_service_connect() -> None:
    """ECS guide: awsvpc and bridge."""
    (problem,) = problems(connect(SERVER), DEFINITION | {"networkMode": "host"})
    assert (problem.path, "not with host" in problem.text) == (WHERE, True)
