"""Containers of a PodTemplate, field by field, with the answer that each has on ECS."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from sluice.api.v1alpha1.environment import EnvFromSource, EnvVar
from sluice.api.v1alpha1.probe import LivenessProbe, ReadinessProbe, StartupProbe
from sluice.api.v1alpha1.schema import (
    OPEN,
    OPEN_LIST,
    QUANTITY,
    Quantity,
    Schema,
    Typed,
    accepted,
    api_default,
    atomic,
    list_map,
    refused,
    translated,
    warned,
)
from sluice.api.v1alpha1.security import SecurityContext
from sluice.api.v1alpha1.volume import VolumeDevice, VolumeMount

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
Port = Annotated[int, Field(ge=1, le=65_535)]
ResourceMap = Annotated[
    dict[str, Annotated[Quantity, Schema({"pattern": QUANTITY})]], Schema({"maxProperties": 16})
]
_NO_HOOK = (
    "ECS has no lifecycle hooks; it drains a target before SIGTERM, so a sleep in preStop is not needed: "
    "remove it, or handle SIGTERM within terminationGracePeriodSeconds"
)


class ContainerPort(Typed):
    """A port of a container."""

    name: Annotated[
        str | None,
        Field(max_length=63, pattern=DNS_LABEL),
        translated("portMappings[].name; ServiceRoutes refer to it"),
    ] = None
    container_port: Annotated[Port, translated("portMappings[].containerPort")]
    protocol: Annotated[
        Literal["TCP", "UDP", "SCTP"],
        api_default("TCP"),
        translated("portMappings[].protocol; SCTP is refused"),
    ] = "TCP"
    host_port: Annotated[
        Port | None,
        refused(
            "a task has its own address; remove hostPort",
            when="other than containerPort, without hostNetwork",
        ),
    ] = None
    host_ip: Annotated[str | None, Field(alias="hostIP"), refused("a task has its own address")] = None


class ResourceRequirements(Typed):
    """Resources of a container or of the whole pod."""

    requests: Annotated[
        ResourceMap | None,
        translated(
            "container cpu and memoryReservation; their sum is the task size, on Fargate rounded up to a "
            "size that "
            "AWS offers (status.taskSize); nvidia.com/gpu on EC2; ephemeral-storage on Fargate; others are "
            "refused"
        ),
    ] = None
    limits: Annotated[
        ResourceMap | None,
        translated("container memory (hard limit); also the request where there is none, with a warning"),
        warned(
            "ECS has no CPU limit of a container, only the task's size", when="limits.cpu above the request"
        ),
    ] = None
    claims: Annotated[
        list[dict[str, Any]] | None,
        OPEN_LIST,
        refused("ECS has no resource claims; use nvidia.com/gpu on EC2"),
    ] = None


class Lifecycle(Typed):
    """Hooks around a container's life."""

    pre_stop: Annotated[dict[str, Any] | None, OPEN, refused(_NO_HOOK)] = None
    post_start: Annotated[
        dict[str, Any] | None,
        OPEN,
        refused("ECS has no lifecycle hooks; use an init container or the image's entry point"),
    ] = None
    stop_signal: Annotated[str | None, refused("set STOPSIGNAL in the image")] = None


