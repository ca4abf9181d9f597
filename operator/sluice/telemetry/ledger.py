"""What is counted when it happens: own status writes, decisions, hurried AWS writes, passes that end well.

All of it happens only in the leader, once for each event, and never raises: nobody's pass ends for a
number. What a new leader finds done is in statuses and was counted by whoever did it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter

from sluice.model.conditions import READY
from sluice.model.events import EVENTS
from sluice.model.keys import DEPLOYMENT, PLURALS, SERVICE_ROUTE, Key
from sluice.telemetry.born import born
from sluice.telemetry.delivery import DeliveryMetrics
from sluice.telemetry.drift import DriftMetrics
from sluice.telemetry.log import logger
from sluice.telemetry.raw import Raw, condition, key_members, status_of
from sluice.telemetry.rollouts import RolloutMetrics
from sluice.telemetry.timings import TimingMetrics

_log = logger(__name__)
_OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What counting needs of the process."""

    now: Callable[[], float]
    """Wall time, epoch seconds."""
    peek: Callable[[Key], Raw | None]
    """The object as it is known; never raises."""
    routes_of: Callable[[Key], Iterable[Key]]
    """The routes that refer to a Deployment."""
    team: Callable[[Raw], str]
    """Whose a Deployment is."""


class Ledger:
    """Everything that is counted; thread-safe. One per process."""

    def __init__(self, registry: CollectorRegistry, around: Surroundings) -> None:
        """Register on `registry`."""
        self._around = around
        self.rollouts = RolloutMetrics(registry)
        self.timings = TimingMetrics(registry, now=around.now, routes_of=around.routes_of)
        self.delivery = DeliveryMetrics(registry, now=around.now, team=around.team)
        self.drift = DriftMetrics(registry)
        self.decisions = Counter(
            "sluice_decisions",
            "Decisions that a person would ask about, by the reason of their Event, before any rate limit.",
            ["kind", "reason"],
            registry=registry,
        )
        born(self.decisions, PLURALS, (*sorted(EVENTS), _OTHER))
        self.synced: dict[Key, float] = {}
        """When the last pass of an object ended well, epoch seconds."""
        self._listeners: list[Callable[[Key, Raw], None]] = []

    def listen(self, listener: Callable[[Key, Raw], None]) -> None:
        """Have `listener(key, object)` hear of own status writes, too."""
        self._listeners.append(listener)

    def written(self, before: Raw | None, after: Raw) -> None:
        """Take an object before and after an own status write."""
        key = key_of(after)
        if key is None:
            return
        try:
            self.rollouts.written(before, after)
            self.timings.written(key, before, after)
            self.delivery.written(key, before, after)
            for listener in self._listeners:
                listener(key, after)
        except Exception:  # noqa: BLE001 - counting must never stop doing
            _log.exception("count_crashed", namespace=key.namespace, name=key.name)

    def planned(self, key: Key, reason: str, message: str) -> None:
        """Take a decision that is about to be carried out; drift counts as found from here on."""
        self.drift.told(key, reason, message)

    def told(self, key: Key, reason: str, message: str) -> None:
        """Take a decision that is told as an Event."""
        self.decisions.labels(key.kind, reason if reason in EVENTS else _OTHER).inc()
        self.drift.told(key, reason, message)

    def hurried(self, key: Key, service: str) -> None:
        """Take a write with a rollback's priority that AWS took."""
        self.timings.hurried(key, service)

    def passed(self, key: Key) -> None:
        """Take the good end of a pass."""
        obj = self._around.peek(key)
        if obj is None:
            self.drift.forget(key)
            self.synced.pop(key, None)
            return
        self.synced[key] = self._around.now()
        self.delivery.expect(key, obj)
        self.drift.settled(key, ready=condition(status_of(obj), READY).get("status") == "True")


def key_of(obj: Raw) -> Key | None:
    """Return the key of an object as the API server answers it; None where it has no kind of ours."""
    kind, namespace, name = key_members(obj)
    if kind == DEPLOYMENT:
        return Key(DEPLOYMENT, namespace, name)
    return Key(SERVICE_ROUTE, namespace, name) if kind == SERVICE_ROUTE else None
