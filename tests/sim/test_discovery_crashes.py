"""Killed before or after any call, a name ends the same, and no client notices.

As test_progressive_crashes.py, for the stories of discovery_stories.py, with two more judges: clients hold
every answer that a client could hold, and each write of the operator is asked who is left after it. All of
the stories together have some five hundred moments to die at: `make test` takes an eighth, `make soak` all.
"""

from __future__ import annotations

from typing import Any

import pytest

from sim.deaths import Mortal, every_death
from sim.discovery_observer import Clients
from sim.discovery_stories import HANDED, STAYS, STORIES, TTL, litter, picture, tell, universe_with
from sim.names import Name
from sim.stories import Story
from sim.universe import Universe
from soaking import say

STRIDE = 8
CASES = [pytest.param(story, id=story.name) for story in STORIES]


def _clients(story: Story, universe: Universe) -> Clients | None:
    """Return clients of a name that stays; ECS stops tasks of its own entries without waiting for anybody."""
    if story not in STAYS + HANDED:
        return None
    return Clients(Name(universe), ttl=TTL, ecs_registers=story in HANDED).start()


def watched(story: Story, universe: Universe) -> list[str]:
    """Tell a story from its second step on, with clients where the name stays; return their complaints."""
    clients = _clients(story, universe)
    tell(Story(story.name, story.steps[1:]), universe=universe)
    return clients.stop().bad if clients else []


def survive(story: Story, *, first: int = 0, stride: int = 1) -> None:
    """Let the operator die at every call of a story, or at every `stride`th from `first` on.

    What a story begins with is a story of its own.
    """

    def live(hook: Mortal) -> tuple[int, list[str], dict[str, Any], list[str]]:
        universe = universe_with(hook)
        hook.now = universe.clock.now
        if len(story.steps) == 1:
            hook.begin()
        tell(Story(story.name, story.steps[:1]), universe=universe, settling=0)
        hook.begin()
        complaints = watched(story, universe)
        return universe.crashes, complaints, picture(universe), litter(universe)

    (_, complaints, expected, left), deaths, calls = every_death(live, first=first, stride=stride)
    assert (complaints, left) == ([], [])
    assert deaths, "a story without writes proves nothing"
    for death in deaths:
        assert death.verdict == (1, [], expected, []), str(death)
    say(f"explored {story.name}: {len(deaths)} deaths, {len(calls)} calls")


@pytest.mark.parametrize(("number", "story"), list(enumerate(STORIES)), ids=[s.name for s in STORIES])
def test_same_end_whatever_call_it_dies_at(number: int, story: Story) -> None:
    """Every eighth moment, another eighth for each story: each kind of call is met. `make soak` has all."""
    survive(story, first=number % STRIDE, stride=STRIDE)


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("story", CASES)
def test_same_end_at_every_call(story: Story) -> None:
    """Every write is the last of its process, before and after it took place."""
    survive(story)


@pytest.mark.parametrize("story", CASES)
def test_rest_and_restart_write_nothing(story: Story) -> None:
    """Fixpoint: neither ten minutes of looks after a story nor a new process make a write."""
    universe = tell(story)
    if universe.status().get("standby"):
        universe.settle(lambda: "standby" not in universe.status(), within=90_000)
        universe.run(120)
    before = len(universe.calls())
    universe.run(600)
    assert universe.calls()[before:] == []
    universe.restart()
    universe.run(120)
    assert universe.calls()[before:] == []
