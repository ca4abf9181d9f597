"""Metrics: conventions, series per object, and their end with the object."""

from __future__ import annotations

import re
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from sluice.model.keys import DEPLOYMENT, SERVICE_ROUTE, Key
from sluice.telemetry.metrics import RuntimeMetrics, new_registry
from sluice.telemetry.objects import Beside, object_metrics

CHECKOUT = Key(DEPLOYMENT, "shop", "checkout")
WEB = Key(SERVICE_ROUTE, "shop", "web")


def world() -> dict[Key, dict[str, Any]]:
    """Return a ready Deployment and its route."""
    return {
        CHECKOUT: {
            "metadata": {"generation": 2},
            "status": {
                "phase": "Available",
                "replicas": 3,
                "readyReplicas": 2,
                "live": {"slot": "a", "revision": "checkout-1f"},
                "conditions": [
                    {"type": "Ready", "status": "True", "reason": "Available", "observedGeneration": 2}
                ],
            },
        },
        WEB: {
            "metadata": {"generation": 1},
            "status": {"backends": [{"name": "checkout", "desired": {"a": 100}, "configured": {"a": 90}}]},
        },
    }


def test_every_name_follows_the_conventions() -> None:
    """Prefix, base units, a help text; counters end in _total."""
    registry = CollectorRegistry()
    metrics = RuntimeMetrics(registry)
    metrics.watch_queue(
        depth=lambda: {"user": 1}, delayed=lambda: 2, failing=lambda: 0, oldest=lambda: 0.5, running=lambda: 1
    )
    registry.register(object_metrics(world, shown=lambda: True))
    for family in registry.collect():
        assert re.fullmatch(r"sluice_[a-z_]+", family.name)
        assert family.documentation.endswith(".")
        assert not re.search(r"(milli|minutes|_ms$)", family.name)


def test_what_an_object_shows() -> None:
    """Readiness with reason, replicas, and the desired and configured weight of each slot."""
    registry = CollectorRegistry()
    registry.register(object_metrics(world, shown=lambda: True))
    value = registry.get_sample_value
    named = {"kind": "Deployment", "namespace": "shop", "name": "checkout"}
    assert value("sluice_object_ready", named | {"reason": "Available"}) == 1
    assert value("sluice_deployment_ready_replicas", {"namespace": "shop", "name": "checkout"}) == 2
    slot = {"namespace": "shop", "route": "web", "backend": "checkout", "slot": "a"}
    assert value("sluice_route_weight", slot | {"kind": "desired"}) == 1
    assert value("sluice_route_weight", slot | {"kind": "configured"}) == 1
    assert value("sluice_route_weight", slot | {"kind": "observed"}) is None
    assert value("sluice_objects", {"kind": "ServiceRoute"}) == 1


TRAFFIC = {"uid": "u", "rolloutId": "r1", "seq": 4, "hash": "h"}


def rolling() -> dict[Key, dict[str, Any]]:
    """Return the same in the second step of a canary, with requests counted."""
    objects = world()
    objects[CHECKOUT]["status"] |= {
        "traffic": TRAFFIC,
        "rollout": {
            "id": "r1",
            "kind": "Rollout",
            "stage": "Stepping",
            "slot": "b",
            "stepIndex": 1,
            "steps": ["setWeight 10%", "pause", "setWeight 100%"],
            "gates": [{"name": "pause", "state": "Waiting"}, {"name": "metric errors", "state": "Passed"}],
        },
    }
    objects[WEB]["status"]["backends"] = [
        TRAFFIC
        | {
            "name": "checkout",
            "routeGeneration": 1,
            "desired": {"a": 900, "b": 100},
            "configured": {"a": 900, "b": 100},
            "observed": {"a": 460, "b": 40},
            "observedVerdict": "as configured",
            "verifiedAt": 1_800_000_000.5,
        }
    ]
    return objects


