"""What a pipeline is told in the course of real rollouts, as the machine and its status tell them."""

from __future__ import annotations

import pytest

from sluice.cli.judgement import judge
from sluice.model.situation import Person
from sluice.model.strategy import Pause, Progressive, SetWeight
from unit.cli.published import published
from unit.rollout.world import World, live

STEPS = Progressive(
    steps=(
        SetWeight(permille=250),
        Pause(seconds=30),
        SetWeight(permille=500),
        Pause(),
        SetWeight(permille=1000),
    ),
    bake=20,
    snapshot={"x": 1},
)


def outcomes(world: World, seconds: float) -> list[str]:
    """Return the different judgements of so many seconds, in order."""
    found: list[str] = []
    ends = world.now + seconds
    while world.now < ends:
        world.decide()
        outcome = judge(published(world)).outcome
        if outcome not in found[-1:]:
            found.append(outcome)
        world.pass_time(2.0)
    return found


def canary() -> World:
    """Return a world in which r2 waits for a person, after a timed pause."""
    world = live(strategy=STEPS)
    assert outcomes(world, 4) == ["Ready"]
    world.wanted = "r2"
    assert outcomes(world, 200) == ["Moving", "Person"]
    return world


def test_a_promoted_rollout_is_ready_in_the_end() -> None:
    """Moving through a timed pause, a person at the endless one, then Ready."""
    world = canary()
    world.person = Person(promote=True)
    assert outcomes(world, 300) == ["Moving", "Ready"]


@pytest.mark.parametrize("how", ["abort", "crash"])
def test_a_rollback_fails_only_when_it_is_over(how: str) -> None:
    """While it goes back it moves; then the spec's revision is rejected."""
    world = canary()
    if how == "abort":
        world.person = Person(abort=True)
    else:
        world.crashing = {"r2"}
    assert outcomes(world, 300) == ["Moving", "Failed"]


def test_a_person_may_pause_and_resume() -> None:
    """The verb pause is a person's to end; after drift a person decides as well."""
    world = live(strategy=STEPS)
    world.wanted = "r2"
    world.until("Stepping")
    world.person = Person(pause=True)
    assert outcomes(world, 10) == ["Moving", "Person"]  # first the weight that was ordered is proved
    world.person = Person(resume=True)
    assert outcomes(world, 4) == ["Moving"]
    world.routes[0].foreign = "a=1 b=1"
    assert outcomes(world, 4) == ["Person"]


def test_an_undo_is_no_success_of_the_spec() -> None:
    """Another revision than the spec's runs: failed, until retry or another spec."""
    world = canary()
    world.person = Person(promote_full=True)
    outcomes(world, 300)
    assert judge(published(world)).outcome == "Ready"
    world.person = Person(undo="")
    assert outcomes(world, 300)[-1] == "Failed"
    world.wanted = "r3"
    assert outcomes(world, 20)[0] == "Moving"
