"""Notices that the watch began anew: kopf lists everything again and says so only by each object's event.

An object of a list arrives with no event type. Objects of one list come right behind each other, so a
listed object after a silence belongs to another list. A kind without objects shows nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sluice.ports import Clock

GAP: Final = 5.0
"""Seconds; a list of thousands arrives within milliseconds per object."""


class Relists:
    """Counts lists of each kind after the first; used by the watch's thread alone."""

    def __init__(self, clock: Clock, count: Callable[[str], None]) -> None:
        """Call `count(kind)` for each list that is not the first of its kind."""
        self._clock = clock
        self._count = count
        self._last: dict[str, float] = {}

    def listed(self, kind: str) -> None:
        """Take note of an object that came with a list."""
        now = self._clock.monotonic()
        before = self._last.get(kind)
        self._last[kind] = now
        if before is not None and now - before > GAP:
            self._count(kind)
