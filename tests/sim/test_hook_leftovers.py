"""No task of a hook outlives the wait for it, whichever call the operator's process dies at.

The hook's command never ends by itself. What ends the wait: its time, an abort, another revision, a deletion,
a status that was lost. A process that lives stops the task; one that dies before StopTask leaves that to the
next, which finds the task by its object.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest

from sim.deaths import Mortal, every_death
from sim.progressive_stories import BLUE_GREEN, ready, rolled_back, verb, web
from sim.stories import apply, delete_both
from sim.test_progressive_crashes import lose_status
from sim.test_progressive_hooks import hook_tasks, strategy
from sim.universe import ROUTE, WEB, Universe, route
from sluice.controllers.hook_leftovers import HookLeftovers
from sluice.rollout.work import SETTLING
from soaking import say

LONG = 2 * SETTLING
"""Seconds in which what is left has to be found: by two looks, the second when no call can land any more."""


def endless(**members: Any) -> dict[str, Any]:
    """Return a strategy whose hook never answers."""
    made = strategy("PreScaleUp", **({"timeout": "90s"} | members))
    made["progressive"]["hooks"][0]["runTask"].pop("environment")
    return made


def waiting(hook: Mortal | None = None) -> Universe:
    """Return a universe in which web:2's hook runs; whoever dies, dies from its beginning on."""
    universe = Universe(seed=3, hook=hook)
    if hook:
        hook.now = universe.clock.now
    apply(web(strategy=BLUE_GREEN), route())(universe)
    universe.settle(lambda: ready(universe), within=300)
    if hook:
        hook.begin()
    apply(web("web:2", strategy=endless()))(universe)
    universe.settle(lambda: len(hook_tasks(universe)) == 1, within=80)
    return universe


def looks(universe: Universe) -> int:
    """Return how often it was asked which tasks the hooks of an object started."""
    found = universe.world.calls.find(service="ecs", operation="ListTasks")
    return sum("startedBy" in call.params for call in found)


def its_time_ends(universe: Universe) -> None:
    """Wait until nobody waits any more."""
    universe.settle(lambda: rolled_back(universe), within=300)


def abort(universe: Universe) -> None:
    """Let a person say abort."""
    verb(universe, "abort")
    universe.settle(lambda: rolled_back(universe), within=300)


def another_revision(universe: Universe) -> None:
    """Ask for web:3, without hooks, and wait until it has begun."""
    apply(web("web:3", strategy=BLUE_GREEN))(universe)
    universe.settle(lambda: universe.status()["history"][0]["outcome"] == "Superseded", within=300)


def deletion(universe: Universe) -> None:
    """Delete: when the object is gone, everything is."""
    delete_both(universe)
    universe.settle(lambda: universe.gone(WEB, ROUTE), within=900)
    assert hook_tasks(universe) == []


ENDS: dict[str, Callable[[Universe], None]] = {
    "its time": its_time_ends,
    "abort": abort,
    "another revision": another_revision,
    "deletion": deletion,
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_whenever_it_dies_no_task_is_left(end: Callable[[Universe], None]) -> None:
    """Before and after every call from the hook's beginning on, StopTask's and RunTask's too."""

    def live(hook: Mortal) -> tuple[int, list[str]]:
        universe = waiting(hook)
        end(universe)
        universe.run(LONG)
        return universe.crashes, hook_tasks(universe)

    (_, left), deaths, calls = every_death(live)
    assert left == []
    assert {"aws RunTask", "aws StopTask"} <= {death.call for death in deaths}
    for death in deaths:
        assert death.verdict == (1, []), str(death)
    say(f"explored a hook's task, {end.__name__}: {len(deaths)} deaths, {len(calls)} calls")


def test_without_the_look_a_task_is_left() -> None:
    """Killed right before StopTask, and nobody looks: the command that never ends runs for ever."""

    def live(hook: Mortal) -> list[str]:
        universe = waiting(hook)
        abort(universe)
        universe.run(LONG)
        return hook_tasks(universe)

    with mock.patch.object(HookLeftovers, "look"):
        left, deaths, _ = every_death(live)
    assert left == []
    assert {(death.when, death.call) for death in deaths if death.verdict} >= {("before", "aws StopTask")}


@pytest.mark.parametrize("kind", ["lost-response", "reset"])
def test_a_task_whose_start_was_never_answered_is_found(kind: str) -> None:
    """RunTask took place, or not, and an abort comes before it is asked again."""
    universe = Universe(seed=3)
    apply(web(strategy=BLUE_GREEN), route())(universe)
    universe.settle(lambda: ready(universe), within=300)
    universe.fault(kind, operation="RunTask")
    apply(web("web:2", strategy=endless()))(universe)
    universe.run(8)
    assert len(hook_tasks(universe)) == (kind == "lost-response")
    abort(universe)
    universe.run(5)
    assert hook_tasks(universe) == []
    universe.run(LONG)
    assert looks(universe) >= 2


def test_a_status_that_was_lost_leaves_no_task() -> None:
    """The rollout begins anew under another id: its own hook runs alone, the one before is stopped."""
    universe = waiting()
    (before,) = hook_tasks(universe)
    lose_status(universe)
    universe.restart()
    universe.settle(lambda: before not in hook_tasks(universe), within=60)


def test_the_task_that_is_waited_for_goes_on_through_a_restart() -> None:
    """The look stops what nobody waits for, and nothing else: the same task, up to its own time."""
    universe = waiting()
    before = hook_tasks(universe)
    universe.restart()
    universe.run(20)
    assert hook_tasks(universe) == before


def test_at_rest_nobody_looks() -> None:
    """A new process looks twice, once what was there and once what came late; and never again."""
    universe = waiting()
    abort(universe)
    universe.run(LONG)

    before = looks(universe)
    universe.restart()
    universe.run(LONG)
    assert looks(universe) - before == 2
    universe.run(1800)
    assert looks(universe) - before == 2


def test_a_deletion_says_that_it_waits_for_the_look() -> None:
    """ECS does not say whether a task still runs: the object stays when all else is gone, and says so."""
    universe = waiting()
    universe.fault("throttle", operation="ListTasks")
    delete_both(universe)
    universe.run(300)
    said = universe.condition("Ready")
    assert (said["reason"], said["message"]) == (
        "Deleting",
        "it is looked for tasks of its hooks that still run, which ECS has not answered yet",
    )
    universe.heal()
    universe.settle(lambda: universe.gone(WEB, ROUTE), within=60)
    assert hook_tasks(universe) == []
