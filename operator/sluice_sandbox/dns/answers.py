"""What DNS says of Cloud Map's services: Route 53's routing policies over the instances that there are.

Sources: botocore's DnsConfig.RoutingPolicy and DnsRecord.Type, and Route 53's developer guide on multivalue
and weighted routing ("up to eight healthy records", "if all are unhealthy, as if all were healthy").

Addresses are tasks' ENI addresses (10.a.b.c), which no client outside the sandbox can reach. With `twins`
they are answered as the loopback addresses where the tasks listen (127.a.b.c), and SRV records have the port
of that socket; without, they are answered as AWS would.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from sluice_sandbox.aws.ports import Network
from sluice_sandbox.aws.service import Caller
from sluice_sandbox.aws.servicediscovery import instance_rules as attribute
from sluice_sandbox.aws.servicediscovery.records import domain, host
from sluice_sandbox.aws.servicediscovery.service import ServiceDiscovery
from sluice_sandbox.aws.servicediscovery.state import UNHEALTHY, DiscoveryService, Instance, Namespace, Region
from sluice_sandbox.dns.message import (
    ANY,
    BADVERS,
    INTERNET,
    NOERROR,
    NOTIMP,
    NXDOMAIN,
    REFUSED,
    TYPES,
    Answer,
    Query,
    Record,
    Value,
)

MULTIVALUE_RECORDS = 8
BALANCER_TTL = 60
"""Seconds: the TTL of a load balancer's own records, which an alias takes over."""
_SERVER = "ns-1536.awsdns-00.co.uk"
_MAILBOX = "awsdns-hostmaster.amazon.com"
_NS_TTL = 172_800
_VALUE = {"A": attribute.IPV4, "AAAA": attribute.IPV6, "CNAME": attribute.CNAME}
_NAMES = {number: name for name, number in TYPES.items()}
_MAX_CHAIN = 8

Balancers = Callable[[str], bool]
"""Tells whether a load balancer has a DNS name (lower case, no last dot)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Whose DNS this is, and how addresses are answered."""

    caller: Caller | None = None
    """The account and Region whose namespaces are answered; None for all of the sandbox's."""
    vpc_id: str = ""
    """The VPC whose private namespaces are seen; '' for those of all VPCs."""
    twins: bool = True
    balancer_address: str = "127.0.0.1"
    """Where the load balancers' listeners are."""


