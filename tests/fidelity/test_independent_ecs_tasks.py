"""Tasks by themselves: started, stopped, listed, protected."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from fidelity.outsider import ACCOUNT, REGION, Outsider, fresh, refused, until

UNKNOWN = "0" * 32


def run(aws: Outsider, **members: Any) -> list[dict[str, Any]]:
    """Run a Fargate task."""
    answer = aws.run(**members)
    assert answer["failures"] == []
    started: list[dict[str, Any]] = answer["tasks"]
    return started


def task(aws: Outsider, arn: str) -> dict[str, Any]:
    """Describe a task."""
    found: dict[str, Any] = aws.ecs.describe_tasks(cluster=aws.cluster, tasks=[arn], include=["TAGS"])[
        "tasks"
    ][0]
    return found


def test_run_task_passes_through_its_states(aws: Outsider) -> None:
    """A task is PROVISIONING or PENDING first, then RUNNING, and stays so however often it is described."""
    (made,) = run(aws)
    assert made["lastStatus"] in {"PROVISIONING", "PENDING"}
    assert made["desiredStatus"] == "RUNNING"
    assert made["group"].startswith("family:")
    assert made["attachments"][0]["type"] == "ElasticNetworkInterface"
    until(lambda: task(aws, made["taskArn"])["lastStatus"] == "RUNNING")
    assert {task(aws, made["taskArn"])["lastStatus"] for _ in range(10)} == {"RUNNING"}
    aws.ecs.stop_task(cluster=aws.cluster, task=made["taskArn"])


def test_waiter_tasks_running(aws: Outsider) -> None:
    """The waiter `tasks_running` of boto3 ends."""
    (made,) = run(aws)
    aws.ecs.get_waiter("tasks_running").wait(
        cluster=aws.cluster, tasks=[made["taskArn"]], WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    aws.ecs.stop_task(cluster=aws.cluster, task=made["taskArn"])


def test_run_task_starts_all_containers(aws: Outsider) -> None:
    """Each container of the definition is told."""
    arn = aws.register(
        containerDefinitions=[
            {"name": "web", "image": "example.com/web:1"},
            {"name": "side", "image": "example.com/side:1", "essential": False},
        ]
    )
    (made,) = run(aws, taskDefinition=arn)
    assert [each["name"] for each in made["containers"]] == ["web", "side"]
    assert {each["lastStatus"] for each in made["containers"]} == {"PENDING"}


def test_run_task_takes_ten_at_most(aws: Outsider) -> None:
    """A count of ten is started, eleven are refused."""
    assert len(run(aws, count=10)) == 10
    with refused("InvalidParameterException"):
        run(aws, count=11)


def test_run_task_keeps_what_it_is_told(aws: Outsider) -> None:
    """startedBy, group, tags, overrides and ephemeral storage are kept."""
    overrides = {
        "containerOverrides": [
            {"name": "web", "environment": [{"name": "A", "value": "1"}], "command": ["x"]}
        ],
        "cpu": "512",
        "memory": "1024",
    }
    (made,) = run(aws, startedBy="me", group="mine", tags=[{"key": "k", "value": "v"}], overrides=overrides)
    found = task(aws, made["taskArn"])
    assert found["startedBy"] == "me"
    assert found["group"] == "mine"
    assert found["tags"] == [{"key": "k", "value": "v"}]
    assert found["overrides"]["containerOverrides"][0]["environment"] == [{"name": "A", "value": "1"}]
    assert (found["cpu"], found["memory"]) == ("512", "1024")


def test_run_task_with_memory_of_the_task_alone(aws: Outsider) -> None:
    """A container needs no memory of its own where the task has some."""
    definition = aws.ecs.describe_task_definition(taskDefinition=aws.plain)["taskDefinition"]
    assert "memory" not in definition["containerDefinitions"][0]
    (made,) = run(aws)
    assert made["memory"] == "512"


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        ({"networkConfiguration": None}, ["InvalidParameterException"]),
        ({"taskDefinition": "no-such-family"}, ["ClientException"]),
        ({"cluster": "no-such-cluster"}, ["ClusterNotFoundException"]),
        ({"count": 0}, ["InvalidParameterException"]),
        ({"startedBy": "x" * 129}, ["InvalidParameterException"]),
        ({"overrides": {"containerOverrides": [{"name": "ghost"}]}}, ["InvalidParameterException"]),
        (
            {"capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}]},
            ["InvalidParameterException"],
        ),
        ({"platformVersion": "9.9"}, ["PlatformUnknownException", "InvalidParameterException"]),
        ({"tags": [{"key": "aws:x", "value": "y"}]}, ["InvalidParameterException", "ClientException"]),
        ({"enableExecuteCommand": True}, ["InvalidParameterException"]),
    ],
    ids=[
        "network",
        "definition",
        "cluster",
        "count",
        "startedBy",
        "override",
        "both",
        "platform",
        "tag",
        "exec",
    ],
)
def test_run_task_refuses(aws: Outsider, change: dict[str, Any], codes: list[str]) -> None:
    """Each of these is refused."""
    with refused(*codes):
        run(aws, **change)


def test_run_task_is_idempotent_by_token(aws: Outsider) -> None:
    """The same client token answers the same task."""
    token = fresh("token")
    first, second = run(aws, clientToken=token), run(aws, clientToken=token)
    assert first[0]["taskArn"] == second[0]["taskArn"]


def test_ec2_without_instances_is_a_failure(aws: Outsider) -> None:
    """On EC2 without container instances RunTask is refused in ECS's words."""
    arn = aws.ecs.register_task_definition(
        family=fresh("ec2"), containerDefinitions=[{"name": "web", "image": "i", "memory": 64}]
    )["taskDefinition"]["taskDefinitionArn"]
    with refused("InvalidParameterException", says="No Container Instances were found in your cluster."):
        run(aws, taskDefinition=arn, launchType="EC2", networkConfiguration=None)


