"""Volumes and mounts of a PodTemplate, with the answer that each has on ECS."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from sluice.api.v1alpha1.schema import (
    OPEN,
    QUANTITY,
    Quantity,
    Schema,
    Typed,
    accepted,
    atomic,
    refused,
    translated,
)

Anything = dict[str, Any]
_FILES = (
    "ECS can't mount it; use env or envFrom, an init container that writes the file into an emptyDir, or EFS "
    "(ecs.volumes)"
)
_STORAGE = "use EFS (csi efs.csi.aws.com or ecs.volumes) or EBS (ecs.volumeConfigurations)"


class EmptyDirVolumeSource(Typed):
    """Scratch space of a task."""

    medium: Annotated[
        Literal["", "Memory"] | None,
        translated(
            "Memory: linuxParameters.tmpfs of sizeLimit in each container that mounts it (not shared "
            "between them)"
        ),
    ] = None
    size_limit: Annotated[
        Quantity | None,
        Schema({"pattern": QUANTITY}),
        translated("ephemeralStorage on Fargate where the sum is more than the 20 GiB that every task has"),
    ] = None
    mode: Annotated[int | None, refused("ECS sets no mode on volumes; set it in the image")] = None


class CsiVolumeSource(Typed):
    """An inline CSI volume; ECS knows one driver, EFS."""

    driver: Annotated[
        str,
        refused(
            "ECS mounts EFS only: efs.csi.aws.com; for EBS use ecs.volumeConfigurations",
            unless=("efs.csi.aws.com",),
        ),
    ]
    volume_attributes: Annotated[
        dict[str, str] | None,
        Schema({"maxProperties": 16}),
        translated(
            "efsVolumeConfiguration: fileSystemId, rootDirectory, accessPointId, encryptInTransit, iam; "
            "others are refused"
        ),
    ] = None
    read_only: Annotated[bool | None, translated("mountPoints[].readOnly of every mount")] = None
    fs_type: Annotated[str | None, refused("EFS has one; remove fsType")] = None
    node_publish_secret_ref: Annotated[
        Anything | None, OPEN, refused('EFS authorises by the task role (attribute iam: "true"); remove it')
    ] = None


class Volume(Typed):
    """A volume of the task."""

    name: Annotated[str, Field(max_length=63), translated("volumes[].name")]
    empty_dir: Annotated[
        EmptyDirVolumeSource | None, translated("a volume that lives as long as the task")
    ] = None
    csi: Annotated[CsiVolumeSource | None, translated("efsVolumeConfiguration")] = None
    config_map: Annotated[Anything | None, OPEN, refused(_FILES)] = None
    secret: Annotated[Anything | None, OPEN, refused(_FILES)] = None
    projected: Annotated[Anything | None, OPEN, refused(_FILES)] = None
    downward_api: Annotated[Anything | None, Field(alias="downwardAPI"), OPEN, refused(_FILES)] = None
    image: Annotated[Anything | None, OPEN, refused(_FILES)] = None
    persistent_volume_claim: Annotated[Anything | None, OPEN, refused(_STORAGE)] = None
    ephemeral: Annotated[Anything | None, OPEN, refused(_STORAGE)] = None
    aws_elastic_block_store: Annotated[Anything | None, OPEN, refused(_STORAGE)] = None
    nfs: Annotated[Anything | None, OPEN, refused(_STORAGE)] = None
    host_path: Annotated[
        Anything | None,
        OPEN,
        refused(
            "tasks don't reach into their host; use emptyDir or EFS (on EC2: taskDefinition with "
            "volumes[].host)"
        ),
    ] = None
    azure_disk: Annotated[Anything | None, OPEN, refused(_STORAGE)] = None
    azure_file: Annotated[Anything | None, OPEN, refused(_STORAGE)] = None
    cephfs: Annotated[Anything | None, OPEN, refused(_STORAGE)] = None
    cinder: Annotated[Anything | None, OPEN, refused(_STORAGE)] = None
    fc: Annotated[Anything | None, OPEN, refused(_STORAGE)] = None
    flex_volume: Annotated[Anything | None, OPEN, refused(_STORAGE)] = None
    flocker: Annotated[Anything | None, OPEN, refused(_STORAGE)] = None
    gce_persistent_disk: Annotated[Anything | None, OPEN, refused(_STORAGE)] = None
    git_repo: Annotated[Anything | None, OPEN, refused(_FILES)] = None
    glusterfs: Annotated[Anything | None, OPEN, refused(_STORAGE)] = None
    iscsi: Annotated[Anything | None, OPEN, refused(_STORAGE)] = None
    photon_persistent_disk: Annotated[Anything | None, OPEN, refused(_STORAGE)] = None
    portworx_volume: Annotated[Anything | None, OPEN, refused(_STORAGE)] = None
    quobyte: Annotated[Anything | None, OPEN, refused(_STORAGE)] = None
    rbd: Annotated[Anything | None, OPEN, refused(_STORAGE)] = None
    scale_io: Annotated[Anything | None, Field(alias="scaleIO"), OPEN, refused(_STORAGE)] = None
    storageos: Annotated[Anything | None, OPEN, refused(_STORAGE)] = None
    vsphere_volume: Annotated[Anything | None, OPEN, refused(_STORAGE)] = None


class VolumeMount(Typed):
    """Where a container sees a volume."""

    name: Annotated[
        str,
        Field(max_length=255),
        translated(
            "mountPoints[].sourceVolume: of template.spec.volumes, ecs.volumes or ecs.volumeConfigurations"
        ),
    ]
    mount_path: Annotated[str, translated("mountPoints[].containerPath")]
    read_only: Annotated[bool | None, translated("mountPoints[].readOnly")] = None
    sub_path: Annotated[
        str | None, refused("ECS mounts whole volumes; use one volume per path, or rootDirectory of EFS")
    ] = None
    sub_path_expr: Annotated[
        str | None, refused("ECS mounts whole volumes; use one volume per path, or rootDirectory of EFS")
    ] = None
    mount_propagation: Annotated[
        str | None, refused("ECS has no mount propagation; remove it", unless=("None",))
    ] = None
    recursive_read_only: Annotated[
        str | None, refused("ECS has only readOnly", unless=("Disabled", "IfPossible"))
    ] = None
    bind_mount_options: Annotated[
        list[str] | None, atomic(most=16), refused("ECS has no mount options here; remove them")
    ] = None


class VolumeDevice(Typed):
    """A raw block device."""

    name: Annotated[str, accepted("see volumeDevices")]
    device_path: Annotated[str, accepted("see volumeDevices")]
