"""What ECS refuses of volumeConfigurations: the EBS volumes it makes for tasks.

botocore, ServiceManagedEBSVolumeConfiguration (RunTask's has the same members): which members go
together, and the ranges by volume type. Texts from memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sluice_sandbox.aws.ecs.refusals import invalid_parameter
from sluice_sandbox.aws.ecs.state import Definition

SIZES = {
    "gp2": range(1, 16384 + 1),
    "gp3": range(1, 16384 + 1),
    "io1": range(4, 16384 + 1),
    "io2": range(4, 16384 + 1),
    "st1": range(125, 16384 + 1),
    "sc1": range(125, 16384 + 1),
    "standard": range(1, 1024 + 1),
}
"""GiB by volume type."""
IOPS = {"gp3": range(3000, 16000 + 1), "io1": range(100, 64000 + 1), "io2": range(100, 256000 + 1)}
DEFAULT_TYPE = "gp3"
"""From memory: ECS makes gp3 volumes unless told."""
MAX_THROUGHPUT = 1000

Item = Mapping[str, Any]


def check_volume_configurations(items: Sequence[Item] | None, definition: Definition) -> None:
    """Refuse volumes that the definition does not configure at launch, and impossible ones."""
    at_launch = {volume["name"] for volume in definition.spec["volumes"] if volume.get("configuredAtLaunch")}
    given = {item["name"] for item in items or ()}
    if given != at_launch:
        # botocore: the name must match a volume with configuredAtLaunch.
        odd = ", ".join(sorted(given ^ at_launch))
        raise invalid_parameter(
            f"volumeConfigurations must match the task definition's volumes marked configuredAtLaunch: {odd}"
        )
    for item in items or ():
        volume = item.get("managedEBSVolume")
        if not volume:
            raise invalid_parameter(f"managedEBSVolume must be specified for the volume '{item['name']}'.")
        _check_volume(item["name"], volume)


def _check_volume(name: str, volume: Item) -> None:
    kind, size = volume.get("volumeType") or DEFAULT_TYPE, volume.get("sizeInGiB")
    if kind not in SIZES:
        raise invalid_parameter(f"Invalid volumeType '{kind}' for the volume '{name}'.")
    if size is None and not volume.get("snapshotId"):
        raise invalid_parameter(f"Specify either sizeInGiB or snapshotId for the volume '{name}'.")
    if size is not None and size not in SIZES[kind]:
        raise invalid_parameter(f"Invalid sizeInGiB '{size}' for the {kind} volume '{name}'.")
    iops, throughput = volume.get("iops"), volume.get("throughput")
    if kind in {"io1", "io2"} and iops is None:
        raise invalid_parameter(f"iops is required for the {kind} volume '{name}'.")
    if iops is not None and kind in {"st1", "sc1", "standard"}:
        raise invalid_parameter(f"iops is not supported for the {kind} volume '{name}'.")
    if iops is not None and kind in IOPS and iops not in IOPS[kind]:
        raise invalid_parameter(f"Invalid iops '{iops}' for the {kind} volume '{name}'.")
    if throughput is not None and (kind != "gp3" or throughput > MAX_THROUGHPUT):
        raise invalid_parameter(f"Invalid throughput '{throughput}' for the {kind} volume '{name}'.")
    if volume.get("volumeInitializationRate") is not None and not volume.get("snapshotId"):
        raise invalid_parameter(f"volumeInitializationRate needs a snapshotId for the volume '{name}'.")
