"""A mapping that forgets its oldest entries: what counting remembers of objects does not grow for ever."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, TypeVar

K = TypeVar("K")
V = TypeVar("V")

MOST: Final = 20_000
"""Entries; four times the objects that an operator is measured with (docs/bench.md)."""


class Remembered(OrderedDict[K, V]):
    """An ordered dictionary of at most MOST entries. Not thread-safe: its owner holds a lock."""

    def __setitem__(self, key: K, value: V) -> None:
        """Set the newest entry, and forget the oldest beyond MOST."""
        super().__setitem__(key, value)
        self.move_to_end(key)
        while len(self) > MOST:
            self.popitem(last=False)
