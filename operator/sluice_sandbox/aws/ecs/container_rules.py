"""What RegisterTaskDefinition refuses of one container, wherever the task runs.

Rules: botocore, ContainerDefinition and its members' documentation; texts from public issues where
marked, otherwise from memory. Ports and mounts have modules of their own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sluice_sandbox.aws.ecs.refusals import client_exception

_IMAGE = re.compile(r"(?P<name>[A-Za-z0-9_\-:./#]+)(?P<digest>@sha256:[A-Fa-f0-9]{64})?")
MAX_IMAGE = 255
_RANGES = {
    "interval": (5, 300),
    "timeout": (2, 60),
    "retries": (1, 10),
    "startPeriod": (0, 300),
}
"""botocore, HealthCheck."""
_RESTART_PERIOD = (60, 1800)
MAX_EXIT_CODES = 50
MAX_ENVIRONMENT_FILES = 10
MAX_CREDENTIAL_SPECS = 1
MINIMUM_MEMORY = 6
_CAPABILITIES = frozenset(
    re.findall(
        r"\w+",
        "ALL AUDIT_CONTROL AUDIT_WRITE BLOCK_SUSPEND CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID "
        "IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN "
        "NET_BIND_SERVICE NET_BROADCAST NET_RAW SETFCAP SETGID SETPCAP SETUID SYS_ADMIN SYS_BOOT SYS_CHROOT "
        "SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG SYSLOG "
        "WAKE_ALARM",
    )
)
"""botocore, KernelCapabilities.add and drop."""
_BRIDGE_ONLY = {
    "hostname": "hostname is not supported on container when networkMode=awsvpc.",
    "extraHosts": "Extra hosts are not supported on container when networkMode=awsvpc.",
    "disableNetworking": "Networking cannot be disabled for a container when networkMode=awsvpc.",
}

Definition = Mapping[str, Any]


def check_container(container: Definition, *, mode: str) -> None:
    """Raise ClientException where AWS would refuse the container itself."""
    name = container["name"]
    _check_image(container["image"])
    _check_memory(container)
    if (container.get("cpu") or 0) < 0:
        raise client_exception(f"Invalid 'cpu' setting for container '{name}'.")
    _check_health(container.get("healthCheck"))
    _check_secrets(container)
    _check_network(container, mode)
    _check_restart(container.get("restartPolicy"))
    _check_linux(container.get("linuxParameters") or {})
    for limit in container.get("ulimits") or ():
        if limit["softLimit"] > limit["hardLimit"] >= 0:
            raise client_exception(f"The soft limit of ulimit '{limit['name']}' exceeds its hard limit.")
    for member in ("startTimeout", "stopTimeout"):
        if (container.get(member) or 0) < 0:
            raise client_exception(f"Invalid '{member}' setting for container '{name}'.")
    _check_requirements(container)
    if len(container.get("credentialSpecs") or ()) > MAX_CREDENTIAL_SPECS:
        raise client_exception("A container can have at most one credential spec.")
    files = container.get("environmentFiles") or ()
    if len(files) > MAX_ENVIRONMENT_FILES:
        raise client_exception("A container can have at most 10 environment files.")
    for item in files:
        if not item["value"].endswith(".env"):
            raise client_exception(f"Environment file '{item['value']}' must have the .env extension.")


def _check_image(image: str) -> None:
    found = _IMAGE.fullmatch(image)
    if found is None:
        # Text: public issues ("Container.image contains invalid characters.").
        raise client_exception("Container.image contains invalid characters.")
    if len(found["name"]) > MAX_IMAGE:
        raise client_exception("Container.image repository should be 255 characters or less.")


def _check_memory(container: Definition) -> None:
    name, memory, reservation = container["name"], container.get("memory"), container.get("memoryReservation")
    if memory is not None and reservation is not None and memory < reservation:
        # botocore, ContainerDefinition.memory: it must be greater than memoryReservation.
        raise client_exception(
            f"Invalid setting for container '{name}'. 'memory' must be greater than 'memoryReservation'."
        )
    for value in (memory, reservation):
        if value is not None and value < MINIMUM_MEMORY:
            # botocore: Docker 20.10+ reserves a minimum of 6 MiB.
            raise client_exception(
                f"Invalid setting for container '{name}'. 'memory' must be at least 6 MiB."
            )


def _check_health(health: Definition | None) -> None:
    if health is None:
        return
    command = health.get("command") or []
    if not command or command[0] not in {"CMD", "CMD-SHELL", "NONE"}:
        raise client_exception("HealthCheck command must start with CMD or CMD-SHELL.")
    for member, (low, high) in _RANGES.items():
        value = health.get(member)
        if value is not None and not low <= value <= high:
            raise client_exception(f"HealthCheck {member} must be between {low} and {high}.")


def _check_secrets(container: Definition) -> None:
    secrets = [item.get("name", "") for item in container.get("secrets") or ()]
    variables = {item.get("name", "") for item in container.get("environment") or ()}
    repeated = next((item for item in secrets if secrets.count(item) > 1 or item in variables), None)
    if repeated is not None:
        # Text: aws/containers-roadmap, "The secret name must be unique and not shared ...".
        raise client_exception(
            "The secret name must be unique and not shared with any new or existing environment variables "
            f"set on the container, such as '{repeated}'."
        )


def _check_network(container: Definition, mode: str) -> None:
    if container.get("links") and mode != "bridge":
        # botocore, ContainerDefinition.links; text: public issues.
        raise client_exception(f"Links are not supported when networkMode={mode}.")
    if mode == "awsvpc":
        for member, text in _BRIDGE_ONLY.items():
            if container.get(member):
                raise client_exception(text)
    for control in container.get("systemControls") or ():
        namespace = control.get("namespace") or ""
        if not namespace.startswith(("net.", "kernel.", "fs.mqueue.")):
            raise client_exception(f"The system control '{namespace}' is not namespaced.")
        if namespace.startswith("net.") and mode == "host":
            # botocore, SystemControl: not with the host network mode.
            raise client_exception("Network system controls are not supported when networkMode=host.")


def _check_restart(policy: Definition | None) -> None:
    if policy is None:
        return
    period = policy.get("restartAttemptPeriod")
    low, high = _RESTART_PERIOD
    if period is not None and not low <= period <= high:
        raise client_exception(f"restartAttemptPeriod must be between {low} and {high} seconds.")
    if len(policy.get("ignoredExitCodes") or ()) > MAX_EXIT_CODES:
        raise client_exception("ignoredExitCodes can have at most 50 items.")


def _check_linux(parameters: Definition) -> None:
    swappiness, swap = parameters.get("swappiness"), parameters.get("maxSwap")
    if swappiness is not None and not 0 <= swappiness <= 100:
        raise client_exception("swappiness must be between 0 and 100.")
    if swap is not None and swap < 0:
        raise client_exception("maxSwap must not be negative.")
    capabilities = parameters.get("capabilities") or {}
    for name in (*(capabilities.get("add") or ()), *(capabilities.get("drop") or ())):
        if name not in _CAPABILITIES:
            raise client_exception(f"Invalid Linux capability '{name}'.")


def _check_requirements(container: Definition) -> None:
    for item in container.get("resourceRequirements") or ():
        value, shared = item.get("value"), item.get("sharingStrategy")
        if item["type"] == "GPU":
            if (value is None) == (shared is None):
                raise client_exception("A GPU needs either a value or a sharingStrategy.")
            if value is not None and value != "ALL" and not (value.isdecimal() and int(value) > 0):
                raise client_exception(f"Invalid number of GPUs '{value}'.")
        elif item["type"] == "NeuronDevice" and value != "ALL":
            raise client_exception("The value of a NeuronDevice must be ALL.")
