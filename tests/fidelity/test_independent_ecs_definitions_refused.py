"""What RegisterTaskDefinition refuses: a table of one wrong thing each."""

from __future__ import annotations

from typing import Any

import pytest

from fidelity.outsider import Outsider, fresh, refused

WEB: dict[str, Any] = {"name": "web", "image": "example.com/web:1.0"}
SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:s-abcdef"  # an ARN; nothing secret
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "fargate without cpu": ({"cpu": None}, "cpu"),
    "fargate without memory": ({"memory": None}, "memory"),
    "fargate without both": ({"cpu": None, "memory": None}, "cpu"),
    "fargate with an impossible pair": ({"cpu": "256", "memory": "4096"}, "No Fargate configuration exists"),
    "fargate with a cpu between": ({"cpu": "300", "memory": "512"}, ""),
    "fargate with too little memory for its cpu": (
        {"cpu": "1024", "memory": "1024"},
        "No Fargate configuration",
    ),
    "fargate with memory off the step": ({"cpu": "2048", "memory": "4500"}, "No Fargate configuration"),
    "fargate with memory of letters": ({"memory": "lots"}, "memory"),
    "fargate in bridge mode": ({"networkMode": "bridge"}, "awsvpc"),
    "fargate in host mode": ({"networkMode": "host"}, "awsvpc"),
    "fargate without a network mode": ({"networkMode": None}, "awsvpc"),
    "no container": ({"containerDefinitions": []}, "Container"),
    "a container without name": ({"containerDefinitions": [{"image": "i"}]}, "name"),
    "a container without image": ({"containerDefinitions": [{"name": "web"}]}, "image"),
    "a container's empty image": ({"containerDefinitions": [{"name": "web", "image": ""}]}, "image"),
    "a container name with a space": ({"containerDefinitions": [WEB | {"name": "a b"}]}, "name"),
    "two containers of one name": ({"containerDefinitions": [WEB, WEB]}, ""),
    "no essential container": ({"containerDefinitions": [WEB | {"essential": False}]}, "essential"),
    "eleven containers": ({"containerDefinitions": [WEB | {"name": f"c{n}"} for n in range(11)]}, "10"),
    "dependsOn nobody": (
        {"containerDefinitions": [WEB | {"dependsOn": [{"containerName": "ghost", "condition": "START"}]}]},
        "",
    ),
    "dependsOn in a circle": (
        {
            "containerDefinitions": [
                WEB | {"dependsOn": [{"containerName": "b", "condition": "START"}]},
                WEB | {"name": "b", "dependsOn": [{"containerName": "web", "condition": "START"}]},
            ]
        },
        "",
    ),
    "dependsOn an unknown condition": (
        {
            "containerDefinitions": [
                WEB | {"dependsOn": [{"containerName": "b", "condition": "LATER"}]},
                WEB | {"name": "b"},
            ]
        },
        "",
    ),
    "dependsOn HEALTHY without a health check": (
        {
            "containerDefinitions": [
                WEB | {"dependsOn": [{"containerName": "b", "condition": "HEALTHY"}]},
                WEB | {"name": "b"},
            ]
        },
        "health",
    ),
    "dependsOn SUCCESS of an essential container": (
        {
            "containerDefinitions": [
                WEB | {"dependsOn": [{"containerName": "b", "condition": "SUCCESS"}]},
                WEB | {"name": "b", "essential": True},
            ]
        },
        "",
    ),
    "secrets without an execution role": (
        {"containerDefinitions": [WEB | {"secrets": [{"name": "S", "valueFrom": SECRET}]}]},
        "executionRoleArn",
    ),
    "awslogs without an execution role": (
        {
            "containerDefinitions": [
                WEB
                | {
                    "logConfiguration": {
                        "logDriver": "awslogs",
                        "options": {
                            "awslogs-group": "g",
                            "awslogs-region": "eu-west-1",
                            "awslogs-stream-prefix": "p",
                        },
                    }
                }
            ]
        },
        "execution role",
    ),
    "a host port that isn't the container's": (
        {"containerDefinitions": [WEB | {"portMappings": [{"containerPort": 80, "hostPort": 8080}]}]},
        "port",
    ),
    "the same container port twice": (
        {"containerDefinitions": [WEB | {"portMappings": [{"containerPort": 80}, {"containerPort": 80}]}]},
        "port",
    ),
    "the same port of two containers": (
        {
            "containerDefinitions": [
                WEB | {"portMappings": [{"containerPort": 80}]},
                WEB | {"name": "b", "portMappings": [{"containerPort": 80}]},
            ]
        },
        "port",
    ),
    "a port beyond 65535": (
        {"containerDefinitions": [WEB | {"portMappings": [{"containerPort": 70000}]}]},
        "port",
    ),
    "a protocol of its own": (
        {"containerDefinitions": [WEB | {"portMappings": [{"containerPort": 80, "protocol": "sctp"}]}]},
        "",
    ),
    "a mount of an undeclared volume": (
        {
            "containerDefinitions": [
                WEB
                | {"mountPoints": [{"sourceVolume": "ghost", "containerPath": "/data", "readOnly": False}]}
            ]
        },
        "volume",
    ),
    "two volumes of one name": ({"volumes": [{"name": "v"}, {"name": "v"}]}, ""),
    "an unknown network mode": ({"networkMode": "carrier-pigeon"}, ""),
    "an unknown compatibility": ({"requiresCompatibilities": ["MOON"]}, ""),
    "an illegal family": ({"family": "a family"}, "family"),
    "a family too long": ({"family": "f" * 256}, "family"),
    "tags of aws": ({"tags": [{"key": "aws:mine", "value": "v"}]}, ""),
    "ephemeral storage too small": ({"ephemeralStorage": {"sizeInGiB": 20}}, ""),
    "ephemeral storage too large": ({"ephemeralStorage": {"sizeInGiB": 201}}, ""),
    "a privileged container on fargate": (
        {"containerDefinitions": [WEB | {"privileged": True}]},
        "privileged",
    ),
    "links in awsvpc mode": (
        {"containerDefinitions": [WEB | {"links": ["b"]}, WEB | {"name": "b"}]},
        "link",
    ),
    "a host path on fargate": ({"volumes": [{"name": "v", "host": {"sourcePath": "/var"}}]}, ""),
    "containers larger than the task": ({"containerDefinitions": [WEB | {"memory": 1024}]}, "memory"),
    "containers with more cpu than the task": ({"containerDefinitions": [WEB | {"cpu": 512}]}, ""),
    "a reservation above the limit": (
        {"containerDefinitions": [WEB | {"memory": 64, "memoryReservation": 128}]},
        "",
    ),
    "two ports of one name": (
        {
            "containerDefinitions": [
                WEB
                | {"portMappings": [{"containerPort": 80, "name": "p"}, {"containerPort": 81, "name": "p"}]}
            ]
        },
        "",
    ),
    "placement constraints on fargate": (
        {"placementConstraints": [{"type": "memberOf", "expression": "attribute:ecs.os-type == linux"}]},
        "",
    ),
    "a log driver of its own": (
        {"containerDefinitions": [WEB | {"logConfiguration": {"logDriver": "stone-tablet"}}]},
        "",
    ),
    "a health check without its verb": (
        {"containerDefinitions": [WEB | {"healthCheck": {"command": ["curl -f localhost"]}}]},
        "",
    ),
    "a health check with an interval of 1": (
        {"containerDefinitions": [WEB | {"healthCheck": {"command": ["CMD-SHELL", "x"], "interval": 1}}]},
        "",
    ),
    "a stop timeout above two minutes": ({"containerDefinitions": [WEB | {"stopTimeout": 121}]}, ""),
    "a body beyond 64 KiB": (
        {"containerDefinitions": [WEB | {"environment": [{"name": "A", "value": "x" * 66_000}]}]},
        "",
    ),
}


