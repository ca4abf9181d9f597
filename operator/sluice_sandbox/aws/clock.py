"""The one clock of a world: real (with a speed factor) or virtual.

Every delay in the stand-in (task start, health-check interval, drain, bake, latency) is a timer of
this clock, so that a simulation runs hours in a second and a demo can be accelerated. Nothing in
`sluice_sandbox` reads the wall clock otherwise. Times are epoch seconds as floats.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from typing import Protocol

Callback = Callable[[], None]


class Timer(Protocol):
    """A pending callback."""

    def cancel(self) -> None:
        """Make the callback never run; a no-op when it ran or was cancelled before."""


class Clock(Protocol):
    """What the stand-in may know about time."""

    def now(self) -> float:
        """Return the world's time, epoch seconds."""

    def call_at(self, when: float, callback: Callback) -> Timer:
        """Run `callback` once the world's time is at least `when`; at once-ish if it is past."""

    def call_later(self, delay: float, callback: Callback) -> Timer:
        """Run `callback` after `delay` seconds of the world's time."""


class _VirtualTimer:
    __slots__ = ("callback",)

    def __init__(self, callback: Callback) -> None:
        self.callback: Callback | None = callback

    def cancel(self) -> None:
        self.callback = None


class VirtualClock:
    """Time that moves only when told; callbacks run in order of time, then of scheduling."""

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        """Start at `start` epoch seconds."""
        self._now = start
        self._order = itertools.count()
        self._heap: list[tuple[float, int, _VirtualTimer]] = []

    def now(self) -> float:
        """Return the virtual time, epoch seconds."""
        return self._now

    def call_at(self, when: float, callback: Callback) -> Timer:
        """Schedule `callback`; a time in the past runs at the next advance."""
        timer = _VirtualTimer(callback)
        heapq.heappush(self._heap, (max(when, self._now), next(self._order), timer))
        return timer

    def call_later(self, delay: float, callback: Callback) -> Timer:
        """Schedule `callback` after `delay` seconds."""
        return self.call_at(self._now + delay, callback)

    def next_due(self) -> float | None:
        """Return the time of the earliest pending callback, None when nothing is pending."""
        while self._heap and self._heap[0][2].callback is None:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def advance_to(self, when: float) -> None:
        """Run everything due up to `when`, then stand at `when`. A past `when` changes nothing."""
        while (due := self.next_due()) is not None and due <= when:
            _, _, timer = heapq.heappop(self._heap)
            self._now = max(self._now, due)
            callback, timer.callback = timer.callback, None
            if callback is not None:
                callback()
        self._now = max(self._now, when)

    def advance(self, seconds: float) -> None:
        """Run everything due within `seconds`, then stand there."""
        self.advance_to(self._now + seconds)


class RealClock:
    """Wall time of an event loop, optionally faster: at speed 10 a minute passes in six seconds."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, speed: float = 1.0) -> None:
        """Bind to `loop`; `speed` is world seconds per real second and must be positive."""
        if speed <= 0:
            raise ValueError(f"speed must be positive, not {speed}")
        self._loop = loop
        self._speed = speed
        self._loop_start = loop.time()
        self._start = time.time()

    @property
    def speed(self) -> float:
        """World seconds per real second."""
        return self._speed

    def now(self) -> float:
        """Return the world's time, epoch seconds."""
        return self._start + (self._loop.time() - self._loop_start) * self._speed

    def call_at(self, when: float, callback: Callback) -> Timer:
        """Schedule `callback` on the loop."""
        return self.call_later(when - self.now(), callback)

    def call_later(self, delay: float, callback: Callback) -> Timer:
        """Schedule `callback` on the loop after `delay` world seconds."""
        return self._loop.call_later(max(delay, 0.0) / self._speed, callback)
