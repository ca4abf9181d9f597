"""Observed weights: the bound is honest about chance, and counting costs one call a minute."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.analysis.observed import LATE, WINDOW, RequestCounter
from sluice.analysis.placeholders import dimension
from sluice.model.binding import Binding, CallContext, Priority
from sluice.model.errors import AwsFailure
from sluice.model.keys import SERVICE_ROUTE, Key
from sluice.model.observed_share import interval, observed_share
from unit.analysis.scenes import target

ROUTE = Key(SERVICE_ROUTE, "shop", "web")
BINDING = Binding(account="1", region="eu-west-1")
CONTEXT = CallContext(binding=BINDING, priority=Priority.ROLLOUT, key=ROUTE)
TARGETS = {"web": (target("a"), target("b"))}
MINUTE = 60.0

SHARES: dict[str, tuple[dict[str, int], dict[str, int], bool, str]] = {
    "exactly": ({"a": 950, "b": 50}, {"a": 95, "b": 5}, True, "as configured"),
    "a little off": ({"a": 940, "b": 60}, {"a": 95, "b": 5}, True, "as configured"),
    "far off": (
        {"a": 700, "b": 300},
        {"a": 95, "b": 5},
        False,
        "a has 70.0% of 1000 requests instead of 95.0%; b has 30.0% of 1000 requests instead of 5.0%",
    ),
    "few requests say little": ({"a": 2, "b": 3}, {"a": 95, "b": 5}, True, "as configured"),
    "none say nothing": ({}, {"a": 95, "b": 5}, True, "as configured"),
    "none for the candidate of many": (
        {"a": 10_000},
        {"a": 95, "b": 5},
        False,
        "a has 100.0% of 10000 requests instead of 95.0%; b has 0.0% of 10000 requests instead of 5.0%",
    ),
    "one for a slot without weight": (
        {"a": 99, "b": 1},
        {"a": 1},
        False,
        "a has 99.0% of 100 requests instead of 100.0%; b has 1.0% of 100 requests instead of 0.0%",
    ),
}


@pytest.mark.parametrize(("counts", "expected", "consistent", "detail"), SHARES.values(), ids=SHARES)
def test_shares(counts: dict[str, int], expected: dict[str, int], *, consistent: bool, detail: str) -> None:
    """Numbers that chance explains are as configured; the others are told with what they should be."""
    seen = observed_share(counts, expected)
    assert (seen.consistent, seen.detail) == (consistent, detail)
    assert seen.requests == sum(counts.values())


@given(total=st.integers(1, 10**9), data=st.data())
def test_the_interval_holds_what_was_seen(total: int, data: st.DataObject) -> None:
    """It is within 0 and 1, around the counted share, and narrower the more was counted."""
    hits = data.draw(st.integers(0, total))
    low, high = interval(hits, total)
    assert 0 <= low <= hits / total <= high <= 1
    wide = interval(hits, total, z=10)
    assert wide[0] <= low <= high <= wide[1]


@pytest.mark.parametrize(
    ("total", "share"), [(20, 50), (200, 50), (1_000, 10), (1_000, 100), (300, 500)], ids=str
)
def test_false_alarms_are_rare(total: int, share: int) -> None:
    """Of all numbers that chance may bring, those that look wrong have less than one in 1,000 together."""
    wrong = 0.0
    for hits in range(total + 1):
        if not observed_share({"a": total - hits, "b": hits}, {"a": 1_000 - share, "b": share}).consistent:
            wrong += math.comb(total, hits) * (share / 1_000) ** hits * (1 - share / 1_000) ** (total - hits)
    assert wrong < 0.001


@dataclass
class Clock:
    """Time by hand."""

    time: float = 600.0

    def now(self) -> float:
        """Return it."""
        return self.time

    monotonic = now


@dataclass
class Desk:
    """A counter with everything around it by hand."""

    answers: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    clock: Clock = field(default_factory=Clock)
    calls: list[Mapping[str, Any]] = field(default_factory=list)
    contexts: list[CallContext] = field(default_factory=list)
    jobs: list[tuple[float, Callable[[], None]]] = field(default_factory=list)

    def call(
        self, service: str, operation: str, params: Mapping[str, Any], *, context: CallContext
    ) -> Mapping[str, Any]:
        """Answer as AWS."""
        assert (service, operation) == ("cloudwatch", "GetMetricData")
        self.calls.append(params)
        self.contexts.append(context)
        return self.answers(params)

    def soon(self, job: Callable[[], None]) -> None:
        """Keep the job."""
        self.later(0.0, job)

    def later(self, seconds: float, job: Callable[[], None]) -> None:
        """Keep the job."""
        self.jobs.append((seconds, job))

    def run(self) -> None:
        """Run what is kept, each after its time."""
        jobs, self.jobs = self.jobs, []
        for seconds, job in jobs:
            self.clock.time += seconds
            job()


def counting(
    numbers: Mapping[str, Mapping[float, float]],
) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    """Return GetMetricData's answer: slot → minute → requests."""
    groups = {dimension(target(slot).target_group_arn): slot for slot in numbers}

    def answer(params: Mapping[str, Any]) -> Mapping[str, Any]:
        results = []
        for query in params["MetricDataQueries"]:
            found = {d["Name"]: d["Value"] for d in query["MetricStat"]["Metric"]["Dimensions"]}
            minutes = numbers.get(groups.get(found["TargetGroup"], ""), {})
            times = [dt.datetime.fromtimestamp(minute, dt.UTC) for minute in minutes]
            results.append({"Id": query["Id"], "Timestamps": times, "Values": list(minutes.values())})
        return {"MetricDataResults": results}

    return answer


