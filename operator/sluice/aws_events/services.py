"""Whose service it is: ECS services by name → the Deployment whose status has them.

Read from the statuses in the store, again when a name is not found, at most every `AGE` seconds: a cluster
may be full of services of others, and a service that was just made is being looked at anyway.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from sluice.aws_events.happening import Happening, Place, place_of
from sluice.model.keys import Key
from sluice.observe.arns import service_of
from sluice.ports import Clock, Object

AGE: Final = 5.0


class KnownServices:
    """Thread-safe."""

    def __init__(self, snapshot: Callable[[], Mapping[Key, Object]], *, clock: Clock) -> None:
        """Read `snapshot()` when the first event comes."""
        self._snapshot = snapshot
        self._clock = clock
        self._lock = threading.Lock()
        self._read_at: float | None = None
        self._names: Mapping[tuple[Place, str], frozenset[tuple[str, Key]]] = {}

    def owners(self, happening: Happening) -> frozenset[Key]:
        """Return the Deployments of the services that an event names."""
        with self._lock:
            found = self._look_up(happening)
            now = self._clock.monotonic()
            if found or (self._read_at is not None and now - self._read_at < AGE):
                return found
            self._read_at = now
            self._names = _index(self._snapshot())
            return self._look_up(happening)

    def _look_up(self, happening: Happening) -> frozenset[Key]:
        return frozenset(
            key
            for cluster, name in happening.services
            for where, key in self._names.get((happening.place, name), ())
            if not cluster or not where or cluster == where
        )


def places_of(obj: Object) -> frozenset[Place]:
    """Return the accounts and Regions in which an object's services are."""
    return frozenset(place for arn in _arns(obj) if (place := place_of(arn)))


def _index(objects: Mapping[Key, Object]) -> Mapping[tuple[Place, str], frozenset[tuple[str, Key]]]:
    found: dict[tuple[Place, str], set[tuple[str, Key]]] = defaultdict(set)
    for key, obj in objects.items():
        for arn in _arns(obj):
            place = place_of(arn)
            if place is not None:
                cluster, name = service_of(arn)
                found[place, name].add((cluster, key))
    return {name: frozenset(owners) for name, owners in found.items()}


def _arns(obj: Object) -> Iterator[str]:
    status: Mapping[str, Any] = obj.get("status") or {}
    for slot in (*(status.get("slots") or ()), *(status.get("retiring") or ())):
        if slot.get("serviceArn"):
            yield str(slot["serviceArn"])
