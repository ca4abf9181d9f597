"""Killed before or after any call, a progressive rollout ends in the same picture: weights, slots, history.

As test_crashes.py, for the stories of progressive_stories.py. What every story begins with (the first
rollout) is a story of its own, so the others die only at the calls that they add.
"""

from __future__ import annotations

from typing import Any

import pytest

from sim.deaths import Mortal, every_death
from sim.progressive_stories import BY_NAME, STORIES, at_step, picture, production, serves, tell, verb
from sim.stories import Story, delete_both
from sim.universe import ROUTE, WEB, Crashes, Universe
from sim.verdict import litter
from sim.visitors import Visitors
from soaking import say

CASES = [pytest.param(story, id=story.name) for story in STORIES]


def lived(story: Story, hook: Mortal) -> Universe:
    """Tell the story; nobody dies in its first step where there are others."""
    universe = Universe(seed=7, hook=hook)
    hook.now = universe.clock.now
    beginning, rest = (story.steps[:1], story.steps[1:]) if len(story.steps) > 1 else ((), story.steps)
    tell(Story(story.name, beginning), universe=universe, settling=0)
    hook.begin()
    return tell(Story(story.name, rest), universe=universe)


@pytest.mark.parametrize("story", CASES)
def test_same_end_whatever_call_it_dies_at(story: Story) -> None:
    """Every write of the story is the last of its process, before and after it took place."""

    def live(hook: Mortal) -> tuple[int, dict[str, Any], list[str]]:
        universe = lived(story, hook)
        return universe.crashes, picture(universe), litter(universe)

    (_, expected, left), deaths, calls = every_death(live)
    assert deaths, "a story without writes proves nothing"
    assert left == []
    for death in deaths:
        assert death.verdict == (1, expected, []), str(death)
    say(f"explored {story.name}: {len(deaths)} deaths, {len(calls)} calls")


@pytest.mark.parametrize("story", CASES)
def test_rest_and_restart_write_nothing(story: Story) -> None:
    """Fixpoint: neither ten minutes of looks after a story nor a new process make a write."""
    universe = tell(story)
    if universe.status().get("standby"):
        universe.settle(lambda: "standby" not in universe.status(), within=90_000)
    universe.run(120)  # the standby's tasks stop, and the next look sees it
    before = len(universe.calls())
    universe.run(600)
    assert universe.calls()[before:] == []
    universe.restart()
    universe.run(120)
    assert universe.calls()[before:] == []


@pytest.mark.parametrize("name", ["first rollout", "canary promoted twice", "supersede"])
def test_a_lost_status_is_found_again(name: str) -> None:
    """A restore (same spec, new uid, no status): the slot that gets requests is the live one, and stays it.

    The standby's time and the history went with the status, so it is not warm any more. Nothing else is
    different, nothing is made twice, no visitor notices, and a deletion finds everything.
    """
    universe = tell(BY_NAME[name])
    expected = picture(universe)
    visitors = Visitors(universe).start()
    lose_status(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    universe.run(120)
    found = picture(universe)
    different = {part for part in expected if found[part] != expected[part]}
    assert different <= {"history", "standby", "services"}
    assert (universe.status().get("rollout"), litter(universe), visitors.stop().bad) == (None, [], [])
    delete_both(universe)
    universe.settle(lambda: universe.gone(WEB, ROUTE), within=1800)
    assert (universe.services(), universe.target_groups(), universe.rules(), universe.definitions()) == (
        [],
        [],
        [],
        [],
    )


def test_a_status_lost_in_the_middle_begins_at_the_source_again() -> None:
    """At 5 % without memory: the source takes everything first, then the way forward is told again.

    The live slot's tasks go on: its definition is found by its hash, not registered again.
    """
    story = BY_NAME["canary promoted twice"]
    universe = tell(Story("half", story.steps[:2]), Crashes(), settling=0)
    source = max(production(universe).items(), key=lambda entry: entry[1])[0]
    visitors = Visitors(universe).start()
    seen: list[dict[str, int]] = []
    universe.hook = _Looking(universe, seen)
    before, definitions = (
        {s["serviceName"]: s["deployments"] for s in universe.services()},
        universe.definitions(),
    )
    lose_status(universe)
    universe.settle(lambda: at_step(1)(universe))
    assert seen[0] == {source: 1}
    assert {s["serviceName"]: s["deployments"] for s in universe.services()} == before
    assert universe.definitions() == definitions
    verb(universe, "promote-full")
    universe.settle(lambda: serves("web:2")(universe))
    assert (litter(universe), visitors.stop().bad) == ([], [])


class _Looking:
    """Remembers the production weights after each write to a rule."""

    def __init__(self, universe: Universe, seen: list[dict[str, int]]) -> None:
        self._universe, self._seen = universe, seen

    def __call__(self, when: str, name: str) -> None:
        if (when, name) == ("after", "aws ModifyRule"):
            self._seen.append(production(self._universe))


def lose_status(universe: Universe) -> None:
    """Do what a restore from a backup does to both objects, and start anew."""
    for key in (WEB, ROUTE):
        universe.cluster.lose_status(key)
    universe.restart()
