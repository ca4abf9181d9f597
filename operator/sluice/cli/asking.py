"""Asks the operator for something: one annotation, written on what was seen, and what became of it.

`sluice.dev/<verb>: "<rollout id>[/<step or revision>][#<n>]"` (api.md). The write carries the resourceVersion
that the decision was made on; where somebody was faster the object is read and judged again, so nothing
is ever said about a rollout that nobody looked at. `#<n>` makes a word new that was handled before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sluice.cli import sense
from sluice.cli.cluster import Changed, Cluster
from sluice.cli.problem import Refused, Unusable
from sluice.model.keys import GROUP
from sluice.runtime.apiserver import KubernetesFailure

_ATTEMPTS: Final = 10
"""Status is written every second or so in a rollout; ten lost races in a row are something else."""
_POLL: Final = 0.3
_EVENT_PATIENCE: Final = 3.0
"""Seconds: Events are sent by a thread of their own, after the status."""
_ANSWERS: Final = frozenset({"VerbHandled", "VerbIgnored"})
_WITH_STEP: Final = frozenset({"promote", "pause", "resume"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a person wants."""

    name: str
    verb: str
    revision: str = ""
    """Of an undo."""
    anyway: bool = False
    """Of an abort: also onto a source that is dead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was done about it."""

    obj: dict[str, Any]
    value: str
    written: bool
    """False: the very same was said before."""
    handled: bool = False
    """It was said before, and the operator has dealt with it."""
    why: str = ""
    """Why saying it again makes no sense."""
    counts: Mapping[str, int] | None = None
    """Events about verbs that were there before, by name, and how often each came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of it. `reason` is '' when there was no Event in time (their number is limited)."""

    obj: dict[str, Any]
    reason: str = ""
    message: str = ""


def ask(cluster: Cluster, wish: Ask, *, now: Callable[[], float] = time.time) -> Asked:
    """Write the annotation; raises Refused where the verb makes no sense now, Unusable, KubernetesFailure."""
    first = ""
    for _ in range(_ATTEMPTS):
        obj = cluster.deployment(wish.name)
        current = sense.rollout_id(obj)
        if first and current != first:
            raise Refused(
                f"{wish.verb} was not said: rollout {first} ended meanwhile, {current} is current; look first"
            )
        first = current
        seen = _seen(cluster, wish, obj, now=now())
        if begun := sense.under_way(wish.verb, seen):
            return Asked(obj=obj, value=current, written=False, handled=True, why=begun)
        why = sense.refusal(wish.verb, seen)
        value, said, handled = _value(obj, wish, sensible=not why)
        if said:
            return Asked(obj=obj, value=value, written=False, handled=handled, why=why)
        if why:
            raise Refused(f"{wish.verb} makes no sense now: {why}")
        counts = _counts(cluster, obj)
        annotations = {f"{GROUP}/{wish.verb}": value}
        if who := cluster.who():
            annotations[f"{GROUP}/by"] = f"{wish.verb}={value} {who}"
        try:
            written = cluster.patch(obj, {"metadata": {"annotations": annotations}})
        except Changed:
            continue
        except KubernetesFailure as failure:
            if failure.code:
                raise
            continue  # the answer was lost: the next read shows whether it was written
        return Asked(obj=written, value=value, written=True, counts=counts)
    raise Unusable(
        f"{wish.name} was changed by others {_ATTEMPTS} times in a row; {wish.verb} was not said. Try again"
    )


def _seen(cluster: Cluster, wish: Ask, obj: dict[str, Any], *, now: float) -> sense.Situation:
    """Return what a verb is judged by; the kept revisions are read for an undo alone."""
    known = None
    if wish.verb == "undo":
        kept = cluster.revisions(wish.name)
        known = None if kept.problem else {entry["metadata"]["name"] for entry in kept.items}
    return sense.Situation(obj=obj, now=now, revision=wish.revision, known=known, anyway=wish.anyway)


def await_answer(cluster: Cluster, wish: Ask, asked: Asked, *, timeout: float) -> Answer | None:
    """Wait until the operator has dealt with it; None when `timeout` seconds are over before."""
    ends = time.monotonic() + timeout
    obj = asked.obj
    while not asked.handled and _handled(obj, wish.verb) != asked.value:
        if time.monotonic() >= ends:
            return None
        time.sleep(_POLL)
        try:
            obj = cluster.deployment(wish.name)
        except KubernetesFailure:
            continue  # it has to come back within the time
    if asked.counts is None:
        return Answer(obj=obj)
    patience = min(ends, time.monotonic() + _EVENT_PATIENCE)
    while True:
        for event in cluster.events(obj).items:
            if _is_answer(event, wish.verb) and _count(event) > asked.counts.get(_name(event), 0):
                return Answer(obj=obj, reason=event["reason"], message=event.get("message", ""))
        if time.monotonic() >= patience:
            return Answer(obj=obj)
        time.sleep(_POLL)


def _value(obj: Mapping[str, Any], wish: Ask, *, sensible: bool) -> tuple[str, bool, bool]:
    """Return the annotation's value, whether it was said before, and whether that was handled."""
    base = sense.rollout_id(obj)
    rollout = (obj.get("status") or {}).get("rollout") or {}
    if wish.verb in _WITH_STEP and "stepIndex" in rollout:
        base += f"/{rollout['stepIndex']}"
    if wish.verb == "undo" and wish.revision:
        base += f"/{wish.revision}"
    annotations = obj["metadata"].get("annotations") or {}
    present, handled = annotations.get(f"{GROUP}/{wish.verb}", ""), _handled(obj, wish.verb)
    if present and present != handled and present.partition("#")[0] == base:
        return present, True, False
    if not handled or handled.partition("#")[0] != base:
        return base, False, False
    if not sensible:
        return handled, True, True
    number = handled.partition("#")[2]
    return f"{base}#{int(number) + 1 if number.isdigit() else 2}", False, False


def _handled(obj: Mapping[str, Any], verb: str) -> str:
    return str(((obj.get("status") or {}).get("intents") or {}).get(verb, ""))


def _counts(cluster: Cluster, obj: dict[str, Any]) -> dict[str, int]:
    found = cluster.events(obj).items
    return {_name(event): _count(event) for event in found if event.get("reason") in _ANSWERS}


def _is_answer(event: Mapping[str, Any], verb: str) -> bool:
    """Tell whether an Event is about this verb: `<verb>`, `<verb>: why` or `<verb> <value>[: why]`."""
    words = str(event.get("message", "")).replace(":", " ", 1).split()
    return event.get("reason") in _ANSWERS and bool(words) and words[0] == verb


def _name(event: Mapping[str, Any]) -> str:
    return str(event["metadata"]["name"])


def _count(event: Mapping[str, Any]) -> int:
    return int(event.get("count") or 1)
