"""What the first pass of a fresh object costs, and what is known when it died or was kept from writing.

Its finalizer is its intent (ADR 25): no status is written before RegisterTaskDefinition, and who finds the
finalizer on an object without a status looks before it sends anything.
"""

from __future__ import annotations

import pytest

from sim.universe import WEB, Crashes, Universe, deployment


def test_the_finalizer_alone_comes_before_the_first_write_to_aws() -> None:
    """No look, no revision and no status before it; afterwards the revision, then a status that has both."""
    seen = Crashes()
    universe = Universe(hook=seen)
    universe.cluster.apply(deployment())
    universe.settle(lambda: universe.ready(WEB))
    assert seen.calls[:5] == [
        "kube SetFinalizers",
        "aws RegisterTaskDefinition",
        "aws CreateService",
        "kube CreateRevision",
        "kube PatchStatus",
    ]


def test_a_throttled_first_write_is_tried_again_without_a_look() -> None:
    """Nothing was sent, and this process knows: no search of the family when the call may be made."""
    universe = Universe()
    universe.fault("throttle", operation="RegisterTaskDefinition", remaining=1)
    universe.cluster.apply(deployment())
    universe.settle(lambda: universe.ready(WEB))
    assert "ListTaskDefinitions" not in universe.calls()
    assert len(universe.definitions()) == 1


@pytest.mark.parametrize("operation", ["RegisterTaskDefinition", "CreateService"])
def test_an_answer_that_is_lost_with_the_process_makes_no_second_one(operation: str) -> None:
    """Killed after the call and before any status: the successor finds what is there."""
    universe = Universe()
    universe.fault("lost-response", service="ecs", operation=operation, remaining=1)
    universe.cluster.apply(deployment())
    universe.settle(lambda: operation in universe.writes())
    universe.restart()
    universe.settle(lambda: universe.ready(WEB))
    assert len(universe.definitions()) == 1
    assert len([entry for entry in universe.services() if entry["status"] == "ACTIVE"]) == 1


def test_a_first_pass_that_died_is_in_the_history() -> None:
    """Killed right after CreateService, before any status: its rollout is told, kept and completed."""
    crash = Crashes(at=3, when="after")
    universe = Universe(hook=crash)
    universe.cluster.apply(deployment())
    universe.settle(lambda: universe.ready(WEB))
    assert crash.calls[2] == "aws CreateService"
    assert universe.crashes == 1
    assert [entry["outcome"] for entry in universe.status()["history"]] == ["Succeeded"]
