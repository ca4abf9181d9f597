"""Killed before or after any call, the operator ends in the same state: no orphan, no duplicate.

Each story is told once without a crash, which gives the list of its writes to AWS and to Kubernetes and
the picture at its end. On the way the process ends at every one of these writes twice, in a universe that is
forked for it (deaths.py): right before it, and right after it took place but before anybody heard the answer
(architecture.md, "Invariants"). The picture has to be equal each time.
"""

from __future__ import annotations

from typing import Any

import pytest

from sim.deaths import Mortal, every_death
from sim.stories import STORIES, Story, tell
from sim.universe import ROUTE, WEB, Universe
from soaking import say

CASES = [pytest.param(story, id=story.name) for story in STORIES]


@pytest.mark.parametrize("story", CASES)
def test_same_end_whatever_call_it_dies_at(story: Story) -> None:
    """Every write of the story is the last of its process once before and once after it took place."""

    def live(hook: Mortal) -> tuple[int, dict[str, Any]]:
        universe = Universe(seed=7, hook=hook)
        hook.now = universe.clock.now
        hook.begin()
        tell(story, universe=universe)
        return universe.crashes, universe.picture()

    (_, expected), deaths, calls = every_death(live)
    assert deaths, "a story without writes proves nothing"
    for death in deaths:
        assert death.verdict == (1, expected), str(death)
    say(f"explored {story.name}: {len(deaths)} deaths, {len(calls)} calls")


@pytest.mark.parametrize("story", CASES)
def test_rest_writes_nothing(story: Story) -> None:
    """Fixpoint: ten minutes of drift passes after a story make no write, to AWS or to Kubernetes."""
    universe = tell(story)
    before = len(universe.calls())
    universe.run(600)
    assert universe.calls()[before:] == []


@pytest.mark.parametrize("story", CASES)
def test_a_restart_writes_nothing(story: Story) -> None:
    """A new process that finds everything in order makes no write, to AWS or to Kubernetes."""
    universe = tell(story)
    before = len(universe.calls())
    universe.restart()
    universe.run(120)
    assert universe.calls()[before:] == []


@pytest.mark.parametrize("story", CASES)
def test_a_lost_status_is_found_again(story: Story) -> None:
    """A restore (same spec, new uid, no status) ends in the same picture without a mutating AWS call.

    Tags of the uid are informational and may follow it; nothing else is written (decision 16).
    """
    universe = tell(story)
    expected, before = universe.picture(), len(universe.writes())
    for key in (WEB, ROUTE):
        if key in universe.cluster.objects:
            universe.cluster.lose_status(key)
    universe.restart()
    keys = [key for key in (WEB, ROUTE) if key in universe.cluster.objects]
    universe.settle(lambda: universe.ready(*keys) if keys else True)
    assert universe.picture() == expected
    assert set(universe.writes()[before:]) <= {"TagResource", "AddTags"}
