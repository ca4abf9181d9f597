"""The deadline's clock and what a jump of the wall clock moves, member by member."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.rollout import HookRun, MetricRun, Standby
from sluice.model.strategy import Metric
from sluice.rollout import clocks
from sluice.rollout.work import CALL_BUDGET, Wait, Work
from unit.rollout.moment import NOW, analysed, moment

LATER = NOW + 500
ERRORS = Metric(name="errors", kind="prometheus", query={}, interval=10)
TIMERS = ("step_since", "stage_since", "progressed_at", "clock_stopped_at", "healthy_since", "barrier_since")
PAST = ("verify_after", "decided_at", "verified_at", "discovered_at", "samples_after")


def waiting(*, counts: bool = True, **members: Any) -> Work:
    """Return a moment that waits for tasks under a deadline of 100 s."""
    facts = {name: members.pop(name) for name in ("blocked",) if name in members}
    work = moment(strategy=analysed(progress_deadline=100), rollout=members, **facts)
    work.waits = Wait(reason="WaitingForTargets", message="0 of 1 healthy", counts=counts)
    return work


@pytest.mark.parametrize("name", TIMERS[:4])
def test_a_start_in_the_future_is_a_jump(name: str) -> None:
    """No timer began later than now: the clock was set back, and every timer starts again."""
    work = moment(rollout={name: NOW + 1})
    clocks.renew(work)
    assert getattr(work.rollout, name) == NOW
    assert work.rollout.stage_since == work.rollout.progressed_at == NOW


@pytest.mark.parametrize("name", TIMERS[:4])
def test_a_start_at_this_very_second_is_none(name: str) -> None:
    """What began now has begun."""
    work = moment(rollout={name: NOW})
    before = work.motion
    clocks.renew(work)
    assert work.motion == before


def test_a_jump_starts_every_timer_and_leaves_what_was_not_begun() -> None:
    """Times in the past stay; none lies in the future afterwards."""
    begun = moment(rollout=dict.fromkeys((*TIMERS, *PAST), LATER), clock_jumped=True)
    clocks.renew(begun)
    assert {name: getattr(begun.rollout, name) for name in (*TIMERS, *PAST)} == dict.fromkeys(
        (*TIMERS, *PAST), NOW
    )
    early = moment(rollout=dict.fromkeys(PAST, NOW - 7), clock_jumped=True)
    clocks.renew(early)
    assert {getattr(early.rollout, name) for name in PAST} == {NOW - 7}
    assert early.rollout.step_since is early.rollout.clock_stopped_at is None
    assert early.rollout.healthy_since is early.rollout.barrier_since is None


def test_a_jump_begins_samples_and_hooks_anew() -> None:
    """A running hook has all its time again, one that ended keeps its start; samples wait an interval."""
    work = moment(
        strategy=analysed(ERRORS),
        rollout={
            "metrics": (MetricRun(id="errors", since=LATER, due=LATER, last_at=LATER),),
            "hooks": (
                HookRun(id="Step/smoke", started_at=LATER),
                HookRun(id="PreTraffic/x", started_at=NOW - 9, state="Succeeded"),
            ),
        },
        clock_jumped=True,
    )
    clocks.renew(work)
    (run,) = work.rollout.metrics
    assert (run.since, run.last_at, run.due) == (NOW, NOW, NOW + 10)
    assert [hook.started_at for hook in work.rollout.hooks] == [NOW, NOW - 9]


@pytest.mark.parametrize(
    ("jumped", "before", "until"),
    [(True, NOW + 601, NOW + 600), (False, NOW + 601, NOW + 601), (True, NOW + 100, NOW + 100)],
)
def test_a_jump_shortens_a_standby_to_its_whole_time(jumped: bool, before: float, until: float) -> None:  # noqa: FBT001
    """A clock that was set back would keep it for ever; an end within its time stays."""
    work = moment(strategy=analysed(standby_seconds=600.0), clock_jumped=jumped)
    standby = Standby(slot="b", revision="r0", until=before, count=4)
    work.motion = dataclasses.replace(work.motion, standby=standby, rollout=None)
    clocks.renew(work)
    assert work.motion.standby is not None
    assert work.motion.standby.until == until


@pytest.mark.parametrize(("resumed", "epoch"), [(True, 3), (False, 4)])
def test_a_new_process_or_leader_verifies_again(resumed: bool, epoch: int) -> None:  # noqa: FBT001 - a table
    """Proofs after a call's whole time, samples after now and one interval; timers go on."""
    runs = (MetricRun(id="errors", since=NOW - 60, due=NOW + 1),)
    members = {"leader_epoch": 3, "metrics": runs}
    work = moment(strategy=analysed(ERRORS), rollout=members, resumed=resumed, leader_epoch=epoch)
    clocks.renew(work)
    now = work.rollout
    assert (now.leader_epoch, now.verify_after, now.samples_after) == (epoch, NOW + CALL_BUDGET, NOW)
    assert (now.stage_since, now.progressed_at) == (NOW - 100, NOW - 100)
    assert now.metrics[0].due == NOW + 10


