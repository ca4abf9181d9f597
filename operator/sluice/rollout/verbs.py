"""A person's word: what each verb does where, and why it does nothing elsewhere.

| verb | in motion | at rest |
|---|---|---|
| abort | goes back; a way back that is held, all the same | goes back to the warm standby |
| undo | to the source: goes back | to the standby, the one before, or a kept revision, without steps |
| retry | - | the rejected revision may begin again |
| pause, resume | holds forward moves; resume also overwrites drift, once | - |
| promote | ends a pause step, an inconclusive analysis, a failed hook that pauses | - |
| promote-full | passes over pauses, analyses and hooks of the steps, or the rest of bake | - |
| | ends a way back that is held: the candidate is the cure | |

abort beats everything else. What does nothing is told with the reason, as a Warning.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Final

from sluice.model.rollout import BACK, RejectedRevision
from sluice.model.strategy import Pause
from sluice.rollout import alarms, analysis, begin, hooks, rollback, stepping
from sluice.rollout.work import Work

PERSONS_KEPT: Final = 16
_BEFORE_FULL = frozenset({"Starting", "PreScaleUp", "ScalingUp", "PostScaleUp", "PreTraffic", "Stepping"})


def apply(work: Work) -> None:
    """Do what a person asked for, and tell of each verb whether it was done."""
    person = work.situation.person
    if person.abort:
        _do(work, "abort", _abort)
        for verb in _others(work):
            _tell(work, verb, "abort comes first")
        return
    if person.undo is not None:
        revision = person.undo
        _do(work, "undo", lambda work: _undo(work, revision))
    if person.retry:
        _do(work, "retry", _retry)
    if person.resume:
        _do(work, "resume", _resume)
    if person.pause:
        _do(work, "pause", _pause)
    if person.promote_full:
        _do(work, "promote-full", _promote_full)
    if person.promote:
        _do(work, "promote", _promote)


def _do(work: Work, verb: str, act: Callable[[Work], str]) -> None:
    """Let a verb have its effect; the rollout that it is about remembers who said it, for the history."""
    who = work.situation.person.who.get(verb, "")
    word = f"{verb}: {who}" if who else verb
    moving = work.motion.rollout
    if moving:  # before it acts: an abort may end the rollout at once
        work.change(persons=(*moving.persons, word)[-PERSONS_KEPT:])
    refusal = act(work)
    now = work.motion.rollout
    if refusal and moving and now:
        work.change(persons=moving.persons)
    if not refusal and moving is None and now:  # an undo began
        work.change(persons=(word,))
    _tell(work, verb, refusal)


def _others(work: Work) -> list[str]:
    person = work.situation.person
    asked = {
        "undo": person.undo is not None,
        "retry": person.retry,
        "resume": person.resume,
        "pause": person.pause,
        "promote-full": person.promote_full,
        "promote": person.promote,
    }
    return [verb for verb, said in asked.items() if said]


def _tell(work: Work, verb: str, refusal: str) -> None:
    if refusal:
        work.note("VerbIgnored", f"{verb}: {refusal}")
    else:
        who = work.situation.person.who.get(verb, "")
        work.note("VerbHandled", f"{verb} by {who}" if who else verb)


def _abort(work: Work) -> str:
    standby = work.motion.standby
    if work.motion.rollout is None:
        if standby is None or work.now >= standby.until:
            return "nothing is in motion, and no standby is warm; undo goes to an earlier revision"
        return _undo(work, standby.revision)
    if rollback.held(work):
        rollback.go_all_the_same(work)
        return ""
    if work.rollout.stage in BACK:
        return "the rollout is on its way back already"
    if work.rollout.kind == "First" and work.motion.live is not None:
        return "the first revision is live already, and there is nothing to go back to"
    rollback.fall_back(work, "Person", "aborted by a person", outcome="Aborted")
    return ""


def _undo(work: Work, revision: str) -> str:
    motion, situation = work.motion, work.situation
    if motion.rollout is not None:
        return _undo_in_motion(work, revision)
    standby = motion.standby if motion.standby and work.now < motion.standby.until else None
    target = revision or (standby.revision if standby else "") or situation.previous
    refusal = ""
    if motion.live is None:
        refusal = "nothing is live that could be undone"
    elif not target:
        refusal = "there is no earlier revision to go back to"
    elif target == motion.live.revision:
        refusal = f"revision {target} is live already"
    elif not revision and motion.rejected and target == motion.rejected.revision:
        refusal = f"the revision before, {target}, is rejected; retry rolls it out, its name runs it at once"
    elif target not in situation.known and not (standby and standby.revision == target):
        refusal = f"revision {target} is not kept; known: {', '.join(sorted(situation.known)) or 'none'}"
    if refusal:
        return refusal
    if target != situation.wanted:
        work.motion = dataclasses.replace(
            motion,
            rejected=RejectedRevision(
                revision=situation.wanted,
                reason="RolledBack",
                message=f"revision {situation.wanted} was undone; {target} takes its place",
                fallback=target,
                cause="Person",
            ),
        )
    begin.begin(work, target, kind="Undo", by="undo")
    return ""


def _undo_in_motion(work: Work, revision: str) -> str:
    if revision not in ("", work.rollout.source):
        return f"a rollout is in motion; abort it before you go to {revision}"
    if rollback.held(work):
        return "the way back is held; abort goes back all the same, whether the source is healthy or not"
    return _abort(work)


def _retry(work: Work) -> str:
    rejected = work.motion.rejected
    if rejected is None or rejected.revision != work.situation.wanted:
        return "the revision that the spec asks for is not rejected"
    if work.motion.rollout is not None:
        return "a rollout is in motion; retry when it is over"
    work.motion = dataclasses.replace(work.motion, rejected=None)
    return ""


def _pause(work: Work) -> str:
    refusal = _forward(work)
    if refusal:
        return refusal
    if work.rollout.paused:
        return "the rollout is paused already"
    work.change(paused=True)
    return ""


def _resume(work: Work) -> str:
    refusal = _forward(work)
    if refusal:
        return refusal
    if work.rollout.held == "DriftHalted":
        work.change(held="", message="", reassert=True, paused=False)
        return ""
    if not work.rollout.paused:
        return "the rollout is not paused"
    work.change(paused=False)
    return ""


def _promote(work: Work) -> str:
    refusal = _forward(work)
    if refusal:
        return refusal
    if _release(work):
        return ""
    rollout, steps = work.rollout, work.steps
    step = steps[rollout.step] if rollout.step < len(steps) else None
    if rollout.stage == "Stepping" and isinstance(step, Pause):
        stepping.advance(work, work.now)
        work.note("Promoted", f"step {rollout.step + 1} of {len(steps)}: the pause was ended by a person")
        return ""
    if rollout.paused:
        return "the rollout is paused; resume it"
    return "nothing waits for a person"


def _promote_full(work: Work) -> str:
    if rollback.held(work):
        _cure(work)
        return ""
    refusal = _forward(work)
    if refusal:
        return refusal
    released = _release(work)
    if work.rollout.stage == "Baking":
        work.note("Promoted", "the rest of bake was passed over by a person")
        work.enter("PostBake")
        return ""
    if work.rollout.stage not in _BEFORE_FULL:
        return "" if released else "the candidate has all requests already"
    last = len(work.steps) - 1
    at_last = work.rollout.step >= last
    if work.rollout.full and at_last and not released:
        return "it was promoted already"
    if not at_last:
        work.progress(step=last, step_since=None, healthy_since=None)
    work.change(full=True)
    work.note("Promoted", "pauses, analyses and hooks of the remaining steps are passed over by a person")
    return ""


def _cure(work: Work) -> None:
    """Go forward again where the way back is held: a person says that the candidate is the cure.

    What turned it back is passed over once: it is measured anew, and may turn it back again.
    """
    hooks.ignore_failed(work)
    hooks.ask_again(work)
    analysis.forgive(work)
    alarms.accept(work)
    work.enter(
        "Stepping",
        step=len(work.steps) - 1,
        full=True,
        samples_after=work.now,
        decided_at=work.rollout.started_at if work.rollout.kind == "Undo" else 0.0,
        reason="",
        message="",
        outcome="",
    )
    work.note("Promoted", "the way back was held, and is given up by a person: the candidate gets everything")


def _release(work: Work) -> bool:
    """End what only a person can end; tell whether there was anything."""
    released = hooks.ignore_failed(work)
    if work.rollout.held == "AnalysisInconclusive":
        analysis.accept(work)
        alarms.accept(work)
        work.change(held="", message="")
        released = f"{released} analysis".strip()
    if released:
        work.note("Promoted", f"passed over by a person: {released}")
    return bool(released)


def _forward(work: Work) -> str:
    rollout = work.motion.rollout
    if rollout is None:
        return "nothing is in motion"
    if rollout.stage in BACK:
        return "the rollout is on its way back"
    return ""
