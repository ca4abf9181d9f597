"""What the tests of notifications share: statuses as the controllers write them, a clock, a shelf, sinks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry

from sluice.model.errors import Retryable, WriteConflict
from sluice.model.keys import API_VERSION, DEPLOYMENT, Key
from sluice.notify.moment import EventName, Moment
from sluice.notify.sink import SinkFailure

KEY = Key(DEPLOYMENT, "shop", "checkout")
UID = "6f9f5b3c-6a3a-4d50-8b0c-6d6ad6b6c0de"
NOW = 1_795_000_000.0
"""2026-11-18T11:06:40Z."""


@dataclass
class Clock:
    """Time that moves when told to."""

    time: float = NOW

    def now(self) -> float:
        """Return wall time."""
        return self.time

    def monotonic(self) -> float:
        """Return the same."""
        return self.time


def deployment(status: Mapping[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    """Return a raw Deployment; a member `paused` goes to its spec."""
    paused = metadata.pop("paused", None)
    return {
        "apiVersion": API_VERSION,
        "kind": metadata.pop("kind", DEPLOYMENT),
        "metadata": {"namespace": "shop", "name": "checkout", "uid": UID, **metadata},
        "spec": {"paused": paused} if paused is not None else {},
        "status": dict(status or {}),
    }


def rollout(stage: str = "Stepping", **members: Any) -> dict[str, Any]:
    """Return `status.rollout` of a progressive rollout."""
    found = {
        "id": "r1",
        "kind": "Rollout",
        "candidate": "checkout-2",
        "source": "checkout-1",
        "stage": stage,
        "startedAt": "2026-11-18T11:00:00Z",
        "by": "spec",
        "step": "2/4",
        "stepIndex": 1,
        "share": "25%",
        "weight": 250,
        "provenWeight": 250,
        "memory": {"decidedAt": NOW} if stage in ("RollingBack", "CleaningUp") else {},
    }
    return {**found, **members}


def ended(outcome: str = "Succeeded", **members: Any) -> dict[str, Any]:
    """Return a history entry of rollout r1: it ended six minutes and forty seconds after it began."""
    return {
        "id": "r1",
        "revision": "checkout-2",
        "outcome": outcome,
        "startedAt": "2026-11-18T11:00:00Z",
        "durationSeconds": 400,
        "by": "spec",
        **members,
    }


def condition(
    kind: str, reason: str, *, message: str = "", since: str = "2026-11-18T11:05:00Z"
) -> dict[str, Any]:
    """Return a condition that is True, but for Ready."""
    return {
        "type": kind,
        "status": "False" if kind == "Ready" else "True",
        "reason": reason,
        "message": message,
        "lastTransitionTime": since,
        "observedGeneration": 1,
    }


def moment(
    number: int = 1, *, event: EventName = "Started", at: float = NOW, standing: bool = False
) -> Moment:
    """Return a moment with an id of its own."""
    return Moment(
        id=f"{UID}/r{number}/{event}",
        event=event,
        at=at,
        key=KEY,
        uid=UID,
        rollout_id=f"r{number}",
        standing=standing,
    )


@dataclass
class Board:
    """What stands in the ConfigMap."""

    text: str | None = None
    writes: list[str] = field(default_factory=list)
    broken: bool = False


@dataclass
class Shelf:
    """One leader's view of the board."""

    board: Board = field(default_factory=Board)
    known: int = 0

    def load(self) -> str | None:
        """Return the document."""
        if self.board.broken:
            raise Retryable("the API server is away")
        self.known = len(self.board.writes)
        return self.board.text

    def save(self, text: str) -> None:
        """Replace the document, if nobody else did."""
        if self.board.broken:
            raise Retryable("the API server is away")
        if self.known != len(self.board.writes):
            raise WriteConflict("somebody wrote it")
        self.board.writes.append(text)
        self.known, self.board.text = len(self.board.writes), text


@dataclass
class FakeSink:
    """Keeps what it is told; `answers` are failures to raise first."""

    name: str = "chat"
    pace: float = 0.0
    told: list[Moment] = field(default_factory=list)
    answers: list[SinkFailure | Exception] = field(default_factory=list)

    def send(self, moment: Moment) -> None:
        """Take a moment or fail."""
        if self.answers:
            raise self.answers.pop(0)
        self.told.append(moment)

    @property
    def ids(self) -> list[str]:
        """Return the ids that were told, without the uid."""
        return [moment.id.removeprefix(f"{UID}/") for moment in self.told]


def counted(registry: CollectorRegistry, name: str, **labels: str) -> float:
    """Return a metric's value, 0 where it has none."""
    return registry.get_sample_value(name, labels) or 0.0


def seen(function: Callable[..., Any], *args: Any) -> list[str]:
    """Return the ids of the moments that a function returns, without the uid."""
    return [found.id.removeprefix(f"{UID}/") for found in function(*args, now=NOW)]
