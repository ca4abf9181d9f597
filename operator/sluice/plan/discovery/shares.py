"""How many tasks of each slot a name answers with, so that their counts are the weights.

Cloud Map gives every instance of a service the same weight (botocore: DnsConfig.RoutingPolicy), so a
share of requests is a share of entries. The answer is as near to the weights as whole tasks allow; a
weight that is not zero never rounds to zero entries; and a name never answers with fewer entries than
the largest slot has (or wants), as far as there are healthy tasks: a candidate that lost its tasks gets
less, it does not pull the live slot's capacity down with it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Entries by slot."""

    counts: Mapping[str, int]
    short: bool
    """A slot has fewer than its weight asks for, because it lacks healthy tasks: no proof of the weights."""
    least: int
    """Answers that are there before others are taken away: as many as there would be with all tasks."""


def shares(
    weights: Mapping[str, int], *, healthy: Mapping[str, int], desired: Mapping[str, int | None]
) -> Shares:
    """Return the entries of each slot of `weights` (parts, above 0).

    `healthy` are the tasks that there are, `desired` those that the slots are meant to have (None: not
    known, or 0: as many as there are).
    """
    slots = sorted(weights)
    have = {slot: healthy[slot] for slot in slots}
    if len(slots) == 1:
        (slot,) = slots
        least = max(have[slot], desired.get(slot) or 0)
        return Shares(counts=have, short=not have[slot] and least > 0, least=least)
    meant = {slot: max(have[slot], desired.get(slot) or 0) for slot in slots}
    largest = max(meant.values())
    counts = _split(weights, have, at_least=largest)
    ideal = _split(weights, meant, at_least=largest)
    short = any(counts[slot] < ideal[slot] or not have[slot] for slot in slots)
    return Shares(counts=counts, short=short, least=sum(ideal.values()))


def _split(weights: Mapping[str, int], have: Mapping[str, int], *, at_least: int) -> dict[str, int]:
    """Return the split of at least `at_least` entries (or all) that is nearest to the weights."""
    present = [slot for slot in sorted(weights) if have[slot]]
    if len(present) != 2:
        return dict(have)  # one slot alone has everything; a Deployment has two slots at most
    one, two = present
    floor = min(at_least, have[one] + have[two])
    part, whole = weights[one], weights[one] + weights[two]
    possible = (
        (first, min(max(count, 1, floor - first), have[two]))
        for first in range(1, have[one] + 1)
        for count in _around(first * (whole - part) / part)
    )
    # Of those that are as near, the one with the most entries; taking all of both is always possible.
    _, entries, first = min(
        (round(abs(first / (first + second) - part / whole), 12), -first - second, first)
        for first, second in possible
        if first + second >= floor
    )
    return {**have, one: first, two: -entries - first}


def _around(count: float) -> tuple[int, int]:
    return math.floor(count), math.ceil(count)
