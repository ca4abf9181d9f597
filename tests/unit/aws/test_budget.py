"""Single facts about the token buckets."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.aws.budget import CLAIM_GRACE_SECONDS, Budgets, Wait
from sluice.aws.operations import buckets, is_write
from sluice.model.binding import Priority

WHERE: dict[str, Any] = {"account": "1", "region": "eu-west-1"}


def take(
    budgets: Budgets,
    operation: str,
    *,
    priority: Priority = Priority.ROLLOUT,
    waiter: object = "w",
    now: float = 0.0,
) -> Wait | None:
    """Ask for one call; the service follows from the operation's name."""
    service = "elbv2" if "Rule" in operation or "TargetGroup" in operation else "ecs"
    return budgets.take(service, operation, priority=priority, waiter=waiter, now=now, **WHERE)


def at_once(budgets: Budgets, operation: str, *, priority: Priority, now: float = 0.0) -> int:
    """Count how many calls pass without waiting."""
    count = 0
    while take(budgets, operation, priority=priority, waiter=("n", count), now=now) is None:
        count += 1
    return count


@pytest.mark.parametrize(
    ("operation", "write"),
    [
        ("DescribeServices", False),
        ("ListTasks", False),
        ("GetTaskProtection", False),
        ("DiscoverInstances", False),
        ("CreateService", True),
        ("SetRulePriorities", True),
        ("AddTags", True),
        ("RunTask", True),
        ("FrobnicateEverything", True),
    ],
)
def test_what_is_not_known_to_read_counts_as_a_write(operation: str, *, write: bool) -> None:
    """The verb decides, and an unknown verb gets the careful treatment."""
    assert is_write(operation) is write


@pytest.mark.parametrize(
    ("service", "operation", "names"),
    [
        ("ecs", "RegisterTaskDefinition", ["ecs/task-definition-modify"]),
        ("ecs", "DeregisterTaskDefinition", ["ecs/task-definition-modify"]),
        ("ecs", "UpdateService", ["ecs/service-modify"]),
        ("ecs", "DescribeServices", ["ecs/service-read"]),
        ("elbv2", "ModifyRule", ["elbv2/write", "elbv2/account"]),
        ("elbv2", "DescribeTags", ["elbv2/read", "elbv2/account"]),
        ("elbv2", "RegisterTargets", ["elbv2/registration", "elbv2/account"]),
        ("elbv2", "CreateLoadBalancer", ["elbv2/resource-intensive", "elbv2/account"]),
        ("servicediscovery", "CreateService", ["servicediscovery/write"]),
        ("sqs", "ReceiveMessage", ["sqs/write"]),
    ],
)
def test_a_call_passes_the_published_buckets(service: str, operation: str, names: list[str]) -> None:
    """ECS has a bucket per family of actions, ELB one per category beside the account's."""
    assert [shape.name for shape in buckets(service, operation)] == names


@pytest.mark.parametrize(
    ("operation", "priority", "passed"),
    [
        ("ModifyRule", Priority.ROLLBACK, 20),
        ("ModifyRule", Priority.ROLLOUT, 10),
        ("ModifyRule", Priority.DRIFT, 7),
        ("ModifyRule", Priority.GARBAGE, 5),
        ("RegisterTaskDefinition", Priority.ROLLOUT, 20),
        ("DeregisterTaskDefinition", Priority.GARBAGE, 10),
        ("DescribeServices", Priority.ROLLBACK, 100),
    ],
)
def test_lower_priorities_leave_a_floor(operation: str, priority: Priority, passed: int) -> None:
    """A full bucket lets through only what is above the floor of the priority."""
    assert at_once(Budgets(share=1.0), operation, priority=priority) == passed


def test_garbage_leaves_half_of_the_registrations_to_deployments() -> None:
    """Register and Deregister share one token a second: collecting never empties the bucket."""
    budgets = Budgets(share=1.0)
    at_once(budgets, "DeregisterTaskDefinition", priority=Priority.GARBAGE)
    assert at_once(budgets, "RegisterTaskDefinition", priority=Priority.ROLLOUT) == 10


def test_a_tiny_share_still_lets_every_priority_through() -> None:
    """However small the share, a bucket holds one token and no floor keeps it for ever."""
    for priority in Priority:
        assert at_once(Budgets(share=0.001), "ModifyRule", priority=priority) == 1


@pytest.mark.parametrize("share", [0, -0.5, 1.5])
def test_a_share_outside_the_limits_is_refused(share: float) -> None:
    """More than the account's limits, or nothing, is a mistake in the configuration."""
    with pytest.raises(ValueError, match="share"):
        Budgets(share=share)


