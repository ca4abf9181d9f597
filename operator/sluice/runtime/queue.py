"""The keyed work queue: who is looked at next, once at a time, and how soon again after a failure.

client-go's work queue (k8s.io/client-go/util/workqueue) with lanes. It promises:

- a key is queued at most once and run by one worker at a time; added while it runs, it runs again after;
- the lane decides the order, then the time of adding: a rollback before a person's change before a
  resync, so that a restart with thousands of objects delays nobody (aws-load-balancer-controller#3540).
  One pick in sixteen goes to the lowest lane, so that a storm of changes cannot stop drift repair;
- a key has one timer, the earliest that was asked for. Starting a run drops it: the run decides anew;
- failures back off per key, 1 s doubling to 5 min with full jitter, until a success or a new generation;
  in the rollback's lane to 4 s at most, whatever failed before it began.

Every operation is O(1) or O(log n) of the timers. Times are the clock's monotonic seconds; with a
virtual clock the queue works single-threaded: `get(block=False)` and `next_due()`.
"""

from __future__ import annotations

import heapq
import random
import threading
from collections import deque
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from sluice.model.keys import Key
from sluice.ports import Clock

BACKOFF_FIRST: Final = 1.0
BACKOFF_LIMIT: Final = 300.0
ROLLBACK_LIMIT: Final = 4.0
"""The longest back-off in the rollback's lane: what failed long before must not delay a rollback now."""
_FAIR: Final = 16
_SLACK: Final = 1024  # dropped timers that may lie in the heap before it is cleaned


class Lane(IntEnum):
    """Who goes first; the smaller the sooner."""

    ROLLBACK = 0
    USER = 1
    """A person's change or a live rollout."""
    RESYNC = 2


@dataclass(frozen=True, slots=True)
class Work:
    """A key that a worker has taken; `done` gives it back."""

    key: Key
    lane: Lane
    waited: float
    """Seconds between becoming due and being taken."""


@dataclass(slots=True)
class _Queued:
    lane: Lane
    since: float
    ticket: int


@dataclass(slots=True)
class _Timer:
    at: float
    lane: Lane
    ticket: int


