"""How large a container and a task are.

Kubernetes requests are reservations, ECS's `cpu` and `memoryReservation` are too; a memory limit is
ECS's `memory`. The task is as large as its containers together, or as its largest init container, as
Kubernetes counts; on Fargate the next size that AWS offers (ECS developer guide, "Task CPU and
memory"). A memory limit above the sum raises the task: nothing could ever reach it otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sluice.api.v1alpha1.container import Container, InitContainer, ResourceRequirements
from sluice.api.v1alpha1.pod import PodSpec
from sluice.plan.translation.model import Findings, TaskSize
from sluice.plan.translation.quantity import cpu_units, mebibytes, quantity

DEFAULT_CPU: Final = 256
DEFAULT_MEMORY: Final = 512
LEAST_MEMORY: Final = 6  # MiB; ECS API, ContainerDefinition.memory
UNSAID_MEMORY: Final = (
    128  # MiB; reserved on EC2 for a container that says nothing, because ECS wants a number
)
GPU: Final = "nvidia.com/gpu"
_KNOWN: Final = frozenset({"cpu", "memory", "ephemeral-storage", GPU})
_GIB: Final = 1024
_OFFERED: Final = (
    (512, 1, 4, 1),
    (1024, 2, 8, 1),
    (2048, 4, 16, 1),
    (4096, 8, 30, 1),
    (8192, 16, 60, 4),
    (16384, 32, 120, 8),
)
"""CPU units, the least and the most GiB that go with them, and the step between."""
FARGATE_SIZES: Final[Mapping[int, tuple[int, ...]]] = {
    256: (512, 1 * _GIB, 2 * _GIB),
    **{
        cpu: tuple(gib * _GIB for gib in range(least, most + step, step))
        for cpu, least, most, step in _OFFERED
    },
}
"""CPU units → MiB that go with them."""
LEAST_WINDOWS_CPU: Final = 1024  # ECS API, RegisterTaskDefinition.memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one container asks for: CPU units, MiB reserved, MiB as hard limit, GPUs."""

    cpu: int = 0
    reservation: int = 0
    limit: int = 0
    gpus: int = 0

    @property
    def memory(self) -> int:
        """Return the MiB that count for the task: ECS takes the reservation, else the limit."""
        return self.reservation or self.limit


def share(resources: ResourceRequirements | None, path: str, findings: Findings) -> Share:
    """Return a container's share; a limit without a request is the request, as in Kubernetes."""
    if resources is None:
        return Share()
    requests, limits = dict(resources.requests or {}), dict(resources.limits or {})
    for kind, content in (("requests", requests), ("limits", limits)):
        for name in sorted(set(content) - _KNOWN):
            text = "ECS has cpu, memory, ephemeral-storage and, on EC2, nvidia.com/gpu; remove it"
            findings.refuse(f"{path}.{kind}[{name}]", text)
            del content[name]
        for name, value in list(content.items()):
            if not _is_quantity(value):
                findings.refuse(f"{path}.{kind}[{name}]", "is not a quantity like 500m or 1Gi")
                del content[name]
            elif name == GPU and quantity(value).denominator != 1:
                findings.refuse(f"{path}.{kind}[{name}]", "GPUs are not shared; ask for a whole number")
                del content[name]
    unrequested = sorted(name for name in limits if name in {"cpu", "memory"} and name not in requests)
    if unrequested:
        text = f"no request for {' and '.join(unrequested)}: the limit counts as the request"
        findings.warn(f"{path}.limits", text)
    cpu = cpu_units(requests.get("cpu", limits.get("cpu", 0)))
    if "cpu" in requests and "cpu" in limits and quantity(limits["cpu"]) > quantity(requests["cpu"]):
        findings.warn(f"{path}.limits", "ECS has no CPU limit of a container, only the task's size")
    limit = max(LEAST_MEMORY, mebibytes(limits["memory"])) if "memory" in limits else 0
    request = max(LEAST_MEMORY, mebibytes(requests["memory"])) if "memory" in requests else limit
    if limit and request > limit:
        findings.refuse(
            f"{path}.requests[memory]", "is more than the limit; raise the limit or lower the request"
        )
    return Share(
        cpu=cpu,
        reservation=request if request != limit else 0,
        limit=limit,
        gpus=int(quantity(limits.get(GPU, requests.get(GPU, 0)))),
    )


def requested(pod: PodSpec, shares: Mapping[str, Share], path: str, findings: Findings) -> tuple[int, int]:
    """Return (CPU units, MiB) that the task needs, (0, 0) when nobody says anything.

    `shares` are by container name. The pod's own resources win over the containers' sum.
    """
    if pod.resources is not None:
        whole = share(pod.resources, f"{path}.resources", findings)
        if whole.gpus:
            findings.refuse(f"{path}.resources", f"{GPU} belongs to a container")
        return whole.cpu, max(whole.memory, whole.limit)
    running = [*pod.containers, *(c for c in pod.init_containers or () if is_sidecar(c))]
    ending = [c for c in pod.init_containers or () if not is_sidecar(c)]
    cpu = max([_sum(running, shares, "cpu"), *(shares[c.name].cpu for c in ending)])
    memory = [_sum(running, shares, "memory"), *(shares[c.name].memory for c in ending)]
    return cpu, max([*memory, *(of_one.limit for of_one in shares.values())])


def is_sidecar(container: InitContainer) -> bool:
    """Tell whether an init container keeps running beside the others (restartPolicy Always)."""
    return container.restart_policy == "Always"


def fargate_size(cpu: int, memory: int, *, windows: bool = False) -> TaskSize | None:
    """Return the smallest Fargate size that holds both, None when there is none."""
    for units, memories in FARGATE_SIZES.items():
        if units < cpu or (windows and units < LEAST_WINDOWS_CPU):
            continue
        fitting = [size for size in memories if size >= memory]
        if fitting:
            return TaskSize(cpu=units, memory=fitting[0], requested_cpu=cpu, requested_memory=memory)
    return None


def _sum(containers: list[Container], shares: Mapping[str, Share], member: str) -> int:
    return sum(getattr(shares[container.name], member) for container in containers)


def _is_quantity(value: int | str) -> bool:
    try:
        return quantity(value) >= 0
    except ValueError:
        return False