def test_switched_off_everything_passes() -> None:
    """The benchmark measures us and not the bucket."""
    budgets = Budgets(enabled=False)
    assert all(take(budgets, "RegisterTaskDefinition", waiter=n) is None for n in range(1000))


def test_a_deferred_caller_keeps_its_token_from_a_later_lower_one() -> None:
    """The token that a rollout waits for is not taken by drift that comes in between."""
    budgets = Budgets(share=1.0)
    for number in range(20):
        assert take(budgets, "RegisterTaskDefinition", priority=Priority.ROLLBACK, waiter=number) is None
    wait = take(budgets, "RegisterTaskDefinition", waiter="deploy")
    assert wait == Wait(until=pytest.approx(1.0), bucket="ecs/task-definition-modify")
    later = take(budgets, "RegisterTaskDefinition", waiter="other", now=1.0)
    assert later is not None
    assert take(budgets, "RegisterTaskDefinition", waiter="deploy", now=1.0) is None


def test_a_claim_that_nobody_comes_back_for_ends() -> None:
    """A deleted object does not hold a place for ever."""
    budgets = Budgets(share=1.0)
    for number in range(20):
        take(budgets, "RegisterTaskDefinition", priority=Priority.ROLLBACK, waiter=number)
    take(budgets, "RegisterTaskDefinition", waiter="gone")
    now = 1.0 + CLAIM_GRACE_SECONDS
    assert take(budgets, "RegisterTaskDefinition", waiter="other", now=now + 0.1) is None
    assert all(state.waiting == 0 for state in budgets.states(now + 1.2))


def test_nobody_is_sent_away_for_much_longer_than_a_minute() -> None:
    """A thousand waiters of a 1/s bucket come back spread over half a minute after the first one."""
    budgets = Budgets(share=1.0)
    waits = [take(budgets, "RegisterTaskDefinition", waiter=number) for number in range(1000)]
    times = [wait.until for wait in waits if wait is not None]
    assert len(times) == 980
    assert max(times) < 91
    assert max(times.count(time) for time in set(times)) < 40


def test_throttling_empties_and_slows_a_bucket_and_time_heals_it() -> None:
    """AWS knows better: no token, half the rate; a minute later the nominal rate again."""
    budgets = Budgets(share=1.0)
    take(budgets, "UpdateService")
    for _ in range(5):  # five calls in flight tell the same news
        budgets.throttled("ecs", "UpdateService", now=0.0, **WHERE)
    (state,) = budgets.states(0.0)
    assert (state.tokens, state.factor) == (0.0, 0.5)
    assert budgets.states(10.0)[0].tokens == pytest.approx(25.0)
    assert budgets.states(60.0)[0].factor == 1.0


def test_repeated_throttling_never_stops_a_bucket() -> None:
    """The rate has a smallest value, so that recovery can be noticed."""
    budgets = Budgets(share=1.0)
    for second in range(30):
        budgets.throttled("elbv2", "ModifyRule", now=float(second), **WHERE)
    assert all(state.factor >= 0.1 for state in budgets.states(30.0))


def test_an_unused_token_goes_back() -> None:
    """A call that was not sent after all costs nothing."""
    budgets = Budgets(share=1.0)
    take(budgets, "RegisterTaskDefinition")
    budgets.refund("ecs", "RegisterTaskDefinition", now=0.0, **WHERE)
    assert budgets.states(0.0)[0].tokens == 20


def test_accounts_and_regions_have_their_own_buckets() -> None:
    """AWS limits per account and region, and so do we."""
    budgets = Budgets(share=1.0)
    at_once(budgets, "RegisterTaskDefinition", priority=Priority.ROLLBACK)
    for account, region in (("2", "eu-west-1"), ("1", "us-east-1")):
        assert (
            budgets.take(
                "ecs",
                "RegisterTaskDefinition",
                account=account,
                region=region,
                priority=Priority.GARBAGE,
                waiter="w",
                now=0.0,
            )
            is None
        )


def test_a_clock_that_goes_back_brings_no_tokens() -> None:
    """Nothing is added twice, and nothing breaks."""
    budgets = Budgets(share=1.0)
    take(budgets, "RegisterTaskDefinition", now=100.0)
    take(budgets, "RegisterTaskDefinition", now=50.0)
    assert budgets.states(50.0)[0].tokens == pytest.approx(18.0)