def test_stop_task_tells_why(aws: Outsider) -> None:
    """A stopped task has stop code, reason and times, and its containers' exit codes."""
    (made,) = run(aws)
    until(lambda: task(aws, made["taskArn"])["lastStatus"] == "RUNNING")
    stopping = aws.ecs.stop_task(cluster=aws.cluster, task=made["taskArn"], reason="enough")["task"]
    assert stopping["desiredStatus"] == "STOPPED"
    done = until(lambda: task(aws, made["taskArn"]), lambda found: found["lastStatus"] == "STOPPED")
    assert done["stopCode"] == "UserInitiated"
    assert done["stoppedReason"] == "enough"
    assert done["stoppingAt"] <= done["stoppedAt"]
    assert isinstance(done["executionStoppedAt"], datetime)
    assert isinstance(done["containers"][0]["exitCode"], int)
    assert done["containers"][0]["lastStatus"] == "STOPPED"
    aws.ecs.get_waiter("tasks_stopped").wait(cluster=aws.cluster, tasks=[made["taskArn"]])


def test_stop_task_without_a_reason(aws: Outsider) -> None:
    """Without a reason, the reason is that a user stopped it."""
    (made,) = run(aws)
    aws.ecs.stop_task(cluster=aws.cluster, task=made["taskArn"])
    done = until(lambda: task(aws, made["taskArn"]), lambda found: found["lastStatus"] == "STOPPED")
    assert "user" in done["stoppedReason"]


def test_stop_unknown_task(aws: Outsider) -> None:
    """A task that isn't there can't be stopped."""
    with refused("InvalidParameterException", says="The referenced task was not found."):
        aws.ecs.stop_task(cluster=aws.cluster, task=UNKNOWN)


def test_exiting_container_stops_the_task(aws: Outsider) -> None:
    """An essential container that exits stops its task, with its exit code."""
    arn = aws.register(container={"environment": [{"name": "SANDBOX_EXIT", "value": "3"}]})
    (made,) = run(aws, taskDefinition=arn)
    done = until(lambda: task(aws, made["taskArn"]), lambda found: found["lastStatus"] == "STOPPED")
    assert done["stopCode"] == "EssentialContainerExited"
    assert done["stoppedReason"] == "Essential container in task exited"
    assert done["containers"][0]["exitCode"] == 3


def test_describe_tells_missing_tasks(aws: Outsider) -> None:
    """A task that isn't there is a failure with its ARN and MISSING."""
    answer = aws.ecs.describe_tasks(cluster=aws.cluster, tasks=[UNKNOWN])
    assert answer["tasks"] == []
    assert answer["failures"] == [
        {"arn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/{aws.cluster}/{UNKNOWN}", "reason": "MISSING"}
    ]


def test_describe_tasks_takes_a_hundred(aws: Outsider) -> None:
    """More than a hundred tasks in one call are refused."""
    with refused("InvalidParameterException"):
        aws.ecs.describe_tasks(cluster=aws.cluster, tasks=[f"{n:032x}" for n in range(101)])


def test_list_tasks_filters(aws: Outsider) -> None:
    """Service, family, starter and status filter the list; stopped ones are not listed by default."""
    family = fresh("listed")
    arn = aws.register(family=family)
    by_hand = run(aws, taskDefinition=arn, startedBy=fresh("me"))[0]
    service = aws.service(taskDefinition=arn, desiredCount=1)["serviceName"]
    aws.steady(service, running=1)

    def listed(**members: Any) -> set[str]:
        return set(aws.ecs.list_tasks(cluster=aws.cluster, **members)["taskArns"])

    assert len(listed(family=family)) == 2
    assert listed(startedBy=by_hand["startedBy"]) == {by_hand["taskArn"]}
    assert len(listed(serviceName=service)) == 1
    assert by_hand["taskArn"] not in listed(serviceName=service)
    aws.ecs.stop_task(cluster=aws.cluster, task=by_hand["taskArn"])
    until(lambda: task(aws, by_hand["taskArn"])["lastStatus"] == "STOPPED")
    assert by_hand["taskArn"] not in listed(family=family)
    assert listed(family=family, desiredStatus="STOPPED") == {by_hand["taskArn"]}
    assert listed(family=family, launchType="EC2") == set()
    aws.ecs.delete_service(cluster=aws.cluster, service=service, force=True)


