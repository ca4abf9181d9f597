"""A task as DescribeTasks and the task state-change event show it."""

from __future__ import annotations

from typing import Any

from sluice_sandbox.aws.ecs import tags
from sluice_sandbox.aws.ecs.state import Container, Task
from sluice_sandbox.aws.ecs.task_health import HealthReader

_ATTACHMENT_STATUS = {"PROVISIONING": "PRECREATED", "DEPROVISIONING": "DETACHING", "STOPPED": "DELETED"}
_TIMES = {
    "pullStartedAt": "pull_started_at",
    "pullStoppedAt": "pull_stopped_at",
    "connectivityAt": "connectivity_at",
    "startedAt": "started_at",
    "stoppingAt": "stopping_at",
    "executionStoppedAt": "execution_stopped_at",
    "stoppedAt": "stopped_at",
}
_WORDS = {
    "startedBy": "started_by",
    "capacityProviderName": "capacity_provider",
    "platformVersion": "platform_version",
    "platformFamily": "platform_family",
    "cpu": "cpu",
    "memory": "memory",
    "availabilityZone": "zone",
    "stopCode": "stop_code",
    "stoppedReason": "stopped_reason",
}


def render(task: Task, *, with_tags: bool) -> dict[str, Any]:
    """Return the task in botocore's Task shape; absent values are absent members."""
    shown: dict[str, Any] = {
        "taskArn": task.arn,
        "clusterArn": task.cluster_arn,
        "taskDefinitionArn": task.definition_arn,
        "group": task.group,
        "launchType": task.launch_type,
        "lastStatus": task.last_status,
        "desiredStatus": task.desired_status,
        "healthStatus": HealthReader.overall(task),
        "createdAt": task.created_at,
        "version": task.version,
        "containers": [_container(task, container) for container in task.containers],
        "attachments": ([_attachment(task)] if task.eni_id else [])
        + [_volume(task, v) for v in task.volumes],
        "attributes": [{"name": "ecs.cpu-architecture", "value": task.architecture}],
        "overrides": {
            "containerOverrides": [{"name": container.name} for container in task.containers],
            "inferenceAcceleratorOverrides": [],
            **task.overrides,
        },
        "enableExecuteCommand": task.enable_execute_command,
        "inferenceAccelerators": [],
        "tags": tags.render(task.tags) if with_tags else [],
    }
    if task.launch_type == "FARGATE":
        shown["ephemeralStorage"] = {"sizeInGiB": task.ephemeral_gib}
        shown["fargateEphemeralStorage"] = {"sizeInGiB": task.ephemeral_gib}
    if task.connectivity_at is not None:
        shown["connectivity"] = "CONNECTED"
    for member, name in _TIMES.items():
        if getattr(task, name) is not None:
            shown[member] = getattr(task, name)
    for member, name in _WORDS.items():
        if getattr(task, name):
            shown[member] = getattr(task, name)
    return shown


def _container(task: Task, container: Container) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "containerArn": container.arn,
        "taskArn": task.arn,
        "name": container.name,
        "image": container.image,
        "lastStatus": container.last_status,
        "networkInterfaces": [{"attachmentId": task.attachment_id, "privateIpv4Address": task.ip}]
        if task.ip and not _unattached(task)
        else [],
        "networkBindings": [],
        "healthStatus": container.health,
        "cpu": container.cpu,
    }
    if container.digest and container.runtime_id:
        shown["imageDigest"] = container.digest
    if container.runtime_id:
        shown["runtimeId"] = container.runtime_id
    if container.memory is not None:
        shown["memory"] = container.memory
    if container.memory_reservation is not None:
        shown["memoryReservation"] = container.memory_reservation
    if container.exit_code is not None:
        shown["exitCode"] = container.exit_code
    if container.reason:
        shown["reason"] = container.reason
    if task.enable_execute_command and container.last_status == "RUNNING":
        shown["managedAgents"] = [
            {
                "name": "ExecuteCommandAgent",
                "lastStatus": "RUNNING",
                "lastStartedAt": task.started_at or task.created_at,
            }
        ]
    return shown


def _unattached(task: Task) -> bool:
    """Tell whether the ENI is yet to come: then only its subnet is told (AWS CLI, example of run-task)."""
    return task.last_status == "PROVISIONING"


def _attachment(task: Task) -> dict[str, Any]:
    details = [{"name": "subnetId", "value": task.subnet_id}]
    if not _unattached(task):
        details += [
            {"name": "networkInterfaceId", "value": task.eni_id},
            {"name": "macAddress", "value": task.mac},
            {"name": "privateDnsName", "value": _dns_name(task)},
            {"name": "privateIPv4Address", "value": task.ip},
        ]
    return {
        "id": task.attachment_id,
        "type": "ElasticNetworkInterface",
        "status": _ATTACHMENT_STATUS.get(task.last_status, "ATTACHED"),
        "details": details,
    }


def _dns_name(task: Task) -> str:
    """Return the address's name as the VPC's DNS gives it (VPC user guide, private DNS hostnames)."""
    region = task.arn.split(":")[3]
    domain = "ec2.internal" if region == "us-east-1" else f"{region}.compute.internal"
    return f"ip-{task.ip.replace('.', '-')}.{domain}"


def _volume(task: Task, volume: dict[str, Any]) -> dict[str, Any]:
    """Return the attachment of an EBS volume (names of the details: ECS developer guide, from memory)."""
    given = volume["managedEBSVolume"]
    # One volume per definition is configured at launch, so that the task's id is enough for the two ids.
    details = {
        "volumeName": volume["name"],
        "volumeId": f"vol-0{task.id[:16]}",
        "roleArn": given["roleArn"],
        "volumeType": given.get("volumeType", "gp3"),
        "filesystemType": given.get("filesystemType", "xfs"),
        "encrypted": str(given.get("encrypted", False)).lower(),
        "deleteOnTermination": str(
            (given.get("terminationPolicy") or {}).get("deleteOnTermination", True)
        ).lower(),
    }
    for member in ("sizeInGiB", "snapshotId", "iops", "throughput", "kmsKeyId"):
        if given.get(member) is not None:
            details[member] = str(given[member])
    return {
        "id": f"{task.id[:8]}-{task.id[8:12]}-4{task.id[13:16]}-a{task.id[17:20]}-{task.id[20:]}",
        "type": "AmazonElasticBlockStorage",
        "status": _ATTACHMENT_STATUS.get(task.last_status, "ATTACHED"),
        "details": [{"name": name, "value": value} for name, value in details.items()],
    }
