"""What is replaced where requests go, by how many tasks are to answer: its successor's count may be wrong."""

from __future__ import annotations

import dataclasses

import pytest

from sluice.model.observed import Observed
from sluice.plan.deployment import slots
from sluice.plan.deployment.state import Slot
from unit.progressive.planned import OLD, A, calls, changed, decision, planned, service_of, settle

REST, REST_SEEN = settle(decision())
PLACE = service_of(REST, "a")
RETIRED = dataclasses.replace(PLACE, name=slots.numbered(OLD, "a", 2).service_name)
STATE = dataclasses.replace(
    REST, retiring=(Slot(name="a", ordinal=2, cluster=PLACE.cluster, service_name=RETIRED.name),)
)
BEFORE = {**(REST_SEEN.services[PLACE] or {}), "serviceName": RETIRED.name}
"""The replaced service: two tasks, all that answers."""


def seen(*, healthy: bool = True, **successor: object) -> Observed:
    """Return what is seen when the successor has other members, and the old tasks are (not) healthy."""
    members = {"desiredCount": 0, "runningCount": 0, "pendingCount": 0} | successor
    found = changed(REST_SEEN, PLACE, **members)
    targets = found.healthy if healthy else dict.fromkeys(found.healthy, frozenset())
    return dataclasses.replace(
        found, services={**found.services, RETIRED: BEFORE}, healthy=targets, addresses=frozenset()
    )


def test_a_successor_whose_count_somebody_took_away_replaces_nobody() -> None:
    """It runs all of none: what is ordered counts, or all that answers would be deleted."""
    done = planned(seen(), STATE, decision(A))
    assert calls(done) == ["UpdateService"]


def test_more_than_is_ordered_is_waited_for_until_it_is_less() -> None:
    """ECS is to start them all: its count is not lowered yet."""
    done = planned(seen(desiredCount=2, runningCount=1), STATE, decision(dataclasses.replace(A, count=1)))
    assert calls(done) == ["UpdateService"]


@pytest.mark.parametrize("gone", [True, False])
@pytest.mark.parametrize("healthy", [True, False])
def test_scaled_to_nothing_nobody_is_needed(*, healthy: bool, gone: bool) -> None:
    """Whether its tasks are healthy or not, and whether a successor was ever made."""
    done = planned(seen(healthy=healthy, gone=gone), STATE, decision(dataclasses.replace(A, count=0)))
    assert calls(done) == ["DeleteService"]


def test_a_count_that_is_somebody_else_s_is_as_it_is() -> None:
    """Without replicas in the spec, none is what an autoscaler wants."""
    done = planned(seen(healthy=False), STATE, decision(dataclasses.replace(A, count=None)))
    assert calls(done) == ["DeleteService"]
