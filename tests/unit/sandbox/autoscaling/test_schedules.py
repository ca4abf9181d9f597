"""Scheduled actions: expressions, refusals, what they do and when."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scaling_world import START, WEB, Scaling

from sluice_sandbox.aws.autoscaling import schedules


def put(scaling: Scaling, schedule: str, name: str = "night", **more: Any) -> None:
    """Put a scheduled action that asks for at least seven."""
    params = {"ScalableTargetAction": {"MinCapacity": 7}, **more}
    scaling.call("PutScheduledAction", ScheduledActionName=name, Schedule=schedule, **params, **WEB)


def moment(text: str) -> float:
    """Return the epoch seconds of a UTC time."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("schedule", "timezone", "due"),
    [
        ("at(2027-01-15T09:00:00)", "UTC", "2027-01-15T09:00:00"),
        ("at(2027-01-15T09:30:00)", "Europe/Berlin", "2027-01-15T08:30:00"),
        ("at(2027-01-15T07:00:00)", "UTC", None),
        ("rate(5 minutes)", "UTC", "2027-01-15T08:05:00"),
        ("rate(1 day)", "UTC", "2027-01-16T08:00:00"),
        ("cron(0 22 * * ? *)", "UTC", "2027-01-15T22:00:00"),
        ("cron(0 22 * * ? *)", "America/New_York", "2027-01-16T03:00:00"),
        ("cron(0/15 * * * ? *)", "UTC", "2027-01-15T08:15:00"),
        ("cron(30 6 ? * MON-FRI *)", "UTC", "2027-01-18T06:30:00"),
        ("cron(0 12 ? * SUN,TUE *)", "UTC", "2027-01-17T12:00:00"),
        ("cron(0 12 ? * 6 *)", "UTC", "2027-01-15T12:00:00"),
        ("cron(0 0 1 * ? *)", "UTC", "2027-02-01T00:00:00"),
        ("cron(0 0 L * ? *)", "UTC", "2027-01-31T00:00:00"),
        ("cron(0 0 29 FEB ? *)", "UTC", "2028-02-29T00:00:00"),
        ("cron(0 0 1 1 ? 2026)", "UTC", None),
    ],
)
def test_when_a_schedule_is_due(schedule: str, timezone: str, due: str | None) -> None:
    """at, rate and cron expressions in their time zones, seen from a Friday 08:00 UTC."""
    found = schedules.due(schedule, timezone=timezone, after=START, since=START)
    assert found == (moment(due) if due is not None else None)


@given(st.integers(0, 59), st.integers(0, 23), st.floats(0, 3e7))
def test_a_daily_schedule_is_due_within_a_day(minute: int, hour: int, later: float) -> None:
    """From whatever moment, it is due in at most 24 hours, at its minute and hour."""
    after = START + later
    found = schedules.due(f"cron({minute} {hour} * * ? *)", timezone="UTC", after=after, since=after)
    assert found is not None
    assert 0 < found - after <= 86_400
    shown = datetime.fromtimestamp(found, UTC)
    assert (shown.minute, shown.hour, shown.second) == (minute, hour, 0)


@pytest.mark.parametrize(
    "schedule",
    [
        "every day",
        "rate(0 minutes)",
        "rate(5 weeks)",
        "rate(5minutes)",
        "at(2027-13-01T00:00:00)",
        "at(tomorrow)",
        "cron(* * * * *)",
        "cron(0 0 * * * *)",
        "cron(0 0 ? * ? *)",
        "cron(60 0 * * ? *)",
        "cron(0 24 * * ? *)",
        "cron(0 0 32 * ? *)",
        "cron(0 0 ? * MOON *)",
    ],
)
def test_schedules_refused(scaling: Scaling, schedule: str) -> None:
    """What is no schedule is refused with ValidationException."""
    scaling.register()
    error = scaling.refusal(
        "PutScheduledAction",
        ScheduledActionName="x",
        Schedule=schedule,
        ScalableTargetAction={"MinCapacity": 1},
        **WEB,
    )
    assert error.code == "ValidationException"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        pytest.param({"Schedule": None}, "ValidationException", id="no schedule"),
        pytest.param({"ScalableTargetAction": None}, "ValidationException", id="no action"),
        pytest.param({"ScalableTargetAction": {}}, "ValidationException", id="empty action"),
        pytest.param(
            {"ScalableTargetAction": {"MinCapacity": 3, "MaxCapacity": 2}},
            "ValidationException",
            id="min above max",
        ),
        pytest.param({"ScalableTargetAction": {"MinCapacity": -1}}, "ValidationException", id="negative"),
        pytest.param({"Timezone": "Mars/Base"}, "ValidationException", id="unknown time zone"),
        pytest.param({"EndTime": START - 1}, "ValidationException", id="end is past"),
        pytest.param(
            {"StartTime": START + 100, "EndTime": START + 50}, "ValidationException", id="end before start"
        ),
        pytest.param({"ScheduledActionName": "a:b"}, "ValidationException", id="colon in the name"),
        pytest.param({"Schedule": "cron(0 0 15W * ? *)"}, "UnsupportedOperation", id="not modelled"),
        pytest.param({"ResourceId": "service/shop/api"}, "ObjectNotFoundException", id="not registered"),
    ],
)
def test_scheduled_actions_refused(scaling: Scaling, params: dict[str, Any], code: str) -> None:
    """Each rule of PutScheduledAction has its refusal."""
    scaling.register()
    ask = {
        **WEB,
        "ScheduledActionName": "x",
        "Schedule": "rate(1 hour)",
        "ScalableTargetAction": {"MinCapacity": 1},
        **params,
    }
    given_params = {key: value for key, value in ask.items() if value is not None}
    assert scaling.refusal("PutScheduledAction", **given_params).code == code


