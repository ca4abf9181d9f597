"""The progressive machine: what to do now, from what is known now and what was decided before.

`decide` is pure and total: it never raises on any facts, reads no clock, and all that it remembers is in
`Motion`, which goes to status before anything is done; so a crash anywhere leads back here with the same
memory and newer facts. Deciding again on the same facts with the new motion changes nothing (a person's
verbs are handled by then, so they are no facts any more).

One call goes as far as the facts allow, through several stages if need be, but never through one that
must be written and proved first: a weight, a header or test route, running tasks, a hook, a drain.

| stage | goes on when | to | back |
|---|---|---|---|
| Starting | no pause, freeze, alarm; the group is well | PreScaleUp | dropped |
| PreScaleUp | hooks are through | ScalingUp | CleaningUp |
| ScalingUp | the candidate's tasks for the first weight are healthy | PostScaleUp | CleaningUp |
| PostScaleUp | hooks are through | PreTraffic | CleaningUp |
| PreTraffic | the test listener is proved, hooks are through | Stepping | RollingBack |
| Stepping | every step is done, each weight proved by every route | PostTraffic | RollingBack |
| PostTraffic | hooks are through | Baking | RollingBack |
| Baking | its time is over | PostBake | RollingBack |
| PostBake | hooks, healthy targets, metrics, alarms, the group | Draining | RollingBack |
| Draining | time, proved again after it, rules read, names left | at rest: Succeeded | RollingBack |
| RollingBack | every route proved the source alone | CleaningUp | |
| CleaningUp | told, collected, drained, rules read, names left | at rest | |

Where no route ever proved anything, its proof is not waited for on the way back, nor by `promote-full` in
PreTraffic (decision 28).

A first rollout goes Starting … Stepping (everything at once) … PostTraffic and is done; what fails has
nothing to go back to. An undo goes Starting, ScalingUp, Stepping (everything at once), Draining.

From Draining another revision goes back only where the candidate can't keep its targets past the deadline.
Back, from any stage that goes forward: tasks that crash or no healthy target left, an alarm, a failed
metric or hook, the deadline, a person, a newer revision, a member of the release group.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Final

from sluice.model.rollout import BACK, Decision, Motion, RejectedRevision, Stage
from sluice.model.situation import Situation
from sluice.model.strategy import FULL
from sluice.rollout import (
    alarms,
    analysis,
    begin,
    clocks,
    finishing,
    group,
    holds,
    images,
    orders,
    proof,
    rollback,
    scaling,
    stepping,
    verbs,
)
from sluice.rollout.verdict import asked_revision, verdict
from sluice.rollout.work import Work

_LIMIT: Final = 200
"""Moves in one decision: more than the steps of any strategy, and a bound for a defect."""
_STAGES: Final[Mapping[Stage, Callable[[Work], bool]]] = {
    "Starting": begin.starting,
    "PreScaleUp": stepping.pre_scale_up,
    "ScalingUp": stepping.scaling_up,
    "PostScaleUp": stepping.post_scale_up,
    "PreTraffic": stepping.pre_traffic,
    "Stepping": stepping.stepping,
    "PostTraffic": finishing.post_traffic,
    "Baking": finishing.baking,
    "PostBake": finishing.post_bake,
    "Draining": finishing.draining,
    "RollingBack": rollback.rolling_back,
    "CleaningUp": rollback.cleaning_up,
}
_UNTOUCHED: Final = BACK | {"Starting"}


def decide(situation: Situation, motion: Motion, *, now: float) -> Decision:
    """Return what to do now; see the module for the contract."""
    work = Work(situation=situation, motion=motion, now=now)
    clocks.renew(work)
    verbs.apply(work)
    for _ in range(_LIMIT):
        before = work.motion
        work.fresh()
        _move(work)
        # What waits may have taken note of something first: what is told is told of the memory after it.
        if work.motion == before:
            break
    return _decision(work)


def _move(work: Work) -> None:
    """Do one move; the motion stays as it is when everything waits."""
    if work.motion.rollout is None:
        begin.at_rest(work)
        return
    if work.rollout.stage != "Starting":
        scaling.keep_floor(work)
    holds.watch(work)
    images.watch(work)
    if not _turns_back(work) and not _STAGES[work.rollout.stage](work) and not clocks.deadline(work):
        _overtaken(work)


def _turns_back(work: Work) -> bool:
    """Look for everything that turns a rollout back whatever its stage waits for."""
    if work.rollout.stage in _UNTOUCHED:
        return False
    if not _called_the_cure(work) and _superseded(work):
        return True
    for reason, look in _LOOKS:
        why = look(work)
        if why:
            return rollback.fall_back(work, reason, why)
    return False


def _crash_loop(work: Work) -> str:
    slot = work.candidate
    if slot.revision != work.rollout.candidate or not slot.desired or not slot.failed:
        return ""
    return f"slot {slot.name}: {'; '.join(slot.failing) or 'its tasks stop again and again'}"


def _unhealthy(work: Work) -> str:
    """Requests reach the candidate, and it has no healthy target at all."""
    rollout, slot = work.rollout, work.candidate
    if rollout.kind == "First" or not rollout.weight or work.shares:
        return ""
    if slot.healthy is None:
        work.needs.add("health")
    if slot.healthy != 0 or slot.unused or not scaling.full_size(work):
        return ""  # unused: the listener is gone, requests reach nobody and the candidate is not to blame
    if slot.unjudged == "all" and work.source.unjudged:
        return ""  # nor when it is back: the checks of both slots begin anew, those of new tasks of one alone
    return ": ".join((f"slot {slot.name} has no healthy target left", *slot.failing[:1]))


def _group(work: Work) -> str:
    failed = group.failed_member(work) if work.rollout.kind == "Rollout" else ""
    return f"release group: {failed} fell back" if failed else ""


def _alarm(work: Work) -> str:
    return alarms.judge(work) if work.rollout.stage != "Draining" else ""


_LOOKS: Final[tuple[tuple[str, Callable[[Work], str]], ...]] = (
    ("CrashLoop", _crash_loop),
    ("Unhealthy", _unhealthy),
    ("Group", _group),
    ("Alarm", _alarm),
    ("Analysis", analysis.judge),
)


def _called_the_cure(work: Work) -> bool:
    """Tell whether another revision waits: a person promoted all of this one, and the source is dead."""
    rollout, wanted = work.rollout, work.situation.wanted
    if not (rollout.full and rollout.weight) or wanted in ("", rollout.candidate):
        return False
    if scaling.source_takes_back(work) is not False:
        return False
    work.gate("next revision", "Waiting", asked_revision(work))
    return True


def _superseded(work: Work) -> bool:
    """Answer a spec that asks for another revision meanwhile (onNewRevision)."""
    rollout, wanted = work.rollout, work.situation.wanted
    if rollout.kind == "Undo" or wanted in ("", rollout.candidate):
        return False
    if rollout.kind == "First":
        # With weight it is about to be live: the next rollout begins from it.
        return False if rollout.weight else _leave(work, asked_revision(work))
    if wanted == rollout.source:
        return _leave(work, f"the spec asks for the source {wanted} again")
    if rollout.stage == "Draining":
        return False  # nothing but the old tasks' end is missing: the next rollout begins from here
    if work.strategy.on_new_revision == "Supersede" or work.situation.declared_undo:
        return _leave(work, asked_revision(work))
    if work.strategy.on_new_revision == "Reject":
        text = f"{asked_revision(work)}; onNewRevision: Reject: it is not run, retry when this one is over"
        work.gate("next revision", "Failed", text)
        _refuse(work)
    else:
        work.gate("next revision", "Waiting", asked_revision(work))
    return False


def _overtaken(work: Work) -> None:
    """Let another revision take over from one in Draining that can't keep its targets, after the deadline.

    It may be the cure; the source still has its tasks. What only waits for names or somebody's rule is well.
    """
    rollout, wanted = work.rollout, work.situation.wanted
    late = work.waits is not None and work.waits.reason == "ProgressDeadlineExceeded"
    if (
        rollout.stage != "Draining"
        or rollout.kind != "Rollout"
        or not late
        or wanted in ("", rollout.candidate)
    ):
        return
    healthy = work.candidate.healthy
    if healthy is None or healthy >= scaling.needed(work, FULL) or _called_the_cure(work):
        return
    if work.strategy.on_new_revision == "Supersede" or work.situation.declared_undo:
        _leave(work, asked_revision(work))
    else:
        work.gate("next revision", "Waiting", asked_revision(work))


def _leave(work: Work, why: str) -> bool:
    return rollback.fall_back(work, "Superseded", why, outcome="Superseded")


def _refuse(work: Work) -> None:
    wanted, known = work.situation.wanted, work.motion.rejected
    if known is not None and known.revision == wanted:
        return
    text = f"{asked_revision(work)}; onNewRevision: Reject"
    work.note("RevisionRefused", text)
    rejected = RejectedRevision(
        revision=wanted, reason="NotPermitted", message=text, fallback=work.rollout.source, cause="Person"
    )
    work.motion = dataclasses.replace(work.motion, rejected=rejected)


def _decision(work: Work) -> Decision:
    traffic = proof.order(work)
    slots = orders.slots(work)
    told = verdict(work)
    if work.motion.rollout is not None:
        gates = tuple(work.gates)
        if gates != work.rollout.gates:
            work.change(gates=gates)
    wakes = [at for at in work.wakes if at > work.now]
    return Decision(
        motion=work.motion,
        slots=slots,
        traffic=traffic,
        ready=told.ready,
        reason=told.reason,
        message=told.message,
        phase=told.phase,
        metrics=tuple(work.metrics),
        hooks=tuple(work.hooks),
        needs=frozenset(work.needs),
        notes=tuple(work.notes),
        finished=tuple(work.finished),
        wake_at=min(wakes, default=None),
    )
