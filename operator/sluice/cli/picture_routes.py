"""A ServiceRoute as one Deployment sees it: desired, configured and observed weights side by side. Pure."""

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
class RouteView:
    """What a route was told, wrote and counted for the Deployment; weights are slot → parts."""

    name: str
    ready: bool = False
    reason: str = ""
    message: str = ""
    hosts: tuple[str, ...] = ()
    proven: bool = False
    """It has proved the weights that are published now."""
    desired: Mapping[str, int] = field(default_factory=dict)
    configured: Mapping[str, int] = field(default_factory=dict)
    observed: Mapping[str, int] = field(default_factory=dict)
    """Requests that the load balancer counted lately."""
    observed_verdict: str = ""
    foreign: str = ""
    """Rules with weights that somebody else wrote."""
    rules: tuple[RuleView, ...] = ()


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
    return RouteView(
        name=metadata["name"],
        ready=ready.get("status") == "True" and ready.get("observedGeneration", generation) == generation,
        reason=ready.get("reason", ""),
        message=ready.get("message", ""),
        hosts=tuple((route.get("spec") or {}).get("hostnames") or ()),
        proven=bool(traffic) and _proves(backend, traffic, generation),
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
    )


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
