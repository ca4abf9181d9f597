"""What Cloud Map remembers, per account and region, as plain data.

No clocks, callbacks or sockets: the world copies this state for stale reads and dumps it. Timers
keep ids and look the objects up again. Configurations keep the shapes of botocore's model.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sluice_sandbox.aws.service import Caller

Tags = dict[str, str]

HTTP, DNS_PRIVATE, DNS_PUBLIC = "HTTP", "DNS_PRIVATE", "DNS_PUBLIC"
SUBMITTED, PENDING, SUCCESS, FAIL = "SUBMITTED", "PENDING", "SUCCESS", "FAIL"
HEALTHY, UNHEALTHY, UNKNOWN = "HEALTHY", "UNHEALTHY", "UNKNOWN"


@dataclass(slots=True, kw_only=True)
class Namespace:
    """One namespace. One that is not `ready` is being created: its name is taken, nobody sees it."""

    id: str
    arn: str
    name: str
    kind: str
    """HTTP, DNS_PRIVATE or DNS_PUBLIC."""
    http_name: str
    created: float
    creator_request_id: str
    description: str | None
    tags: Tags
    vpc_id: str = ""
    hosted_zone_id: str = ""
    soa_ttl: int = 0
    ready: bool = False
    operation_id: str = ""
    """The operation that created it."""


@dataclass(slots=True, kw_only=True)
class Instance:
    """One registered instance; `health` is what is visible, the custom status or the checker's last."""

    id: str
    attributes: dict[str, str]
    creator_request_id: str
    created_by: str
    operation_id: str = ""
    """The operation that registered it last."""
    checked_from: float = 0.0
    """When the first result of a Route 53 health check is in, epoch seconds."""
    health: str = HEALTHY
    wanted_health: str = ""
    """What UpdateInstanceCustomHealthStatus asked for and is not visible yet, else ''."""
    health_change: int = 0
    """Counts the requests that changed `wanted_health`, so that an overtaken timer does nothing."""


@dataclass(slots=True, kw_only=True)
class DiscoveryService:
    """One Cloud Map service with its instances by id, in the order of their registration."""

    id: str
    arn: str
    name: str
    namespace_id: str
    kind: str
    """HTTP or DNS_HTTP."""
    created: float
    creator_request_id: str
    created_by: str
    description: str | None
    dns: dict[str, Any] | None
    """RoutingPolicy and DnsRecords (botocore's DnsConfig, without the namespace's id)."""
    health_check: dict[str, Any] | None
    custom_health: dict[str, Any] | None
    tags: Tags
    attributes: dict[str, str] = field(default_factory=dict)
    instances: dict[str, Instance] = field(default_factory=dict)
    revision: int
    """InstancesRevision: grows with every change of instances, never with their health."""
    seen: dict[str, Instance] = field(default_factory=dict)
    """What clients get of the instances (DiscoverInstances, DNS): the same, `Pace.visible` later."""
    seen_revision: int = 0
    """The revision that clients get."""

    @property
    def record_types(self) -> frozenset[str]:
        """The types of its DNS records; none for a service of HTTP."""
        return frozenset(record["Type"] for record in self.dns["DnsRecords"]) if self.dns else frozenset()

    @property
    def policy(self) -> str:
        """The routing policy, '' without records."""
        return str(self.dns["RoutingPolicy"]) if self.dns else ""

    @property
    def checks_health(self) -> bool:
        """Whether instances have a health at all."""
        return self.custom_health is not None or self.health_check is not None

    def ttl(self, record_type: str) -> int:
        """Return the TTL of one of its record types, seconds; 0 when it has none of that type."""
        records = self.dns["DnsRecords"] if self.dns else []
        return next((int(record["TTL"]) for record in records if record["Type"] == record_type), 0)


@dataclass(slots=True, kw_only=True)
class WorkItem:
    """One asynchronous operation (botocore's Operation) and what it will do when its time has come."""

    id: str
    kind: str
    """CREATE_NAMESPACE, REGISTER_INSTANCE and so on."""
    targets: dict[str, str]
    change: dict[str, Any]
    """What is to be done, as the handler that executes it keeps it."""
    request_id: str
    submitted: float
    updated: float
    status: str = SUBMITTED
    error_code: str = ""
    error_message: str = ""

    @property
    def running(self) -> bool:
        """Whether it has neither succeeded nor failed."""
        return self.status in {SUBMITTED, PENDING}


@dataclass(slots=True)
class Region:
    """Everything of one account in one region, by id."""

    namespaces: dict[str, Namespace] = field(default_factory=dict)
    services: dict[str, DiscoveryService] = field(default_factory=dict)
    operations: dict[str, WorkItem] = field(default_factory=dict)
    busy: dict[str, str] = field(default_factory=dict)
    """What an operation works on at the moment, by `OperationEngine`'s keys, with the operation's id."""
    revisions: int = 0
    """The last InstancesRevision given out: one count for all, so that none is ever seen twice."""

    def next_revision(self) -> int:
        """Return a revision greater than every earlier one."""
        self.revisions += 1
        return self.revisions

    def services_of(self, namespace_id: str) -> list[DiscoveryService]:
        """Return the services of a namespace, in order of creation."""
        return [service for service in self.services.values() if service.namespace_id == namespace_id]


@dataclass(slots=True)
class State:
    """All regions of all accounts."""

    regions: dict[tuple[str, str], Region] = field(default_factory=dict)

    def region(self, caller: Caller) -> Region:
        """Return the caller's region, empty when nothing was made there yet."""
        key = (caller.account, caller.region)
        if key not in self.regions:
            self.regions[key] = Region()
        return self.regions[key]
