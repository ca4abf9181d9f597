"""What a ServiceRoute's `discovery` asks of AWS Cloud Map, and what was seen there.

The controller fills `DiscoveryFacts`, `plan.discovery` decides, and the memory between two passes is
`status.discovery`. Two views of an instance are kept apart on purpose: `registered` is the control plane
(ListInstances), `discovered` is what clients get (DiscoverInstances), which is later and is what counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from sluice.model.traffic import Traffic

Held = Literal["", "leaving", "answering"]
"""What another route's name does with a task: nothing (any more), on its way out of it, answers with it."""
Mode = Literal["Tasks", "Alias", "ECS"]
NamespaceType = Literal["HTTP", "DNS_PRIVATE", "DNS_PUBLIC"]
RoutingPolicy = Literal["MULTIVALUE", "WEIGHTED"]
Health = Literal["HEALTHY", "UNHEALTHY", "UNKNOWN"]
OperationStatus = Literal["SUBMITTED", "PENDING", "SUCCESS", "FAIL"]

INSTALLATION_ATTRIBUTE: Final = "SLUICE_INSTALLATION"
ROUTE_ATTRIBUTE: Final = "SLUICE_ROUTE"
"""`<namespace>/<name>` of the route; with the installation the proof that an instance is ours (Cloud Map
instances have no tags)."""
REVISION_ATTRIBUTE: Final = "revision"
SLOT_ATTRIBUTE: Final = "slot"
PROPAGATION: Final = 30.0
"""Seconds for which an answer may still be on its way after Cloud Map says UNHEALTHY or gone: changes of
Route 53 records reach its servers, and clients of DiscoverInstances read again. An assumption: AWS gives no
figure for Cloud Map, and up to a minute for Route 53 (from memory)."""
ZONE_ATTRIBUTE: Final = "AVAILABILITY_ZONE"
"""The name under which ECS itself registers the zone (Cloud Map documentation, "Amazon ECS")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsRecord:
    """A record of the Cloud Map service (servicediscovery CreateService, DnsConfig.DnsRecords)."""

    type: Literal["A", "AAAA", "SRV", "CNAME"]
    ttl: int
    """Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceIntent:
    """The namespace by name or by id, and what to make where it does not exist."""

    name: str = ""
    id: str = ""
    create: NamespaceType | None = None
    """None: it must exist."""
    vpc: str = ""
    """VPC of a DNS_PRIVATE namespace that is made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryIntent:
    """`spec.discovery` of a ServiceRoute, defaults filled in."""

    mode: Mode
    namespace: NamespaceIntent
    service: str
    """Name of the Cloud Map service."""
    backend: str = ""
    """Deployment of the route's namespace; '' for Alias."""
    port: str = ""
    """Name or number of its container port."""
    records: tuple[DnsRecord, ...] = ()
    """Empty for an HTTP namespace."""
    routing: RoutingPolicy = "MULTIVALUE"
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def ttl(self) -> int:
        """Return for how long a client may use an answer, seconds."""
        return max((record.ttl for record in self.records), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceFacts:
    """A namespace as AWS has it."""

    id: str
    name: str
    arn: str
    type: NamespaceType
    tags: Mapping[str, str]
    services: int | None = None
    """ServiceCount; None where the answer has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFacts:
    """A Cloud Map service as AWS has it."""

    id: str
    arn: str
    name: str
    namespace_id: str
    tags: Mapping[str, str]
    records: tuple[DnsRecord, ...] = ()
    routing: str = ""
    """'' where it has no DNS."""
    custom_health: bool = False
    """Has HealthCheckCustomConfig. Create-only: one without keeps being without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A registered instance."""

    id: str
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An asynchronous operation, as GetOperation tells of it."""

    id: str
    status: OperationStatus
    error: str = ""
    """ErrorCode and ErrorMessage of a failed one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenTask:
    """A task of one of the backend's ECS services."""

    id: str
    """Last part of its ARN."""
    arn: str
    cluster: str
    slot: str
    revision: str
    ipv4: str = ""
    ipv6: str = ""
    port: int = 0
    """Container port (awsvpc: the port at its address; bridge: the host port)."""
    zone: str = ""
    running: bool = True
    """lastStatus RUNNING and desiredStatus RUNNING: it is not on its way out."""
    healthy: bool = False
    """Running, its container health is HEALTHY or there is none to be known, and so are its targets where its
    slot has target groups."""
    started_at: float = 0.0
    protected_until: float = 0.0
    """Epoch seconds until which ECS does not end it by itself; 0: not protected."""
    deployment: str = ""
    """Id of the ECS deployment that started it (`startedBy` of a service's task); '' where it is not known.
    With `SlotWish.deployment` it tells former tasks apart where the revision is the same (a forced one)."""
    backend: str = ""
    """Deployment that it belongs to; '' is the intent's. Those of the backend that the route had before are
    given along, so that they leave in order and not as if they were gone."""
    held: Held = ""
    """By another route's name of the same Deployment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotWish:
    """What the backend's Deployment wants of a slot."""

    slot: str
    desired: int
    """desiredCount of its ECS service as AWS has it now."""
    revision: str
    """Revision that its new tasks have."""
    minimum_healthy: int
    """How many healthy tasks the service keeps while ECS replaces tasks: minimumHealthyPercent of desired,
    rounded up."""
    maximum: int | None = None
    """How many tasks the service may have: maximumPercent of desired, rounded down. None: not known, and old
    tasks give way without regard to the room that new ones have."""
    deployment: str = ""
    """Id of the PRIMARY ECS deployment; '' where it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasTarget:
    """A load balancer that the name points to."""

    dns_name: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryFacts:
    """Everything that a decision about Cloud Map depends on, but for the memory and the time.

    None means "not read in this pass" and never leads to a removal.
    """

    namespace: NamespaceFacts | None = None
    """None: does not exist (namespaces and services are always read)."""
    service: ServiceFacts | None = None
    registered: Mapping[str, Instance] | None = None
    """Instance id → instance, as ListInstances has it now."""
    discovered: Mapping[str, Health] | None = None
    """Instance id → health, as DiscoverInstances (HealthStatus ALL) answers now."""
    operations: Mapping[str, Operation] = field(default_factory=dict)
    """Those that the memory names, as far as they could be read."""
    tasks: tuple[SeenTask, ...] | None = None
    slots: tuple[SlotWish, ...] | None = None
    aliases: tuple[AliasTarget, ...] | None = None
    traffic: Traffic | None = None
    """What the backend publishes: weights by slot. None for a Rolling one without target groups: everything
    that runs is live."""
    backend_exists: bool = True
    backend_going: bool = False
    """It is being deleted."""
    rolling: bool = True
    """False for a Progressive backend, whose tasks Sluice itself scales in, after the proof."""
    deleting: bool = False
    """The route is being deleted, or its discovery was taken out of the spec: everything of it goes."""
    suspended_until_seen: bool = False
    """This process has just begun: nothing is removed before both views were read."""
    keep_protected: bool = False
    """Another place of the route answers with these tasks, too: they are not given back to ECS from here."""
    propagation: float = PROPAGATION
    """Seconds, see `PROPAGATION`; a setting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryProof:
    """`status.discovery.acknowledgement`: which published weights the names answer with (rollout.md §7)."""

    name: str
    uid: str
    rollout_id: str
    seq: int
    hash: str
    route_generation: int
    verified_at: float
