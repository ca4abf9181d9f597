"""What one decision is made of: waits, Events, gates, the strategy in force, and small numbers."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.actions import Note
from sluice.model.rollout import Gate, Motion, RolloutKind
from sluice.model.situation import RouteFacts, SlotFacts, TrafficFacts
from sluice.model.strategy import Pause, Progressive, SetWeight, Step
from sluice.observe.source import FactsSettings
from sluice.rollout import work as works
from sluice.rollout.events import EventReason
from sluice.rollout.work import Wait
from unit.rollout.moment import NOW, STEPS, moment

RULES = RouteFacts(name="main", proven=True, verified_at=NOW)
NAMES = dataclasses.replace(RULES, plane="discovery")
HALF, ALL = SetWeight(permille=500), SetWeight(permille=1000)


def test_without_a_rollout_nothing_can_be_asked_of_it() -> None:
    """A defect, said as such."""
    with pytest.raises(LookupError, match="no rollout is in motion"):
        _ = moment(motion=Motion()).rollout


def test_the_first_wait_is_what_is_told() -> None:
    """Nothing moved; technical only where it is said."""
    work = moment()
    assert work.wait("Paused", "first") is False
    assert work.wait("Draining", "second", counts=True) is False
    assert work.waits == Wait(reason="Paused", message="first", counts=False)
    assert Wait(reason="Paused", message="first").counts is False
    work.fresh()
    work.wait("Draining", "third", counts=True)
    assert work.waits == Wait(reason="Draining", message="third", counts=True)


@pytest.mark.parametrize(("stopped", "then"), [(None, None), (NOW - 50, NOW)])
def test_another_stage_is_progress(stopped: float | None, then: float | None) -> None:
    """The deadline's clock starts anew, stopped where it was."""
    work = moment(rollout={"clock_stopped_at": stopped})
    assert work.enter("Baking", weight=1000) is True
    rollout = work.rollout
    assert (rollout.stage, rollout.stage_since, rollout.progressed_at) == ("Baking", NOW, NOW)
    assert (rollout.weight, rollout.clock_stopped_at) == (1000, then)


@pytest.mark.parametrize(("reason", "kind"), [("RolloutCompleted", "Normal"), ("HookFailed", "Warning")])
def test_what_went_wrong_is_a_warning(reason: EventReason, kind: str) -> None:
    """Everything else is not."""
    work = moment()
    work.note(reason, "text")
    assert work.notes == [Note(type=kind, reason=reason, message="text")]  # type: ignore[arg-type]


BEFORE = (
    Gate(name="other", state="Waiting", since=NOW - 90),
    Gate(name="smoke", state="Running", since=NOW - 60),
    Gate(name="smoke", state="Waiting", since=NOW - 30),
)


@pytest.mark.parametrize(
    ("name", "state", "since"),
    [
        pytest.param("smoke", "Running", NOW - 60, id="still"),
        pytest.param("smoke", "Waiting", NOW - 30, id="its own, of several"),
        pytest.param("smoke", "Passed", NOW, id="another state"),
        pytest.param("new", "Running", NOW, id="another gate"),
    ],
)
def test_a_gate_keeps_since_when_it_is_so(name: str, state: str, since: float) -> None:
    """Its name and state both; what is said first of a gate is shown."""
    work = moment(rollout={"gates": BEFORE})
    work.gate("first", "Passed")
    work.gate(name, state, "text")
    work.gate(name, "Failed", "later")
    found = Gate(name=name, state=state, since=since, message="text")  # type: ignore[arg-type]
    assert work.gates == [Gate(name="first", state="Passed", since=NOW), found]


def test_a_gate_without_a_rollout_begins_now() -> None:
    """There is nothing that could remember it."""
    work = moment(motion=Motion())
    work.gate("smoke", "Waiting")
    assert work.gates == [Gate(name="smoke", state="Waiting", since=NOW)]


OLD = Progressive(steps=STEPS, bake=1, snapshot={"old": 1})
NEW = Progressive(steps=STEPS, bake=2, snapshot={"new": 1})
SAME = Progressive(steps=STEPS, bake=3, snapshot={"new": 1})


