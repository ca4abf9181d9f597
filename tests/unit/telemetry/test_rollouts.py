"""Histograms of rollouts: each is counted once, when the operator's own write says that it is over."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from sluice.telemetry.rollouts import RolloutMetrics

AT = "2026-11-21T12:00:00Z"
BACK = {"plane": "rules", "reason": "Analysis"}


def obj(
    *, memory: dict[str, Any] | None = None, history: list[Any] | None = None, id_: str = "r2"
) -> dict[str, Any]:
    """Return a Deployment whose rollout remembers that."""
    rollout = {"id": id_, "reason": "Analysis", "memory": memory} if memory is not None else None
    return {"metadata": {"name": "web"}, "status": {"rollout": rollout, "history": history or []}}


DECIDED = {"shown": True, "decidedAt": 100.0}
VERIFIED = DECIDED | {"verifiedAt": 101.5}


@pytest.fixture
def registry() -> CollectorRegistry:
    """An empty registry."""
    return CollectorRegistry()


def test_a_rollback_is_counted_when_it_is_verified(registry: CollectorRegistry) -> None:
    """Not when it is decided, and not again while the candidate drains."""
    metrics = RolloutMetrics(registry)
    metrics.written(obj(memory={"shown": True}), obj(memory=DECIDED))
    assert registry.get_sample_value("sluice_rollback_seconds_count", BACK) == 0
    metrics.written(obj(memory=DECIDED), obj(memory=VERIFIED))
    metrics.written(obj(memory=VERIFIED), obj(memory=VERIFIED | {"evidenceTaken": True}))
    assert registry.get_sample_value("sluice_rollback_seconds_count", BACK) == 1
    assert registry.get_sample_value("sluice_rollback_seconds_sum", BACK) == 1.5


def test_names_are_told_apart_from_rules(registry: CollectorRegistry) -> None:
    """They follow minutes later; each plane is counted once."""
    metrics = RolloutMetrics(registry)
    named = VERIFIED | {"discoveredAt": 190.0}
    metrics.written(obj(memory=DECIDED), obj(memory=VERIFIED))
    metrics.written(obj(memory=VERIFIED), obj(memory=named))
    metrics.written(obj(memory=named), obj(memory=named | {"evidenceTaken": True}))
    for plane, seconds in (("rules", 1.5), ("discovery", 90.0)):
        labels = BACK | {"plane": plane}
        assert registry.get_sample_value("sluice_rollback_seconds_count", labels) == 1
        assert registry.get_sample_value("sluice_rollback_seconds_sum", labels) == seconds


def test_an_undo_is_a_rollback_by_a_person(registry: CollectorRegistry) -> None:
    """Its reason says so; the machine's word is for what failed."""
    metrics = RolloutMetrics(registry)
    before, after = obj(memory=DECIDED), obj(memory=VERIFIED)
    for entry in (before, after):
        entry["status"]["rollout"] |= {"kind": "Undo", "reason": ""}
    metrics.written(before, after)
    labels = {"plane": "rules", "reason": "Undo"}
    assert registry.get_sample_value("sluice_rollback_seconds_sum", labels) == 1.5


def test_a_rollback_that_no_request_had_met_is_none_of_the_load_balancer(registry: CollectorRegistry) -> None:
    """No rule had to be written."""
    metrics = RolloutMetrics(registry)
    hidden = {"decidedAt": 100.0}
    metrics.written(obj(memory=hidden), obj(memory=hidden | {"verifiedAt": 100.0}))
    assert registry.get_sample_value("sluice_rollback_seconds_count", BACK) == 0


def test_a_rollout_is_counted_when_history_has_it(registry: CollectorRegistry) -> None:
    """Once, with how it ended."""
    metrics = RolloutMetrics(registry)
    first = {"id": "r1", "outcome": "Succeeded", "startedAt": AT, "durationSeconds": 60}
    second = {"id": "r2", "outcome": "RolledBack", "startedAt": AT, "durationSeconds": 30}
    metrics.written(obj(), obj(history=[first]))
    metrics.written(obj(history=[first]), obj(history=[second, first]))
    metrics.written(obj(history=[second, first]), obj(history=[second, first], memory={}, id_="r3"))
    for outcome, seconds in (("Succeeded", 60), ("RolledBack", 30)):
        labels = {"outcome": outcome}
        assert registry.get_sample_value("sluice_rollout_duration_seconds_count", labels) == 1
        assert registry.get_sample_value("sluice_rollout_duration_seconds_sum", labels) == seconds


def test_a_process_that_takes_over_counts_no_old_rollouts(registry: CollectorRegistry) -> None:
    """What it only heard of is another replica's."""
    metrics = RolloutMetrics(registry)
    entry = {"id": "r1", "outcome": "Succeeded", "startedAt": AT, "durationSeconds": 60}
    metrics.written(None, obj(history=[entry]))
    metrics.written(obj(history=[entry]), obj(history=[entry]))
    assert registry.get_sample_value("sluice_rollout_duration_seconds_count", {"outcome": "Succeeded"}) == 0


@pytest.mark.parametrize("status", [None, {}, {"rollout": "x", "history": "x"}, {"rollout": {"memory": 1}}])
def test_a_malformed_status_breaks_no_write(status: Any) -> None:
    """Nobody's pass ends for a number."""
    RolloutMetrics(CollectorRegistry()).written({"status": status}, {"status": status})
