"""What Prometheus scrapes: well-formed, conventional, bounded, and without series of what is gone."""

from __future__ import annotations

import subprocess
from collections import Counter
from typing import Final

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from e2e.desk import DEPLOYMENT, Desk
from e2e.operator_process import Operator
from e2e.waiting import until
from sluice_sandbox.dashboard.programs import locate

pytestmark = pytest.mark.e2e
OF_THE_PROCESS: Final = ("process_", "python_")
LABELS: Final = {
    "account", "backend", "bucket", "code", "field", "gate", "generation", "implementation", "kind", "lane",
    "le", "major", "minor", "name", "namespace", "operation", "outcome", "part", "patchlevel", "phase",
    "plane", "priority", "reason", "region", "resource", "revision", "rollback", "route", "service", "slot",
    "stage", "state", "step", "strategy", "team", "use", "verb", "version", "what",
}  # fmt: skip
"""Each from a closed set, a name of a custom resource that exists, or the team label's value."""
OF_AN_OBJECT: Final = {
    "sluice_object_ready", "sluice_object_generation_lag", "sluice_object_synced_timestamp_seconds",
}  # fmt: skip
OF_A_DEPLOYMENT: Final = {
    "sluice_deployment_info", "sluice_deployment_replicas", "sluice_deployment_ready_replicas",
    "sluice_deployment_updated_replicas", "sluice_deployment_last_rollout_duration_seconds",
    "sluice_deployment_last_rollout_timestamp_seconds", "sluice_deployment_vcpu_seconds_total",
    "sluice_deployment_memory_byte_seconds_total",
}  # fmt: skip
OF_A_SLOT: Final = {"sluice_deployment_tasks": 2}
OF_A_BACKEND: Final = {
    "sluice_route_weight": 2, "sluice_route_verified_timestamp_seconds": 1, "sluice_route_weights_proven": 1,
}  # fmt: skip
OF_A_NAMESPACE: Final = "sluice_delivery_"
"""Counters of what happened: they stay, bounded by namespaces and teams."""


def families(desk: Desk) -> list[Metric]:
    """Scrape the operator."""
    return list(text_string_to_metric_families(desk.world.operator().exposition()))


def counted(operator: Operator, metric: str, **labels: str) -> float:
    """Return the sum of a counter's series that have these labels: they are there before they count."""
    return sum(value for _, value in operator.samples(metric, **labels))


def of_namespace(desk: Desk) -> Counter[str]:
    """Return the number of series of each metric that carry the desk's namespace in any label."""
    return Counter(
        sample.name
        for family in families(desk)
        for sample in family.samples
        if any(desk.namespace in value for value in sample.labels.values())
        and not sample.name.startswith(OF_A_NAMESPACE)
    )


def expected(*, deployments: int, routes: int, backends: int) -> dict[str, int]:
    """Return how many series that many objects at rest have."""
    return (
        dict.fromkeys(OF_AN_OBJECT, deployments + routes)
        | dict.fromkeys(OF_A_DEPLOYMENT, deployments)
        | {name: count * deployments for name, count in OF_A_SLOT.items()}
        | {name: count * backends for name, count in OF_A_BACKEND.items()}
    )


def test_metrics_follow_the_conventions(desk: Desk) -> None:
    """Names, help texts, units and labels are those that Prometheus' own linter asks for."""
    desk.apply_and_wait(desk.deployment(), desk.route())
    found = families(desk)
    own = [family for family in found if not family.name.startswith(OF_THE_PROCESS)]
    assert all(family.name.startswith("sluice_") for family in own)
    for family in own:
        assert family.documentation.strip(), family.name
        assert family.type in ("counter", "gauge", "histogram"), family.name
        assert not family.name.endswith(("_milliseconds", "_count", "_total", "_bytes_total")), family.name
        if family.type == "counter":
            assert all(sample.name == f"{family.name}_total" for sample in family.samples), family.name
        if family.type == "histogram":
            assert family.name.endswith("_seconds"), family.name
    labels = {label for family in found for sample in family.samples for label in sample.labels}
    assert labels - LABELS == set()
    promtool = locate("promtool")["promtool"]
    text = desk.world.operator().exposition()
    subprocess.run([promtool, "check", "metrics"], input=text, text=True, check=True)


def test_what_the_demo_of_a_dashboard_needs_is_there(desk: Desk) -> None:
    """Readiness, replicas, weights, AWS calls and API-server requests of one Deployment and its route."""
    desk.apply_and_wait(desk.deployment(), desk.route())
    operator = desk.world.operator()
    mine = {"namespace": desk.namespace}
    ready = until(
        lambda: operator.samples("sluice_object_ready", **mine, kind="ServiceRoute", reason="Available"),
        "the route's series",
    )
    assert [value for _, value in ready] == [1.0]
    assert [value for _, value in operator.samples("sluice_deployment_ready_replicas", **mine)] == [2.0]
    (weight,) = operator.samples("sluice_route_weight", **mine, kind="configured")
    assert weight[0]["slot"] == "a"
    assert weight[1] == 1.0
    assert counted(operator, "sluice_aws_calls_total", operation="CreateService", outcome="ok")
    assert counted(operator, "sluice_kubernetes_requests_total", resource="ecsdeployments/status", code="200")
    assert counted(operator, "sluice_reconciles_total", kind="Deployment", outcome="ok")


def test_series_are_bounded_and_go_with_their_object(desk: Desk) -> None:
    """An object has a fixed number of series; nothing else names it, and none is left when it is gone."""
    objects = [desk.deployment(), desk.deployment("ledger"), desk.route(backends={"web": 1, "ledger": 1})]
    desk.apply_and_wait(*objects)
    at_rest = expected(deployments=2, routes=1, backends=2)
    until(lambda: dict(of_namespace(desk)) == at_rest, "all series are shown")
    desk.apply_and_wait(desk.deployment(image="2.0.0"), *objects[1:])
    # What the rollout ran beyond the count is a use of its own.
    beside = {"sluice_deployment_vcpu_seconds_total": 3, "sluice_deployment_memory_byte_seconds_total": 3}
    until(lambda: dict(of_namespace(desk)) in (at_rest, at_rest | beside), "no other series are left")
    desk.delete(*objects)
    until(lambda: not of_namespace(desk), "no series is left")


def test_what_happened_is_counted(desk: Desk) -> None:
    """Two rollouts of one Deployment: decisions, deliveries, durations, with the rollout as exemplar."""
    operator = desk.world.operator()
    desk.apply_and_wait(desk.deployment())
    desk.apply_and_wait(desk.deployment(image="2.0.0"))
    mine = {"namespace": desk.namespace, "outcome": "Succeeded"}
    delivered = "sluice_delivery_deployments_total"
    until(lambda: counted(operator, delivered, **mine) == 2, "both rollouts are counted")
    assert counted(operator, "sluice_decisions_total", kind="Deployment", reason="RolloutCompleted") >= 2
    status = desk.status(DEPLOYMENT)
    text = operator.exposition(openmetrics=True)
    assert text.endswith("# EOF\n")
    ids = {entry["id"] for entry in status["history"]}
    assert any(f'rollout_id="{id_}"' in text for id_ in ids)
