"""Tags of every kind, account settings, protection, exec: the limits botocore documents."""

from __future__ import annotations

import json
from typing import Any

import pytest

INVALID = "InvalidParameterException"
PREFIX = "arn:aws:ecs:eu-west-1:111122223333:"
ROOT = "arn:aws:iam::111122223333:root"
EXTERNAL = {
    "deploymentController": {"type": "EXTERNAL"},
    "taskDefinition": None,
    "networkConfiguration": None,
    "loadBalancers": None,
    "launchType": None,
}


@pytest.fixture
def resources(ecs: Any, request_of: Any) -> dict[str, str]:
    """Give one ARN of each kind that ECS tags."""
    service = ecs.create()
    ecs.until(ecs.completed)
    ecs.create("ext", **EXTERNAL)
    task_set = ecs.call(
        "CreateTaskSet",
        cluster="main",
        service="ext",
        taskDefinition="web",
        networkConfiguration=request_of()["networkConfiguration"],
    )["taskSet"]
    group = {"autoScalingGroupArn": "arn:aws:autoscaling:::x"}
    provider = ecs.call("CreateCapacityProvider", name="asg", autoScalingGroupProvider=group)
    instance = ecs.call(
        "RegisterContainerInstance",
        cluster="main",
        instanceIdentityDocument=json.dumps({"instanceId": "i-1"}),
    )
    return {
        "cluster": service["clusterArn"],
        "service": service["serviceArn"],
        "task": ecs.tasks()[0]["taskArn"],
        "task-definition": service["taskDefinition"],
        "task-set": task_set["taskSetArn"],
        "capacity-provider": provider["capacityProvider"]["capacityProviderArn"],
        "container-instance": instance["containerInstance"]["containerInstanceArn"],
    }


@pytest.mark.parametrize(
    "kind",
    ["cluster", "service", "task", "task-definition", "task-set", "capacity-provider", "container-instance"],
)
def test_every_kind_is_tagged(ecs: Any, resources: dict[str, str], kind: str) -> None:
    """Tag, overwrite, list, untag; 50 at most; nothing of aws: is set or taken away."""
    arn = resources[kind]
    assert f":{kind}/" in arn
    ecs.call("TagResource", resourceArn=arn, tags=[{"key": "k", "value": "1"}, {"key": "l", "value": "2"}])
    ecs.call("TagResource", resourceArn=arn, tags=[{"key": "k", "value": "3"}])
    assert ecs.call("ListTagsForResource", resourceArn=arn)["tags"] == [
        {"key": "k", "value": "3"},
        {"key": "l", "value": "2"},
    ]
    ecs.call("UntagResource", resourceArn=arn, tagKeys=["k", "never"])
    many = [{"key": f"n{n}", "value": ""} for n in range(49)]
    ecs.call("TagResource", resourceArn=arn, tags=many)
    over = [{"key": "one more", "value": ""}]
    assert ecs.refusal("TagResource", resourceArn=arn, tags=over)[0] == "LimitExceededException"
    assert ecs.refusal("UntagResource", resourceArn=arn, tagKeys=["aws:x"])[0] == INVALID


@pytest.mark.parametrize(
    ("arn", "code"),
    [
        pytest.param("nonsense", INVALID, id="no ARN"),
        pytest.param("arn:aws:s3:::bucket", INVALID, id="another service"),
        pytest.param(PREFIX + "cluster/nope", "ClusterNotFoundException", id="cluster"),
        pytest.param(PREFIX + "service/main/nope", "ResourceNotFoundException", id="service"),
        pytest.param(PREFIX + "task/main/nope", "ResourceNotFoundException", id="task"),
        pytest.param(PREFIX + "task-definition/web:9", "ResourceNotFoundException", id="definition"),
        pytest.param(PREFIX + "task-definition/web", "ResourceNotFoundException", id="family"),
        pytest.param(PREFIX + "capacity-provider/nope", "ResourceNotFoundException", id="provider"),
    ],
)
def test_unknown_resources_have_no_tags(ecs: Any, arn: str, code: str) -> None:
    """The same refusal by all three operations."""
    assert ecs.refusal("ListTagsForResource", resourceArn=arn)[0] == code
    assert ecs.refusal("TagResource", resourceArn=arn, tags=[{"key": "a", "value": ""}])[0] == code
    assert ecs.refusal("UntagResource", resourceArn=arn, tagKeys=["a"])[0] == code


def test_a_deleted_cluster_is_not_tagged(ecs: Any) -> None:
    """Its own text, by which clients know it."""
    ecs.call("CreateCluster", clusterName="gone")
    ecs.call("DeleteCluster", cluster="gone")
    tags = [{"key": "a", "value": "b"}]
    assert ecs.refusal("TagResource", resourceArn=PREFIX + "cluster/gone", tags=tags) == (
        INVALID,
        "The specified cluster is inactive. Specify an active cluster and try again.",
    )


