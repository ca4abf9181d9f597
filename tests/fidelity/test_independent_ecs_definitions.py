"""What becomes of task definitions: revisions, lists, filters, INACTIVE and DELETE_IN_PROGRESS."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest

from fidelity.outsider import ACCOUNT, REGION, Outsider, fresh, refused


def described(aws: Outsider, name: str, **members: Any) -> dict[str, Any]:
    """Describe a definition."""
    found: dict[str, Any] = aws.ecs.describe_task_definition(taskDefinition=name, **members)["taskDefinition"]
    return found


CONTAINER_MEMBERS: dict[str, Any] = {
    "cpu": 128,
    "memory": 256,
    "memoryReservation": 128,
    "links": None,
    "entryPoint": ["sh", "-c"],
    "command": ["echo hello"],
    "environment": [{"name": "A", "value": "1"}],
    "environmentFiles": [{"value": "arn:aws:s3:::bucket/env.env", "type": "s3"}],
    "secrets": [{"name": "S", "valueFrom": "arn:aws:ssm:eu-west-1:111122223333:parameter/s"}],
    "startTimeout": 30,
    "stopTimeout": 40,
    "user": "1000",
    "workingDirectory": "/srv",
    "readonlyRootFilesystem": True,
    "interactive": True,
    "pseudoTerminal": True,
    "dockerLabels": {"l": "v"},
    "ulimits": [{"name": "nofile", "softLimit": 1024, "hardLimit": 2048}],
    "logConfiguration": {
        "logDriver": "awslogs",
        "options": {"awslogs-group": "g", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "p"},
    },
    "healthCheck": {
        "command": ["CMD-SHELL", "exit 0"],
        "interval": 10,
        "timeout": 5,
        "retries": 3,
        "startPeriod": 1,
    },
    "linuxParameters": {"initProcessEnabled": True},
    "restartPolicy": {"enabled": True, "ignoredExitCodes": [1], "restartAttemptPeriod": 60},
    "versionConsistency": "enabled",
}


@pytest.mark.parametrize("member", [name for name, value in CONTAINER_MEMBERS.items() if value is not None])
def test_container_member_is_kept(aws: Outsider, member: str) -> None:
    """Each member of a container is described as it was registered."""
    value = CONTAINER_MEMBERS[member]
    arn = aws.register(container={member: value}, executionRoleArn=aws.role)
    assert described(aws, arn)["containerDefinitions"][0][member] == value


DEFINITION_MEMBERS: dict[str, Any] = {
    "ephemeralStorage": {"sizeInGiB": 50},
    "runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"},
    "enableFaultInjection": True,
    "pidMode": "task",
    "volumes": [{"name": "scratch", "host": {}}],
}


@pytest.mark.parametrize("member", list(DEFINITION_MEMBERS))
def test_definition_member_is_kept(aws: Outsider, member: str) -> None:
    """Each member of a definition is described as it was registered."""
    arn = aws.register(**{member: DEFINITION_MEMBERS[member]})
    assert described(aws, arn)[member] == DEFINITION_MEMBERS[member]


def test_register_answers_what_aws_adds(aws: Outsider) -> None:
    """A new definition is revision 1, ACTIVE, with time, author, compatibilities and required attributes."""
    family = fresh("app")
    answer = aws.ecs.register_task_definition(
        family=family,
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        executionRoleArn=aws.role,
        containerDefinitions=[{"name": "web", "image": "example.com/web:1"}],
        tags=[{"key": "team", "value": "a"}],
    )
    made = answer["taskDefinition"]
    assert made["taskDefinitionArn"] == f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{family}:1"
    assert made["revision"] == 1
    assert made["status"] == "ACTIVE"
    assert isinstance(made["registeredAt"], datetime)
    assert made["registeredBy"].startswith(f"arn:aws:iam::{ACCOUNT}:")
    assert set(made["compatibilities"]) >= {"EC2", "FARGATE"}
    needs = {attribute["name"] for attribute in made["requiresAttributes"]}
    assert {"ecs.capability.execution-role-ecr-pull", "ecs.capability.task-eni"} & needs
    assert answer["tags"] == [{"key": "team", "value": "a"}]
    assert made["volumes"] == []
    assert made["placementConstraints"] == []


def test_register_fills_in_a_container(aws: Outsider) -> None:
    """Containers are essential by default, their lists empty but there; ports get protocol and host port."""
    family = fresh("app")
    made = aws.ecs.register_task_definition(
        family=family,
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="0.25 vCPU",
        memory="0.5 GB",
        containerDefinitions=[{"name": "web", "image": "i", "portMappings": [{"containerPort": 80}]}],
    )["taskDefinition"]
    container = made["containerDefinitions"][0]
    assert container["essential"] is True
    assert container["cpu"] == 0
    assert container["environment"] == []
    assert container["mountPoints"] == []
    assert container["volumesFrom"] == []
    assert container["portMappings"] == [{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}]
    assert (made["cpu"], made["memory"]) == ("256", "512")


def test_default_network_mode_on_ec2_is_bridge(aws: Outsider) -> None:
    """Without a network mode a definition for EC2 is not compatible with Fargate."""
    made = aws.ecs.register_task_definition(
        family=fresh("ec2"), containerDefinitions=[{"name": "web", "image": "i", "memory": 64}]
    )["taskDefinition"]
    assert "EC2" in made["compatibilities"]
    assert "FARGATE" not in made["compatibilities"]


def test_tags_are_described_when_included(aws: Outsider) -> None:
    """DescribeTaskDefinition tells tags beside the definition, on demand."""
    arn = aws.register(tags=[{"key": "k", "value": "v"}])
    with_tags = aws.ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
    assert with_tags["tags"] == [{"key": "k", "value": "v"}]
    assert not aws.ecs.describe_task_definition(taskDefinition=arn).get("tags")


def test_revisions_count_up(aws: Outsider) -> None:
    """Each registration of a family is its next revision, also when nothing differs."""
    family = fresh("app")
    arns = [aws.register(family=family) for _ in range(3)]
    assert [int(arn.rsplit(":", 1)[1]) for arn in arns] == [1, 2, 3]


def test_concurrent_registrations_lose_no_revision(aws: Outsider) -> None:
    """Twenty registrations at once are twenty revisions."""
    family = fresh("app")
    with ThreadPoolExecutor(8) as pool:
        arns = list(pool.map(lambda _: aws.register(family=family), range(20)))
    assert sorted(int(arn.rsplit(":", 1)[1]) for arn in arns) == list(range(1, 21))


@pytest.mark.parametrize("form", ["family", "family:1", "arn"])
def test_describe_takes_each_form(aws: Outsider, form: str) -> None:
    """A definition is found by family, family:revision and ARN."""
    family = fresh("app")
    arn = aws.register(family=family)
    name = {"family": family, "family:1": f"{family}:1", "arn": arn}[form]
    assert described(aws, name)["taskDefinitionArn"] == arn


def test_family_alone_is_the_newest_active(aws: Outsider) -> None:
    """A family is described by its newest ACTIVE revision."""
    family = fresh("app")
    first = aws.register(family=family)
    second = aws.register(family=family)
    aws.ecs.deregister_task_definition(taskDefinition=second)
    assert described(aws, family)["taskDefinitionArn"] == first


@pytest.mark.parametrize("name", ["no-such-family", "no-such-family:7"])
def test_describe_unknown_is_refused(aws: Outsider, name: str) -> None:
    """What doesn't exist is a ClientException in AWS's words."""
    with refused("ClientException", says="Unable to describe task definition."):
        aws.ecs.describe_task_definition(taskDefinition=name)


def test_deregistered_is_inactive_with_a_time(aws: Outsider) -> None:
    """A deregistered definition is INACTIVE, tells when, and can still be described by its revision."""
    arn = aws.register()
    gone = aws.ecs.deregister_task_definition(taskDefinition=arn)["taskDefinition"]
    assert gone["status"] == "INACTIVE"
    assert isinstance(gone["deregisteredAt"], datetime)
    assert described(aws, arn)["status"] == "INACTIVE"


def test_deregister_wants_a_revision(aws: Outsider) -> None:
    """A family alone is refused."""
    family = fresh("app")
    aws.register(family=family)
    with refused("InvalidParameterException", "ClientException", says="revision"):
        aws.ecs.deregister_task_definition(taskDefinition=family)


def test_deregister_unknown_is_refused(aws: Outsider) -> None:
    """A revision that isn't there can't be deregistered."""
    with refused("ClientException", "InvalidParameterException"):
        aws.ecs.deregister_task_definition(taskDefinition=f"{fresh('none')}:1")


def test_delete_wants_inactive_definitions(aws: Outsider) -> None:
    """An ACTIVE definition isn't deleted but told as a failure."""
    arn = aws.register()
    answer = aws.ecs.delete_task_definitions(taskDefinitions=[arn])
    assert answer["taskDefinitions"] == []
    assert [failure["arn"] for failure in answer["failures"]] == [arn]
    assert described(aws, arn)["status"] == "ACTIVE"


