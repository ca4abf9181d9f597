"""What a status says has happened: the source of every notification.

Status is written before anything is told, so it is the first half of the outbox: whoever reads it again,
after a crash or as the next leader, derives the same moments with the same ids. Pure, total (a malformed
status has fewer moments) and cheap, because it runs for each status that changes.

| moment | the status says it by | in the id after uid, rollout and event |
|---|---|---|
| Started | a rollout beyond the gates of its start; a history entry | |
| Paused | a step waits for a promotion; spec.paused or the verb holds a rollout | the step, or which |
| Promoted | every route proved 100 % | |
| RollingBack | the rollout's stage, unless a newer spec took its place | |
| Succeeded, RolledBack, Failed, Aborted, Superseded | a history entry | |
| Stalled | the condition, unless an outcome tells the same; both slots unhealthy | reason, since when |

What a history entry tells has a time in the status; the rest stands as long as the status says it.

Drift has no place in status: it is told when its Event is recorded (`notifier`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from sluice.model.conditions import STALLED, parse_timestamp
from sluice.model.keys import DEPLOYMENT, SERVICE_ROUTE, Key, Kind
from sluice.model.names import short_hash
from sluice.model.rollout import BACK
from sluice.notify.moment import LONGEST, EventName, Moment
from sluice.ports import Object

_OUTCOMES: Final[Mapping[str, EventName]] = {
    "Succeeded": "Succeeded",
    "RolledBack": "RolledBack",
    "Failed": "Failed",
    "Aborted": "Aborted",
    "Superseded": "Superseded",
}
_TOLD_BY_OUTCOME: Final[Mapping[str, frozenset[str]]] = {
    "RolledBack": frozenset(_OUTCOMES),  # after an undo it is Succeeded
    "FirstRolloutFailed": frozenset(_OUTCOMES),
    "ProgressDeadlineExceeded": frozenset(_OUTCOMES) - {"Succeeded"},
}
"""Stalled reasons at rest → newest outcomes of the history that say the same."""
_WAITS_TO_START: Final = "Starting"
_FULLY_SENT: Final = frozenset({"PostTraffic", "Baking", "PostBake", "Draining"})
_FULL: Final = 1000
_HOUR: Final = 3600


def moments(obj: Object, *, now: float) -> tuple[Moment, ...]:
    """Return every moment that the object's status tells of, oldest first; `now` dates the standing ones."""
    return _derived(obj, _mappings(_mapping(obj.get("status")).get("history")), now=now)


def _derived(obj: Object, entries: Sequence[Mapping[str, Any]], *, now: float) -> tuple[Moment, ...]:
    """Return the moments of a status, of its history only what these entries tell of."""
    status = _mapping(obj.get("status"))
    if not status:
        return ()
    about = _About(obj, now)
    found = list(_past(about, entries))
    if about.key.kind == DEPLOYMENT:
        found += _present(about, obj, status)
    found += _stalled(about, status)
    return tuple({moment.id: moment for moment in found}.values())


def news(before: Object | None, after: Object, *, now: float) -> tuple[Sequence[Moment], Sequence[Moment]]:
    """Return (moments that `after` has and `before` had not, standing ones that stand no more).

    An object that was not known before brings no news: what its status tells of happened in another life
    (a restore, an object of a namespace that was not watched).
    """
    if before is None or _told_by(before) == _told_by(after):
        return (), ()
    known = _mappings(_mapping(before.get("status")).get("history"))
    there = _mappings(_mapping(after.get("status")).get("history"))
    # An entry that was there before is no news, and ten of them cost more than all the rest.
    added = [] if known == there else [entry for entry in there if entry not in known]
    old = {moment.id: moment for moment in _derived(before, (), now=now)}
    new = {moment.id: moment for moment in _derived(after, added, now=now)}
    standing = [moment for moment in old.values() if moment.standing]
    over = [moment for moment in standing if not (moment.id in new and new[moment.id].standing)]
    return [moment for moment in new.values() if moment.id not in old], over


