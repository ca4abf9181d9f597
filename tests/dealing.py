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


def dealt(items: Sequence[T], *, workers: int, waits: Callable[[T], float]) -> list[T]:
    """Return the items in an order whose blocks each begin with a fair share of those that wait.

    `waits` says for about how many seconds; 0 for what does not. The longest are dealt first, each to the
    worker that has least so far (LPT, Graham 1969), because nobody steals what stands at the head.
    The blocks are those of xdist's WorkStealingScheduling.check_schedule: of what is left, each worker in
    turn gets its part rounded down.
    """
    heads: list[list[T]] = [[] for _ in range(workers)]
    loads = [0.0] * workers
    for item in sorted((item for item in items if waits(item)), key=waits, reverse=True):
        lightest = min(range(workers), key=loads.__getitem__)
        heads[lightest].append(item)
        loads[lightest] += waits(item)
    working = [item for item in items if not waits(item)]
    found: list[T] = []
    left, start = len(items), 0
    for worker in range(workers):
        size = left // (workers - worker)
        first = heads[worker]
        rest = max(0, size - len(first))
        found += [*first, *working[start : start + rest]]
        start += rest
        left -= size
    return [*found, *working[start:]]
