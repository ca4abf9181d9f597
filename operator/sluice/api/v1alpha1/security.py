"""Security contexts of pods and containers, with the answer that each field has on ECS."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from sluice.api.v1alpha1.schema import (
    OPEN,
    Schema,
    Typed,
    accepted,
    atomic,
    refused,
    translated,
    warned,
)

Id = Annotated[int, Field(ge=0, le=4_294_967_295)]
_NON_ROOT = "nothing enforces it on ECS; set runAsUser, or USER in the image"


class SeccompProfile(Typed):
    """System calls that a container may make."""

    type: Annotated[
        str,
        refused(
            "ECS has no profiles of your own; use RuntimeDefault or leave it out",
            unless=("RuntimeDefault", "Unconfined"),
        ),
        warned("ECS lets nobody choose: the container runtime's own profile applies"),
    ]
    localhost_profile: Annotated[
        str | None, refused("ECS has no profiles of your own; use type RuntimeDefault")
    ] = None


class AppArmorProfile(Typed):
    """AppArmor profile of a container."""

    type: Annotated[
        str,
        refused(
            "ECS takes profiles only in taskDefinition (dockerSecurityOptions, on EC2)",
            unless=("RuntimeDefault", "Unconfined"),
        ),
    ]
    localhost_profile: Annotated[
        str | None, refused("ECS takes profiles only in taskDefinition (dockerSecurityOptions, on EC2)")
    ] = None


class Capabilities(Typed):
    """Linux capabilities."""

    add: Annotated[
        list[str] | None,
        atomic(most=64),
        translated(
            "linuxParameters.capabilities.add; on Fargate SYS_PTRACE and what Docker grants anyway, others "
            "are refused"
        ),
    ] = None
    drop: Annotated[
        list[str] | None,
        atomic(most=64),
        translated(
            "linuxParameters.capabilities.drop; ALL with some added becomes the rest of Docker's defaults"
        ),
    ] = None


class Sysctl(Typed):
    """A kernel parameter."""

    name: Annotated[str, translated("systemControls[].namespace")]
    value: Annotated[str, translated("systemControls[].value")]


class SecurityContext(Typed):
    """Security settings of one container."""

    run_as_user: Annotated[Id | None, translated("user")] = None
    run_as_group: Annotated[Id | None, translated("user, after the colon")] = None
    run_as_non_root: Annotated[bool | None, warned(_NON_ROOT)] = None
    read_only_root_filesystem: Annotated[bool | None, translated("readonlyRootFilesystem")] = None
    privileged: Annotated[
        bool | None,
        refused("Fargate runs no privileged containers; use capacity on EC2", when="on Fargate"),
        translated("privileged, on EC2"),
    ] = None
    capabilities: Annotated[Capabilities | None, translated("linuxParameters.capabilities")] = None
    allow_privilege_escalation: Annotated[
        bool | None,
        warned("Fargate has no no-new-privileges", when="false, on Fargate"),
        translated("dockerSecurityOptions no-new-privileges when false, on EC2"),
    ] = None
    seccomp_profile: Annotated[SeccompProfile | None, accepted("see type")] = None
    app_armor_profile: Annotated[AppArmorProfile | None, accepted("RuntimeDefault is what runs")] = None
    proc_mount: Annotated[
        str | None, refused("ECS mounts /proc the default way; remove procMount", unless=("Default",))
    ] = None
    se_linux_options: Annotated[
        dict[str, Any] | None,
        OPEN,
        refused("ECS takes SELinux labels only in taskDefinition (dockerSecurityOptions, on EC2)"),
    ] = None
    windows_options: Annotated[
        dict[str, Any] | None, OPEN, refused("use taskDefinition for Windows containers")
    ] = None


class PodSecurityContext(Typed):
    """Security settings of all containers."""

    run_as_user: Annotated[Id | None, translated("user of containers that set none")] = None
    run_as_group: Annotated[Id | None, translated("user, after the colon, of containers that set none")] = (
        None
    )
    run_as_non_root: Annotated[bool | None, warned(_NON_ROOT)] = None
    fs_group: Annotated[
        Id | None,
        warned("ECS changes no ownership of volumes; prepare directories in the image", when="with volumes"),
    ] = None
    fs_group_change_policy: Annotated[
        Literal["Always", "OnRootMismatch"] | None, accepted("goes with fsGroup")
    ] = None
    supplemental_groups: Annotated[
        list[Id] | None, atomic(most=64), refused("ECS has no supplemental groups; set them in the image")
    ] = None
    supplemental_groups_policy: Annotated[
        str | None, accepted("the image's groups apply, as with Merge"), Schema({"maxLength": 32})
    ] = None
    sysctls: Annotated[list[Sysctl] | None, atomic(most=64), translated("systemControls")] = None
    seccomp_profile: Annotated[SeccompProfile | None, accepted("see type")] = None
    app_armor_profile: Annotated[AppArmorProfile | None, accepted("RuntimeDefault is what runs")] = None
    se_linux_options: Annotated[
        dict[str, Any] | None,
        OPEN,
        refused("ECS takes SELinux labels only in taskDefinition (dockerSecurityOptions, on EC2)"),
    ] = None
    se_linux_change_policy: Annotated[str | None, accepted("goes with seLinuxOptions")] = None
    windows_options: Annotated[
        dict[str, Any] | None, OPEN, refused("use taskDefinition for Windows containers")
    ] = None
