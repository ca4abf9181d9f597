"""Freeze windows: a cron schedule in a time zone opens each, a duration closes it.

Schedules are read by `model.cron`. A time that a change to summer time leaves out opens the
window at the first moment after it; one that comes twice opens it the first time. The duration is real
time. A schedule that cannot be read never opens (the API refuses it before; nothing here may raise).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from sluice.model.cron import parse
from sluice.model.strategy import FreezeWindow

_LONGEST: Final = 366 * 4 + 2
"""Days to look back at most: a schedule for 29 February opens every fourth year (but for centuries)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """A window that is open."""

    name: str
    until: float


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
