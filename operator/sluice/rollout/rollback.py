"""The way back: the weights before anything else, proof of every route, then the rest (rollout.md §5).

A rollback is never blocked by a pause, a freeze, hooks, analysis or the group. The same decision that
decides it orders the source alone, unless the source could not take the requests: when both slots are
unhealthy the weights are held and nothing moves (an ALB fails open, and a person is needed). Then, each
only after the one before:

1. every route's rules prove the source alone (`verified_at`; the header went with that write)
2. the test rules go; OnRollback hooks tell, evidence is collected; connections drain; names leave
   (`discovered_at`: minutes after the rules, or never, which holds up nothing but step 3)
3. a fresh reading shows that no rule gives weight to the candidate, and no name answers with it: its
   tasks go
4. history, and the revision is rejected, unless a newer spec superseded it

| when | then |
|---|---|
| the source's target health cannot be read for `HEALTH_PATIENCE` | back, if half its tasks are known to run |
| entries of the candidate stay in Cloud Map, whatever the cause | its tasks stay; Draining tells whose |
| that route, or its discovery, is taken away while AWS denies it | its entries are not waited for any more |
| no route ever proved anything (decision 28) | step 2 if only tests were sent; else what the rules say |
| it is held, and a person says promote-full | the candidate gets everything, as if it had never gone back |
| it is held, and a person says abort once more | the source gets everything, healthy or not |
| it is held, no route is left, the candidate is dead, too | step 2: there is nothing to shift |
"""

from __future__ import annotations

import dataclasses
from typing import Final

from sluice.model.rollout import BACK, Outcome, RejectedRevision
from sluice.model.situation import SlotFacts
from sluice.rollout import hooks, proof, scaling
from sluice.rollout.work import SETTLING, Work, drain

EVIDENCE_PATIENCE: Final = 60.0
"""Seconds that the clean-up waits for evidence: it must not keep a broken candidate for ever."""
HEALTH_PATIENCE: Final = 30.0
"""Seconds that a rollback waits for the source's target health: requests reach a candidate that failed, and
a source whose tasks run and whose health nobody can read is the better guess."""


def fall_back(work: Work, reason: str, message: str, *, outcome: Outcome = "RolledBack") -> bool:
    """Begin to go back. Returns True when the machine moved; False when it is on its way already."""
    rollout = work.rollout
    if rollout.stage in BACK:
        return False
    if rollout.kind == "First":
        return fail_first(work, reason, message, outcome=outcome)
    work.change(
        reason=reason,
        message=message,
        outcome=outcome,
        decided_at=work.now,
        verified_at=0.0,
        discovered_at=0.0,
        held="",
        paused=False,
        barrier_since=None,
        step_since=None,
        healthy_since=None,
    )
    if rollout.stage == "Starting":
        return _end(work)  # nothing was touched yet
    work.note("RollbackStarted", f"back to {rollout.source}: {reason}: {message}")
    if not rollout.shown or _never_sent(work):
        return work.enter("CleaningUp", verified_at=work.now)
    return work.enter("RollingBack")


def _never_sent(work: Work) -> bool:
    """Tell whether routes were told to send nothing but tests to the candidate, and proved nothing ever."""
    rollout = work.rollout
    return work.situation.traffic.unproved and not (rollout.weight or rollout.proven or rollout.header)


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
        enough = _source_takes_back(work) if rollout.weight else True
        if not enough and _nothing_to_shift(work):
            enough = True
        if enough is None:
            text = "the source's target health could not be read yet"
            return work.wait("WaitingForTargets", f"rollback ({rollout.reason}): {text}", counts=True)
        if not enough:
            work.gate("person", "Waiting", f"slot {work.source.name} can't take the requests back")
            return work.wait(
                "WaitingForTargets",
                f"rollback ({rollout.reason}) is held: the source has {work.source.healthy} of "
                f"{scaling.full_size(work)} targets healthy, the candidate {work.candidate.healthy}; the "
                "weights stay as they are until a slot is mended; promote-full if the candidate is the cure, "
                "abort once more to go back all the same",
            )
        work.change(weight=0, header=None, verify_after=work.now)
    proof.note_return(work)
    traffic = work.situation.traffic
    if traffic.routes and not traffic.provers_of("rules"):
        return work.enter("CleaningUp", proven=0)  # names take minutes: tell and collect meanwhile
    at = proof.await_proof(work, what=f"rollback ({rollout.reason}) to {rollout.source}", plane="rules")
    if at is None and _nobody_sends(work):
        work.note("RollbackVerified", f"no rule sends to {rollout.candidate}, and no route ever proved one")
        return work.enter("CleaningUp", proven=0, verified_at=work.now)
    if at is None:
        return False
    if not work.rollout.verified_at:  # no route: shares of tasks
        seconds = max(0.0, at - rollout.decided_at)
        work.note("RollbackVerified", f"{rollout.source} has everything again, after {seconds:.1f} s")
        work.change(verified_at=max(at, rollout.decided_at))
    return work.enter("CleaningUp", proven=0)


