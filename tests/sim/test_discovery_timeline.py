"""How long names take, at AWS's own pace: the figures of docs/discovery.md, each with a little room."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from sim.discovery_stories import canary, complete, gone, named, proved, rolled_back, rolling, universe_with
from sim.names import Name
from sim.progressive_stories import said
from sim.stories import apply, delete_both
from sim.universe import ROUTE, WEB, Universe

ROOM = 5.0
Moments = Mapping[str, float]


class Watch:
    """Remembers when each task came into the name, was hidden, left it and stopped: the last of all tasks."""

    def __init__(self, universe: Universe) -> None:
        """Begin now."""
        self._universe, self._name, self._began = universe, Name(universe), universe.clock.now()
        self._known = frozenset(self._name.tasks())
        self._seen: dict[str, dict[str, float]] = {}
        self._look()

    def _look(self) -> None:
        now = self._universe.clock.now() - self._began
        there = {entry.address: entry for entry in self._name.entries()}
        for task in self._name.tasks().values():
            moments = self._seen.setdefault(task.id, {})
            entry = there.get(task.address)
            if entry is not None and entry.healthy:
                moments.setdefault("visible", now)
            elif "visible" in moments:
                moments.setdefault("hidden", now)
                if entry is None:
                    moments.setdefault("gone", now)
            if task.id in self._known and not task.serves:
                moments.setdefault("stopped", now)
        if now < 600:
            self._universe.clock.call_later(0.5, self._look)

    def last(self, moment: str) -> float:
        """Return when the last task that had this moment had it."""
        return max(moments[moment] for moments in self._seen.values() if moment in moments)


def begun(*manifests: Mapping[str, Any]) -> Universe:
    """Return a universe in which these are complete and at rest."""
    universe = universe_with()
    apply(*(dict(manifest) for manifest in manifests))(universe)
    universe.settle(lambda: complete("web:1")(universe))
    universe.run(30)
    return universe


@pytest.mark.parametrize(
    ("change", "done", "documented"),
    [
        pytest.param(
            rolling("web:2"),
            complete("web:2"),
            {"visible": 7, "hidden": 38, "gone": 83, "stopped": 85},
            id="update",
        ),
        pytest.param(
            rolling(replicas=2),
            complete("web:1", count=2),
            {"hidden": 30, "gone": 75, "stopped": 77},
            id="in",
        ),
        pytest.param(rolling(replicas=6), complete("web:1", count=6), {"visible": 7}, id="out"),
    ],
)
def test_an_update_and_scaling(
    change: Mapping[str, Any], done: Callable[[Universe], bool], documented: Moments
) -> None:
    """New ones are seen, old ones are hidden, gone and stopped when the page says."""
    universe = begun(rolling(), named())
    watch = Watch(universe)
    apply(dict(change))(universe)
    universe.settle(lambda: done(universe))
    universe.run(30)
    for moment, seconds in documented.items():
        assert seconds - ROOM <= watch.last(moment) <= seconds + ROOM, moment


def test_a_rollback_by_plane() -> None:
    """The rules go back at once, the name in 80 seconds; status tells both."""
    universe = begun(canary(), named(rules=True))
    apply(canary("web:2"))(universe)
    universe.settle(lambda: proved(1, a=3, b=1)(universe))
    said("abort")(universe)
    universe.settle(lambda: rolled_back(universe))
    ended = universe.status(WEB)["history"][0]
    assert ended["rollbackSeconds"] < 1
    assert 80 - ROOM <= ended["rollbackDiscoverySeconds"] <= 80 + ROOM


def test_a_death() -> None:
    """The entry of a task that died is gone after the next look and an operation."""
    universe = begun(rolling(), named())
    watch = Watch(universe)
    runtime = universe.world.outside.runtime
    assert runtime is not None
    launch = runtime.running()[0]
    runtime.crash(launch.task_arn, launch.containers[0].name)
    universe.run(120)
    assert watch.last("gone") <= 60 + 5 + ROOM


def test_all_goes() -> None:
    """The name is empty after an operation: there is nobody to send clients to."""
    universe = begun(rolling(), named())
    watch = Watch(universe)
    delete_both(universe)
    universe.settle(lambda: universe.gone(WEB, ROUTE) and gone(universe))
    assert watch.last("gone") <= 5 + ROOM
    assert watch.last("stopped") - watch.last("gone") >= 10
