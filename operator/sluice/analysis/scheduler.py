"""Where questions run: a few threads of their own, so that no question ever holds up a pass."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

from sluice.ports import Clock

Job = Callable[[], None]
_IDLE: Final = 60.0


class Scheduler(Protocol):
    """Runs jobs now or later. `ThreadScheduler`; simulation runs them in virtual time."""

    def soon(self, job: Job) -> None:
        """Run the job as soon as a thread is free."""

    def later(self, seconds: float, job: Job) -> None:
        """Run the job in `seconds`, or a little later."""


class ThreadScheduler:
    """A bounded pool and one thread that watches the timers. Jobs must not raise and must end."""

    def __init__(self, clock: Clock, *, threads: int = 8) -> None:
        """Start nothing yet: threads come with the first job."""
        self._clock = clock
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="gate")
        self._wake = threading.Condition()
        self._order = itertools.count()
        self._timers: list[tuple[float, int, Job]] = []
        self._watching = False

    def soon(self, job: Job) -> None:
        """Hand the job to the pool."""
        self._pool.submit(job)

    def later(self, seconds: float, job: Job) -> None:
        """Keep the job until its time."""
        with self._wake:
            at = self._clock.monotonic() + seconds
            heapq.heappush(self._timers, (at, next(self._order), job))
            if not self._watching:
                self._watching = True
                threading.Thread(target=self._watch, name="gate-timers", daemon=True).start()
            self._wake.notify()

    def _watch(self) -> None:
        while True:
            with self._wake:
                now = self._clock.monotonic()
                due = self._timers[0][0] - now if self._timers else _IDLE
                if due > 0:
                    self._wake.wait(min(due, _IDLE))
                    continue
                job = heapq.heappop(self._timers)[2]
            self.soon(job)
