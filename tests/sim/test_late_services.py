"""An UpdateService that takes place after its caller gave it up, an undo in between (decision 27).

The standby's time is over, its tasks are to go, and the answer of that call never comes: whether it takes
place, and when, nobody knows. Meanwhile a person wants exactly these tasks back.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any
from unittest import mock

import pytest

from sim.progressive_stories import QUICK, production, ready, serves, verb, web
from sim.stories import apply
from sim.universe import Universe, route
from sim.visitors import Visitors
from sluice.rollout import scaling
from sluice.rollout.work import SETTLING
from sluice_sandbox.aws.errors import ConnectionLost
from sluice_sandbox.aws.service import Caller

STRATEGY = {
    "type": "Progressive",
    "progressive": {
        "steps": [{"setWeight": 100}],
        "standby": {"replicas": "100%", "duration": "30s"},
        "drain": QUICK,
    },
}
NEVER = 1e9


class Unanswered:
    """The world, in which the first scale-in to nothing takes place `after` seconds without an answer."""

    def __init__(self, universe: Universe, *, after: float) -> None:
        """Stand before `universe`'s world."""
        self._universe = universe
        self._after = after
        self.at = 0.0
        """When the call was sent."""

    def call(
        self, service: str, operation: str, params: Mapping[str, Any], *, caller: Caller
    ) -> Mapping[str, Any]:
        """Let the call through, but for the one."""
        world = self._universe.world
        if self.at or operation != "UpdateService" or params.get("desiredCount") != 0:
            return world.call(service, operation, dict(params), caller=caller)
        self.at = self._universe.clock.now()
        if self._after < NEVER:
            landing = functools.partial(world.call, service, operation, dict(params), caller=caller)
            self._universe.clock.call_later(self._after, landing)
        raise ConnectionLost("no answer in 8 s")


def sent(after: float) -> tuple[Universe, Unanswered]:
    """Return a universe in which web:2 is live and the end of web:1's tasks was sent, unanswered."""
    universe = Universe(seed=7)
    between = Unanswered(universe, after=after)
    apply(web(strategy=STRATEGY), route())(universe)
    universe.settle(lambda: ready(universe))
    apply(web("web:2", strategy=STRATEGY))(universe)
    universe.settle(lambda: serves("web:2")(universe))
    universe.seen_world = between
    universe.restart()
    for _ in range(400):
        if between.at:
            break
        universe.run(0.1)
    assert between.at
    return universe, between


def undone(universe: Universe) -> bool:
    """Tell whether web:1 has everything, alone."""
    return [*production(universe)] == _groups(universe, "web:1")


def _groups(universe: Universe, image: str) -> list[str]:
    status = universe.status()
    slots = {
        slot["name"]
        for slot in status["slots"]
        if any(
            container["image"] == image
            for container in universe.aws(
                "ecs", "DescribeTaskDefinition", taskDefinition=slot["taskDefinition"]
            )["taskDefinition"]["containerDefinitions"]
        )
    }
    return [group["name"] for group in status["targetGroups"] if group["slot"] in slots]


@pytest.mark.parametrize("dies", [False, True], ids=["", "and the process died"])
@pytest.mark.parametrize("after", [0.0, 4.0, 9.5, NEVER], ids=["at once", "soon", "late", "never"])
def test_an_undo_waits_until_nothing_can_be_taken_from_it(after: float, *, dies: bool) -> None:
    """No request is without an answer; what is waited for, and until when, is in the condition."""
    universe, between = sent(after)
    visitors = Visitors(universe).start()
    if dies:
        universe.restart()
    universe.run(1)
    verb(universe, "undo")
    universe.run(1)
    assert not undone(universe)
    universe.settle(lambda: undone(universe), within=120)
    assert universe.clock.now() - between.at >= SETTLING
    universe.run(60)
    assert visitors.stop().bad == []
    assert "web" in visitors.names()
    assert not any("mayShrinkTo" in slot for slot in universe.status()["slots"])


def test_the_condition_tells_what_is_waited_for() -> None:
    """A person who said undo reads why nothing moves, and when it will."""
    universe, _ = sent(NEVER)
    verb(universe, "undo")
    universe.run(2)
    told = universe.condition("Ready")
    assert told["reason"] == "WaitingForTargets"
    assert "a change to 0 tasks was sent to ECS and never answered" in told["message"]
    assert "waited for until 2" in told["message"]


def test_without_the_wait_requests_meet_nobody() -> None:
    """The same late call, and nothing that keeps the undo from sending to tasks that go."""
    universe, _ = sent(9.5)
    visitors = Visitors(universe).start()
    with mock.patch.object(scaling, "unsettled", return_value=""):
        verb(universe, "undo")
        universe.run(60)
    assert visitors.stop().bad


def test_an_undo_after_an_answered_call_waits_for_nothing() -> None:
    """The way back costs what it always did: the standby's tasks are there, the rules are written at once."""
    universe = Universe(seed=7)
    apply(web(strategy=STRATEGY), route())(universe)
    universe.settle(lambda: ready(universe))
    apply(web("web:2", strategy=STRATEGY))(universe)
    universe.settle(lambda: serves("web:2")(universe))
    verb(universe, "undo")
    universe.settle(lambda: undone(universe), within=6)


def test_an_unanswered_call_that_nobody_minds_is_forgotten() -> None:
    """At rest the word about it leaves status when it is over, with one write, and nothing is asked again."""
    universe, _ = sent(2.0)
    assert [slot.get("mayShrinkTo") for slot in universe.status()["slots"]].count(0) == 1
    universe.run(SETTLING + 5)
    assert ready(universe)
    assert not any("mayShrinkTo" in slot for slot in universe.status()["slots"])
    before = len(universe.calls())
    universe.run(30)
    assert universe.calls()[before:] == []


def test_a_scale_in_that_waits_for_tokens_costs_no_status_writes() -> None:
    """The word about it stays from try to try, and is not believed: nothing was sent."""
    universe = Universe(seed=7)
    apply(web(strategy=STRATEGY), route())(universe)
    universe.settle(lambda: ready(universe))
    apply(web("web:2", strategy=STRATEGY))(universe)
    universe.settle(lambda: serves("web:2")(universe))
    universe.fault("throttle", operation="UpdateService")
    universe.run(45)
    assert universe.reason() == "WaitingForAWSBudget"
    before = len(universe.calls())
    universe.run(60)
    assert set(universe.calls()[before:]) == {"aws UpdateService"}
    verb(universe, "undo")
    universe.settle(lambda: undone(universe), within=10)