def _nobody_sends(work: Work) -> bool:
    """Tell whether AWS itself shows the way back where no route ever proved anything (decision 28).

    A first route that can't be made must not hold it: its rules, if any, are read. Not before a write of
    an older order can have taken place.
    """
    if not work.situation.traffic.unproved:
        return False
    settled = work.rollout.verify_after + SETTLING
    if work.now < settled:
        work.wakes.append(settled)
        return False
    if work.candidate.carries_weight is None:
        work.needs.add("proof")
    return work.candidate.carries_weight is False


def held(work: Work) -> bool:
    """Tell whether a way back was decided and can't begin: the source is not healthy enough.

    Nor if AWS does not tell how it is, after HEALTH_PATIENCE. Before, a word that was said of what went on
    until now (a promote-full while a metric failed) would be taken for an answer to a hold.
    """
    rollout = work.motion.rollout
    if rollout is None or rollout.stage != "RollingBack" or not rollout.weight:
        return False
    enough = _source_takes_back(work)
    late = work.now >= rollout.decided_at + HEALTH_PATIENCE
    return enough is False or (enough is None and late and bool(work.situation.blocked))


def go_all_the_same(work: Work) -> None:
    """Give the source everything, healthy or not, in a way back that is held: a person said so."""
    work.change(weight=0, header=None, verify_after=work.now)
    work.note("RollbackStarted", f"back to {work.rollout.source} all the same: aborted by a person once more")


def _nothing_to_shift(work: Work) -> bool:
    """Tell whether no request comes to the candidate by a rule or a name: the source has none to take back.

    Whatever was ordered: its first route could not be made, or the last one is gone. There a candidate that
    is well is kept for the route that may come back.
    """
    traffic = work.situation.traffic
    stuck = traffic.unproved and all(route.problem for route in traffic.routes)
    if not stuck and (traffic.routes or work.candidate.healthy != 0):
        return False  # also of a first route that just came: it is about to send where it is told
    if work.candidate.carries_weight is None:
        work.needs.add("proof")
    return work.candidate.free


def _source_takes_back(work: Work) -> bool | None:
    """Tell whether the source can take the requests; None: not known yet."""
    enough = scaling.source_takes_back(work)
    if enough is not None or not work.situation.blocked:
        return enough
    late = work.rollout.decided_at + HEALTH_PATIENCE
    if work.now < late:
        work.wakes.append(late)
        return None
    return True if 2 * work.source.running >= scaling.full_size(work) else None


def cleaning_up(work: Work) -> bool:
    """Stage CleaningUp: tell, collect, drain, prove, and let the candidate's tasks go."""
    rollout, slot = work.rollout, work.candidate
    proof.note_return(work)
    told = hooks.gate(work, "OnRollback", inform=True) is True
    collected = _collect(work)
    drained = _drained(work, slot) if rollout.shown and not work.shares else True
    if not (told and collected and drained):
        return work.wait("Draining", f"rolled back to {rollout.source}; evidence is collected")
    provable = rollout.shown and not work.situation.traffic.unproved
    if provable and proof.await_proof(work, what="the test rules go") is None:
        return False
    return _end(work) if gone(work, slot) else False


def _drained(work: Work, slot: SlotFacts) -> bool:
    """Tell whether connections to the candidate had their time since requests went back."""
    source = work.rollout.source
    since = work.rollout.returned_at
    if not since:
        at = proof.await_proof(work, what=f"rolled back to {source}; the names follow")
        if at is None and _nobody_sends(work) and slot.free:
            at = work.now  # a name that can't be had
        if at is None:
            return False
        since = max(at, work.rollout.decided_at)
        work.change(verified_at=since)  # the last route is gone: nothing leads to the candidate
    ends = since + drain(work, slot)
    if work.now < ends:
        work.wakes.append(ends)
        return work.wait("Draining", f"rolled back to {source}; connections to {slot.name} drain")
    return True


def gone(work: Work, slot: SlotFacts) -> bool:
    """Tell whether a reading of this pass shows that nothing leads to a slot (§7 point 3)."""
    if slot.free or not slot.exists or slot.tasks + slot.desired == 0:
        return True
    if slot.carries_weight is None:
        work.needs.add("proof")
        return work.wait("Draining", f"reading the rules before the tasks of slot {slot.name} go")
    if not slot.carries_weight:
        text = f"tasks of slot {slot.name} stay until their entries left Cloud Map: {slot.listed}"
        return work.wait("Draining", text, counts=True)
    named = f" ({slot.carrier})" if slot.carrier else ""
    text = f"a rule still gives weight to slot {slot.name}{named}; its tasks stay"
    return work.wait("Draining", text, counts=True)


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
