"""What the candidate's tasks run, by digest: a tag that somebody moved holds the rollout."""

from __future__ import annotations

import pytest

from sluice.model.rollout import Decision
from sluice.model.situation import Person
from unit.rollout.world import World, live

OLD, NEW = f"app@sha256:{'a' * 64}", f"app@sha256:{'b' * 64}"
SIDECAR, THIRD = f"proxy@sha256:{'c' * 64}", f"app@sha256:{'d' * 64}"


def canary(*images: str) -> World:
    """Return a world in the pause at 25 %, whose candidate was seen with `images`."""
    world = live()
    world.images = images
    world.wanted = "r2"
    for _ in range(200):
        world.pass_time(2.0)
        decision = world.decide()
        rollout = world.motion.rollout
        if rollout and rollout.step == 1 and rollout.step_since:
            break
        assert decision.reason != "AnalysisInconclusive"
    return world


def told(world: World) -> Decision:
    """Return the next decision."""
    world.pass_time(2.0)
    return world.decide()


def test_another_image_under_the_same_tag_holds_until_a_person_promotes() -> None:
    """It was not analysed: told with both digests, no step forward; promote takes it as it is."""
    world = canary(OLD, SIDECAR)
    world.images = (OLD, NEW, SIDECAR)
    decision = told(world)
    assert decision.reason == "AnalysisInconclusive"
    assert f"app: sha256:{'a' * 12} then sha256:{'b' * 12}; its tag was moved" in decision.message
    assert world.notes.count("AnalysisInconclusive") == 1
    world.run(600)
    assert world.motion.rollout
    assert world.motion.rollout.weight == 250
    world.person = Person(promote=True)
    world.until("", limit=900)
    assert world.history == [("r2", "Succeeded")]


def test_two_images_from_the_start_hold_before_any_weight() -> None:
    """VersionConsistency disabled and a tag moved while tasks start: nobody knows which is analysed."""
    world = live()
    world.images = (OLD, NEW)
    world.wanted = "r2"
    decision = world.run(300)
    assert decision.reason == "AnalysisInconclusive"
    assert world.traffic.weights == {"a": 1000}


def test_what_was_promoted_is_not_asked_about_again() -> None:
    """Neither when another container's image is told later, nor before the first weight; a third one is."""
    world = live()
    world.images = (OLD, NEW)
    world.wanted = "r2"
    world.run(300)
    world.person = Person(promote=True)
    told(world)
    world.person = Person()
    world.images = (OLD, NEW, SIDECAR)
    assert told(world).reason != "AnalysisInconclusive"
    world.until("", limit=900)
    assert world.history == [("r2", "Succeeded")]
    world = canary(OLD)
    world.images = (OLD, NEW)
    told(world)
    world.person = Person(promote=True)
    told(world)
    world.person = Person()
    world.images = (NEW, THIRD)
    assert told(world).reason == "AnalysisInconclusive"


@pytest.mark.parametrize(
    "images",
    [
        pytest.param((), id="not read any more"),
        pytest.param((SIDECAR,), id="of one container only"),
        pytest.param((OLD, SIDECAR), id="the same"),
    ],
)
def test_what_is_not_another_image_holds_nothing(images: tuple[str, ...]) -> None:
    """For want of an answer no rollout stops."""
    world = canary(OLD, SIDECAR)
    world.images = images
    world.until("", limit=900)
    assert world.history == [("r2", "Succeeded")]


def test_an_abort_is_heard_while_it_holds() -> None:
    """The way back needs nobody's digest."""
    world = canary(OLD)
    world.images = (NEW,)
    told(world)
    world.person = Person(abort=True)
    world.until("", limit=300)
    assert world.history == [("r2", "Aborted")]


def test_drift_is_answered_first_and_the_image_is_told_after_it() -> None:
    """One question for a person at a time; none is forgotten."""
    world = canary(OLD)
    world.routes[0].foreign = "7: 50/50"
    assert told(world).reason == "DriftHalted"
    world.images = (NEW,)
    assert told(world).reason == "DriftHalted"
    world.routes[0].foreign = ""
    told(world)
    assert told(world).reason == "AnalysisInconclusive"