@pytest.mark.parametrize(
    ("rollout", "snapshot", "found"),
    [
        pytest.param({"strategy": {"old": 1}}, OLD, OLD, id="the one it began with"),
        pytest.param({"strategy": {"old": 1}, "stage": "Starting"}, OLD, NEW, id="not begun yet"),
        pytest.param({"strategy": {"old": 1}}, None, NEW, id="not known"),
        pytest.param({"strategy": {"new": 1}}, OLD, NEW, id="the snapshot is the rollout's before"),
        pytest.param({"strategy": {"new": 1}}, SAME, SAME, id="the same text"),
        pytest.param(None, OLD, NEW, id="at rest"),
    ],
)
def test_the_strategy_in_force(
    rollout: dict[str, Any] | None, snapshot: Progressive | None, found: Progressive
) -> None:
    """A rollout goes by the one that it began with; an edit is for the next one."""
    work = moment(strategy=NEW, snapshot=snapshot, rollout=rollout)
    if rollout is None:
        work.motion = dataclasses.replace(work.motion, rollout=None)
    assert work.strategy is found


@pytest.mark.parametrize(
    ("shares", "routes", "found"),
    [(True, (), True), (True, (NAMES,), False), (False, (), False), (False, (RULES,), False)],
)
def test_weights_are_shares_of_tasks_without_routes(
    *, shares: bool, routes: tuple[RouteFacts, ...], found: bool
) -> None:
    """From the start and now: a route that came since, names too, moves requests."""
    assert moment(rollout={"shares": shares}, traffic=TrafficFacts(routes=routes)).shares is found


@pytest.mark.parametrize(("kind", "steps"), [("Rollout", (HALF, ALL)), ("First", (ALL,)), ("Undo", (ALL,))])
def test_a_first_rollout_and_an_undo_have_one_step(kind: RolloutKind, steps: tuple[Step, ...]) -> None:
    """Everything at once."""
    assert works.steps_of(kind, Progressive(steps=(HALF,))) == steps


@pytest.mark.parametrize(
    ("steps", "added"),
    [
        pytest.param((), True, id="no step"),
        pytest.param((Pause(),), True, id="no weight"),
        pytest.param((HALF,), True, id="half"),
        pytest.param((ALL, HALF), True, id="lowered at the end"),
        pytest.param((HALF, ALL), False, id="everything"),
        pytest.param((ALL, Pause()), False, id="everything, and a pause"),
    ],
)
def test_the_last_weight_is_always_everything(steps: tuple[Step, ...], *, added: bool) -> None:
    """It is put at the end where it is missing."""
    assert works.whole(steps) == ((*steps, ALL) if added else steps)


@pytest.mark.parametrize(
    ("routes", "drain_seconds", "seconds"),
    [
        pytest.param((RULES,), 300.0, 330.0, id="propagation, then deregistration"),
        pytest.param((RULES, NAMES), 20.0, 50.0, id="rules and names"),
        pytest.param((), 20.0, 50.0, id="the last route is gone"),
        pytest.param((NAMES,), 20.0, 20.0, id="only names: they were waited for"),
        pytest.param((NAMES,), 0.0, 10.0, id="never shorter than a late write"),
    ],
)
def test_how_long_connections_drain(
    routes: tuple[RouteFacts, ...], drain_seconds: float, seconds: float
) -> None:
    """Thirty seconds of propagation are the rules'."""
    work = moment(traffic=TrafficFacts(routes=routes))
    slot = SlotFacts(name="b", drain_seconds=drain_seconds)
    assert works.drain(work, slot) == seconds


def test_a_call_without_an_answer_has_settled_when_it_is_over_and_shows() -> None:
    """As long as a late write takes to land, and as long as what AWS tells may be from before it."""
    lands = works.drain(moment(traffic=TrafficFacts(routes=(NAMES,))), SlotFacts(name="b"))
    assert lands + FactsSettings().consistency == works.SETTLING


def test_small_words() -> None:
    """Slots, percent and places as people read them."""
    assert (works.other("a"), works.other("b")) == ("b", "a")
    assert [works.percent(permille) for permille in (0, 5, 250, 1000)] == ["0 %", "0.5 %", "25 %", "100 %"]
    places = [works.place(moment(rollout={"step": step})) for step in (0, 1, 2)]
    assert places == ["step 1 of 2", "step 2 of 2", "step 2 of 2"]
    known = moment().situation
    assert works.facts(known, "a") is known.slots["a"]
    assert works.facts(dataclasses.replace(known, slots={}), "a") == SlotFacts(name="a")
