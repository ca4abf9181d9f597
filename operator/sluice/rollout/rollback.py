"""The way back: the weights before anything else, proof of every route, then the rest (rollout.md §5).

A rollback is never blocked by a pause, a freeze, hooks, analysis or the group. The same decision that
decides it orders the source alone, unless the source could not take the requests: when both slots are
unhealthy the weights are held and nothing moves (an ALB fails open, and a person is needed). Then, each
only after the one before:

1. every route proves the source alone (`verified_at`; the header went with that write)
2. the test rules go; OnRollback hooks tell, evidence is collected; connections drain
3. a fresh reading shows that no rule gives weight to the candidate: its tasks go
4. history, and the revision is rejected, unless a newer spec superseded it
"""

from __future__ import annotations

import dataclasses
from typing import Final

from sluice.model.rollout import Outcome, RejectedRevision
from sluice.model.situation import SlotFacts
from sluice.rollout import hooks, proof, scaling
from sluice.rollout.work import Work, drain

EVIDENCE_PATIENCE: Final = 60.0
"""Seconds that the clean-up waits for evidence: it must not keep a broken candidate for ever."""


def fall_back(work: Work, reason: str, message: str, *, outcome: Outcome = "RolledBack") -> bool:
    """Begin to go back. Returns True when the machine moved; False when it is on its way already."""
    rollout = work.rollout
    if rollout.stage in ("RollingBack", "CleaningUp"):
        return False
    if rollout.kind == "First":
        return fail_first(work, reason, message, outcome=outcome)
    work.change(
        reason=reason,
        message=message,
        outcome=outcome,
        decided_at=work.now,
        held="",
        paused=False,
        barrier_since=None,
        step_since=None,
        healthy_since=None,
    )
    if rollout.stage == "Starting":
        return _end(work)  # nothing was touched yet
    work.note("RollbackStarted", f"back to {rollout.source}: {reason}: {message}")
    if not rollout.shown:
        return work.enter("CleaningUp", verified_at=work.now)
    return work.enter("RollingBack")


def fail_first(work: Work, reason: str, message: str, *, outcome: Outcome = "RolledBack") -> bool:
    """End a first rollout: there is nothing to go back to, so what runs is left for people to see."""
    rollout = work.rollout
    ends: Outcome = "Failed" if outcome == "RolledBack" else outcome
    work.change(reason=reason, message=message, evidence=work.candidate.failing, evidence_taken=True)
    if outcome != "Superseded":
        text = f"the first rollout, of {rollout.candidate}, failed: {message}"
        rejected = RejectedRevision(
            revision=rollout.candidate, reason="FirstRolloutFailed", message=text, cause=reason
        )
        work.motion = dataclasses.replace(work.motion, rejected=rejected)
        work.note("RolloutFailed", text)
    else:
        work.note("RolloutSuperseded", f"{rollout.candidate}: {message}")
    work.conclude(ends)
    return True


def rolling_back(work: Work) -> bool:
    """Stage RollingBack: order the source alone, and wait until every route has proved it."""
    rollout = work.rollout
    if rollout.weight or rollout.header is not None or rollout.verify_after < rollout.decided_at:
        enough = scaling.source_takes_back(work) if rollout.weight else True
        if enough is None:
            text = "the source's target health could not be read yet"
            return work.wait("WaitingForTargets", f"rollback ({rollout.reason}): {text}", counts=True)
        if not enough:
            work.gate("person", "Waiting", "both slots are unhealthy")
            return work.wait(
                "WaitingForTargets",
                f"rollback ({rollout.reason}) is held: the source has {work.source.healthy} of "
                f"{scaling.full_size(work)} targets healthy, the candidate {work.candidate.healthy}; the "
                "weights stay as they are until a slot is mended",
            )
        work.change(weight=0, header=None, verify_after=work.now)
    at = proof.await_proof(work, what=f"rollback ({rollout.reason}) to {rollout.source}")
    if at is None:
        return False
    at = max(at, rollout.decided_at)
    seconds = at - rollout.decided_at
    work.note("RollbackVerified", f"every route sends to {rollout.source} alone again, after {seconds:.1f} s")
    return work.enter("CleaningUp", verified_at=at, proven=0)


def cleaning_up(work: Work) -> bool:
    """Stage CleaningUp: tell, collect, drain, prove, and let the candidate's tasks go."""
    rollout, slot = work.rollout, work.candidate
    told = hooks.gate(work, "OnRollback", inform=True) is True
    collected = _collect(work)
    drained = True
    if rollout.shown and not work.shares:
        ends = rollout.verified_at + drain(work, slot)
        drained = work.now >= ends
        if not drained:
            work.wakes.append(ends)
            work.wait("Draining", f"rolled back to {rollout.source}; connections to {slot.name} drain")
    if not (told and collected and drained):
        return work.wait("Draining", f"rolled back to {rollout.source}; evidence is collected")
    if rollout.shown and proof.await_proof(work, what="the test rules go") is None:
        return False
    return _end(work) if gone(work, slot) else False


def gone(work: Work, slot: SlotFacts) -> bool:
    """Tell whether a reading of this pass shows that no rule gives weight to a slot (§7 point 3)."""
    if slot.carries_weight is False or not slot.exists or slot.tasks + slot.desired == 0:
        return True
    if slot.carries_weight is None:
        work.needs.add("proof")
        return work.wait("Draining", f"reading the rules before the tasks of slot {slot.name} go")
    return work.wait(
        "Draining", f"a rule still gives weight to slot {slot.name}; its tasks stay", counts=True
    )


def _collect(work: Work) -> bool:
    rollout, found = work.rollout, work.situation.evidence
    if rollout.evidence_taken:
        return True
    late = work.now >= rollout.stage_since + EVIDENCE_PATIENCE
    if found is None and not late:
        work.needs.add("evidence")
        work.wakes.append(rollout.stage_since + EVIDENCE_PATIENCE)
        return False
    work.change(evidence=found if found is not None else work.candidate.failing, evidence_taken=True)
    return True


def _end(work: Work) -> bool:
    rollout = work.rollout
    outcome: Outcome = rollout.outcome or "RolledBack"
    text = f"revision {rollout.candidate} was rolled back to {rollout.source}: {rollout.message}"
    if outcome == "Superseded":
        work.note("RolloutSuperseded", text)
    else:
        work.note("RolloutRolledBack", text)
        rejected = RejectedRevision(
            revision=rollout.candidate,
            reason="RolledBack",
            message=text,
            fallback=rollout.source,
            cause=rollout.reason,
        )
        # An undo that failed leaves the revision that it went away from rejected, so that it does not
        # begin by itself; only one that the spec asked for is rejected itself.
        if rollout.kind != "Undo" or work.situation.wanted == rollout.candidate:
            work.motion = dataclasses.replace(work.motion, rejected=rejected)
    work.conclude(outcome)
    return True
