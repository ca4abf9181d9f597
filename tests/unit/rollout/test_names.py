"""Names in Cloud Map beside rules, and alone: they follow minutes later, and no task goes before them."""

from __future__ import annotations

import dataclasses

import pytest

from sluice.model.situation import Person
from sluice.model.strategy import Hook, Pause, Progressive, SetWeight
from unit.rollout.world import Route, World, live

SLOW = 90.0
"""Seconds until names have followed: custom health, what clients keep, operations."""
HELD = Progressive(
    steps=(SetWeight(permille=250), Pause(), SetWeight(permille=1000)),
    bake=60,
    propagation_delay=30,
    snapshot={"x": 1},
)
BOTH, ALONE = ("rules", "discovery"), ("discovery",)


def named(planes: tuple[str, ...] = BOTH, strategy: Progressive = HELD) -> World:
    """Return a world at rest whose route has those planes, all of them proved."""
    world = live(strategy=strategy)
    rules = world.routes[0]
    names = dataclasses.replace(rules, plane="discovery", delay=SLOW)
    world.routes = [{"rules": rules, "discovery": names}[plane] for plane in planes]
    for slot in world.slots.values():
        slot.drain_seconds = 30.0 if "rules" in planes else 0.0
    return world


def at_quarter(planes: tuple[str, ...] = BOTH, strategy: Progressive = HELD) -> World:
    """Return a world whose rollout to r2 is proved at 25 % everywhere."""
    world = named(planes, strategy)
    world.wanted = "r2"
    world.until("Stepping")
    while world.motion.rollout and world.motion.rollout.step == 0:
        world.run(2)
    return world


def names(world: World) -> Route:
    """Return the names of the route."""
    return next(route for route in world.routes if route.plane == "discovery")


@pytest.mark.parametrize("planes", [BOTH, ALONE], ids=["rules and names", "names alone"])
def test_a_weight_is_proved_when_names_answer_with_it_too(planes: tuple[str, ...]) -> None:
    """The step's clock starts at the last proof, which is the names'; and weights are no shares of tasks."""
    world = named(planes)
    world.wanted = "r2"
    world.until("Stepping")
    ordered = world.now
    assert world.slots["a"].desired == 4, "the live slot keeps its tasks: names move the requests"
    while world.motion.rollout and world.motion.rollout.step == 0:
        world.run(2)
    assert world.now - ordered >= SLOW
    assert names(world).weights == {"a": 750, "b": 250}


def test_rules_go_back_at_once_and_names_follow() -> None:
    """The rules' proof ends the hurry; the candidate stays until the names answer without it."""
    world = at_quarter()
    world.person = Person(abort=True)
    began = world.now
    world.until("CleaningUp", limit=10)
    assert world.now - began < 10
    rollout = world.motion.rollout
    assert rollout is not None
    assert (rollout.verified_at > 0, rollout.discovered_at) == (True, 0.0)
    assert not world.decide().traffic.rollback
    decision = world.run(SLOW - 20)
    assert world.slots["b"].tasks, decision.message
    world.until("", limit=200)
    done = world.last
    assert done is not None
    ended = done.finished[0].rollout
    assert ended.verified_at - ended.decided_at < 10
    assert SLOW - 5 <= ended.discovered_at - ended.decided_at < SLOW + 10
    assert world.notes.count("RollbackVerified") == 2
    assert not world.slots["b"].tasks


def test_names_alone_are_in_a_hurry_until_they_went_back() -> None:
    """Hooks and evidence do not wait for them, the candidate's tasks do; they are the rollback's seconds."""
    hook = Hook(name="tell", stage="OnRollback", timeout=60)
    world = at_quarter(ALONE, dataclasses.replace(HELD, hooks=(hook,)))
    world.person = Person(abort=True)
    decision = world.decide()
    assert (dict(decision.traffic.weights), decision.traffic.rollback) == ({"a": 1000}, True)
    assert [request.hook for request in decision.hooks] == ["tell"]
    decision = world.run(SLOW - 20)
    assert (decision.phase, decision.reason) == ("RollingBack", "RollingOut")
    assert "0 of 1 routes have proved it; waiting for main (discovery)" in decision.message
    assert decision.traffic.rollback
    world.until("", limit=300)
    assert world.last is not None
    ended = world.last.finished[0].rollout
    assert (ended.verified_at, ended.returned_at) == (0.0, ended.discovered_at)