class Container(Typed):
    """One container of the task."""

    name: Annotated[str, Field(max_length=63, pattern=DNS_LABEL), translated("name")]
    image: Annotated[str, Field(min_length=1, max_length=1024), translated("image")]
    command: Annotated[
        list[str] | None, atomic(most=256), translated("entryPoint, with $(NAME) of literals expanded")
    ] = None
    args: Annotated[
        list[str] | None, atomic(most=256), translated("command, with $(NAME) of literals expanded")
    ] = None
    working_dir: Annotated[str | None, translated("workingDirectory")] = None
    ports: Annotated[
        list[ContainerPort] | None,
        list_map("containerPort", "protocol", most=32),
        translated("portMappings; each TCP port can be the backend of a ServiceRoute"),
    ] = None
    env: Annotated[
        list[EnvVar] | None, list_map("name", most=256), translated("environment and secrets, sorted by name")
    ] = None
    env_from: Annotated[
        list[EnvFromSource] | None, atomic(most=32), translated("environment and secrets; env wins")
    ] = None
    resources: Annotated[
        ResourceRequirements | None,
        translated("container and task size; without any: 256 CPU units and 512 MiB"),
    ] = None
    readiness_probe: Annotated[ReadinessProbe | None, translated("see its fields")] = None
    liveness_probe: Annotated[LivenessProbe | None, translated("see its fields")] = None
    startup_probe: Annotated[StartupProbe | None, translated("see its fields")] = None
    security_context: Annotated[SecurityContext | None, translated("see its fields")] = None
    volume_mounts: Annotated[
        list[VolumeMount] | None, list_map("mountPath", most=32), translated("mountPoints, sorted by path")
    ] = None
    volume_devices: Annotated[
        list[VolumeDevice] | None,
        atomic(most=16),
        refused("ECS attaches no raw devices; use a file system on EBS (ecs.volumeConfigurations)"),
    ] = None
    image_pull_policy: Annotated[
        Literal["Always", "IfNotPresent", "Never"] | None,
        warned(
            "Fargate always pulls; on EC2 the agent's ECS_IMAGE_PULL_BEHAVIOR decides", unless=("Always",)
        ),
    ] = None
    lifecycle: Annotated[Lifecycle | None, accepted("only when empty, see its fields")] = None
    stdin: Annotated[bool | None, translated("interactive")] = None
    stdin_once: Annotated[bool | None, refused("ECS keeps stdin open; remove stdinOnce")] = None
    tty: Annotated[bool | None, translated("pseudoTerminal")] = None
    termination_message_path: Annotated[
        str | None, accepted("ECS reads no message; the stop reason and exit code are in the condition")
    ] = None
    termination_message_policy: Annotated[str | None, accepted("goes with terminationMessagePath")] = None
    restart_policy: Annotated[
        str | None,
        refused(
            "only init containers take a restartPolicy (Always: a sidecar); remove it", unless=("Always",)
        ),
    ] = None
    restart_policy_rules: Annotated[
        list[dict[str, Any]] | None,
        OPEN_LIST,
        refused("ECS restarts whole tasks; remove the rules (or use restartPolicy of taskDefinition)"),
    ] = None
    resize_policy: Annotated[
        list[dict[str, Any]] | None, OPEN_LIST, accepted("ECS never resizes a running task")
    ] = None


class InitContainer(Container):
    """A container that runs to its end before the others start; with restartPolicy Always a sidecar."""

    image: Annotated[
        str,
        Field(min_length=1, max_length=1024),
        translated(
            "image, essential: false; the next one waits for its SUCCESS (a sidecar's START or HEALTHY)"
        ),
    ]
    resources: Annotated[
        ResourceRequirements | None,
        translated("part of the task size as Kubernetes counts: the largest init container, not their sum"),
        warned("the task's size bounds it, not a limit of its own", when="limits of an init container"),
    ] = None
    restart_policy: Annotated[
        str | None,
        translated("Always: a sidecar, essential: false with ECS's restartPolicy enabled"),
        refused("an init container takes Always (a sidecar) or nothing", unless=("Always",)),
    ] = None
    readiness_probe: Annotated[
        ReadinessProbe | None,
        refused("an init container that ends takes no probes", when="unless restartPolicy is Always"),
    ] = None
    liveness_probe: Annotated[
        LivenessProbe | None,
        refused("an init container that ends takes no probes", when="unless restartPolicy is Always"),
    ] = None
    startup_probe: Annotated[
        StartupProbe | None,
        refused("an init container that ends takes no probes", when="unless restartPolicy is Always"),
    ] = None
