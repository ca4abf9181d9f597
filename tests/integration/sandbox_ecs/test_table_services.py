"""The research table's rows for CreateService, UpdateService, DeleteService and their lists, over boto3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from integration.sandbox_ecs.ecs_port import Side, code_of, definition, fresh, until

INVALID, CLIENT = "InvalidParameterException", "ClientException"
ROLE = "arn:aws:iam::111122223333:role/x"


@pytest.fixture
def group(side: Side) -> str:
    """Give a target group behind a listener."""
    return side.attached_group()


def behind(group: str, name: str = "app", port: int = 80) -> list[dict[str, Any]]:
    """Return loadBalancers of one group."""
    return [{"targetGroupArn": group, "containerName": name, "containerPort": port}]


MISTAKES: dict[str, Callable[[Side, str], tuple[dict[str, Any], set[str]]]] = {
    "unknown-cluster": lambda _s, _g: ({"cluster": "nope"}, {"ClusterNotFoundException"}),
    "unknown-definition": lambda _s, _g: ({"taskDefinition": "nope"}, {CLIENT}),
    "unknown-group": lambda _s, g: ({"loadBalancers": behind(g[:-4] + "0000")}, {INVALID}),
    "group-without-load-balancer": lambda s, _g: ({"loadBalancers": behind(s.target_group())}, {INVALID}),
    "group-of-instances": lambda s, _g: (
        {"loadBalancers": behind(s.target_group(TargetType="instance"))},
        {INVALID},
    ),
    "unknown-container": lambda _s, g: ({"loadBalancers": behind(g, "ghost")}, {INVALID}),
    "unknown-port": lambda _s, g: ({"loadBalancers": behind(g, port=81)}, {INVALID}),
    "no-network": lambda _s, _g: ({"networkConfiguration": None}, {INVALID}),
    "unknown-subnet": lambda _s, _g: (
        {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-0123456789abcdef0"]}}},
        {INVALID},
    ),
    "unknown-security-group": lambda s, _g: (
        {
            "networkConfiguration": {
                "awsvpcConfiguration": {"subnets": s.subnets, "securityGroups": ["sg-0123456789abcdef0"]}
            }
        },
        {INVALID},
    ),
    "launch-type-and-strategy": lambda _s, _g: (
        {"capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}]},
        {INVALID},
    ),
    "unknown-registry": lambda _s, _g: (
        {
            "serviceRegistries": [
                {"registryArn": "arn:aws:servicediscovery:eu-central-1:111122223333:service/srv-nope"}
            ]
        },
        {INVALID},
    ),
    "unknown-namespace": lambda _s, _g: (
        {"serviceConnectConfiguration": {"enabled": True, "namespace": "nope"}},
        {"NamespaceNotFoundException"},
    ),
    "unknown-connect-port": lambda _s, _g: (
        {
            "serviceConnectConfiguration": {
                "enabled": True,
                "namespace": "nope",
                "services": [{"portName": "ghost"}],
            }
        },
        {INVALID},
    ),
    "minimum-150": lambda _s, _g: ({"deploymentConfiguration": {"minimumHealthyPercent": 150}}, {INVALID}),
    "maximum-50": lambda _s, _g: ({"deploymentConfiguration": {"maximumPercent": 50}}, {INVALID}),
    "100-and-100": lambda _s, _g: (
        {"deploymentConfiguration": {"minimumHealthyPercent": 100, "maximumPercent": 100}},
        {INVALID},
    ),
    "negative-count": lambda _s, _g: ({"desiredCount": -1}, {INVALID}),
    "no-count": lambda _s, _g: ({"desiredCount": None}, {INVALID}),
    "no-definition": lambda _s, _g: ({"taskDefinition": None}, {INVALID}),
    "name-with-space": lambda _s, _g: ({"serviceName": "a b"}, {INVALID}),
    "name-256": lambda _s, _g: ({"serviceName": "a" * 256}, {INVALID}),
    "reserved-tag": lambda _s, _g: ({"tags": [{"key": "aws:x", "value": "y"}]}, {INVALID}),
    "launch-type": lambda _s, _g: ({"launchType": "LAMBDA"}, {INVALID}),
    "scheduling": lambda _s, _g: ({"schedulingStrategy": "RANDOM"}, {INVALID}),
    "propagation": lambda _s, _g: ({"propagateTags": "ALL"}, {INVALID}),
    "controller": lambda _s, _g: ({"deploymentController": {"type": "ARGO"}}, {INVALID}),
    "platform": lambda _s, _g: ({"platformVersion": "9.9.9"}, {"PlatformUnknownException"}),
    "placement-on-fargate": lambda _s, _g: ({"placementStrategy": [{"type": "random"}]}, {INVALID}),
    "volume-that-is-not-there": lambda _s, _g: (
        {"volumeConfigurations": [{"name": "v", "managedEBSVolume": {"roleArn": ROLE, "sizeInGiB": 1}}]},
        {INVALID},
    ),
    "daemon-on-fargate": lambda _s, _g: ({"schedulingStrategy": "DAEMON", "desiredCount": None}, {INVALID}),
    "token-of-37": lambda _s, _g: ({"clientToken": "t" * 37}, {INVALID}),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_impossible_services_are_refused(
    ecs: Any, side: Side, group: str, request_of: Any, case: str
) -> None:
    """With the code that AWS documents; nothing is created."""
    change, codes = MISTAKES[case](side, group)
    params = request_of(**change)
    assert code_of(ecs.create_service, **params) in codes
    if case != "unknown-cluster":
        assert ecs.list_services(cluster=params["cluster"])["serviceArns"] == []


def test_fargate_on_a_definition_for_ec2_is_refused(ecs: Any, request_of: Any) -> None:
    """Whether it lacks what Fargate needs or was registered for EC2 alone."""
    plain = [{"name": "app", "image": "i", "memory": 64}]
    ec2 = {"requiresCompatibilities": ["EC2"], "containerDefinitions": plain}
    for change in ({}, {"cpu": None, "memory": None}, {"networkMode": "bridge"}):
        name = fresh("ec2")
        ecs.register_task_definition(**definition(name, **(ec2 | change)))
        network = None if change.get("networkMode") else request_of()["networkConfiguration"]
        params = request_of(taskDefinition=name, networkConfiguration=network)
        assert code_of(ecs.create_service, **params) == INVALID


def test_an_inactive_definition_is_refused(ecs: Any, request_of: Any, family: str) -> None:
    """By CreateService and by UpdateService, named in full."""
    ecs.register_task_definition(**definition(family))
    ecs.create_service(**request_of(taskDefinition=f"{family}:1"))
    ecs.deregister_task_definition(taskDefinition=f"{family}:2")
    inactive = f"{family}:2"
    assert code_of(ecs.create_service, **request_of(serviceName="b", taskDefinition=inactive)) == CLIENT
    params = {"cluster": request_of()["cluster"], "service": "web", "taskDefinition": inactive}
    assert code_of(ecs.update_service, **params) == CLIENT


def test_names_and_tokens(ecs: Any, request_of: Any) -> None:
    """A name that is taken is refused; the same token with the same request is answered as before."""
    first = ecs.create_service(**request_of(clientToken="t-1"))["service"]
    again = ecs.create_service(**request_of(clientToken="t-1"))["service"]
    assert again["serviceArn"] == first["serviceArn"]
    assert again["deployments"][0]["id"] == first["deployments"][0]["id"]
    for change in (
        {},
        {"clientToken": "t-2"},
        {"clientToken": "t-1", "desiredCount": 2},
        {"desiredCount": 2},
    ):
        assert code_of(ecs.create_service, **request_of(**change)) == INVALID


KEPT: dict[str, Any] = {
    "deploymentConfiguration": {
        "deploymentCircuitBreaker": {"enable": True, "rollback": True},
        "maximumPercent": 150,
        "minimumHealthyPercent": 50,
    },
    "enableECSManagedTags": True,
    "enableExecuteCommand": True,
    "healthCheckGracePeriodSeconds": 30,
    "availabilityZoneRebalancing": "DISABLED",
    "propagateTags": "TASK_DEFINITION",
    "platformVersion": "1.4.0",
    "schedulingStrategy": "REPLICA",
    "deploymentController": {"type": "ECS"},
    "tags": [{"key": "a", "value": "b"}],
}


@pytest.mark.parametrize("member", KEPT)
def test_members_are_kept(ecs: Any, request_of: Any, member: str) -> None:
    """What CreateService is given, it answers and DescribeServices tells."""
    params = request_of(**{member: KEPT[member]})
    answered = ecs.create_service(**params)["service"]
    (shown,) = ecs.describe_services(cluster=params["cluster"], services=["web"], include=["TAGS"])[
        "services"
    ]
    for told in (answered, shown):
        if member == "deploymentConfiguration":
            assert KEPT[member].items() <= told[member].items()
        else:
            assert told[member] == KEPT[member]


def test_strategy_placement_lattice_and_volumes_are_kept(ecs: Any, request_of: Any) -> None:
    """Where the launch type or the definition must fit; the last two are told by the deployment."""
    strategy = [
        {"capacityProvider": "FARGATE", "weight": 1, "base": 1},
        {"capacityProvider": "FARGATE_SPOT", "weight": 3, "base": 0},
    ]
    shown = ecs.create_service(**request_of(launchType=None, capacityProviderStrategy=strategy))["service"]
    assert shown["capacityProviderStrategy"] == strategy
    assert "launchType" not in shown
    bridge = fresh("bridge")
    container = {"name": "app", "image": "i", "memory": 64, "portMappings": [{"containerPort": 80}]}
    change = {"requiresCompatibilities": ["EC2"], "networkMode": "bridge", "cpu": None, "memory": None}
    ecs.register_task_definition(**definition(bridge, containerDefinitions=[container], **change))
    placed = {
        "placementConstraints": [{"type": "distinctInstance"}],
        "placementStrategy": [{"type": "spread", "field": "attribute:ecs.availability-zone"}],
    }
    params = request_of(
        serviceName="ec2", taskDefinition=bridge, launchType="EC2", networkConfiguration=None, **placed
    )
    shown = ecs.create_service(**params)["service"]
    assert {key: shown[key] for key in placed} == placed
    volumes = fresh("volumes")
    ecs.register_task_definition(
        **definition(volumes, volumes=[{"name": "data", "configuredAtLaunch": True}])
    )
    ebs = [{"name": "data", "managedEBSVolume": {"roleArn": ROLE, "sizeInGiB": 10, "volumeType": "gp3"}}]
    lattice = [
        {
            "roleArn": ROLE,
            "targetGroupArn": "arn:aws:vpc-lattice:eu-central-1:111122223333:targetgroup/tg-0123456789",
            "portName": "http",
        }
    ]
    params = request_of(
        serviceName="v", taskDefinition=volumes, volumeConfigurations=ebs, vpcLatticeConfigurations=lattice
    )
    deployment = ecs.create_service(**params)["service"]["deployments"][0]
    assert deployment["volumeConfigurations"] == ebs
    assert deployment["vpcLatticeConfigurations"] == lattice


def test_defaults(ecs: Any, request_of: Any) -> None:
    """What DescribeServices shows of a service that was given only what it must have."""
    params = request_of()
    ecs.create_service(**params)
    (shown,) = ecs.describe_services(cluster=params["cluster"], services=["web"])["services"]
    expected = {
        "status": "ACTIVE",
        "launchType": "FARGATE",
        "platformVersion": "LATEST",
        "platformFamily": "Linux",
        "schedulingStrategy": "REPLICA",
        "propagateTags": "NONE",
        "enableECSManagedTags": False,
        "enableExecuteCommand": False,
        "availabilityZoneRebalancing": "ENABLED",
        "loadBalancers": [],
        "serviceRegistries": [],
        "placementConstraints": [],
        "placementStrategy": [],
        "desiredCount": 1,
    }
    assert {key: shown[key] for key in expected} == expected
    assert shown["deploymentConfiguration"]["maximumPercent"] == 200
    assert shown["deploymentConfiguration"]["minimumHealthyPercent"] == 100
    assert shown["deploymentConfiguration"]["strategy"] == "ROLLING"
    assert shown["networkConfiguration"]["awsvpcConfiguration"]["assignPublicIp"] == "DISABLED"
    assert shown["createdAt"].tzinfo is not None
    assert shown["createdBy"].startswith("arn:aws:iam::")
    assert shown["roleArn"].endswith("AWSServiceRoleForECS")
    assert "tags" not in shown


def test_describe_limits_and_failures(ecs: Any, request_of: Any) -> None:
    """Ten names; unknown ones are MISSING with their ARN; an ARN names a service too."""
    made = ecs.create_service(**request_of())["service"]
    cluster = request_of()["cluster"]
    answer = ecs.describe_services(cluster=cluster, services=[made["serviceArn"], "ghost"])
    assert [item["serviceName"] for item in answer["services"]] == ["web"]
    assert [item["reason"] for item in answer["failures"]] == ["MISSING"]
    assert answer["failures"][0]["arn"].endswith(f":service/{cluster}/ghost")
    assert code_of(ecs.describe_services, cluster=cluster, services=["x"] * 11) == INVALID


def test_lists(ecs: Any, request_of: Any) -> None:
    """Ten a page unless said; filters; a deleted service is not listed."""
    cluster = request_of()["cluster"]
    for number in range(12):
        ecs.create_service(**request_of(serviceName=f"s{number:02}", desiredCount=0))
    first = ecs.list_services(cluster=cluster)
    assert len(first["serviceArns"]) == 10
    assert len(ecs.list_services(cluster=cluster, nextToken=first["nextToken"])["serviceArns"]) == 2
    pages = ecs.get_paginator("list_services").paginate(cluster=cluster, PaginationConfig={"PageSize": 5})
    assert [len(page["serviceArns"]) for page in pages] == [5, 5, 2]
    assert ecs.list_services(cluster=cluster, launchType="EC2")["serviceArns"] == []
    assert ecs.list_services(cluster=cluster, schedulingStrategy="DAEMON")["serviceArns"] == []
    assert len(ecs.list_services(cluster=cluster, launchType="FARGATE", maxResults=100)["serviceArns"]) == 12
    ecs.delete_service(cluster=cluster, service="s00")
    listed = ecs.list_services(cluster=cluster, maxResults=100)["serviceArns"]
    assert len(listed) == 11
    for odd in ({"maxResults": 101}, {"nextToken": "nonsense"}):
        assert code_of(ecs.list_services, cluster=cluster, **odd) == INVALID


def test_update(ecs: Any, request_of: Any, family: str) -> None:
    """A new definition opens a deployment and is told as an ARN; what does not deploy does not."""
    cluster = request_of()["cluster"]
    before = ecs.create_service(**request_of())["service"]
    ecs.register_task_definition(**definition(family))
    shown = ecs.update_service(cluster=cluster, service="web", taskDefinition=f"{family}:2")["service"]
    assert shown["taskDefinition"].endswith(f":task-definition/{family}:2")
    assert shown["deployments"][0]["id"] != before["deployments"][0]["id"]
    assert shown["deployments"][0]["status"] == "PRIMARY"
    opened = shown["deployments"][0]["id"]
    change = {"propagateTags": "SERVICE", "enableECSManagedTags": True, "desiredCount": 2}
    shown = ecs.update_service(cluster=cluster, service="web", **change)["service"]
    assert {key: shown[key] for key in change} == change
    assert shown["deployments"][0]["id"] == opened
    assert shown["runningCount"] < 2
    forced = ecs.update_service(cluster=cluster, service="web", forceNewDeployment=True)["service"]
    assert forced["deployments"][0]["id"] != opened
    assert code_of(ecs.update_service, cluster=cluster, service="ghost") == "ServiceNotFoundException"


def test_delete(ecs: Any, request_of: Any) -> None:
    """Refused above zero without force; DRAINING, then INACTIVE, unlisted, not updated, its name free."""
    cluster = request_of()["cluster"]
    ecs.create_service(**request_of())
    until(lambda: ecs.list_tasks(cluster=cluster)["taskArns"])
    assert code_of(ecs.delete_service, cluster=cluster, service="web") == INVALID
    gone = ecs.delete_service(cluster=cluster, service="web", force=True)["service"]
    assert (gone["status"], gone["desiredCount"]) == ("DRAINING", 0)
    assert code_of(ecs.create_service, **request_of()) == INVALID  # at once: it drains for a moment only
    assert code_of(ecs.update_service, cluster=cluster, service="web") == "ServiceNotActiveException"
    assert ecs.list_services(cluster=cluster)["serviceArns"] == []
    ecs.get_waiter("services_inactive").wait(
        cluster=cluster, services=["web"], WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    assert code_of(ecs.update_service, cluster=cluster, service="web") == "ServiceNotActiveException"
    assert ecs.create_service(**request_of(desiredCount=0))["service"]["status"] == "ACTIVE"
