"""A person's intents: annotations `sluice.dev/<verb>: "<rollout id>[/<step>]"`, handled once.

The value that was handled is kept in `status.intents`, so neither a resync nor a crash repeats a verb.
A verb for a rollout that is over is ignored with an event: what a person saw when typing is no longer
what there is. When nothing is in motion the id is the last rollout's. `abort` beats everything else.
What follows a `#` means nothing: it makes a value new where the same is said again (a second pause).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sluice.model.actions import Note
from sluice.model.keys import GROUP
from sluice.plan.deployment import history
from sluice.plan.deployment.state import Rejected, State

RECONCILE_NOW: Final = "reconcile-now"
BY: Final = f"{GROUP}/by"
_WHO_MAX: Final = 100
_PRECEDENCE: Final = (
    "abort",
    "undo",
    "retry",
    "resume",
    "pause",
    "promote-full",
    "promote",
    "restart",
    RECONCILE_NOW,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """One annotation that was not handled yet."""

    verb: str
    value: str
    rollout_id: str
    argument: str = ""
    """What follows the slash: a step, or the revision of an undo."""
    who: str = ""
    """Who says that they said it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handled:
    """The state after the verbs, and what to tell."""

    state: State
    notes: tuple[Note, ...] = ()
    look_now: bool = False
    """`reconcile-now`: nothing may come from a cache in this pass."""


def unhandled(annotations: Mapping[str, str], handled: Mapping[str, str]) -> tuple[Intent, ...]:
    """Return the intents whose value differs from the one handled last, most important first."""
    found = []
    for verb in _PRECEDENCE:
        value = annotations.get(f"{GROUP}/{verb}")
        if value is None or value == handled.get(verb):
            continue
        rollout_id, _, argument = value.partition("#")[0].partition("/")
        intent = Intent(verb=verb, value=value, rollout_id=rollout_id.strip(), argument=argument.strip())
        found.append(dataclasses.replace(intent, who=said_by(annotations, intent)))
    return tuple(found)


def said_by(annotations: Mapping[str, str], intent: Intent) -> str:
    """Return who says that they said it, '' where nobody does.

    `sluice.dev/by: "<verb>=<value> <who>"`, written with the verb (`kubectl sluice` does): a name that stands
    there from another word is not theirs. Nothing proves it; the API server's audit log does.
    """
    said, _, who = annotations.get(BY, "").partition(" ")
    return who.strip()[:_WHO_MAX] if said == f"{intent.verb}={intent.value}" else ""


def person(verb: str, who: str) -> str:
    """Return `promote: alice`, or the verb alone."""
    return f"{verb}: {who}" if who else verb


def current_id(state: State) -> str:
    """Return the id that a verb must name: the running rollout's, else the last one's."""
    if state.rollout:
        return state.rollout.id
    return str(state.history[0].get("id", "")) if state.history else ""


def apply(
    state: State,
    intents: tuple[Intent, ...],
    *,
    wanted: str,
    known: frozenset[str],
    deadline: float,
    now: float,
) -> Handled:
    """Return the state after `intents`.

    `wanted` is the revision that the spec asks for, `known` the kept revisions (for undo), `deadline`
    progressDeadlineSeconds. Each intent is recorded, whether it had an effect or not.
    """
    notes: list[Note] = []
    look_now = False
    addressed = current_id(state)
    for intent in intents:
        state = dataclasses.replace(state, intents={**state.intents, intent.verb: intent.value})
        if intent.verb == RECONCILE_NOW:
            look_now = True
            continue
        if intent.rollout_id != addressed:
            notes.append(
                _ignored(intent, f"rollout {intent.rollout_id or '(none)'} is not current; use {addressed}")
            )
            continue
        after, refusal = _one(state, intent, wanted=wanted, known=known, deadline=deadline, now=now)
        if refusal:
            notes.append(_ignored(intent, refusal))
        else:
            text = f"{intent.verb} {intent.value}" + (f" by {intent.who}" if intent.who else "")
            notes.append(Note(type="Normal", reason="VerbHandled", message=text))
        state = after
    return Handled(state=state, notes=tuple(notes), look_now=look_now)


