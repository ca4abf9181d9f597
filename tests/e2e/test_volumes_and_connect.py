"""EBS and EFS volumes and Service Connect: handed to ECS whole, refused as ECS refuses, left in peace."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from e2e.desk import DEPLOYMENT, Desk
from e2e.waiting import until

pytestmark = pytest.mark.e2e
ROLE = "arn:aws:iam::111122223333:role/ecs-infrastructure"
EBS: dict[str, Any] = {"roleArn": ROLE, "sizeInGiB": 10, "volumeType": "gp3", "filesystemType": "xfs"}


def stored(desk: Desk, ebs: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the Deployment with an EBS volume of each task's own and an EFS volume that all share."""
    obj = desk.deployment()
    pod = obj["spec"]["template"]["spec"]
    attributes = {"fileSystemId": "fs-0123456789abcdef0", "encryptInTransit": "true"}
    pod["volumes"] = [
        {"name": "shared", "csi": {"driver": "efs.csi.aws.com", "volumeAttributes": attributes}},
    ]
    pod["containers"][0]["volumeMounts"] = [
        {"name": "scratch", "mountPath": "/scratch"},
        {"name": "shared", "mountPath": "/shared", "readOnly": True},
    ]
    obj["spec"]["ecs"]["volumeConfigurations"] = [{"name": "scratch", "managedEBSVolume": ebs or EBS}]
    return obj


def deployments(desk: Desk) -> list[str]:
    """Return the ids of the ECS deployments that are there."""
    return [entry["id"] for entry in desk.service()["deployments"]]


def rests(desk: Desk) -> bool:
    """Tell whether Sluice writes nothing to the service during two looks for drift."""
    since = desk.aws.calls_made()
    name = desk.service()["serviceName"]

    def looked() -> bool:
        calls = desk.aws.calls(since=since, operation="DescribeServices")
        return len([call for call in calls if name in str(call)]) >= 2

    until(looked, "two looks for drift")
    return not [call for call in desk.aws.writes(since=since) if name in str(call)]


def test_ebs_and_efs(desk: Desk) -> None:
    """The task definition has both volumes, the service makes the EBS one, another size is a new rollout."""
    desk.apply_and_wait(stored(desk))
    service = desk.service()
    (primary,) = service["deployments"]
    assert primary["volumeConfigurations"] == [{"name": "scratch", "managedEBSVolume": EBS}]
    body = desk.aws.ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
    volumes = {volume["name"]: volume for volume in body["volumes"]}
    assert volumes["scratch"]["configuredAtLaunch"] is True
    assert volumes["shared"]["efsVolumeConfiguration"]["fileSystemId"] == "fs-0123456789abcdef0"
    assert rests(desk)

    desk.apply_and_wait(stored(desk, EBS | {"sizeInGiB": 20}))
    (larger,) = desk.service()["deployments"]
    assert larger["id"] != primary["id"]
    assert larger["volumeConfigurations"][0]["managedEBSVolume"]["sizeInGiB"] == 20
    assert desk.service()["taskDefinition"] == service["taskDefinition"]


def test_a_volume_that_ecs_refuses(desk: Desk) -> None:
    """Stalled/AWSRejected in ECS's own words; the tasks that run go on; a correction heals it."""
    desk.apply_and_wait(stored(desk))
    before = deployments(desk)
    desk.apply(stored(desk, EBS | {"volumeType": "io2"}))
    assert "iops is required for the io2 volume" in desk.wait_reason("AWSRejected")["message"]
    assert deployments(desk) == before
    desk.apply_and_wait(stored(desk, EBS | {"volumeType": "io2", "iops": 3000}))


def connected(desk: Desk, name: str, connect: dict[str, Any]) -> dict[str, Any]:
    """Return a Deployment with Service Connect."""
    obj = copy.deepcopy(desk.deployment(name))
    obj["spec"]["ecs"]["serviceConnectConfiguration"] = connect
    return obj


def test_service_connect_server_and_client(desk: Desk) -> None:
    """Both configurations reach ECS as they are, and nothing is redeployed afterwards."""
    discovery = desk.aws.client("servicediscovery")
    discovery.create_http_namespace(Name=desk.namespace)
    until(lambda: desk.namespace in _namespaces(discovery), "the namespace is there")
    server = {
        "enabled": True,
        "namespace": desk.namespace,
        "services": [{"portName": "http", "discoveryName": "orders", "clientAliases": [{"port": 80}]}],
    }
    client = {"enabled": True, "namespace": desk.namespace}
    desk.apply_and_wait(connected(desk, "web", server), connected(desk, "asker", client))
    (primary,) = desk.service()["deployments"]
    assert primary["serviceConnectConfiguration"] == server
    (asker,) = desk.service("asker")["deployments"]
    assert asker["serviceConnectConfiguration"] == client
    assert rests(desk)
    discovery.close()


def test_service_connect_that_ecs_refuses(desk: Desk) -> None:
    """A namespace that is not there is Stalled/AWSRejected with its name; no service is left half made."""
    connect = {"enabled": True, "namespace": f"{desk.namespace}-nowhere"}
    desk.apply(connected(desk, "web", connect))
    assert f"{desk.namespace}-nowhere" in desk.wait_reason("AWSRejected")["message"]
    assert "services" not in desk.aws.owned(desk.namespace)
    assert desk.status(DEPLOYMENT)["phase"] == "Degraded"


def _namespaces(discovery: Any) -> set[str]:
    return {entry["Name"] for entry in discovery.list_namespaces()["Namespaces"]}
