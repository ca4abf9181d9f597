"""Alarms moment by moment: to the second, and what each kind of silence is worth."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.model.rollout import MetricRun
from sluice.model.situation import GateFacts
from sluice.model.strategy import OnNoData
from sluice.rollout import alarms
from sluice.rollout.work import Work
from unit.rollout.moment import NOW, analysed, moment, run_of

LONG_AGO = NOW - alarms.PATIENCE
GONE = "there is no such alarm in the account and region"


def about(
    *runs: MetricRun,
    states: dict[str, str | None] | None,
    error: str = "",
    at: float = NOW,
    on_no_data: OnNoData = "Pause",
    **rollout: Any,
) -> Work:
    """Return a moment of a strategy with the alarm `5xx`."""
    return moment(
        strategy=analysed(alarms=("5xx",), on_no_data=on_no_data),
        gates=GateFacts(alarms=states, alarms_error=error, alarms_at=at),
        rollout={"metrics": runs, **rollout},
    )


def silent_since(since: float, *, name: str = "5xx", passed: int = 0) -> MetricRun:
    """Return the memory of an alarm that says nothing."""
    return MetricRun(id=f"alarm/{name}", since=since, passed=passed, message=GONE)


def test_without_alarms_nobody_is_asked_and_nothing_wakes() -> None:
    """A strategy that names none costs no look."""
    work = moment(strategy=analysed())
    assert (alarms.judge(work), alarms.silent(work)) == ("", True)
    assert (work.wakes, work.needs, work.rollout.metrics) == ([], set(), ())


@pytest.mark.parametrize("kind", ["First", "Undo"])
def test_only_a_rollout_asks_alarms(kind: str) -> None:
    """A first rollout has nothing to go back to, and an undo is the way back: both go on in ALARM."""
    work = about(states={"5xx": "ALARM"}, kind=kind)
    assert (alarms.judge(work), alarms.silent(work)) == ("", True)
    assert work.wakes == []


def test_alarms_are_looked_at_again_after_half_a_minute() -> None:
    """Whatever they say."""
    work = about(states={"5xx": "OK"})
    assert alarms.judge(work) == ""
    assert work.wakes == [NOW + 30]


def test_what_was_not_read_yet_is_asked_for_and_remembered() -> None:
    """The time that nobody could be asked begins with the first look."""
    work = about(states=None)
    assert alarms.judge(work) == ""
    assert work.needs == {"alarms"}
    run = run_of(work, "alarm/*")
    assert (run.since, run.message, run.passed) == (NOW, "not read yet", 0)
    assert NOW + alarms.PATIENCE in work.wakes


@pytest.mark.parametrize("on_no_data", ["Pass", "Fail", "Pause"])
def test_alarms_that_nobody_reads_hold_for_a_person_whatever_on_no_data_says(on_no_data: OnNoData) -> None:
    """OnNoData is about an alarm without data; here nobody knows whether it has some."""
    work = about(silent_since(LONG_AGO, name="*"), states=None, on_no_data=on_no_data)
    assert alarms.judge(work) == ""
    assert work.rollout.held == "AnalysisInconclusive"
    assert run_of(work, "alarm/*").passed == 0


@pytest.mark.parametrize(("passed", "open_"), [(None, False), (0, False), (1, True)])
def test_unread_alarms_let_nothing_pass_before_a_person_did(passed: int | None, open_: bool) -> None:  # noqa: FBT001
    """Neither before the first look nor after it; one promote is enough."""
    runs = () if passed is None else (silent_since(NOW, name="*", passed=passed),)
    work = about(*runs, states=None)
    assert alarms.silent(work) is open_
    said = work.waits.message if work.waits else ""
    assert said == ("" if open_ else "the alarms have not been read yet")


def test_what_was_read_forgets_that_nobody_could_be_asked() -> None:
    """The patience begins anew with the next silence."""
    work = about(silent_since(LONG_AGO, name="*"), silent_since(LONG_AGO), states={"5xx": "OK"})
    assert alarms.judge(work) == ""
    assert work.rollout.metrics == ()


@pytest.mark.parametrize(("age", "known"), [(alarms.STALE, True), (alarms.STALE + 1, False)])
def test_a_state_is_known_for_two_minutes(age: float, known: bool) -> None:  # noqa: FBT001
    """To the second; after it OK is not known to be OK any more."""
    work = about(states={"5xx": "OK"}, at=NOW - age)
    alarms.judge(work)
    assert bool(work.rollout.metrics) is not known
    assert alarms.silent(work) is known
    if not known:
        assert run_of(work, "alarm/5xx").message == "CloudWatch was not read for more than 120 s"


def test_an_alarm_stays_one_however_old_it_is() -> None:
    """ALARM is acted on: nobody said that it is over."""
    work = about(states={"5xx": "ALARM"}, at=NOW - 10 * alarms.STALE)
    assert alarms.judge(work) == "alarm 5xx is in ALARM"
    assert not alarms.silent(work)
    assert [(gate.name, gate.state, gate.message) for gate in work.gates] == [
        ("alarm 5xx", "Failed", "in ALARM")
    ]


@pytest.mark.parametrize(
    ("states", "error", "age", "why", "fails"),
    [
        pytest.param({}, "", 0, GONE, True, id="no such alarm"),
        pytest.param({"5xx": "INSUFFICIENT_DATA"}, "", 0, "INSUFFICIENT_DATA", True, id="no data"),
        pytest.param({"5xx": "OK"}, "", 121, "not read for more than 120 s", False, id="stale"),
        pytest.param(None, "denied", 0, "CloudWatch could not be asked: denied", False, id="unreachable"),
    ],
)
def test_on_no_data_decides_only_where_cloudwatch_answered(
    states: dict[str, str | None] | None,
    error: str,
    age: float,
    why: str,
    fails: bool,  # noqa: FBT001
) -> None:
    """Fail is a verdict on an alarm that has no data; one that nobody could read is a person's to judge."""
    work = about(silent_since(LONG_AGO), states=states, error=error, at=NOW - age, on_no_data="Fail")
    verdict = alarms.judge(work)
    if fails:
        assert verdict == f"alarm 5xx: {why}, for 300 s (onNoData: Fail)"
        assert not work.rollout.held
    else:
        assert (verdict, work.rollout.held) == ("", "AnalysisInconclusive")
        assert why in work.rollout.message


