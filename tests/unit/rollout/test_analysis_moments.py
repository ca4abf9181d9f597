"""Metrics moment by moment: bounds to the second, counts to the sample, and the text that a person reads."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.rollout import MetricRun
from sluice.model.situation import GateFacts, Sample
from sluice.model.strategy import Analyse, Condition, Metric, OnNoData, SetWeight
from sluice.rollout import analysis
from sluice.rollout.work import Work
from unit.rollout.moment import NOW, analysed, moment, run_of

ERRORS = Metric(
    name="errors",
    kind="prometheus",
    query={},
    failure=Condition(operator=">", threshold=0.5),
    interval=10,
    consecutive_error_limit=2,
)
ANALYSIS = Analyse(seconds=60)


def about(
    *runs: MetricRun,
    metric: Metric = ERRORS,
    sample: Sample | None = None,
    on_no_data: OnNoData = "Pause",
    steps: tuple[Any, ...] = (SetWeight(permille=250), SetWeight(permille=1000)),
    **rollout: Any,
) -> Work:
    """Return a moment of a strategy with one metric; `sample` answers its next request."""
    samples = {f"id/{run.id}/{run.taken}": sample for run in runs if sample}
    return moment(
        strategy=analysed(metric, on_no_data=on_no_data, steps=steps),
        gates=GateFacts(samples=samples),
        rollout={"metrics": runs, **rollout},
    )


def run(name: str = "errors", **members: Any) -> MetricRun:
    """Return a run that began a minute ago and has its next sample later."""
    return MetricRun(**{"id": name, "since": NOW - 60, "due": NOW + 5} | members)


def test_only_a_judgement_begins_a_run() -> None:
    """Whoever asks whether metrics are good changes nothing."""
    work = about(steps=(ANALYSIS,), step_since=NOW - 60)
    assert analysis.trusted(work)
    assert analysis.said_yes(work)
    assert analysis.step_over(work, ANALYSIS)
    assert work.rollout.metrics == ()
    assert analysis.judge(work) == ""
    assert [run.id for run in work.rollout.metrics] == ["errors", "step-0/errors"]


@pytest.mark.parametrize("members", [{"kind": "First"}, {"kind": "Undo"}, {"stage": "ScalingUp"}])
def test_nothing_is_measured_outside_of_a_rollout_under_way(members: dict[str, Any]) -> None:
    """Neither in a first rollout or an undo, nor before a weight."""
    work = about(**members)
    assert analysis.judge(work) == ""
    assert (work.rollout.metrics, work.metrics) == ((), [])


@pytest.mark.parametrize(
    ("members", "why"),
    [
        pytest.param({"errors": 1, "message": "HTTP 503"}, "HTTP 503", id="an error says which"),
        pytest.param({"empty": 1}, "no data", id="nothing said"),
    ],
)
def test_a_sample_without_a_value_is_waited_over(members: dict[str, Any], why: str) -> None:
    """The text says what was wrong with the last one."""
    work = about(run(**members))
    assert not analysis.trusted(work)
    assert work.waits is not None
    assert work.waits.message == f"metric errors: {why}; waiting for the next sample"


@pytest.mark.parametrize(("last_at", "fresh"), [(NOW - 11, False), (NOW - 10, True)])
def test_after_a_restart_one_sample_since_then_is_enough(last_at: float, fresh: bool) -> None:  # noqa: FBT001
    """A sample from the very moment counts."""
    work = about(run(last_at=last_at, passed=3), samples_after=NOW - 10)
    assert analysis.trusted(work) is fresh


@pytest.mark.parametrize(("since", "over"), [(NOW - 59, False), (NOW - 60, True)])
def test_a_steps_analysis_lasts_its_seconds(since: float, over: bool) -> None:  # noqa: FBT001
    """To the second; until then it wakes at its end."""
    work = about(steps=(ANALYSIS,), step_since=since)
    assert analysis.step_over(work, ANALYSIS) is over
    assert work.wakes == ([] if over else [since + 60])


def test_a_person_who_promotes_starts_the_count_anew() -> None:
    """What was missing is forgotten, passes are kept or one is given; failures stay, and so do alarms."""
    first = run(errors=3, empty=2, inconclusive=4, failed=1)
    good = run("latency", passed=3)
    alarm = MetricRun(id="alarm/5xx", since=NOW, errors=1)
    work = about(first, good, alarm)
    analysis.accept(work)
    counted = [(r.errors, r.empty, r.inconclusive, r.failed, r.passed) for r in work.rollout.metrics]
    assert counted == [(0, 0, 0, 1, 1), (0, 0, 0, 0, 3), (1, 0, 0, 0, 0)]


def test_a_way_back_that_is_given_up_starts_every_count_anew() -> None:
    """Passes, too: what turned it back may do so again, and no sample of before counts for or against it."""
    first = run(passed=3, errors=3, empty=2, inconclusive=4, failed=1)
    alarm = MetricRun(id="alarm/5xx", since=NOW, errors=1)
    work = about(first, alarm)
    analysis.forgive(work)
    counted = [(r.errors, r.empty, r.inconclusive, r.failed, r.passed, r.due) for r in work.rollout.metrics]
    assert counted == [(0, 0, 0, 0, 0, NOW + 10), (0, 0, 0, 0, 0, 0.0)]


def test_what_is_postponed_begins_a_whole_interval_from_now() -> None:
    """Metrics in the background and of steps; alarms have no samples."""
    alarm = MetricRun(id="alarm/5xx", since=NOW)
    work = about(run(), run("step-0/errors"), alarm)
    analysis.postpone(work)
    assert [r.due for r in work.rollout.metrics] == [NOW + 10, NOW + 10, 0.0]


def test_counts_by_the_minute_begin_with_a_clean_one() -> None:
    """A load balancer's: after the minute in which the former revision ended; others have no minutes."""
    work = moment(ended_before=NOW + 1)
    assert analysis._clean(work, dataclasses.replace(ERRORS, kind="loadBalancer")) == NOW + 60
    assert analysis._clean(work, ERRORS) == 0.0


