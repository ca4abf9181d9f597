"""Shares by count and departures by ECS's own arithmetic, as tables and laws."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.model.discovery import SeenTask, SlotWish
from sluice.plan.discovery.departures import departures
from sluice.plan.discovery.shares import shares

COUNTS = st.integers(0, 60)
PARTS = st.integers(1, 99)


def task(number: int, revision: str = "new", **changes: Any) -> SeenTask:
    """Return a healthy task; the number is its age, too."""
    made: dict[str, Any] = {
        "id": f"t{number}",
        "arn": f"arn:t{number}",
        "cluster": "main",
        "slot": "a",
        "revision": revision,
        "healthy": True,
        "started_at": float(number),
    }
    return SeenTask(**(made | changes))


def wish(desired: int, minimum: int, maximum: int | None, **changes: Any) -> SlotWish:
    """Return what the Deployment wants of the slot."""
    return SlotWish(
        slot="a", desired=desired, revision="new", minimum_healthy=minimum, maximum=maximum, **changes
    )


def some(first: int, last: int, revision: str = "new", **changes: Any) -> list[SeenTask]:
    """Return the tasks of a range."""
    return [task(number, revision, **changes) for number in range(first, last + 1)]


@pytest.mark.parametrize(
    ("weights", "healthy", "desired", "expected", "short"),
    [
        pytest.param({"a": 100}, {"a": 5}, {"a": 5}, {"a": 5}, False, id="one slot has all"),
        pytest.param({"a": 100}, {"a": 0}, {"a": 5}, {"a": 0}, True, id="one slot, nobody healthy"),
        pytest.param({"a": 100}, {"a": 0}, {"a": 0}, {"a": 0}, False, id="one slot, nobody wanted"),
        pytest.param({"a": 999, "b": 1}, {"a": 9, "b": 3}, {}, {"a": 9, "b": 1}, False, id="never none"),
        pytest.param({"a": 70, "b": 30}, {"a": 10, "b": 4}, {}, {"a": 7, "b": 3}, False, id="exact"),
        pytest.param({"a": 50, "b": 50}, {"a": 8, "b": 8}, {}, {"a": 8, "b": 8}, False, id="all of both"),
        pytest.param(
            {"a": 20, "b": 80}, {"a": 10, "b": 1}, {"b": 9}, {"a": 9, "b": 1}, True, id="candidate lost tasks"
        ),
        pytest.param(
            {"a": 90, "b": 10}, {"a": 10, "b": 0}, {"b": 1}, {"a": 10, "b": 0}, True, id="no candidate"
        ),
    ],
)
def test_shares(
    weights: dict[str, int],
    healthy: dict[str, int],
    desired: dict[str, int | None],
    expected: Any,
    *,
    short: bool,
) -> None:
    """As near to the weights as whole tasks allow, and never fewer than the larger slot."""
    found = shares(weights, healthy=healthy, desired=desired)
    assert (found.counts, found.short) == (expected, short)


@given(first=PARTS, second=PARTS, live=COUNTS, candidate=COUNTS)
def test_shares_keep_capacity_and_round_nobody_away(
    first: int, second: int, live: int, candidate: int
) -> None:
    """Entries are tasks that there are, nobody with weight and tasks has none, and capacity never shrinks."""
    found = shares({"a": first, "b": second}, healthy={"a": live, "b": candidate}, desired={})
    for slot, there in (("a", live), ("b", candidate)):
        assert min(1, there) <= found.counts[slot] <= there
    assert sum(found.counts.values()) >= max(live, candidate)


@given(first=PARTS, second=PARTS, live=st.integers(1, 20), candidate=st.integers(1, 20))
def test_no_other_split_is_nearer(first: int, second: int, live: int, candidate: int) -> None:
    """Compared with every split of enough entries."""
    found = shares({"a": first, "b": second}, healthy={"a": live, "b": candidate}, desired={}).counts
    ideal = first / (first + second)
    best = min(
        abs(a / (a + b) - ideal)
        for a in range(1, live + 1)
        for b in range(1, candidate + 1)
        if a + b >= max(live, candidate)
    )
    assert abs(found["a"] / (found["a"] + found["b"]) - ideal) == pytest.approx(best, abs=1e-9)


OLD, NEW = some(1, 4, "old"), some(11, 14)


@pytest.mark.parametrize(
    ("tasks", "wanted", "unseen", "leaving", "going", "yields"),
    [
        pytest.param(OLD, wish(4, 4, 8), (), (), [], False, id="new ones are not there"),
        pytest.param(OLD + NEW, wish(4, 4, 8), (11, 12, 13, 14), (), [], False, id="new ones are not seen"),
        pytest.param(OLD + NEW, wish(4, 4, 8), (13, 14), (), ["t1", "t2"], False, id="as many as are seen"),
        pytest.param(OLD + NEW, wish(4, 4, 8), (), (), ["t1", "t2", "t3", "t4"], False, id="all seen"),
        pytest.param(OLD, wish(4, 2, 4), (), (), ["t1", "t2"], False, id="no room: down to the minimum"),
        pytest.param(OLD, wish(4, 2, 4), (), (1, 2), ["t1", "t2"], False, id="no room: and no further"),
        pytest.param(OLD, wish(4, 2, None), (), (), ["t1", "t2"], False, id="room not known"),
        pytest.param(OLD, wish(4, 2, 8), (), (), [], False, id="room: new ones come first"),
        pytest.param(OLD, wish(4, 0, 4), (), (), ["t1", "t2", "t3", "t4"], True, id="recreate"),
        pytest.param(OLD, wish(0, 0, 0), (), (), ["t1", "t2", "t3", "t4"], True, id="scaled to zero"),
        pytest.param(NEW, wish(4, 4, 8), (), (), [], False, id="at rest"),
        pytest.param(NEW, wish(3, 3, 6), (), (), ["t14"], False, id="scale-in: the newest"),
        pytest.param(NEW, wish(3, 3, 6), (), (12,), ["t12"], False, id="scale-in: whoever has begun"),
        pytest.param(
            [*some(1, 3, zone="x"), *some(4, 4, zone="y")],
            wish(3, 3, 6),
            (),
            (),
            ["t3"],
            False,
            id="fullest zone",
        ),
        pytest.param(NEW, wish(3, 3, 6), (11,), (), [], False, id="scale-in: ECS may end who has no entry"),
        pytest.param(NEW, wish(4, 4, 8), (), (14,), [], False, id="scale-in taken back"),
        pytest.param(
            [*OLD, *some(11, 14, healthy=False)], wish(4, 4, 8), (), (1, 2), [], False, id="new ones fell ill"
        ),
        pytest.param(
            [task(1, deployment="d1"), task(2, deployment="d2")],
            wish(1, 1, 2, deployment="d2"),
            (),
            (),
            ["t1"],
            False,
            id="a forced deployment",
        ),
    ],
)
def test_departures(
    tasks: list[SeenTask],
    wanted: SlotWish,
    unseen: tuple[int, ...],
    leaving: tuple[int, ...],
    going: list[str],
    *,
    yields: bool,
) -> None:
    """The table of the module: who leaves, given who is seen and who is on the way out."""
    out = {f"t{number}" for number in leaving}
    visible = {one.id for one in tasks if one.healthy} - {f"t{number}" for number in unseen} - out
    found = departures(tasks, wanted, visible=visible, leaving=out, released=set())
    assert sorted(found.going) == going
    assert found.yields is yields


def test_who_is_given_back_does_not_come_back() -> None:
    """ECS may end it any moment: fewer visible than wanted does not call it back."""
    tasks = some(1, 4)
    found = departures(tasks, wish(3, 3, 6), visible={"t1", "t2"}, leaving={"t3", "t4"}, released={"t4"})
    assert found.going == {"t4"}