def test_what_clients_keep_is_waited_for_once() -> None:
    """It is in the names' proof: after it a slot without target groups drains no longer than a late write."""
    world = at_quarter(ALONE)
    world.person = Person(abort=True)
    world.until("CleaningUp", limit=10)
    while world.motion.rollout and not world.motion.rollout.discovered_at:
        world.run(2)
    left = world.now
    world.until("", limit=100)
    assert world.now - left <= 16


def test_broken_discovery_does_not_keep_the_rules_from_going_back() -> None:
    """Nor the decision; the candidate's tasks stay, and the condition tells why and whose."""
    world = at_quarter()
    names(world).problem, names(world).problem_reason = "servicediscovery: AccessDenied", "AccessDenied"
    world.person = Person(abort=True)
    world.until("CleaningUp", limit=10)
    assert world.weights == {"a": 1000}
    decision = world.run(4000, tick=50)
    assert world.slots["b"].tasks
    assert (decision.reason, decision.ready) == ("ProgressDeadlineExceeded", False)
    assert "route main (discovery): servicediscovery: AccessDenied" in decision.message


def test_discovery_that_is_taken_away_holds_nothing() -> None:
    """A person's way out: what is not asked for any more is not waited for."""
    world = at_quarter()
    names(world).problem, names(world).problem_reason = "servicediscovery: AccessDenied", "AccessDenied"
    world.person = Person(abort=True)
    world.run(200, tick=10)
    world.routes = [route for route in world.routes if route.plane == "rules"]
    world.until("", limit=60)
    assert not world.slots["b"].tasks


def test_the_last_route_that_goes_in_a_return_by_names_ends_it() -> None:
    """Nothing leads to the candidate then."""
    world = at_quarter(ALONE)
    world.person = Person(abort=True)
    world.run(20)
    world.routes = []
    world.until("", limit=120)
    assert world.history == [("r2", "Aborted")]


def test_names_that_never_answered_hold_up_no_step_but_keep_their_tasks() -> None:
    """A new route joins once it is verified; what it put into Cloud Map still keeps tasks from going."""
    world = named()
    fresh = names(world)
    fresh.verified_at, fresh.seq, fresh.problem = 0.0, -1, "servicediscovery: AccessDenied"
    world.wanted = "r2"
    world.until("Stepping")
    world.run(30)
    world.person = Person(promote=True)
    decision = world.until("Draining", limit=600)
    decision = world.run(300, tick=10)
    assert decision.reason == "Draining"
    assert "until their entries left Cloud Map: main" in decision.message
    assert world.slots["a"].tasks
    world.routes = [route for route in world.routes if route.plane == "rules"]
    world.until("", limit=60)


def test_an_undo_goes_by_the_rules_first() -> None:
    """Both planes are told; the hurry is over with the rules."""
    world = at_quarter()
    world.person = Person(promote_full=True)
    world.until("", limit=2000)
    world.person = Person(undo="r1")
    began = world.now
    while not (world.motion.rollout and world.motion.rollout.verified_at):
        world.run(2)
    assert world.now - began < 10
    assert not world.decide().traffic.rollback
    decision = world.run(40)
    assert decision.slots[1].count is None or decision.slots[1].count >= 4, "what names lead to stays"
    world.until("", limit=400)
    assert world.last is not None
    ended = world.last.finished[0].rollout
    assert ended.verified_at - ended.decided_at < 10 < SLOW - 5 <= ended.discovered_at - ended.decided_at


def test_a_blind_rollback_goes_by_what_is_known_to_run() -> None:
    """Half a minute for the source's health, then half of its tasks running is enough."""
    world = at_quarter()
    world.blind, world.blocked = frozenset({"health"}), "throttled"
    world.person = Person(abort=True)
    world.run(26)
    assert world.motion.rollout is not None
    assert world.motion.rollout.weight == 250
    world.run(10)
    assert world.motion.rollout.weight == 0
    assert world.weights == {"a": 1000}


def test_a_blind_rollback_stays_where_too_few_tasks_are_known_to_run() -> None:
    """Better a failed candidate than nobody."""
    world = at_quarter()
    world.blind, world.blocked = frozenset({"health"}), "throttled"
    world.person = Person(abort=True)
    world.run(26)
    world.pass_time(10)
    del world.slots["a"].tasks[1:]
    decision = world.decide()
    assert world.motion.rollout is not None
    assert world.motion.rollout.weight == 250
    assert "target health could not be read" in decision.message
