"""Which time counts against progressDeadlineSeconds, and when the deadline is moved."""

from __future__ import annotations

import dataclasses

import pytest

from sluice.controllers.lost_time import LostTime
from sluice.model.errors import AwsErrorKind, AwsFailure, Deferred, Refused, SluiceError
from sluice.plan.deployment.state import Rollout, State
from unit.deployment.wishes import KEY, NOW, OTHER

DEADLINE = NOW + 60
MOVING = State(rollout=Rollout(id="1", candidate="web-1", started_at=NOW, deadline_at=DEADLINE))


def failure(kind: AwsErrorKind) -> AwsFailure:
    """Return what the gateway says."""
    return AwsFailure(service="ecs", operation="UpdateService", code="x", message="y", kind=kind)


def deadline(lost: LostTime, *, now: float) -> float | None:
    """Return the deadline that a pass at `now` works with."""
    rollout = lost.granted(KEY, MOVING, now=now).rollout
    assert rollout is not None
    return rollout.deadline_at


@pytest.mark.parametrize(
    ("error", "counts"),
    [
        pytest.param(Deferred(until=NOW, bucket="ecs"), False, id="over the budget"),
        pytest.param(failure("throttled"), False, id="throttled"),
        pytest.param(failure("unavailable"), False, id="no answer"),
        pytest.param(failure("unknown-outcome"), False, id="lost answer"),
        pytest.param(failure("denied"), True, id="denied"),
        pytest.param(failure("rejected"), True, id="rejected"),
        pytest.param(Refused("InvalidSpec", "x"), True, id="refused"),
    ],
)
def test_what_counts(error: SluiceError, *, counts: bool) -> None:
    """AWS's pace does not, what a person has to mend does."""
    lost = LostTime()
    lost.failed(KEY, error, now=NOW + 10)
    lost.ended(KEY, now=NOW + 40)
    assert deadline(lost, now=NOW + 70) == (DEADLINE if counts else DEADLINE + 30)


def begun(id_: str, *, until: float) -> State:
    """Return the state of another rollout, or of the same one with another deadline."""
    assert MOVING.rollout is not None
    return State(rollout=dataclasses.replace(MOVING.rollout, id=id_, deadline_at=until))


def test_it_is_given_once_and_only_when_it_is_needed() -> None:
    """Before its end the deadline stays what status says, so a pass that waits writes nothing."""
    lost = LostTime()
    lost.failed(KEY, failure("throttled"), now=NOW)
    assert deadline(lost, now=NOW + 50) == DEADLINE
    lost.failed(KEY, failure("throttled"), now=NOW + 50)
    assert deadline(lost, now=NOW + 61) == DEADLINE + 61
    lost.ended(KEY, now=NOW + 61)
    written = begun("1", until=DEADLINE + 61)
    assert lost.granted(KEY, written, now=NOW + 200) == written


def test_a_pass_that_fails_before_it_writes_has_used_nothing_up() -> None:
    """Reads that are throttled past the deadline: each pass starts from the status's old deadline."""
    lost = LostTime()
    lost.failed(KEY, failure("throttled"), now=NOW)
    assert [deadline(lost, now=NOW + seconds) for seconds in (70, 100, 300)] == [
        DEADLINE + 70,
        DEADLINE + 100,
        DEADLINE + 300,
    ]


def test_time_before_a_rollout_or_of_another_one_is_not_its() -> None:
    """An hour of throttling before it began must not make its deadline an hour longer."""
    lost = LostTime()
    lost.failed(KEY, failure("throttled"), now=NOW - 3600)
    lost.granted(KEY, State(), now=NOW)
    lost.ended(KEY, now=NOW)
    assert deadline(lost, now=NOW + 70) == DEADLINE
    lost.failed(KEY, failure("throttled"), now=NOW + 70)
    lost.ended(KEY, now=NOW + 90)
    other = begun("2", until=NOW + 100)
    assert lost.granted(KEY, other, now=NOW + 120) == other


def test_each_object_has_its_own_time() -> None:
    """What one lost is not given to another, and nothing is kept of what is gone or has no rollout."""
    lost = LostTime()
    lost.failed(OTHER, failure("throttled"), now=NOW)
    lost.ended(OTHER, now=NOW + 60)
    assert deadline(lost, now=NOW + 70) == DEADLINE
    for end in (lambda: lost.forget(OTHER), lambda: lost.granted(OTHER, State(), now=NOW)):
        lost.failed(OTHER, failure("throttled"), now=NOW)
        lost.ended(OTHER, now=NOW + 60)
        end()
        assert lost.granted(OTHER, MOVING, now=NOW + 70) == MOVING


def test_a_paused_rollout_has_no_deadline_to_move() -> None:
    """The clock stands still anyway."""
    lost = LostTime()
    lost.failed(KEY, failure("throttled"), now=NOW)
    assert MOVING.rollout is not None
    paused = dataclasses.replace(MOVING, rollout=dataclasses.replace(MOVING.rollout, deadline_at=None))
    assert lost.granted(KEY, paused, now=NOW + 999) == paused
