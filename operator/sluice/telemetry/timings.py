"""Seconds between two things that happened: steps, writes of a rollback, proofs of a route.

Each is a histogram without names of objects; what is pending between the two is memory of this process, so
what a restart falls into is missing rather than counted twice.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Histogram

from sluice.model.keys import DEPLOYMENT, SERVICE_ROUTE, Key
from sluice.telemetry.born import born
from sluice.telemetry.raw import Raw, entries, member, memory_of, moment, number, status_of, text
from sluice.telemetry.remembered import Remembered
from sluice.telemetry.rollouts import PLANES, REASONS, ROLLBACK_BUCKETS, of_rollout

STEP_BUCKETS: Final = (1, 5, 15, 60, 300, 900, 1800, 3600, 6 * 3600, 24 * 3600)
VERIFICATION_BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300)
WRITTEN_TO: Final[Mapping[str, str]] = {"elbv2": "rules", "servicediscovery": "discovery"}
"""Service that is written to → where that moves requests."""
STEP_KINDS: Final = ("setWeight", "setHeaderRoute", "pause", "analysis", "hook")
_OTHER: Final = "other"
_Identity = tuple[object, object, object]


class TimingMetrics:
    """Histograms of steps, of a rollback's writes and of proofs; thread-safe."""

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        now: Callable[[], float],
        routes_of: Callable[[Key], Iterable[Key]] = lambda _key: (),
    ) -> None:
        """Register on `registry`; `now` is wall time, `routes_of` finds the routes to a Deployment."""
        self._now = now
        self._routes_of = routes_of
        self._lock = threading.Lock()
        self._steps: Remembered[Key, tuple[str, int, float]] = Remembered()
        self._published: Remembered[Key, tuple[_Identity, float, bool]] = Remembered()
        self._hurried: Remembered[Key, dict[str, float]] = Remembered()
        self.step_seconds = Histogram(
            "sluice_rollout_step_duration_seconds",
            "Duration of a step of a progressive rollout, passed-over ones excepted.",
            ["step"],
            buckets=STEP_BUCKETS,
            registry=registry,
        )
        self.written_seconds = Histogram(
            "sluice_rollback_written_seconds",
            "From the decision to roll back to the last write that AWS took.",
            ["plane", "reason"],
            buckets=ROLLBACK_BUCKETS,
            registry=registry,
        )
        self.verification_seconds = Histogram(
            "sluice_route_verification_seconds",
            "From the moment that a Deployment publishes weights to the moment that a route read them back.",
            ["rollback"],
            buckets=VERIFICATION_BUCKETS,
            registry=registry,
        )
        born(self.step_seconds, (*STEP_KINDS, _OTHER))
        born(self.written_seconds, PLANES, REASONS)
        born(self.verification_seconds, ("true", "false"))

    def hurried(self, key: Key, service: str) -> None:
        """Take note of a write with a rollback's priority that AWS took just now."""
        plane = WRITTEN_TO.get(service)
        if plane is not None:
            with self._lock:
                self._hurried[key] = {**self._hurried.get(key, {}), plane: self._now()}

    def written(self, key: Key, before: Raw | None, after: Raw) -> None:
        """Take an object before and after an own status write."""
        with self._lock:
            if key.kind == DEPLOYMENT:
                self._step(key, before, after)
                self._publish(key, before, after)
                self._rolled_back(key, before, after)
            elif key.kind == SERVICE_ROUTE:
                self._prove(key, before, after)

    # Inside the lock

    def _step(self, key: Key, before: Raw | None, after: Raw) -> None:
        rollout = member(status_of(after), "rollout")
        id_, index = text(rollout.get("id")), number(rollout.get("stepIndex"))
        if not id_ or index is None or not rollout.get("stage"):
            self._steps.pop(key, None)
            return
        here = int(index)
        entered = self._steps.get(key) or _entered(before)
        if entered is None or entered[0] != id_:
            if rollout.get("stage") == "Stepping":
                self._steps[key] = (id_, here, self._now())
            return
        _, step, since = entered
        if here > step:
            self.step_seconds.labels(_kind_of(rollout, step)).observe(
                max(0.0, self._now() - since), of_rollout(id_)
            )
            since = self._now()
        self._steps[key] = (id_, here, since)

    def _publish(self, key: Key, before: Raw | None, after: Raw) -> None:
        old, new = (member(status_of(obj), "traffic") for obj in (before, after))
        if new and _identity(new) != _identity(old):
            self._published[key] = (_identity(new), self._now(), new.get("rollback") is True)

    def _prove(self, key: Key, before: Raw | None, after: Raw) -> None:
        known = {text(entry.get("name")): entry for entry in entries(status_of(before), "backends")}
        for backend in entries(status_of(after), "backends"):
            name, at = text(backend.get("name")), number(backend.get("verifiedAt"))
            published = self._published.get(Key(DEPLOYMENT, key.namespace, name))
            if at is None or published is None or _identity(backend) != published[0]:
                continue
            if _identity(known.get(name, {})) == published[0]:
                continue  # proved before; this is a later look
            rollback = "true" if published[2] else "false"
            exemplar = of_rollout(backend.get("rolloutId"))
            self.verification_seconds.labels(rollback).observe(max(0.0, at - published[1]), exemplar)

    def _rolled_back(self, key: Key, before: Raw | None, after: Raw) -> None:
        """Measure each plane when its proof is written: its last write came before that."""
        was, now = (memory_of(status_of(obj)) for obj in (before, after))
        rollout, decided = member(status_of(after), "rollout"), number(now.get("decidedAt"))
        for plane, moment_of in PLANES.items():
            proved = number(now.get(moment_of))
            if not decided or not proved or was.get(moment_of) == now.get(moment_of):
                continue
            written = [self._hurried.get(route, {}).get(plane, 0.0) for route in self._routes_of(key)]
            latest = max(written, default=0.0)
            if latest >= decided:
                reason = text(rollout.get("reason")) or ("Undo" if rollout.get("kind") == "Undo" else "")
                self.written_seconds.labels(plane, reason).observe(
                    latest - decided, of_rollout(rollout.get("id"))
                )


def _entered(before: Raw | None) -> tuple[str, int, float] | None:
    """Return where a rollout that this process did not see begin stood: its step and that step's clock."""
    rollout = member(status_of(before), "rollout")
    index, since = number(rollout.get("stepIndex")), moment(rollout.get("stepStartedAt"))
    if index is None or since is None or rollout.get("stage") != "Stepping":
        return None
    return text(rollout.get("id")), int(index), since


def _kind_of(rollout: Raw, index: int) -> str:
    """Return the kind of a step by its text in status (`setWeight 10%`)."""
    steps = rollout.get("steps")
    described = steps[index] if isinstance(steps, list) and index < len(steps) else ""
    first = text(described).split(" ", 1)[0].rstrip(":")
    return first if first in STEP_KINDS else _OTHER


def _identity(entry: Raw) -> _Identity:
    return entry.get("rolloutId"), entry.get("seq"), entry.get("hash")
