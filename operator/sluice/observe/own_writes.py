"""What this process wrote a moment ago, to recognise reads that are older than it.

AWS's reads may lag behind its writes. For `window` seconds after a write of ours the response of the
write is kept, and each collector compares what it reads with it:

- services and target groups: a read that contradicts the write (absent though created, present though
  deleted, another value in a member that we sent) is answered with the write's own response;
- rules: a read that lacks a rule just created or shows one just deleted is no answer at all
  (AwsFailure `StaleRead`, kind unavailable: come back), since reads of rules are proofs of weights and
  a write must never prove itself. Weights themselves are never replaced.

The price: somebody else's change to the same member is seen `window` seconds later. A crash forgets
all of this; the waiting rules of the planners (register intent, verifyAfter) cover that.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Final

from sluice.ports import Clock, Object

_LIMIT: Final = 4096


@dataclass(frozen=True, slots=True)
class OwnWrite:
    """One write: what AWS answered (None: deleted) and which members were sent."""

    value: Object | None
    sent: frozenset[str]
    at: float


class OwnWrites:
    """The writes of the last `window` seconds by subject. Thread-safe."""

    def __init__(self, clock: Clock, *, window: float) -> None:
        """Start empty; a window of 0 remembers nothing."""
        self._clock = clock
        self._window = window
        self._lock = threading.Lock()
        self._writes: OrderedDict[Hashable, OwnWrite] = OrderedDict()

    def add(self, subject: Hashable, value: Object | None, *, sent: Iterable[str] = ()) -> None:
        """Remember a write that succeeded."""
        with self._lock:
            self._writes[subject] = OwnWrite(value, frozenset(sent), self._clock.monotonic())
            self._writes.move_to_end(subject)
            while len(self._writes) > _LIMIT:
                self._writes.popitem(last=False)

    def forget(self, subject: Hashable) -> None:
        """Trust reads of a subject again at once."""
        with self._lock:
            self._writes.pop(subject, None)

    def recent(self, subject: Hashable) -> OwnWrite | None:
        """Return the last write of a subject when reads may still be older than it."""
        with self._lock:
            write = self._writes.get(subject)
        fresh = write is not None and self._clock.monotonic() - write.at < self._window
        return write if fresh else None

    def since_window(self, scope: Hashable) -> dict[Hashable, OwnWrite]:
        """Return the recent writes whose subject is a tuple that begins with `scope`."""
        edge = self._clock.monotonic() - self._window
        found: dict[Hashable, OwnWrite] = {}
        with self._lock:
            for subject, write in reversed(self._writes.items()):
                if write.at <= edge:
                    break
                if isinstance(subject, tuple) and subject[:1] == (scope,):
                    found[subject] = write
        return found
