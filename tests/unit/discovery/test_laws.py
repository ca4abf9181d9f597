"""Laws under random events: the last healthy answer stays, all converges, crashes change nothing."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from unit.discovery.world import Service, World, running_world, traffic

SECONDS = st.sampled_from([2.0, 8.0, 33.0, 70.0])
ROLLING = st.one_of(
    st.tuples(st.just("deploy"), st.sampled_from(["d1", "d2", "d3"])),
    st.tuples(st.just("scale"), st.integers(0, 6)),
    st.tuples(st.just("percentages"), st.sampled_from([(100, 200), (50, 100), (100, 150), (0, 100)])),
    st.tuples(st.just("kill"), st.integers(0, 9)),
    st.tuples(st.just("sick"), st.integers(0, 9)),
    st.tuples(st.just("recover"), st.just(0)),
)
DISCOVERY = st.one_of(
    st.tuples(st.just("die"), st.integers(0, 6)),
    st.tuples(st.just("lose"), st.just(0)),
    st.tuples(st.just("fail"), st.integers(1, 3)),
    st.tuples(st.just("remove"), st.integers(0, 9)),
    st.tuples(st.just("alter"), st.integers(0, 9)),
    st.tuples(st.just("slow"), st.sampled_from([1.0, 5.0, 40.0])),
)
SCALED_UP_WHILE_ALL_LEAVE = [
    (("scale", 0), 2.0),
    (("scale", 6), 70.0),
    (("deploy", "d3"), 70.0),
    (("deploy", "d3"), 70.0),
    (("scale", 1), 8.0),
    (("remove", 6), 33.0),
    (("scale", 4), 33.0),
    (("remove", 9), 2.0),
]
"""Cloud Map carries out what was asked for at 0 tasks, though 6 are wanted by then."""
REPLACED_BEFORE_ENTERED = [
    (("scale", 0), 2.0),
    (("recover", 0), 2.0),
    (("slow", 40.0), 2.0),
    (("remove", 0), 2.0),
    (("remove", 0), 70.0),
    (("scale", 6), 2.0),
    (("fail", 3), 8.0),
    (("percentages", (0, 100)), 33.0),
    (("kill", 5), 2.0),
    (("deploy", "d3"), 2.0),
]
"""Tasks are protected, their registrations fail, and then ECS is to replace them."""
NO_ROOM_TO_REPLACE = [(("scale", 1), 33.0), (("percentages", (50, 100)), 70.0), (("deploy", "d3"), 33.0)]
"""One task, of which one must stay and beside which none may start: ECS's deployment waits for ever."""
WEIGHTS = st.tuples(st.just("weights"), st.tuples(st.sampled_from([0, 10, 50, 100]), st.booleans()))


def happen(world: World, what: str, value: object) -> None:  # noqa: C901, PLR0912 - a table of events
    """Let something happen."""
    tasks = sorted(world.tasks)
    victim = tasks[value % len(tasks)] if isinstance(value, int) and tasks else ""
    match what, value:
        case "deploy", str():
            world.deploy(deployment=value)
        case "scale", int():
            world.services["a"].desired = value
        case "percentages", (int() as least, int() as most):
            world.services["a"].minimum, world.services["a"].maximum = least, most
        case "kill", _ if victim:
            world.kill(victim)
        case "sick", _ if victim:
            world.tasks[victim].sick, world.misfortune = True, world.now
        case "recover", _:
            for task in world.tasks.values():
                task.sick = False
        case "die", int():
            world.reconcile(dies_after=value)
        case "lose", _:
            world.reconcile(loses_answer=True)
        case "fail", int():
            world.failures += ["THROTTLED_REQUEST: Rate exceeded"] * value
        case "remove", _ if victim:
            if world.instances.pop(f"sluice-{victim}", None):
                world.seen.pop(f"sluice-{victim}", None)
                world.misfortune = world.now
        case "alter", _ if f"sluice-{victim}" in world.instances:
            world.instances[f"sluice-{victim}"].attributes["team"] = "other"
        case "slow", float():
            world.operation_seconds = value
        case "weights", (int() as weight, bool() as rollback):
            assert world.traffic
            world.traffic = traffic(
                world.traffic.seq + 1, rollback=rollback and weight == 0, a=100 - weight, b=weight
            )


def calm(world: World) -> None:
    """Let nothing bad happen any more, and give ECS room where it may neither start nor stop anything."""
    world.failures.clear()
    world.operation_seconds = 5.0
    for service in world.services.values():
        if 0 < service.bounds.maximum <= service.desired <= service.bounds.minimum:
            service.maximum = 200  # as a person has to: rounded, both bounds are what is desired
    for task in world.tasks.values():
        task.sick = False


