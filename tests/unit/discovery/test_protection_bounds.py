"""Whom ECS is asked to keep, when that is renewed, and what it refuses: each at its bound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from sluice.model.discovery import SeenTask, SlotWish
from sluice.plan.discovery.entries import instance_id
from sluice.plan.discovery.ledger import Ledger
from sluice.plan.discovery.protection import Protections, protections
from unit.discovery.steps import NOW, seen_task

MINUTE = 60.0


def ask(
    tasks: Sequence[SeenTask],
    *,
    desired: int | None = 9,
    needed: str | None = None,
    departing: str = "",
    ledger: Ledger | None = None,
) -> Protections:
    """Return what is asked of ECS; all of the tasks are needed where nothing else is said."""
    names = [task.id for task in tasks] if needed is None else needed.split()
    wish = SlotWish(slot="a", desired=desired or 0, revision="new", minimum_healthy=0)
    return protections(
        tasks,
        needed=set(map(instance_id, names)),
        departing=set(map(instance_id, departing.split())),
        wishes={} if desired is None else {"a": wish},
        ledger=ledger or Ledger(now=NOW),
    )


def asked(found: Protections) -> list[str]:
    """Return the names of the tasks that ECS is asked to protect, in order."""
    return [arn.rpartition("/")[2] for action in found.actions for arn in action.params["tasks"]]


def protected(name: str, minutes: float, **changes: Any) -> SeenTask:
    """Return a task whose protection ends in some minutes; its age is in its name."""
    return seen_task(
        name, protected_until=NOW + minutes * MINUTE, started_at=float(name.strip("t")), **changes
    )


@pytest.mark.parametrize(
    ("minutes", "renewed", "renewal"),
    [
        pytest.param((60.0, 30.0), "", 10.0, id="in good time"),
        pytest.param((60.0, 20.5), "", 0.5, id="soon"),
        pytest.param((60.0, 20.01), "", 0.01, id="almost"),
        pytest.param((60.0, 20.0), "t2", 40.0, id="twenty minutes before its end"),
        pytest.param((40.0, 20.0), "t1 t2", None, id="others that end within forty minutes, too"),
        pytest.param((40.1, 20.0), "t2", 20.1, id="others that end later, not"),
        pytest.param((30.0, 0.0), "t2", 10.0, id="one that has ended makes no other one early"),
        pytest.param((0.0, 0.0), "t1 t2", None, id="none is protected"),
    ],
)
def test_protections_are_renewed_together_and_in_good_time(
    minutes: tuple[float, float], renewed: str, renewal: float | None
) -> None:
    """Twenty minutes before the end, those along that end within another twenty."""
    found = ask([protected("t1", minutes[0]), protected("t2", minutes[1])])
    assert asked(found) == renewed.split()
    assert found.renewal == (None if renewal is None else pytest.approx(NOW + renewal * MINUTE))


def test_who_needs_no_protection_hurries_nobody() -> None:
    """Its protection ends by itself."""
    found = ask([protected("t1", 30.0), protected("t2", 1.0)], needed="t1")
    assert (asked(found), found.renewal) == ([], NOW + 10 * MINUTE)


@pytest.mark.parametrize(
    ("tasks", "desired", "departing", "expected"),
    [
        pytest.param(("t1=0", "t2=0", "t3=0"), 2, "", "t1 t2", id="the oldest"),
        pytest.param(("t1=0", "t2=0", "t3=0"), 2, "t3", "t3 t1", id="those that ECS is to end first"),
        pytest.param(("t1=0", "t2=0"), 2, "", "t1 t2", id="all of them"),
        pytest.param(("t1=60", "t2=60", "t3=0"), 2, "", "", id="no room"),
        pytest.param(("t1=60", "t2=0", "t3=0"), 2, "", "t2", id="room for one"),
        pytest.param(("t1=10", "t2=60"), 2, "", "t1", id="renewed where all room is taken"),
        pytest.param(("t1=10", "t2=10", "t3=60"), 2, "", "", id="ECS would refuse: more than are desired"),
        pytest.param(("t1=10", "t2=0"), 1, "", "t1", id="a renewal takes no room"),
        pytest.param(("t1=0", "t2=0"), None, "", "t1 t2", id="nobody knows how many are desired"),
    ],
)
def test_no_more_are_protected_than_are_desired(
    tasks: tuple[str, ...], desired: int | None, departing: str, expected: str
) -> None:
    """ECS refuses more, renewals included; `t1=10` has ten minutes of protection left."""
    there = [protected(name, float(minutes)) for name, _, minutes in (task.partition("=") for task in tasks)]
    assert asked(ask(there, desired=desired, departing=departing)) == expected.split()


def test_tasks_that_end_take_no_room() -> None:
    """ECS counts those that run."""
    there = [protected("t1", 60.0, running=False), protected("t2", 0.0)]
    assert asked(ask(there, desired=1, needed="t2")) == ["t2"]


def test_slots_and_backends_have_room_of_their_own() -> None:
    """Another slot's protected tasks take none, and of a former backend nobody knows the wish."""
    there = [
        protected("t1", 60.0, slot="b"),
        protected("t2", 60.0, backend="old"),
        protected("t3", 0.0, backend="old"),
        protected("t4", 0.0),
    ]
    assert asked(ask(there, desired=1)) == ["t3", "t4"]


