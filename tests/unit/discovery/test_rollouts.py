"""Weights as shares of entries: a candidate comes in by steps, goes at once in a rollback, is proven."""

from __future__ import annotations

from collections import Counter

import pytest

from sluice.model.discovery import DiscoveryProof
from unit.discovery.world import Service, World, traffic


def slots(world: World) -> dict[str, int]:
    """Return how many healthy answers each slot has."""
    return dict(Counter(task.slot for task in world.tasks.values() if task.id[:8] in world.healthy()))


def progressive(live: int = 10, candidate: int = 0) -> World:
    """Return a settled Progressive backend with everything on slot a."""
    world = World(
        services={"a": Service(desired=live), "b": Service(desired=candidate, deployment="e1")},
        traffic=traffic(a=100),
        rolling=False,
    )
    for slot, count in (("a", live), ("b", candidate)):
        for _ in range(count):
            world.start(slot, healthy_after=0.0)
    world.settle()
    return world


def proven(world: World, within: float = 300.0) -> DiscoveryProof:
    """Run until the present traffic is acknowledged."""
    ends = world.now + within
    while world.now < ends:
        planned = world.run(2.0)
        assert world.traffic
        if planned.proof and planned.proof.seq == world.traffic.seq:
            return planned.proof
    raise AssertionError((world.status, slots(world)))


def test_a_candidate_without_weight_has_no_entry() -> None:
    """Its tasks are healthy, and nobody gets them."""
    world = progressive(4, 4)
    assert slots(world) == {"a": 4}
    assert all(task.protected_until == 0 for task in world.tasks.values() if task.slot == "b")


@pytest.mark.parametrize(
    ("weights", "candidate", "expected"),
    [
        pytest.param({"a": 95, "b": 5}, 2, {"a": 10, "b": 1}, id="never rounded to none"),
        pytest.param({"a": 80, "b": 20}, 3, {"a": 8, "b": 2}, id="exact"),
        pytest.param({"a": 50, "b": 50}, 6, {"a": 6, "b": 6}, id="half"),
        pytest.param({"a": 20, "b": 80}, 9, {"a": 2, "b": 8}, id="mostly the candidate"),
        pytest.param({"a": 0, "b": 100}, 10, {"b": 10}, id="the candidate alone"),
    ],
)
def test_a_step_gives_the_candidate_its_share(
    weights: dict[str, int], candidate: int, expected: dict[str, int]
) -> None:
    """The proof comes when clients see the share and not before; the name is never empty."""
    world = progressive(10, candidate)
    world.traffic = traffic(2, **weights)
    proof = proven(world)
    assert slots(world) == expected
    assert (proof.seq, proof.hash, proof.route_generation) == (2, world.traffic.hash, 1)
    world.settle()
    assert world.dead_answers == 0


def test_a_whole_canary_ends_with_the_candidate_alone() -> None:
    """Step by step to 100, then the old slot is scaled in: nobody gets a task that ends."""
    world = progressive(6)
    for seq, (weight, tasks) in enumerate([(0, 2), (10, 2), (50, 4), (100, 6)], start=2):
        world.services["b"].desired = tasks
        world.run(40.0)
        world.traffic = traffic(seq, a=100 - weight, b=weight)
        proven(world)
    world.services["a"].desired = 0
    world.run(120.0)
    world.settle()
    assert not world.running("a")
    assert slots(world) == {"b": 6}
    assert world.dead_answers == 0


def test_the_old_slot_is_proven_out_only_after_clients_forgot_it() -> None:
    """No proof while an answer of it may be used: seen UNHEALTHY is not enough, max(TTL, 30 s) passes."""
    world = progressive(2, 2)
    world.traffic = traffic(2, b=100)
    proof = proven(world)
    last_seen = max(
        at for name, at in world.left_at.items() if world.tasks[name.removeprefix("sluice-")].slot == "a"
    )
    assert proof.verified_at - last_seen >= 30


