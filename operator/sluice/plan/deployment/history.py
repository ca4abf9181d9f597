"""Rollouts that are over, and which revisions and task definitions are old enough to go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from sluice.model.conditions import parse_timestamp, timestamp
from sluice.model.names import short_hash
from sluice.plan.deployment.state import Rollout, State

_ROUNDED: Final = 2.0  # start and duration are whole seconds, cut off
KEPT_ENTRIES: Final = 10  # of status.history; whole specs are in ControllerRevisions
Outcome = Literal["Succeeded", "RolledBack", "Failed", "Aborted", "Superseded"]
Entries = tuple[Mapping[str, Any], ...]


def begin(state: State, *, candidate: str, deadline: float, now: float, supersedes: str = "") -> Rollout:
    """Return a new rollout to `candidate`; its id differs from every earlier one of the object."""
    started = float(int(now))
    number = str(state.history[0].get("id", "")) if state.history else ""
    before = state.rollout.id if state.rollout else ""
    return Rollout(
        id=short_hash(candidate, timestamp(started), number, before),
        candidate=candidate,
        source=state.live.revision if state.live else "",
        started_at=started,
        deadline_at=started + deadline,
        supersedes=supersedes,
    )


def entry(
    rollout: Rollout,
    *,
    outcome: Outcome,
    now: float,
    reason: str = "",
    by: str = "",
    persons: tuple[str, ...] = (),
    evidence: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Return a history entry for `rollout`, over since now; `persons` are verbs with who said them."""
    found = {
        "id": rollout.id,
        "revision": rollout.candidate,
        "outcome": outcome,
        "startedAt": timestamp(rollout.started_at),
        "durationSeconds": max(0, int(now - rollout.started_at)),
        "reason": reason,
        "by": by,
        "persons": list(persons),
        "evidence": list(evidence),
    }
    return {name: value for name, value in found.items() if value not in ("", [])}


def add(entries: Entries, new: Mapping[str, Any]) -> Entries:
    """Return the entries with a new one in front, at most KEPT_ENTRIES."""
    return (new, *entries)[:KEPT_ENTRIES]


def ended(state: State) -> float:
    """Return when the newest rollout that followed another ended, rounded up (epoch seconds); else 0.

    The very first one had a slot for itself and left the other without a former revision.
    """
    if len(state.history) < 2:
        return 0.0
    newest = state.history[0]
    return parse_timestamp(newest["startedAt"]) + float(newest.get("durationSeconds", 0)) + _ROUNDED


def previous(state: State) -> str:
    """Return the revision that was live before the present one, '' when there is none."""
    live = state.live.revision if state.live else ""
    for old in state.history:
        if old.get("outcome") == "Succeeded" and old.get("revision") != live:
            return str(old["revision"])
    return ""


def protected(state: State, *names: str) -> frozenset[str]:
    """Return the revisions that may still be needed at once; `names` are the spec's and the effective."""
    found = {*names, previous(state)}
    if state.live:
        found.add(state.live.revision)
    found |= {slot.revision for slot in state.slots}
    found.add(str((state.progressive.get("standby") or {}).get("revision", "")))
    moving = state.moving
    found |= {str(moving.get("candidate", "")), str(moving.get("source", ""))}
    if state.rollout:
        found |= {state.rollout.source, state.rollout.candidate}
    if state.rejected:
        found |= {state.rejected.fallback, state.rejected.revision}
    return frozenset(found) - {""}


def surplus_revisions(
    kept: Sequence[str], *, current: str, needed: frozenset[str], limit: int
) -> tuple[str, ...]:
    """Return the names of revisions to delete; `kept` is oldest first.

    revisionHistoryLimit counts the old ones, as in apps/v1; what is `needed` stays beyond it.
    """
    old = [name for name in kept if name != current]
    return tuple(name for name in old[: max(0, len(old) - limit)] if name not in needed)


def surplus_definitions(
    definitions: Sequence[tuple[str, str]], *, needed: frozenset[str], limit: int
) -> tuple[str, ...]:
    """Return the ARNs of task definitions to deregister; `definitions` is oldest use first.

    `needed` holds ARNs and definition hashes that something still runs or may go back to.
    """
    old = [(key, arn) for key, arn in definitions if key not in needed and arn not in needed]
    return tuple(arn for _, arn in old[: max(0, len(old) - limit)])
