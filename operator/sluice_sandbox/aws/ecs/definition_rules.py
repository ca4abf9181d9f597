"""What RegisterTaskDefinition refuses beyond the shapes of botocore's model: the task as a whole.

Each check names its source; texts quoted in public issues are marked so, the others are from
memory. The order is the order of AWS's own answers only where an issue shows it: callers should
not depend on which of two faults is told first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sluice_sandbox.aws.ecs import fargate, fargate_rules
from sluice_sandbox.aws.ecs.container_rules import check_container
from sluice_sandbox.aws.ecs.port_rules import check_ports
from sluice_sandbox.aws.ecs.refusals import client_exception, invalid_parameter
from sluice_sandbox.aws.ecs.volume_rules import check_mounts, check_volumes
from sluice_sandbox.aws.service import Params

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
MAX_CONTAINERS = 10
"""ECS quotas: container definitions per task definition."""
MAX_BYTES = 64 * 1024
"""ECS quotas: task definition size limit."""
MAX_CONSTRAINTS, MAX_EXPRESSION = 10, 2000
"""botocore, TaskDefinitionPlacementConstraint."""
_CPU = range(128, 196608 + 1)
"""botocore, RegisterTaskDefinitionRequest.cpu: what EC2 and external tasks may have."""

Containers = list[dict[str, Any]]


def check(params: Params) -> None:
    """Raise ClientException or InvalidParameterException where AWS would."""
    size = len(json.dumps({key: value for key, value in params.items() if key != "tags"}).encode())
    if size > MAX_BYTES:
        # Text: hashicorp/terraform-provider-aws issues on long definitions.
        raise client_exception(f"Actual length: '{size}'. Max allowed length is '{MAX_BYTES}' bytes.")
    if not _NAME.fullmatch(params["family"]):
        raise client_exception(
            "The family name contains invalid characters. Up to 255 letters (uppercase and lowercase), "
            "numbers, underscores, and hyphens are allowed."
        )
    containers: Containers = params["containerDefinitions"]
    _check_container_list(containers)
    mode = params.get("networkMode") or "bridge"
    volumes = check_volumes(params.get("volumes") or [])
    names = [container["name"] for container in containers]
    for container in containers:
        check_container(container, mode=mode)
        check_mounts(container, containers=names, volumes=volumes)
    check_ports(containers, mode)
    _check_dependencies(containers)
    cpu = _task_value(params, "cpu", fargate.cpu_units)
    memory = _task_value(params, "memory", fargate.memory_mib)
    asked = set(params.get("requiresCompatibilities") or ())
    if "FARGATE" in asked:
        fargate_rules.check(params, containers)
    elif cpu is not None and cpu not in _CPU:
        raise invalid_parameter("Invalid 'cpu' setting for task.")
    _check_compatibilities(asked, mode)
    _check_sizes(containers, cpu=cpu, memory=memory)
    _check_execution_role(params, containers)
    _check_task(params, containers)
    _check_log_router(containers)


def _check_container_list(containers: Containers) -> None:
    if not containers:
        raise client_exception("Container list cannot be empty.")
    if len(containers) > MAX_CONTAINERS:
        raise client_exception(f"Task definition can have at most {MAX_CONTAINERS} containers.")
    seen: set[str] = set()
    for container in containers:
        name = container.get("name", "")
        if not name:
            raise client_exception("Container.name should not be null or empty.")
        if not _NAME.fullmatch(name):
            raise client_exception(
                f"Invalid container name '{name}'. Up to 255 letters (uppercase and lowercase), "
                "numbers, underscores, and hyphens are allowed."
            )
        if name in seen:
            raise client_exception(f"Container name '{name}' is duplicated in the task definition.")
        seen.add(name)
        if not container.get("image"):
            # Text: public issues of RegisterTaskDefinition.
            raise client_exception("Container.image should not be null or empty.")
    if not any(container.get("essential", True) for container in containers):
        raise client_exception("At least one container must be marked as essential in the task definition.")


def _check_dependencies(containers: Containers) -> None:
    by_name = {container["name"]: container for container in containers}
    edges: dict[str, list[str]] = {}
    for container in containers:
        dependencies = container.get("dependsOn") or ()
        for dependency in dependencies:
            _check_dependency(container["name"], dependency, by_name)
        edges[container["name"]] = [dependency["containerName"] for dependency in dependencies]
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            cycle = " -> ".join((*path, name))
            raise client_exception(f"Container dependencies must not contain a cycle: {cycle}")
        if name not in done:
            for other in edges[name]:
                visit(other, (*path, name))
            done.add(name)

    for name in edges:
        visit(name, ())


def _check_dependency(name: str, dependency: Mapping[str, Any], by_name: dict[str, dict[str, Any]]) -> None:
    # botocore, ContainerDefinition.dependsOn and ContainerDependency.condition.
    other, condition = dependency["containerName"], dependency["condition"]
    if other == name:
        raise client_exception(f"Container '{name}' cannot depend on itself.")
    if other not in by_name:
        raise client_exception(f"Container '{name}' depends on container '{other}', which does not exist.")
    if condition == "HEALTHY" and not by_name[other].get("healthCheck"):
        raise client_exception(
            f"Container '{name}' depends on '{other}' being HEALTHY, but it has no health check."
        )
    if condition in {"COMPLETE", "SUCCESS"} and by_name[other].get("essential", True):
        raise client_exception(
            f"Container '{name}' depends on essential container '{other}' with condition {condition}."
        )


def _check_compatibilities(asked: set[str], mode: str) -> None:
    if "EXTERNAL" in asked and mode == "awsvpc":
        # ECS developer guide, ECS Anywhere: awsvpc is not supported on external instances.
        raise client_exception("EXTERNAL does not support the network mode 'awsvpc'.")
    if "MANAGED_INSTANCES" in asked and mode not in {"awsvpc", "host"}:
        raise client_exception(f"MANAGED_INSTANCES does not support the network mode '{mode}'.")


def _check_sizes(containers: Containers, *, cpu: int | None, memory: int | None) -> None:
    for container in containers:
        if memory is None and container.get("memory") is None and container.get("memoryReservation") is None:
            # Text: public issues (cuttlesoft/ecs-deploy.py#17).
            raise client_exception(
                f"Invalid setting for container '{container['name']}'. At least one of 'memory' or "
                "'memoryReservation' must be specified."
            )
        if (
            memory is not None
            and (container.get("memory") or container.get("memoryReservation") or 0) > memory
        ):
            raise client_exception(
                f"Invalid setting for container '{container['name']}'. It must not exceed the task's memory."
            )
    if cpu is not None and sum(container.get("cpu") or 0 for container in containers) > cpu:
        raise client_exception("The sum of the containers' 'cpu' must not exceed the task's 'cpu'.")
    reserved = sum(c.get("memoryReservation") or c.get("memory") or 0 for c in containers)
    if memory is not None and reserved > memory:
        raise client_exception("The sum of the containers' memory must not exceed the task's 'memory'.")


def _task_value(params: Params, member: str, parse: Callable[[str], int | None]) -> int | None:
    text = params.get(member)
    if text is None or text == "":
        return None
    value = parse(text)
    if value is None or value <= 0:
        # Text: oranmoshai/ecsServiceRestart#2.
        raise invalid_parameter(f"Invalid '{member}' setting for task.")
    return value


def _check_execution_role(params: Params, containers: Containers) -> None:
    if params.get("executionRoleArn"):
        return
    for container in containers:
        log_options = (container.get("logConfiguration") or {}).get("secretOptions")
        if container.get("secrets") or log_options:
            # Text: public issues of secrets without a role.
            raise client_exception(
                "When you are specifying container secrets, you must also specify a value for "
                "'executionRoleArn'."
            )
        if container.get("repositoryCredentials"):
            raise client_exception(
                "When you are specifying repository credentials, you must also specify a value for "
                "'executionRoleArn'."
            )


def _check_constraints(constraints: Sequence[Mapping[str, Any]]) -> None:
    if len(constraints) > MAX_CONSTRAINTS:
        raise client_exception("Too many placement constraints. The maximum is 10.")
    if any(len(item.get("expression") or "") > MAX_EXPRESSION for item in constraints):
        raise client_exception("A placement constraint's expression can have at most 2000 characters.")
    if any(not item.get("expression") for item in constraints if item.get("type") == "memberOf"):
        raise client_exception("A placement constraint of type memberOf needs an expression.")


def _check_task(params: Params, containers: Containers) -> None:
    _check_constraints(params.get("placementConstraints") or ())
    proxy = params.get("proxyConfiguration")
    if proxy and proxy["containerName"] not in {container["name"] for container in containers}:
        raise client_exception(
            f"The proxy container '{proxy['containerName']}' does not exist in the task definition."
        )
    if proxy and params.get("networkMode") != "awsvpc":
        # ECS developer guide, App Mesh proxy: awsvpc only.
        raise client_exception("A proxy configuration is only supported when networkMode=awsvpc.")
    devices = [item["deviceName"] for item in params.get("inferenceAccelerators") or ()]
    if len(set(devices)) != len(devices):
        raise client_exception("The device names of inference accelerators must be unique.")
    platform = params.get("runtimePlatform") or {}
    windows = platform.get("operatingSystemFamily", "LINUX").startswith("WINDOWS")
    if windows and platform.get("cpuArchitecture") == "ARM64":
        # botocore, RuntimePlatform.cpuArchitecture: ARM64 is for Linux.
        raise client_exception("The CPU architecture ARM64 is only supported for LINUX.")
    for container in containers:
        for item in container.get("resourceRequirements") or ():
            if item["type"] == "InferenceAccelerator" and item.get("value") not in devices:
                raise client_exception(f"Unknown inference accelerator '{item.get('value')}'.")


def _check_log_router(containers: Containers) -> None:
    """Refuse FireLens without its counterpart (texts: public issues; the last from memory)."""
    routers = [container for container in containers if container.get("firelensConfiguration")]
    routed = [c for c in containers if (c.get("logConfiguration") or {}).get("logDriver") == "awsfirelens"]
    if len(routers) > 1:
        raise client_exception("A task definition can have at most one FireLens container.")
    if routers and not routed:
        raise client_exception(
            "When a firelensConfiguration object is specified, at least one container has to be configured "
            "with the awsfirelens log driver."
        )
    if routed and not routers:
        raise client_exception(
            "When the awsfirelens log driver is used, one container has to be configured with a "
            "firelensConfiguration object."
        )
