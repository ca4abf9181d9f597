"""Volumes of the task, and where containers mount them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final

from sluice.api.v1alpha1.container import Container
from sluice.api.v1alpha1.ecs import EcsSettings
from sluice.api.v1alpha1.pod import PodSpec
from sluice.api.v1alpha1.volume import CsiVolumeSource, EmptyDirVolumeSource
from sluice.plan.translation.model import Findings
from sluice.plan.translation.quantity import gibibytes, mebibytes

FREE_STORAGE_GIB: Final = 20
"""Every Fargate task has it (ECS developer guide, "Fargate task ephemeral storage")."""
STORAGE_RANGE_GIB: Final = (21, 200)  # ECS API, EphemeralStorage
_EFS_ATTRIBUTES: Final = frozenset(
    {"fileSystemId", "rootDirectory", "accessPointId", "encryptInTransit", "iam"}
)
_SIZES: Final = "spec.template.spec.volumes"


@dataclass(frozen=True, slots=True)
class Volumes:
    """The volumes that containers may mount."""

    definitions: list[dict[str, Any]]
    """RegisterTaskDefinition.volumes, sorted."""
    memory: Mapping[str, int] = field(default_factory=dict)
    """Name of an emptyDir in memory → MiB: no volume in ECS but a tmpfs of each container."""
    read_only: frozenset[str] = frozenset()

    @property
    def names(self) -> set[str]:
        """Return every name that a mount may refer to."""
        return {item["name"] for item in self.definitions} | set(self.memory)


def volumes(pod: PodSpec, ecs: EcsSettings, findings: Findings) -> Volumes:
    """Return the volumes of the template, of ecs.volumes and of ecs.volumeConfigurations."""
    definitions: list[dict[str, Any]] = []
    memory: dict[str, int] = {}
    read_only: set[str] = set()
    for index, volume in enumerate(pod.volumes or ()):
        path = f"spec.template.spec.volumes[{index}]"
        if volume.csi:
            definitions.append(
                {"name": volume.name, "efsVolumeConfiguration": _efs(volume.csi, f"{path}.csi", findings)}
            )
            read_only |= {volume.name} if volume.csi.read_only else set()
        elif volume.empty_dir and volume.empty_dir.medium == "Memory":
            memory[volume.name] = _memory(volume.empty_dir, path, findings)
        else:
            definitions.append({"name": volume.name})  # without a source it is an emptyDir, as in Kubernetes
    for index, raw in enumerate(ecs.volumes or ()):
        definitions.append(dict(raw))
        if sum(item["name"] == raw["name"] for item in definitions) > 1:
            findings.refuse(
                f"spec.ecs.volumes[{index}]", "the template has a volume of that name; rename one"
            )
    known = {item["name"] for item in definitions} | set(memory)
    for index, raw in enumerate(ecs.volume_configurations or ()):
        if raw["name"] in known:
            findings.refuse(
                f"spec.ecs.volumeConfigurations[{index}]", "another volume has that name; rename one"
            )
        definitions.append({"name": raw["name"], "configuredAtLaunch": True})
    return Volumes(sorted(definitions, key=lambda item: str(item["name"])), memory, frozenset(read_only))


def mounts(
    container: Container, available: Volumes, path: str, findings: Findings
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return (mountPoints, tmpfs) of a container, sorted by path."""
    points: list[dict[str, Any]] = []
    tmpfs: list[dict[str, Any]] = []
    for index, mount in enumerate(container.volume_mounts or ()):
        if mount.name not in available.names:
            text = "there is no such volume in template.spec.volumes, ecs.volumes or ecs.volumeConfigurations"
            findings.refuse(f"{path}.volumeMounts[{index}].name", text)
        elif mount.name in available.memory:
            options = {"mountOptions": ["ro"]} if mount.read_only else {}
            tmpfs.append({"containerPath": mount.mount_path, "size": available.memory[mount.name], **options})
        else:
            point = {"sourceVolume": mount.name, "containerPath": mount.mount_path}
            read_only = bool(mount.read_only) or mount.name in available.read_only
            points.append(point | {"readOnly": read_only})
    return _by_path(points), _by_path(tmpfs)


