"""Cron schedules of freeze windows: read here, so that the API refuses what the machine could not open.

Five fields (minute, hour, day of month, month, day of week) with `*`, lists, ranges, steps and English
names of months and days, as crontab(5) has them: Sunday is 0 and 7, as the end of a range, too (`FRI-SUN`),
and where day of month and day of week are both restricted either is enough. A range that runs backwards
and a day that none of its months has are refused: a window that never opens would freeze nothing.
"""

from __future__ import annotations

import calendar
import datetime as dt
import functools
from dataclasses import dataclass
from typing import Final

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LEAP_YEAR: Final = 2000


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
    days, months = _field(day, 1, 31), _field(month, 1, 12, names=_MONTHS)
    weekdays = _field(weekday, 0, 7, names=_DAYS)
    either_day = not day.startswith("*") and not weekday.startswith("*")
    longest = max(calendar.monthrange(_LEAP_YEAR, number)[1] for number in months)
    if not either_day and min(days) > longest:
        raise ValueError(f"no month of {month!r} has day {day!r}, so it would never open")
    return Cron(
        minutes=tuple(sorted(_field(minute, 0, 59))),
        hours=tuple(sorted(_field(hour, 0, 23))),
        days=days,
        months=months,
        weekdays=frozenset(number % 7 for number in weekdays),
        either_day=either_day,
    )


def _field(text: str, low: int, high: int, *, names: tuple[str, ...] = ()) -> frozenset[int]:
    """Return the numbers of a field; the first of `names` is `low`."""
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
            begin = _number(begin_text, names, low, text)
            end = _number(end_text, names, low, text) if dash else (high if slash else begin)
            if end_text == "sun" and begin > low:  # 7; but SUN-SUN is one day, as MON-MON is
                end = high
        if begin > end:
            raise ValueError(f"range {part!r} in {text!r} runs backwards; write it as two, with a comma")
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
