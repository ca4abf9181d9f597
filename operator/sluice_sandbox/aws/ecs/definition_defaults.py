"""What ECS adds to a task definition that it registers.

A client that compares what it registered with what it reads meets exactly these members
(DescribeTaskDefinition examples in botocore and public issues about perpetual diffs): container
cpu 0, essential, empty lists, hostPort and protocol of mappings, healthCheck numbers, the task's
cpu and memory as plain numbers, compatibilities and requiresAttributes.
"""

from __future__ import annotations

from typing import Any

from sluice_sandbox.aws.ecs import fargate, fargate_rules
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Params

_EMPTY_LISTS = ("environment", "mountPoints", "portMappings", "systemControls", "volumesFrom")
_CAPABILITY = "com.amazonaws.ecs.capability."
_EFS = "ecs.capability.efs"
_BY_MEMBER = {
    "privileged": _CAPABILITY + "privileged-container",
    "environmentFiles": "ecs.capability.env-files.s3",
    "repositoryCredentials": "ecs.capability.private-registry-authentication.secretsmanager",
    "healthCheck": "ecs.capability.container-health-check",
    "dependsOn": "ecs.capability.container-ordering",
}


def complete(params: Params) -> dict[str, Any]:
    """Return the definition as TaskDefinition shows it, without ARN, revision, status and times."""
    spec = {key: _copied(value) for key, value in params.items() if key != "tags" and value is not None}
    mode = spec.setdefault("networkMode", "bridge")
    spec["containerDefinitions"] = [_container(item, mode) for item in spec["containerDefinitions"]]
    spec["volumes"] = [_volume(item) for item in spec.get("volumes") or []]
    spec.setdefault("placementConstraints", [])
    if spec.get("cpu"):
        spec["cpu"] = str(fargate.cpu_units(spec["cpu"]))
    if spec.get("memory"):
        spec["memory"] = str(fargate.memory_mib(spec["memory"]))
    for member in ("cpu", "memory", "taskRoleArn", "executionRoleArn"):
        if spec.get(member) == "":
            del spec[member]
    if not spec.get("requiresCompatibilities"):
        spec.pop("requiresCompatibilities", None)
    spec["compatibilities"] = compatibilities(spec)
    spec["requiresAttributes"] = [{"name": name} for name in required_attributes(spec)]
    return spec


def _copied(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Copy JSON: `copy.deepcopy` takes three times as long, a fifth of the call (profiled)."""
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copied(item) for item in value]
    return value


def _container(container: dict[str, Any], mode: str) -> dict[str, Any]:
    filled = {key: value for key, value in container.items() if value is not None}
    filled.setdefault("cpu", 0)
    filled.setdefault("essential", True)
    for member in _EMPTY_LISTS:
        filled.setdefault(member, [])
    filled["portMappings"] = [_port(mapping, mode) for mapping in filled["portMappings"]]
    if "healthCheck" in filled:
        # botocore, HealthCheck: interval 30, timeout 5, retries 3 unless given.
        filled["healthCheck"] = {"interval": 30, "timeout": 5, "retries": 3} | filled["healthCheck"]
    return filled


def _port(mapping: dict[str, Any], mode: str) -> dict[str, Any]:
    filled = dict(mapping)
    if "containerPort" in filled:
        # botocore, PortMapping.hostPort: awsvpc and host repeat the container port, bridge picks (0).
        filled.setdefault("hostPort", filled["containerPort"] if mode in {"awsvpc", "host"} else 0)
    filled.setdefault("protocol", "tcp")
    return filled


def _volume(volume: dict[str, Any]) -> dict[str, Any]:
    filled = dict(volume)
    if not any(key.endswith("Configuration") or key == "configuredAtLaunch" for key in filled):
        filled.setdefault("host", {})
    if "efsVolumeConfiguration" in filled:
        filled["efsVolumeConfiguration"] = {"rootDirectory": "/"} | filled["efsVolumeConfiguration"]
    return filled


def compatibilities(spec: dict[str, Any]) -> list[str]:
    """Return what AWS found the definition to run on (botocore, TaskDefinition.compatibilities).

    EC2 always; EXTERNAL unless awsvpc (not supported there); FARGATE where its own rules refuse
    nothing; MANAGED_INSTANCES as far as network mode and size allow. From memory: AWS's complete rules
    are not published.
    """
    found = ["EC2"]
    awsvpc = spec.get("networkMode") == "awsvpc"
    if not awsvpc:
        found.append("EXTERNAL")
    if _runs_on_fargate(spec):
        found.append("FARGATE")
    if awsvpc and spec.get("cpu") and spec.get("memory"):
        found.append("MANAGED_INSTANCES")
    return found


def _runs_on_fargate(spec: dict[str, Any]) -> bool:
    try:
        fargate_rules.check(spec, spec["containerDefinitions"])
    except AwsError:
        return False
    return True


def required_attributes(spec: dict[str, Any]) -> list[str]:
    """Return the agent capabilities the definition needs (names: amazon-ecs-agent's capability list)."""
    names = [_CAPABILITY + "docker-remote-api.1.18"]
    if spec.get("networkMode") == "awsvpc":
        names.append("ecs.capability.task-eni")
    if spec.get("taskRoleArn"):
        names.append(_CAPABILITY + "task-iam-role")
    role = bool(spec.get("executionRoleArn"))
    for container in spec["containerDefinitions"]:
        names.extend(_container_attributes(container, role=role))
    efs = [
        volume["efsVolumeConfiguration"] for volume in spec["volumes"] if "efsVolumeConfiguration" in volume
    ]
    if efs:
        names.append("ecs.capability.efsAuth" if any("authorizationConfig" in v for v in efs) else _EFS)
    if any("dockerVolumeConfiguration" in volume for volume in spec["volumes"]):
        names.append("ecs.capability.docker-plugin.local")
    if spec.get("pidMode") or spec.get("ipcMode"):
        names.append("ecs.capability.pid-ipc-namespace-sharing")
    return list(dict.fromkeys(names))


def _container_attributes(container: dict[str, Any], *, role: bool) -> list[str]:
    names: list[str] = []
    driver = (container.get("logConfiguration") or {}).get("logDriver")
    if driver:
        names.append(f"{_CAPABILITY}logging-driver.{driver}")
        names.append(_CAPABILITY + "docker-remote-api.1.19")
    if driver == "awslogs" and role:
        names.append("ecs.capability.execution-role-awslogs")
    if ".dkr.ecr." in container["image"]:
        names.append(_CAPABILITY + "ecr-auth")
        if role:
            names.append("ecs.capability.execution-role-ecr-pull")
    names.extend(name for member, name in _BY_MEMBER.items() if container.get(member))
    if container.get("firelensConfiguration"):
        names.append(f"ecs.capability.firelens.{container['firelensConfiguration']['type']}")
    for secret in container.get("secrets") or ():
        kind = (
            "asm.environment-variables"
            if ":secretsmanager:" in secret["valueFrom"]
            else "ssm.environment-variables"
        )
        names.append("ecs.capability.secrets." + kind)
    if container.get("memoryReservation") is not None:
        names.append(_CAPABILITY + "docker-remote-api.1.21")
    return names
