"""Makes a task from its definition: containers, sizes, tags; nothing is started here."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from sluice_sandbox.aws.ecs.core import Core
from sluice_sandbox.aws.ecs.identity import arn, hex_id, last_segment, uuid_id
from sluice_sandbox.aws.ecs.state import (
    Cluster,
    Container,
    Definition,
    Deployment,
    Registration,
    Service,
    Tags,
    Target,
    Task,
)
from sluice_sandbox.aws.service import Caller

PLATFORM_VERSION = "1.4.0"
"""What LATEST is on Linux Fargate (ECS developer guide, Fargate platform versions)."""
_FAMILIES = {"LINUX": "Linux"}
_ARCHITECTURES = {"X86_64": "x86_64", "ARM64": "arm64"}


def platform_family(definition: Definition) -> str:
    """Return platformFamily of the definition's runtimePlatform: `Linux` unless Windows."""
    family = (definition.spec.get("runtimePlatform") or {}).get("operatingSystemFamily", "LINUX")
    return str(_FAMILIES.get(family, family.replace("_", " ").title().replace(" ", "_")))


def resolved_platform(version: str | None) -> str:
    """Return the version that a task gets: LATEST is resolved."""
    return PLATFORM_VERSION if version in {None, "", "LATEST"} else str(version)


def make_task(
    core: Core, caller: Caller, cluster: Cluster, definition: Definition, *, launch_type: str, group: str
) -> Task:
    """Return a task in PROVISIONING with its containers, not yet known to anybody."""
    task_id = hex_id(core.rng)
    task_arn = arn(caller, "task", cluster.name, task_id)
    fargate = launch_type == "FARGATE"
    return Task(
        arn=task_arn,
        id=task_id,
        cluster_arn=cluster.arn,
        definition_arn=definition.arn,
        group=group,
        launch_type=launch_type,
        created_at=core.now(),
        containers=[
            _container(core, caller, item, path=(cluster.name, task_id))
            for item in definition.spec["containerDefinitions"]
        ],
        cpu=definition.spec.get("cpu", ""),
        memory=definition.spec.get("memory", ""),
        architecture=_ARCHITECTURES[
            (definition.spec.get("runtimePlatform") or {}).get("cpuArchitecture", "X86_64")
        ],
        ephemeral_gib=(definition.spec.get("ephemeralStorage") or {}).get("sizeInGiB", 20),
        platform_version=PLATFORM_VERSION if fargate else "",
        platform_family=platform_family(definition) if fargate else "",
    )


def task_of_service(
    core: Core, caller: Caller, service: Service, deployment: Deployment, *, provider: str
) -> Task:
    """Return a task of a service's deployment, with tags propagated and targets to register."""
    definition = core.definition(deployment.spec["taskDefinition"])
    cluster = core.cluster(caller, last_segment(service.cluster_arn))
    task = make_task(
        core,
        caller,
        cluster,
        definition,
        launch_type=deployment.spec.get("launchType") or "FARGATE",
        group=f"service:{service.name}",
    )
    task.service_arn = service.arn
    task.deployment_id = deployment.id
    task.revision_arn = deployment.revision_arn
    task.started_by = deployment.id
    task.capacity_provider = provider
    if task.launch_type == "FARGATE":
        task.platform_version = resolved_platform(deployment.spec.get("platformVersion"))
    task.enable_execute_command = service.spec["enableExecuteCommand"]
    task.tags = propagated(service, definition)
    task.targets = [
        Target(
            group_arn=deployment.groups.get(item["targetGroupArn"], item["targetGroupArn"]),
            port=item["containerPort"],
        )
        for item in deployment.spec.get("loadBalancers") or ()
    ]
    task.volumes = deepcopy(deployment.spec.get("volumeConfigurations") or [])
    task.registrations = [
        Registration(arn=item["registryArn"], port=item.get("port") or item.get("containerPort"))
        for item in deployment.spec.get("serviceRegistries") or ()
    ]
    revision = core.scope(caller).service_revisions.get(deployment.revision_arn)
    if revision is not None:
        digests = {item["containerName"]: item.get("imageDigest", "") for item in revision.container_images}
        for container in task.containers:
            container.digest = digests.get(container.name, "")
    return task


def propagated(service: Service, definition: Definition) -> Tags:
    """Return a service task's tags (botocore: propagateTags, enableECSManagedTags)."""
    tags: Tags = {}
    if service.spec["propagateTags"] == "SERVICE":
        tags |= service.tags
    elif service.spec["propagateTags"] == "TASK_DEFINITION":
        tags |= definition.tags
    if service.spec["enableECSManagedTags"]:
        tags |= {
            "aws:ecs:clusterName": last_segment(service.cluster_arn),
            "aws:ecs:serviceName": service.name,
        }
    return tags


def _container(core: Core, caller: Caller, item: dict[str, Any], *, path: tuple[str, str]) -> Container:
    memory, reservation = item.get("memory"), item.get("memoryReservation")
    health = item.get("healthCheck")
    enabled = health is not None and health["command"][0] != "NONE"
    return Container(
        arn=arn(caller, "container", *path, uuid_id(core.rng)),
        name=item["name"],
        image=item["image"],
        digest="",
        cpu=str(item["cpu"]),
        memory=str(memory) if memory is not None else None,
        memory_reservation=str(reservation) if reservation is not None else None,
        essential=item["essential"],
        health_check={k: v for k, v in health.items() if k != "command"} if health and enabled else None,
    )