def test_the_same_leader_changes_nothing() -> None:
    """Each pass asks."""
    work = moment(rollout={"leader_epoch": 3}, leader_epoch=3)
    before = work.motion
    clocks.renew(work)
    assert work.motion == before


@pytest.mark.parametrize(
    "members",
    [{"counts": False}, {"blocked": "throttled"}],
    ids=["no deadline", "AWS is mute"],
)
def test_time_that_does_not_count_stops_the_clock_once(members: dict[str, Any]) -> None:
    """From when on is kept, so that it can be given back."""
    work = waiting(progressed_at=NOW - 1000, **members)
    assert not clocks.deadline(work)
    assert work.rollout.clock_stopped_at == NOW
    work = waiting(progressed_at=NOW - 1000, clock_stopped_at=NOW - 5, **members)
    assert not clocks.deadline(work)
    assert work.rollout.clock_stopped_at == NOW - 5


def test_what_has_not_been_read_stops_the_clock() -> None:
    """What was not looked at may have happened."""
    work = waiting(progressed_at=NOW - 1000)
    work.needs.add("health")
    assert not clocks.deadline(work)
    assert work.rollout.clock_stopped_at == NOW


def test_a_clock_that_goes_on_gives_the_time_back() -> None:
    """Stopped for 40 s: they are not counted, and the deadline is where it should be."""
    work = waiting(progressed_at=NOW - 90, clock_stopped_at=NOW - 40)
    assert not clocks.deadline(work)
    assert (work.rollout.progressed_at, work.rollout.clock_stopped_at) == (NOW - 50, None)
    assert work.wakes == [NOW + 50]


@pytest.mark.parametrize(("progressed", "over"), [(NOW - 99, False), (NOW - 100, True)])
def test_the_deadline_is_over_to_the_second(progressed: float, over: bool) -> None:  # noqa: FBT001 - a table
    """It turns the rollout back, with what was waited for."""
    work = waiting(progressed_at=progressed)
    assert clocks.deadline(work) is over
    assert (work.rollout.stage == "Stepping") is not over
    if over:
        assert work.rollout.reason == "Deadline"
        assert work.rollout.message == "no progress in 100 s: 0 of 1 healthy"


@pytest.mark.parametrize("stage", ["RollingBack", "CleaningUp", "Draining"])
def test_where_there_is_no_way_back_the_deadline_only_tells(stage: str) -> None:
    """A way back has no way back; nor has a rollout whose source drains."""
    work = waiting(progressed_at=NOW - 101, stage=stage)
    assert not clocks.deadline(work)
    assert work.rollout.stage == stage
    assert work.waits is not None
    assert work.waits.reason == "ProgressDeadlineExceeded"