def test_list_tasks_pages(aws: Outsider) -> None:
    """Pages of maxResults chain by nextToken."""
    family = fresh("paged")
    made = {each["taskArn"] for each in run(aws, taskDefinition=aws.register(family=family), count=3)}
    first = aws.ecs.list_tasks(cluster=aws.cluster, family=family, maxResults=2)
    rest = aws.ecs.list_tasks(cluster=aws.cluster, family=family, maxResults=2, nextToken=first["nextToken"])
    assert set(first["taskArns"]) | set(rest["taskArns"]) == made
    assert (len(first["taskArns"]), len(rest["taskArns"])) == (2, 1)


def test_execute_command_is_refused_where_not_enabled(aws: Outsider) -> None:
    """A task without ECS Exec refuses a command."""
    (made,) = run(aws)
    until(lambda: task(aws, made["taskArn"])["lastStatus"] == "RUNNING")
    with refused("InvalidParameterException", says="execute command was not enabled"):
        aws.ecs.execute_command(
            cluster=aws.cluster, task=made["taskArn"], container="web", command="ls", interactive=True
        )


def test_protection_is_set_told_and_taken_away(aws: Outsider) -> None:
    """A service's task can be protected for a time, told so, and let go."""
    service = aws.service(desiredCount=1)["serviceName"]
    aws.steady(service, running=1)
    (arn,) = aws.ecs.list_tasks(cluster=aws.cluster, serviceName=service)["taskArns"]
    update = aws.ecs.update_task_protection
    (protected,) = update(cluster=aws.cluster, tasks=[arn], protectionEnabled=True, expiresInMinutes=60)[
        "protectedTasks"
    ]
    assert protected["protectionEnabled"] is True
    assert isinstance(protected["expirationDate"], datetime)
    told = aws.ecs.get_task_protection(cluster=aws.cluster, tasks=[arn])["protectedTasks"]
    assert told == [protected]
    aws.ecs.update_service(cluster=aws.cluster, service=service, desiredCount=0)
    assert task(aws, arn)["desiredStatus"] == "RUNNING"
    (free,) = update(cluster=aws.cluster, tasks=[arn], protectionEnabled=False)["protectedTasks"]
    assert free["protectionEnabled"] is False
    until(lambda: aws.described(service)["runningCount"] == 0)
    aws.ecs.delete_service(cluster=aws.cluster, service=service)


def test_no_more_tasks_are_protected_than_desired(aws: Outsider) -> None:
    """After a scale-in past protected tasks a further protection is a DEPLOYMENT_BLOCKED failure.

    ECS guide, "Task scale-in protection", deployment considerations.
    """
    service = aws.service(desiredCount=2)["serviceName"]
    aws.steady(service, running=2)
    first, second = aws.ecs.list_tasks(cluster=aws.cluster, serviceName=service)["taskArns"]
    update = aws.ecs.update_task_protection
    assert update(cluster=aws.cluster, tasks=[first], protectionEnabled=True)["failures"] == []
    aws.ecs.update_service(cluster=aws.cluster, service=service, desiredCount=0)
    until(lambda: aws.described(service)["runningCount"] == 1)
    (failure,) = update(cluster=aws.cluster, tasks=[first], protectionEnabled=True)["failures"]
    assert failure == {"arn": first, "reason": "DEPLOYMENT_BLOCKED"}
    update(cluster=aws.cluster, tasks=[first], protectionEnabled=False)
    until(lambda: aws.described(service)["runningCount"] == 0)
    assert task(aws, second)["desiredStatus"] == "STOPPED"
    aws.ecs.delete_service(cluster=aws.cluster, service=service)


def test_protection_of_a_lone_task_is_a_failure(aws: Outsider) -> None:
    """Only tasks of a service can be protected."""
    (made,) = run(aws)
    answer = aws.ecs.update_task_protection(
        cluster=aws.cluster, tasks=[made["taskArn"]], protectionEnabled=True
    )
    assert answer["protectedTasks"] == []
    assert answer["failures"][0]["reason"] == "TASK_NOT_VALID"


def test_protection_has_a_range(aws: Outsider) -> None:
    """A protection lasts between a minute and 48 hours."""
    with refused("InvalidParameterException"):
        aws.ecs.update_task_protection(
            cluster=aws.cluster, tasks=[UNKNOWN], protectionEnabled=True, expiresInMinutes=2881
        )
