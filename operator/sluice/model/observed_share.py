"""Whether counted requests fit the weights: a statement about chance, so it never decides anything.

Each request is one independent draw; the number that reaches a slot is binomial. A slot's share is
consistent when the expected one lies in Wilson's score interval of the counted one (E. B. Wilson, 1927,
doi:10.1080/01621459.1927.10502953). The interval takes the binomial for a normal distribution, so a share
is judged only where enough requests were counted for that. Clients that keep their slot (cookies, long
connections) are not independent: no statement is made about them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

Z: Final = 3.89
"""Two-sided 99.99 %: a route that is looked at once a minute cries wolf about once in a week."""
ENOUGH: Final = 9.0
"""Variance of the expected number of requests, n·p·(1-p), from which on a share is judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What the load balancer counted for a backend's slots."""

    counts: Mapping[str, int]
    """Slot → requests."""
    requests: int
    shares: Mapping[str, int]
    """Slot → permille, rounded."""
    consistent: bool
    detail: str
    """`as configured`, or which slot has what instead."""


def observed_share(counts: Mapping[str, int], expected: Mapping[str, int]) -> Observation:
    """Compare requests per slot with the parts per slot that were configured.

    A slot without parts must have no request at all; few requests are consistent with everything.
    """
    slots = sorted({*counts, *expected})
    total, parts = sum(counts.values()), sum(expected.values())
    wrong: list[str] = []
    for slot in slots:
        share = expected.get(slot, 0) / parts if parts else 0.0
        if 0 < share < 1 and total * share * (1 - share) < ENOUGH:
            continue
        low, high = interval(counts.get(slot, 0), total)
        if not low <= share <= high:
            seen = counts.get(slot, 0) / total
            wrong.append(f"{slot} has {seen:.1%} of {total} requests instead of {share:.1%}")
    return Observation(
        counts={slot: counts.get(slot, 0) for slot in slots},
        requests=total,
        shares={slot: round(1000 * counts.get(slot, 0) / total) if total else 0 for slot in slots},
        consistent=not wrong,
        detail="; ".join(wrong) or "as configured",
    )


def interval(hits: int, total: int, *, z: float = Z) -> tuple[float, float]:
    """Return Wilson's score interval of `hits` among `total`, within 0 and 1; all of it for none.

    Counts of requests, up to many thousand millions: floats tell such bounds from 0 and 1.
    """
    if not total:
        return 0.0, 1.0
    share, square = hits / total, z * z / total
    middle = (share + square / 2) / (1 + square)
    half = z * math.sqrt(share * (1 - share) / total + square / (4 * total)) / (1 + square)
    # At the ends a bound is exactly 0 or 1, and floats would leave it a hair inside; else it lies between.
    return middle - half if hits else 0.0, 1.0 if hits == total else middle + half
