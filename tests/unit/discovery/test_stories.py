"""Rolling deployments, scale-in and deaths: ECS gets on, clients never notice; world.py keeps the laws."""

from __future__ import annotations

import dataclasses

import pytest

from unit.discovery.world import World, running_world


def roll(world: World, *, within: float = 600.0) -> None:
    """Run until ECS has replaced every task and every new one answers."""
    service = world.services["a"]
    ends = world.now + within
    while world.now < ends:
        planned = world.run(2.0)
        there = world.running("a", service.deployment)
        if planned.settled and len(there) == service.desired and there == world.running() == world.healthy():
            return
    raise AssertionError((world.running(), world.healthy(), world.status))


def test_from_nothing_to_answers() -> None:
    """Namespace, service and entries come one after the other; then nothing more is asked for."""
    world = running_world(3)
    assert world.calls == [
        "CreatePrivateDnsNamespace",
        "CreateService",
        "UpdateTaskProtection",
        *["RegisterInstance"] * 3,
    ]
    assert world.healthy() == world.running()
    assert world.plan().actions == ()


@pytest.mark.parametrize(
    ("desired", "minimum", "maximum"),
    [
        pytest.param(4, 100, 200, id="surge of all"),
        pytest.param(4, 100, 150, id="surge of half"),
        pytest.param(4, 50, 100, id="no surge: old ones make room"),
        pytest.param(4, 50, 200, id="both"),
        pytest.param(3, 66, 133, id="rounded to no surge"),
        pytest.param(1, 100, 200, id="a single task"),
        pytest.param(3, 0, 200, id="nothing has to stay, all may surge"),
        pytest.param(60, 100, 200, id="more than the window"),
    ],
)
def test_a_rolling_deployment_ends_and_nobody_notices(desired: int, minimum: int, maximum: int) -> None:
    """Every protected old task leaves the answers before ECS may end it, and the deployment completes."""
    world = running_world(desired, minimum=minimum, maximum=maximum)
    world.deploy()
    roll(world, within=1500.0)
    assert world.dead_answers == 0
    assert not world.status.get("leaving")


@pytest.mark.parametrize(
    ("minimum", "maximum"),
    [
        pytest.param(100, 200, id="surge of all"),
        pytest.param(25, 100, id="no surge"),
        pytest.param(0, 100, id="recreate"),
    ],
)
def test_a_protected_task_without_its_entry_is_given_back_when_ecs_is_to_replace_it(
    minimum: int, maximum: int
) -> None:
    """Its protection was for the entry: kept without one, it would keep ECS's deployment from its end."""
    world = running_world(4, minimum=minimum, maximum=maximum)
    world.deploy()
    world.tick()
    if world.running("a", "d2"):  # a surge: the new ones answer before old ones leave
        world.tick(world.services["a"].healthy_after)
        world.reconcile()
        world.tick(10.0)
    for task in sorted(world.running("a", "d1"))[:2]:
        name = next(name for name in world.instances if task in name)
        del world.instances[name], world.seen[name]
    roll(world, within=1500.0)
    assert world.dead_answers == 0


@pytest.mark.parametrize(
    ("minimum", "maximum"),
    [
        pytest.param(100, 200, id="surge of all"),
        pytest.param(25, 100, id="no surge"),
        pytest.param(0, 100, id="recreate"),
    ],
)
def test_an_ill_protected_task_without_its_entry_is_given_back(minimum: int, maximum: int) -> None:
    """Nobody is sent to it and it counts for nobody: ECS's deployment need not wait for its protection."""
    world = running_world(4, minimum=minimum, maximum=maximum)
    ill = world.tasks[min(world.tasks)]
    ill.sick = True
    del world.instances[f"sluice-{ill.id}"], world.seen[f"sluice-{ill.id}"]
    assert ill.protected_until > world.now
    world.deploy()
    roll(world, within=1500.0)
    assert world.dead_answers == 0


