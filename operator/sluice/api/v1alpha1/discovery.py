"""`spec.discovery` of a ServiceRoute: a name in AWS Cloud Map for a Deployment's tasks or a load balancer.

Three modes. Tasks: Sluice registers each task and keeps the entries true through every rollout. Alias: the
name points at the load balancers of parentRefs. ECS: the Deployment's ECS service registers its tasks
itself. Limits and spellings are those of botocore's servicediscovery model (CreateService,
RegisterInstance); what only AWS can tell (whether a namespace that is referred to has DNS) is told by the
planner as a condition.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sluice.api.v1alpha1.container import DNS_LABEL
from sluice.api.v1alpha1.parse import Problem
from sluice.api.v1alpha1.schema import Cel, IntOrString, Schema, Typed, list_map, rules

_LABEL = r"([a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?)"
SERVICE_NAME = rf"^{_LABEL}(\.{_LABEL})*$"
"""botocore: servicediscovery ServiceName, without the length that it looks ahead for and the lone dot."""
_RESERVED = ("AWS_", "ECS_", "SLUICE_")
_OURS = ("AVAILABILITY_ZONE", "revision", "slot")
_MODE_NEEDS = "mode Tasks and mode ECS need backendRef; mode Alias points at the load balancers of parentRefs"
_NO_DNS = "an HTTP namespace has no DNS; remove dns, or create a DNS_PRIVATE or DNS_PUBLIC namespace"
_NEEDS_DNS = "a namespace with DNS needs dns.records; add them, for instance {type: A, ttlSeconds: 10}"
_ALIAS_RECORDS = "mode Alias needs dns.records of type A or AAAA; AWS points no SRV record at a load balancer"
_SRV_ALONE = "AWS Cloud Map has SRV records in a service of their own; keep SRV alone, or A and AAAA"
_ALIAS_ROUTING = "mode Alias has routingPolicy WEIGHTED only (AWS Cloud Map); remove dns.routingPolicy"
_ECS_ATTRIBUTES = "ECS registers its tasks with attributes of its own; use mode Tasks or remove attributes"
_RESERVED_KEYS = (
    "attributes that start with AWS_, ECS_ or SLUICE_, and AVAILABILITY_ZONE, revision and slot are "
    "reserved; choose others"
)
_ONE_NAME = "exactly one of name and id is needed; keep one"
_CREATE_BY_NAME = "create goes with name: AWS chooses the id of a new namespace"
_VPC = "vpc goes with type DNS_PRIVATE, which needs it"


class NamespaceCreate(Typed):
    """How a namespace is made that does not exist."""

    type: Literal["HTTP", "DNS_PRIVATE", "DNS_PUBLIC"]
    """HTTP is found through AWS's API alone, DNS_PRIVATE by DNS inside a VPC, DNS_PUBLIC by DNS anywhere."""
    vpc: Annotated[str, Field(max_length=64, pattern=r"^vpc-[0-9a-z]+$")] | None = None
    """VPC that resolves a DNS_PRIVATE namespace."""
    cel = (Cel(rule="has(self.vpc) == (self.type == 'DNS_PRIVATE')", message=_VPC),)


class NamespaceRef(Typed):
    """A Cloud Map namespace."""

    name: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[!-~]+$")] | None = None
    """Its name, for DNS the domain."""
    id: Annotated[str, Field(max_length=64, pattern=r"^ns-[0-9a-zA-Z]+$")] | None = None
    """Its id, where a name is used twice."""
    create: NamespaceCreate | None = None
    """Make it when it does not exist; absent: it must exist."""
    cel = (
        Cel(rule="has(self.name) != has(self.id)", message=_ONE_NAME),
        Cel(rule="!has(self.create) || has(self.name)", message=_CREATE_BY_NAME),
    )


class DnsRecordSpec(Typed):
    """A DNS record of every entry."""

    type: Literal["A", "AAAA", "SRV"]
    """A has the IPv4 address, AAAA the IPv6 address, SRV address and port."""
    ttl_seconds: Annotated[int, Field(ge=0, le=86_400)]
    """How long resolvers may keep an answer. An entry that leaves is waited for that long."""


class DiscoveryDns(Typed):
    """What the DNS of a namespace answers."""

    records: Annotated[list[DnsRecordSpec], list_map("type", most=3), Schema({"minItems": 1})]
    """Records, one of each type."""
    routing_policy: Literal["MULTIVALUE", "WEIGHTED"] | None = None
    """MULTIVALUE answers with up to eight healthy entries, WEIGHTED with one; absent: MULTIVALUE, in mode
    Alias WEIGHTED. AWS never changes it for a service that exists."""
    cel = (
        Cel(  # botocore, CreateService: A, AAAA, A and AAAA, SRV or CNAME
            rule="self.records.size() == 1 || !self.records.exists(r, r.type == 'SRV')",
            message=_SRV_ALONE,
            field_path=".records",
        ),
    )


