"""Schedules: at(), rate() and cron() expressions, and when they are due next. Pure.

Source: botocore's PutScheduledAction, Schedule: at(yyyy-mm-ddThh:mm:ss), rate(value unit), cron with six
fields (minutes, hours, day of month, month, day of week, year); at and cron in the action's time zone. In
cron `*`, `?`, lists, ranges, steps, names, and L for the last day; W and # are refused by name.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sluice_sandbox.aws.autoscaling.refusals import invalid, not_modelled

_RATE = re.compile(r"rate\((\d+) (minute|minutes|hour|hours|day|days)\)")
_AT = re.compile(r"at\((\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})\)")
_CRON = re.compile(r"cron\((\S+) (\S+) (\S+) (\S+) (\S+) (\S+)\)")
_SECONDS = {"minute": 60, "hour": 3_600, "day": 86_400}
_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
_DAYS = {"SUN": 1, "MON": 2, "TUE": 3, "WED": 4, "THU": 5, "FRI": 6, "SAT": 7}
_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (1, 7), (1970, 2199))
_SEARCH_DAYS = 366 * 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """The values of each field; `last_day` for L in the day of month."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int] | None
    months: frozenset[int]
    weekdays: frozenset[int] | None
    years: frozenset[int]
    last_day: bool = False

    def on(self, day: date) -> bool:
        """Tell whether a day is one of the schedule's."""
        if day.year not in self.years or day.month not in self.months:
            return False
        if self.last_day:
            return day.day == calendar.monthrange(day.year, day.month)[1]
        if self.days is not None:
            return day.day in self.days
        return self.weekdays is None or day.isoweekday() % 7 + 1 in self.weekdays


def zone(name: str) -> ZoneInfo:
    """Return a time zone by its canonical name; raises ValidationException."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise invalid(f"The timezone {name} is not valid.") from None


def check(schedule: str, *, timezone: str) -> None:
    """Refuse what is no schedule. An at() that is past is one: it never runs."""
    zone(timezone)
    if schedule.startswith("at("):
        _at(schedule, timezone)
    elif schedule.startswith("rate("):
        _rate(schedule)
    elif schedule.startswith("cron("):
        cron(schedule)
    else:
        raise _wrong(schedule)


def due(schedule: str, *, timezone: str, after: float, since: float) -> float | None:
    """Return when a schedule is due next after `after`, None when never; a rate counts from `since`."""
    if schedule.startswith("at("):
        moment = _at(schedule, timezone)
        return moment if moment > after else None
    if schedule.startswith("rate("):
        every = _rate(schedule)
        passed = max(int((after - since) // every), 0)
        return since + (passed + 1) * every
    return _cron_due(cron(schedule), zone(timezone), after)


def _cron_due(fields: Cron, where: ZoneInfo, after: float) -> float | None:
    first = datetime.fromtimestamp(after, where)
    for offset in range(_SEARCH_DAYS):
        day = first.date() + timedelta(days=offset)
        if not fields.on(day):
            continue
        for hour in sorted(fields.hours):
            for minute in sorted(fields.minutes):
                moment = datetime(day.year, day.month, day.day, hour, minute, tzinfo=where).timestamp()
                if moment > after:
                    return moment
    return None


def _at(schedule: str, timezone: str) -> float:
    match = _AT.fullmatch(schedule)
    if match is None:
        raise _wrong(schedule)
    try:
        return datetime.fromisoformat(match[1]).replace(tzinfo=zone(timezone)).astimezone(UTC).timestamp()
    except ValueError:
        raise _wrong(schedule) from None


def _rate(schedule: str) -> int:
    match = _RATE.fullmatch(schedule)
    if match is None or int(match[1]) < 1:
        raise _wrong(schedule)
    return int(match[1]) * _SECONDS[match[2].removesuffix("s")]


def cron(schedule: str) -> Cron:
    """Read a cron expression; raises ValidationException."""
    match = _CRON.fullmatch(schedule)
    if match is None:
        raise _wrong(schedule)
    texts = match.groups()
    if any(sign in texts[2] + texts[4] for sign in "W#"):
        raise not_modelled("W and # in cron expressions")
    if (texts[2] == "?") == (texts[4] == "?"):
        raise invalid(f"Schedule {schedule}: exactly one of day of month and day of week must be '?'.")
    last_day = texts[2] == "L"
    days = None if texts[2] in {"?", "L"} else _values(schedule, texts[2], 2)
    weekdays = None if texts[4] == "?" else _values(schedule, texts[4].replace("L", "7"), 4)
    return Cron(
        minutes=_values(schedule, texts[0], 0),
        hours=_values(schedule, texts[1], 1),
        days=days,
        months=_values(schedule, texts[3], 3),
        weekdays=weekdays,
        years=_values(schedule, texts[5], 5),
        last_day=last_day,
    )


def _values(schedule: str, text: str, index: int) -> frozenset[int]:
    low, high = _RANGES[index]
    names = {3: _MONTHS, 4: _DAYS}.get(index, {})
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        try:
            start = low if first == "*" else int(names.get(first.upper(), first))
            end = high if first == "*" or (step and not last) else int(names.get(last.upper(), last or start))
            every = int(step) if step else 1
        except ValueError:
            raise _wrong(schedule) from None
        if not low <= start <= high or not start <= end <= high or every < 1:
            raise _wrong(schedule)
        found.update(range(start, end + 1, every))
    return frozenset(found)


def _wrong(schedule: str) -> Exception:
    return invalid(f"Schedule expression {schedule} is not valid.")
