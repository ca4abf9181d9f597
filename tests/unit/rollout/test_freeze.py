"""Freeze windows: cron schedules in time zones, across changes of the clock."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.model import cron
from sluice.model.strategy import FreezeWindow
from sluice.rollout import freeze

HOUR = 3600.0


def at(text: str, zone: str = "UTC", *, fold: int = 0) -> float:
    """Return the epoch seconds of a local time."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def window(schedule: str, hours: float = 1, zone: str = "UTC") -> FreezeWindow:
    """Return a window of so many hours."""
    return FreezeWindow(name="w", schedule=schedule, duration=hours * HOUR, time_zone=zone)


@pytest.mark.parametrize(
    ("schedule", "now", "expected"),
    [
        pytest.param("0 18 * * FRI", "2026-11-20T18:30", "2026-11-20T19:00", id="name of a day"),
        pytest.param("0 18 * * FRI", "2026-11-20T17:59", None, id="not yet"),
        pytest.param("0 18 * * FRI", "2026-11-20T19:00", None, id="over at its end"),
        pytest.param("0 18 * * 5", "2026-11-20T18:00", "2026-11-20T19:00", id="open at its begin"),
        pytest.param("0 0 * * 7", "2026-11-22T00:10", "2026-11-22T01:00", id="Sunday is 7 too"),
        pytest.param("*/30 * * * *", "2026-11-20T10:40", "2026-11-20T11:30", id="steps: the last opening"),
        pytest.param("0 9-17/4 * * *", "2026-11-20T13:30", "2026-11-20T14:00", id="range with a step"),
        pytest.param("0 9-17/4 * * *", "2026-11-20T12:30", None, id="between the steps"),
        pytest.param("0 8,20 * dec *", "2026-12-01T20:30", "2026-12-01T21:00", id="lists and months' names"),
        pytest.param("0 8,20 * dec *", "2026-11-30T20:30", None, id="another month"),
        pytest.param("0 0 13 * FRI", "2026-11-20T00:30", "2026-11-20T01:00", id="either day: the weekday"),
        pytest.param("0 0 13 * FRI", "2026-10-13T00:30", "2026-10-13T01:00", id="either day: of the month"),
        pytest.param("0 0 29 2 *", "2028-02-29T00:30", "2028-02-29T01:00", id="leap day"),
        pytest.param("5/20 * * * *", "2026-11-20T10:50", "2026-11-20T11:45", id="a step from a number on"),
        pytest.param("0 0 * * FRI-SUN", "2026-11-22T00:10", "2026-11-22T01:00", id="Sunday ends a range"),
        pytest.param("0 0 * * FRI-SUN", "2026-11-23T00:10", None, id="Monday is behind that range"),
        pytest.param("0 0 * * SUN-TUE", "2026-11-24T00:10", "2026-11-24T01:00", id="Sunday begins a range"),
        pytest.param(
            "0 0 31 FEB MON", "2026-02-02T00:30", "2026-02-02T01:00", id="a day that is only one way"
        ),
        pytest.param("30 23 * * *", "2026-11-20T00:10", "2026-11-20T00:30", id="across midnight"),
    ],
)
def test_a_window_is_open_from_each_time_of_its_schedule_on(
    schedule: str, now: str, expected: str | None
) -> None:
    """Five cron fields decide when a window opens, its duration when it closes."""
    assert freeze.frozen_until([window(schedule)], at(now)) == (at(expected) if expected else None)


@pytest.mark.parametrize(
    "schedule",
    [
        "",
        "* * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "a * * * *",
        "*/0 * * * *",
        "*/x * * * *",
        "5-1 * * * *",
        "0 22-2 * * *",
        "0 0 * * FRI-MON",
        "0 0 31 FEB,APR *",
        "0 0 30 2 *",
        "* * * * FOO",
        ", * * * *",
        "- * * * *",
    ],
)
def test_a_schedule_that_cannot_be_read_says_so_and_never_opens(schedule: str) -> None:
    """Reading raises for the API's check; the machine itself never raises and never freezes by it."""
    with pytest.raises(ValueError, match=r"field|number|within|name|not|backwards|no month"):
        cron.parse(schedule)
    assert freeze.frozen_until([window(schedule)], at("2026-11-20T18:30")) is None


