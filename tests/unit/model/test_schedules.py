"""Cron schedules of freeze windows, field by field: what is read, and what is told of what is not."""

from __future__ import annotations

import datetime as dt

import pytest

from sluice.model.cron import parse

EVERY = {"minutes": 60, "hours": 24, "days": 31, "months": 12, "weekdays": 7}


def _numbers(schedule: str) -> dict[str, list[int]]:
    """Return the fields that are not "every", sorted."""
    cron = parse(schedule)
    fields = {name: sorted(getattr(cron, name)) for name in EVERY}
    return {name: numbers for name, numbers in fields.items() if len(numbers) != EVERY[name]}


def test_a_star_is_every_number_of_its_field() -> None:
    """Minutes 0-59, hours 0-23, days 1-31, months 1-12, weekdays 0-6."""
    cron = parse("* * * * *")
    assert cron.minutes == tuple(range(60))
    assert cron.hours == tuple(range(24))
    assert cron.days == set(range(1, 32))
    assert cron.months == set(range(1, 13))
    assert cron.weekdays == set(range(7))
    assert not cron.either_day


READ: dict[str, tuple[str, dict[str, list[int]]]] = {
    "the first of each": (
        "0 0 1 1 0",
        {"minutes": [0], "hours": [0], "days": [1], "months": [1], "weekdays": [0]},
    ),
    "the last of each": (
        "59 23 31 12 7",
        {"minutes": [59], "hours": [23], "days": [31], "months": [12], "weekdays": [0]},
    ),
    "names": ("* * * jan,DEC sun,Sat", {"months": [1, 12], "weekdays": [0, 6]}),
    "a range": ("10-12 * * * *", {"minutes": [10, 11, 12]}),
    "a range of one": ("10-10 * * * *", {"minutes": [10]}),
    "a range of names": ("* * * feb-apr mon-wed", {"months": [2, 3, 4], "weekdays": [1, 2, 3]}),
    "Sunday ends a range": ("* * * * fri-sun", {"weekdays": [0, 5, 6]}),
    "Sunday alone, as a range": ("* * * * sun-sun", {"weekdays": [0]}),
    "Monday to Sunday": ("* * * * mon-sun", {}),
    "Sunday is 7 at the end of a range": ("* * * * 5-7", {"weekdays": [0, 5, 6]}),
    "steps": ("*/20 */12 * * *", {"minutes": [0, 20, 40], "hours": [0, 12]}),
    "steps of one": ("*/1 * * * *", {}),
    "steps from a number on": ("50/4 * * * *", {"minutes": [50, 54, 58]}),
    "steps of a range": ("10-20/5 * * * *", {"minutes": [10, 15, 20]}),
    "a list of all that": ("5,10-12,*/30 * * * *", {"minutes": [0, 5, 10, 11, 12, 30]}),
    "a day that only the longest month has": ("* * 31 feb,mar *", {"days": [31], "months": [2, 3]}),
    "days of which February has one": ("* * 28-31 feb *", {"days": [28, 29, 30, 31], "months": [2]}),
    "the last day of a month": ("* * 30 apr *", {"days": [30], "months": [4]}),
    "a leap day": ("* * 29 feb *", {"days": [29], "months": [2]}),
    "a day that no month has, but a weekday": (
        "* * 31 feb mon",
        {"days": [31], "months": [2], "weekdays": [1]},
    ),
}


@pytest.mark.parametrize(("schedule", "numbers"), READ.values(), ids=READ)
def test_what_a_schedule_says(schedule: str, numbers: dict[str, list[int]]) -> None:
    """As crontab(5) has it; each field is read with its own bounds and names."""
    assert _numbers(schedule) == numbers


TOLD = {
    "four fields": ("* * * *", "schedule '* * * *' has 4 fields, not 5"),
    "six fields": ("* * * * * *", "schedule '* * * * * *' has 6 fields, not 5"),
    "a minute too many": ("60 * * * *", "'60' in '60' is not within 0-59"),
    "an hour too many": ("* 24 * * *", "'24' in '24' is not within 0-23"),
    "a day before the first": ("* * 0 * *", "'0' in '0' is not within 1-31"),
    "a day too many": ("* * 32 * *", "'32' in '32' is not within 1-31"),
    "a month before the first": ("* * * 0 *", "'0' in '0' is not within 1-12"),
    "a month too many": ("* * * 13 *", "'13' in '13' is not within 1-12"),
    "a weekday too many": ("* * * * 8", "'8' in '8' is not within 0-7"),
    "a step of nothing": ("*/0 * * * *", "step '0' in '*/0' is no positive number"),
    "a step that is no number": ("*/x * * * *", "step 'x' in '*/x' is no positive number"),
    "a step that is not there": ("*/ * * * *", "step '' in '*/' is no positive number"),
    "a word in minutes": ("x * * * *", "'x' in 'x' is no number"),
    "a word in weekdays": ("* * * * x", "'x' in 'x' is no number or English name"),
    "backwards": ("0 22-2 * * *", "range '22-2' in '22-2' runs backwards; write it as two, with a comma"),
    "a day that none of its months has": (
        "0 0 31 FEB,APR *",
        "no month of 'FEB,APR' has day '31', so it would never open",
    ),
}


@pytest.mark.parametrize(("schedule", "message"), TOLD.values(), ids=TOLD)
def test_what_cannot_be_read_is_told_where_it_is(schedule: str, message: str) -> None:
    """The part, the field that it is in, and what is wrong with it."""
    with pytest.raises(ValueError, match=r".") as error:
        parse(schedule)
    assert str(error.value) == message


DAYS: dict[str, tuple[str, str, bool]] = {
    "every day": ("* * * * *", "2026-11-22", True),
    "another month": ("* * * 10 *", "2026-11-22", False),
    "its day of the month": ("* * 22 * *", "2026-11-22", True),
    "another day of the month": ("* * 21 * *", "2026-11-22", False),
    "its weekday, a Sunday": ("* * * * 0", "2026-11-22", True),
    "its weekday, a Saturday": ("* * * * 6", "2026-11-21", True),
    "another weekday": ("* * * * 1", "2026-11-22", False),
    "either of two, by the month": ("* * 22 * 1", "2026-11-22", True),
    "either of two, by the week": ("* * 21 * 0", "2026-11-22", True),
    "neither of two": ("* * 21 * 1", "2026-11-22", False),
    "both where one begins with a star": ("* * */7 * 0", "2026-11-22", True),
    "one of both where one begins with a star": ("* * */7 * 0", "2026-11-29", True),
    "only the weekday where the day begins with a star": ("* * */7 * 0", "2026-11-08", True),
    "only the weekday, on a day that is left out": ("* * */2 * 0", "2026-11-22", False),
    "only the day, on a weekday that is left out": ("* * 22 * */2", "2026-11-23", False),
}


@pytest.mark.parametrize(("schedule", "day", "expected"), DAYS.values(), ids=DAYS)
def test_the_days_of_a_schedule(schedule: str, day: str, *, expected: bool) -> None:
    """Where both kinds of day are restricted either is enough; a star, with steps or not, restricts none."""
    assert parse(schedule).on(dt.date.fromisoformat(day)) is expected
