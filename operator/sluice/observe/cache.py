"""A bounded cache whose entries know when and in which order they were read.

Age is time; order is a logical clock of the process (`tick`), because two reads can share an instant
(always, under virtual time) and a read that began before a write must never replace what the write
told. So the entry with the newest order wins, whoever comes last.
"""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_ticks = itertools.count(1)


def tick() -> int:
    """Return the next moment of the logical clock; take it before a read or after a write."""
    return next(_ticks)


@dataclass(frozen=True, slots=True)
class Entry(Generic[V]):
    """A cached value; None as the value is known absence."""

    value: V
    order: int
    read_at: float
    """Monotonic seconds at which the read began."""


class AgedCache(Generic[K, V]):
    """At most `limit` entries; the longest unread ones go first. Thread-safe."""

    def __init__(self, limit: int) -> None:
        """Start empty."""
        self._limit = limit
        self._lock = threading.Lock()
        self._entries: OrderedDict[K, Entry[V]] = OrderedDict()
        self._dropped: OrderedDict[K, int] = OrderedDict()

    def get(self, key: K, *, max_age: float, now: float) -> Entry[V] | None:
        """Return the entry if it is at most `max_age` seconds old; 0 or less is never served."""
        with self._lock:
            entry = self._entries.get(key)
        return entry if entry is not None and max_age > 0 and now - entry.read_at <= max_age else None

    def after(self, key: K, order: int) -> Entry[V] | None:
        """Return the entry if its read began after the logical moment `order`."""
        with self._lock:
            entry = self._entries.get(key)
        return entry if entry is not None and entry.order > order else None

    def peek(self, key: K) -> V | None:
        """Return the value whatever its age."""
        with self._lock:
            entry = self._entries.get(key)
        return entry.value if entry is not None else None

    def put(self, key: K, value: V, *, order: int, read_at: float) -> V:
        """Keep a value read at `order` unless something newer is known; return the newer of the two."""
        with self._lock:
            held = self._entries.get(key)
            if held is not None and held.order > order:
                return held.value
            if self._dropped.get(key, 0) > order:
                return value
            self._dropped.pop(key, None)
            self._entries[key] = Entry(value, order, read_at)
            self._entries.move_to_end(key)
            while len(self._entries) > self._limit:
                self._entries.popitem(last=False)
            return value

    def drop(self, key: K) -> None:
        """Forget a key; a read that is under way now will not be kept either."""
        with self._lock:
            self._drop(key)

    def drop_where(self, chosen: Callable[[K], bool]) -> None:
        """Forget every key that `chosen` says, as `drop` does; it may ask this cache itself."""
        with self._lock:
            keys = list(self._entries)
        for key in keys:
            if chosen(key):
                self.drop(key)

    def oldest(self, chosen: Callable[[K, V], bool], *, read_before: float, limit: int) -> list[K]:
        """Return at most `limit` keys, longest unread first, that were read before a time."""
        found: list[K] = []
        with self._lock:
            for key, entry in self._entries.items():
                if len(found) >= limit or entry.read_at > read_before:
                    break
                if chosen(key, entry.value):
                    found.append(key)
        return found

    def __len__(self) -> int:
        """Return the number of entries."""
        return len(self._entries)

    def _drop(self, key: K) -> None:
        self._entries.pop(key, None)
        self._dropped[key] = tick()
        self._dropped.move_to_end(key)
        while len(self._dropped) > self._limit:
            self._dropped.popitem(last=False)
