"""What a Deployment's spec asks of AWS, with nothing of AWS's answer in it.

Built once for a generation (`plan.deployment.desired`), compared with `model.observed` on every pass.
A revision (rollout.md §1) is the task definition and every service setting whose change would start
an ECS deployment; everything else (count, tags, deployment configuration, health checks) may change
without one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sluice.model.keys import Key

StrategyType = Literal["RollingUpdate", "Recreate", "Progressive"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A container port that a load balancer can send to."""

    name: str
    """Its name in the spec; '' when it has none."""
    container_name: str
    container_port: int
    protocol_version: str = "HTTP1"
    """CreateTargetGroup's ProtocolVersion: HTTP1, HTTP2, GRPC."""
    health_check: Mapping[str, Any] = field(default_factory=dict)
    """CreateTargetGroup's health-check members."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """ModifyTargetGroupAttributes, key to value."""

    @property
    def label(self) -> str:
        """Return the name, or the number as text: how a route's backendRef calls it."""
        return self.name or str(self.container_port)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One revision, whole: what a ControllerRevision keeps, so that an undo needs nothing else."""

    name: str
    """`<deployment>-<10 hex>`, content-addressed."""
    definition_hash: str
    definition: Mapping[str, Any]
    """RegisterTaskDefinition's parameters without tags."""
    service: Mapping[str, Any]
    """The members of CreateService that belong to the revision."""
    ports: tuple[Port, ...] = ()
    restarted_at: str = ""
    """Value of the template's restart annotation: another one is another revision of the same tasks."""
    spec: Mapping[str, Any] = field(default_factory=dict)
    """The parts of the spec it was made from, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """A (port, listener) on which a ServiceRoute sends traffic to this Deployment."""

    port: str
    """The backendRef's port: a name, a number as text, or '' for the only one."""
    listener_arn: str
    load_balancer_arn: str
    vpc_id: str
    priorities: tuple[int, int]
    """The range of rule priorities that is reserved for the namespace on this listener."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """The Cloud Map service in which ECS itself registers the tasks (ServiceRoute discovery, mode ECS)."""

    arn: str
    container_name: str = ""
    container_port: int = 0
    """0: no port is given; ECS refuses one where the records have none."""

    def member(self) -> dict[str, Any]:
        """Return CreateService's ServiceRegistry."""
        port = {"containerName": self.container_name, "containerPort": self.container_port}
        return {"registryArn": self.arn} | (port if self.container_port else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """An ECS service that is there already and is to be taken over."""

    arn: str
    cluster: str
    """Name of its cluster; '' where the ARN is of the short form, which does not say."""
    name: str

    @classmethod
    def of(cls, arn: str) -> Adoption:
        """Read `arn:…:service/<cluster>/<name>` or `arn:…:service/<name>` (ECS guide, account settings)."""
        parts = arn.split("/")
        return cls(arn=arn, cluster=parts[1] if len(parts) > 2 else "", name=parts[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Why the effective revision is not the spec's own."""

    reason: str
    """A condition reason: Paused, RolledBack, FirstRolloutFailed, ProgressDeadlineExceeded."""
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """How a new revision replaces the old one."""

    type: StrategyType = "RollingUpdate"
    max_surge: int | str = "100%"
    max_unavailable: int | str = 0
    circuit_breaker: Mapping[str, Any] = field(
        default_factory=lambda: {"enable": True, "rollback": True},
    )
    alarms: Mapping[str, Any] = field(default_factory=dict)
    """ECS's DeploymentAlarms; {} for none."""
    min_ready_seconds: int = 0
    progress_deadline_seconds: int = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """One Deployment's wish."""

    key: Key
    uid: str
    installation: str
    generation: int
    family: str
    revision: Revision
    """The effective one: the spec's, or the one that a rollback, an undo or a pause keeps."""
    spec_revision: str
    """Name of the revision that the spec describes."""
    cluster: str
    """Name or ARN, as the spec or the tenancy says."""
    settings: Mapping[str, Any]
    """Members of CreateService outside the revision, without counts and deploymentConfiguration."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """A person's tags on service and tasks (template labels, ecs.tags)."""
    replicas: int | None = None
    """None: somebody else owns the count."""
    strategy: Strategy = field(default_factory=Strategy)
    backends: tuple[Backend, ...] = ()
    listed: bool = False
    """A ServiceRoute lists its tasks in Cloud Map (mode Tasks)."""
    registry: Registry | None = None
    """Not part of the revision, as target groups are not: it follows the routes."""
    history_limit: int = 10
    paused: bool = False
    suspended: bool = False
    hold: Hold | None = None
    adopt: Adoption | None = None
    selector: str = ""
    warnings: tuple[str, ...] = ()
    task_size: Mapping[str, str] = field(default_factory=dict)
