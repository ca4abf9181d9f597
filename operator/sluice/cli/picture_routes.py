"""A ServiceRoute as one Deployment sees it: weights side by side, and its names in Cloud Map. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sluice.model.conditions import READY

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleView:
    """A listener rule of the route."""

    listener: str
    name: str
    priority: int | None = None
    role: str = ""
    """production, test or header."""
    weights: str = ""
    """Target groups and weights as they were last read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NameView:
    """A name in Cloud Map."""

    address: str
    """`<service>.<namespace>`."""
    mode: str = ""
    instances: int = 0
    healthy: int = 0
    foreign: int = 0
    """Entries that somebody else registered."""
    operations: int = 0
    leaving: int = 0
    """Entries on their way out of the answers."""
    failure: str = ""
    """What the last failed operation said."""
    given_up: bool = False
    """The spec no longer names it."""
    proven: bool | None = None
    """Clients were seen to get the weights that are published now; None where none are for this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteView:
    """What a route was told, wrote and counted for the Deployment; weights are slot → parts."""

    name: str
    ready: bool = False
    reason: str = ""
    message: str = ""
    hosts: tuple[str, ...] = ()
    proven: bool = False
    """It has proved the weights that are published now: in rules, in names, in whatever it has."""
    desired: Mapping[str, int] = field(default_factory=dict)
    configured: Mapping[str, int] = field(default_factory=dict)
    observed: Mapping[str, int] = field(default_factory=dict)
    """Requests that the load balancer counted lately."""
    observed_verdict: str = ""
    foreign: str = ""
    """Rules with weights that somebody else wrote."""
    rules: tuple[RuleView, ...] = ()
    names: tuple[NameView, ...] = ()


def route_view(route: Json, deployment: Json) -> RouteView:
    """Return the view of a route that refers to `deployment`."""
    metadata, status = route["metadata"], route.get("status") or {}
    found = (entry for entry in status.get("conditions") or () if entry.get("type") == READY)
    ready: Json = next(found, {})
    name = deployment["metadata"]["name"]
    own = (entry for entry in status.get("backends") or () if entry.get("name") == name)
    backend: Json = next(own, {})
    traffic = (deployment.get("status") or {}).get("traffic") or {}
    generation = int(metadata.get("generation", 0))
    spec = route.get("spec") or {}
    names = _names(spec, status, traffic, deployment=name, generation=generation)
    refs = (ref for rule in spec.get("rules") or () for ref in rule.get("backendRefs") or ())
    proofs = [known.proven for known in names if known.proven is not None]
    if not proofs or any(ref.get("name") == name for ref in refs):
        proofs.append(_proves(backend, traffic, generation))
    return RouteView(
        name=metadata["name"],
        ready=ready.get("status") == "True" and ready.get("observedGeneration", generation) == generation,
        reason=ready.get("reason", ""),
        message=ready.get("message", ""),
        hosts=tuple(spec.get("hostnames") or ()),
        proven=bool(traffic) and all(proofs),
        desired=dict(traffic.get("weights") or backend.get("desired") or {}),
        configured=dict(backend.get("configured") or {}),
        observed=dict(backend.get("observed") or {}),
        observed_verdict=backend.get("observedVerdict", ""),
        foreign=backend.get("foreign", ""),
        rules=tuple(
            RuleView(
                listener=parent.get("name", ""),
                name=rule.get("name", ""),
                priority=rule.get("priority"),
                role=rule.get("role", ""),
                weights=rule.get("weights", ""),
            )
            for parent in status.get("parents") or ()
            for rule in sorted(parent.get("rules") or (), key=lambda rule: rule.get("priority", 0))
        ),
        names=names,
    )


def _names(
    spec: Json, status: Json, traffic: Json, *, deployment: str, generation: int
) -> tuple[NameView, ...]:
    """Return the name that the spec asks for, and those that are being left."""
    front, wanted = status.get("discovery") or {}, spec.get("discovery") or {}
    if not front:
        ref = wanted.get("namespaceRef") or {}
        front = {
            "service": wanted.get("serviceName", ""),
            "namespace": ref.get("name") or ref.get("id") or "",
        }
    tasks = wanted.get("mode") == "Tasks" and (wanted.get("backendRef") or {}).get("name") == deployment
    found = [
        NameView(
            address=f"{place.get('service', '')}.{place.get('namespace', '')}",
            mode=place.get("mode") or wanted.get("mode", ""),
            instances=int(place.get("instances", 0)),
            healthy=int(place.get("healthy", 0)),
            foreign=int(place.get("foreign", 0)),
            operations=int(place.get("pendingOperations", 0)),
            leaving=sum(len(group.get("instances", ())) for group in place.get("leaving") or ()),
            failure=place.get("failure", ""),
            given_up=place is not front or not wanted,
            proven=_proves(place.get("acknowledgement") or {}, traffic, generation)
            if tasks and traffic and place is front
            else None,
        )
        for place in (front, *(front.get("left") or ()))
    ]
    return tuple(found) if wanted or status.get("discovery") else ()


def _proves(backend: Json, traffic: Json, generation: int) -> bool:
    """Tell whether an acknowledgement is of these very weights (rollout.md §7 points 1 and 4).

    `model.traffic` says the same of digests that it computes itself; here the published one counts,
    because this command may be of another version than the operator.
    """
    members = ("uid", "rolloutId", "seq", "hash")
    return (
        [backend.get(member) for member in members] == [traffic.get(member) for member in members]
        and backend.get("routeGeneration") == generation
        and float(backend.get("verifiedAt", 0)) >= float(traffic.get("verifyAfter", 0))
    )