@pytest.mark.parametrize("lag", [0.0, 8.0], ids=["seen at once", "seen late"])
@example(events=SCALED_UP_WHILE_ALL_LEAVE)
@example(events=REPLACED_BEFORE_ENTERED)
@example(events=NO_ROOM_TO_REPLACE)
@settings(max_examples=25, deadline=None)
@given(events=st.lists(st.tuples(st.one_of(ROLLING, DISCOVERY), SECONDS), min_size=2, max_size=10))
def test_a_rolling_backend_keeps_answering_and_converges(
    lag: float, events: list[tuple[tuple[str, object], float]]
) -> None:
    """No law breaks; in the end exactly the running tasks answer, and planning again does nothing."""
    world = running_world(3)
    world.lag = lag
    for (what, value), seconds in events:
        happen(world, what, value)
        world.run(seconds)
    calm(world)
    service = world.services["a"]
    for _ in range(600):
        planned = world.run(2.0)
        there = world.running("a", service.deployment)
        if planned.settled and len(there) == service.desired and there == world.running() == world.healthy():
            break
    else:
        raise AssertionError((planned.progress, world.running(), world.healthy(), world.status))
    assert world.plan().actions == ()
    assert not world.status.get("operations")
    assert not world.status.get("leaving")


@settings(max_examples=25, deadline=None)
@given(
    events=st.lists(
        st.tuples(st.one_of(WEIGHTS, WEIGHTS, DISCOVERY, ROLLING), SECONDS), min_size=2, max_size=8
    )
)
def test_a_progressive_backend_keeps_answering_and_proves_its_weights(
    events: list[tuple[tuple[str, object], float]],
) -> None:
    """Whatever came before, the last weights are proven, and a slot without weight has no healthy answer."""
    world = World(
        services={"a": Service(desired=4), "b": Service(desired=4, deployment="e1")},
        traffic=traffic(a=100),
        rolling=False,
    )
    for slot in "aaaabbbb":
        world.start(slot, healthy_after=0.0)
    world.settle()
    for (what, value), seconds in events:
        if what not in ("deploy", "scale", "percentages"):
            happen(world, what, value)
        world.run(seconds)
    calm(world)
    assert world.traffic
    world.traffic = traffic(world.traffic.seq + 1, **world.traffic.weights)
    for _ in range(600):
        planned = world.run(2.0)
        if planned.settled and planned.proof and planned.proof.seq == world.traffic.seq:
            break
    else:
        raise AssertionError((planned.progress, world.healthy(), world.status))
    slots = {world.tasks[t.id].slot for t in world.tasks.values() if t.id[:8] in world.healthy()}
    assert slots == {slot for slot, parts in world.traffic.weights.items() if parts}
    assert world.plan().actions == ()


@pytest.mark.parametrize("lost", [False, True], ids=["dies before the answer is written", "dies between"])
@pytest.mark.parametrize("after", range(8))
def test_a_process_may_end_between_any_two_actions(after: int, *, lost: bool) -> None:
    """At every pass of a rolling deployment: whoever comes next finds what was meant and ends it."""
    world = running_world(3)
    world.deploy()
    for _ in range(300):
        world.reconcile(dies_after=after) if not lost else world.reconcile(loses_answer=True)
        planned = world.run(2.0)
        if planned.settled and world.running("a", "d2") == world.running() == world.healthy():
            break
    else:
        raise AssertionError((planned.progress, world.status))
    assert world.dead_answers == 0


@settings(max_examples=25, deadline=None)
@given(order=st.randoms(use_true_random=False), events=st.lists(ROLLING, max_size=3))
def test_the_plan_does_not_depend_on_the_order_of_lists(
    order: random.Random, events: list[tuple[str, object]]
) -> None:
    """Facts in another order give the same plan."""
    world = running_world(4)
    for what, value in events:
        happen(world, what, value)
        world.run(8.0)
    facts = world.facts()

    def mixed(pairs: dict[str, Any]) -> dict[str, Any]:
        items = list(pairs.items())
        order.shuffle(items)
        return dict(items)

    other = dataclasses.replace(
        facts,
        tasks=tuple(order.sample(facts.tasks or (), len(facts.tasks or ()))),
        registered=mixed(dict(facts.registered or {})),
        discovered=mixed(dict(facts.discovered or {})),
    )
    assert world.plan(facts) == world.plan(other)
