"""Task sets of the EXTERNAL controller."""

from __future__ import annotations

from typing import Any

import pytest

from sluice_sandbox.aws.estate import SECURITY_GROUP_ID, SUBNET_IDS

GROUP = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web/0123456789abcdef"
SET = {
    "cluster": "main",
    "service": "web",
    "taskDefinition": "web",
    "launchType": "FARGATE",
    "networkConfiguration": {
        "awsvpcConfiguration": {"subnets": list(SUBNET_IDS), "securityGroups": [SECURITY_GROUP_ID]}
    },
    "loadBalancers": [{"targetGroupArn": GROUP, "containerName": "app", "containerPort": 8080}],
}
OF = {"cluster": "main", "service": "web"}


@pytest.fixture
def external(ecs: Any) -> Any:
    """Give a stand-in whose service `web` has the EXTERNAL controller and wants five tasks."""
    ecs.call(
        "CreateService",
        cluster="main",
        serviceName="web",
        desiredCount=5,
        deploymentController={"type": "EXTERNAL"},
    )
    return ecs


def shown(ecs: Any, name: str) -> dict[str, Any]:
    """Describe one task set."""
    return dict(ecs.call("DescribeTaskSets", **OF, taskSets=[name])["taskSets"][0])


def test_a_set_runs_its_share_rounded_up(external: Any) -> None:
    """30 % of 5 is 2 tasks (botocore, computedDesiredCount), registered and steady."""
    made = external.call("CreateTaskSet", **SET, scale={"value": 30.0, "unit": "PERCENT"}, externalId="x")[
        "taskSet"
    ]
    assert (made["computedDesiredCount"], made["status"], made["externalId"]) == (2, "ACTIVE", "x")
    assert made["stabilityStatus"] == "STABILIZING"
    external.until(lambda: shown(external, made["id"])["stabilityStatus"] == "STEADY_STATE")
    assert shown(external, made["taskSetArn"])["runningCount"] == 2
    assert len(external.groups.registered) == 2
    (listed,) = external.describe()["taskSets"]
    assert listed["id"] == made["id"]


def test_scaling_promotion_and_deletion(external: Any) -> None:
    """Two sets, one scaled up and made PRIMARY, the other drained and gone."""
    whole = {"value": 100.0, "unit": "PERCENT"}
    old = external.call("CreateTaskSet", **SET, scale=whole)["taskSet"]["id"]
    external.register()
    new = external.call(
        "CreateTaskSet", **(SET | {"taskDefinition": "web:2"}), scale={"value": 0, "unit": "PERCENT"}
    )
    name = new["taskSet"]["id"]
    external.call("UpdateServicePrimaryTaskSet", **OF, primaryTaskSet=old)
    external.until(lambda: external.describe()["runningCount"] == 5)
    external.call("UpdateTaskSet", **OF, taskSet=name, scale={"value": 100, "unit": "PERCENT"})
    external.until(lambda: external.describe()["runningCount"] == 10)
    external.call("UpdateServicePrimaryTaskSet", **OF, primaryTaskSet=name)
    assert external.describe()["taskDefinition"].endswith(":2")
    assert external.refusal("DeleteTaskSet", **OF, taskSet=old)[0] == "InvalidParameterException"
    drained = external.call("DeleteTaskSet", **OF, taskSet=old, force=True)["taskSet"]
    assert drained["status"] == "DRAINING"
    external.until(lambda: [item["id"] for item in external.describe()["taskSets"]] == [name])
    assert external.describe()["runningCount"] == 5


def test_desired_count_scales_every_set(external: Any) -> None:
    """UpdateService on an EXTERNAL service changes what the sets compute."""
    made = external.call("CreateTaskSet", **SET, scale={"value": 50, "unit": "PERCENT"})["taskSet"]["id"]
    external.call("UpdateService", **OF, desiredCount=2)
    external.until(lambda: shown(external, made)["stabilityStatus"] == "STEADY_STATE")
    assert shown(external, made)["runningCount"] == 1


def test_a_crashed_task_of_a_set_is_replaced(external: Any) -> None:
    """The keeper replaces what ends."""
    made = external.call("CreateTaskSet", **SET, scale={"value": 20, "unit": "PERCENT"})["taskSet"]["id"]
    external.until(lambda: shown(external, made)["stabilityStatus"] == "STEADY_STATE")
    external.runtime.crash(external.tasks()[0]["taskArn"])
    external.until(lambda: shown(external, made)["runningCount"] == 0)
    external.until(lambda: shown(external, made)["stabilityStatus"] == "STEADY_STATE")


def test_deleting_the_service_ends_its_sets(external: Any) -> None:
    """A forced deletion drains the tasks of all sets."""
    external.call("CreateTaskSet", **SET, scale={"value": 100, "unit": "PERCENT"})
    external.run(2)
    external.call("DeleteService", **OF, force=True)
    external.until(lambda: external.describe()["status"] == "INACTIVE")


def test_refusals(external: Any) -> None:
    """Other controllers, unknown sets and definitions, a sixth set, an impossible scale."""
    external.create("rolling")
    assert (
        external.refusal("CreateTaskSet", **(SET | {"service": "rolling"}))[0] == "InvalidParameterException"
    )
    assert (
        external.refusal("UpdateTaskSet", **OF, taskSet="x", scale={"value": 1})[0]
        == "TaskSetNotFoundException"
    )
    assert external.refusal("CreateTaskSet", **(SET | {"taskDefinition": "no"}))[0] == "ClientException"
    assert external.refusal("CreateTaskSet", **SET, scale={"value": 101})[0] == "InvalidParameterException"
    assert external.refusal("CreateTaskSet", **(SET | {"service": "no"}))[0] == "ServiceNotFoundException"
    for _ in range(5):
        external.call("CreateTaskSet", **SET)
    assert external.refusal("CreateTaskSet", **SET)[0] == "LimitExceededException"
    missing = external.call("DescribeTaskSets", **OF, taskSets=["x"])
    assert missing == {"taskSets": [], "failures": [{"arn": "x", "reason": "MISSING"}]}


def test_token_is_idempotent(external: Any) -> None:
    """The same clientToken gives the same set."""
    first = external.call("CreateTaskSet", **SET, clientToken="t")["taskSet"]["id"]
    assert external.call("CreateTaskSet", **SET, clientToken="t")["taskSet"]["id"] == first