@pytest.mark.parametrize(("age", "decided"), [(299, False), (300, True)])
def test_patience_is_five_minutes(age: float, decided: bool) -> None:  # noqa: FBT001
    """To the second; before that the next look is when it ends."""
    work = about(silent_since(NOW - age), states={}, on_no_data="Fail")
    assert bool(alarms.judge(work)) is decided
    assert (NOW - age + 300 in work.wakes) is not decided


def test_on_no_data_pass_counts_as_one_pass_and_opens() -> None:
    """It is shown as passed, with the reason why it says nothing."""
    work = about(silent_since(LONG_AGO), states={}, on_no_data="Pass")
    assert alarms.judge(work) == ""
    assert run_of(work, "alarm/5xx").passed == 1
    assert alarms.silent(work)
    assert [(gate.state, gate.message) for gate in work.gates] == [("Passed", GONE)]


def test_a_person_passes_over_alarms_alone() -> None:
    """Promote counts one pass for what says nothing; metrics are not the alarms' business."""
    work = about(silent_since(NOW), MetricRun(id="errors", since=NOW), states={})
    alarms.accept(work)
    assert {run.id: run.passed for run in work.rollout.metrics} == {"alarm/5xx": 1, "errors": 0}


def test_a_silent_alarm_shows_for_what_is_waited() -> None:
    """The gate and the condition say which, and why."""
    work = about(silent_since(NOW), states={"5xx": "INSUFFICIENT_DATA"})
    assert not alarms.silent(work)
    assert [(gate.name, gate.state, gate.message) for gate in work.gates] == [
        ("alarm 5xx", "Waiting", "INSUFFICIENT_DATA")
    ]
    assert work.waits is not None
    assert work.waits.message == "alarm 5xx: INSUFFICIENT_DATA"