@pytest.mark.parametrize(("late", "error"), [(129, False), (130, True)])
def test_a_request_without_an_answer_is_an_error_after_two_minutes(late: float, error: bool) -> None:  # noqa: FBT001
    """And one interval, for the next one would be due then; it wakes when it is."""
    due = NOW - late
    work = about(run(due=due))
    analysis.judge(work)
    counted = run_of(work, "errors")
    assert (counted.errors, counted.taken) == ((1, 1) if error else (0, 0))
    if error:
        assert counted.message == "no answer came in time"
        assert counted.due == NOW + 10
    else:
        assert [request.window for request in work.metrics] == [(due - 10, due)]
        assert work.wakes == [due + 10 + 120]


@pytest.mark.parametrize(("late", "following"), [(9, 1), (19, -9), (20, 10), (25, 10)])
def test_the_next_sample_is_an_interval_later_or_from_now(late: float, following: float) -> None:
    """Where a whole one was missed meanwhile it is not made up for: the next begins now."""
    work = about(run(due=NOW - late), sample=Sample(at=NOW, value=0.1))
    analysis.judge(work)
    assert run_of(work, "errors").due == NOW + following


@pytest.mark.parametrize(
    ("sample", "on_no_data", "counts", "message"),
    [
        pytest.param(Sample(at=NOW, error="HTTP 503"), "Pause", (0, 0, 0, 2, 2), "HTTP 503", id="error"),
        pytest.param(Sample(at=NOW), "Pause", (0, 0, 0, 0, 3), "no data", id="no data"),
        pytest.param(Sample(at=NOW, detail="3 requests"), "Pause", (0, 0, 0, 0, 3), "3 requests", id="few"),
        pytest.param(Sample(at=NOW), "Pass", (1, 0, 0, 0, 0), "no data", id="no data passes"),
        pytest.param(Sample(at=NOW, value=0.4), "Pause", (1, 0, 0, 0, 0), "", id="passed"),
        pytest.param(Sample(at=NOW, value=0.6), "Pause", (0, 1, 0, 0, 0), "", id="failed"),
    ],
)
def test_what_a_sample_counts_as(
    sample: Sample, on_no_data: OnNoData, counts: tuple[int, ...], message: str
) -> None:
    """Passed, failed, inconclusive, errors and empty ones in a row: by one, and a value ends both rows."""
    work = about(
        run(due=NOW - 1, errors=1, empty=2), metric=dataclasses.replace(ERRORS, failure_limit=9),
        sample=sample, on_no_data=on_no_data,
    )  # fmt: skip
    analysis.judge(work)
    now = run_of(work, "errors")
    assert (now.passed, now.failed, now.inconclusive, now.errors, now.empty) == counts
    assert (now.message, now.taken) == (message, 1)


@pytest.mark.parametrize(("message", "told"), [("", ""), ("12 of 20", " (12 of 20)")])
def test_a_failed_analysis_says_its_numbers(message: str, told: str) -> None:
    """How many failed, how many are tolerated, the last value, the condition, and what is behind it."""
    work = about(run(failed=1, last=0.7, message=message))
    text = "metric errors: 1 samples failed, 0 tolerated; last 0.7, failureCondition > 0.5"
    assert analysis.judge(work) == text + told


@pytest.mark.parametrize(
    ("members", "state", "text"),
    [
        ({}, "Running", "0 passed, 0 failed, 0 inconclusive"),
        ({"passed": 2, "last": 0.1}, "Passed", "2 passed, 0 failed, 0 inconclusive, last 0.1"),
        ({"failed": 1, "last": 0.9}, "Running", "0 passed, 1 failed, 0 inconclusive, last 0.9"),
        ({"failed": 2, "last": 0.9}, "Failed", "0 passed, 2 failed, 0 inconclusive, last 0.9"),
        (
            {"passed": 1, "errors": 2, "message": "HTTP 503"},
            "Inconclusive",
            "1 passed, 0 failed, 0 inconclusive; 2 without a value: HTTP 503",
        ),
        (
            {"empty": 1, "message": "no data"},
            "Inconclusive",
            "0 passed, 0 failed, 0 inconclusive; 1 without a value: no data",
        ),
    ],
)
def test_a_metric_is_shown_with_its_counts(members: dict[str, Any], state: str, text: str) -> None:
    """`failureLimit` 1 tolerates one; errors and missing data add up."""
    work = about(run(**members), metric=dataclasses.replace(ERRORS, failure_limit=1))
    analysis.judge(work)
    assert [(gate.name, gate.state, gate.message) for gate in work.gates] == [("metric errors", state, text)]
