"""Metric series per custom resource, made from the store at each scrape.

Nothing is kept: a deleted object's series are gone at the next scrape, and what is shown is what the
status says. Only the leader shows them, so that sums over replicas count each object once. Cardinality:
five series per Deployment, two per backend of a route and two (in a rollout three) per slot of that; in a
progressive rollout three more per Deployment and one per gate.
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
        yield from _rollouts({key: obj for key, obj in everything.items() if key.kind == DEPLOYMENT})
        yield from _routes(everything)

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


def _rollouts(objects: Mapping[Key, Mapping[str, Any]]) -> Iterable[Metric]:
    labels = ["namespace", "name"]
    step = GaugeMetricFamily("sluice_rollout_step", "Steps that are done.", labels=labels)
    steps = GaugeMetricFamily("sluice_rollout_steps", "Steps of it, presets expanded.", labels=labels)
    stage = GaugeMetricFamily(
        "sluice_rollout_stage_info",
        "1 while a progressive rollout goes on; where it is, as labels.",
        labels=[*labels, "kind", "stage", "slot"],
    )
    gates = GaugeMetricFamily(
        "sluice_rollout_gate_info",
        "1 for each thing that must say yes before the rollout goes on; how it stands, as a label.",
        labels=[*labels, "gate", "state"],
    )
    for key, obj in objects.items():
        rollout = _status(obj).get("rollout")
        if not isinstance(rollout, Mapping) or not rollout.get("stage"):
            continue
        named = [key.namespace, key.name]
        step.add_metric(named, float(rollout.get("stepIndex") or 0))
        steps.add_metric(named, len(_list(rollout.get("steps"))))
        stage.add_metric([*named, *(str(rollout.get(name, "")) for name in ("kind", "stage", "slot"))], 1)
        for gate in {str(gate.get("name", "")): gate for gate in _list(rollout.get("gates"))}.values():
            gates.add_metric([*named, str(gate.get("name", "")), str(gate.get("state", ""))], 1)
    return (step, steps, stage, gates)


def _routes(objects: Mapping[Key, Mapping[str, Any]]) -> Iterable[Metric]:
    labels = ["namespace", "route", "backend"]
    weight = GaugeMetricFamily(
        "sluice_route_weight",
        "Share of a backend's requests that a slot has, 0 to 1: desired by the Deployment, configured as read"
        " back from the listener rules, observed by the load balancer's counts.",
        labels=[*labels, "slot", "kind"],
    )
    verified = GaugeMetricFamily(
        "sluice_route_verified_timestamp_seconds",
        "When the rules of a backend were last read back as written, epoch seconds.",
        labels=labels,
    )
    proven = GaugeMetricFamily(
        "sluice_route_weights_proven",
        "1 while the weights that the Deployment publishes now are those that were read back.",
        labels=labels,
    )
    fits = GaugeMetricFamily(
        "sluice_route_observed_as_configured",
        "0 when the counted requests do not fit the weights by more than chance; absent while not known.",
        labels=labels,
    )
    for key, obj in objects.items():
        if key.kind != SERVICE_ROUTE:
            continue
        for backend in _list(_status(obj).get("backends")):
            named = [key.namespace, key.name, str(backend.get("name", ""))]
            for kind in ("desired", "configured", "observed"):
                for slot, share in _shares(backend.get(kind)):
                    weight.add_metric([*named, slot, kind], share)
            if isinstance(at := backend.get("verifiedAt"), int | float):
                verified.add_metric(named, at)
            target = objects.get(Key(DEPLOYMENT, key.namespace, named[-1]))
            if target is not None:
                proven.add_metric(named, float(_proven(backend, obj, _status(target).get("traffic"))))
            verdict = str(backend.get("observedVerdict") or "")
            if verdict and not verdict.startswith("not comparable"):
                fits.add_metric(named, float(verdict == "as configured"))
    return (weight, verified, proven, fits)


def _shares(parts: Any) -> list[tuple[str, float]]:  # noqa: ANN401 - raw JSON
    if not isinstance(parts, Mapping):
        return []
    numbers = {str(slot): value for slot, value in parts.items() if isinstance(value, int | float)}
    total = sum(numbers.values())
    return [(slot, value / total if total else 0.0) for slot, value in sorted(numbers.items())]


def _proven(backend: Mapping[str, Any], route: Mapping[str, Any], traffic: Any) -> bool:  # noqa: ANN401 - raw JSON
    if not isinstance(traffic, Mapping):
        return False
    same = all(backend.get(member) == traffic.get(member) for member in ("uid", "rolloutId", "seq", "hash"))
    return same and backend.get("routeGeneration") == route["metadata"].get("generation")


def _status(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    status: Mapping[str, Any] = obj.get("status") or {}
    return status


def _list(value: Any) -> list[Mapping[str, Any]]:  # noqa: ANN401 - raw JSON
    return value if isinstance(value, list) else []
