"""A person's annotations as the machine hears them: addressed to the present rollout, each once."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sluice.model.actions import Note
from sluice.model.keys import GROUP
from sluice.model.situation import Person
from sluice.plan.deployment import verbs
from sluice.plan.deployment.state import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """The words of this pass."""

    person: Person
    state: State
    """With every annotation recorded as handled."""
    notes: tuple[Note, ...]
    look_now: bool


def current_id(state: State) -> str:
    """Return the id that a verb must name: the running rollout's, else the last one's."""
    rollout = state.moving
    return str(rollout["id"]) if rollout else verbs.current_id(state)


def person_of(annotations: Mapping[str, str], state: State) -> Heard:
    """Return what a person newly asks for; what is not addressed to the present rollout is ignored."""
    person = Person()
    notes: list[Note] = []
    look_now = False
    addressed = current_id(state)
    step = str(state.moving.get("stepIndex", ""))
    for intent in verbs.unhandled(annotations, state.intents):
        state = dataclasses.replace(state, intents={**state.intents, intent.verb: intent.value})
        if intent.verb == verbs.RECONCILE_NOW:
            look_now = True
        elif intent.rollout_id != addressed:
            text = f"rollout {intent.rollout_id or '(none)'} is not current; use {addressed}"
            notes.append(_ignored(intent, text))
        elif intent.verb == "promote" and intent.argument and intent.argument != step:
            notes.append(_ignored(intent, f"step {intent.argument} is not current; it is {step}"))
        elif intent.verb == "restart":
            notes.append(_ignored(intent, f"set the template annotation {GROUP}/restartedAt instead"))
        else:
            person = _add(person, intent)
    return Heard(person=person, state=state, notes=tuple(notes), look_now=look_now)


def _add(person: Person, intent: verbs.Intent) -> Person:
    if intent.who:
        person = dataclasses.replace(person, who={**person.who, intent.verb: intent.who})
    if intent.verb == "undo":
        return dataclasses.replace(person, undo=intent.argument)
    said: dict[str, Any] = {intent.verb.replace("-", "_"): True}
    return dataclasses.replace(person, **said)


def _ignored(intent: verbs.Intent, why: str) -> Note:
    return Note(type="Warning", reason="VerbIgnored", message=f"{intent.verb} {intent.value}: {why}")
