"""Whole rollouts from start to end, each stage seen, in a world that takes its time."""

from __future__ import annotations

import dataclasses

import pytest

from sluice.model.situation import Person
from sluice.model.strategy import Pause, Progressive, SetHeaderRoute, SetWeight, Step
from unit.rollout.world import CANARY, START, Route, World, live

FULL_PAUSED = Progressive(
    steps=(Pause(), SetWeight(permille=1000)), capacity="Full", preset="blueGreen", snapshot={"x": 1}
)


def trace(world: World, *, limit: float = 4000) -> list[tuple[str, dict[str, int]]]:
    """Return each (stage, ordered weights) that a rollout goes through until it is at rest."""
    seen: list[tuple[str, dict[str, int]]] = []
    ends = world.now + limit
    while world.now < ends:
        decision = world.decide()
        rollout = world.motion.rollout
        entry = (rollout.stage if rollout else "", dict(decision.traffic.weights))
        if not seen or seen[-1] != entry:
            seen.append(entry)
        if rollout is None:
            return seen
        world.pass_time(2)
    raise AssertionError(f"never ended: {seen}")


def test_the_first_rollout_has_no_steps_and_is_published_once_healthy() -> None:
    """Slot a gets its full size, then production rules send to it; no test route, no bake, no standby."""
    world = World()
    assert trace(world) == [("ScalingUp", {}), ("Stepping", {"a": 1000}), ("", {"a": 1000})]
    assert world.motion.live is not None
    assert (world.motion.live.slot, world.motion.live.revision) == ("a", "r1")
    assert world.motion.standby is None
    assert world.history == [("r1", "Succeeded")]


def test_a_first_rollout_that_fails_is_rejected_and_left_for_people_to_see() -> None:
    """There is nothing to go back to: Stalled/FirstRolloutFailed, tasks stay, until another revision."""
    world = World(crashing={"r1"})
    decision = world.run(20)
    assert (decision.ready, decision.reason) == (False, "FirstRolloutFailed")
    assert "exit code 1" in decision.message
    assert world.slots["a"].desired == 4
    assert world.history == [("r1", "Failed")]
    world.wanted = "r2"
    world.until("")
    assert world.motion.live is not None
    assert world.motion.live.revision == "r2"


def test_a_first_rollout_waits_for_its_route_without_a_deadline() -> None:
    """A listener that is not there yet is the route's trouble; the healthy tasks are not rejected."""
    world = World()
    world.routes[0].problem, world.routes[0].problem_reason = "listener is gone", "ListenerNotFound"
    decision = world.run(5000, tick=50)
    assert (decision.reason, decision.ready) == ("ListenerNotFound", False)
    world.routes[0].problem = ""
    world.until("")
    assert world.history == [("r1", "Succeeded")]


def test_a_canary_goes_through_every_stage_and_leaves_a_standby() -> None:
    """Tasks before weight, 25 %, a minute, 100 %, bake, drain; the old slot stays warm for an hour."""
    world = live()
    world.wanted = "r2"
    assert trace(world) == [
        ("ScalingUp", {"a": 1000}),
        ("PreTraffic", {"a": 1000}),
        ("Stepping", {"a": 750, "b": 250}),
        ("Stepping", {"b": 1000}),
        ("Baking", {"b": 1000}),
        ("Draining", {"b": 1000}),
        ("", {"b": 1000}),
    ]
    standby = world.motion.standby
    assert standby is not None
    assert (standby.slot, standby.revision, standby.count) == ("a", "r1", 4)
    assert standby.until == pytest.approx(world.now + 3600)
    assert world.slots["a"].desired == 4
    world.run(3700, tick=100)
    assert world.motion.standby is None
    assert world.slots["a"].desired == 0
    assert "StandbyEnded" in world.notes


def test_a_smaller_standby_shrinks_only_after_the_end() -> None:
    """standby.replicas is a part of the full size, taken once nothing sends to the old slot."""
    world = live(strategy=dataclasses.replace(CANARY, standby_percent=50))
    world.wanted = "r2"
    world.until("Draining")
    assert world.slots["a"].desired == 4
    world.until("")
    assert world.slots["a"].desired == 2


def test_a_blue_green_rollout_scales_up_fully_then_waits_for_a_person() -> None:
    """All of the candidate's tasks run and the test listener shows them before anybody promotes."""
    world = live(strategy=FULL_PAUSED)
    world.wanted = "r2"
    decision = world.run(60)
    assert world.slots["b"].desired == 4
    assert (decision.reason, decision.phase) == ("Paused", "Paused")
    assert decision.message == "step 1 of 2: weight 0 %: waits for a person to promote"
    assert (decision.traffic.test, dict(decision.traffic.weights)) == ("b", {"a": 1000})
    assert [gate.name for gate in (world.motion.rollout.gates if world.motion.rollout else ())] == ["promote"]
    world.person = Person(promote=True)
    assert dict(world.decide().traffic.weights) == {"b": 1000}
    world.until("")
    assert world.history == [("r2", "Succeeded")]


