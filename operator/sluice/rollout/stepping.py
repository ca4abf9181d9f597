"""The steps forward: hooks around them, weights proved one by one, pauses, analyses, header routes.

A step is done only when the world shows it: a weight when every route has proved it, and the next step's
clock starts at that last proof (rollout.md §3.4), not when it was written.
"""

from __future__ import annotations

import dataclasses

from sluice.model.rollout import LiveRevision, Stage
from sluice.model.strategy import (
    FULL,
    Analyse,
    HookStage,
    Pause,
    RunHook,
    SetHeaderRoute,
    SetWeight,
)
from sluice.rollout import analysis, group, holds, hooks, proof, rollback, scaling
from sluice.rollout.work import Work, percent, place


def hooked(work: Work, stage: HookStage, following: Stage) -> bool:
    """Run a stage that is only hooks, then go on to `following`."""
    answer = hooks.gate(work, stage)
    if isinstance(answer, hooks.Failure):
        return rollback.fall_back(work, "Hook", answer.message)
    if not answer or holds.halted(work):
        return False
    return work.enter(following)


def pre_scale_up(work: Work) -> bool:
    """Stage PreScaleUp: hooks; the standby stays warm until the slot is needed."""
    if not hooked(work, "PreScaleUp", "ScalingUp"):
        return False
    if work.motion.rollout and work.rollout.stage == "ScalingUp":
        work.motion = dataclasses.replace(work.motion, standby=None)
    return True


def scaling_up(work: Work) -> bool:
    """Stage ScalingUp: the candidate's first tasks, healthy."""
    if not scaling.candidate_ready(work, scaling.coming(work)):
        return False
    if work.rollout.kind == "Undo":
        return work.enter("Stepping", shown=True, decided_at=work.rollout.started_at)
    return work.enter("PostScaleUp")


def post_scale_up(work: Work) -> bool:
    """Stage PostScaleUp: hooks; after it the test listener shows the candidate."""
    if not hooked(work, "PostScaleUp", "PreTraffic"):
        return False
    if work.motion.rollout and work.rollout.stage == "PreTraffic":
        work.change(shown=True)
    return True


def pre_traffic(work: Work) -> bool:
    """Stage PreTraffic: hooks, once the test listener is proved to show the candidate."""
    if work.rollout.kind == "Rollout" and not _present_proved(work):
        return False
    return hooked(work, "PreTraffic", "Stepping")


def _present_proved(work: Work) -> bool:
    """Tell whether routes proved what they have before the first weight, as far as anybody can (decision 28).

    A first route that came with this rollout can't name a source that has no healthy target, or not the
    route's port: there is nothing to prove, and none of its requests to lose. A person decides then, as
    wherever the live slot is not healthy: `promote-full` sends everything to the candidate. A name needs no
    target group, and proves a source without tasks, too.
    """
    traffic = work.situation.traffic
    unnamed = traffic.unproved and work.source.name not in traffic.published_slots
    if unnamed and traffic.provers_of("rules"):
        if not scaling.source_carries(work, FULL):
            return False
        if work.rollout.full:
            return True
    return proof.await_proof(work, what="the test listener") is not None


def stepping(work: Work) -> bool:
    """Stage Stepping: one step after the other."""
    rollout, steps = work.rollout, work.steps
    if rollout.step >= len(steps):
        return _all_sent(work)
    if rollout.held:  # a pause goes on meanwhile, but it is not what a person has to know
        work.wait(rollout.held, rollout.message)
    step = steps[rollout.step]
    match step:
        case SetWeight():
            return _set_weight(work, step.permille)
        case SetHeaderRoute():
            return _set_header(work, (step.header, step.value) if step.header else None)
        case Pause():
            return _pause(work, step)
        case Analyse():
            _start_clock(work)
            return _done(work, work.now) if analysis.step_over(work, step) else False
        case RunHook():
            return _run_hook(work, step)