@pytest.mark.parametrize("desired", [1, 3, 60], ids=["one", "three", "more than the window"])
def test_recreate_ends_old_tasks_before_new_ones_start(desired: int) -> None:
    """With min 0 and max 100 all leave the answers, then all end, then the new ones come."""
    world = running_world(desired, minimum=0, maximum=100)
    world.deploy()
    for _ in range(300):
        world.run(1.0)
        old, new = world.running("a", "d1"), world.running("a", "d2")
        assert not (old and new)
        if len(new) == desired == len(world.healthy()) and not old:
            assert world.dead_answers == 0
            return
    raise AssertionError((world.running(), world.status))


@pytest.mark.parametrize(("before", "after"), [(6, 2), (60, 5), (2, 1)], ids=["6 to 2", "60 to 5", "2 to 1"])
def test_scale_in_takes_entries_away_first(before: int, after: int) -> None:
    """The tasks that are ended are those whose entries left; the others answer throughout."""
    world = running_world(before)
    world.services["a"].desired = after
    for _ in range(400):
        world.run(2.0)
        if len(world.running()) == after:
            break
    world.settle()
    assert world.healthy() == world.running()
    assert len(world.running()) == after
    assert world.dead_answers == 0


@pytest.mark.parametrize("desired", [1, 4], ids=["one", "four"])
def test_scaled_to_zero_ends_and_leaves_no_entry(desired: int) -> None:
    """All leave at once, end when nobody uses them any more, and nothing hangs."""
    world = running_world(desired)
    world.services["a"].desired = 0
    world.run(200.0)
    assert not world.running()
    assert not world.instances
    assert world.dead_answers == 0
    assert world.reconcile().settled


def test_scale_out_registers_what_comes() -> None:
    """New tasks answer once they are healthy; those that are there are not touched."""
    world = running_world(2)
    before = world.healthy()
    world.services["a"].desired = 5
    world.run(60.0)
    assert world.settle().settled
    assert before < world.healthy() == world.running()


def test_scale_in_that_is_taken_back_brings_entries_back() -> None:
    """What has not been given back to ECS yet answers again, and no task ends for it."""
    world = running_world(5)
    world.services["a"].desired = 2
    world.run(12.0)
    assert world.status["leaving"]
    world.services["a"].desired = 5
    world.run(120.0)
    world.settle()
    assert world.healthy() == world.running()
    assert len(world.running()) == 5
    assert world.dead_answers == 0


def test_tasks_that_never_get_healthy_change_nothing() -> None:
    """Old tasks stay protected and answer; when ECS rolls back, all is as before."""
    world = running_world(3)
    before, calls = world.healthy(), len(world.calls)
    world.deploy(healthy_after=1e9)
    world.run(300.0)
    assert world.healthy() == before
    world.deploy(deployment="d1", healthy_after=5.0)
    world.run(100.0)
    assert world.healthy() == before == world.running()
    assert world.calls[calls:] == []


def test_a_deployment_within_a_deployment() -> None:
    """Tasks that ECS let nobody protect may end with their entries, which go at once; all ends well.

    It is the limit of protection: four tasks are wanted, eight answer, four are protected.
    """
    world = running_world(4)
    world.deploy()
    world.run(50.0)
    first = world.running("a", "d1")
    world.deploy(deployment="d3")
    roll(world)
    assert world.unprotected <= 4
    assert not first & world.running()


def test_a_sick_task_is_said_to_be_unhealthy_and_replaced() -> None:
    """At once, by custom health; ECS replaces it although it was protected."""
    world = running_world(3)
    sick = next(iter(world.tasks.values()))
    sick.sick, world.misfortune = True, world.now
    (first, *_) = world.plan().actions
    assert (first.operation, first.params["Status"]) == ("UpdateInstanceCustomHealthStatus", "UNHEALTHY")
    world.run(200.0)
    world.settle()
    assert sick.id[:8] not in world.healthy()
    assert world.healthy() == world.running()


def test_a_task_that_recovers_is_healthy_again() -> None:
    """Its entry stayed; only its health changed twice."""
    world = running_world(3)
    world.services["a"].maximum = 100  # no room for a replacement, and none is stopped before
    task = next(iter(world.tasks.values()))
    task.healthy_at, world.misfortune = world.now + 60, world.now
    calls = len(world.calls)
    world.run(59.0)
    assert task.id[:8] not in world.healthy()
    world.run(80.0)
    assert world.healthy() == world.running()
    health = [call for call in world.calls[calls:] if call == "UpdateInstanceCustomHealthStatus"]
    assert len(health) == 2
    assert "DeregisterInstance" not in world.calls[calls:]


