"""What goes into the translation of a Deployment and what comes out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sluice.api.v1alpha1.parse import Problem

Object = Mapping[str, Any]
ProtocolVersion = Literal["HTTP1", "HTTP2", "GRPC"]
VALUE_FROM = "sluice.dev/value-from"
"""Annotation of a Secret: ARN of the Secrets Manager secret or SSM parameter that holds its content."""


@dataclass(frozen=True, slots=True)
class References:
    """Names of the objects of the namespace that a Deployment reads."""

    config_maps: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Sources:
    """The objects that were referred to, as the API server gives them; None does not exist."""

    config_maps: Mapping[str, Object | None] = field(default_factory=dict)
    secrets: Mapping[str, Object | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslationContext:
    """What a Deployment's spec alone does not say."""

    namespace: str
    name: str
    family: str
    """Task-definition family, Sluice's own."""
    region: str
    task_role_arn: str = ""
    """The role that the tenancy permits and the spec (or service account) asks for; '' for none."""
    execution_role_arn: str = ""
    default_log_group: str = ""
    """CloudWatch log group; '' for /ecs/<namespace>/<name>."""
    default_network_configuration: Mapping[str, Any] = field(default_factory=dict)
    """ECS NetworkConfiguration that the tenancy gives a spec without one."""
    sources: Sources = field(default_factory=Sources)


@dataclass(frozen=True, slots=True)
class Warning:  # noqa: A001 - the word of the condition `Warnings`
    """Something that differs on ECS, and where."""

    path: str
    text: str

    def __str__(self) -> str:
        """Return `spec.template.spec.priority: ECS has no priorities between tasks`."""
        return f"{self.path}: {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSize:
    """Size of a task: CPU units and MiB, and what the containers asked for before rounding."""

    cpu: int
    memory: int
    requested_cpu: int
    requested_memory: int

    def to_status(self) -> dict[str, str]:
        """Return `status.taskSize`."""
        return {
            "cpu": str(self.cpu),
            "memory": str(self.memory),
            "requestedCpu": str(self.requested_cpu),
            "requestedMemory": str(self.requested_memory),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PortSpec:
    """A TCP port of a container, and how a target group for it looks."""

    name: str
    """'' when it has none: routes then refer to the number."""
    container_name: str
    container_port: int
    protocol_version: ProtocolVersion
    health_check: Mapping[str, Any]
    """Health-check members of CreateTargetGroup."""
    attributes: Mapping[str, str]
    """Members of ModifyTargetGroupAttributes, key to value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Translated:
    """A Deployment in ECS's words."""

    body: Mapping[str, Any]
    """RegisterTaskDefinition's parameters without tags; `family` included."""
    task_size: TaskSize | None
    """None when neither task nor Fargate gives one (EC2)."""
    ports: tuple[PortSpec, ...]
    health_check_grace_period_seconds: int | None
    tags: Mapping[str, str]
    """The template's labels, or the tags of taskDefinition."""
    warnings: tuple[Warning, ...] = ()
    """What differs on ECS, by path."""


class Findings:
    """Collects problems and warnings, so that a person sees all of them at once."""

    def __init__(self) -> None:
        """Start with none."""
        self.problems: list[Problem] = []
        self._warnings: dict[Warning, None] = {}

    def refuse(self, path: str, text: str) -> None:
        """Add a field that can't be translated, with what to use instead."""
        self.problems.append(Problem(path, text))

    def warn(self, path: str, text: str) -> None:
        """Add something that differs on ECS."""
        self._warnings[Warning(path, text)] = None

    def warn_all(self, warnings: Iterable[tuple[str, str]]) -> None:
        """Add several warnings."""
        for path, text in warnings:
            self.warn(path, text)

    @property
    def warnings(self) -> tuple[Warning, ...]:
        """Return the warnings once each, by path."""
        return tuple(sorted(self._warnings, key=lambda item: (item.path, item.text)))
