"""Series of one ServiceRoute: the three weights of each backend, their proof, and what discovery holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sluice.model.keys import DEPLOYMENT, Key
from sluice.telemetry.raw import Raw, entries, member, number, status_of, text
from sluice.telemetry.series import Families, Series

_BACKEND: Final = ("namespace", "route", "backend")
_ROUTE: Final = ("namespace", "route")
WEIGHT: Final = Series(
    "sluice_route_weight",
    "Share of a backend's requests that a slot has, 0 to 1: desired by the Deployment, configured as read"
    " back from the listener rules, observed by the load balancer's counts.",
    (*_BACKEND, "slot", "kind"),
)
VERIFIED: Final = Series(
    "sluice_route_verified_timestamp_seconds",
    "When the rules of a backend were last read back as written, epoch seconds.",
    _BACKEND,
)
PROVEN: Final = Series(
    "sluice_route_weights_proven",
    "1 while the weights that the Deployment publishes now are those that were read back.",
    _BACKEND,
)
FITS: Final = Series(
    "sluice_route_observed_as_configured",
    "0 when the counted requests do not fit the weights by more than chance; absent while not known.",
    _BACKEND,
)
INSTANCES: Final = Series(
    "sluice_discovery_instances",
    "Instances of a route in Cloud Map: registered, and healthy as clients discover them.",
    (*_ROUTE, "state"),
)
PENDING: Final = Series(
    "sluice_discovery_pending_operations",
    "Cloud Map operations of a route that are not over.",
    _ROUTE,
)
ROUTE_SERIES: Final = (WEIGHT, VERIFIED, PROVEN, FITS)
DISCOVERY_SERIES: Final = (INSTANCES, PENDING)
_STATES: Final = (("registered", "instances"), ("healthy", "healthy"))


def route(families: Families, key: Key, obj: Raw, *, objects: Mapping[Key, Raw]) -> None:
    """Add the series of one route; its Deployments are looked up in `objects`."""
    status = status_of(obj)
    for backend in entries(status, "backends"):
        _backend(families, key, obj, backend, objects)
    if discovery := member(status, "discovery"):
        place = (key.namespace, key.name)
        for state, field in _STATES:
            if (count := number(discovery.get(field))) is not None:
                families.add(INSTANCES, (*place, state), count)
        if (pending := number(discovery.get("pendingOperations"))) is not None:
            families.add(PENDING, place, pending)


def _backend(families: Families, key: Key, obj: Raw, backend: Raw, objects: Mapping[Key, Raw]) -> None:
    named = (key.namespace, key.name, text(backend.get("name")))
    for kind in ("desired", "configured", "observed"):
        for slot, share in _shares(member(backend, kind)):
            families.add(WEIGHT, (*named, slot, kind), share)
    if (at := number(backend.get("verifiedAt"))) is not None:
        families.add(VERIFIED, named, at)
    target = objects.get(Key(DEPLOYMENT, key.namespace, named[-1]))
    if target is not None:
        families.add(PROVEN, named, float(_proven(backend, obj, member(status_of(target), "traffic"))))
    verdict = text(backend.get("observedVerdict"))
    if verdict and not verdict.startswith("not comparable"):
        families.add(FITS, named, float(verdict == "as configured"))


def _shares(parts: Raw) -> list[tuple[str, float]]:
    numbers = {str(slot): value for slot, part in parts.items() if (value := number(part)) is not None}
    total = sum(numbers.values())
    return [(slot, value / total if total else 0.0) for slot, value in sorted(numbers.items())]


def _proven(backend: Raw, route: Raw, traffic: Raw) -> bool:
    if not traffic:
        return False
    same = all(backend.get(name) == traffic.get(name) for name in ("uid", "rolloutId", "seq", "hash"))
    return same and backend.get("routeGeneration") == member(route, "metadata").get("generation")
