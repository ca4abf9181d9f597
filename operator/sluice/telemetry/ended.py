"""Rollouts that ended: what an own status write added to the history, with what was known before.

The history is the record that every figure of delivery is made from: it is written once, in the write that
ends the rollout, so a figure is counted once, by the replica that wrote it, and not again after a restart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sluice.telemetry.raw import Raw, entries, member, memory_of, moment, number, status_of, text

FAILED: Final = frozenset({"RolledBack", "Failed", "Aborted"})
_BY_PERSON: Final = frozenset({"abort", "undo"})  # of a rolling deployment that a person ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A rollout that is over."""

    id: str
    outcome: str
    """Succeeded, RolledBack, Failed, Aborted or Superseded."""
    started: float
    """Epoch seconds."""
    seconds: float
    """Its duration."""
    by: str
    kind: str
    """First, Rollout or Undo; '' where the strategy is rolling."""
    verified: float | None
    """When every route was proved to send to the old revision (an undo: to the chosen one) again."""
    older: tuple[Raw, ...]
    """The history before it, newest first."""

    @property
    def end(self) -> float:
        """Return when it was over, epoch seconds."""
        return self.started + self.seconds

    @property
    def way_back(self) -> bool:
        """Tell whether it was no change but the way back to an older revision."""
        return self.kind == "Undo" or (self.outcome == "Succeeded" and self.by == "rollback")

    @property
    def open_failure(self) -> bool:
        """Tell whether it failed and left something that only another rollout mends."""
        return is_open(self.outcome, self.by) or (self.outcome in FAILED and self.kind == "First")


def is_open(outcome: str, by: str) -> bool:
    """Tell by a history entry whether its failure lasts beyond it.

    A rollback by ECS or of a progressive rollout ends with the old revision as it was. What fails without
    a rollback, or is ended by a person in the middle of a rolling deployment, is mended by the next one.
    """
    return outcome == "Failed" or (outcome == "Aborted" and by in _BY_PERSON)


def ended(before: Raw | None, after: Raw) -> list[Ended]:
    """Return the rollouts that ended with an own write, oldest first; malformed entries are passed over.

    An object that this process had not seen before its write ended none.
    """
    if before is None:
        return []
    old, new = status_of(before), status_of(after)
    history = entries(new, "history")
    known = next(iter(entries(old, "history")), None)
    count = history.index(known) if known in history else min(1, len(history))
    found = []
    for place in reversed(range(count)):
        entry = history[place]
        started, seconds = moment(entry.get("startedAt")), number(entry.get("durationSeconds"))
        if started is None or seconds is None:
            continue
        rollout = member(old, "rollout")
        same = rollout.get("id") == entry.get("id")
        memory = memory_of(old) if same else {}
        verified = number(memory.get("verifiedAt")) or number(memory.get("discoveredAt"))
        found.append(
            Ended(
                id=text(entry.get("id")),
                outcome=text(entry.get("outcome")),
                started=started,
                seconds=seconds,
                by=text(entry.get("by")),
                kind=text(rollout.get("kind")) if same else "",
                verified=verified or None,
                older=tuple(history[place + 1 :]),
            )
        )
    return found
