"""Another revision while a person's cure gets everything and the source is dead: it waits for its turn."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.situation import SlotFacts, TrafficFacts
from sluice.rollout.machine import decide
from unit.rollout.moment import NOW, moment


@pytest.mark.parametrize(
    ("source", "rollout", "wanted", "stays"),
    [
        pytest.param(0, {}, "r3", True, id="nobody would answer on the way back"),
        pytest.param(0, {}, "r1", True, id="nor if the spec asks for the source again"),
        pytest.param(4, {}, "r3", False, id="the source can take it"),
        pytest.param(0, {"full": False}, "r3", False, id="no person called it the cure"),
    ],
)
def test_a_newer_revision_waits_for_the_cure(
    source: int, rollout: dict[str, Any], wanted: str, *, stays: bool
) -> None:
    """Else it would be taken back to where nobody serves, and the revision after it could never begin."""
    plain = moment()
    slots: dict[str, SlotFacts] = dict(plain.situation.slots)
    slots["a"] = dataclasses.replace(slots["a"], healthy=source)
    slots["b"] = dataclasses.replace(slots["b"], healthy=4)
    given = {"stage": "Stepping", "full": True, "weight": 250, "proven": 250, "shown": True} | rollout
    work = moment(
        rollout=given, slots=slots, wanted=wanted, traffic=TrafficFacts(weights={"a": 750, "b": 250})
    )
    done = decide(work.situation, work.motion, now=NOW)
    assert done.motion.rollout is not None
    assert (done.motion.rollout.reason == "Superseded") is not stays
    gates = [gate.name for gate in done.motion.rollout.gates]
    assert ("next revision" in gates) is stays


LATE: dict[str, Any] = {
    "stage": "Draining",
    "weight": 1000,
    "proven": 1000,
    "shown": True,
    "stage_since": NOW - 2000,
    "progressed_at": NOW - 4000,
    "verify_after": NOW - 1000,
}
"""All is sent, the source has drained, and the deadline is over."""


@pytest.mark.parametrize(
    ("healthy", "rollout", "policy", "wanted", "leaves"),
    [
        pytest.param(3, {}, "Supersede", "r3", True, id="it can't keep its targets"),
        pytest.param(3, {}, "Queue", "r3", False, id="the other one waits by its own rule"),
        pytest.param(3, {}, "Supersede", "r2", False, id="no other revision came"),
        pytest.param(4, {}, "Supersede", "r3", False, id="a rule is waited for, not targets"),
        pytest.param(None, {}, "Supersede", "r3", False, id="not read"),
        pytest.param(3, {"progressed_at": NOW - 1}, "Supersede", "r3", False, id="not late"),
        pytest.param(3, {"kind": "Undo"}, "Supersede", "r3", False, id="an undo"),
    ],
)
def test_another_revision_overtakes_one_that_never_ends(
    healthy: int | None, rollout: dict[str, Any], policy: Any, wanted: str, *, leaves: bool
) -> None:
    """In Draining it waits for the end, as long as there can be one: it may be the cure."""
    slots: dict[str, SlotFacts] = dict(moment().situation.slots)
    slots["a"] = dataclasses.replace(slots["a"], healthy=4)
    slots["b"] = dataclasses.replace(slots["b"], healthy=healthy, desired=4, carries_weight=True)
    if healthy == 4:
        slots["a"] = dataclasses.replace(slots["a"], carries_weight=True)
    strategy = dataclasses.replace(moment().situation.strategy, on_new_revision=policy)
    traffic = TrafficFacts(weights={"b": 1000}, verify_after=NOW - 1000)
    work = moment(
        rollout=LATE | rollout,
        slots=slots,
        wanted=wanted,
        traffic=traffic,
        strategy=strategy,
        snapshot=strategy,
    )
    done = decide(work.situation, work.motion, now=NOW)
    moving = done.motion.rollout
    assert moving is not None
    assert (moving.reason == "Superseded") is leaves
    assert (moving.stage == "Draining") is not leaves


def test_nobody_overtakes_a_cure_whose_source_is_dead() -> None:
    """It would be held on its way back, where a person called the candidate the cure already."""
    plain = moment()
    slots: dict[str, SlotFacts] = dict(plain.situation.slots)
    slots["a"] = dataclasses.replace(slots["a"], healthy=0)
    slots["b"] = dataclasses.replace(slots["b"], healthy=3)
    traffic = TrafficFacts(weights={"b": 1000}, verify_after=NOW - 1000)
    work = moment(rollout=LATE | {"full": True}, slots=slots, wanted="r3", traffic=traffic)
    done = decide(work.situation, work.motion, now=NOW)
    moving = done.motion.rollout
    assert moving is not None
    assert (moving.stage, [gate.name for gate in moving.gates]) == ("Draining", ["next revision"])
