"""What is counted in whole stories: deliveries, steps, proofs, rollbacks, drift and what tasks take.

The same ledger as in the operator, fed by the same passes; times are the world's, so they are exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim import console
from sim.progressive_stories import CANARY, at_step, ready, rolled_back, serves, verb, web
from sim.stories import apply
from sim.universe import ROUTE, WEB, Universe, deployment, route
from sluice.model.conditions import timestamp
from sluice.telemetry.delivery import COMMIT_TIME

SHOP = {"namespace": "shop", "team": "pay"}
WEB_NAMED = {"namespace": "shop", "name": "web"}


def value(universe: Universe, metric: str, /, **labels: str) -> float:
    """Return a sample of the present process, 0 where there is none."""
    return universe.operator.registry.get_sample_value(metric, labels) or 0.0


def total(universe: Universe, metric: str, /, **labels: str) -> float:
    """Return the sum of the samples of a name that have these labels."""
    return sum(
        sample.value
        for family in universe.operator.registry.collect()
        for sample in family.samples
        if sample.name == metric and labels.items() <= sample.labels.items()
    )


def labelled(obj: dict[str, Any], *, commit: str = "") -> dict[str, Any]:
    """Return an object of a team, with the time of its commit."""
    annotations = {COMMIT_TIME: commit} if commit else {}
    labels = {"team": "pay"}
    return obj | {"metadata": obj["metadata"] | {"labels": labels, "annotations": annotations}}


def begun(strategy: Mapping[str, Any] | None = None) -> Universe:
    """Return a universe in which the first revision runs, of a team."""
    universe = Universe(seed=7)
    first = web() if strategy is None else deployment(strategy=dict(strategy))
    apply(labelled(first), route())(universe)
    universe.settle(lambda: ready(universe), within=1800)
    return universe


def test_a_canary_in_figures() -> None:
    """Two deployments, one lead time, each step and proof, and the tasks that ran beside the live ones."""
    universe = begun()
    commit = universe.clock.now() - 3600
    assert value(universe, "sluice_delivery_deployments_total", **SHOP, outcome="Succeeded") == 1
    universe.cluster.apply(labelled(web("web:2"), commit=timestamp(commit)))
    universe.settle(lambda: at_step(3)(universe), within=1800)
    assert value(universe, "sluice_rollout_weight", **WEB_NAMED, kind="desired") == 0.5
    assert value(universe, "sluice_rollout_held", **WEB_NAMED, reason="Paused") == 1
    assert value(universe, "sluice_rollout_started_timestamp_seconds", **WEB_NAMED) > 0
    for state in ("desired", "running", "healthy"):
        assert value(universe, "sluice_deployment_tasks", **WEB_NAMED, slot="b", state=state) == 2
    verb(universe, "promote")
    universe.settle(lambda: serves("web:2")(universe), within=1800)
    universe.run(60)
    assert value(universe, "sluice_delivery_deployments_total", **SHOP, outcome="Succeeded") == 2
    lead = value(universe, "sluice_delivery_lead_time_seconds_sum", **SHOP)
    assert 3600 < lead <= universe.clock.now() - int(commit)
    steps = {kind: value(universe, "sluice_rollout_step_duration_seconds_count", step=kind) for kind in STEPS}
    assert steps == STEPS
    assert value(universe, "sluice_rollout_step_duration_seconds_sum", step="pause") >= 30
    assert value(universe, "sluice_route_verification_seconds_count", rollback="false") >= 3
    assert total(universe, "sluice_deployment_vcpu_seconds_total", **WEB_NAMED, use="serving") > 0
    assert total(universe, "sluice_deployment_vcpu_seconds_total", **WEB_NAMED, use="rollout") > 0
    assert value(
        universe, "sluice_deployment_last_rollout_duration_seconds", **WEB_NAMED, outcome="Succeeded"
    )
    assert not total(universe, "sluice_rollout_weight")


STEPS = {"setWeight": 3.0, "pause": 2.0}


def test_a_rollback_in_figures() -> None:
    """Decided, written, verified: three moments in this order; one failed change, restored at the proof."""
    universe = begun()
    universe.cluster.apply(labelled(web("web:2")))
    universe.settle(lambda: at_step(3)(universe), within=1800)
    started, id_ = universe.clock.now(), universe.status()["rollout"]["id"]
    universe.cluster.annotate(WEB, abort=id_, by=f"abort={id_} alice")
    universe.settle(lambda: rolled_back(universe), within=1800)
    written = total(universe, "sluice_rollback_written_seconds_sum", plane="rules", reason="Person")
    verified = total(universe, "sluice_rollback_seconds_sum", reason="Person")
    assert total(universe, "sluice_rollback_written_seconds_count", plane="rules") == 1
    assert 0 <= written <= verified <= universe.clock.now() - started
    assert value(universe, "sluice_route_verification_seconds_count", rollback="true") == 1
    assert value(universe, "sluice_delivery_failed_changes_total", **SHOP) == 1
    assert value(universe, "sluice_delivery_restore_seconds_count", **SHOP) == 1
    assert value(universe, "sluice_delivery_deployments_total", **SHOP, outcome="Aborted") == 1
    assert value(universe, "sluice_decisions_total", kind="Deployment", reason="RollbackStarted") == 1
    assert universe.status()["history"][0]["persons"] == ["abort: alice"]
    assert "abort by alice" in [text for *_, text in universe.operator.recorder.events]


@pytest.mark.parametrize(
    ("edit", "field"),
    [
        pytest.param(console.update_service(desiredCount=7), "desiredCount", id="count"),
        pytest.param(console.another_definition, "taskDefinition", id="definition"),
        pytest.param(console.tag_service(revision="nonsense"), "tags", id="tag"),
    ],
)
def test_drift_in_figures(edit: console.Edit, field: str) -> None:
    """Found once, repaired once, nothing left open."""
    universe = begun({"type": "RollingUpdate"})
    edit(universe)
    universe.settle(
        lambda: value(universe, "sluice_drift_repaired_total", kind="Deployment", field=field) == 1,
        within=300,
    )
    universe.run(120)
    assert value(universe, "sluice_drift_found_total", kind="Deployment", field=field) == 1
    assert value(universe, "sluice_drift_repaired_total", kind="Deployment", field=field) == 1
    assert not total(universe, "sluice_object_drifted_fields")


def test_drift_that_is_not_repaired_stays_open() -> None:
    """AWS refuses the repair: found once however often it is tried, shown as open until it succeeds."""
    universe = begun({"type": "RollingUpdate"})
    fault = universe.fault("deny", operation="UpdateService")
    console.update_service(desiredCount=7)(universe)
    universe.run(600)
    assert value(universe, "sluice_drift_found_total", kind="Deployment", field="desiredCount") == 1
    assert value(universe, "sluice_object_drifted_fields", kind="Deployment", **WEB_NAMED) == 1
    assert value(universe, "sluice_drift_repaired_total", kind="Deployment", field="desiredCount") == 0
    assert fault
    universe.heal()
    universe.settle(lambda: universe.ready(WEB, ROUTE), within=900)
    assert value(universe, "sluice_drift_repaired_total", kind="Deployment", field="desiredCount") == 1
    assert not total(universe, "sluice_object_drifted_fields")


@settings(max_examples=4, deadline=None)
@given(ends=st.lists(st.sampled_from(["succeeds", "is aborted"]), min_size=1, max_size=4))
def test_every_rollout_is_counted_exactly_once(ends: list[str]) -> None:
    """Whatever comes after what: as many ends as rollouts, and the history agrees."""
    universe = begun({"type": "Progressive", "progressive": CANARY["progressive"]})
    for number, end in enumerate(ends):
        universe.cluster.apply(labelled(web(f"web:{number + 2}")))
        universe.settle(lambda: at_step(3)(universe), within=1800)
        verb(universe, "promote" if end == "succeeds" else "abort")
        universe.settle(lambda: "rollout" not in universe.status(), within=1800)
    counted = total(universe, "sluice_delivery_deployments_total", **SHOP)
    assert counted == len(universe.status()["history"]) == len(ends) + 1
    assert value(universe, "sluice_delivery_failed_changes_total", **SHOP) == ends.count("is aborted")


def test_a_restart_counts_nothing_again() -> None:
    """A new process finds histories and counts only what ends from then on."""
    universe = begun({"type": "RollingUpdate"})
    universe.restart()
    universe.run(300)
    assert not total(universe, "sluice_delivery_deployments_total")
    universe.cluster.apply(labelled(deployment(image="web:2", strategy={"type": "RollingUpdate"})))
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    universe.run(60)
    assert total(universe, "sluice_delivery_deployments_total", **SHOP) == 1