@pytest.mark.parametrize("case", list(REFUSED))
def test_register_refuses(aws: Outsider, case: str) -> None:
    """Each of these definitions is refused, with the name of what is wrong, and no revision comes of it."""
    change, says = REFUSED[case]
    family = fresh("bad")
    wish: dict[str, Any] = {
        "family": family,
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [WEB],
    } | change
    with refused("ClientException", "InvalidParameterException", says=says):
        aws.ecs.register_task_definition(**{name: value for name, value in wish.items() if value is not None})
    assert aws.ecs.list_task_definitions(familyPrefix=family)["taskDefinitionArns"] == []


def test_ec2_container_wants_memory(aws: Outsider) -> None:
    """On EC2 a container has a memory limit or reservation, unless the task has one."""
    with refused("ClientException", says="memory"):
        aws.ecs.register_task_definition(family=fresh("bad"), containerDefinitions=[WEB])


SIZES = [
    ("256", "512"),
    ("256", "2048"),
    ("512", "1024"),
    ("1024", "8192"),
    ("2048", "16384"),
    ("4096", "30720"),
    ("8192", "16384"),
    ("16384", "122880"),
    ("1 vCPU", "2 GB"),
    (".5 vcpu", "1GB"),
]


@pytest.mark.parametrize(("cpu", "memory"), SIZES)
def test_fargate_takes_its_table(aws: Outsider, cpu: str, memory: str) -> None:
    """Sizes of the published table are taken, in units or in words."""
    assert aws.register(cpu=cpu, memory=memory)
