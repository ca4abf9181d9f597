"""What the candidate's tasks run, noted at one moment: when it is looked at, and when it holds."""

from __future__ import annotations

import dataclasses
from typing import Any, get_args

import pytest

from sluice.model.rollout import Stage
from sluice.rollout import images
from sluice.rollout.work import Work
from unit.rollout.moment import moment

OLD, NEW, SIDECAR = "app@sha256:aaaa", "app@sha256:bbbb", "proxy@sha256:cccc"
REACHED = {"PostScaleUp", "PreTraffic", "Stepping", "PostTraffic", "Baking", "PostBake"}
ASKED = "AnalysisInconclusive"


def seen(*running: str, revision: str = "r2", **rollout: Any) -> Work:
    """Return the moment after the machine looked at what runs."""
    work = moment(rollout=rollout)
    slot = dataclasses.replace(work.situation.slots["b"], images=running, revision=revision)
    slots = {**work.situation.slots, "b": slot}
    work.situation = dataclasses.replace(work.situation, slots=slots)
    images.watch(work)
    return work


@pytest.mark.parametrize("stage", get_args(Stage))
def test_it_is_looked_at_until_the_source_goes(stage: Stage) -> None:
    """From the first tasks on; not where they may still be another revision's, nor on the way back."""
    assert seen(OLD, stage=stage).rollout.images == ((OLD,) if stage in REACHED else ())


@pytest.mark.parametrize(
    ("members", "noted"),
    [
        pytest.param({}, True, id="a rollout"),
        pytest.param({"kind": "First"}, False, id="nothing is analysed in a first one"),
        pytest.param({"kind": "Undo"}, False, id="nor in an undo"),
        pytest.param({"revision": "r1"}, False, id="its tasks are of another revision"),
    ],
)
def test_only_the_candidate_of_a_rollout_is_noted(members: dict[str, Any], *, noted: bool) -> None:
    """Two images of one container hold it."""
    work = seen(OLD, NEW, **members)
    assert work.rollout.images == ((OLD, NEW) if noted else ())
    assert work.rollout.held == (ASKED if noted else "")


@pytest.mark.parametrize(
    ("known", "running", "kept", "held"),
    [
        pytest.param((OLD,), (OLD,), (OLD,), "", id="the same"),
        pytest.param((OLD,), (), (OLD,), "", id="not read"),
        pytest.param((OLD,), (OLD, SIDECAR), (OLD, SIDECAR), "", id="one more container"),
        pytest.param((OLD,), (NEW,), (OLD, NEW), ASKED, id="another image"),
        pytest.param((OLD, NEW), (NEW, SIDECAR), (OLD, NEW, SIDECAR), "", id="answered already"),
    ],
)
def test_another_image_of_a_container_holds(
    known: tuple[str, ...], running: tuple[str, ...], kept: tuple[str, ...], held: str
) -> None:
    """What a person has answered is not asked again."""
    work = seen(*running, images=known)
    assert (work.rollout.images, work.rollout.held) == (kept, held)
    if held:
        assert "slot b runs another image than the one that was analysed: app:" in work.rollout.message


@pytest.mark.parametrize("held", ["DriftHalted", "RouteMissing", ASKED])
def test_one_question_at_a_time(held: str) -> None:
    """It is noted, and asked, when the first one is answered; what holds nothing is noted at once."""
    assert seen(NEW, images=(OLD,), held=held, message="m").rollout.images == (OLD,)
    assert seen(SIDECAR, images=(OLD,), held=held, message="m").rollout.images == (OLD, SIDECAR)


def test_thirty_two_are_kept() -> None:
    """A tag that is moved again and again must not fill the status."""
    many = tuple(f"c{number}@sha256:d" for number in range(40))
    assert seen(*many).rollout.images == many[:32]
    assert seen(*many, images=many[:31]).rollout.images == many[:32]
    full = seen("c0@sha256:e", images=many[:32])
    assert (full.rollout.images, full.rollout.held) == (many[:32], "")
