"""What RegisterTaskDefinition refuses of volumes and of the mounts that use them.

Rules: botocore, Volume, EFSVolumeConfiguration, DockerVolumeConfiguration and MountPoint; texts from
public issues where marked, otherwise from memory. A volume that no container mounts is no error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from sluice_sandbox.aws.ecs.refusals import client_exception

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_KINDS = (
    "host",
    "dockerVolumeConfiguration",
    "efsVolumeConfiguration",
    "fsxWindowsFileServerVolumeConfiguration",
    "s3filesVolumeConfiguration",
)
_PORTS = range(1, 65536)

Volume = Mapping[str, Any]


def check_volumes(volumes: Iterable[Volume]) -> set[str]:
    """Return the names of the declared volumes; refuse what AWS refuses of them."""
    names: set[str] = set()
    at_launch = 0
    for volume in volumes:
        name = volume.get("name", "")
        if not _NAME.fullmatch(name):
            raise client_exception(f"Volume name '{name}' is invalid.")
        if name in names:
            raise client_exception(f"Volume name '{name}' is duplicated in the task definition.")
        kinds = sum(1 for kind in _KINDS if volume.get(kind))
        if kinds > 1 or (kinds and volume.get("configuredAtLaunch")):
            raise client_exception(f"Volume '{name}' must not have more than one configuration.")
        at_launch += bool(volume.get("configuredAtLaunch"))
        if volume.get("efsVolumeConfiguration"):
            _check_efs(name, volume["efsVolumeConfiguration"])
        docker = volume.get("dockerVolumeConfiguration") or {}
        if docker.get("autoprovision") and docker.get("scope") != "shared":
            raise client_exception(f"Volume '{name}': autoprovision is only valid for the scope 'shared'.")
        names.add(name)
    if at_launch > 1:
        # botocore, Volume.configuredAtLaunch: one volume per revision.
        raise client_exception("A task definition may only have one volume that is configured at launch.")
    return names


def _check_efs(name: str, efs: Mapping[str, Any]) -> None:
    """Refuse access points and IAM without transit encryption, and a root beside an access point."""
    access = efs.get("authorizationConfig") or {}
    encrypted = efs.get("transitEncryption") == "ENABLED"
    port = efs.get("transitEncryptionPort")
    if access.get("iam") == "ENABLED" and not encrypted:
        raise client_exception(f"Volume '{name}': IAM authorization requires transit encryption.")
    if access.get("accessPointId"):
        if not encrypted:
            raise client_exception(f"Volume '{name}': an EFS access point requires transit encryption.")
        if efs.get("rootDirectory") not in {None, "", "/"}:
            raise client_exception(
                f"Volume '{name}': rootDirectory must be omitted or '/' with an EFS access point."
            )
    if port is not None and (not encrypted or port not in _PORTS):
        raise client_exception(
            f"Volume '{name}': transitEncryptionPort must be a port and needs transit encryption."
        )


def check_mounts(container: Mapping[str, Any], *, containers: list[str], volumes: set[str]) -> None:
    """Refuse mounts of volumes and containers that the definition does not declare."""
    for mount in container.get("mountPoints") or ():
        if mount.get("sourceVolume") not in volumes:
            # Text: public issues ("Unknown volume 'x'.").
            raise client_exception(f"Unknown volume '{mount.get('sourceVolume')}'.")
        if not mount.get("containerPath"):
            raise client_exception("MountPoint.containerPath should not be null or empty.")
    for source in container.get("volumesFrom") or ():
        if source.get("sourceContainer") not in {*containers} - {container["name"]}:
            raise client_exception(f"Unknown container '{source.get('sourceContainer')}' in volumesFrom.")