def test_delete_keeps_what_a_service_uses(aws: Outsider) -> None:
    """A definition in use stays DELETE_IN_PROGRESS and can still be described."""
    arn = aws.register()
    aws.service(taskDefinition=arn)
    aws.ecs.deregister_task_definition(taskDefinition=arn)
    answer = aws.ecs.delete_task_definitions(taskDefinitions=[arn])
    assert answer["failures"] == []
    assert [each["status"] for each in answer["taskDefinitions"]] == ["DELETE_IN_PROGRESS"]
    assert isinstance(answer["taskDefinitions"][0]["deleteRequestedAt"], datetime)
    assert described(aws, arn)["status"] == "DELETE_IN_PROGRESS"


def test_delete_takes_ten_at_most(aws: Outsider) -> None:
    """More than ten definitions in one call are refused."""
    with refused("InvalidParameterException", "ClientException"):
        aws.ecs.delete_task_definitions(taskDefinitions=[f"f:{n}" for n in range(1, 12)])


def test_revision_is_never_used_again(aws: Outsider) -> None:
    """After all of a family is deleted, the next registration still has the next number."""
    family = fresh("app")
    arn = aws.register(family=family)
    aws.ecs.deregister_task_definition(taskDefinition=arn)
    aws.ecs.delete_task_definitions(taskDefinitions=[arn])
    assert aws.register(family=family).endswith(f"{family}:2")


