"""A small Cloud Map in virtual time: operations end late, clients see later, health takes half a minute.

It keeps two laws itself: nothing takes the last healthy answer away (`broken`), neither when it is asked
for nor when it takes effect. Cloud Map has no call that ends an operation: what was asked for while the spec
wanted nobody may take effect after it wants somebody again. Such an answer counts for nobody from then on.
"""

from __future__ import annotations

import dataclasses
import heapq
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sluice.model.discovery import DnsRecord, NamespaceFacts, Operation, ServiceFacts
from sluice.model.ownership import from_elb

NOW = 1_000_000.0


@dataclass(slots=True)
class Registered:
    """An instance in the books of Cloud Map."""

    attributes: dict[str, str]
    health: str
    change: int = 0


@dataclass(slots=True, kw_only=True)
class CloudMap:
    """Namespace, service and instances; who answers and who may be sent away, the world knows."""

    now: float = NOW
    namespace: NamespaceFacts | None = None
    service: ServiceFacts | None = None
    custom_health: bool = True
    instances: dict[str, Registered] = field(default_factory=dict)
    seen: dict[str, str] = field(default_factory=dict)
    """What clients see: id → health."""
    operations: dict[str, Operation] = field(default_factory=dict)
    busy: dict[str, str] = field(default_factory=dict)
    operation_seconds: float = 5.0
    lag: float = 1.0
    """Seconds until clients see what is in the books."""
    failures: list[str] = field(default_factory=list)
    """Errors of the next operations."""
    broken: list[str] = field(default_factory=list)
    misfortune: float = 0.0
    """When a task last died or fell ill by itself."""
    left_at: dict[str, float] = field(default_factory=dict)
    """When an instance was last a healthy answer."""
    doomed: list[str] = field(default_factory=list)
    """Instances that an action under way takes from the answers, asked for while the spec wanted nobody."""
    queue: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def answers(self, name: str) -> bool:
        """Tell whether an instance is a healthy answer that works."""
        raise NotImplementedError

    def is_sent_away(self, name: str) -> bool:
        """Tell whether the spec wants nobody in the place of an instance's task: nobody holds it then."""
        raise NotImplementedError

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        """Let something happen in a while."""
        heapq.heappush(self.queue, (self.now + seconds, next(self.ids), what))

    def _show(self, name: str, health: str | None) -> None:
        answered = self.answers(name)
        if self.seen.get(name) == "HEALTHY":
            self.left_at[name] = self.now
        if health is None:
            self.seen.pop(name, None)
        else:
            self.seen[name] = health
        lost = answered and not self.answers(name)
        unlucky = self.now - self.misfortune < 100
        excused = unlucky or name in self.doomed or self.is_sent_away(name)
        if lost and not excused and not any(map(self.answers, self.seen)):
            self.broken.append(f"{self.now - NOW:.0f}: the last healthy answer {name[:15]} was taken away")

    def submit(
        self, name: str, what: Callable[[], None], *, failed: Callable[[], None] = lambda: None
    ) -> dict[str, Any]:
        """Accept an operation on something; `what` is its effect, `failed` what comes instead of it."""
        operation = f"op-{next(self.ids)}"
        self.operations[operation] = Operation(id=operation, status="SUBMITTED")
        self.busy[name] = operation
        error = self.failures.pop(0) if self.failures else ""

        def end() -> None:
            self.busy.pop(name, None)
            status = "FAIL" if error else "SUCCESS"
            self.operations[operation] = Operation(id=operation, status=status, error=error)  # type: ignore[arg-type]
            (failed if error else what)()

        self.later(self.operation_seconds, end)
        return {"OperationId": operation}

    def register(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """RegisterInstance."""
        name, attributes = params["InstanceId"], dict(params["Attributes"])

        def put() -> None:
            health = attributes.get("AWS_INIT_HEALTH_STATUS", "HEALTHY")
            before = self.instances.get(name)
            self.instances[name] = Registered(attributes, health, before.change + 1 if before else 0)
            self.later(self.lag, lambda: self._catch_up(name))

        return self.submit(name, put)

    def _catch_up(self, name: str) -> None:
        there = self.instances.get(name)
        self._show(name, (there.health if self.custom_health else "UNKNOWN") if there else None)

    def deregister(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """DeregisterInstance."""
        name = params["InstanceId"]
        forget = self._ask_to_go(name, "DeregisterInstance")

        def be_seen() -> None:
            self._catch_up(name)
            forget()

        def remove() -> None:
            self.instances.pop(name, None)
            self.later(self.lag, be_seen)

        return self.submit(name, remove, failed=forget)

    def set_health(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """UpdateInstanceCustomHealthStatus."""
        name, health = params["InstanceId"], params["Status"]
        if name not in self.instances:
            raise KeyError("InstanceNotFound")
        forget = self._ask_to_go(name, "UNHEALTHY") if health == "UNHEALTHY" else lambda: None
        there = self.instances[name]
        there.change += 1
        number = there.change

        def land() -> None:
            if self.instances.get(name) is there and there.change == number:
                there.health = health
                self._catch_up(name)
            forget()

        self.later(30.0, land)
        return {}

    def _ask_to_go(self, name: str, what: str) -> Callable[[], None]:
        """Keep the law: no action takes the last healthy answer away. Call the result when it is over."""
        if self.is_sent_away(name):
            self.doomed.append(name)
            return lambda: self.doomed.remove(name)
        others = (other for other in self.seen if other != name and other not in self.doomed)
        if self.answers(name) and not any(map(self.answers, others)):
            self.broken.append(f"{self.now - NOW:.0f}: {what} for the last healthy answer {name[:15]}")
        return lambda: None

    def create_namespace(self, params: Mapping[str, Any]) -> None:
        """Carry out CreatePrivateDnsNamespace."""
        self.namespace = NamespaceFacts(
            id="ns-1",
            name=params["Name"],
            arn="arn:ns-1",
            type="DNS_PRIVATE",
            tags=from_elb(params["Tags"]),
            services=0,
        )

    def create_service(self, params: Mapping[str, Any]) -> None:
        """CreateService."""
        dns = params.get("DnsConfig", {})
        number = next(self.ids)
        self.service = ServiceFacts(
            id=f"srv-{number}",
            arn=f"arn:srv-{number}",
            name=params["Name"],
            namespace_id=params["NamespaceId"],
            tags=from_elb(params["Tags"]),
            records=tuple(DnsRecord(type=r["Type"], ttl=r["TTL"]) for r in dns.get("DnsRecords", ())),
            routing=dns.get("RoutingPolicy", ""),
            custom_health="HealthCheckCustomConfig" in params,
        )
        self.custom_health = self.service.custom_health
        assert self.namespace
        self.namespace = dataclasses.replace(self.namespace, services=1)

    def update_service(self, params: Mapping[str, Any]) -> None:
        """Carry out UpdateService."""
        assert self.service
        records = params["Service"]["DnsConfig"]["DnsRecords"]
        self.service = dataclasses.replace(
            self.service, records=tuple(DnsRecord(type=r["Type"], ttl=r["TTL"]) for r in records)
        )
