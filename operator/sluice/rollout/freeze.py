"""Freeze windows: a cron schedule in a time zone opens each, a duration closes it.

Five fields (minute, hour, day of month, month, day of week) with `*`, lists, ranges, steps and English
names of months and days, as crontab(5) has them: Sunday is 0 and 7, and where day of month and day of
week are both restricted either is enough. A time that a change to summer time leaves out opens the
window at the first moment after it; one that comes twice opens it the first time. The duration is real
time. A schedule that cannot be read never opens (the API refuses it before; nothing here may raise).
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from sluice.model.strategy import FreezeWindow

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LONGEST: Final = 366 * 4 + 2
"""Days to look back at most: a schedule for 29 February opens every fourth year (but for centuries)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """A window that is open."""

    name: str
    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """A schedule, read."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """0 is Sunday."""
    either_day: bool
    """Day of month and day of week are both restricted."""

    def on(self, day: dt.date) -> bool:
        """Tell whether the schedule has times on a day."""
        if day.month not in self.months:
            return False
        of_month, of_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return of_month or of_week if self.either_day else of_month and of_week


@functools.lru_cache(maxsize=256)
def parse(schedule: str) -> Cron:
    """Read five cron fields; raises ValueError that says which field cannot be read."""
    fields = schedule.split()
    if len(fields) != 5:
        raise ValueError(f"schedule {schedule!r} has {len(fields)} fields, not 5")
    minute, hour, day, month, weekday = fields
    weekdays = _field(weekday, 0, 7, names=_DAYS, first=0)
    return Cron(
        minutes=tuple(sorted(_field(minute, 0, 59))),
        hours=tuple(sorted(_field(hour, 0, 23))),
        days=_field(day, 1, 31),
        months=_field(month, 1, 12, names=_MONTHS, first=1),
        weekdays=frozenset(number % 7 for number in weekdays),
        either_day=not day.startswith("*") and not weekday.startswith("*"),
    )


def open_window(windows: Iterable[FreezeWindow], now: float) -> Open | None:
    """Return the open window that closes last, None when none is open."""
    found = [
        Open(name=window.name, until=opened + window.duration)
        for window in windows
        if (opened := last_opening(window, now)) is not None and now < opened + window.duration
    ]
    return max(found, key=lambda window: window.until, default=None)


def frozen_until(windows: Iterable[FreezeWindow], now: float) -> float | None:
    """Return when the last of the open windows closes (epoch seconds), None when none is open."""
    window = open_window(windows, now)
    return window.until if window else None


def last_opening(window: FreezeWindow, now: float) -> float | None:
    """Return the last time, at or before `now`, at which the window opened and could still be open."""
    try:
        cron, zone = parse(window.schedule), ZoneInfo(window.time_zone)
        today = dt.datetime.fromtimestamp(now, zone).date()
    except (ValueError, KeyError, OSError, OverflowError):
        return None
    back = min(_LONGEST, int(window.duration // 86_400) + 2)
    for number in range(back + 1):
        try:
            day = today - dt.timedelta(days=number)
        except OverflowError:
            return None
        if not cron.on(day):
            continue
        for hour in reversed(cron.hours):
            for minute in reversed(cron.minutes):
                at = _instant(day, hour, minute, zone)
                if at <= now:
                    return at
    return None


def _instant(day: dt.date, hour: int, minute: int, zone: ZoneInfo) -> float:
    """Return the epoch seconds of a local time; one that is left out is the moment after the gap."""
    local = dt.datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
    at = local.timestamp()
    back = dt.datetime.fromtimestamp(at, zone)
    if (back.hour, back.minute) == (hour, minute):
        return at
    # In a gap, fold=0 counts with the offset before it, so the time is past the gap by as much as it
    # lies behind the gap's begin: the first moment after the gap is that much earlier.
    after, before = local.replace(fold=0).utcoffset(), local.replace(fold=1).utcoffset()
    gap = abs((before or dt.timedelta()) - (after or dt.timedelta()))
    return _gap_end(at, gap, zone)


def _gap_end(at: float, gap: dt.timedelta, zone: ZoneInfo) -> float:
    """Return the first moment after a gap that ends at most `gap` before `at`, to the minute."""
    offset = dt.datetime.fromtimestamp(at, zone).utcoffset()
    earliest = at
    while earliest > at - gap.total_seconds():
        if dt.datetime.fromtimestamp(earliest - 60, zone).utcoffset() != offset:
            break
        earliest -= 60
    return earliest


def _field(text: str, low: int, high: int, *, names: tuple[str, ...] = (), first: int = 0) -> frozenset[int]:
    found: set[int] = set()
    for part in text.lower().split(","):
        span, slash, step_text = part.partition("/")
        step = int(step_text) if slash and step_text.isdecimal() else 1
        if step < 1 or (slash and not step_text.isdecimal()):
            raise ValueError(f"step {step_text!r} in {text!r} is no positive number")
        if span == "*":
            begin, end = low, high
        else:
            begin_text, dash, end_text = span.partition("-")
            begin = _number(begin_text, names, first, text)
            end = _number(end_text, names, first, text) if dash else (high if slash else begin)
        if not low <= begin <= end <= high:
            raise ValueError(f"{part!r} in {text!r} is not within {low}-{high}")
        found.update(range(begin, end + 1, step))
    return frozenset(found)


def _number(text: str, names: tuple[str, ...], first: int, field: str) -> int:
    if text.isdecimal():
        return int(text)
    if text in names:
        return names.index(text) + first
    raise ValueError(f"{text!r} in {field!r} is no number" + (" or English name" if names else ""))