def test_list_sorts_both_ways(aws: Outsider) -> None:
    """A family is listed by revision, ascending by default and descending on demand."""
    family = fresh("app")
    arns = [aws.register(family=family) for _ in range(11)]
    assert aws.ecs.list_task_definitions(familyPrefix=family)["taskDefinitionArns"] == arns
    down = aws.ecs.list_task_definitions(familyPrefix=family, sort="DESC")["taskDefinitionArns"]
    assert down == arns[::-1]


def test_list_pages(aws: Outsider) -> None:
    """Pages of maxResults chain by nextToken; the last has none."""
    family = fresh("app")
    arns = [aws.register(family=family) for _ in range(3)]
    first = aws.ecs.list_task_definitions(familyPrefix=family, maxResults=2)
    assert first["taskDefinitionArns"] == arns[:2]
    rest = aws.ecs.list_task_definitions(familyPrefix=family, maxResults=2, nextToken=first["nextToken"])
    assert rest["taskDefinitionArns"] == arns[2:]
    assert not rest.get("nextToken")


def test_list_filters_by_status(aws: Outsider) -> None:
    """ACTIVE is the default; INACTIVE is listed on demand."""
    family = fresh("app")
    first, second = aws.register(family=family), aws.register(family=family)
    aws.ecs.deregister_task_definition(taskDefinition=first)
    listed = aws.ecs.list_task_definitions
    assert listed(familyPrefix=family)["taskDefinitionArns"] == [second]
    assert listed(familyPrefix=family, status="INACTIVE")["taskDefinitionArns"] == [first]


def test_list_matches_the_whole_family(aws: Outsider) -> None:
    """FamilyPrefix of ListTaskDefinitions is a full family name, says the reference."""
    family = fresh("app")
    aws.register(family=f"{family}-more")
    arn = aws.register(family=family)
    assert aws.ecs.list_task_definitions(familyPrefix=family)["taskDefinitionArns"] == [arn]


@pytest.mark.parametrize("size", [0, 101])
def test_list_takes_pages_of_1_to_100(aws: Outsider, size: int) -> None:
    """MaxResults is between 1 and 100."""
    with refused("InvalidParameterException", "ClientException"):
        aws.ecs.list_task_definitions(maxResults=size)


def test_families_by_status(aws: Outsider) -> None:
    """ACTIVE families have an ACTIVE revision, INACTIVE none, ALL are both; a prefix is a prefix here."""
    stem = fresh("fam")
    live, dead = f"{stem}-live", f"{stem}-dead"
    aws.register(family=live)
    aws.ecs.deregister_task_definition(taskDefinition=aws.register(family=dead))

    def families(status: str) -> list[str]:
        listed: list[str] = aws.ecs.list_task_definition_families(familyPrefix=stem, status=status)[
            "families"
        ]
        return listed

    assert families("ACTIVE") == [live]
    assert families("INACTIVE") == [dead]
    assert families("ALL") == [dead, live]