def drift(obj: Object, *, reason: str, message: str, now: float) -> Moment:
    """Return the moment of drift that was found or repaired; the same within one hour has the same id."""
    about = _About(obj, now)
    status = _mapping(obj.get("status"))
    rollout = str(_mapping(status.get("rollout")).get("id") or _newest(status).get("id") or "")
    digest = short_hash(reason, message)
    return about.moment(
        "Drift", rollout, digest, str(int(now) // _HOUR), reason=reason, message=message[:LONGEST]
    )


def _told_by(obj: Object) -> tuple[object, ...]:
    """Return the parts of an object that moments are derived from."""
    status = _mapping(obj.get("status"))
    parts = (status.get(name) for name in ("rollout", "history", "conditions"))
    return *parts, _mapping(obj.get("spec")).get("paused")


class _About:
    """The object that moments are about."""

    def __init__(self, obj: Object, now: float) -> None:
        metadata = _mapping(obj.get("metadata"))
        kind: Kind = SERVICE_ROUTE if obj.get("kind") == SERVICE_ROUTE else DEPLOYMENT
        self.key = Key(kind, str(metadata.get("namespace", "")), str(metadata.get("name", "")))
        self.uid = str(metadata.get("uid", ""))
        self.now = now

    def moment(
        self,
        event: EventName,
        rollout: str,
        *more: str,
        at: float | None = None,
        **members: Any,  # noqa: ANN401 - the members of Moment
    ) -> Moment:
        return Moment(
            id="/".join((self.uid, rollout, event, *more)),
            event=event,
            at=self.now if at is None else at,
            key=self.key,
            uid=self.uid,
            rollout_id=rollout,
            **members,
        )


def _past(about: _About, entries: Sequence[Mapping[str, Any]]) -> Iterator[Moment]:
    """Yield what entries of the history keep, oldest first."""
    for entry in reversed(entries):
        rollout = str(entry.get("id") or "")
        event = _OUTCOMES.get(str(entry.get("outcome")))
        started = _time(entry.get("startedAt"))
        if not rollout or event is None or started is None:
            continue
        shared: dict[str, Any] = {"revision": str(entry.get("revision", "")), "by": _by(entry)}
        yield about.moment("Started", rollout, at=started, **shared)
        ended = started + (_number(entry.get("durationSeconds")) or 0.0)
        reason = str(entry.get("reason", ""))
        yield about.moment(event, rollout, at=ended, message=reason[:LONGEST], **shared)


def _present(about: _About, obj: Object, status: Mapping[str, Any]) -> Iterator[Moment]:
    """Yield what the rollout in motion tells of."""
    moving = _mapping(status.get("rollout"))
    rollout, stage = str(moving.get("id") or ""), str(moving.get("stage") or "")
    if not rollout or stage == _WAITS_TO_START:
        return
    shared: dict[str, Any] = {
        "revision": str(moving.get("candidate", "")),
        "source": str(moving.get("source", "")),
        "step": str(moving.get("step", "")),
        "weight": str(moving.get("share", "")),
        "by": str(moving.get("by", "")),
        "standing": True,
    }
    yield about.moment("Started", rollout, **shared)
    memory = _mapping(moving.get("memory"))
    if stage in BACK:
        if memory.get("outcome") != "Superseded":
            why, text = str(moving.get("reason", "")), str(moving.get("message", ""))
            yield about.moment("RollingBack", rollout, reason=why, message=text[:LONGEST], **shared)
        held = next((gate for gate in _mappings(moving.get("gates")) if _waits(gate, "person")), None)
        if held is not None:
            why = str(held.get("message") or "both slots are unhealthy")
            text = f"{why}: no weight is moved, a person has to decide"
            yield about.moment("Stalled", rollout, "person", reason="BothUnhealthy", message=text, **shared)
        return
    if stage in _FULLY_SENT and moving.get("provenWeight") == _FULL and moving.get("kind") != "First":
        yield about.moment("Promoted", rollout, **shared)
    for what in _pauses(obj, status, moving):
        text = str(_condition(status, "Ready").get("message", ""))
        yield about.moment("Paused", rollout, what, message=text[:LONGEST], **shared)


def _pauses(obj: Object, status: Mapping[str, Any], moving: Mapping[str, Any]) -> Iterator[str]:
    if any(_waits(gate, "promote") for gate in _mappings(moving.get("gates"))):
        yield f"step-{moving.get('stepIndex', 0)}"
    if moving.get("paused"):
        value = str(_mapping(status.get("intents")).get("pause", ""))
        yield f"verb-{short_hash(value, length=6)}" if value else "verb"  # a second pause has another value
    if _mapping(obj.get("spec")).get("paused"):
        yield "spec"


def _waits(gate: Mapping[str, Any], name: str) -> bool:
    return gate.get("name") == name and gate.get("state") == "Waiting"


def _stalled(about: _About, status: Mapping[str, Any]) -> Iterator[Moment]:
    condition = _condition(status, STALLED)
    reason, since = str(condition.get("reason", "")), _time(condition.get("lastTransitionTime"))
    if condition.get("status") != "True" or since is None:
        return
    newest, moving = _newest(status), _mapping(status.get("rollout"))
    if not moving and newest.get("outcome") in _TOLD_BY_OUTCOME.get(reason, ()):
        return
    rollout = str(moving.get("id") or newest.get("id") or "")
    yield about.moment(
        "Stalled",
        rollout,
        reason,
        str(int(since)),
        reason=reason,
        message=str(condition.get("message", ""))[:LONGEST],
        revision=str(moving.get("candidate") or newest.get("revision") or ""),
        standing=True,
    )


def _by(entry: Mapping[str, Any]) -> str:
    """Return who asked for a rollout, and the persons who said something to it: `spec; promote by jane`."""
    persons = entry.get("persons")
    words = [str(person) for person in persons] if isinstance(persons, list) else []
    return "; ".join((str(entry.get("by", "")), *words)).strip("; ")[:LONGEST]


def _newest(status: Mapping[str, Any]) -> Mapping[str, Any]:
    return next(iter(_mappings(status.get("history"))), {})


def _condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    found = (entry for entry in _mappings(status.get("conditions")) if entry.get("type") == kind)
    return next(found, {})


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: object) -> list[Mapping[str, Any]]:
    entries: Iterable[object] = value if isinstance(value, list | tuple) else ()
    return [entry for entry in entries if isinstance(entry, Mapping)]


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _time(value: object) -> float | None:
    try:
        return parse_timestamp(value) if isinstance(value, str) else None
    except ValueError:
        return None
