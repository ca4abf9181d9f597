"""The record of calls is bounded, countable and searchable."""

from __future__ import annotations

from sluice_sandbox.aws.record import CallLog, is_read
from sluice_sandbox.aws.service import Caller


def add(log: CallLog, operation: str, outcome: str = "OK") -> None:
    """Record one call."""
    log.add(
        caller=Caller(),
        service="ecs",
        operation=operation,
        params={},
        time=0.0,
        outcome=outcome,
        took_place=outcome == "OK",
        duration=0.0,
    )


def test_the_ring_forgets_the_oldest_but_the_counts_do_not() -> None:
    """Of five calls a ring of three keeps the last three, numbered; the counts know all five."""
    log = CallLog(capacity=3)
    for index in range(5):
        add(log, f"Describe{index}")
    assert [call.number for call in log.find()] == [3, 4, 5]
    assert sum(log.counts().values()) == log.total == 5


def test_find_filters() -> None:
    """Globs, outcome, position and mutating-ness narrow the search."""
    log = CallLog()
    for operation, outcome in (
        ("CreateService", "OK"),
        ("DescribeServices", "OK"),
        ("DeleteService", "Denied"),
    ):
        add(log, operation, outcome)
    assert [call.operation for call in log.find(operation="*Service")] == ["CreateService", "DeleteService"]
    assert [call.operation for call in log.find(outcome="Denied")] == ["DeleteService"]
    assert [call.operation for call in log.find(since=2)] == ["DeleteService"]
    assert [call.operation for call in log.find(mutating=False)] == ["DescribeServices"]
    assert [call.operation for call in log.find(mutating=True)] == ["CreateService", "DeleteService"]


def test_clear_starts_over() -> None:
    """After a clear nothing is known and numbers start at 1."""
    log = CallLog()
    add(log, "ListTasks")
    log.clear()
    add(log, "ListTasks")
    assert [call.number for call in log.find()] == [1]


def test_reads_are_known_by_name() -> None:
    """AWS names reads alike; writes are everything else."""
    assert all(map(is_read, ("DescribeServices", "ListTasks", "GetParameter", "DiscoverInstances")))
    assert not any(
        map(is_read, ("CreateService", "UpdateService", "PutClusterCapacityProviders", "TagResource"))
    )
