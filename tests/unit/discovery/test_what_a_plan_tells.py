"""What a plan tells: when to look again, whether all is as wanted, what is under way, what it proves."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.discovery import Health, SlotWish
from sluice.plan.discovery.outcome import some
from unit.discovery.steps import BARE, HERE, INTENT, NOW, State, calls, planned
from unit.discovery.world import traffic

REST = State(listed="t1 t2")
ECS = dataclasses.replace(INTENT, mode="ECS")
HIDDEN: dict[str, Health | None] = {"t1": "UNHEALTHY"}


def wishes(**desired: int) -> tuple[SlotWish, ...]:
    """Return how many tasks each slot is to have."""
    return tuple(
        SlotWish(slot=slot, desired=count, revision="new", minimum_healthy=count, maximum=2 * count)
        for slot, count in desired.items()
    )


@pytest.mark.parametrize(
    ("state", "changes", "seconds"),
    [
        pytest.param(REST, {}, 1_800.0, id="at rest: the next renewal"),
        pytest.param(REST, {"slots": wishes(a=3)}, 2.0, id="a task is to come"),
        pytest.param(
            State(listed="t1 t2", tasks={"t2": {"slot": "b"}}),
            {"slots": wishes(a=1, b=3)},
            2.0,
            id="tasks are to come to one slot of two",
        ),
        pytest.param(REST, {"slots": wishes(a=2, b=3)}, 1_800.0, id="a slot that is not there"),
        pytest.param(
            State(listed="t1 t2", tasks={"t3": {"running": False, "healthy": False}}),
            {"slots": wishes(a=2)},
            1_800.0,
            id="one ends that is one too many",
        ),
        pytest.param(
            State(listed="t1 t2", tasks={"t3": {"running": False, "healthy": False}}),
            {"slots": wishes(a=3)},
            2.0,
            id="one ends, and another is to come",
        ),
        pytest.param(
            State(listed="t1 t2", tasks={"t3": {"backend": "old"}}),
            {"slots": wishes(a=2)},
            1_800.0,
            id="the former backend's are not counted",
        ),
        pytest.param(
            State(listed="t1 t2", operations={"t9": ("register", "op-1", 5.0)}),
            {},
            2.0,
            id="a registration under way of a task that has ended: it would be a dead answer",
        ),
        pytest.param(
            State(listed="t1 t2", operations={"t9": ("register", "", 5.0)}),
            {},
            1_800.0,
            id="a registration of a task that has ended, without an answer",
        ),
        pytest.param(REST, {"registered": None}, 5.0, id="instances were not read"),
        pytest.param(REST, {"discovered": None}, 5.0, id="answers were not read"),
        pytest.param(REST, {"tasks": None}, 5.0, id="tasks were not read"),
        pytest.param(
            State(listed="t1 t2", tasks={"t1": {"slot": "b"}}, seen=HIDDEN, stages={"t1": ("hidden", 39.0)}),
            {"traffic": traffic(a=100)},
            1.0,
            id="the first of what is to come",
        ),
        pytest.param(
            State(listed="t1 t2", tasks={"t1": {"slot": "b"}}, seen=HIDDEN, stages={"t1": ("hidden", 39.9)}),
            {"traffic": traffic(a=100)},
            0.5,
            id="half a second at least",
        ),
    ],
)
def test_when_somebody_looks_again(state: State, changes: dict[str, Any], seconds: float) -> None:
    """As soon as something can have changed, and no sooner."""
    assert planned(state, **changes).wake_at == pytest.approx(NOW + seconds)


def test_nobody_looks_again_where_nothing_can_change() -> None:
    """The drift resync is enough."""
    assert planned(State()).wake_at is None


@pytest.mark.parametrize(
    ("state", "changes", "told"),
    [
        pytest.param(REST, {}, "", id="at rest"),
        pytest.param(
            REST,
            {"registered": None},
            "the place of the entries in Cloud Map is being made or could not be read",
            id="not read",
        ),
        pytest.param(
            REST, {"rolling": False}, "nobody has published yet which tasks get requests", id="no weights"
        ),
        pytest.param(
            State(listed="t1 t2", stages={"t1": ("marking", 9.0)}),
            {"rolling": False},
            "1 are on their way out",
            id="no weights, and one leaves",
        ),
        pytest.param(
            State(listed="t1 t2", tasks={"t3": {}}),
            {},
            "1 of 3 entries are not seen by clients yet; 1 operations are under way",
            id="one comes",
        ),
        pytest.param(
            State(listed="t1 t2 t3", tasks={"t3": {"slot": "b"}}),
            {"traffic": traffic(a=100)},
            "1 are on their way out",
            id="one goes",
        ),
        pytest.param(
            State(listed="t1 t2", tasks={"t1": {"slot": "b"}, "t2": {"healthy": False}}),
            {"traffic": traffic(a=100)},
            "1 are on their way out; 1 stay until others answer",
            id="one has to stay, another is ill",
        ),
        pytest.param(
            State(listed="t1 t2", stages={"t1": ("healing", 9.0)}),
            {},
            "1 of 2 entries are not seen by clients yet",
            id="one is said to be healthy again",
        ),
        pytest.param(
            State(listed="t1", tasks={"t1": {"protected_until": 0.0}}),
            {},
            "entries of Cloud Map are being changed",
            id="one is protected",
        ),
        pytest.param(State(listed="t1", tasks={"t2": {}}), {"backend_exists": False}, "", id="a problem"),
    ],
)
def test_what_is_under_way(state: State, changes: dict[str, Any], told: str) -> None:
    """For people, without times: the text is a condition's message, and must not change with each pass."""
    found = planned(state, **changes)
    assert found.progress == told
    assert found.settled is (not told and not found.problem)


