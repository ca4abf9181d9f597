"""Container definitions from a template's containers."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

from sluice.api.v1alpha1.container import Container, InitContainer
from sluice.api.v1alpha1.pod import PodSpec
from sluice.plan.translation.environment import EnvironmentReader
from sluice.plan.translation.health import container_check
from sluice.plan.translation.images import needs_credentials
from sluice.plan.translation.model import Findings
from sluice.plan.translation.security import security
from sluice.plan.translation.sizes import UNSAID_MEMORY, Share, is_sidecar
from sluice.plan.translation.volumes import Volumes, mounts

LEAST_STOP_TIMEOUT: Final = 2  # ECS API, ContainerDefinition.stopTimeout
FARGATE_STOP_TIMEOUT: Final = 120
_RESTART_PERIOD: Final = 60  # ECS API, ContainerRestartPolicy: the least restartAttemptPeriod


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the containers of one task share."""

    fargate: bool
    host_network: bool
    task_memory: bool
    """The task has a memory of its own; otherwise each container needs one."""
    shares: Mapping[str, Share]
    volumes: Volumes
    environment: EnvironmentReader
    credentials: str
    logging: Mapping[str, Any] | None


class ContainerTranslator:
    """Translates the containers of one template."""

    def __init__(self, pod: PodSpec, around: Surroundings, findings: Findings) -> None:
        """Translate with these surroundings; problems go to `findings`."""
        self._pod = pod
        self._around = around
        self._findings = findings

    def definitions(self) -> list[dict[str, Any]]:
        """Return all container definitions: init containers first, in their order."""
        path = "spec.template.spec"
        result: list[dict[str, Any]] = []
        waiting: list[dict[str, str]] = []
        for index, init in enumerate(self._pod.init_containers or ()):
            here = f"{path}.initContainers[{index}]"
            self._init_rules(init, here)
            definition = self._definition(init, here) | {"essential": False}
            if waiting:
                definition["dependsOn"] = list(waiting)
            if is_sidecar(init):
                definition["restartPolicy"] = {"enabled": True, "restartAttemptPeriod": _RESTART_PERIOD}
                started = "HEALTHY" if definition.get("healthCheck") else "START"
                waiting.append({"containerName": init.name, "condition": started})
            else:
                waiting.append({"containerName": init.name, "condition": "SUCCESS"})
            result.append(definition)
        for index, container in enumerate(self._pod.containers):
            definition = self._definition(container, f"{path}.containers[{index}]") | {"essential": True}
            if waiting:
                definition["dependsOn"] = list(waiting)
            result.append(definition)
        return result

    def _definition(self, container: Container, path: str) -> dict[str, Any]:
        around = self._around
        environment = around.environment.read(container, path)
        mount_points, tmpfs = mounts(container, around.volumes, path, self._findings)
        result: dict[str, Any] = {
            "name": container.name,
            "image": container.image,
            "portMappings": self._ports(container, path),
            "environment": [{"name": name, "value": value} for name, value in environment.literals.items()],
            "secrets": [{"name": name, "valueFrom": arn} for name, arn in environment.secrets.items()],
            "mountPoints": mount_points,
            "entryPoint": around.environment.expanded(container.command, environment, f"{path}.command"),
            "command": around.environment.expanded(container.args, environment, f"{path}.args"),
            "workingDirectory": container.working_dir,
            "interactive": container.stdin,
            "pseudoTerminal": container.tty,
            "healthCheck": container_check(container, path, self._findings),
            "stopTimeout": self._stop_timeout(),
            **self._sizes(container, path),
            **security(container, self._pod.security_context, path, self._findings, fargate=around.fargate),
        }
        if tmpfs:
            result["linuxParameters"] = {**result.get("linuxParameters", {}), "tmpfs": tmpfs}
        if around.credentials and needs_credentials(container.image):
            result["repositoryCredentials"] = {"credentialsParameter": around.credentials}
        if around.logging:
            result["logConfiguration"] = deepcopy(dict(around.logging))
        return {key: value for key, value in result.items() if value not in (None, [], {}, False)}

    def _sizes(self, container: Container, path: str) -> dict[str, Any]:
        """Return cpu, memory, memoryReservation and GPUs.

        An init container that ends has none of them where the task has its own memory: ECS adds up all
        containers, Kubernetes counts the largest init container only.
        """
        share = self._around.shares[container.name]
        ends = isinstance(container, InitContainer) and not is_sidecar(container)
        if ends and self._around.task_memory:
            if container.resources and container.resources.limits:
                text = "the task's size bounds it, not a limit of its own"
                self._findings.warn(f"{path}.resources.limits", text)
            return {}
        result: dict[str, Any] = {
            "cpu": share.cpu or None,
            "memory": share.limit or None,
            "memoryReservation": share.reservation or None,
        }
        if not share.memory and not self._around.task_memory:
            result["memoryReservation"] = UNSAID_MEMORY
            text = f"ECS on EC2 needs a memory: {UNSAID_MEMORY} MiB are reserved; set requests.memory"
            self._findings.warn(f"{path}.resources", text)
        if share.gpus:
            if self._around.fargate:
                self._findings.refuse(f"{path}.resources", "Fargate has no GPUs; use capacity on EC2")
            result["resourceRequirements"] = [{"type": "GPU", "value": str(share.gpus)}]
        return result

    def _ports(self, container: Container, path: str) -> list[dict[str, Any]]:
        result = []
        for index, port in enumerate(container.ports or ()):
            here = f"{path}.ports[{index}]"
            if port.protocol == "SCTP":
                self._findings.refuse(f"{here}.protocol", "ECS has TCP and UDP only")
            if port.host_port and port.host_port != port.container_port:
                text = "a task has its own address; remove hostPort"
                if self._around.host_network:
                    text = "must be equal to containerPort with hostNetwork"
                self._findings.refuse(f"{here}.hostPort", text)
            mapping: dict[str, Any] = {
                "containerPort": port.container_port,
                "protocol": port.protocol.lower(),
            }
            result.append(mapping | ({"name": port.name} if port.name else {}))
        return result

    def _stop_timeout(self) -> int | None:
        seconds = self._pod.termination_grace_period_seconds
        return None if seconds is None else max(LEAST_STOP_TIMEOUT, seconds)

    def _init_rules(self, container: InitContainer, path: str) -> None:
        if is_sidecar(container):
            return
        for name in ("readiness_probe", "liveness_probe", "startup_probe"):
            if getattr(container, name):
                alias = InitContainer.model_fields[name].alias
                text = "an init container that ends takes no probes; set restartPolicy: Always or remove it"
                self._findings.refuse(f"{path}.{alias}", text)
