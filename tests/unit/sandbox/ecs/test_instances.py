"""Container instances, attributes and StartTask: kept and described, and nothing runs without an agent."""

from __future__ import annotations

import json
from typing import Any

import pytest

INVALID, CLIENT = "InvalidParameterException", "ClientException"


def register(ecs: Any, ec2_id: str = "i-1", **members: Any) -> dict[str, Any]:
    """Register an instance in cluster `main`."""
    document = json.dumps({"instanceId": ec2_id, "region": "eu-west-1"})
    answer = ecs.call(
        "RegisterContainerInstance", cluster="main", instanceIdentityDocument=document, **members
    )
    return dict(answer["containerInstance"])


def test_an_instance_is_kept(ecs: Any) -> None:
    """What the agent tells is described; without an agent it is not connected; the cluster counts it."""
    resources = [{"name": "CPU", "type": "INTEGER", "integerValue": 2048}]
    made = register(
        ecs,
        totalResources=resources,
        versionInfo={"agentVersion": "1.90.0"},
        attributes=[{"name": "ecs.os-type", "value": "linux"}],
        tags=[{"key": "a", "value": "b"}],
    )
    assert made["containerInstanceArn"].startswith(
        "arn:aws:ecs:eu-west-1:111122223333:container-instance/main/"
    )
    (shown,) = ecs.call(
        "DescribeContainerInstances", cluster="main", containerInstances=[made["containerInstanceArn"]]
    )["containerInstances"]
    assert shown == made | {"tags": []}
    assert (shown["status"], shown["agentConnected"], shown["ec2InstanceId"]) == ("ACTIVE", False, "i-1")
    assert shown["registeredResources"] == shown["remainingResources"] == resources
    assert shown["registeredAt"] == ecs.clock.now()
    (cluster,) = ecs.call("DescribeClusters", clusters=["main"])["clusters"]
    assert cluster["registeredContainerInstancesCount"] == 1
    assert ecs.refusal("DeleteCluster", cluster="main")[0] == "ClusterContainsContainerInstancesException"
    ecs.call("DeregisterContainerInstance", cluster="main", containerInstance=made["containerInstanceArn"])
    assert ecs.call("DeleteCluster", cluster="main")["cluster"]["status"] == "INACTIVE"


@pytest.mark.parametrize("document", ["", "nonsense", "[]", "{}"])
def test_an_odd_identity_document_is_refused(ecs: Any, document: str) -> None:
    """It names the EC2 instance, or nothing is registered."""
    refused = ecs.refusal("RegisterContainerInstance", cluster="main", instanceIdentityDocument=document)
    assert refused[0] == CLIENT
    assert ecs.call("ListContainerInstances", cluster="main")["containerInstanceArns"] == []


def test_lists_by_status_and_filter(ecs: Any) -> None:
    """All but INACTIVE ones unless said; simple filters work, others are clearly not modelled."""
    first, second = register(ecs, "i-1"), register(ecs, "i-2", attributes=[{"name": "stack", "value": "x"}])
    arns = [first["containerInstanceArn"], second["containerInstanceArn"]]
    answer = ecs.call(
        "UpdateContainerInstancesState",
        cluster="main",
        containerInstances=[arns[0], "ghost"],
        status="DRAINING",
    )
    assert answer["containerInstances"][0]["status"] == "DRAINING"
    assert [item["reason"] for item in answer["failures"]] == ["MISSING"]

    def listed(**params: Any) -> list[str]:
        return list(ecs.call("ListContainerInstances", cluster="main", **params)["containerInstanceArns"])

    assert listed() == arns
    assert listed(status="DRAINING") == arns[:1]
    assert listed(filter="attribute:stack == x") == arns[1:]
    assert listed(filter="ec2InstanceId == i-1") == arns[:1]
    assert listed(maxResults=1) == arns[:1]
    code, _ = ecs.refusal("ListContainerInstances", cluster="main", filter="registeredAt < 2020-01-01")
    assert code == "UnsupportedFeatureException"
    ecs.call("DeregisterContainerInstance", cluster="main", containerInstance=arns[0], force=True)
    assert listed() == arns[1:]
    again = ecs.refusal("DeregisterContainerInstance", cluster="main", containerInstance=arns[0])
    assert again[0] == INVALID


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("DescribeContainerInstances", {"containerInstances": []}),
        ("DescribeContainerInstances", {"containerInstances": ["x"] * 101}),
        ("UpdateContainerInstancesState", {"containerInstances": ["x"] * 11, "status": "ACTIVE"}),
        ("UpdateContainerInstancesState", {"containerInstances": ["x"], "status": "INACTIVE"}),
        ("DeregisterContainerInstance", {"containerInstance": "ghost"}),
        ("UpdateContainerAgent", {"containerInstance": "ghost"}),
        ("ListAttributes", {"targetType": "container-instance", "attributeValue": "x"}),
        ("PutAttributes", {"attributes": []}),
        ("PutAttributes", {"attributes": [{"name": "x", "targetId": "ghost"}]}),
        ("StartTask", {"taskDefinition": "web", "containerInstances": ["x"] * 11}),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value)[:40],
)
def test_impossible_calls_are_refused(ecs: Any, operation: str, params: dict[str, Any]) -> None:
    """Botocore's limits: 100 described, 10 changed, two statuses, a name with a value."""
    assert ecs.refusal(operation, cluster="main", **params)[0] == INVALID


