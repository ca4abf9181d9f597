"""Who leaves at the bounds of ECS's arithmetic: as many as have to, and none that has to stay."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.model.discovery import SeenTask, SlotWish
from sluice.plan.discovery.departures import departures, is_former
from unit.discovery.test_choice import some, task, wish

OLD, NEW = some(1, 4, "old"), some(11, 14)
STARTING = some(21, 23, healthy=False)


def names(found: str) -> set[str]:
    """Return the ids of a row."""
    return set(found.split())


@pytest.mark.parametrize(
    ("tasks", "wanted", "unseen", "leaving", "released", "going", "yields"),
    [
        pytest.param(
            [*some(1, 2, "old"), *STARTING], wish(4, 1, None), "", "", "", "t1", False, id="room not known"
        ),
        pytest.param(
            [*some(1, 4, "old"), *some(21, 22, healthy=False)],
            wish(4, 1, 6),
            "",
            "t1",
            "",
            "t1 t2",
            False,
            id="one of two that make room leaves",
        ),
        pytest.param(
            [*some(1, 2, "old"), *STARTING], wish(4, 1, 6), "", "", "", "", False, id="room for the last one"
        ),
        pytest.param(
            [*some(1, 2, "old"), *STARTING], wish(4, 1, 5), "", "", "", "t1", False, id="no room for the last"
        ),
        pytest.param(
            [*some(1, 3, "old"), *STARTING],
            wish(4, 1, 5),
            "",
            "",
            "",
            "t1",
            False,
            id="more than the maximum",
        ),
        pytest.param(
            [*some(1, 3, "old"), *some(21, 26, healthy=False)],
            wish(4, 1, 9),
            "",
            "",
            "",
            "",
            False,
            id="more new ones than are desired",
        ),
        pytest.param(NEW, wish(3, 0, 6), "", "", "", "t14", False, id="scale-in where nobody has to stay"),
        pytest.param(
            [*some(1, 3, "old"), *STARTING],
            wish(3, 0, 6),
            "",
            "",
            "",
            "",
            False,
            id="nobody has to stay, room",
        ),
        pytest.param(
            [*some(1, 3, "old"), *some(11, 13)],
            wish(3, 0, 6),
            "",
            "",
            "",
            "t1 t2 t3",
            False,
            id="nobody has to stay, all are seen",
        ),
        pytest.param(
            OLD, wish(1, 0, 1), "", "", "", "t1 t2 t3", True, id="nobody has to stay, one is wanted"
        ),
        pytest.param(OLD, wish(0, 1, 1), "", "", "", "t1 t2 t3", False, id="one has to stay, none is wanted"),
        pytest.param(
            some(1, 5), wish(3, 3, 6), "t3", "t4 t5", "t4", "t4", False, id="who may be ended stays gone"
        ),
        pytest.param(some(1, 5), wish(3, 3, 6), "t3", "t4 t5", "", "t5", False, id="the newest stays gone"),
        pytest.param(some(1, 5), wish(3, 3, 6), "", "t4 t5", "", "t4 t5", False, id="enough answer"),
        pytest.param(some(1, 6), wish(3, 3, 6), "", "t5 t6", "", "t4 t5 t6", False, id="one more has to go"),
        pytest.param(NEW, wish(3, 3, 6), "t13", "t12", "t12", "t12", False, id="given back, before unseen"),
        pytest.param(
            [task(1, "r1"), task(5, "r2"), task(9, "r1"), *some(11, 12)],
            wish(3, 3, 6),
            "",
            "",
            "",
            "t1 t9",
            False,
            id="the oldest revision first",
        ),
        pytest.param(
            [*some(1, 3, zone="x"), *some(4, 6, zone="y")],
            wish(4, 4, 8),
            "",
            "",
            "",
            "t3 t6",
            False,
            id="zones",
        ),
        pytest.param(
            [task(1, zone="x"), task(2, zone="x"), task(3, zone="y"), task(4, zone="y")],
            wish(3, 3, 6),
            "",
            "",
            "",
            "t4",
            False,
            id="of two full zones the one with the newest",
        ),
        pytest.param(
            [
                task(1, zone="x"),
                task(2, zone="x", started_at=3.0),
                task(3, zone="y"),
                task(4, zone="y", started_at=3.0),
            ],
            wish(3, 3, 6),
            "",
            "",
            "",
            "t4",
            False,
            id="as new: the one with the last id",
        ),
        pytest.param(
            [*some(1, 4), task(5, running=False)],
            wish(4, 4, 8),
            "",
            "",
            "",
            "",
            False,
            id="who ends is not counted",
        ),
        pytest.param(
            [*some(1, 3), task(4, healthy=False)],
            wish(3, 3, 6),
            "",
            "",
            "",
            "",
            False,
            id="the ill go by themselves",
        ),
    ],
)
def test_as_many_leave_as_have_to(
    tasks: list[SeenTask],
    wanted: SlotWish,
    unseen: str,
    leaving: str,
    released: str,
    going: str,
    *,
    yields: bool,
) -> None:
    """Who leaves and whether they are given back together, for each bound of the table."""
    visible = {one.id for one in tasks if one.healthy} - names(unseen) - names(leaving)
    found = departures(tasks, wanted, visible=visible, leaving=names(leaving), released=names(released))
    assert (set(found.going), found.yields) == (names(going), yields)


def test_a_slot_that_shares_the_answers_calls_nobody_back() -> None:
    """It answers with fewer than it has: how many are seen says nothing about its capacity."""
    tasks = some(1, 5)
    state: dict[str, Any] = {"visible": {"t1"}, "leaving": {"t4", "t5"}, "released": set()}
    assert departures(tasks, wish(3, 3, 6), shared=True, **state).going == {"t4", "t5"}
    assert departures(tasks, wish(3, 3, 6), **state).going == set()


def test_who_leaves_already_goes_on_although_ecs_answers_with_it() -> None:
    """In mode ECS a task has two entries: ours may be on its way out while ECS's own is seen."""
    found = departures(
        NEW,
        wish(3, 3, 6),
        visible={"t11", "t12", "t13", "t14"},
        leaving={"t12"},
        released=set(),
        former=lambda _task: False,
    )
    assert found.going == {"t12"}


@pytest.mark.parametrize(
    ("revision", "deployment", "current", "former"),
    [
        pytest.param("new", "d2", "d2", False, id="the same deployment"),
        pytest.param("old", "d2", "d2", False, id="the same deployment, another revision"),
        pytest.param("new", "d1", "d2", True, id="another deployment of the same revision"),
        pytest.param("new", "d1", "", False, id="current deployment not known, the same revision"),
        pytest.param("old", "d1", "", True, id="current deployment not known, another revision"),
        pytest.param("new", "", "d2", False, id="the task's deployment not known, the same revision"),
        pytest.param("old", "", "d2", True, id="the task's deployment not known, another revision"),
    ],
)
def test_who_is_to_be_replaced(revision: str, deployment: str, current: str, *, former: bool) -> None:
    """By ECS's deployment where both are known, by the revision where one is not."""
    there = task(1, revision, deployment=deployment)
    assert is_former(there, wish(1, 1, 2, deployment=current)) is former
