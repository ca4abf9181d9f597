"""At rest: what the spec asks for against what is live; and the gates of a rollout's start.

| the spec asks for | what begins |
|---|---|
| the live revision | nothing |
| a rejected revision | nothing, until `retry`, another revision, or a mended group |
| anything, nothing is live | the first rollout: no steps, no gates but health |
| the warm standby's revision, or `rollback.toRevision` | an undo: no steps, no gates but health |
| anything else | a rollout |

A rollout that waits in Starting has touched nothing: it takes the strategy as it is now, and a newer
revision just takes its place.
"""

from __future__ import annotations

import dataclasses

from sluice.model.conditions import timestamp
from sluice.model.names import short_hash
from sluice.model.rollout import LiveRevision, Rollout, RolloutKind
from sluice.rollout import alarms, group, holds
from sluice.rollout.work import SLOTS, Work, facts, other


def at_rest(work: Work) -> bool:
    """Begin a rollout where one is due. Returns whether one began."""
    expire_standby(work)
    if work.motion.live is None and not _adopt(work):
        return False
    motion, wanted = work.motion, work.situation.wanted
    if not wanted or (motion.live and motion.live.revision == wanted) or work.situation.leaving:
        return False
    rejected = motion.rejected
    if rejected and rejected.revision == wanted:
        if rejected.cause != "Group" or work.situation.group is None or group.failed_member(work):
            return False
        work.motion = dataclasses.replace(motion, rejected=None)
    begin(work, wanted, kind=_kind(work), by="spec")
    return True


def begin(work: Work, candidate: str, *, kind: RolloutKind, by: str) -> None:
    """Put a rollout to `candidate` into Starting; its id differs from every earlier one of the object."""
    motion, situation = work.motion, work.situation
    live = motion.live
    slot = other(live.slot) if live else ("b" if situation.traffic.weights.get("a") else "a")
    last = work.finished[-1].rollout.id if work.finished else situation.last_rollout
    rollout = Rollout(
        id=short_hash(candidate, timestamp(work.now), last),
        kind=kind,
        candidate=candidate,
        slot=slot,
        source=live.revision if live else "",
        started_at=work.now,
        by=by,
        stage_since=work.now,
        progressed_at=work.now,
        verify_after=situation.traffic.verify_after,
        leader_epoch=situation.leader_epoch,
    )
    work.motion = dataclasses.replace(motion, rollout=rollout)


def starting(work: Work) -> bool:
    """Stage Starting: wait for the gates of the start, then keep the strategy as it is."""
    rollout, situation = work.rollout, work.situation
    asked = rollout.by == "spec"
    if asked and situation.wanted != rollout.candidate:
        work.motion = dataclasses.replace(work.motion, rollout=None)
        return True
    expire_standby(work)
    if asked and rollout.kind != "First" and _kind(work) != rollout.kind:
        work.change(kind=_kind(work))
        return True
    if work.rollout.strategy != situation.strategy.snapshot:
        work.change(strategy=situation.strategy.snapshot)
    if _empty(work):
        text = f"scaled to 0 tasks; revision {rollout.candidate} begins when there are to be some again"
        return work.wait("WaitingForTargets", text)
    if rollout.kind == "Undo":
        return _go(work)
    if holds.halted(work) or (rollout.kind == "Rollout" and not _gates_open(work)):
        return False
    return _go(work)


def _empty(work: Work) -> bool:
    """Tell whether no task is wanted at all: there is nothing that could be healthy, nor fail."""
    replicas = work.situation.replicas
    if replicas is None:
        return bool(work.rollout.source) and work.source.exists and not work.source.desired
    return replicas == 0


def expire_standby(work: Work) -> None:
    """End the standby when its time is over."""
    standby = work.motion.standby
    if standby is None:
        return
    if work.now < standby.until:
        work.wakes.append(standby.until)
        return
    work.note("StandbyEnded", f"revision {standby.revision} in slot {standby.slot} is not kept warm any more")
    work.motion = dataclasses.replace(work.motion, standby=None)


def _gates_open(work: Work) -> bool:
    if holds.frozen(work):
        return False
    failed = group.failed_member(work)
    if failed:
        return work.wait("WaitingForGate", f"release group: {failed} fell back; mend it first")
    alarm = alarms.judge(work)
    if work.rollout.held:
        return work.wait(work.rollout.held, work.rollout.message)
    if alarm:
        return work.wait("WaitingForGate", f"not started: {alarm}")
    return alarms.silent(work)


def _go(work: Work) -> bool:
    rollout = work.rollout
    to = f"to {rollout.candidate} in slot {rollout.slot}"
    if rollout.source:  # of the first ever its end tells enough
        kind = f"{rollout.kind.lower()} {rollout.id}"
        work.note("RolloutStarted", f"{kind} {to} from {rollout.source}")
    shares = not work.situation.traffic.routes
    desired = work.source.desired if rollout.source else 0
    work.change(live_floor=max(work.situation.replicas or 0, desired))
    if rollout.kind == "Undo":
        work.motion = dataclasses.replace(work.motion, standby=None)
        return work.enter("ScalingUp", shares=shares)
    return work.enter("PreScaleUp", shares=shares)


def _kind(work: Work) -> RolloutKind:
    motion, situation = work.motion, work.situation
    if motion.live is None:
        return "First"
    warm = motion.standby is not None and motion.standby.revision == situation.wanted
    return "Undo" if warm or situation.declared_undo else "Rollout"


def _adopt(work: Work) -> bool:
    """Find out what is live when the status does not say; False while that cannot be known.

    Rules are AWS's own word on what production requests reach: a slot that gets weight is live. When
    both do (the status was lost in the middle of a rollout) it is the healthy one that does not run what
    the spec asks for, so that the way forward begins at the source again.
    """
    there = [facts(work.situation, name) for name in SLOTS]
    there = [slot for slot in there if slot.exists]
    carrying = [slot for slot in there if slot.carries_weight]
    rejected = work.motion.rejected
    failed = rejected is not None and rejected.reason == "FirstRolloutFailed"
    # A first rollout that failed before any weight was published can't have got one.
    if any(slot.carries_weight is None for slot in there) and (not failed or work.situation.traffic.weights):
        work.needs.add("proof")
        return work.wait("RollingOut", "reading the rules to learn what is live")
    if failed and all(slot.healthy == 0 for slot in carrying):
        return True  # it serves nobody: the next revision takes its place
    known = [slot for slot in carrying if slot.revision]
    if not carrying:
        return True
    if not known:
        names = ", ".join(slot.name for slot in carrying)
        return work.wait("RollingOut", f"slot {names} gets requests, and its revision is not known yet")
    chosen = min(
        known, key=lambda slot: (not slot.healthy, slot.revision == work.situation.wanted, slot.name)
    )
    live = LiveRevision(slot=chosen.name, revision=chosen.revision, since=work.now)
    work.motion = dataclasses.replace(work.motion, live=live)
    return True
