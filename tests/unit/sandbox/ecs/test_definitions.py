"""Task definitions: what is refused, what is filled in, how revisions live and die."""

from __future__ import annotations

from typing import Any

import pytest

from sluice_sandbox.aws.ecs import fargate

ROLE = "arn:aws:iam::111122223333:role/x"


def container(name: str = "app", **members: Any) -> dict[str, Any]:
    """Return a container definition."""
    return {"name": name, "image": "app:1", **members}


def containers(*items: dict[str, Any]) -> dict[str, Any]:
    """Return the change that replaces all containers."""
    return {"containerDefinitions": list(items)}


EC2 = {"requiresCompatibilities": ["EC2"], "cpu": None, "memory": None}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "family-with-space": ({"family": "a b"}, "The family name contains invalid characters"),
    "no-containers": (containers(), "Container list cannot be empty."),
    "eleven-containers": (containers(*[container(f"c{n}") for n in range(11)]), "at most 10 containers"),
    "no-name": (containers({"image": "x"}), "Container.name should not be null or empty."),
    "odd-name": (containers(container("a b")), "Invalid container name"),
    "no-image": (containers({"name": "x"}), "Container.image should not be null or empty."),
    "same-name-twice": (containers(container(), container()), "duplicated"),
    "none-essential": (
        containers(container(essential=False)),
        "At least one container must be marked as essential",
    ),
    "fargate-without-cpu": ({"cpu": None}, "Fargate requires that 'cpu' be defined at the task level."),
    "fargate-without-memory": (
        {"memory": None},
        "Fargate requires that 'memory' be defined at the task level.",
    ),
    "impossible-size": (
        {"cpu": "256", "memory": "4096"},
        "No Fargate configuration exists for given values: 256 CPU, 4096 memory.",
    ),
    "odd-cpu": ({"cpu": "300", "memory": "512"}, "No Fargate configuration exists"),
    "cpu-is-no-number": ({"cpu": "much"}, "Invalid 'cpu' setting for task."),
    "fargate-bridge": ({"networkMode": "bridge"}, "Fargate only supports network mode"),
    "fargate-no-mode": ({"networkMode": None}, "Fargate only supports network mode"),
    "host-port-differs": (
        {"container": {"portMappings": [{"containerPort": 80, "hostPort": 81}]}},
        "When networkMode=awsvpc, the host ports and container ports in port mappings must match.",
    ),
    "port-0": ({"container": {"portMappings": [{"containerPort": 0}]}}, "Invalid container port"),
    "port-70000": ({"container": {"portMappings": [{"containerPort": 70000}]}}, "Invalid container port"),
    "port-twice": (
        containers(
            container("a", portMappings=[{"containerPort": 80}]),
            container("b", portMappings=[{"containerPort": 80}]),
        ),
        "used more than once",
    ),
    "no-port-at-all": ({"container": {"portMappings": [{}]}}, "Either containerPort or containerPortRange"),
    "port-name-upper-case": (
        {"container": {"portMappings": [{"containerPort": 80, "name": "HTTP"}]}},
        "Invalid port mapping name",
    ),
    "app-protocol-without-name": (
        {"container": {"portMappings": [{"containerPort": 80, "appProtocol": "http"}]}},
        "appProtocol requires a name",
    ),
    "ports-without-network": (
        EC2 | {"networkMode": "none", "container": {"memory": 64, "portMappings": [{"containerPort": 80}]}},
        "Port mappings are not supported when networkMode=none.",
    ),
    "ghost-dependency": (
        {"container": {"dependsOn": [{"containerName": "ghost", "condition": "START"}]}},
        "depends on container 'ghost'",
    ),
    "dependency-on-itself": (
        {"container": {"dependsOn": [{"containerName": "app", "condition": "START"}]}},
        "cannot depend on itself",
    ),
    "dependency-cycle": (
        containers(
            container("a", dependsOn=[{"containerName": "b", "condition": "START"}]),
            container("b", dependsOn=[{"containerName": "a", "condition": "START"}]),
        ),
        "cycle: a -> b -> a",
    ),
    "healthy-without-check": (
        containers(
            container("a", dependsOn=[{"containerName": "b", "condition": "HEALTHY"}]), container("b")
        ),
        "has no health check",
    ),
    "complete-of-essential": (
        containers(
            container("a", dependsOn=[{"containerName": "b", "condition": "SUCCESS"}]), container("b")
        ),
        "depends on essential container",
    ),
    "secret-without-role": (
        {"container": {"secrets": [{"name": "A", "valueFrom": "arn:aws:ssm:::parameter/x"}]}},
        "you must also specify a value for 'executionRoleArn'",
    ),
    "secret-named-as-variable": (
        {
            "executionRoleArn": ROLE,
            "container": {
                "secrets": [{"name": "A", "valueFrom": "arn:aws:ssm:::parameter/x"}],
                "environment": [{"name": "A", "value": "1"}],
            },
        },
        "The secret name must be unique",
    ),
    "awslogs-without-role": (
        {"container": {"logConfiguration": {"logDriver": "awslogs"}}},
        "Fargate requires task definition to have execution role ARN to support log driver awslogs.",
    ),
    "ecr-without-role": (
        {"container": {"image": "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:1"}},
        "Fargate requires task definition to have execution role ARN to support ECR images.",
    ),
    "other-log-driver": (
        {"container": {"logConfiguration": {"logDriver": "syslog"}}},
        "Fargate does not support the log driver syslog.",
    ),
    "ghost-volume": ({"container": {"mountPoints": [{"sourceVolume": "v"}]}}, "Unknown volume 'v'."),
    "volume-twice": ({"volumes": [{"name": "v"}, {"name": "v"}]}, "duplicated"),
    "host-volume-on-fargate": (
        {"volumes": [{"name": "v", "host": {"sourcePath": "/x"}}]},
        "Fargate does not support host sourcePath volumes.",
    ),
    "privileged": ({"container": {"privileged": True}}, "Fargate does not support privileged containers."),
    "links": ({"container": {"links": ["x"]}}, "Links are not supported"),
    "long-stop": ({"container": {"stopTimeout": 121}}, "between 2 and 120 seconds"),
    "pid-host": ({"pidMode": "host"}, "pidMode 'host'"),
    "placement-on-fargate": (
        {"placementConstraints": [{"type": "memberOf", "expression": "x"}]},
        "placement constraints",
    ),
    "small-disk": ({"ephemeralStorage": {"sizeInGiB": 20}}, "between 21 and 200"),
    "no-memory-on-ec2": (EC2, "At least one of 'memory' or 'memoryReservation' must be specified."),
    "tiny-memory": ({"container": {"memory": 5}}, "at least 6 MiB"),
    "reservation-above-memory": (
        {"container": {"memory": 64, "memoryReservation": 128}},
        "must be greater than 'memoryReservation'",
    ),
    "memory-above-task": ({"container": {"memory": 1024}}, "must not exceed the task's memory"),
    "cpu-above-task": ({"container": {"cpu": 512}}, "must not exceed the task's 'cpu'"),
    "health-command": (
        {"container": {"healthCheck": {"command": ["curl"]}}},
        "must start with CMD or CMD-SHELL",
    ),
    "health-interval": (
        {"container": {"healthCheck": {"command": ["CMD", "x"], "interval": 1}}},
        "interval must be between 5 and 300",
    ),
    "too-long": (
        {"container": {"environment": [{"name": "X", "value": "y" * 65536}]}},
        "Max allowed length is '65536' bytes.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_impossible_definitions_are_refused(ecs: Any, register: Any, case: str) -> None:
    """What AWS refuses, with its code and the heart of its text, and no revision is spent."""
    change, text = REFUSED[case]
    code, message = ecs.refusal("RegisterTaskDefinition", **register(**change))
    assert code in {"ClientException", "InvalidParameterException"}
    assert text in message
    arns = ecs.call("ListTaskDefinitions", familyPrefix="web")["taskDefinitionArns"]
    assert len(arns) == 1


ACCEPTED: dict[str, dict[str, Any]] = {
    "vcpu-text": {"cpu": "1 vCPU", "memory": "2 GB"},
    "ec2-bridge": EC2 | {"networkMode": None, "container": {"memory": 64}},
    "ten-containers": containers(*[container(f"c{n}") for n in range(10)]),
    "secrets-with-role": {
        "executionRoleArn": ROLE,
        "container": {"secrets": [{"name": "A", "valueFrom": "arn:aws:ssm:::parameter/x"}]},
    },
    "dependency-chain": containers(
        container("a", dependsOn=[{"containerName": "b", "condition": "SUCCESS"}]),
        container("b", essential=False, dependsOn=[{"containerName": "c", "condition": "START"}]),
        container("c"),
    ),
    "efs": {"volumes": [{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}]},
    "same-port-tcp-and-udp": {
        "container": {"portMappings": [{"containerPort": 53}, {"containerPort": 53, "protocol": "udp"}]}
    },
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_possible_definitions_are_accepted(ecs: Any, register: Any, case: str) -> None:
    """The neighbours of the refusals pass."""
    answer = ecs.call("RegisterTaskDefinition", **register(**ACCEPTED[case]))
    assert answer["taskDefinition"]["revision"] == 2


@pytest.mark.parametrize(
    ("cpu", "memory"),
    [(cpu, m) for cpu, all_ in fargate.MEMORY_BY_CPU.items() for m in (min(all_), max(all_))],
)
def test_every_fargate_size_registers(ecs: Any, register: Any, cpu: int, memory: int) -> None:
    """The smallest and the largest memory of each CPU size."""
    shown = ecs.call("RegisterTaskDefinition", **register(cpu=str(cpu), memory=str(memory)))["taskDefinition"]
    assert (shown["cpu"], shown["memory"]) == (str(cpu), str(memory))
    assert "FARGATE" in shown["compatibilities"]


@pytest.mark.parametrize(
    ("text", "units"), [("256", 256), (".25 vCPU", 256), ("1 vcpu", 1024), ("0.5vCPU", 512), ("x", None)]
)
def test_cpu_text(text: str, units: int | None) -> None:
    """CPU is units or vCPUs (botocore, RegisterTaskDefinitionRequest.cpu)."""
    assert fargate.cpu_units(text) == units


def test_defaults_are_filled_in_as_ecs_does(ecs: Any) -> None:
    """What a diff engine reads back of a minimal definition."""
    shown = ecs.call("DescribeTaskDefinition", taskDefinition="web:1")["taskDefinition"]
    assert shown["containerDefinitions"] == [
        {
            "name": "app",
            "image": "app:1",
            "cpu": 0,
            "essential": True,
            "environment": [],
            "mountPoints": [],
            "volumesFrom": [],
            "systemControls": [],
            "portMappings": [{"containerPort": 8080, "hostPort": 8080, "protocol": "tcp"}],
        }
    ]
    assert (shown["volumes"], shown["placementConstraints"]) == ([], [])
    assert shown["compatibilities"] == ["EC2", "FARGATE", "MANAGED_INSTANCES"]
    assert shown["requiresCompatibilities"] == ["FARGATE"]
    assert shown["status"] == "ACTIVE"
    assert shown["registeredBy"] == "arn:aws:iam::111122223333:user/sandbox"
    assert shown["registeredAt"] == ecs.clock.now()
    assert {"name": "ecs.capability.task-eni"} in shown["requiresAttributes"]


def test_health_check_and_volume_defaults(ecs: Any, register: Any) -> None:
    """Health numbers, the root of EFS, an empty host and plain numbers for sizes."""
    change = register(
        cpu="1 vCPU",
        memory="2GB",
        volumes=[{"name": "a"}, {"name": "b", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}],
        container={"healthCheck": {"command": ["CMD", "x"]}},
    )
    shown = ecs.call("RegisterTaskDefinition", **change)["taskDefinition"]
    assert (shown["cpu"], shown["memory"]) == ("1024", "2048")
    health = shown["containerDefinitions"][0]["healthCheck"]
    assert health == {"command": ["CMD", "x"], "interval": 30, "timeout": 5, "retries": 3}
    assert shown["volumes"][0] == {"name": "a", "host": {}}
    assert shown["volumes"][1]["efsVolumeConfiguration"]["rootDirectory"] == "/"


def test_tags_are_beside_the_definition(ecs: Any) -> None:
    """Only include=TAGS shows them (botocore)."""
    ecs.register(tags=[{"key": "a", "value": "b"}])
    assert "tags" not in ecs.call("DescribeTaskDefinition", taskDefinition="web:2")
    answer = ecs.call("DescribeTaskDefinition", taskDefinition="web:2", include=["TAGS"])
    assert answer["tags"] == [{"key": "a", "value": "b"}]


def test_a_family_is_its_latest_active_revision(ecs: Any) -> None:
    """Deregistered revisions do not answer for the family; none left: not found."""
    ecs.register()
    ecs.call("DeregisterTaskDefinition", taskDefinition="web:2")
    assert ecs.call("DescribeTaskDefinition", taskDefinition="web")["taskDefinition"]["revision"] == 1
    assert (
        ecs.call("DescribeTaskDefinition", taskDefinition="web:2")["taskDefinition"]["status"] == "INACTIVE"
    )
    ecs.call("DeregisterTaskDefinition", taskDefinition="web:1")
    assert ecs.refusal("DescribeTaskDefinition", taskDefinition="web") == (
        "ClientException",
        "Unable to describe task definition.",
    )


def test_revisions_are_never_reused(ecs: Any) -> None:
    """After deletion the family goes on counting (botocore, DeleteTaskDefinitions)."""
    ecs.call("DeregisterTaskDefinition", taskDefinition="web:1")
    answer = ecs.call("DeleteTaskDefinitions", taskDefinitions=["web:1"])
    assert answer["taskDefinitions"][0]["status"] == "DELETE_IN_PROGRESS"
    assert ecs.call("ListTaskDefinitions", status="DELETE_IN_PROGRESS")["taskDefinitionArns"]
    ecs.run(120)
    assert ecs.refusal("DescribeTaskDefinition", taskDefinition="web:1")[0] == "ClientException"
    assert ecs.register().endswith(":2")


def test_a_used_definition_is_not_gone_before_its_service(ecs: Any) -> None:
    """It stays DELETE_IN_PROGRESS while a service runs it, and the service still scales."""
    ecs.create()
    ecs.until(ecs.completed)
    ecs.call("DeregisterTaskDefinition", taskDefinition="web:1")
    ecs.call("DeleteTaskDefinitions", taskDefinitions=["web:1"])
    ecs.run(600)
    ecs.call("UpdateService", cluster="main", service="web", desiredCount=3)
    ecs.until(ecs.completed)
    shown = ecs.call("DescribeTaskDefinition", taskDefinition="web:1")["taskDefinition"]
    assert shown["status"] == "DELETE_IN_PROGRESS"


def test_active_and_unknown_definitions_are_not_deleted(ecs: Any) -> None:
    """They are failures; a call names ten at most."""
    answer = ecs.call("DeleteTaskDefinitions", taskDefinitions=["web:1", "web:9"])
    assert answer["taskDefinitions"] == []
    assert [item["arn"] for item in answer["failures"]] == [
        "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:1",
        "web:9",
    ]
    code, _ = ecs.refusal("DeleteTaskDefinitions", taskDefinitions=[f"web:{n}" for n in range(11)])
    assert code == "InvalidParameterException"


def test_deregister_needs_a_revision_and_works_once(ecs: Any) -> None:
    """A family alone, an unknown and an INACTIVE revision are refused; the time is kept."""
    assert ecs.refusal("DeregisterTaskDefinition", taskDefinition="web")[0] == "ClientException"
    assert ecs.refusal("DeregisterTaskDefinition", taskDefinition="web:9")[0] == "ClientException"
    shown = ecs.call("DeregisterTaskDefinition", taskDefinition="web:1")["taskDefinition"]
    assert (shown["status"], shown["deregisteredAt"]) == ("INACTIVE", ecs.clock.now())
    assert ecs.refusal("DeregisterTaskDefinition", taskDefinition="web:1")[0] == "ClientException"


def test_lists_sort_filter_and_page(ecs: Any) -> None:
    """By family and number (2 before 10), DESC reverses, familyPrefix is the whole name."""
    for _ in range(10):
        ecs.register()
    ecs.register("web-other")
    ascending = ecs.call("ListTaskDefinitions", familyPrefix="web")["taskDefinitionArns"]
    assert [arn.rsplit(":", 1)[1] for arn in ascending] == [str(n) for n in range(1, 12)]
    descending = ecs.call("ListTaskDefinitions", sort="DESC", maxResults=2)
    assert [arn.rsplit("/", 1)[1] for arn in descending["taskDefinitionArns"]] == ["web-other:1", "web:11"]
    following = ecs.call("ListTaskDefinitions", sort="DESC", maxResults=2, nextToken=descending["nextToken"])
    assert [arn.rsplit("/", 1)[1] for arn in following["taskDefinitionArns"]] == ["web:10", "web:9"]


def test_families_by_status(ecs: Any) -> None:
    """All unless said (botocore); ACTIVE ones have an ACTIVE revision; the prefix is a prefix here."""
    ecs.register("web-old")
    ecs.call("DeregisterTaskDefinition", taskDefinition="web-old:1")
    assert ecs.call("ListTaskDefinitionFamilies")["families"] == ["web", "web-old"]
    assert ecs.call("ListTaskDefinitionFamilies", status="ACTIVE")["families"] == ["web"]
    assert ecs.call("ListTaskDefinitionFamilies", status="INACTIVE")["families"] == ["web-old"]
    assert ecs.call("ListTaskDefinitionFamilies", status="ALL", familyPrefix="web-")["families"] == [
        "web-old"
    ]
