"""What RegisterTaskDefinition refuses of a definition that asks for FARGATE.

botocore's notes on each member and the ECS developer guide, "Amazon ECS task definition differences
for the Fargate launch type"; texts from public issues where marked, otherwise from memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sluice_sandbox.aws.ecs import fargate
from sluice_sandbox.aws.ecs.refusals import client_exception
from sluice_sandbox.aws.service import Params

_TIMEOUTS = range(2, 121)
"""botocore, ContainerDefinition.startTimeout and stopTimeout: "The valid values for Fargate"."""
_EPHEMERAL_GIB = range(21, 201)


def check(params: Params, containers: list[dict[str, Any]]) -> None:
    """Raise ClientException where Fargate cannot run the definition."""
    if params.get("networkMode") != "awsvpc":
        # Text with typographic quotes: public issues and docker/ecs-plugin.
        raise client_exception("Fargate only supports network mode \u2018awsvpc\u2019.")
    for member in ("cpu", "memory"):
        if not params.get(member):
            raise client_exception(f"Fargate requires that '{member}' be defined at the task level.")
    cpu = fargate.cpu_units(params["cpu"]) or 0
    memory = fargate.memory_mib(params["memory"]) or 0
    if not fargate.runs(cpu, memory):
        # Text: aws-games/cloud-game-development-toolkit#737.
        raise client_exception(
            f"No Fargate configuration exists for given values: {cpu} CPU, {memory} memory. "
            "See the Amazon ECS documentation for the valid values."
        )
    _check_task(params, cpu=cpu)
    for container in containers:
        _check_container(container, execution_role=bool(params.get("executionRoleArn")))


def _check_task(params: Params, *, cpu: int) -> None:
    # botocore: pidMode task only (Linux), ipcMode and placement constraints not supported on Fargate.
    windows = (params.get("runtimePlatform") or {}).get("operatingSystemFamily", "LINUX") != "LINUX"
    if params.get("pidMode") == "host" or (params.get("pidMode") and windows):
        raise client_exception(f"Fargate does not support the pidMode '{params['pidMode']}'.")
    if windows and cpu < _WINDOWS_CPU:
        raise client_exception("Windows containers on Fargate need at least 1 vCPU.")
    if params.get("ipcMode"):
        raise client_exception("Fargate does not support ipcMode.")
    if params.get("placementConstraints"):
        raise client_exception("Fargate task definitions do not support placement constraints.")
    if params.get("trustedExecutionConfiguration"):
        # botocore: supported only for Managed Instances.
        raise client_exception("Fargate does not support trusted execution.")
    if params.get("inferenceAccelerators"):
        raise client_exception("Fargate does not support inference accelerators.")
    storage = (params.get("ephemeralStorage") or {}).get("sizeInGiB")
    if storage is not None and storage not in _EPHEMERAL_GIB:
        # botocore, EphemeralStorage.sizeInGiB: 21 to 200.
        raise client_exception("Ephemeral storage size must be between 21 and 200 GiB.")
    _check_volumes(params.get("volumes") or ())


def _check_volumes(volumes: Iterable[Mapping[str, Any]]) -> None:
    for volume in volumes:
        if (volume.get("host") or {}).get("sourcePath"):
            raise client_exception("Fargate does not support host sourcePath volumes.")
        if volume.get("dockerVolumeConfiguration"):
            raise client_exception("Fargate does not support Docker volumes.")
        if volume.get("fsxWindowsFileServerVolumeConfiguration"):
            raise client_exception("Fargate does not support FSx for Windows File Server volumes.")


_UNSUPPORTED = {
    "privileged": "Fargate does not support privileged containers.",
    "dnsServers": "DNS servers are not supported on container when networkMode=awsvpc.",
    "dnsSearchDomains": "DNS search domains are not supported on container when networkMode=awsvpc.",
    "dockerSecurityOptions": "Fargate does not support dockerSecurityOptions.",
}
"""botocore, ContainerDefinition's notes; texts from public issues (docker/compose-ecs notes) or memory."""
_UNSUPPORTED_LINUX = ("devices", "sharedMemorySize", "maxSwap", "swappiness")
"""botocore, LinuxParameters: not supported on Fargate. tmpfs is no longer among them."""
_CAPABILITY = "SYS_PTRACE"
"""botocore, KernelCapabilities.add: all that Fargate adds."""
_WINDOWS_CPU = 1024
"""botocore, RegisterTaskDefinitionRequest.memory: not less than 1 vCPU with Windows on Fargate."""


def _check_container(container: Mapping[str, Any], *, execution_role: bool) -> None:
    name = container["name"]
    for member, text in _UNSUPPORTED.items():
        if container.get(member):
            raise client_exception(text)
    _check_resources(container)
    for member in ("startTimeout", "stopTimeout"):
        if container.get(member) is not None and container[member] not in _TIMEOUTS:
            raise client_exception(
                f"Invalid {member} for container '{name}': must be between 2 and 120 seconds on Fargate."
            )
    driver = (container.get("logConfiguration") or {}).get("logDriver")
    if driver not in {None, "awslogs", "splunk", "awsfirelens"}:
        # botocore, LogConfiguration.logDriver: the three that Fargate supports.
        raise client_exception(f"Fargate does not support the log driver {driver}.")
    # Text: virtual-kubelet/virtual-kubelet#193, and the same with ECR images.
    needs = {"log driver awslogs": driver == "awslogs", "ECR images": ".dkr.ecr." in container["image"]}
    for what, needed in needs.items():
        if needed and not execution_role:
            raise client_exception(
                f"Fargate requires task definition to have execution role ARN to support {what}."
            )


def _check_resources(container: Mapping[str, Any]) -> None:
    linux = container.get("linuxParameters") or {}
    for member in _UNSUPPORTED_LINUX:
        if linux.get(member) is not None and linux[member] != []:
            raise client_exception(f"Fargate does not support linuxParameters.{member}.")
    if set((linux.get("capabilities") or {}).get("add") or ()) - {_CAPABILITY}:
        raise client_exception(f"Fargate only supports adding the {_CAPABILITY} kernel capability.")
    if container.get("resourceRequirements"):
        raise client_exception("Fargate does not support resource requirements (GPUs, accelerators).")