def test_what_a_rollout_shows() -> None:
    """Stage, step, gates; and of its routes the three weights of each slot, and whether they are proven."""
    registry = CollectorRegistry()
    objects = rolling()
    registry.register(object_metrics(lambda: objects, shown=lambda: True))
    value = registry.get_sample_value
    named = {"namespace": "shop", "name": "checkout"}
    assert (value("sluice_rollout_step", named), value("sluice_rollout_steps", named)) == (1, 3)
    where = {"kind": "Rollout", "stage": "Stepping", "slot": "b"}
    assert value("sluice_rollout_stage_info", named | where) == 1
    assert value("sluice_rollout_gate_info", named | {"gate": "metric errors", "state": "Passed"}) == 1
    backend = {"namespace": "shop", "route": "web", "backend": "checkout"}
    shares = [
        value("sluice_route_weight", backend | {"slot": "b", "kind": kind})
        for kind in ("desired", "configured", "observed")
    ]
    assert shares == [0.1, 0.1, 0.08]
    assert value("sluice_route_verified_timestamp_seconds", backend) == 1_800_000_000.5
    assert value("sluice_route_weights_proven", backend) == 1
    assert value("sluice_route_observed_as_configured", backend) == 1
    objects[CHECKOUT]["status"]["traffic"] = TRAFFIC | {"seq": 5}
    objects[WEB]["status"]["backends"][0]["observedVerdict"] = "b has 30.0% of 500 requests instead of 10.0%"
    assert value("sluice_route_weights_proven", backend) == 0
    assert value("sluice_route_observed_as_configured", backend) == 0
    objects[WEB]["status"]["backends"][0]["observedVerdict"] = "not comparable: clients keep their slot"
    assert value("sluice_route_observed_as_configured", backend) is None


def shown(objects: dict[Key, dict[str, Any]], beside: Beside | None = None) -> CollectorRegistry:
    """Return a registry that shows these objects."""
    registry = CollectorRegistry()
    registry.register(object_metrics(lambda: objects, shown=lambda: True, beside=beside))
    return registry


def test_what_is_known_beside_the_status() -> None:
    """Last good pass and open drift of objects that exist; what is remembered of others is forgotten."""
    beside = Beside(
        synced={CHECKOUT: 5.0, Key(DEPLOYMENT, "shop", "gone"): 4.0},
        drifted=lambda _key: 2,
        repaired=lambda key: {"weights": 3} if key == CHECKOUT else {},
    )
    value = shown(world(), beside).get_sample_value
    named = {"kind": "Deployment", "namespace": "shop", "name": "checkout"}
    assert value("sluice_object_synced_timestamp_seconds", named) == 5
    assert value("sluice_object_drifted_fields", named) == 2
    assert value("sluice_object_drift_repaired_total", named | {"field": "weights"}) == 3
    assert list(beside.synced) == [CHECKOUT]


def test_what_is_stalled_or_behind() -> None:
    """Stalled with its reason, only while it is; generations that the status does not speak of."""
    objects = world()
    named = {"kind": "Deployment", "namespace": "shop", "name": "checkout"}
    value = shown(objects).get_sample_value
    objects[CHECKOUT]["metadata"]["generation"] = 4
    objects[CHECKOUT]["status"]["observedGeneration"] = 2
    assert value("sluice_object_generation_lag", named) == 2
    assert value("sluice_object_stalled", named | {"reason": "RolledBack"}) is None
    objects[CHECKOUT]["status"]["conditions"].append(
        {"type": "Stalled", "status": "True", "reason": "RolledBack"}
    )
    assert value("sluice_object_stalled", named | {"reason": "RolledBack"}) == 1


def test_tasks_team_and_the_last_rollout() -> None:
    """By slot and state, services that are replaced included; whose it is; how the newest rollout ended."""
    objects = world()
    objects[CHECKOUT]["metadata"]["labels"] = {"team": "pay"}
    objects[CHECKOUT]["spec"] = {"strategy": {"type": "Progressive"}}
    objects[CHECKOUT]["status"] |= {
        "slots": [{"name": "a", "desired": 3, "running": 2, "healthy": 1}, {"name": "b", "desired": 0}],
        "retiring": [{"name": "a", "running": 1}],
        "history": [
            {"outcome": "RolledBack", "startedAt": "2027-01-15T08:00:00Z", "durationSeconds": 90},
            {"outcome": "Succeeded", "startedAt": "2027-01-15T07:00:00Z", "durationSeconds": 60},
        ],
    }
    value = shown(objects).get_sample_value
    named = {"namespace": "shop", "name": "checkout"}
    info = {"phase": "Available", "revision": "checkout-1f", "strategy": "Progressive", "team": "pay"}
    assert value("sluice_deployment_info", named | info) == 1
    states = {
        (slot, state): value("sluice_deployment_tasks", named | {"slot": slot, "state": state})
        for slot in "ab"
        for state in ("desired", "running", "healthy")
    }
    assert states == {
        ("a", "desired"): 3, ("a", "running"): 3, ("a", "healthy"): 1,
        ("b", "desired"): 0, ("b", "running"): None, ("b", "healthy"): None,
    }  # fmt: skip
    last = value("sluice_deployment_last_rollout_duration_seconds", named | {"outcome": "RolledBack"})
    assert last == 90
    assert value("sluice_deployment_last_rollout_timestamp_seconds", named) == 1_800_000_090


