"""After 100 %: bake, the last proofs, drain, and the old slot as a standby.

The live slot keeps all its tasks until bake and drain are over. Before they go: the candidate has all its
healthy targets, each background metric passed at least once, the release group is through, connections
had their time, every route proved the weights after that, a fresh reading of the rules shows that nothing
sends to the old slot, and no name answers with its tasks (rollout.md §3.6, §7 points 3 and 4). Request
counts are not asked: they are a minute late and would tell of requests from before the drain.
"""

from __future__ import annotations

import dataclasses

from sluice.model.rollout import LiveRevision, Standby
from sluice.model.strategy import FULL
from sluice.rollout import alarms, analysis, group, holds, hooks, proof, rollback, scaling, stepping
from sluice.rollout.work import Work, drain, other, percent


def post_traffic(work: Work) -> bool:
    """Stage PostTraffic: hooks at 100 %."""
    if work.rollout.kind == "First":
        if not stepping.hooked(work, "PostTraffic", "PostTraffic"):
            return False
        return _complete(work) if work.motion.rollout else True
    return stepping.hooked(work, "PostTraffic", "Baking")


def baking(work: Work) -> bool:
    """Stage Baking: everything on the candidate, the source still whole."""
    ends = work.rollout.stage_since + work.strategy.bake
    if work.now < ends:
        work.wakes.append(ends)
        if work.rollout.held:
            return work.wait(work.rollout.held, work.rollout.message)
        return work.wait("Baking", f"{percent(FULL)} on the candidate; bake of {work.strategy.bake:g} s")
    if holds.halted(work):
        return False
    return work.enter("PostBake")


def post_bake(work: Work) -> bool:
    """Stage PostBake: hooks, and everything that must be known before the source may go."""
    answer = hooks.gate(work, "PostBake")
    if isinstance(answer, hooks.Failure):
        return rollback.fall_back(work, "Hook", answer.message)
    ready = (
        answer
        and not holds.halted(work)
        and alarms.silent(work)
        and analysis.trusted(work)
        and analysis.said_yes(work)
        and scaling.candidate_ready(work, FULL)
        and proof.await_proof(work, what="the end of bake") is not None
        and group.baked_together(work)
    )
    return work.enter("Draining", header=None) if ready else False


def draining(work: Work) -> bool:
    """Stage Draining: the source's connections end, then it is proved that nothing reaches it."""
    rollout, source = work.rollout, work.source
    if holds.halted(work):
        return False
    ends = rollout.stage_since
    if not work.shares:
        ends += drain(work, source)
    if work.now < ends:
        work.wakes.append(ends)
        return work.wait("Draining", f"connections to slot {source.name} drain")
    if rollout.verify_after < ends:
        work.change(verify_after=work.now)
    proved = proof.await_proof(work, what="after the drain") is not None
    if proved and scaling.candidate_ready(work, FULL) and rollback.gone(work, source):
        return _complete(work)
    return False


def _complete(work: Work) -> bool:
    rollout, motion, strategy = work.rollout, work.motion, work.strategy
    size = scaling.share(scaling.full_size(work), strategy.standby_percent * 10)
    standby = None
    # Without a route a warm standby would not be idle: it would take work from the same queue.
    if rollout.kind == "Rollout" and size and strategy.standby_seconds and not work.shares:
        until = work.now + strategy.standby_seconds
        slot = other(rollout.slot)
        standby = Standby(slot=slot, revision=rollout.source, until=until, count=size)
    live = LiveRevision(slot=rollout.slot, revision=rollout.candidate, since=work.now)
    if rollout.kind == "First" and motion.live:
        live = motion.live
    rejected = motion.rejected
    if rollout.kind != "Undo" and rejected and rejected.reason != "NotPermitted":
        rejected = None
    if rejected and rejected.revision == rollout.candidate:
        rejected = None
    work.motion = dataclasses.replace(motion, live=live, standby=standby, rejected=rejected)
    text = f"revision {rollout.candidate} is live in slot {rollout.slot} (rollout {rollout.id})"
    work.note("RolloutCompleted", text)
    work.conclude("Succeeded")
    return True
