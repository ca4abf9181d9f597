"""Metric series per custom resource, made from the store at each scrape.

Nothing is kept: a deleted object's series are gone at the next scrape, and what is shown is what the
status says. Only the leader shows them, so that sums over replicas count each object once. Cardinality:
five series per Deployment, two per backend and slot of a route.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric

from sluice.model.conditions import READY
from sluice.model.keys import DEPLOYMENT, SERVICE_ROUTE, Key
from sluice.telemetry.metrics import Measured

_NAMED = ["kind", "namespace", "name"]


def object_metrics(
    objects: Callable[[], Mapping[Key, Mapping[str, Any]]], *, shown: Callable[[], bool]
) -> Measured:
    """Return a collector over `objects()`; empty while `shown()` is false."""

    def families() -> Iterable[Metric]:
        everything = objects() if shown() else {}
        yield from _all_objects(everything)
        yield from _deployments({key: obj for key, obj in everything.items() if key.kind == DEPLOYMENT})
        yield from _routes({key: obj for key, obj in everything.items() if key.kind == SERVICE_ROUTE})

    return Measured(families)


def _all_objects(objects: Mapping[Key, Mapping[str, Any]]) -> Iterable[Metric]:
    count = GaugeMetricFamily("sluice_objects", "Custom resources by kind.", labels=["kind"])
    ready = GaugeMetricFamily(
        "sluice_object_ready",
        "1 when the Ready condition is True for the present generation; reason as in the condition.",
        labels=[*_NAMED, "reason"],
    )
    for kind in (DEPLOYMENT, SERVICE_ROUTE):
        count.add_metric([kind], sum(key.kind == kind for key in objects))
    for key, obj in objects.items():
        condition = next(
            (c for c in _list(_status(obj).get("conditions")) if c.get("type") == READY),
            {},
        )
        current = condition.get("observedGeneration") == obj["metadata"].get("generation")
        ready.add_metric(
            [key.kind, key.namespace, key.name, str(condition.get("reason", ""))],
            float(condition.get("status") == "True" and current),
        )
    return (count, ready)


def _deployments(objects: Mapping[Key, Mapping[str, Any]]) -> Iterable[Metric]:
    labels = ["namespace", "name"]
    info = GaugeMetricFamily(
        "sluice_deployment_info",
        "1; phase and live revision as labels.",
        labels=[*labels, "phase", "revision"],
    )
    counts = {
        field: GaugeMetricFamily(f"sluice_deployment_{name}", text, labels=labels)
        for field, name, text in (
            ("replicas", "replicas", "Tasks that run or start."),
            ("readyReplicas", "ready_replicas", "Tasks that run and are healthy."),
            ("updatedReplicas", "updated_replicas", "Tasks of the present revision."),
        )
    }
    for key, obj in objects.items():
        status = _status(obj)
        live = status.get("live") or {}
        info.add_metric(
            [key.namespace, key.name, str(status.get("phase", "")), str(live.get("revision", ""))], 1
        )
        for field, family in counts.items():
            if isinstance(value := status.get(field), int):
                family.add_metric([key.namespace, key.name], value)
    return (info, *counts.values())


def _routes(objects: Mapping[Key, Mapping[str, Any]]) -> Iterable[Metric]:
    labels = ["namespace", "route", "backend", "slot"]
    families = {
        "desired": GaugeMetricFamily(
            "sluice_route_desired_weight", "Parts that the Deployment asks for.", labels=labels
        ),
        "configured": GaugeMetricFamily(
            "sluice_route_configured_weight", "Parts read back from the listener rules.", labels=labels
        ),
    }
    for key, obj in objects.items():
        for backend in _list(_status(obj).get("backends")):
            for field, family in families.items():
                for slot, parts in sorted((backend.get(field) or {}).items()):
                    family.add_metric([key.namespace, key.name, str(backend.get("name", "")), slot], parts)
    return families.values()


def _status(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    status: Mapping[str, Any] = obj.get("status") or {}
    return status


def _list(value: Any) -> list[Mapping[str, Any]]:  # noqa: ANN401 - raw JSON
    return value if isinstance(value, list) else []