def check_memory_sharing(containers: Iterable[Container], available: Volumes, findings: Findings) -> None:
    """Refuse an emptyDir in memory that several containers mount: ECS gives each its own tmpfs."""
    users: dict[str, set[str]] = {}
    for container in containers:
        for mount in container.volume_mounts or ():
            users.setdefault(mount.name, set()).add(container.name)
    for name in sorted(available.memory):
        if len(users.get(name, ())) > 1:
            text = f"volume {name} in memory can't be shared by containers; use emptyDir without medium"
            findings.refuse(_SIZES, text)


def storage_gib(pod: PodSpec, findings: Findings, *, fargate: bool) -> int | None:
    """Return ephemeralStorage.sizeInGiB, None where the 20 GiB that every Fargate task has are enough.

    The larger of the emptyDirs' sizes and of the containers' ephemeral-storage, together each.
    """
    limits = [
        volume.empty_dir.size_limit
        for volume in pod.volumes or ()
        if volume.empty_dir
        and volume.empty_dir.medium != "Memory"
        and volume.empty_dir.size_limit is not None
    ]
    asked = [
        {**(c.resources.requests or {}), **(c.resources.limits or {})}.get("ephemeral-storage")
        for c in pod.containers
        if c.resources
    ]
    try:
        needed = max(_total(limits), _total(value for value in asked if value is not None))
    except ValueError:
        findings.refuse(_SIZES, "a size is not a quantity like 30Gi")
        return None
    if needed and not fargate:
        findings.warn(_SIZES, "ECS on EC2 limits no storage of a task; the instance's disk is shared")
        return None
    if needed <= FREE_STORAGE_GIB:
        return None
    if needed > STORAGE_RANGE_GIB[1]:
        findings.refuse(_SIZES, f"Fargate gives {STORAGE_RANGE_GIB[1]} GiB at most; use EFS or EBS")
        return None
    return max(STORAGE_RANGE_GIB[0], math.ceil(needed))


def _total(values: Iterable[int | str]) -> Fraction:
    return sum((gibibytes(value) for value in values), start=Fraction(0))


def _memory(source: EmptyDirVolumeSource, path: str, findings: Findings) -> int:
    if source.size_limit is None:
        findings.refuse(f"{path}.emptyDir.sizeLimit", "a volume in memory needs a size; set sizeLimit")
        return 0
    try:
        return max(1, mebibytes(source.size_limit))
    except ValueError:
        findings.refuse(f"{path}.emptyDir.sizeLimit", "is not a quantity like 64Mi")
        return 0


def _efs(source: CsiVolumeSource, path: str, findings: Findings) -> dict[str, Any]:
    """Return efsVolumeConfiguration; IAM and access points need encryption (ECS API)."""
    attributes = source.volume_attributes or {}
    for name in sorted(set(attributes) - _EFS_ATTRIBUTES):
        findings.refuse(f"{path}.volumeAttributes[{name}]", f"ECS knows {', '.join(sorted(_EFS_ATTRIBUTES))}")
    if not attributes.get("fileSystemId"):
        findings.refuse(f"{path}.volumeAttributes", "fileSystemId is required")
    access: dict[str, str] = {}
    if point := attributes.get("accessPointId"):
        access["accessPointId"] = point
    if attributes.get("iam") == "true":
        access["iam"] = "ENABLED"
    encrypt = access or attributes.get("encryptInTransit") == "true"
    result: dict[str, Any] = {"fileSystemId": attributes.get("fileSystemId", "")}
    if root := attributes.get("rootDirectory"):
        result["rootDirectory"] = root
    if encrypt:
        result["transitEncryption"] = "ENABLED"
    return result | ({"authorizationConfig": access} if access else {})


def _by_path(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(items, key=lambda item: str(item["containerPath"]))
