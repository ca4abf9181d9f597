"""What Sluice answers: the status of both kinds, typed so that the API server keeps every field.

The controllers write plain mappings; these types are the schema's source, and a test compares them.
Times are RFC 3339 except where two processes compare them (`verifiedAt`, `verifyAfter`: epoch seconds).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sluice.api.v1alpha1.schema import Typed, atomic, list_map
from sluice.api.v1alpha1.status_discovery import DiscoveryStatus
from sluice.api.v1alpha1.status_rollout import (
    Parts,
    RejectedRevision,
    RolloutStatus,
    StandbyStatus,
    Time,
    TrafficStatus,
)

Phase = Literal[
    "Pending", "Progressing", "Paused", "Baking", "Healthy", "RollingBack", "Degraded", "Frozen", "Deleting"
]


class Condition(Typed):
    """Kubernetes' metav1.Condition."""

    type: Annotated[str, Field(max_length=316)]
    """Ready, Reconciling, Stalled or Warnings."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    reason: Annotated[str, Field(max_length=1024)]
    """One of the closed list of docs/conditions.md."""
    message: Annotated[str, Field(max_length=32768)]
    """What, where, and what to do."""
    observed_generation: int | None = None
    """Generation of the spec that it is about."""
    last_transition_time: Time
    """When status last changed."""


class Live(Typed):
    """What requests reach."""

    slot: str | None = None
    """Slot of the service."""
    revision: str | None = None
    """Name of the revision."""
    task_definition: str | None = None
    """ARN of its task definition."""
    since: Time | None = None
    """Since when."""


class SlotStatus(Typed):
    """One ECS service."""

    name: str
    """Slot: a or b."""
    ordinal: int
    """Counts replacements of the slot's service; 0 for one that was taken over."""
    cluster: str | None = None
    """ECS cluster."""
    service_name: str | None = None
    """Name of the ECS service."""
    service_arn: str | None = None
    """ARN of the ECS service."""
    revision: str | None = None
    """Revision that it should run."""
    task_definition: str | None = None
    """ARN of that revision's task definition."""
    desired: int | None = None
    """desiredCount."""
    running: int | None = None
    """runningCount."""
    healthy: int | None = None
    """Tasks that are running and healthy."""
    deployment_id: str | None = None
    """The ECS deployment that is under way or was last."""
    launch_type: str | None = None
    """Launch type or capacity providers."""
    may_shrink_to: int | None = None
    """desiredCount of a call that ECS has not answered: it may still take place, so these tasks are all
    that is counted on. Absent when every call was answered."""


class Registering(Typed):
    """The intent to register a task definition, written before the call."""

    definition_hash: str
    """Hash of the body."""
    family: str
    """Family."""
    since: Time
    """When the intent was written."""


class DefinitionStatus(Typed):
    """A registered task definition."""

    definition_hash: str
    """Hash of its body."""
    arn: str
    """ARN."""


class TargetGroupStatus(Typed):
    """A target group of this Deployment."""

    slot: str
    """Slot."""
    port: str
    """Name or number of the container port."""
    container_port: int
    """Number of the container port."""
    load_balancer_arn: str | None = None
    """Load balancer; absent while none uses it."""
    name: str
    """Name."""
    arn: str | None = None
    """ARN; absent until it exists."""
    protocol_version: str | None = None
    """Protocol version of a group that was taken over with its service."""


class AnchorStatus(Typed):
    """The rule that keeps the target groups associated with a listener."""

    listener_arn: str
    """Listener."""
    load_balancer_arn: str | None = None
    """Load balancer."""
    container_port: int
    """Container port whose target groups it holds."""
    rule_arn: str | None = None
    """ARN; absent until it exists."""
    priority: int | None = None
    """Priority, chosen before it is made."""


class RouteProof(Typed):
    """A route that has proved the present weights."""

    name: str
    """ServiceRoute."""
    uid: str | None = None
    """Its uid."""
    seq: int | None = None
    """What it has proved."""
    verified_at: float | None = None
    """Epoch seconds."""


class ImageStatus(Typed):
    """An image in use."""

    name: str
    """Container."""
    tag: str | None = None
    """Image as written."""
    digest: str | None = None
    """What ECS resolved it to."""


class TaskSizeStatus(Typed):
    """Size of a task."""

    cpu: str | None = None
    """CPU units of the task."""
    memory: str | None = None
    """MiB of the task."""
    requested_cpu: str | None = None
    """CPU units that the containers ask for."""
    requested_memory: str | None = None
    """MiB that the containers ask for."""


class HistoryEntry(Typed):
    """How a revision ended."""

    id: str | None = None
    """Id of its rollout; verbs name it when nothing is in motion."""
    revision: str
    """Name; spec.rollback.toRevision takes it."""
    outcome: str | None = None
    """Succeeded, RolledBack, Failed, Superseded or Aborted."""
    started_at: Time | None = None
    """Start."""
    duration_seconds: float | None = None
    """How long it took."""
    rollback_seconds: float | None = None
    """From decision to the old state: of the listener rules, of the names where there are no rules."""
    rollback_discovery_seconds: float | None = None
    """From decision until names in Cloud Map had followed."""
    reason: str | None = None
    """Why it ended so."""
    by: str | None = None
    """Spec, verb or ECS."""
    persons: Annotated[list[str], atomic(most=16)] | None = None
    """Verbs that had their effect, with who said them (annotation sluice.dev/by): `promote: alice`."""
    evidence: Annotated[list[str], atomic(most=32)] | None = None
    """Stopped reasons and the like, before they vanish."""


