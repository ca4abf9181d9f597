"""What RegisterTaskDefinition refuses beyond the shapes of botocore's model.

Each check names its source; texts quoted in public issues are marked so, the others are from
memory. The order is the order of AWS's own answers only where an issue shows it: callers should
not depend on which of two faults is told first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sluice_sandbox.aws.ecs import fargate, fargate_rules
from sluice_sandbox.aws.ecs.refusals import client_exception, invalid_parameter
from sluice_sandbox.aws.service import Params

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
MAX_CONTAINERS = 10
"""ECS quotas: container definitions per task definition."""
MAX_BYTES = 64 * 1024
"""ECS quotas: task definition size limit."""

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
    mode = params.get("networkMode", "bridge")
    volumes = _check_volumes(params.get("volumes") or [])
    names = [container["name"] for container in containers]
    for container in containers:
        _check_container(container, names=names, volumes=volumes)
        _check_ports(container, mode)
    _check_port_clashes(containers, mode)
    _check_dependencies(containers)
    cpu = _task_value(params, "cpu", fargate.cpu_units)
    memory = _task_value(params, "memory", fargate.memory_mib)
    if "FARGATE" in (params.get("requiresCompatibilities") or ()):
        fargate_rules.check(params, containers)
    _check_sizes(containers, cpu=cpu, memory=memory)
    _check_secrets(params, containers)
    if len(params.get("placementConstraints") or ()) > 10:
        raise client_exception("Too many placement constraints. The maximum is 10.")


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


def _check_volumes(volumes: Iterable[Mapping[str, Any]]) -> set[str]:
    names: set[str] = set()
    kinds = (
        "host",
        "dockerVolumeConfiguration",
        "efsVolumeConfiguration",
        "fsxWindowsFileServerVolumeConfiguration",
    )
    for volume in volumes:
        name = volume.get("name", "")
        if not _NAME.fullmatch(name):
            raise client_exception(f"Volume name '{name}' is invalid.")
        if name in names:
            raise client_exception(f"Volume name '{name}' is duplicated in the task definition.")
        if sum(1 for kind in kinds if volume.get(kind)) > 1:
            raise client_exception(f"Volume '{name}' must not have more than one configuration.")
        names.add(name)
    return names


def _check_container(container: Mapping[str, Any], *, names: list[str], volumes: set[str]) -> None:
    name = container["name"]
    for mount in container.get("mountPoints") or ():
        if mount.get("sourceVolume") not in volumes:
            # Text: public issues ("Unknown volume 'x'.").
            raise client_exception(f"Unknown volume '{mount.get('sourceVolume')}'.")
    for source in container.get("volumesFrom") or ():
        if source.get("sourceContainer") not in names:
            raise client_exception(f"Unknown container '{source.get('sourceContainer')}' in volumesFrom.")
    memory, reservation = container.get("memory"), container.get("memoryReservation")
    if memory is not None and reservation is not None and memory < reservation:
        # botocore, ContainerDefinition.memory: it must be greater than memoryReservation.
        raise client_exception(
            f"Invalid setting for container '{name}'. 'memory' must be greater than 'memoryReservation'."
        )
    if (memory is not None and memory < 6) or (reservation is not None and reservation < 6):
        # botocore: Docker 20.10+ reserves a minimum of 6 MiB.
        raise client_exception(f"Invalid setting for container '{name}'. 'memory' must be at least 6 MiB.")
    if (container.get("cpu") or 0) < 0:
        raise client_exception(f"Invalid 'cpu' setting for container '{name}'.")
    _check_health_check(container)
    secrets = [item.get("name", "") for item in container.get("secrets") or ()]
    variables = {item.get("name", "") for item in container.get("environment") or ()}
    if len(set(secrets)) != len(secrets) or variables.intersection(secrets):
        # Text: aws/containers-roadmap, "The secret name must be unique and not shared ...".
        repeated = next((s for s in secrets if secrets.count(s) > 1 or s in variables), "")
        raise client_exception(
            "The secret name must be unique and not shared with any new or existing environment variables "
            f"set on the container, such as '{repeated}'."
        )


def _check_health_check(container: Mapping[str, Any]) -> None:
    health = container.get("healthCheck")
    if health is None:
        return
    command = health.get("command") or []
    if not command or command[0] not in {"CMD", "CMD-SHELL", "NONE"}:
        raise client_exception("HealthCheck command must start with CMD or CMD-SHELL.")
    # Ranges: botocore, HealthCheck: interval 5-300, timeout 2-120 (60), retries 1-10, startPeriod 0-300.
    for member, low, high in (
        ("interval", 5, 300),
        ("timeout", 2, 120),
        ("retries", 1, 10),
        ("startPeriod", 0, 300),
    ):
        value = health.get(member)
        if value is not None and not low <= value <= high:
            raise client_exception(f"HealthCheck {member} must be between {low} and {high}.")


def _check_ports(container: Mapping[str, Any], mode: str) -> None:
    mappings = container.get("portMappings") or ()
    if mappings and mode == "none":
        raise client_exception("Port mappings are not supported when networkMode=none.")
    names = [mapping["name"] for mapping in mappings if mapping.get("name") is not None]
    for mapping in mappings:
        _check_port_numbers(mapping, mode)
        name = mapping.get("name")
        # botocore, PortMapping.name: up to 64, lower-case letters, numbers, _ and -.
        if name is not None and not re.fullmatch(r"[a-z0-9_][a-z0-9_-]{0,63}", name):
            raise client_exception(f"Invalid port mapping name '{name}'.")
        if name is None and mapping.get("appProtocol"):
            raise client_exception("appProtocol requires a name for the port mapping.")
        if names.count(name) > 1:
            raise client_exception(f"Port mapping name '{name}' is duplicated.")


def _check_port_numbers(mapping: Mapping[str, Any], mode: str) -> None:
    port, host = mapping.get("containerPort"), mapping.get("hostPort")
    ranged = mapping.get("containerPortRange")
    if (port is None) == (ranged is None):
        raise client_exception(
            "Either containerPort or containerPortRange must be specified in a port mapping."
        )
    if ranged is not None and not re.fullmatch(r"\d{1,5}-\d{1,5}", ranged):
        raise client_exception(f"Invalid containerPortRange '{ranged}'.")
    if port is not None and not 1 <= port <= 65535:
        raise client_exception(f"Invalid container port '{port}'. Ports must be between 1 and 65535.")
    if host is not None and not 0 <= host <= 65535:
        raise client_exception(f"Invalid host port '{host}'. Ports must be between 0 and 65535.")
    same = {"awsvpc": {None, port}, "host": {None, 0, port}}
    if mode in same and host not in same[mode]:
        # Text: public terraform issues.
        raise client_exception(
            f"When networkMode={mode}, the host ports and container ports in port mappings must match."
        )


def _check_port_clashes(containers: Containers, mode: str) -> None:
    if mode not in {"awsvpc", "host"}:
        return
    seen: set[tuple[int, str]] = set()
    for container in containers:
        for mapping in container.get("portMappings") or ():
            if mapping.get("containerPort") is None:
                continue
            key = (mapping["containerPort"], mapping.get("protocol") or "tcp")
            if key in seen:
                raise client_exception(
                    f"The container port {key[0]}/{key[1]} is used more than once in the task definition."
                )
            seen.add(key)


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


def _check_secrets(params: Params, containers: Containers) -> None:
    if params.get("executionRoleArn"):
        return
    for container in containers:
        log_options = (container.get("logConfiguration") or {}).get("secretOptions")
        if container.get("secrets") or log_options or container.get("repositoryCredentials"):
            # Text: public issues of secrets without a role.
            raise client_exception(
                "When you are specifying container secrets, you must also specify a value for "
                "'executionRoleArn'."
            )