class WorkQueue:
    """Thread-safe keyed queue; see the module for what it promises."""

    def __init__(self, clock: Clock, *, rng: random.Random | None = None) -> None:
        """Start empty; `rng` draws the jitter."""
        self._clock = clock
        self._rng = rng or random.Random()  # noqa: S311 - jitter, no secret
        self._lock = threading.Lock()
        self._ready = threading.Condition(self._lock)
        self._keeper = threading.Condition(self._lock)
        self._keeping = False  # one idle worker watches the timers, the others sleep without a timeout
        self._idle = 0
        self._tickets = 0
        self._picks = 0
        self._queued: dict[Key, _Queued] = {}
        self._lanes: dict[Lane, deque[tuple[Key, int]]] = {lane: deque() for lane in Lane}
        self._running: dict[Key, float] = {}
        self._dirty: dict[Key, Lane] = {}
        self._timers: dict[Key, _Timer] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._failures: dict[Key, int] = {}
        self._closed = False

    # Adding

    def add(self, key: Key, lane: Lane = Lane.USER, *, fresh: bool = False) -> None:
        """Have `key` run as soon as its lane's turn comes.

        `fresh` says that a new generation is to be seen: what failed before counts no more.
        """
        with self._lock:
            if fresh:
                self._failures.pop(key, None)
            self._enqueue(key, lane, self._clock.monotonic())

    def add_after(self, key: Key, delay: float, lane: Lane = Lane.RESYNC) -> None:
        """Have `key` run in `delay` seconds; an earlier timer of the same key stays, a later one goes."""
        with self._lock:
            now = self._clock.monotonic()
            if delay <= 0:
                self._enqueue(key, lane, now)
                return
            if self._closed:
                return
            at = now + delay
            timer = self._timers.get(key)
            if timer and timer.at <= at:
                timer.lane = min(timer.lane, lane)
                return
            self._tickets += 1
            self._timers[key] = _Timer(at, lane if timer is None else min(lane, timer.lane), self._tickets)
            if len(self._heap) > 2 * len(self._timers) + _SLACK:
                self._heap = [(t.at, t.ticket, k) for k, t in self._timers.items() if k != key]
                heapq.heapify(self._heap)
            heapq.heappush(self._heap, (at, self._tickets, key))
            if self._heap[0][1] == self._tickets:
                self._keeper.notify()

    def retry(self, key: Key, lane: Lane, *, at_least: float = 0.0) -> float:
        """Count a failure and have `key` run again after its back-off; return the delay in seconds."""
        with self._lock:
            count = self._failures.get(key, 0)
            self._failures[key] = count + 1
        most = ROLLBACK_LIMIT if lane is Lane.ROLLBACK else BACKOFF_LIMIT
        limit = min(most, BACKOFF_FIRST * 2 ** min(count, 16))
        delay = at_least + self._rng.uniform(0, limit)
        self.add_after(key, delay, lane)
        return delay

    def forget(self, key: Key) -> None:
        """Start the back-off of `key` anew: it succeeded."""
        with self._lock:
            self._failures.pop(key, None)

    def drop(self, key: Key) -> None:
        """Forget timer and failures of `key`: its object is gone. A run in progress is not stopped."""
        with self._lock:
            self._failures.pop(key, None)
            self._timers.pop(key, None)

    # Working

    def get(self, *, block: bool = True) -> Work | None:
        """Take the next key; None when the queue is closed or, with `block=False`, nothing is due."""
        with self._lock:
            while not self._closed:
                now = self._clock.monotonic()
                self._fire(now)
                work = self._take(now)
                if work or not block:
                    if work and self._queued:  # a worker that was woken for two keys takes but one
                        self._wake()
                    return work
                self._wait(now)
            return None

    def done(self, key: Key) -> None:
        """Give a key back; it is queued again when it was added while it ran."""
        with self._lock:
            self._running.pop(key, None)
            lane = self._dirty.pop(key, None)
            if lane is not None:
                self._enqueue(key, lane, self._clock.monotonic())

    def open(self) -> None:
        """Count waiting from now on: until this replica led, nobody was there to take a key."""
        with self._lock:
            now = self._clock.monotonic()
            for queued in self._queued.values():
                queued.since = now

    def close(self) -> None:
        """Hand out nothing more; everyone who waits gets None."""
        with self._lock:
            self._closed = True
            self._ready.notify_all()
            self._keeper.notify_all()

    # Looking

    def next_due(self) -> float | None:
        """Return the monotonic time at which something can be taken; None when nothing ever will."""
        with self._lock:
            if self._queued:
                return self._clock.monotonic()
            self._prune()
            return self._heap[0][0] if self._heap else None

    def depth(self) -> dict[Lane, int]:
        """Return how many keys wait in each lane."""
        with self._lock:
            counts = dict.fromkeys(Lane, 0)
            for queued in self._queued.values():
                counts[queued.lane] += 1
            return counts

    def delayed(self) -> int:
        """Return how many keys have a timer."""
        with self._lock:
            return len(self._timers)

    def failing(self) -> int:
        """Return how many keys are in back-off."""
        with self._lock:
            return len(self._failures)

    def oldest_wait(self) -> float:
        """Return for how many seconds the key that waits longest has been due."""
        with self._lock:
            since = min((queued.since for queued in self._queued.values()), default=None)
            return 0.0 if since is None else self._clock.monotonic() - since

    def longest_run(self) -> float:
        """Return for how many seconds the longest run in progress has lasted."""
        with self._lock:
            since = min(self._running.values(), default=None)
            return 0.0 if since is None else self._clock.monotonic() - since

    def running(self) -> int:
        """Return how many keys are being run."""
        with self._lock:
            return len(self._running)

    # Inside the lock

    def _enqueue(self, key: Key, lane: Lane, since: float) -> None:
        if self._closed:
            return
        if key in self._running:
            self._dirty[key] = min(lane, self._dirty.get(key, lane))
            return
        queued = self._queued.get(key)
        if queued and queued.lane <= lane:
            return
        self._tickets += 1
        if queued:  # the entry in the slower lane is passed over by its ticket
            queued.lane, queued.ticket = lane, self._tickets
        else:
            self._queued[key] = _Queued(lane, since, self._tickets)
        self._lanes[lane].append((key, self._tickets))
        self._wake()

    def _wake(self) -> None:
        if self._idle:
            self._ready.notify()
        elif self._keeping:
            self._keeper.notify()

    def _fire(self, now: float) -> None:
        while self._heap and self._heap[0][0] <= now:
            at, ticket, key = heapq.heappop(self._heap)
            timer = self._timers.get(key)
            if timer and timer.ticket == ticket:
                del self._timers[key]
                self._enqueue(key, timer.lane, at)

    def _take(self, now: float) -> Work | None:
        self._picks += 1
        order = reversed(Lane) if self._picks % _FAIR == 0 else iter(Lane)
        for lane in order:
            waiting = self._lanes[lane]
            while waiting:
                key, ticket = waiting.popleft()
                queued = self._queued.get(key)
                if queued is None or queued.ticket != ticket:
                    continue
                del self._queued[key]
                self._timers.pop(key, None)
                self._running[key] = now
                return Work(key, lane, max(0.0, now - queued.since))
        return None

    def _wait(self, now: float) -> None:
        if self._keeping:
            self._idle += 1
            try:
                self._ready.wait()
            finally:
                self._idle -= 1
            return
        self._prune()
        self._keeping = True
        try:
            self._keeper.wait(self._heap[0][0] - now if self._heap else None)
        finally:
            self._keeping = False
            if self._idle:  # somebody else has to watch the timers while this one works
                self._ready.notify()

    def _prune(self) -> None:
        while self._heap:
            timer = self._timers.get(self._heap[0][2])
            if timer and timer.ticket == self._heap[0][1]:
                return
            heapq.heappop(self._heap)