def test_whole_minutes_after_the_proof_are_added_up() -> None:
    """Not the one in which the weights changed, and not the one that CloudWatch may still add to."""
    desk = Desk(counting({"a": {300: 1, 360: 90, 420: 80, 480: 70, 540: 5}, "b": {360: 10, 420: 20}}))
    counter = RequestCounter(desk, clock=desk.clock, scheduler=desk)
    counter.watch(CONTEXT, TARGETS)
    assert counter.counted(ROUTE, "web", since=300) is None
    desk.run()
    assert counter.counted(ROUTE, "web", since=330) == {"a": 240, "b": 30}
    assert counter.counted(ROUTE, "web", since=481) is None
    assert counter.counted(ROUTE, "other", since=330) == {}
    assert desk.contexts[0].priority is Priority.DRIFT


def test_one_call_a_minute_for_all_routes_and_none_without() -> None:
    """Passes come as often as they like."""
    desk = Desk(counting({}))
    counter = RequestCounter(desk, clock=desk.clock, scheduler=desk)
    others = [Key(SERVICE_ROUTE, "shop", f"r{number}") for number in range(50)]
    for _ in range(3):
        for key in others:
            counter.watch(CallContext(binding=BINDING, priority=Priority.ROLLOUT, key=key), TARGETS)
    desk.run()
    desk.run()
    assert len(desk.calls) == 2
    assert len(desk.calls[0]["MetricDataQueries"]) == 2
    for key in others:
        counter.watch(CallContext(binding=BINDING, priority=Priority.ROLLOUT, key=key), {})
    desk.run()
    assert (len(desk.calls), desk.jobs) == (2, [])
    counter.watch(CONTEXT, TARGETS)
    assert len(desk.jobs) == 1


def test_old_minutes_go() -> None:
    """The last five whole ones are added up, however long the weights stand."""
    desk = Desk(counting({"a": {60.0 * minute: 10 for minute in range(100)}}))
    desk.clock.time = 60.0 * 50
    counter = RequestCounter(desk, clock=desk.clock, scheduler=desk)
    counter.watch(CONTEXT, TARGETS)
    desk.run()
    assert counter.counted(ROUTE, "web", since=0.0) == {"a": 10 * WINDOW, "b": 0}
    asked = desk.calls[0]
    assert (asked["EndTime"] - asked["StartTime"]).total_seconds() >= WINDOW * MINUTE + LATE


ERRORS = {
    "no budget, no leave, no answer": AwsFailure(
        service="cloudwatch", operation="GetMetricData", code="E", message="m", kind="denied"
    ),
    "garbage": KeyError("Id"),
}


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_a_failed_call_is_made_again_a_minute_later(error: Exception) -> None:
    """And costs nobody anything but a missing number."""
    fails = [error]

    def answer(params: Mapping[str, Any]) -> Mapping[str, Any]:
        if fails:
            raise fails.pop()
        return counting({"a": {480: 7}})(params)

    desk = Desk(answer)
    counter = RequestCounter(desk, clock=desk.clock, scheduler=desk)
    counter.watch(CONTEXT, TARGETS)
    desk.run()
    assert counter.counted(ROUTE, "web", since=400) is None
    desk.run()
    assert counter.counted(ROUTE, "web", since=400) == {"a": 7, "b": 0}
