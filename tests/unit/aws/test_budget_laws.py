"""The laws that the budget promises, whatever comes in whatever order."""

from __future__ import annotations

import heapq
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sluice.aws.budget import Budgets
from sluice.aws.operations import SHAPES
from sluice.model.binding import Priority

WHERE: dict[str, Any] = {"account": "1", "region": "eu-west-1"}
NOT_ROLLBACK = [priority for priority in Priority if priority != Priority.ROLLBACK]

asks = st.lists(
    st.tuples(
        st.floats(0, 3),
        st.sampled_from(list(Priority)),
        st.integers(0, 15),
        st.sampled_from(["ModifyRule", "DescribeRules"]),
    ),
    min_size=1,
    max_size=250,
)


@given(sequence=asks, share=st.sampled_from([1.0, 0.5, 0.05]), throttling=st.booleans())
def test_no_span_of_time_has_more_calls_than_burst_and_rate_allow(
    sequence: list[tuple[float, Priority, int, str]], share: float, *, throttling: bool
) -> None:
    """Within any t seconds at most burst + rate*t calls pass each bucket, throttled or not."""
    budgets = Budgets(share=share)
    now = 0.0
    passed: dict[str, list[float]] = {"elbv2/write": [], "elbv2/read": [], "elbv2/account": []}
    for number, (step, priority, waiter, operation) in enumerate(sequence):
        now += step
        if budgets.take("elbv2", operation, priority=priority, waiter=waiter, now=now, **WHERE) is None:
            passed["elbv2/write" if operation == "ModifyRule" else "elbv2/read"].append(now)
            passed["elbv2/account"].append(now)
        if throttling and number % 20 == 19:
            budgets.throttled("elbv2", operation, now=now, **WHERE)
    for name, times in passed.items():
        burst, rate = max(1.0, SHAPES[name].burst * share), SHAPES[name].rate * share
        for first in range(len(times)):
            for last in range(first, len(times)):
                assert last - first + 1 <= burst + rate * (times[last] - times[first]) + 1e-3


@given(asks)
def test_a_refused_take_costs_nobody_a_token(sequence: list[tuple[float, Priority, int, str]]) -> None:
    """Who is sent away has spent nothing in any bucket, although the call passes several."""
    budgets = Budgets(share=0.1)
    now = 0.0
    for step, priority, waiter, operation in sequence:
        now += step
        before = {state.bucket: state.tokens for state in budgets.states(now)}
        if budgets.take("elbv2", operation, priority=priority, waiter=waiter, now=now, **WHERE) is not None:
            after = {state.bucket: state.tokens for state in budgets.states(now)}
            assert {name: after[name] for name in before} == before


@given(st.lists(st.tuples(st.floats(0, 1), st.sampled_from(NOT_ROLLBACK), st.integers(0, 30)), max_size=200))
def test_ten_rule_writes_are_always_there_for_a_rollback(crowd: list[tuple[float, Priority, int]]) -> None:
    """Whatever everybody else asked for before, ten rollback writes pass at once."""
    budgets = Budgets(share=1.0)
    now = 0.0
    for step, priority, waiter in crowd:
        now += step
        budgets.take("elbv2", "ModifyRule", priority=priority, waiter=waiter, now=now, **WHERE)
    for number in range(10):
        waiter = f"rollback-{number}"
        assert (
            budgets.take("elbv2", "ModifyRule", priority=Priority.ROLLBACK, waiter=waiter, now=now, **WHERE)
            is None
        )


@given(st.lists(st.sampled_from(list(Priority)), min_size=2, max_size=40))
def test_waiters_are_served_by_priority_then_in_order_of_arrival(arrivals: list[Priority]) -> None:
    """Everybody arrives at an empty bucket and comes back when told: order of service is the law's."""
    budgets = Budgets(share=1.0)
    # Empty the bucket down to its last token, with the only priority that may.
    for number in range(20):
        budgets.take(
            "ecs", "RegisterTaskDefinition", priority=Priority.ROLLBACK, waiter=f"x{number}", now=0.0, **WHERE
        )
    returning: list[tuple[float, int]] = []
    for waiter, priority in enumerate(arrivals):
        wait = budgets.take(
            "ecs", "RegisterTaskDefinition", priority=priority, waiter=waiter, now=0.0, **WHERE
        )
        assert wait is not None
        heapq.heappush(returning, (wait.until, waiter))
    served: list[int] = []
    while returning:
        now, waiter = heapq.heappop(returning)
        wait = budgets.take(
            "ecs", "RegisterTaskDefinition", priority=arrivals[waiter], waiter=waiter, now=now, **WHERE
        )
        if wait is None:
            served.append(waiter)
        else:
            assert wait.until > now
            heapq.heappush(returning, (wait.until, waiter))
    assert served == sorted(served, key=lambda waiter: (arrivals[waiter], waiter))
