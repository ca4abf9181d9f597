"""In which order tests run when several workers share them (`pytest -n N --dist worksteal`).

End-to-end tests wait most of their time and are the longest of all. xdist deals the collection out in
blocks, so that in the order of the folders one worker would have them all, and the others would steal them
when there is nothing left to do beside the waiting. So each block begins with its share of them, and what
needs the processor comes after.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def dealt(items: Sequence[T], *, workers: int, waits: Callable[[T], bool]) -> list[T]:
    """Return the items in an order whose blocks each begin with an equal share of those that wait.

    The blocks are those of xdist's WorkStealingScheduling.check_schedule: of what is left, each worker in
    turn gets its part rounded down.
    """
    waiting = [item for item in items if waits(item)]
    working = [item for item in items if not waits(item)]
    found: list[T] = []
    left, start = len(items), 0
    for worker in range(workers):
        size = left // (workers - worker)
        first = waiting[worker::workers]
        rest = max(0, size - len(first))
        found += [*first, *working[start : start + rest]]
        start += rest
        left -= size
    return [*found, *working[start:]]
