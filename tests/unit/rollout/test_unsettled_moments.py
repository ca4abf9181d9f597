"""What a slot counts for while tasks may still be taken from it by a call without an answer (decision 27)."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.conditions import timestamp
from sluice.rollout import scaling
from sluice.rollout.work import Work
from unit.rollout.moment import NOW, moment

UNTIL = NOW + 9


def with_slots(work: Work, **members: dict[str, Any]) -> Work:
    """Return the moment with other facts of its slots."""
    slots = {
        name: dataclasses.replace(slot, settles_at=UNTIL, **{"healthy": 4, **members.get(name, {})})
        for name, slot in work.situation.slots.items()
    }
    return dataclasses.replace(work, situation=dataclasses.replace(work.situation, slots=slots))


def waited(work: Work) -> tuple[bool, list[float]]:
    """Return whether the text tells of the open call with its end, and the wakes."""
    text = work.waits.message if work.waits else ""
    return "never answered" in text and timestamp(UNTIL) in text, work.wakes


BACK: dict[str, tuple[dict[str, Any], dict[str, Any], bool | None]] = {
    "no call is open": ({}, {}, True),
    "all may go": ({"fewest": 0}, {}, None),
    "a quarter may stay": ({"fewest": 1}, {}, None),
    "half may stay": ({"fewest": 2}, {}, True),
    "as many as the candidate has may stay": ({"fewest": 1}, {"healthy": 1}, True),
    "nobody answers for the candidate": ({"fewest": 0}, {"healthy": 0}, True),
    "the candidate's health is not known": ({"fewest": 1}, {"healthy": None}, None),
    "each zone must keep one": ({"fewest": 2, "zones": 3}, {}, None),
    "too few as it is": ({"healthy": 0, "fewest": 0}, {}, False),
}


@pytest.mark.parametrize(("source", "candidate", "answer"), BACK.values(), ids=BACK)
def test_a_rollback_goes_by_what_stays(
    *, source: dict[str, Any], candidate: dict[str, Any], answer: bool | None
) -> None:
    """It waits only where what stays would be too few, and never for a candidate that is dead anyway."""
    work = with_slots(moment(rollout={"stage": "RollingBack"}), a=source, b=candidate)
    assert scaling.source_takes_back(work) is answer
    assert waited(work) == ((True, [UNTIL]) if answer is None else (False, []))
    if answer is None:
        assert work.waits
        assert (work.waits.reason, work.waits.counts) == ("WaitingForTargets", True)


@pytest.mark.parametrize(("fewest", "ready"), [(None, True), (4, True), (2, True), (1, False)])
def test_the_candidate_gets_no_more_than_what_stays_can_carry(fewest: int | None, *, ready: bool) -> None:
    """A quarter of four, and a surge of one, are two that stay."""
    work = with_slots(moment(), b={"fewest": fewest})
    assert scaling.candidate_ready(work, 250) is ready
    assert waited(work) == ((False, []) if ready else (True, [UNTIL]))


@pytest.mark.parametrize(("fewest", "carries"), [(None, True), (3, True), (2, False)])
def test_the_live_slot_carries_what_stays_of_it(fewest: int | None, *, carries: bool) -> None:
    """Three quarters of four need three that stay."""
    work = with_slots(moment(), a={"fewest": fewest})
    assert scaling.source_carries(work, 750) is carries
    assert waited(work) == ((False, []) if carries else (True, [UNTIL]))


def test_too_few_healthy_targets_are_told_before_what_may_still_go() -> None:
    """The first thing that is missing is what a person can look at."""
    work = with_slots(moment(), b={"fewest": 0, "healthy": 0})
    assert not scaling.candidate_ready(work, 250)
    assert waited(work) == (False, [])
