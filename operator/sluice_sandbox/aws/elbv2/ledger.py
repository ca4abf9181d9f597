"""What waits to be published: counts and levels by minute, kept without any timer.

A load balancer reports once a minute. Nothing here runs for that: what happens is written under the
minute in which it happened, and whoever wants to read (`Metrics.on_flush`) takes it. A level that did
not change costs nothing until then; the minutes it lasted are filled in when it is taken, three
hours at most, which is more than any alarm here looks back when nobody has read before.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

MINUTE = 60
KEPT_MINUTES = 180
"""How far back unread levels are filled in."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was counted: ARNs of listener and target group, and the target's zone."""

    listener_arn: str
    group_arn: str = ""
    zone: str = ""


@dataclass(slots=True)
class Level:
    """A number that stands until it changes, and what it was in the minutes not yet taken.

    Changes must come in order of time.
    """

    minute: int
    """The minute up to which `seen` is complete."""
    value: float | None = None
    """None while there is nothing to report."""
    seen: dict[int, set[float]] = field(default_factory=dict)
    told: set[float] = field(default_factory=set)
    """Values of the present minute that were taken before."""

    def change(self, value: float | None, *, minute: int) -> None:
        """Change the value during `minute`."""
        self._pass(minute)
        self.value = value
        self._see(minute)

    def take(self, *, minute: int) -> dict[int, set[float]]:
        """Return the values of each minute up to and with `minute` that were not taken before."""
        self._pass(minute)
        taken = {passed: values for passed, values in self.seen.items() if passed <= minute}
        self.seen = {passed: values for passed, values in self.seen.items() if passed > minute}
        self.told |= taken.get(self.minute, set())
        return taken

    def _pass(self, minute: int) -> None:
        if minute <= self.minute:
            return
        self.told = set()
        for passed in range(max(self.minute, minute - KEPT_MINUTES) + 1, minute + 1):
            self._see(passed)
        self.minute = minute

    def _see(self, minute: int) -> None:
        if self.value is not None and self.value not in self.told:
            self.seen.setdefault(minute, set()).add(self.value)


class Ledger:
    """Counts by minute and place that nobody has taken yet."""

    def __init__(self) -> None:
        """Start empty."""
        self._counts: defaultdict[tuple[int, Place], Counter[str]] = defaultdict(Counter)
        self._times: defaultdict[tuple[int, Place], Counter[float]] = defaultdict(Counter)

    def add(self, place: Place, names: tuple[str, ...], *, now: float) -> None:
        """Count one event under each name."""
        counts = self._counts[int(now // MINUTE), place]
        for name in names:
            counts[name] += 1

    def took(self, place: Place, seconds: float, *, now: float) -> None:
        """Note one response time, to three digits."""
        self._times[int(now // MINUTE), place][float(f"{seconds:.3g}")] += 1

    def take(self) -> tuple[dict[tuple[int, Place], Counter[str]], dict[tuple[int, Place], Counter[float]]]:
        """Return counts and times by minute and place, and forget them."""
        counts, self._counts = self._counts, defaultdict(Counter)
        times, self._times = self._times, defaultdict(Counter)
        return counts, times