class DeploymentStatus(Typed):
    """What runs."""

    observed_generation: int | None = None
    """Generation of the spec that this status is about."""
    phase: Phase | None = None
    """Summary for people; programs read conditions."""
    replicas: int | None = None
    """Tasks of the live slot."""
    ready_replicas: int | None = None
    """Running and healthy tasks of the live slot."""
    updated_replicas: int | None = None
    """Tasks of the newest revision."""
    selector: str | None = None
    """Label selector for the scale subresource."""
    live: Live | None = None
    """What requests reach."""
    slots: Annotated[list[SlotStatus], list_map("name", "ordinal", most=8)] | None = None
    """ECS services in use."""
    retiring: Annotated[list[SlotStatus], list_map("name", "ordinal", most=32)] | None = None
    """ECS services that are being replaced."""
    rollout: RolloutStatus | None = None
    """The change under way."""
    standby: StandbyStatus | None = None
    """What is ready for an instant undo."""
    registering: Registering | None = None
    """Open intent to register a task definition."""
    task_definitions: Annotated[list[DefinitionStatus], atomic(most=128)] | None = None
    """Task definitions by hash of their bodies."""
    traffic: TrafficStatus | None = None
    """Weights that routes have to write."""
    target_groups: Annotated[list[TargetGroupStatus], atomic(most=128)] | None = None
    """Target groups."""
    anchors: Annotated[list[AnchorStatus], list_map("listenerArn", "containerPort", most=64)] | None = None
    """Rules that keep target groups associated."""
    registries: Annotated[list[str], atomic(most=8)] | None = None
    """Cloud Map services that ECS was given on behalf of ServiceRoutes."""
    routes: Annotated[list[RouteProof], list_map("name", most=256)] | None = None
    """Routes that have proved the weights."""
    intents: dict[str, str] | None = None
    """Verbs and reconcile-now by their last handled value."""
    rejected_revision: RejectedRevision | None = None
    """Revision that failed."""
    images: Annotated[list[ImageStatus], list_map("name", most=16)] | None = None
    """Images in use."""
    task_size: TaskSizeStatus | None = None
    """Size of a task."""
    conditions: Annotated[list[Condition], list_map("type", most=8)] | None = None
    """Ready, Reconciling, Stalled, Warnings."""
    history: Annotated[list[HistoryEntry], atomic(most=10)] | None = None
    """Newest first."""


class ParentRule(Typed):
    """An ALB rule."""

    name: str
    """Rule and index."""
    rule_arn: str | None = None
    """ARN; absent until it exists."""
    priority: int | None = None
    """Priority, chosen before it is made."""
    role: Literal["production", "test", "header"] | None = None
    """What it is for: all requests, a test listener's, or those with a header."""
    weights: str | None = None
    """Target groups and weights that it had when they were last read and known as ours."""
    intended: Annotated[list[str], atomic(most=4)] | None = None
    """Target groups and weights that were sent since and not read back yet."""
    sticky_seconds: int | None = None
    """Session persistence that Sluice wrote."""


class ParentStatus(Typed):
    """A listener and our rules on it."""

    name: str
    """Load balancer and port, or listener ARN, as in parentRefs."""
    listener_arn: str | None = None
    """Listener."""
    load_balancer_arn: str | None = None
    """Load balancer."""
    rules: Annotated[list[ParentRule], atomic(most=1000)] | None = None
    """ALB rules."""


class BackendStatus(Typed):
    """Acknowledgement of a Deployment's weights."""

    name: str
    """Deployment."""
    uid: str | None = None
    """Its uid."""
    rollout_id: str | None = None
    """Its rollout."""
    seq: int | None = None
    """Its seq."""
    hash: str | None = None
    """Its digest."""
    route_generation: int | None = None
    """Generation of this route."""
    desired: Parts | None = None
    """Slot to parts, as published."""
    configured: Parts | None = None
    """Slot to parts, as read back."""
    observed: Parts | None = None
    """Slot to requests that the load balancer counted lately (about a minute late)."""
    observed_verdict: str | None = None
    """Whether that fits the weights."""
    foreign: Annotated[str, Field(max_length=4096)] | None = None
    """Rules with weights that somebody else wrote."""
    verified_at: float | None = None
    """When they were read back (epoch seconds)."""


class RouteSummary(Typed):
    """Strings for `kubectl get`."""

    hosts: str | None = None
    """Host names."""
    backends: str | None = None
    """Deployments."""
    listeners: str | None = None
    """Listeners that carry its rules."""
    weights: str | None = None
    """Configured shares."""


class ServiceRouteStatus(Typed):
    """What is in the load balancer and in Cloud Map."""

    observed_generation: int | None = None
    """Generation of the spec that this status is about."""
    conditions: Annotated[list[Condition], list_map("type", most=8)] | None = None
    """Ready, Reconciling, Stalled, Warnings."""
    parents: Annotated[list[ParentStatus], atomic(most=64)] | None = None
    """Listeners and our rules on them."""
    backends: Annotated[list[BackendStatus], list_map("name", most=64)] | None = None
    """Acknowledged weights."""
    discovery: DiscoveryStatus | None = None
    """What is in Cloud Map."""
    rules_generation: int | None = None
    """Generation whose listener rules are proven, of a route that has a name in Cloud Map as well."""
    intents: dict[str, str] | None = None
    """reconcile-now by its last handled value."""
    summary: RouteSummary | None = None
    """Strings for `kubectl get`."""
