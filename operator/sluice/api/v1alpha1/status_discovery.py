"""`status.discovery` of a ServiceRoute: what is in Cloud Map, and what is under way there.

Written by `plan.discovery.memory`; a test compares the two. Times are epoch seconds (they are compared by
whoever takes over) but for `lastChange`, which is for people.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sluice.api.v1alpha1.schema import Typed, atomic


class DiscoveryOperation(Typed):
    """An asynchronous operation that was meant, sent, or not yet seen to have had its effect."""

    kind: str
    """What it does: register, deregister, service, namespace and their deletions."""
    target: str | None = None
    """Short id of the instance."""
    id: str | None = None
    """Operation id; absent while its answer is not known."""
    since: float | None = None
    """When it was meant (epoch seconds)."""


class DiscoveryLeaving(Typed):
    """Entries on their way out of the answers (or back into them)."""

    stage: str
    """How far they are."""
    since: float | None = None
    """Since when (epoch seconds)."""
    instances: Annotated[list[str], atomic(most=2000)]
    """Their short ids."""


class DiscoveryFailing(Typed):
    """Targets whose last operations failed."""

    count: int | None = None
    """How many times in a row."""
    retry_at: float | None = None
    """When they are tried again (epoch seconds)."""
    targets: Annotated[list[str], atomic(most=2000)]
    """Short ids of instances; namespace or service."""


class DiscoveryAcknowledgement(Typed):
    """The published weights that the name answers with."""

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
    verified_at: float | None = None
    """When that was seen in what clients get (epoch seconds)."""


class DiscoveryPlace(Typed):
    """A Cloud Map service that this route has entries in."""

    mode: Literal["Tasks", "Alias", "ECS"] | None = None
    """Mode that it was last planned for."""
    namespace: str | None = None
    """Name of the namespace, or its id while the name is not known."""
    service: str | None = None
    """Name of the Cloud Map service."""
    backend: str | None = None
    """Deployment whose tasks have the name."""
    former_backend: str | None = None
    """Deployment whose tasks had it, until their entries have left."""
    port: str | None = None
    """Its port."""
    namespace_id: str | None = None
    """Id of the namespace."""
    namespace_arn: str | None = None
    """ARN of the namespace."""
    service_id: str | None = None
    """Id of the Cloud Map service."""
    registry_arn: str | None = None
    """ARN of the Cloud Map service that ECS registers tasks with; mode ECS only."""
    instances: int | None = None
    """Registered entries of Sluice's."""
    healthy: int | None = None
    """Those of them that clients see as healthy."""
    foreign: int | None = None
    """Entries that somebody else registered; they are left as they are."""
    pending_operations: int | None = None
    """Operations under way."""
    operations: Annotated[list[DiscoveryOperation], atomic(most=1000)] | None = None
    """Operations under way, to be found again after a restart."""
    leaving: Annotated[list[DiscoveryLeaving], atomic(most=200)] | None = None
    """Entries on their way out."""
    failing: Annotated[list[DiscoveryFailing], atomic(most=200)] | None = None
    """What failed and is tried again."""
    failure: Annotated[str, Field(max_length=4096)] | None = None
    """What the last failed operation said."""
    acknowledgement: DiscoveryAcknowledgement | None = None
    """The published weights that the name answers with."""
    generation: int | None = None
    """Generation of the route that this was planned for."""
    settled: bool | None = None
    """Everything was as wanted when it was last looked at."""
    makes: int | None = None
    """How often namespace or service had to be made again."""
    last_change: str | None = None
    """When something was last asked of Cloud Map."""


class DiscoveryStatus(DiscoveryPlace):
    """What is in Cloud Map."""

    left: Annotated[list[DiscoveryPlace], atomic(most=16)] | None = None
    """Cloud Map services that the spec no longer names, until nothing of Sluice's is there."""