def test_a_header_route_shows_the_candidate_before_any_weight_and_goes_in_the_end() -> None:
    """The header goes to the candidate's slot once its tasks are healthy, until bake is over."""
    steps: tuple[Step, ...] = (
        SetHeaderRoute(header="x-canary", value="1"),
        Pause(),
        SetWeight(permille=1000),
    )
    world = live(strategy=Progressive(steps=steps, snapshot={"x": 1}))
    world.wanted = "r2"
    decision = world.run(40)
    assert (decision.traffic.header, decision.traffic.header_slot) == (("x-canary", "1"), "b")
    assert world.healthy("b") > 0
    world.person = Person(promote=True)
    decision = world.until("Draining")
    assert (decision.traffic.header, decision.traffic.test) == (None, "")


def test_a_step_clock_starts_at_the_last_proof() -> None:
    """Two routes, one late: the minute of the pause counts from the late one's reading."""
    routes = [Route(name="fast", delay=0, verified_at=START), Route(name="slow", delay=90, verified_at=START)]
    world = live(routes=routes)
    world.routes[0].weights = world.routes[1].weights = {"a": 1000}
    world.until("", limit=200)
    world.wanted = "r2"
    while not (world.motion.rollout and world.motion.rollout.step == 1):
        world.decide()
        world.pass_time(2)
    assert world.motion.rollout.step_since == world.routes[1].verified_at
    assert world.routes[1].verified_at > world.routes[0].verified_at + 80


def test_without_a_route_the_weights_are_shares_of_tasks() -> None:
    """Queue workers: the candidate gets its share of tasks, the live slot keeps the rest; no standby."""
    world = World(routes=[])
    world.until("")
    world.wanted = "r2"
    world.until("Stepping")
    world.run(10)
    assert {name: slot.desired for name, slot in world.slots.items()} == {"a": 3, "b": 1}
    world.until("")
    assert {name: slot.desired for name, slot in world.slots.items()} == {"a": 0, "b": 4}
    assert world.motion.standby is None


def test_a_rollback_of_shares_brings_the_tasks_back() -> None:
    """Queue workers: the live slot is whole again at once, whoever owns the count."""
    world = World(routes=[])
    world.until("")
    world.replicas = None
    world.wanted = "r2"
    world.until("Stepping")
    world.run(10)
    assert world.slots["a"].desired == 3
    world.person = Person(abort=True)
    world.until("")
    assert {name: slot.desired for name, slot in world.slots.items()} == {"a": 4, "b": 0}


def test_steps_that_do_not_end_with_everything_get_that_step() -> None:
    """A rollout always ends with the survivor alone."""
    world = live(strategy=Progressive(steps=(SetWeight(permille=500),), snapshot={"x": 1}))
    world.wanted = "r2"
    world.until("")
    assert world.weights == {"b": 1000}


def test_a_slot_that_runs_the_candidate_already_is_not_restarted() -> None:
    """A rollout to what the idle slot still runs takes its tasks as they are."""
    world = live()
    world.wanted = "r2"
    world.until("")
    assert world.motion.standby is not None
    before = list(world.slots["a"].tasks)
    world.motion = dataclasses.replace(world.motion, standby=None)
    world.wanted = "r1"
    world.slots["a"].desired = 4
    stage = world.decide()
    assert world.slots["a"].tasks == before, stage.message
    world.until("")
    assert world.slots["a"].tasks == before


def test_a_revision_that_runs_elsewhere_is_adopted_when_the_status_was_lost() -> None:
    """Rules are AWS's word on what is live: nothing is restarted and the order is what there is."""
    world = live()
    before = list(world.slots["a"].tasks)
    world.motion = dataclasses.replace(world.motion, live=None)
    world.blind = frozenset({"proof"})
    decision = world.decide()
    assert (decision.reason, world.motion.live) == ("RollingOut", None)
    assert all(order.count is None for order in decision.slots if order.slot == "a")
    world.blind = frozenset()
    world.decide()
    assert world.motion.live is not None
    assert (world.motion.live.slot, world.slots["a"].tasks) == ("a", before)


def test_a_lost_status_in_the_middle_of_a_rollout_begins_at_the_source_again() -> None:
    """Both slots get weight: the healthy one that the spec does not ask for is live."""
    world = live()
    world.wanted = "r2"
    world.until("Stepping")
    world.run(10)
    assert set(world.weights) == {"a", "b"}
    world.motion = dataclasses.replace(world.motion, live=None, rollout=None)
    decision = world.decide()
    assert dict(decision.traffic.weights) == {"a": 1000}
    world.until("", limit=2000)
    assert world.motion.live is not None
    assert world.motion.live.revision == "r2"


def test_scaled_to_nothing_a_rollout_waits_and_nothing_fails() -> None:
    """Nothing can be healthy, so no deadline runs and nothing is rejected; it begins with the first task."""
    world = live()
    world.replicas = 0
    world.run(10)
    world.wanted = "r2"
    assert world.run(8000, tick=50).reason == "WaitingForTargets"
    world.replicas = 2
    world.until("", limit=1000)
    assert world.motion.live is not None
    assert (world.motion.live.revision, world.motion.rejected) == ("r2", None)