@pytest.mark.parametrize(
    ("rollout", "reason"),
    [
        pytest.param({"held": "AnalysisInconclusive"}, "AnalysisInconclusive", id="held by the machine"),
        pytest.param({"paused": True}, "Paused", id="held by a verb"),
        pytest.param({"gates": [{"name": "promote", "state": "Waiting"}]}, "Paused", id="a pause step"),
        pytest.param(
            {"gates": [{"name": "person", "state": "Waiting"}]}, "BothSlotsUnhealthy", id="nowhere to go"
        ),
        pytest.param({"gates": [{"name": "promote", "state": "Passed"}]}, "", id="a step that is over"),
        pytest.param({}, "", id="nobody waits"),
    ],
)
def test_who_waits_for_a_person(rollout: dict[str, Any], reason: str) -> None:
    """A rollout that only a person moves says why."""
    objects = rolling()
    objects[CHECKOUT]["status"]["rollout"] = {"id": "r1", "stage": "Stepping"} | rollout
    held = [
        sample.labels["reason"]
        for family in shown(objects).collect()
        for sample in family.samples
        if sample.name == "sluice_rollout_held"
    ]
    assert held == ([reason] if reason else [])


def test_what_discovery_holds() -> None:
    """Instances registered and healthy, and operations that are not over."""
    objects = world()
    objects[WEB]["status"]["discovery"] = {"instances": 3, "healthy": 2, "pendingOperations": 1}
    value = shown(objects).get_sample_value
    named = {"namespace": "shop", "route": "web"}
    assert value("sluice_discovery_instances", named | {"state": "registered"}) == 3
    assert value("sluice_discovery_instances", named | {"state": "healthy"}) == 2
    assert value("sluice_discovery_pending_operations", named) == 1


def test_series_of_a_rollout_end_with_it() -> None:
    """Nothing about stages or gates stays behind."""
    registry = CollectorRegistry()
    objects = rolling()
    registry.register(object_metrics(lambda: objects, shown=lambda: True))
    assert b"sluice_rollout_stage_info{" in generate_latest(registry)
    del objects[CHECKOUT]["status"]["rollout"]
    text = generate_latest(registry)
    assert not re.search(rb"sluice_rollout_\w+{", text)


def test_readiness_of_an_older_generation_is_no_readiness() -> None:
    """A condition that speaks of another generation does not count."""
    objects = world()
    objects[CHECKOUT]["metadata"]["generation"] = 3
    registry = CollectorRegistry()
    registry.register(object_metrics(lambda: objects, shown=lambda: True))
    labels = {"kind": "Deployment", "namespace": "shop", "name": "checkout", "reason": "Available"}
    assert registry.get_sample_value("sluice_object_ready", labels) == 0


def test_series_of_a_deleted_object_vanish() -> None:
    """Nothing is kept between scrapes."""
    objects = world()
    registry = CollectorRegistry()
    registry.register(object_metrics(lambda: objects, shown=lambda: True))
    assert b'name="checkout"' in generate_latest(registry)
    del objects[CHECKOUT]
    assert b'name="checkout"' not in generate_latest(registry)


def test_a_standby_shows_no_objects() -> None:
    """Sums over replicas count each object once."""
    registry = CollectorRegistry()
    registry.register(object_metrics(world, shown=lambda: False))
    assert b"checkout" not in generate_latest(registry)


@pytest.mark.parametrize(
    "status",
    [
        None,
        {},
        {"conditions": None, "backends": "x", "live": None, "rollout": "x", "traffic": 1},
        {"backends": [{"desired": [], "configured": {"a": "x"}, "verifiedAt": "now"}]},
        {"rollout": {"stage": "Stepping", "steps": None, "gates": [{}, {}], "stepIndex": None}},
    ],
)
def test_a_malformed_status_breaks_no_scrape(status: dict[str, Any] | None) -> None:
    """Whatever stands in a status, the scrape answers."""
    registry = CollectorRegistry()
    objects = {CHECKOUT: {"metadata": {}, "status": status}, WEB: {"metadata": {}, "status": status}}
    registry.register(object_metrics(lambda: objects, shown=lambda: True))
    assert b"sluice_objects" in generate_latest(registry)


def test_the_process_tells_its_version() -> None:
    """`sluice_build_info` carries the version."""
    assert new_registry("1.2.3").get_sample_value("sluice_build_info", {"version": "1.2.3"}) == 1