class DiscoveryBackendRef(Typed):
    """A port of a Deployment of the same namespace."""

    name: Annotated[str, Field(max_length=63, pattern=DNS_LABEL)]
    """Name of a Deployment (sluice.dev)."""
    port: Annotated[IntOrString, Schema({"maxLength": 63})]
    """Name or number of its container port."""


class Discovery(Typed):
    """A name in AWS Cloud Map."""

    mode: Literal["Tasks", "Alias", "ECS"]
    """Tasks: Sluice registers each task, in step with rollouts. Alias: the name points at the load
    balancers of parentRefs. ECS: ECS registers the tasks (RollingUpdate and Recreate only)."""
    backend_ref: DiscoveryBackendRef | None = None
    """Whose tasks are registered, and their port; none for Alias."""
    namespace_ref: NamespaceRef
    """Cloud Map namespace of the name."""
    service_name: Annotated[str, Field(max_length=127, pattern=SERVICE_NAME)]
    """Name of the Cloud Map service: the part before the namespace's domain."""
    dns: DiscoveryDns | None = None
    """DNS records; none in an HTTP namespace."""
    attributes: (
        Annotated[
            dict[str, Annotated[str, Field(max_length=1024)]],
            Schema({"maxProperties": 20}),
            rules(
                Cel(
                    rule="self.all(k, !['AWS_', 'ECS_', 'SLUICE_'].exists(p, k.startsWith(p)) && "
                    "!(k in ['AVAILABILITY_ZONE', 'revision', 'slot']))",
                    message=_RESERVED_KEYS,
                ),
                Cel(
                    rule="self.all(k, k.matches('^[!-~]{1,255}$'))",
                    message="names of attributes have 1 to 255 printable characters without spaces",
                ),
            ),
        ]
        | None
    ) = None
    """Attributes of every entry, for clients that ask AWS's API."""
    cel = (
        Cel(rule="has(self.backendRef) == (self.mode != 'Alias')", message=_MODE_NEEDS),
        Cel(
            rule="!has(self.dns) || !has(self.namespaceRef.create) || self.namespaceRef.create.type != "
            "'HTTP'",
            message=_NO_DNS,
            field_path=".dns",
        ),
        Cel(
            rule="has(self.dns) || !has(self.namespaceRef.create) || self.namespaceRef.create.type == 'HTTP'",
            message=_NEEDS_DNS,
        ),
        Cel(
            rule="self.mode != 'Alias' || has(self.dns) && self.dns.records.all(r, r.type != 'SRV')",
            message=_ALIAS_RECORDS,
        ),
        Cel(
            rule="self.mode != 'Alias' || !has(self.dns) || !has(self.dns.routingPolicy) || "
            "self.dns.routingPolicy == 'WEIGHTED'",
            message=_ALIAS_ROUTING,
            field_path=".dns",
        ),
        Cel(
            rule="self.mode != 'ECS' || !has(self.attributes)",
            message=_ECS_ATTRIBUTES,
            field_path=".attributes",
        ),
    )


def discovery_problems(discovery: Discovery) -> list[Problem]:
    """Return what the CEL rules refuse, for objects that an older CRD let through."""
    at = "spec.discovery"
    dns, create, alias = discovery.dns, discovery.namespace_ref.create, discovery.mode == "Alias"
    records = dns.records if dns else []
    broken = (
        (at, (discovery.backend_ref is None) != alias, _MODE_NEEDS),
        (f"{at}.dns", bool(dns and create and create.type == "HTTP"), _NO_DNS),
        (at, bool(not dns and create and create.type != "HTTP"), _NEEDS_DNS),
        (at, alias and (not records or any(record.type == "SRV" for record in records)), _ALIAS_RECORDS),
        (f"{at}.dns.records", len(records) > 1 and any(r.type == "SRV" for r in records), _SRV_ALONE),
        (f"{at}.dns", alias and dns is not None and dns.routing_policy == "MULTIVALUE", _ALIAS_ROUTING),
        (f"{at}.attributes", discovery.mode == "ECS" and discovery.attributes is not None, _ECS_ATTRIBUTES),
        (f"{at}.attributes", any(map(_reserved, discovery.attributes or ())), _RESERVED_KEYS),
        *_namespace_problems(discovery.namespace_ref),
    )
    return [Problem(path, text) for path, wrong, text in broken if wrong]


def _namespace_problems(ref: NamespaceRef) -> tuple[tuple[str, bool, str], ...]:
    at, create = "spec.discovery.namespaceRef", ref.create
    return (
        (at, (ref.name is None) == (ref.id is None), _ONE_NAME),
        (at, create is not None and ref.name is None, _CREATE_BY_NAME),
        (
            f"{at}.create",
            create is not None and (create.vpc is None) == (create.type == "DNS_PRIVATE"),
            _VPC,
        ),
    )


def _reserved(key: str) -> bool:
    return key.startswith(_RESERVED) or key in _OURS
