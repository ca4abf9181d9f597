"""Five hundred tasks: few calls, a window of operations, a small status, little time."""

from __future__ import annotations

import json
import time
from collections import Counter

from sluice.plan.discovery.motion import WINDOW
from unit.discovery.world import Service, World

TASKS = 150


def rolled(tasks: int) -> World:
    """Return a world whose tasks all answer and are about to be replaced."""
    world = World(services={"a": Service(desired=tasks)})
    for _ in range(tasks):
        world.start("a", healthy_after=0.0)
    while len(world.healthy()) < tasks:
        world.reconcile()
        world.tick(8.0)
    world.deploy()
    return world


def test_many_tasks_are_rolled_with_four_calls_each_at_most() -> None:
    """A registration, a health write, a removal and a fifth of a protection, a window of them at a time."""
    world = rolled(TASKS)
    before = len(world.calls)
    for _ in range(200):
        world.reconcile()
        assert len(world.busy) <= WINDOW
        world.tick(6.0)
        if not world.running("a", "d1") and world.healthy() == world.running():
            break
    assert world.healthy() == world.running()
    assert world.dead_answers == 0
    calls = Counter(world.calls[before:])
    assert calls.pop("UpdateTaskProtection") <= TASKS // 10 * 2
    assert calls == dict.fromkeys(
        ["RegisterInstance", "UpdateInstanceCustomHealthStatus", "DeregisterInstance"], TASKS
    )


def test_five_hundred_tasks_take_little_time_and_status() -> None:
    """A plan far below a second and a status below 16 KB while all five hundred leave."""
    world = rolled(500)
    slowest, largest = 0.0, 0
    for _ in range(12):
        world.tick(10.0)
        facts = world.facts()
        began = time.process_time()
        world.plan(facts)
        slowest = max(slowest, time.process_time() - began)
        world.reconcile()
        largest = max(largest, len(json.dumps(world.status)))
    assert 1_000 < largest < 16_000
    assert slowest < 1.0