def test_settings_of_the_root_are_everybody_s(ecs: Any) -> None:
    """What root sets is the account's default; an own value wins; deleting it brings the default back."""
    put = {"name": "containerInsights"}
    assert ecs.call("PutAccountSetting", principalArn=ROOT, value="enhanced", **put)["setting"] == {
        "name": "containerInsights",
        "value": "enhanced",
        "principalArn": ROOT,
        "type": "user",
    }

    def effective() -> str:
        answer = ecs.call("ListAccountSettings", effectiveSettings=True, **put)
        return str(answer["settings"][0]["value"])

    assert effective() == "enhanced"
    made = ecs.call("CreateCluster", clusterName="c")["cluster"]
    assert made["settings"] == [{"name": "containerInsights", "value": "enhanced"}]
    ecs.call("PutAccountSetting", value="disabled", **put)
    assert effective() == "disabled"
    assert ecs.call("DeleteAccountSetting", **put)["setting"]["value"] == "enhanced"
    assert effective() == "enhanced"


def test_settings_have_names_values_and_pages(ecs: Any) -> None:
    """Eleven names, ten a page; a value only with a name; AWS manages one of them."""
    first = ecs.call("ListAccountSettings", effectiveSettings=True)
    rest = ecs.call("ListAccountSettings", effectiveSettings=True, nextToken=first["nextToken"])
    settings = first["settings"] + rest["settings"]
    assert (len(first["settings"]), len({item["name"] for item in settings})) == (10, 11)
    managed = [item["name"] for item in settings if item["type"] == "aws_managed"]
    assert managed == ["guardDutyActivate"]
    assert ecs.refusal("ListAccountSettings", value="enabled")[0] == INVALID
    assert ecs.refusal("ListAccountSettings", maxResults=11)[0] == INVALID
    assert ecs.refusal("PutAccountSetting", name="guardDutyActivate", value="on")[0] == INVALID
    wait = {"name": "fargateTaskRetirementWaitPeriod"}
    assert ecs.call("PutAccountSettingDefault", value="14", **wait)["setting"]["value"] == "14"
    assert ecs.refusal("PutAccountSettingDefault", value="8", **wait)[0] == INVALID


EXEC: dict[str, tuple[dict[str, Any], str]] = {
    "not-interactive": ({"interactive": False}, "Interactive is the only mode supported"),
    "unknown-container": ({"container": "ghost"}, "The container ghost was not found"),
    "no-container-of-two": ({"container": None}, "several containers"),
    "not-enabled": ({}, "execute command was not enabled"),
    "unknown-task": ({"task": "ghost"}, "The referenced task was not found."),
}


@pytest.mark.parametrize("case", EXEC)
def test_exec_refusals(ecs: Any, request_of: Any, case: str) -> None:
    """InvalidParameterException with the reason, before anything is tried."""
    containers = [{"name": name, "image": "i"} for name in ("a", "b")]
    ecs.register("two", containerDefinitions=containers)
    (task,) = ecs.call(
        "RunTask",
        cluster="main",
        taskDefinition="two",
        launchType="FARGATE",
        networkConfiguration=request_of()["networkConfiguration"],
    )["tasks"]
    base = {
        "cluster": "main",
        "task": task["taskArn"],
        "container": "a",
        "command": "sh",
        "interactive": True,
    }
    early = ecs.refusal("ExecuteCommand", **base)
    assert early == (INVALID, "The execute command failed because your task is not in the running state.")
    ecs.run(3)
    change, text = EXEC[case]
    params = {key: value for key, value in (base | change).items() if value is not None}
    code, message = ecs.refusal("ExecuteCommand", **params)
    assert code == INVALID
    assert text in message


def test_protection_ends_by_itself_and_is_asked_in_hundreds(ecs: Any) -> None:
    """Protection lasts from 1 to 2880 minutes; GetTaskProtection takes 100 names."""
    ecs.create()
    ecs.until(ecs.completed)
    arn = ecs.tasks()[0]["taskArn"]
    ecs.call("UpdateTaskProtection", cluster="main", tasks=[arn], protectionEnabled=True, expiresInMinutes=1)

    def protected() -> bool:
        (told,) = ecs.call("GetTaskProtection", cluster="main", tasks=[arn])["protectedTasks"]
        return bool(told["protectionEnabled"])

    assert protected()
    ecs.run(61)
    assert not protected()
    assert ecs.refusal("GetTaskProtection", cluster="main", tasks=["x"] * 101)[0] == INVALID
    missing = ecs.call("GetTaskProtection", cluster="main", tasks=["x"])["failures"]
    assert [item["reason"] for item in missing] == ["MISSING"]