def _one(
    state: State, intent: Intent, *, wanted: str, known: frozenset[str], deadline: float, now: float
) -> tuple[State, str]:
    match intent.verb:
        case "abort":
            return _abort(state, intent, now=now)
        case "undo":
            return _undo(state, intent, wanted=wanted, known=known, now=now)
        case "retry":
            return _retry(state, wanted=wanted, deadline=deadline, now=now)
        case "pause" | "resume":
            return _pause(state, pause=intent.verb == "pause", deadline=deadline, now=now)
        case "restart":
            return state, f"set the template annotation {GROUP}/restartedAt instead"
        case _:
            return state, "RollingUpdate and Recreate have no steps to promote"


def _abort(state: State, intent: Intent, *, now: float) -> tuple[State, str]:
    rollout = state.rollout
    if rollout is None:
        return state, "nothing is in motion"
    if not rollout.source or rollout.source == rollout.candidate:
        return state, "there is no earlier revision to go back to"
    rejected = Rejected(
        revision=rollout.candidate,
        reason="RolledBack",
        fallback=rollout.source,
        message=f"the rollout of {rollout.candidate} was aborted; {rollout.source} runs",
    )
    persons = (person("abort", intent.who),)
    entry = history.entry(rollout, outcome="Aborted", by="abort", persons=persons, now=now)
    return (
        dataclasses.replace(
            state, rejected=rejected, rollout=None, history=history.add(state.history, entry)
        ),
        "",
    )


def _undo(
    state: State, intent: Intent, *, wanted: str, known: frozenset[str], now: float
) -> tuple[State, str]:
    target = intent.argument or history.previous(state)
    if not target:
        return state, "there is no earlier revision to go back to"
    if target not in known:
        return state, f"revision {target} is not kept; known: {', '.join(sorted(known)) or 'none'}"
    if target == wanted:
        return state, f"revision {target} is what the spec asks for; use retry"
    entries = state.history
    if state.rollout:
        persons = (person("undo", intent.who),)
        entry = history.entry(state.rollout, outcome="Aborted", by="undo", persons=persons, now=now)
        entries = history.add(entries, entry)
    rejected = Rejected(
        revision=wanted,
        reason="RolledBack",
        fallback=target,
        message=f"revision {wanted} was undone; {target} runs",
    )
    return dataclasses.replace(state, rejected=rejected, rollout=None, history=entries), ""


def _retry(state: State, *, wanted: str, deadline: float, now: float) -> tuple[State, str]:
    if state.rejected is None or state.rejected.revision != wanted:
        return state, "the revision that the spec asks for is not rejected"
    if state.rejected.fallback:
        return dataclasses.replace(state, rejected=None, rollout=None), ""
    # The first rollout failed: the service runs nothing else, so its deployment must be forced anew.
    rollout = history.begin(
        state,
        candidate=wanted,
        deadline=deadline,
        now=now,
        supersedes=state.slot.deployment_id if state.slot else "",
    )
    return dataclasses.replace(state, rejected=None, rollout=rollout), ""


def _pause(state: State, *, pause: bool, deadline: float, now: float) -> tuple[State, str]:
    if state.rollout is None:
        return state, "nothing is in motion; set spec.paused to hold the next revision"
    if state.rollout.paused == pause:
        return state, f"the rollout is {'paused' if pause else 'not paused'} already"
    rollout = dataclasses.replace(
        state.rollout, paused=pause, deadline_at=None if pause else float(int(now + deadline))
    )
    return dataclasses.replace(state, rollout=rollout), ""


def _ignored(intent: Intent, why: str) -> Note:
    return Note(type="Warning", reason="VerbIgnored", message=f"{intent.verb} {intent.value}: {why}")
