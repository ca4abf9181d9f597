"""RunTask, StopTask, DescribeTasks, ListTasks, protection, exec."""

from __future__ import annotations

from typing import Any

import pytest

from sluice_sandbox.aws.estate import SECURITY_GROUP_ID, SUBNET_IDS

INVALID = "InvalidParameterException"
NETWORK = {"awsvpcConfiguration": {"subnets": list(SUBNET_IDS), "securityGroups": [SECURITY_GROUP_ID]}}
RUN = {"cluster": "main", "taskDefinition": "web", "launchType": "FARGATE", "networkConfiguration": NETWORK}


def test_a_task_runs_and_stops(ecs: Any) -> None:
    """RUNNING with an ENI and a digest; StopTask gives code and reason; it stays describable an hour."""
    (task,) = ecs.call("RunTask", **RUN, startedBy="me", tags=[{"key": "a", "value": "b"}])["tasks"]
    assert (task["lastStatus"], task["desiredStatus"]) == ("PROVISIONING", "RUNNING")
    assert (task["group"], task["startedBy"], task["platformVersion"]) == ("family:web", "me", "1.4.0")
    arn = task["taskArn"]

    def shown() -> dict[str, Any]:
        return dict(ecs.call("DescribeTasks", cluster="main", tasks=[arn])["tasks"][0])

    ecs.until(lambda: shown()["lastStatus"] == "RUNNING")
    assert shown()["containers"][0]["imageDigest"].startswith("sha256:")
    assert shown()["containers"][0]["networkInterfaces"][0]["privateIpv4Address"] == "10.42.0.4"
    assert {"createdAt", "startedAt", "pullStartedAt", "pullStoppedAt", "connectivityAt"} <= set(shown())
    ecs.call("StopTask", cluster="main", task=arn, reason="enough")
    ecs.until(lambda: shown()["lastStatus"] == "STOPPED")
    assert (shown()["stopCode"], shown()["stoppedReason"]) == ("UserInitiated", "enough")
    assert shown()["containers"][0]["exitCode"] == 0
    assert ecs.call("ListTasks", cluster="main")["taskArns"] == []
    assert ecs.call("ListTasks", cluster="main", desiredStatus="STOPPED")["taskArns"] == [arn]
    ecs.run(3700)
    assert ecs.call("DescribeTasks", cluster="main", tasks=[arn])["failures"] == [
        {"arn": arn, "reason": "MISSING"}
    ]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "eleven": ({"count": 11}, INVALID),
    "none": ({"count": 0}, INVALID),
    "unknown-definition": ({"taskDefinition": "nope"}, "ClientException"),
    "no-network": ({"networkConfiguration": None}, INVALID),
    "both-launch-and-strategy": ({"capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]}, INVALID),
    "ec2": ({"launchType": "EC2"}, INVALID),
    "started-by": ({"startedBy": "a b"}, INVALID),
    "service-group": ({"group": "service:x"}, INVALID),
    "propagate-service": ({"propagateTags": "SERVICE"}, INVALID),
    "unknown-override": ({"overrides": {"containerOverrides": [{"name": "ghost"}]}}, INVALID),
    "platform": ({"platformVersion": "0.0.1"}, "PlatformUnknownException"),
    "unknown-role": ({"taskDefinition": "roled"}, "ClientException"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_impossible_runs_are_refused(ecs: Any, case: str) -> None:
    """What AWS refuses of RunTask; nothing runs."""
    ecs.register("roled", taskRoleArn="arn:aws:iam::111122223333:role/gone")
    change, code = REFUSED[case]
    params = {key: value for key, value in (RUN | change).items() if value is not None}
    assert ecs.refusal("RunTask", **params)[0] == code
    assert ecs.call("ListTasks", cluster="main")["taskArns"] == []


def test_run_token_is_idempotent(ecs: Any) -> None:
    """The same token gives the same tasks; with another definition it is a conflict."""
    first = ecs.call("RunTask", **RUN, count=2, clientToken="x")["tasks"]
    again = ecs.call("RunTask", **RUN, count=2, clientToken="x")["tasks"]
    assert [task["taskArn"] for task in again] == [task["taskArn"] for task in first]
    ecs.register()
    assert ecs.refusal("RunTask", **RUN, clientToken="x")[0] == "ConflictException"


def test_overrides_reach_the_containers(ecs: Any) -> None:
    """Environment and command of the override are what the runtime gets."""
    override = {"name": "app", "command": ["x"], "environment": [{"name": "A", "value": "1"}]}
    (task,) = ecs.call("RunTask", **RUN, overrides={"containerOverrides": [override]})["tasks"]
    ecs.run(2)
    (launched,) = ecs.runtime.running[task["taskArn"]].containers
    assert (launched.command, dict(launched.environment)) == (("x",), {"A": "1"})


def test_lists_filter(ecs: Any) -> None:
    """By service, family, startedBy and launch type; startedBy stands alone (botocore)."""
    ecs.create()
    ecs.register("job")
    ecs.call("RunTask", **(RUN | {"taskDefinition": "job"}), startedBy="me")
    ecs.until(ecs.completed)

    def number(**filters: str) -> int:
        return len(ecs.call("ListTasks", cluster="main", **filters)["taskArns"])

    assert number() == 3
    assert number(serviceName="web") == 2
    assert number(family="job") == 1
    assert number(startedBy="me") == 1
    assert number(launchType="EC2") == 0
    assert number(desiredStatus="PENDING") == 0
    assert ecs.refusal("ListTasks", cluster="main", startedBy="me", family="job")[0] == INVALID
    assert ecs.refusal("ListTasks", cluster="main", serviceName="nope")[0] == "ServiceNotFoundException"
    assert ecs.refusal("ListTasks", cluster="main", daemonName="d")[0] == "UnsupportedFeatureException"


def test_unknown_tasks(ecs: Any) -> None:
    """StopTask refuses, DescribeTasks has failures, 101 are too many."""
    assert ecs.refusal("StopTask", cluster="main", task="nope") == (
        INVALID,
        "The referenced task was not found.",
    )
    answer = ecs.call("DescribeTasks", cluster="main", tasks=["nope"])
    assert answer["failures"][0]["arn"] == "arn:aws:ecs:eu-west-1:111122223333:task/main/nope"
    assert ecs.refusal("DescribeTasks", cluster="main", tasks=["x"] * 101)[0] == INVALID


def test_a_stopped_service_task_is_replaced(ecs: Any) -> None:
    """StopTask on a service's task: stopped by the user, replaced by the scheduler."""
    ecs.create()
    ecs.until(ecs.completed)
    victim = ecs.tasks()[0]["taskArn"]
    ecs.call("StopTask", cluster="main", task=victim)
    ecs.until(lambda: ecs.stable() and victim not in {task["taskArn"] for task in ecs.tasks()})
    assert ecs.tasks(desired="STOPPED")[0]["stoppedReason"] == "Task stopped by user"


def test_protection(ecs: Any) -> None:
    """Kept for two hours unless said; standalone tasks are TASK_NOT_VALID; limits are checked."""
    ecs.create()
    ecs.until(ecs.completed)
    arn = ecs.tasks()[0]["taskArn"]
    (shown,) = ecs.call("UpdateTaskProtection", cluster="main", tasks=[arn], protectionEnabled=True)[
        "protectedTasks"
    ]
    assert shown["expirationDate"] == ecs.clock.now() + 7200
    told = ecs.call("GetTaskProtection", cluster="main")["protectedTasks"]
    assert sorted(item["protectionEnabled"] for item in told) == [False, True]
    (alone,) = ecs.call("RunTask", **RUN)["tasks"]
    answer = ecs.call(
        "UpdateTaskProtection", cluster="main", tasks=[alone["taskArn"], "x"], protectionEnabled=True
    )
    assert [item["reason"] for item in answer["failures"]] == ["TASK_NOT_VALID", "MISSING"]
    for change in ({"expiresInMinutes": 2881}, {"tasks": ["x"] * 11}):
        params = {"cluster": "main", "tasks": [arn], "protectionEnabled": True} | change
        assert ecs.refusal("UpdateTaskProtection", **params)[0] == INVALID


def test_exec_is_refused_cleanly(ecs: Any) -> None:
    """Without exec: ECS's own text; with it: the stand-in says that it has no shells."""
    (off,) = ecs.call("RunTask", **RUN)["tasks"]
    text = ecs.refusal("RunTask", **RUN, enableExecuteCommand=True)[1]
    assert "a valid task role is not being used" in text
    role = {"overrides": {"taskRoleArn": "arn:aws:iam::111122223333:role/known"}}
    (on,) = ecs.call("RunTask", **RUN | role, enableExecuteCommand=True)["tasks"]
    ecs.run(2)
    command = {"cluster": "main", "command": "sh", "interactive": True}
    assert ecs.refusal("ExecuteCommand", task=off["taskArn"], **command)[0] == INVALID
    assert ecs.refusal("ExecuteCommand", task=on["taskArn"], **command)[0] == "TargetNotConnectedException"


def test_addresses_end_with_the_subnet(ecs: Any) -> None:
    """A /28 has eleven addresses for tasks; then placement fails until one is given back."""
    network = {"awsvpcConfiguration": {"subnets": ["subnet-0f0f0f0f0f0f0f0f0"]}}
    run = RUN | {"networkConfiguration": network}
    first = ecs.call("RunTask", **run, count=10)
    second = ecs.call("RunTask", **run, count=3)
    assert (len(first["tasks"]), len(second["tasks"]), len(second["failures"])) == (10, 1, 2)
    ecs.run(2)
    ecs.call("StopTask", cluster="main", task=first["tasks"][0]["taskArn"])
    ecs.run(2)
    (again,) = ecs.call("RunTask", **run)["tasks"]
    ecs.run(2)
    (again,) = ecs.call("DescribeTasks", cluster="main", tasks=[again["taskArn"]])["tasks"]
    assert again["attachments"][0]["details"][-1]["value"] == "10.43.0.4"


def test_a_task_without_its_interface_tells_the_subnet_alone(ecs: Any) -> None:
    """As RunTask's example of the AWS CLI: PRECREATED with the subnet, no address in the containers."""
    (made,) = ecs.call("RunTask", **RUN)["tasks"]
    (attachment,) = made["attachments"]
    assert (attachment["status"], [item["name"] for item in attachment["details"]]) == (
        "PRECREATED",
        ["subnetId"],
    )
    assert made["containers"][0]["networkInterfaces"] == []
    ecs.run(2)
    (running,) = ecs.call("DescribeTasks", cluster="main", tasks=[made["taskArn"]])["tasks"]
    address = running["attachments"][0]["details"][-1]
    assert address["name"] == "privateIPv4Address"
    assert running["containers"][0]["networkInterfaces"][0]["privateIpv4Address"] == address["value"]
