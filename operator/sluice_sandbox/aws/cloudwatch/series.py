"""The samples of one metric, and how they add up over a stretch of time.

CloudWatch keeps standard metrics by the minute and high-resolution ones by the second; each bucket is
a statistic set, with its values and how often each was seen as long as they are known (percentiles need
them). The user guide, "CloudWatch concepts": sub-minute data lives for 3 hours, minutes for 15 days.
The later folding into 5 minutes and hours is not modelled: worlds do not live that long.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

MINUTE = 60
FINE_RETENTION = 3 * 3600
COARSE_RETENTION = 15 * 86400
MAX_DISTINCT = 2_000
"""Values kept apart in a bucket; beyond, they are rounded to about 1 % so that traffic costs no memory."""


class MetricKey(NamedTuple):
    """What makes a metric this metric: each combination of dimensions is another one."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    """Sorted by name."""


def metric_key(namespace: str, name: str, dimensions: Iterable[tuple[str, str]]) -> MetricKey:
    """Return the key of a metric whose dimensions may come in any order."""
    return MetricKey(namespace, name, tuple(sorted(dimensions)))


@dataclass(slots=True)
class Bucket:
    """A statistic set, with its values where they are known."""

    count: float = 0.0
    total: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    values: dict[float, float] = field(default_factory=dict)
    raw: bool = True
    """False once a statistic set went in whose values nobody knows: no percentiles then."""

    def add(self, value: float, times: float) -> None:
        """Add a value seen `times` times."""
        if times <= 0:
            return
        self.count += times
        self.total += value * times
        self.low, self.high = min(self.low, value), max(self.high, value)
        if value not in self.values and len(self.values) >= MAX_DISTINCT:
            value = float(f"{value:.2g}")
        self.values[value] = self.values.get(value, 0.0) + times

    def add_set(self, *, count: float, total: float, low: float, high: float) -> None:
        """Add a statistic set; one value seen n times is known whole (botocore: PutMetricData)."""
        if low == high:
            self.add(low, count)
            return
        self.count += count
        self.total += total
        self.low, self.high = min(self.low, low), max(self.high, high)
        self.raw = False

    def merge(self, other: Bucket) -> None:
        """Add all that another bucket holds."""
        self.count += other.count
        self.total += other.total
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        self.raw = self.raw and other.raw
        for value, times in other.values.items():
            self.values[value] = self.values.get(value, 0.0) + times


Slots = dict[int, dict[str, Bucket]]
"""Buckets by the second that they begin at, then by unit."""


@dataclass(slots=True, kw_only=True)
class Series:
    """All that is known of one metric."""

    key: MetricKey
    dimensions: list[dict[str, str]]
    """As first published."""
    coarse: Slots = field(default_factory=dict)
    fine: Slots = field(default_factory=dict)
    """Only what was published with StorageResolution 1; the same samples are in `coarse` too."""
    newest: float = 0.0
    """Time of the newest sample, epoch seconds."""
    version: int = 0
    """Moves with every change."""

    def bucket(self, at: float, unit: str, *, fine: bool = False) -> Bucket:
        """Return the bucket that a sample at `at` belongs to."""
        slots, second = (self.fine, math.floor(at)) if fine else (self.coarse, _minute(at))
        return slots.setdefault(second, {}).setdefault(unit, Bucket())

    def touched(self, at: float, now: float) -> None:
        """Note that a sample came in, and now and then forget what is too old."""
        self.newest = max(self.newest, at)
        self.version += 1
        if self.version % 256 == 0:
            _forget(self.fine, now - FINE_RETENTION)
            _forget(self.coarse, now - COARSE_RETENTION)

    def over(self, start: float, end: float, *, unit: str = "", fine: bool = False) -> Bucket | None:
        """Return what was seen from `start` to before `end`, None when nothing was.

        With `fine`, standard samples count at the minute that they are kept under: an alarm on
        periods below a minute sees nothing in between (botocore: PutMetricAlarm, Period).
        """
        result: Bucket | None = None
        for slots in (self.fine, self.coarse) if fine and self.fine else (self.coarse,):
            step = 1 if slots is self.fine else MINUTE
            for second in _within(slots, start, end, step):
                for name, bucket in slots[second].items():
                    if unit and name != unit:
                        continue
                    result = result or Bucket()
                    result.merge(bucket)
            if result is not None:
                break
        return result

    def units(self, start: float, end: float) -> list[str]:
        """Return the units seen in a stretch of time, in order of the alphabet."""
        seconds = _within(self.coarse, start, end, MINUTE)
        return sorted({name for second in seconds for name in self.coarse[second]})


def _minute(at: float) -> int:
    return math.floor(at / MINUTE) * MINUTE


def _within(slots: Slots, start: float, end: float, step: int) -> Iterable[int]:
    first = math.ceil(start / step) * step
    if (end - first) / step > len(slots):
        return [second for second in sorted(slots) if start <= second < end]
    return [second for second in range(first, math.ceil(end), step) if second in slots and second < end]


def _forget(slots: Slots, before: float) -> None:
    for second in [second for second in slots if second < before]:
        del slots[second]
