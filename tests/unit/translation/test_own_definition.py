"""A task definition of one's own beside the settings of `ecs`: which of the two counts."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from api_samples import EXECUTION_ROLE, Json, deployment, spec_field
from sluice.api.v1alpha1.deployment import parse_deployment
from sluice.model.errors import Refused
from sluice.plan.translation import TaskSize, Translated, TranslationContext, translate
from translation_cases import CONTEXT

ROLE = "arn:aws:iam::111122223333:role/task"
BODY: Json = {
    "networkMode": "awsvpc",
    "containerDefinitions": [{"name": "app", "image": "nginx"}, {"name": "side", "image": "x"}],
}


def _translate(body: Json, context: TranslationContext = CONTEXT, **ecs: Any) -> Translated:
    obj = deployment(template=None, taskDefinition=body)
    return translate(parse_deployment(spec_field("ecs", obj["spec"]["ecs"] | ecs, obj)), context)


ROLES = {
    "of the body": ({"taskRoleArn": ROLE}, {}, "", ROLE),
    "of the body, though another is given": ({"taskRoleArn": ROLE}, {}, f"{ROLE}-of-account", ROLE),
    "of both, the same": ({"taskRoleArn": ROLE}, {"taskRoleArn": ROLE}, ROLE, ROLE),
    "of ecs": ({}, {"taskRoleArn": ROLE}, ROLE, ROLE),
    "of the service account": ({}, {}, ROLE, ROLE),
    "of nobody": ({}, {}, "", None),
}


@pytest.mark.parametrize(("members", "ecs", "given", "role"), ROLES.values(), ids=ROLES)
def test_the_role_of_the_task(members: Json, ecs: Json, given: str, role: str | None) -> None:
    """The body's own first; else what ecs or the tenancy gives."""
    translated = _translate(BODY | members, dataclasses.replace(CONTEXT, task_role_arn=given), **ecs)
    assert translated.body.get("taskRoleArn") == role
    assert translated.warnings == ()


SIZES = {
    "in ECS's units": ({"cpu": "512", "memory": "1024"}, (512, 1024)),
    "in vCPU and GB": ({"cpu": "1 vCPU", "memory": "2GB"}, (1024, 2048)),
    "CPU alone": ({"cpu": "512"}, None),
    "memory alone": ({"memory": "1024"}, None),
    "none": ({}, None),
}


@pytest.mark.parametrize(("members", "size"), SIZES.values(), ids=SIZES)
def test_the_size_that_the_status_shows(members: Json, size: tuple[int, int] | None) -> None:
    """Both numbers as they are written; without one of them the task has no size to show."""
    shown = _translate(BODY | members).task_size
    if size is None:
        assert shown is None
        return
    cpu, memory = size
    assert shown == TaskSize(cpu=cpu, memory=memory, requested_cpu=cpu, requested_memory=memory)
    assert shown.to_status() == {
        "cpu": str(cpu),
        "memory": str(memory),
        "requestedCpu": str(cpu),
        "requestedMemory": str(memory),
    }


OWN = {"logDriver": "splunk", "options": {"splunk-url": "https://192.0.2.1"}}
OTHER_ROLE = "arn:aws:iam::111122223333:role/of-the-body"
EXECUTION_ROLES = {
    "of the tenancy": (CONTEXT, {}, EXECUTION_ROLE),
    "of the body": (
        dataclasses.replace(CONTEXT, execution_role_arn=""),
        {"executionRoleArn": OTHER_ROLE},
        OTHER_ROLE,
    ),
}


@pytest.mark.parametrize(("context", "members", "role"), EXECUTION_ROLES.values(), ids=EXECUTION_ROLES)
def test_logs_of_ecs_go_where_a_container_says_nothing(
    context: TranslationContext, members: Json, role: str
) -> None:
    """Either execution role may write them; a container's own log configuration stays."""
    containers = [
        BODY["containerDefinitions"][0],
        BODY["containerDefinitions"][1] | {"logConfiguration": OWN},
    ]
    body = BODY | members | {"containerDefinitions": containers}
    translated = _translate(body, context, logging={"driver": "awslogs"})
    first, second = translated.body["containerDefinitions"]
    assert translated.body["executionRoleArn"] == role
    assert first["logConfiguration"]["options"]["awslogs-group"] == "/ecs/shop/web"
    assert second["logConfiguration"] == OWN


def test_logs_of_ecs_without_any_execution_role_are_refused() -> None:
    """Nobody could write them."""
    with pytest.raises(Refused, match=r"spec\.ecs\.executionRoleArn: the log driver needs a role"):
        _translate(BODY, dataclasses.replace(CONTEXT, execution_role_arn=""), logging={"driver": "awslogs"})


def test_a_body_without_containers_or_with_a_reserved_tag_is_refused() -> None:
    """Both at once, so that a person reads all of it."""
    tags = [{"key": "aws:x", "value": "1"}, {"key": "sluice.dev/x"}, {"key": "team"}]
    with pytest.raises(Refused) as refusal:
        _translate({"containerDefinitions": [], "tags": tags})
    assert refusal.value.message == (
        "spec.taskDefinition.tags: aws:x is reserved; choose another key; "
        "spec.taskDefinition.tags: sluice.dev/x is reserved; choose another key; "
        "spec.taskDefinition.containerDefinitions: at least one container is needed"
    )
    assert _translate(BODY | {"tags": tags[2:]}).tags == {"team": ""}


PLATFORMS = {
    "of ecs": ({}, {"cpuArchitecture": "ARM64"}, {"cpuArchitecture": "ARM64"}),
    "of the body": (
        {"runtimePlatform": {"cpuArchitecture": "X86_64"}},
        {"cpuArchitecture": "ARM64"},
        {"cpuArchitecture": "X86_64"},
    ),
}


@pytest.mark.parametrize(("members", "asked", "expected"), PLATFORMS.values(), ids=PLATFORMS)
def test_the_platform_of_the_task(members: Json, asked: Json, expected: Json) -> None:
    """The body's own, else what ecs asks for."""
    assert _translate(BODY | members, runtimePlatform=asked).body["runtimePlatform"] == expected


PORTS: dict[str, tuple[Json, list[tuple[str, int]]]] = {
    "TCP is the protocol that nobody names": ({"containerPort": 80}, [("", 80)]),
    "TCP": ({"containerPort": 80, "protocol": "tcp", "name": "http"}, [("http", 80)]),
    "UDP takes no load balancer's requests": ({"containerPort": 53, "protocol": "udp"}, []),
    "a range has no number of its own": ({"containerPortRange": "8000-8010"}, []),
    "a range of UDP": ({"containerPortRange": "8000-8010", "protocol": "udp"}, []),
}


@pytest.mark.parametrize(("mapping", "expected"), PORTS.values(), ids=PORTS)
def test_the_ports_that_routes_may_name(mapping: Json, expected: list[tuple[str, int]]) -> None:
    """Each TCP port with a number, by its name."""
    containers = [BODY["containerDefinitions"][0] | {"portMappings": [mapping]}]
    ports = _translate(BODY | {"containerDefinitions": containers}).ports
    assert [(port.name, port.container_port) for port in ports] == expected
