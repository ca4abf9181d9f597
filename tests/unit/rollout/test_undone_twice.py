"""A second undo does not lead back to what the first one fled from; what a refused revision is told."""

from __future__ import annotations

import dataclasses

import pytest

from sluice.model.situation import Person
from sluice.model.strategy import Pause, Progressive, SetWeight
from unit.rollout.world import World, live

STEPS = Progressive(
    steps=(
        SetWeight(permille=250),
        Pause(),
        SetWeight(permille=500),
        Pause(seconds=600),
        SetWeight(permille=1000),
    ),
    bake=2,
    snapshot={"x": 1},
)


def paused(strategy: Progressive = STEPS) -> World:
    """Return a world in which r2 waits for a person."""
    world = live(strategy=strategy)
    world.wanted = "r2"
    world.run(60)
    return world


def undone() -> World:
    """Return a world in which r2 was live and was undone."""
    world = live(strategy=dataclasses.replace(STEPS, steps=(SetWeight(permille=1000),)))
    world.wanted = "r2"
    world.run(200)
    world.person = Person(undo="")
    world.run(200)
    assert world.motion.live is not None
    assert (world.motion.live.revision, world.motion.rollout) == ("r1", None)
    world.notes.clear()
    return world


@pytest.mark.parametrize(("revision", "lives"), [("", "r1"), ("r2", "r2")], ids=["plain", "by-name"])
def test_undo_after_an_undo(revision: str, lives: str) -> None:
    """The revision before is the rejected one: only who names it goes there, at once and without steps."""
    world = undone()
    world.person = Person(undo=revision)
    world.run(200)
    assert world.motion.live is not None
    assert world.motion.live.revision == lives
    assert ("VerbIgnored" in world.notes) is (lives == "r1")


def test_retry_after_an_undo() -> None:
    """What the refusal recommends works."""
    world = undone()
    world.person = Person(retry=True)
    world.run(200)
    assert world.motion.live is not None
    assert world.motion.live.revision == "r2"


@pytest.mark.parametrize("promoted", [False, True], ids=["endless", "timed"])
@pytest.mark.parametrize("how", ["verb", "spec"])
def test_a_pause_step_says_what_holds_after_it(how: str, *, promoted: bool) -> None:
    """Who promotes there would else wonder why nothing goes on."""
    world = paused()
    if promoted:
        world.person = Person(promote=True)
        world.run(60)
    before = world.decide().message
    if how == "verb":
        world.person = Person(pause=True)
    else:
        world.paused = True
    added = {
        "verb": "; paused by a person, too: resume to go on after that",
        "spec": "; spec.paused holds it after that",
    }
    world.run(4)
    assert world.decide().message == before + added[how]


@pytest.mark.parametrize(("policy", "state"), [("Reject", "Failed"), ("Queue", "Waiting")])
def test_the_next_revision_meanwhile(policy: str, state: str) -> None:
    """A revision that will not run is not shown as one that waits."""
    world = paused(dataclasses.replace(STEPS, on_new_revision=policy))  # type: ignore[arg-type]
    world.wanted = "r3"
    world.run(4)
    assert world.motion.rollout is not None
    gate = next(gate for gate in world.motion.rollout.gates if gate.name == "next revision")
    assert (gate.state, "retry when this one is over" in gate.message) == (state, policy == "Reject")