class Answers:
    """Answers questions from what Cloud Map has at that moment."""

    def __init__(
        self,
        service: ServiceDiscovery,
        view: View,
        *,
        network: Network,
        balancers: Balancers,
        rng: random.Random,
    ) -> None:
        """Read `service` through `view`; `rng` chooses among records."""
        self._cloud_map = service
        self._view = view
        self._network = network
        self._balancers = balancers
        self._rng = rng

    def answer(self, query: Query) -> Answer:
        """Return the answer to one question."""
        if query.opcode:
            return Answer(code=NOTIMP)
        if query.version:
            return Answer(code=BADVERS)
        if query.klass not in {INTERNET, ANY}:
            return Answer(code=REFUSED)
        wanted = frozenset(TYPES) if query.kind == ANY else frozenset({_NAMES.get(query.kind, "")})
        return self._resolve(query.name, wanted)

    def _resolve(self, asked: str, wanted: frozenset[str]) -> Answer:
        """Follow aliases by name until there are records, or nothing more to follow."""
        found: list[Record] = []
        name = asked
        for _ in range(_MAX_CHAIN):
            answer = self._look_up(name, wanted)
            found += answer.records
            if not answer.records or answer.records[-1].kind != "CNAME" or "CNAME" in wanted:
                break
            name = str(answer.records[-1].value)
        if not found:
            return answer
        # What a chain ends in beyond our zones is for another resolver to say.
        code = answer.code if answer.code == NXDOMAIN else 0
        return Answer(code=code, records=tuple(found), authority=() if answer.records else answer.authority)

    def _look_up(self, asked: str, wanted: frozenset[str]) -> Answer:
        name = asked.lower().removesuffix(".")
        if self._balancers(name):
            return Answer(records=tuple(self._balancer(asked, wanted)))
        zone = self._zone(name)
        if zone is None:
            return Answer(code=REFUSED)
        records = self._in_zone(asked, name, zone, wanted)
        if records:
            return Answer(records=records)
        return Answer(code=NXDOMAIN if records is None else NOERROR, authority=(_soa(zone),))

    def _in_zone(
        self, asked: str, name: str, zone: Namespace, wanted: frozenset[str]
    ) -> tuple[Record, ...] | None:
        """Return the records of the wanted types: none if the name has others, None without the name."""
        if name == zone.name.lower().removesuffix("."):
            return tuple(record for record in (_soa(zone), _ns(zone)) if record.kind in wanted)
        services = self._services(zone)
        for service in services:
            if domain(service, zone).lower() == name:
                return tuple(self._of_service(asked, service, zone, wanted))
        of_host = self._of_host(asked, services, zone, wanted)
        if of_host is not None:
            return of_host
        # A name between the zone and a service (`_tcp` of `_web._tcp`) is there, without records.
        between = any(domain(service, zone).lower().endswith(f".{name}") for service in services)
        return () if between else None

    # -------------------------------------------------------------------- zones

    def _zone(self, name: str) -> Namespace | None:
        """Return the namespace with the longest name that the question ends with; private before public."""
        zones = [
            namespace
            for region in self._regions()
            for namespace in region.namespaces.values()
            if namespace.ready
            and namespace.hosted_zone_id
            and self._view.vpc_id in {"", namespace.vpc_id or self._view.vpc_id}
            and f".{name}".endswith(f".{namespace.name.lower().removesuffix('.')}")
        ]
        return max(zones, key=lambda zone: (len(zone.name), bool(zone.vpc_id)), default=None)

    def _services(self, zone: Namespace) -> list[DiscoveryService]:
        """Return the services that have records: in Route 53 there is no name without a record."""
        return [
            service
            for region in self._regions()
            if zone.id in region.namespaces
            for service in region.services_of(zone.id)
            if service.dns is not None and service.seen
        ]

    def _regions(self) -> Iterable[Region]:
        state = self._cloud_map.state
        return state.regions.values() if self._view.caller is None else (state.region(self._view.caller),)

    # ------------------------------------------------------------------ records

    def _of_service(
        self, asked: str, service: DiscoveryService, zone: Namespace, wanted: frozenset[str]
    ) -> Iterator[Record]:
        # A name that is an alias of another has that answer to every question (RFC 1034 §3.6.2).
        kinds = service.record_types if "CNAME" in service.record_types else service.record_types & wanted
        for kind in sorted(kinds):
            for instance in self._chosen(service, kind):
                target = instance.attributes.get(attribute.ALIAS)
                if target:
                    yield from self._balancer(asked, frozenset({kind}))
                else:
                    value = self._value(kind, instance, service, zone)
                    yield Record(name=asked, kind=kind, ttl=service.ttl(kind), value=value)

    def _chosen(self, service: DiscoveryService, kind: str) -> list[Instance]:
        """Return what the routing policy answers with: eight at most, or one; the unhealthy if all are."""
        instances = [item for item in service.seen.values() if _has(item, kind)]
        healthy = [item for item in instances if self._is_healthy(service, item)]
        candidates = healthy or instances
        number = MULTIVALUE_RECORDS if service.policy == "MULTIVALUE" else 1
        return self._rng.sample(candidates, min(number, len(candidates)))

    def _is_healthy(self, service: DiscoveryService, instance: Instance) -> bool:
        target = instance.attributes.get(attribute.ALIAS)
        if target:
            return self._balancers(target.lower().removesuffix("."))
        return self._cloud_map.health.of(service, instance) != UNHEALTHY

    def _value(self, kind: str, instance: Instance, service: DiscoveryService, zone: Namespace) -> Value:
        if kind != "SRV":
            return self._address(kind, instance)
        twin = self._twin(instance)
        port = twin[1] if twin else int(instance.attributes[attribute.PORT])
        return 1, 1, port, host(instance.id, service, zone)

    def _of_host(
        self, asked: str, services: Iterable[DiscoveryService], zone: Namespace, wanted: frozenset[str]
    ) -> tuple[Record, ...] | None:
        """Return the addresses of the host that an SRV record names, None when no such host exists."""
        name = asked.lower().removesuffix(".")
        for service in services:
            suffix = f".{domain(service, zone).lower()}"
            if "SRV" not in service.record_types or not name.endswith(suffix):
                continue
            for instance in service.seen.values():
                if instance.id.lower() == name.removesuffix(suffix):
                    return tuple(
                        Record(
                            name=asked,
                            kind=kind,
                            ttl=service.ttl("SRV"),
                            value=self._address(kind, instance),
                        )
                        for kind in ("A", "AAAA")
                        if kind in wanted and _VALUE[kind] in instance.attributes
                    )
        return None

    def _balancer(self, asked: str, wanted: frozenset[str]) -> Iterator[Record]:
        """Return a load balancer's records: it has an IPv4 address alone, where its listeners are."""
        if "A" in wanted:
            yield Record(name=asked, kind="A", ttl=BALANCER_TTL, value=self._view.balancer_address)

    def _address(self, kind: str, instance: Instance) -> str:
        """Return an instance's address or name as this view answers it."""
        value = instance.attributes[_VALUE[kind]]
        if kind != "A" or not self._view.twins or not value.startswith("10."):
            return value
        twin = self._twin(instance)
        return twin[0] if twin else f"127.{value.removeprefix('10.')}"

    def _twin(self, instance: Instance) -> tuple[str, int] | None:
        """Return where a task's socket is, if one is open at the instance's address and port."""
        ip, port = instance.attributes.get(attribute.IPV4), instance.attributes.get(attribute.PORT)
        return self._network.address(ip, int(port)) if self._view.twins and ip and port else None


def _has(instance: Instance, kind: str) -> bool:
    """Tell whether an instance has a record of a type: an alias has every type of its service."""
    needed = attribute.PORT if kind == "SRV" else _VALUE[kind]
    return attribute.ALIAS in instance.attributes or needed in instance.attributes


def _soa(zone: Namespace) -> Record:
    numbers = (1, 7200, 900, 1_209_600, zone.soa_ttl)
    return Record(name=zone.name, kind="SOA", ttl=zone.soa_ttl, value=(_SERVER, _MAILBOX, *numbers))


def _ns(zone: Namespace) -> Record:
    return Record(name=zone.name, kind="NS", ttl=_NS_TTL, value=_SERVER)
