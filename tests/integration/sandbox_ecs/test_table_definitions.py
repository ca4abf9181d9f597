"""The research table's rows for task definitions, over boto3."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from integration.sandbox_ecs.ecs_port import code_of, definition, fresh, until

CLIENT = "ClientException"
REFUSALS = {CLIENT, "InvalidParameterException"}


def containers(*changes: dict[str, Any]) -> dict[str, Any]:
    """Return the change that replaces all containers."""
    return {
        "containerDefinitions": [
            {"name": f"c{n}", "image": "i:1"} | change for n, change in enumerate(changes)
        ]
    }


IMPOSSIBLE: dict[str, dict[str, Any]] = {
    "no-cpu": {"cpu": None},
    "no-memory": {"memory": None},
    "impossible-pair": {"cpu": "256", "memory": "8192"},
    "odd-cpu": {"cpu": "100"},
    "bridge-on-fargate": {"networkMode": "bridge"},
    "two-of-one-name": containers({"name": "a"}, {"name": "a"}),
    "none-essential": containers({"essential": False}),
    "no-container": {"containerDefinitions": []},
    "ghost-dependency": containers({"dependsOn": [{"containerName": "ghost", "condition": "START"}]}),
    "dependency-cycle": containers(
        {"dependsOn": [{"containerName": "c1", "condition": "START"}]},
        {"dependsOn": [{"containerName": "c0", "condition": "START"}]},
    ),
    "secret-without-role": containers({"secrets": [{"name": "A", "valueFrom": "arn:aws:ssm:::parameter/a"}]}),
    "host-port-differs": containers({"portMappings": [{"containerPort": 80, "hostPort": 81}]}),
    "undeclared-volume": containers({"mountPoints": [{"sourceVolume": "v", "containerPath": "/v"}]}),
    "eleven-containers": containers(*[{} for _ in range(11)]),
    "family-name": {"family": "not valid"},
    "no-image": {"containerDefinitions": [{"name": "a"}]},
    "awslogs-without-role": containers({"logConfiguration": {"logDriver": "awslogs"}}),
    "unknown-network-mode": {"networkMode": "bridged"},
    "unknown-compatibility": {"requiresCompatibilities": ["LAMBDA"]},
    "too-big": containers({"environment": [{"name": "A", "value": "x" * 66000}]}),
    "disk": {"ephemeralStorage": {"sizeInGiB": 20}},
    "privileged": containers({"privileged": True}),
    "reserved-tag": {"tags": [{"key": "aws:x", "value": "y"}]},
    "ec2-without-memory": {"requiresCompatibilities": ["EC2"], "cpu": None, "memory": None},
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_impossible_definitions_are_refused(ecs: Any, case: str) -> None:
    """Nothing is registered of what AWS refuses."""
    params = definition(fresh("bad"), **IMPOSSIBLE[case])
    assert code_of(ecs.register_task_definition, **params) in REFUSALS
    listed = ecs.list_task_definitions(familyPrefix=params["family"])["taskDefinitionArns"]
    assert listed == []


def test_answer_and_description(ecs: Any) -> None:
    """Everything sent comes back, with times, status, compatibilities and attributes; tags beside it."""
    family = fresh("full")
    role = "arn:aws:iam::111122223333:role/x"
    container = {
        "name": "app",
        "image": "nginx:1.27",
        "cpu": 128,
        "memoryReservation": 256,
        "essential": True,
        "portMappings": [{"containerPort": 80, "hostPort": 80, "protocol": "tcp", "name": "http"}],
        "environment": [{"name": "A", "value": "1"}],
        "secrets": [{"name": "S", "valueFrom": "arn:aws:ssm:eu-central-1:111122223333:parameter/s"}],
        "mountPoints": [{"sourceVolume": "data", "containerPath": "/data", "readOnly": True}],
        "healthCheck": {"command": ["CMD", "true"], "interval": 10, "timeout": 5, "retries": 3},
        "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "g"}},
        "ulimits": [{"name": "nofile", "softLimit": 1, "hardLimit": 2}],
        "dockerLabels": {"a": "b"},
        "stopTimeout": 60,
        "readonlyRootFilesystem": True,
        "restartPolicy": {"enabled": True, "ignoredExitCodes": [0], "restartAttemptPeriod": 60},
        "versionConsistency": "disabled",
    }
    params = definition(
        family,
        containerDefinitions=[container],
        taskRoleArn=role,
        executionRoleArn=role,
        volumes=[{"name": "data", "efsVolumeConfiguration": {"fileSystemId": "fs-1", "rootDirectory": "/"}}],
        ephemeralStorage={"sizeInGiB": 30},
        runtimePlatform={"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"},
        enableFaultInjection=True,
        tags=[{"key": "a", "value": "b"}],
    )
    answer = ecs.register_task_definition(**params)
    assert answer["tags"] == params["tags"]
    shown = answer["taskDefinition"]
    described = ecs.describe_task_definition(taskDefinition=family, include=["TAGS"])
    assert described["taskDefinition"] == shown
    assert described["tags"] == params["tags"]
    kept = {key: value for key, value in params.items() if key not in {"tags", "containerDefinitions"}}
    assert {key: shown[key] for key in kept} == kept
    (back,) = shown["containerDefinitions"]
    assert {key: back[key] for key in container} == container
    assert (shown["status"], shown["revision"]) == ("ACTIVE", 1)
    assert shown["taskDefinitionArn"].endswith(f":task-definition/{family}:1")
    assert {"EC2", "FARGATE"} <= set(shown["compatibilities"])
    assert shown["registeredBy"].startswith("arn:aws:")
    assert shown["registeredAt"].tzinfo is not None
    assert {"name": "ecs.capability.task-eni"} in shown["requiresAttributes"]


def test_sizes_in_words(ecs: Any) -> None:
    """`1 vCPU` and `2 GB` are numbers once registered (botocore)."""
    shown = ecs.register_task_definition(**definition(fresh("w"), cpu="1 vCPU", memory="2 GB"))
    assert (shown["taskDefinition"]["cpu"], shown["taskDefinition"]["memory"]) == ("1024", "2048")


def test_revisions_are_never_reused_nor_lost(ecs: Any) -> None:
    """After a deletion, and with sixteen clients at once, every registration has its own number."""
    family = fresh("many")
    ecs.register_task_definition(**definition(family))
    ecs.deregister_task_definition(taskDefinition=f"{family}:1")
    ecs.delete_task_definitions(taskDefinitions=[f"{family}:1"])
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: ecs.register_task_definition(**definition(family)), range(32)))
    numbers = sorted(answer["taskDefinition"]["revision"] for answer in answers)
    assert numbers == list(range(2, 34))


def test_a_family_is_its_latest_active_revision(ecs: Any) -> None:
    """INACTIVE ones answer by number only, with their time; none left is not found."""
    family = fresh("f")
    for _ in range(2):
        ecs.register_task_definition(**definition(family))
    gone = ecs.deregister_task_definition(taskDefinition=f"{family}:2")["taskDefinition"]
    assert gone["status"] == "INACTIVE"
    assert gone["deregisteredAt"].tzinfo is not None
    assert ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]["revision"] == 1
    by_number = ecs.describe_task_definition(taskDefinition=f"{family}:2")["taskDefinition"]
    assert by_number["status"] == "INACTIVE"
    ecs.deregister_task_definition(taskDefinition=f"{family}:1")
    assert code_of(ecs.describe_task_definition, taskDefinition=family) == CLIENT


def test_lists(ecs: Any) -> None:
    """Sorted by number, reversed by DESC, by exact family, by status, in pages."""
    family = fresh("sorted")
    for _ in range(11):
        ecs.register_task_definition(**definition(family))
    ecs.register_task_definition(**definition(f"{family}-other"))

    def numbers(**params: Any) -> list[int]:
        pages = ecs.get_paginator("list_task_definitions").paginate(familyPrefix=family, **params)
        return [int(arn.rsplit(":", 1)[1]) for page in pages for arn in page["taskDefinitionArns"]]

    assert numbers() == list(range(1, 12))
    assert numbers(sort="DESC") == list(range(11, 0, -1))
    assert numbers(PaginationConfig={"PageSize": 3}) == list(range(1, 12))
    ecs.deregister_task_definition(taskDefinition=f"{family}:3")
    assert numbers(status="INACTIVE") == [3]
    assert 3 not in numbers()
    first = ecs.list_task_definitions(familyPrefix=family, maxResults=2)
    assert len(first["taskDefinitionArns"]) == 2
    assert first["nextToken"]


def test_families(ecs: Any) -> None:
    """ACTIVE hides families without an ACTIVE revision; INACTIVE shows only them; the default is all."""
    prefix = fresh("fam")
    for name in ("a", "b"):
        ecs.register_task_definition(**definition(f"{prefix}-{name}"))
    ecs.deregister_task_definition(taskDefinition=f"{prefix}-b:1")

    def families(**params: Any) -> list[str]:
        return list(ecs.list_task_definition_families(familyPrefix=prefix, **params)["families"])

    assert families() == [f"{prefix}-a", f"{prefix}-b"]
    assert families(status="ACTIVE") == [f"{prefix}-a"]
    assert families(status="INACTIVE") == [f"{prefix}-b"]
    assert families(status="ALL") == [f"{prefix}-a", f"{prefix}-b"]


def test_delete(ecs: Any, request_of: Any, family: str) -> None:
    """An ACTIVE one is a failure; a used one stays DELETE_IN_PROGRESS; eleven are too many."""
    answer = ecs.delete_task_definitions(taskDefinitions=[f"{family}:1"])
    assert (answer["taskDefinitions"], len(answer["failures"])) == ([], 1)
    ecs.create_service(**request_of())
    ecs.deregister_task_definition(taskDefinition=f"{family}:1")
    shown = ecs.delete_task_definitions(taskDefinitions=[f"{family}:1"])["taskDefinitions"]
    assert [item["status"] for item in shown] == ["DELETE_IN_PROGRESS"]
    assert (
        ecs.describe_task_definition(taskDefinition=f"{family}:1")["taskDefinition"]["status"]
        == "DELETE_IN_PROGRESS"
    )
    listed = ecs.list_task_definitions(familyPrefix=family, status="DELETE_IN_PROGRESS")
    assert len(listed["taskDefinitionArns"]) == 1
    assert code_of(ecs.create_service, **request_of(serviceName="b", taskDefinition=f"{family}:1")) == CLIENT
    names = [f"{family}:{n}" for n in range(11)]
    assert code_of(ecs.delete_task_definitions, taskDefinitions=names) in REFUSALS
    until(lambda: ecs.list_tasks(cluster=request_of()["cluster"], family=family)["taskArns"])
