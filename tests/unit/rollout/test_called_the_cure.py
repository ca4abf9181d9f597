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
