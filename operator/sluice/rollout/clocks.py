"""Time: restarts, new leaders, clocks that jump, and the deadline.

| case | timers | proofs and samples |
|---|---|---|
| new leader, restarted operator | go on: elapsed pauses count | verified again, one fresh interval |
| the clock jumped, or a start lies in the future | start again | |
| spec or verb pause | go on, the move waits | |

progressDeadlineSeconds counts only time in which the machine waits for something technical (tasks,
health, proofs) and AWS can be asked; what a person, a gate or a timer makes wait stops its clock.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from sluice.model.rollout import BACK, Rollout
from sluice.rollout import analysis, rollback
from sluice.rollout.work import CALL_BUDGET, Wait, Work

_NEVER_BACK: Final = BACK | {"Draining"}


def renew(work: Work) -> None:
    """Take note of another leader, a restart and a jump of the clock."""
    standby = work.motion.standby
    if standby and standby.until > work.now + work.situation.strategy.standby_seconds and _jumped(work):
        until = work.now + work.situation.strategy.standby_seconds
        work.motion = dataclasses.replace(work.motion, standby=dataclasses.replace(standby, until=until))
    rollout = work.motion.rollout
    if rollout is None:
        return
    if _jumped(work):
        work.change(**_again(work.rollout, work.now))
        analysis.postpone(work)
    epoch = work.situation.leader_epoch
    if work.situation.resumed or epoch != rollout.leader_epoch:
        work.change(leader_epoch=epoch, verify_after=work.now + CALL_BUDGET, samples_after=work.now)
        analysis.postpone(work)


def deadline(work: Work) -> bool:
    """Count the time of this wait; True when the deadline turned the rollout back."""
    wait, rollout = work.waits, work.rollout
    limit = work.strategy.progress_deadline
    # What has not been read may have happened: time without a look is not time without progress.
    counts = wait is not None and wait.counts and not work.situation.blocked and not work.needs
    if not counts:
        if rollout.clock_stopped_at is None:
            work.change(clock_stopped_at=work.now)
        return False
    if rollout.clock_stopped_at is not None:
        moved = max(0.0, work.now - rollout.clock_stopped_at)
        work.change(progressed_at=rollout.progressed_at + moved, clock_stopped_at=None)
    ends = work.rollout.progressed_at + limit
    if work.now < ends:
        work.wakes.append(ends)
        return False
    text = f"no progress in {limit:g} s: {wait.message if wait else ''}"
    if rollout.stage == "Draining":
        text = f"{text}; abort goes back to {rollout.source}"
    if rollout.stage in _NEVER_BACK:
        work.waits = Wait(reason="ProgressDeadlineExceeded", message=text)
        return False
    return rollback.fall_back(work, "Deadline", text)


def _jumped(work: Work) -> bool:
    rollout = work.motion.rollout
    if work.situation.clock_jumped or rollout is None:
        return work.situation.clock_jumped
    starts = (rollout.step_since, rollout.stage_since, rollout.progressed_at, rollout.clock_stopped_at)
    return any(start is not None and start > work.now for start in starts)


def _again(rollout: Rollout, now: float) -> dict[str, object]:
    """Return the members of a rollout whose timers start now."""
    return {
        "step_since": None if rollout.step_since is None else now,
        "stage_since": now,
        "progressed_at": now,
        "clock_stopped_at": None if rollout.clock_stopped_at is None else now,
        "healthy_since": None if rollout.healthy_since is None else now,
        "barrier_since": None if rollout.barrier_since is None else now,
        "verify_after": min(rollout.verify_after, now),
        "decided_at": min(rollout.decided_at, now),
        "verified_at": min(rollout.verified_at, now),
        "discovered_at": min(rollout.discovered_at, now),
        "samples_after": min(rollout.samples_after, now),
        "metrics": tuple(
            dataclasses.replace(run, since=min(run.since, now), last_at=min(run.last_at, now))
            for run in rollout.metrics
        ),
        "hooks": tuple(
            dataclasses.replace(run, started_at=now) if run.state == "Running" else run
            for run in rollout.hooks
        ),
    }