@pytest.mark.parametrize(
    ("minutes", "failing", "expected", "fresh"),
    [
        pytest.param(0.0, {}, "t1", True, id="not protected"),
        pytest.param(10.0, {}, "t1", False, id="a renewal"),
        pytest.param(0.0, {"protect:t1": (1, NOW)}, "t1", False, id="refused before, and its time has come"),
        pytest.param(0.0, {"protect:t1": (1, NOW + 9)}, "", False, id="refused before"),
    ],
)
def test_what_ecs_refused_is_asked_again_later_and_unsettles_nothing(
    minutes: float, failing: dict[str, tuple[int, float]], expected: str, *, fresh: bool
) -> None:
    """Only a task that was not asked for in vain makes a plan one that changes something."""
    found = ask([protected("t1", minutes)], ledger=Ledger(now=NOW, failing=dict(failing)))
    assert (asked(found), found.fresh) == (expected.split(), fresh)


def test_one_fresh_task_is_enough() -> None:
    """Others beside it that were refused before change nothing about it, whatever their order."""
    for refused in ("t1", "t2"):
        ledger = Ledger(now=NOW, failing={f"protect:{refused}": (1, NOW)})
        assert ask([protected("t1", 0.0), protected("t2", 0.0)], ledger=ledger).fresh


def test_refusals_of_those_that_lack_no_protection_are_forgotten() -> None:
    """What else fails is not theirs."""
    ledger = Ledger(
        now=NOW,
        failing={"protect:t1": (3, NOW), "protect:t2": (3, NOW), "protect:t9": (3, NOW), "t9": (1, NOW)},
    )
    ask([protected("t1", 0.0), protected("t2", 60.0)], ledger=ledger)
    assert sorted(ledger.failing) == ["protect:t1", "t9"]


def test_a_plan_protects_two_hundred_tasks_at_most() -> None:
    """Twenty calls of ten; the next plan goes on."""
    found = ask([protected(f"t{number}", 0.0) for number in range(1, 222)], desired=None)
    assert [len(action.params["tasks"]) for action in found.actions] == [10] * 20
    assert {action.params["protectionEnabled"] for action in found.actions} == {True}
    assert {action.params["expiresInMinutes"] for action in found.actions} == {60}
    assert found.actions[0].reason == "ECS is not to end them before their entries have left"


def test_nothing_to_protect_is_nothing_to_do() -> None:
    """No call, nothing fresh, no renewal."""
    assert ask([]) == Protections()