@pytest.mark.parametrize(
    ("changes", "proven"),
    [
        pytest.param({}, True, id="tasks that are seen"),
        pytest.param({"intent": ECS}, False, id="ECS registers: its entries have no weights"),
        pytest.param({"deleting": True}, False, id="the route goes"),
        pytest.param({"intent": None}, False, id="a place that is left"),
        pytest.param(
            {"memory": dataclasses.replace(HERE, left=(dataclasses.replace(HERE, service="other"),))},
            False,
            id="another place still answers",
        ),
    ],
)
def test_who_may_prove_weights(changes: dict[str, Any], *, proven: bool) -> None:
    """Only entries of tasks at the place that the spec names, and at no other."""
    found = planned(REST, traffic=traffic(a=100), **changes)
    assert (found.proof is not None) is proven
    assert found.memory.acknowledgement == found.proof


@pytest.mark.parametrize(
    ("until", "asked"),
    [
        pytest.param(NOW, False, id="its protection has ended"),
        pytest.param(NOW + 1, True, id="its protection is about to end"),
    ],
)
def test_while_everything_goes_no_task_is_protected_anew(until: float, *, asked: bool) -> None:
    """Who has one keeps it until the entry has left."""
    state = State(listed="t1", tasks={"t1": {"protected_until": until}})
    assert ("protect t1" in calls(planned(state, deleting=True))) is asked


def test_a_task_that_was_given_up_is_not_protected_again() -> None:
    """AWS does not let its entry go: ECS may end it all the same."""
    state = State(listed="t1", tasks={"t1": {"protected_until": NOW + 60}}, stages={"t1": ("marking", 120.0)})
    assert calls(planned(state, deleting=True)) == ["deregister t1", "give back t1"]


@pytest.mark.parametrize(
    ("state", "counts"),
    [
        pytest.param(State(listed="t1 t2", seen={"t2": "UNHEALTHY"}), (2, 1, 0), id="one of two is seen"),
        pytest.param(
            State(listed="t1 t2", service=BARE, seen={"t1": "UNKNOWN", "t2": None}),
            (2, 1, 0),
            id="no check: one of two is seen",
        ),
        pytest.param(State(listed="t1", foreign="theirs others"), (1, 1, 2), id="somebody else's"),
        pytest.param(
            State(service=None, tasks={"t1": {}}, stages={"t1": ("out", 9.0)}), (0, 0, 0), id="no service"
        ),
    ],
)
def test_what_is_counted(state: State, counts: tuple[int, int, int]) -> None:
    """Registered ones of ours, those of them that clients see as healthy, and others."""
    memory = planned(state, intent=INTENT if state.service else None).memory
    assert (memory.instances, memory.healthy, memory.foreign) == counts


@pytest.mark.parametrize(
    ("names", "told"),
    [
        pytest.param([], "", id="none"),
        pytest.param(["a", "b", "c"], "a, b, c", id="three"),
        pytest.param(["a", "b", "c", "d"], "a, b, c and 1 more", id="four"),
        pytest.param(["a", "b", "c", "d", "e"], "a, b, c and 2 more", id="five"),
    ],
)
def test_a_text_names_three(names: list[str], told: str) -> None:
    """The others are counted."""
    assert some(names) == told