def test_an_action_moves_limits_and_capacity(scaling: Scaling) -> None:
    """When it is due the target's limits change and the capacity follows, each time again."""
    scaling.register(1, 20)
    put(scaling, "rate(10 minutes)")
    scaling.clock.advance(599)
    assert scaling.count == 2
    scaling.clock.advance(2)
    assert (scaling.count, scaling.target()["MinCapacity"]) == (7, 7)
    assert scaling.activities()[0]["Cause"] == "scheduled action name night was triggered"
    scaling.call("RegisterScalableTarget", MinCapacity=1, **WEB)
    scaling.services.counts["shop/web"] = 1
    scaling.clock.advance(600)
    assert scaling.count == 7


def test_a_maximum_scales_in(scaling: Scaling) -> None:
    """An action with a maximum brings the capacity down to it."""
    scaling.register(1, 20)
    put(scaling, "at(2027-01-15T09:00:00)", ScalableTargetAction={"MinCapacity": 0, "MaxCapacity": 1})
    scaling.clock.advance(3_601)
    assert scaling.count == 1


def test_start_and_end_bound_a_schedule(scaling: Scaling) -> None:
    """A rate begins to count at its start and ends with its end."""
    scaling.register(1, 20)
    put(scaling, "rate(10 minutes)", StartTime=START + 3_600, EndTime=START + 4_500)
    scaling.clock.advance(3_600 + 599)
    assert scaling.count == 2
    scaling.clock.advance(2)
    assert scaling.count == 7
    scaling.services.counts["shop/web"] = 1
    scaling.clock.advance(7_200)
    assert scaling.count == 1


def test_a_new_form_replaces_the_old_timer(scaling: Scaling) -> None:
    """After a change only the new schedule runs; start and end not given are gone."""
    scaling.register(1, 20)
    put(scaling, "rate(10 minutes)", EndTime=START + 86_400)
    put(scaling, "rate(1 hour)")
    shown = scaling.call("DescribeScheduledActions", ServiceNamespace="ecs")["ScheduledActions"][0]
    assert "EndTime" not in shown
    scaling.clock.advance(1_200)
    assert scaling.count == 2
    scaling.call("DeleteScheduledAction", ScheduledActionName="night", **WEB)
    scaling.clock.advance(7_200)
    assert scaling.count == 2


def test_suspended_schedules_do_nothing(scaling: Scaling) -> None:
    """ScheduledScalingSuspended holds every action back."""
    scaling.register(1, 20, SuspendedState={"ScheduledScalingSuspended": True})
    put(scaling, "rate(1 minute)")
    scaling.clock.advance(300)
    assert (scaling.count, scaling.target()["MinCapacity"]) == (2, 1)


def test_describing_and_deleting(scaling: Scaling) -> None:
    """An action is shown as it was put, by name, in pages; an unknown one cannot be deleted."""
    scaling.register()
    put(scaling, "cron(0 22 * * ? *)", Timezone="Europe/Berlin")
    put(scaling, "rate(1 day)", name="other")
    answer = scaling.call("DescribeScheduledActions", ServiceNamespace="ecs", ScheduledActionNames=["night"])
    (shown,) = answer["ScheduledActions"]
    assert shown["ScheduledActionARN"].endswith(":resource/ecs/service/shop/web:scheduledActionName/night")
    assert (shown["Schedule"], shown["Timezone"]) == ("cron(0 22 * * ? *)", "Europe/Berlin")
    assert shown["ScalableTargetAction"] == {"MinCapacity": 7}
    first = scaling.call("DescribeScheduledActions", ServiceNamespace="ecs", MaxResults=1)
    assert len(first["ScheduledActions"]) == 1
    assert "NextToken" in first
    error = scaling.refusal("DeleteScheduledAction", ScheduledActionName="ghost", **WEB)
    assert error.code == "ObjectNotFoundException"