def test_a_time_zone_that_does_not_exist_never_opens() -> None:
    """Nothing here may raise: the API refuses such a zone before."""
    assert freeze.frozen_until([window("* * * * *", zone="Mars/Olympus")], at("2026-11-20T18:30")) is None


def test_a_weekend_lasts_its_hours_across_the_change_to_winter_time() -> None:
    """62 h from Friday 18:00 are real hours: in Berlin the clock then says Monday 7:00, not 8:00."""
    weekend = window("0 18 * * FRI", 62, "Europe/Berlin")
    opened = at("2026-10-23T18:00", "Europe/Berlin")
    assert freeze.frozen_until([weekend], opened) == at("2026-10-26T07:00", "Europe/Berlin")
    assert freeze.frozen_until([weekend], at("2026-10-26T07:00", "Europe/Berlin")) is None


def test_a_time_that_summer_time_leaves_out_opens_after_the_gap() -> None:
    """2:30 does not exist in Berlin on 2026-03-29: the window opens at 3:00."""
    night = window("30 2 * * *", 1, "Europe/Berlin")
    after = at("2026-03-29T03:00", "Europe/Berlin")
    assert freeze.frozen_until([night], after - 1) is None
    assert freeze.frozen_until([night], after) == after + HOUR


def test_a_time_that_comes_twice_opens_once() -> None:
    """2:30 comes twice in Berlin on 2026-10-25: the window opens the first time."""
    night = window("30 2 * * *", 0.5, "Europe/Berlin")
    first = at("2026-10-25T02:30", "Europe/Berlin")
    assert freeze.frozen_until([night], first) == first + HOUR / 2
    assert freeze.frozen_until([night], first + HOUR) is None


@pytest.mark.parametrize(
    ("zone", "opens", "closes"),
    [
        pytest.param("Europe/Berlin", "2026-03-28T23:00", "2026-03-29T05:00", id="spring"),
        pytest.param("Europe/Berlin", "2026-10-24T23:00", "2026-10-25T03:00", id="autumn"),
        pytest.param(
            "Australia/Lord_Howe", "2026-10-03T23:00", "2026-10-04T04:30", id="half an hour, spring"
        ),
        pytest.param(
            "Australia/Lord_Howe", "2026-04-04T23:00", "2026-04-05T03:30", id="half an hour, autumn"
        ),
        pytest.param("Asia/Kolkata", "2026-03-28T23:00", "2026-03-29T04:00", id="no change"),
    ],
)
def test_a_night_across_midnight_lasts_its_hours_whatever_the_clock_does(
    zone: str, opens: str, closes: str
) -> None:
    """From 23:00 five real hours, without a moment in which it is open twice or not at all."""
    night, begin = window("0 23 * * *", 5, zone), at(opens, zone)
    assert at(closes, zone) == begin + 5 * HOUR
    assert freeze.frozen_until([night], begin - 60) is None
    for half_hours in range(10):
        assert freeze.frozen_until([night], begin + half_hours * HOUR / 2) == begin + 5 * HOUR
    assert freeze.frozen_until([night], begin + 5 * HOUR) is None


def test_a_midnight_that_does_not_exist_opens_when_the_day_begins() -> None:
    """In Cairo 2026-04-24 begins at 1:00: a window of 0:00 opens then, and lasts its time from there."""
    day = window("0 0 * * *", 2, "Africa/Cairo")
    begin = at("2026-04-24T01:00", "Africa/Cairo")
    assert freeze.frozen_until([day], begin - 1) is None
    assert freeze.frozen_until([day], begin) == begin + 2 * HOUR


def test_of_several_open_windows_the_last_to_close_counts() -> None:
    """Who asks until when it is frozen wants to know when it can go on."""
    short, long = window("0 10 * * *", 1), window("0 9 * * *", 5)
    assert freeze.frozen_until([short, long], at("2026-11-20T10:30")) == at("2026-11-20T14:00")


@given(
    minute=st.integers(0, 59),
    hour=st.integers(0, 23),
    now=st.floats(0, 4e9),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]),
)
def test_a_daily_window_of_a_day_and_an_hour_is_always_open(
    minute: int, hour: int, now: float, zone: str
) -> None:
    """Law: days are at most 25 h long, so 25 h from every day's opening cover all time, in any zone."""
    daily = window(f"{minute} {hour} * * *", 25.5, zone)
    until = freeze.frozen_until([daily], now)
    assert until is not None
    assert now < until <= now + 25.5 * HOUR
