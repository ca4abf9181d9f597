"""Whether events flow, and so how seldom an object at rest needs to be looked at.

Silence can mean that nothing happened or that nothing arrives, and nobody can tell which. So events of an
account and Region count as flowing only while the queue can be read and one came within `quiet_after`,
anybody's service's. Looking then becomes more seldom by a factor; it never ends, because EventBridge
delivers most events, not all, and some changes (tags, settings that start no deployment) have none.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Final

from sluice.aws_events.happening import Place
from sluice.aws_events.services import places_of
from sluice.model.keys import DEPLOYMENT, Key
from sluice.ports import Clock, Object

PLACES: Final = 200
"""Accounts and Regions that are remembered, those last heard of: each has a series of its own."""


class Flow:
    """Thread-safe."""

    def __init__(
        self,
        *,
        factor: float,
        quiet_after: float,
        clock: Clock,
        peek: Callable[[Key], Object | None],
    ) -> None:
        """Nothing flows yet; `peek` returns an object as last seen."""
        self._factor = factor
        self._quiet_after = quiet_after
        self._clock = clock
        self._peek = peek
        self._lock = threading.Lock()
        self._heard: dict[Place, float] = {}
        self._readable = False

    def heard(self, place: Place) -> None:
        """Take note of an event of ECS."""
        with self._lock:
            self._heard.pop(place, None)
            self._heard[place] = self._clock.monotonic()
            if len(self._heard) > PLACES:
                del self._heard[next(iter(self._heard))]

    def readable(self, *, yes: bool) -> None:
        """Take note of whether the queue could be read."""
        with self._lock:
            self._readable = yes

    def flowing(self) -> Mapping[Place, bool]:
        """Return every place that was ever heard of, and whether its events flow."""
        with self._lock:
            now = self._clock.monotonic()
            return {
                place: self._readable and now - at <= self._quiet_after
                for place, at in sorted(self._heard.items())
            }

    def stretch(self, key: Key) -> float:
        """Return by how much longer than the drift interval an object at rest may wait.

        Listener rules and target groups have no events: a ServiceRoute is looked at as always.
        """
        if key.kind != DEPLOYMENT or self._factor == 1:
            return 1.0
        flowing = self.flowing()
        if not any(flowing.values()):
            return 1.0
        obj = self._peek(key)
        places = places_of(obj) if obj is not None else frozenset()
        return self._factor if places and all(flowing.get(place) for place in places) else 1.0