def _set_weight(work: Work, permille: int) -> bool:
    rollout = work.rollout
    if rollout.weight != permille:
        if not _may_send(work, permille):
            return False
        text = f"{place(work)}: weight {percent(rollout.weight)} → {percent(permille)} on slot {rollout.slot}"
        if rollout.source:
            work.note("WeightChanged", text)
        work.progress(weight=permille, step_since=None)
    if rollout.kind == "Undo":
        proof.note_return(work)
    at = proof.await_proof(work, what=f"{place(work)}: weight {percent(permille)}")
    if at is None:
        return False
    work.change(proven=permille)
    return _done(work, at)


def _may_send(work: Work, permille: int) -> bool:
    """Tell whether the weight may be ordered: gates, the health of whoever gets more, present proof."""
    if not holds.forward(work):
        return False
    if work.rollout.weight and proof.await_proof(work, what=place(work)) is None:
        return False  # a new leader, or somebody's hand: what there is must be proved before more
    if permille < work.rollout.weight:
        return scaling.source_carries(work, FULL - permille)
    return scaling.candidate_ready(work, permille)


def _set_header(work: Work, header: tuple[str, str] | None) -> bool:
    rollout = work.rollout
    if rollout.header != header:
        if not holds.forward(work) or (header and not scaling.candidate_ready(work, scaling.coming(work))):
            return False
        text = f"{header[0]}: {header[1]}" if header else "none"
        work.note("HeaderRouteChanged", f"{place(work)}: requests with header {text} go to the candidate")
        work.progress(header=header, step_since=None)
    at = proof.await_proof(work, what=f"{place(work)}: header route")
    return False if at is None else _done(work, at)


def _pause(work: Work, step: Pause) -> bool:
    since = _start_clock(work)
    where = f"{place(work)}: weight {percent(work.rollout.weight)}"
    kept = holds.kept_paused(work)
    if step.seconds is None:
        work.gate("promote", "Waiting", "a person promotes")
        return work.wait("Paused", f"{where}: waits for a person to promote{kept}")
    ends = since + step.seconds
    if work.now < ends:
        work.wakes.append(ends)
        return work.wait("Paused", f"{where}: pause of {step.seconds:g} s{kept}")
    return _done(work, work.now)


def _run_hook(work: Work, step: RunHook) -> bool:
    if not group.arrived_together(work):
        return False
    answer = hooks.gate(work, "Step", name=step.name)
    if isinstance(answer, hooks.Failure):
        return rollback.fall_back(work, "Hook", answer.message)
    return _done(work, work.now) if answer else False


def _start_clock(work: Work) -> float:
    if work.rollout.step_since is None:
        work.change(step_since=work.now)
    since = work.rollout.step_since
    return work.now if since is None else since


def _done(work: Work, at: float) -> bool:
    """Go to the next step, whose clock starts `at`."""
    match work.steps[work.rollout.step + 1 :]:
        case (Pause(seconds=None), *_):
            where = f"step {work.rollout.step + 2} of {len(work.steps)}"
            work.note("Paused", f"{where}: weight {percent(work.rollout.weight)}: a person has to promote")
    advance(work, at)
    return True


def advance(work: Work, at: float) -> None:
    """Go to the next step; minReadySeconds begin anew where it needs more healthy targets."""
    rollout = work.rollout
    enough = scaling.needed(work, max(rollout.weight, rollout.proven))
    work.progress(step=rollout.step + 1, step_since=at)
    if scaling.needed(work, scaling.coming(work)) > enough:
        work.change(healthy_since=None)


def _all_sent(work: Work) -> bool:
    rollout = work.rollout
    if rollout.kind == "Undo":
        if not rollout.returned_at:  # no route: shares of tasks
            at = rollout.step_since or work.now
            seconds = max(0.0, at - rollout.started_at)
            work.note("RollbackVerified", f"{rollout.candidate} has everything, after {seconds:.1f} s")
            work.change(verified_at=at)
        return work.enter("Draining")
    if rollout.kind == "First":
        live = LiveRevision(slot=rollout.slot, revision=rollout.candidate, since=work.now)
        work.motion = dataclasses.replace(work.motion, live=live)
    return work.enter("PostTraffic")
