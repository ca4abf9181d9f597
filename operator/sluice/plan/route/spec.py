"""From the typed resource to the route's intent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sluice.api.v1alpha1.route import RouteMatch, RouteRule, ServiceRouteSpec
from sluice.model.keys import Key
from sluice.plan.route.intent import Backend, Match, RouteIntent, RuleIntent


def intent_of(spec: ServiceRouteSpec, key: Key, *, created: str) -> RouteIntent:
    """Return what `spec` asks for; `created` is the object's creationTimestamp (ties between routes)."""
    return RouteIntent(
        hostnames=tuple(spec.hostnames or ()),
        rules=tuple(_rule(rule) for rule in spec.rules or ()),
        # A tag's value may hold these characters and no others that could occur here.
        age=f"{created}/{key.namespace}/{key.name}",
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
    spec = deployment.get("spec") or {}
    pod = (spec.get("template") or {}).get("spec") or {}
    body = spec.get("taskDefinition") or {}
    entries = [
        *(port for container in pod.get("containers") or () for port in container.get("ports") or ()),
        *(
            port
            for container in body.get("containerDefinitions") or ()
            for port in container.get("portMappings") or ()
        ),
    ]
    texts = (str(port[name]) for port in entries for name in ("name", "containerPort") if name in port)
    return frozenset(texts)
