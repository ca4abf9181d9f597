"""In which order tests run when several workers share them (`pytest -n N --dist worksteal`).

End-to-end tests wait most of their time and are the longest of all. xdist deals the collection out in
blocks, so that in the order of the folders one worker would have them all, and the others would steal them
when there is nothing left to do beside the waiting. So most blocks begin with their share of those that wait,
and one in four begins with those that compute longest: the processors have something to do meanwhile, and
none of these is begun last. Everything else comes after.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")


def dealt(
    items: Sequence[T], *, workers: int, waits: Callable[[T], float], computes: Callable[[T], float]
) -> list[T]:
    """Return the items in an order whose blocks begin with what takes long.

    `waits` and `computes` say for about how many seconds an item does the one or the other; 0 for what
    does not. The blocks are those of xdist's WorkStealingScheduling.check_schedule: of what is left, each
    worker in turn gets its part rounded down.
    """
    waiting = workers - workers // 4
    long = [item for item in items if not waits(item) and computes(item)]
    heads = _spread((item for item in items if waits(item)), waits, over=waiting)
    heads += _spread(long, computes, over=workers - waiting)
    short = [item for item in items if not waits(item) and not computes(item)]
    if waiting == workers:
        short = [*sorted(long, key=computes, reverse=True), *short]
    found: list[T] = []
    left, start = len(items), 0
    for worker, head in enumerate(heads):
        size = left // (workers - worker)
        rest = max(0, size - len(head))
        found += [*head, *short[start : start + rest]]
        start += rest
        left -= size
    return [*found, *short[start:]]


def _spread(items: Iterable[T], seconds: Callable[[T], float], *, over: int) -> list[list[T]]:
    """Deal the longest first, each to the worker that has least so far (LPT, Graham 1969).

    Nobody steals what stands at the head of a block.
    """
    heads: list[list[T]] = [[] for _ in range(over)]
    if not over:
        return heads
    loads = [0.0] * over
    for item in sorted(items, key=seconds, reverse=True):
        lightest = min(range(over), key=loads.__getitem__)
        heads[lightest].append(item)
        loads[lightest] += seconds(item)
    return heads
