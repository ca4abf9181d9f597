"""Time: what counts against the deadline, what a restart keeps, and clocks that go backwards."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from sluice.model.situation import HookAnswer, Person
from sluice.model.strategy import Analysis, Hook, Pause, Progressive, SetWeight
from unit.rollout.world import CANARY, World, live

HELD = Progressive(
    steps=(SetWeight(permille=250), Pause(), SetWeight(permille=1000)),
    bake=30,
    progress_deadline=100,
    snapshot={"x": 1},
)


def _kill_live(world: World) -> None:
    for task in world.slots["a"].tasks:
        task.dead = True


def _set(**members: Any) -> Callable[[World], None]:
    def change(world: World) -> None:
        for name, value in members.items():
            setattr(world, name, value)

    return change


def _drift(world: World) -> None:
    world.routes[0].foreign = "500"


@pytest.mark.parametrize(
    ("strategy", "meanwhile"),
    [
        pytest.param(HELD, _set(), id="person"),
        pytest.param(
            dataclasses.replace(
                HELD, steps=(SetWeight(permille=250), Pause(seconds=2000), SetWeight(permille=1000))
            ),
            _set(),
            id="timed pause",
        ),
        pytest.param(dataclasses.replace(HELD, steps=(), bake=2000), _set(), id="bake"),
        pytest.param(
            dataclasses.replace(HELD, hooks=(Hook(name="h", stage="PreTraffic", timeout=5000),)),
            _set(),
            id="hook",
        ),
        pytest.param(
            dataclasses.replace(HELD, analysis=Analysis(alarms=("x",))),
            _set(alarms={"x": "INSUFFICIENT_DATA"}, person=Person(promote=True)),
            id="alarm",
        ),
        pytest.param(HELD, _kill_live, id="live slot"),
        pytest.param(HELD, _set(paused=True, person=Person(promote=True)), id="spec paused"),
        pytest.param(HELD, _drift, id="drift"),
    ],
)
def test_what_does_not_count_against_the_deadline(
    strategy: Progressive, meanwhile: Callable[[World], None]
) -> None:
    """A person, a timer, a gate, a broken live slot: ten times the deadline, and nothing is turned back."""
    world = live(strategy=strategy, alarms={"x": "OK"})
    world.wanted = "r2"
    world.run(40)
    meanwhile(world)
    world.run(4)
    if meanwhile in (_kill_live, _drift):
        world.person = Person(promote=True)
    world.run(1000, tick=10)
    assert world.history == []
    assert world.motion.rollout is not None
    assert not world.motion.rollout.reason


def test_time_that_counts_is_added_up() -> None:
    """A pause in between does not start the clock anew: 60 s before it and 60 s after it are 120."""
    world = live(strategy=dataclasses.replace(CANARY, progress_deadline=100), sick={"r2"})
    world.wanted = "r2"
    world.until("ScalingUp")
    world.run(60)
    world.blocked = "throttled"
    world.run(500)
    world.blocked = ""
    world.run(30)
    assert world.motion.rollout is not None
    assert world.motion.rollout.stage == "ScalingUp"
    world.run(20)
    assert world.history == [("r2", "RolledBack")]


def test_a_rollback_that_no_route_proves_says_that_the_deadline_is_over() -> None:
    """It never gives up, and people are alarmed."""
    world = live(strategy=HELD)
    world.wanted = "r2"
    world.run(40)
    world.routes[0].problem = "cannot be written"
    world.person = Person(abort=True)
    decision = world.run(150)
    assert (decision.reason, dict(decision.traffic.weights)) == ("ProgressDeadlineExceeded", {"a": 1000})
    world.routes[0].problem = ""
    world.until("", limit=200)
    assert world.history == [("r2", "Aborted")]


def at_rollback() -> World:
    """Return a world whose rollback was just ordered."""
    world = live(strategy=HELD)
    world.wanted = "r2"
    world.run(40)
    world.person = Person(abort=True)
    world.decide()
    return world


def test_a_clock_that_goes_backwards_does_not_keep_a_rollback_from_its_end() -> None:
    """Times of the future are brought back to now; the proof is a new one."""
    world = at_rollback()
    world.now -= 5000
    for slot in world.slots.values():
        for task in slot.tasks:
            task.healthy_at = 0
    world.routes[0].due = world.now + 2
    world.until("", limit=300)
    assert world.history == [("r2", "Aborted")]


def test_a_new_leader_in_a_rollback_writes_and_verifies_again() -> None:
    """Proofs of the dead leader's time do not count; the decision's time stays."""
    world = at_rollback()
    decided = world.now
    world.pass_time(1)
    world.leader_epoch = 5
    decision = world.decide()
    assert (dict(decision.traffic.weights), decision.traffic.rollback) == ({"a": 1000}, True)
    decision = world.until("CleaningUp")
    assert decision.motion.rollout is not None
    assert decision.motion.rollout.decided_at == decided
    assert decision.motion.rollout.verified_at >= decided + 11


def test_a_waiting_rollout_does_not_keep_the_scale() -> None:
    """Before the start nothing is held: the live slot is scaled in as the spec says."""
    world = live(paused=True)
    world.wanted = "r2"
    world.decide()
    world.replicas = 2
    world.run(4)
    assert world.slots["a"].desired == 2


def test_the_next_rollout_goes_by_its_own_strategy() -> None:
    """Superseded and begun again in one decision: the new one's steps, not the old snapshot's."""
    world = live(strategy=HELD)
    world.wanted = "r2"
    world.until("Stepping")
    world.run(10)
    world.strategy = dataclasses.replace(HELD, steps=(SetWeight(permille=500), Pause()), snapshot={"new": 1})
    world.snapshots["r2"] = HELD
    world.wanted = "r3"
    world.until("Stepping", limit=400)
    world.run(10)
    assert world.weights == {"a": 500, "b": 500}


def test_an_edited_strategy_takes_effect_with_the_next_rollout() -> None:
    """The running one keeps its snapshot."""
    world = live(strategy=HELD, answers={"h": HookAnswer(state="Succeeded")})
    world.wanted = "r2"
    world.until("Stepping")
    world.run(10)
    world.snapshots["r2"] = HELD
    world.strategy = dataclasses.replace(HELD, steps=(SetWeight(permille=500), Pause()), snapshot={"new": 1})
    world.person = Person(promote=True)
    world.run(30)
    assert world.weights == {"b": 1000}


@pytest.mark.parametrize(("capacity", "again"), [("Full", 0), ("AheadOfWeight", 30)])
def test_min_ready_seconds_begin_anew_only_for_more_targets(capacity: Any, again: float) -> None:
    """Tasks that proved themselves for the last weight need not do so again for the next."""
    world = live(strategy=dataclasses.replace(HELD, capacity=capacity, min_ready=30))
    world.wanted = "r2"
    decision = world.run(36)
    assert dict(decision.traffic.weights) == {"a": 1000}
    world.run(20)
    assert world.weights == {"a": 750, "b": 250}
    world.person = Person(promote=True)
    began = world.now
    while dict(world.decide().traffic.weights) != {"b": 1000}:
        world.pass_time(1)
    assert world.now - began == pytest.approx(again + (world.boot if again else 0), abs=2)