def test_unknown_instances_are_failures(ecs: Any) -> None:
    """DescribeContainerInstances answers MISSING with an ARN."""
    answer = ecs.call("DescribeContainerInstances", cluster="main", containerInstances=["x"])
    assert answer["failures"] == [
        {"arn": "arn:aws:ecs:eu-west-1:111122223333:container-instance/main/x", "reason": "MISSING"}
    ]


def test_there_is_no_agent_to_update(ecs: Any) -> None:
    """NoUpdateAvailableException, one of UpdateContainerAgent's own errors."""
    made = register(ecs)
    code, _ = ecs.refusal(
        "UpdateContainerAgent", cluster="main", containerInstance=made["containerInstanceArn"]
    )
    assert code == "NoUpdateAvailableException"


def test_attributes(ecs: Any) -> None:
    """Put, list by name and value, delete; ten custom ones per instance; unknown targets are not found."""
    made = register(ecs, attributes=[{"name": "ecs.os-type", "value": "linux"}])
    arn = made["containerInstanceArn"]
    custom = [{"name": f"a{n}", "value": str(n), "targetId": arn} for n in range(10)]
    assert ecs.call("PutAttributes", cluster="main", attributes=custom)["attributes"] == custom

    def listed(**params: Any) -> list[tuple[str, str]]:
        answer = ecs.call("ListAttributes", cluster="main", targetType="container-instance", **params)
        return [(item["name"], item["value"]) for item in answer["attributes"]]

    assert len(listed()) == 11
    assert listed(attributeName="a3") == [("a3", "3")]
    assert listed(attributeName="a3", attributeValue="4") == []
    over = {"name": "a10", "targetId": arn}
    assert (
        ecs.refusal("PutAttributes", cluster="main", attributes=[over])[0]
        == "AttributeLimitExceededException"
    )
    ecs.call("PutAttributes", cluster="main", attributes=[custom[3] | {"value": "new"}])
    assert listed(attributeName="a3") == [("a3", "new")]
    gone = ecs.call("DeleteAttributes", cluster="main", attributes=[{"name": "a3", "targetId": arn}, over])[
        "attributes"
    ]
    assert [item["name"] for item in gone] == ["a3"]
    assert listed(attributeName="a3") == []
    unknown = {"name": "x", "targetId": "ghost", "targetType": "container-instance"}
    for operation in ("PutAttributes", "DeleteAttributes"):
        assert ecs.refusal(operation, cluster="main", attributes=[unknown])[0] == "TargetNotFoundException"
    for odd in ({"name": "a b"}, {"name": "a" * 129}, {"name": "a", "value": " x"}):
        assert (
            ecs.refusal("PutAttributes", cluster="main", attributes=[odd | {"targetId": arn}])[0] == INVALID
        )


def test_no_task_starts_without_an_agent(ecs: Any, request_of: Any) -> None:
    """StartTask, RunTask and services say AGENT (ECS developer guide, API failure reasons)."""
    arn = register(ecs)["containerInstanceArn"]
    network = request_of()["networkConfiguration"]
    answer = ecs.call(
        "StartTask",
        cluster="main",
        taskDefinition="web",
        containerInstances=[arn, "ghost"],
        networkConfiguration=network,
    )
    assert answer["tasks"] == []
    assert [item["reason"] for item in answer["failures"]] == ["AGENT", "MISSING"]
    ran = ecs.call(
        "RunTask",
        cluster="main",
        taskDefinition="web",
        launchType="EC2",
        count=2,
        networkConfiguration=network,
    )
    assert (ran["tasks"], [item["reason"] for item in ran["failures"]]) == ([], ["AGENT", "AGENT"])
    ecs.create(launchType="EC2")
    ecs.run(5)
    assert 'encountered error "AGENT"' in ecs.messages()[-1]