def test_a_rollback_hides_the_candidate_at_once() -> None:
    """As soon as one live entry answers; the others are registered in the same pass, urgently."""
    world = progressive(10, 9)
    world.traffic = traffic(2, a=20, b=80)
    proven(world)
    world.settle()
    world.traffic = traffic(3, rollback=True, a=100)
    planned = world.reconcile()
    by_operation = Counter(action.operation for action in planned.actions)
    assert by_operation["RegisterInstance"] == 8
    assert by_operation["UpdateInstanceCustomHealthStatus"] == 8
    assert {a.priority.name for a in planned.actions if a.service == "servicediscovery"} == {"ROLLBACK"}
    proven(world)
    assert slots(world) == {"a": 10}


def test_a_step_back_waits_for_the_live_tasks_to_be_seen() -> None:
    """Without a rollback the candidate keeps answering until the live slot's entries can replace it."""
    world = progressive(10, 9)
    world.traffic = traffic(2, a=20, b=80)
    proven(world)
    world.settle()
    world.traffic = traffic(3, a=100)
    planned = world.reconcile()
    assert "UpdateInstanceCustomHealthStatus" not in {action.operation for action in planned.actions}
    proven(world)
    assert slots(world) == {"a": 10}


def test_a_candidate_that_loses_tasks_does_not_take_live_capacity() -> None:
    """The live slot's entries come back, and the weight is not proven any more for a new sequence."""
    world = progressive(10, 9)
    world.traffic = traffic(2, a=20, b=80)
    proven(world)
    for task in [task for task in world.tasks.values() if task.slot == "b"][:7]:
        task.sick = True
    world.services["b"].maximum = 100
    world.services["b"].healthy_after = 1e9
    world.misfortune = world.now
    world.traffic = traffic(3, a=20, b=80)
    world.run(120.0)
    assert sum(slots(world).values()) >= 10
    planned = world.reconcile()
    assert planned.proof is None


def test_the_candidate_alone_without_a_healthy_task_leaves_the_live_ones() -> None:
    """A weight of 100 for nobody takes nothing away: what answers stays."""
    world = progressive(3)
    world.traffic = traffic(2, b=100)
    world.run(120.0)
    assert slots(world) == {"a": 3}
    assert world.reconcile().proof is None


def test_nothing_happens_while_nobody_published_weights() -> None:
    """A Progressive backend without traffic: no entry is made and none goes."""
    world = progressive(3, 3)
    world.traffic = None
    calls = len(world.calls)
    assert not world.run(60.0).settled
    assert world.calls[calls:] == []
    assert slots(world) == {"a": 3}


def test_a_proof_is_stable_until_a_newer_one_is_asked_for() -> None:
    """The time of it does not move with every pass; verifyAfter makes it new."""
    world = progressive(2, 2)
    first = proven(world)
    world.run(30.0)
    assert world.reconcile().proof == first
    world.traffic = traffic(1, a=100, verify_after=world.now)
    second = world.reconcile().proof
    assert second
    assert second.verified_at >= world.now > first.verified_at


def test_a_proof_is_for_the_generation_it_was_made_for() -> None:
    """An edited route proves anew."""
    world = progressive(2)
    world.generation = 7
    proof = proven(world)
    assert proof.route_generation == 7


def test_the_choice_of_candidate_tasks_is_stable() -> None:
    """More weight adds entries and replaces none; new tasks do not push out those that answer."""
    world = progressive(10, 5)
    world.traffic = traffic(2, a=90, b=10)
    proven(world)
    few = {t.id for t in world.tasks.values() if t.slot == "b" and t.id[:8] in world.healthy()}
    world.services["b"].desired = 8
    world.run(60.0)
    world.traffic = traffic(3, a=70, b=30)
    proven(world)
    assert few < {t.id for t in world.tasks.values() if t.slot == "b" and t.id[:8] in world.healthy()}


def test_live_tasks_that_are_scaled_in_during_a_canary_leave_first() -> None:
    """Scale-in of the live slot in the middle of a rollout: its share follows, and no answer dies."""
    world = progressive(10, 3)
    world.traffic = traffic(2, a=80, b=20)
    proven(world)
    world.services["a"].desired = 6
    world.run(200.0)
    world.settle()
    assert len(world.running("a")) == 6
    assert world.dead_answers == 0