def test_all_sick_at_once_keep_their_entries() -> None:
    """Nobody is deregistered: DNS answers with all when none is healthy, and they may recover."""
    world = running_world(3, maximum=100)
    for task in world.tasks.values():
        task.healthy_at = world.now + 90
    world.misfortune = world.now
    world.run(80.0)
    assert len(world.instances) == 3
    world.run(60.0)
    assert world.healthy() == world.running()


def test_a_killed_task_is_deregistered_soon() -> None:
    """Its entry is gone long before custom health would have changed."""
    world = running_world(3)
    victim = next(iter(world.tasks))
    world.kill(victim)
    world.run(25.0)
    assert f"sluice-{victim}" not in world.seen
    world.run(60.0)
    assert world.healthy() == world.running()


def test_protection_is_renewed_in_good_time() -> None:
    """At rest the plan wakes up for it, and a task is protected at every moment."""
    world = running_world(2)
    for _ in range(4):
        planned = world.plan()
        assert planned.settled
        assert planned.wake_at is not None
        world.now = planned.wake_at
        assert all(task.protected_until > world.now + 600 for task in world.tasks.values())
        assert [action.operation for action in world.reconcile().actions] == ["UpdateTaskProtection"]


def test_protections_of_different_ages_are_renewed_together() -> None:
    """Tasks that began ten minutes apart need no pass of their own every forty minutes."""
    world = running_world(3)
    for number, task in enumerate(world.tasks.values()):
        task.protected_until = world.now + 3600 - 600 * number
    renewed = []
    for _ in range(3):
        planned = world.plan()
        assert planned.wake_at is not None
        world.now = planned.wake_at
        renewed.append(len(world.reconcile().actions[0].params["tasks"]))
    assert renewed == [3, 3, 3]


def test_a_renewal_unsettles_nothing_and_a_protection_that_was_lost_does() -> None:
    """A name at rest stays settled for hours; whoever takes a protection away is told of by what follows."""
    world = running_world(2)
    before = dict(world.status)
    world.now = world.plan().wake_at or 0.0
    assert world.plan().settled
    world.reconcile()
    assert world.status == before
    next(iter(world.tasks.values())).protected_until = 0.0
    assert not world.plan().settled


@pytest.mark.parametrize("protected", [False, True], ids=["protection", "renewal"])
def test_what_ecs_refuses_to_protect_is_waited_for_by_nobody(*, protected: bool) -> None:
    """A name settles, so that a Deployment may begin its next update, and asks ever more seldom."""
    world = running_world(3)
    victim = next(iter(world.tasks.values()))
    world.refused.add(victim.id)
    victim.protected_until = world.now + 900 if protected else 0.0
    before = len(world.calls)
    world.run(1200.0)
    assert world.plan().settled
    assert not world.plan().problem
    assert len(world.calls) - before <= 12
    world.refused.clear()
    world.run(320.0)
    assert victim.protected_until > world.now
    assert "failing" not in world.status


def test_a_deployment_has_no_more_protected_tasks_than_desired() -> None:
    """ECS would refuse it (DEPLOYMENT_BLOCKED): new ones are protected as old ones are given back."""
    world = running_world(4)
    world.deploy()
    for _ in range(120):
        world.run(1.0)
        assert sum(task.protected_until > world.now for task in world.tasks.values()) <= 4
    roll(world)
    assert all(task.protected_until > world.now for task in world.tasks.values())


def test_without_custom_health_entries_leave_by_deregistration() -> None:
    """The time for which clients use an answer then passes after it is gone, before the task ends."""
    world = running_world(2)
    strip_custom_health(world)
    calls = len(world.calls)
    world.deploy()
    roll(world)
    assert "UpdateInstanceCustomHealthStatus" not in world.calls[calls:]
    assert world.dead_answers == 0


def strip_custom_health(world: World) -> None:
    """Let the Cloud Map service be one without custom health, as mode Alias makes it."""
    assert world.service is not None
    world.service = dataclasses.replace(world.service, custom_health=False)
    world.custom_health = False
    world.seen = dict.fromkeys(world.seen, "UNKNOWN")
