"""From the typed resource to the route's intent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sluice.api.v1alpha1.discovery import Discovery
from sluice.api.v1alpha1.route import RouteMatch, RouteRule, ServiceRouteSpec
from sluice.model.discovery import DiscoveryIntent, DnsRecord, NamespaceIntent, RoutingPolicy
from sluice.model.keys import Key
from sluice.plan.route.intent import Backend, Match, RouteIntent, RuleIntent


def intent_of(spec: ServiceRouteSpec, key: Key, *, created: str) -> RouteIntent:
    """Return what `spec` asks for; `created` is the object's creationTimestamp (ties between routes)."""
    return RouteIntent(
        hostnames=tuple(spec.hostnames or ()),
        rules=tuple(_rule(rule) for rule in spec.rules or ()),
        # A tag's value may hold these characters and no others that could occur here.
        age=f"{created}/{key.namespace}/{key.name}",
        discovery=discovery_intent(spec.discovery) if spec.discovery else None,
    )


def discovery_intent(discovery: Discovery) -> DiscoveryIntent:
    """Return what `spec.discovery` asks for, defaults filled in."""
    ref, dns, backend = discovery.namespace_ref, discovery.dns, discovery.backend_ref
    default: RoutingPolicy = "WEIGHTED" if discovery.mode == "Alias" else "MULTIVALUE"
    return DiscoveryIntent(
        mode=discovery.mode,
        namespace=NamespaceIntent(
            name=ref.name or "",
            id=ref.id or "",
            create=ref.create.type if ref.create else None,
            vpc=(ref.create.vpc or "") if ref.create else "",
        ),
        service=discovery.service_name,
        backend=backend.name if backend else "",
        port=str(backend.port) if backend else "",
        records=tuple(DnsRecord(type=r.type, ttl=r.ttl_seconds) for r in (dns.records if dns else ())),
        routing=(dns.routing_policy if dns else None) or default,
        attributes=dict(discovery.attributes or {}),
    )


def _rule(rule: RouteRule) -> RuleIntent:
    return RuleIntent(
        name=rule.name,
        matches=tuple(_match(match) for match in rule.matches or ()),
        backends=tuple(
            Backend(name=ref.name, port=str(ref.port), weight=ref.weight) for ref in rule.backend_refs
        ),
        priority=rule.priority,
        session_seconds=rule.session_persistence.duration_seconds if rule.session_persistence else 0,
    )


def _match(match: RouteMatch) -> Match:
    headers = match.headers or ()
    return Match(
        path=(match.path.type or "PathPrefix", match.path.value) if match.path else None,
        headers=tuple((h.name.lower(), h.value) for h in headers if h.type != "RegularExpression"),
        regex_headers=tuple((h.name.lower(), h.value) for h in headers if h.type == "RegularExpression"),
        query=tuple((query.name, query.value) for query in match.query_params or ()),
        method=match.method or "",
        source_ips=tuple(match.source_ips or ()),
    )


def container_ports(deployment: Mapping[str, Any]) -> frozenset[str]:
    """Return the names and numbers of the container ports of a raw Deployment; empty when it has none."""
    entries = _port_entries(deployment)
    texts = (str(port[name]) for port in entries for name in ("name", "containerPort") if name in port)
    return frozenset(texts)


def port_numbers(deployment: Mapping[str, Any]) -> dict[str, int]:
    """Return the container ports of a raw Deployment by name; those without a name are left out."""
    named = (port for port in _port_entries(deployment) if port.get("name") and port.get("containerPort"))
    return {str(port["name"]): int(port["containerPort"]) for port in named}


def _port_entries(deployment: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    spec = deployment.get("spec") or {}
    pod = (spec.get("template") or {}).get("spec") or {}
    body = spec.get("taskDefinition") or {}
    return [
        *(port for container in pod.get("containers") or () for port in container.get("ports") or ()),
        *(
            port
            for container in body.get("containerDefinitions") or ()
            for port in container.get("portMappings") or ()
        ),
    ]
