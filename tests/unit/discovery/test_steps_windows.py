"""How much is asked of Cloud Map at once, why, and what a plan that may ask for no more leaves for later."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.plan.discovery.steps import run
from unit.discovery.steps import NOW, WAIT, State, motion, outcome, step


def others(count: int) -> dict[str, tuple[Any, str, float]]:
    """Return operations that are under way on other instances."""
    return {f"o{number:03}": ("register", "op", 5.0) for number in range(count)}


def registers(count: int, **more: Any) -> bool:
    """Tell whether an entry is registered beside so many operations of others, which are listed."""
    state = State(listed=" ".join(others(count)), wants="t1", operations=others(count), **more)
    return "register: register t1" in step(state).get("does", ())


def removes(count: int, **more: Any) -> bool:
    """Tell whether an entry is removed beside so many operations of others."""
    state = State(
        listed=" ".join([*others(count), "t1", "t2"]),
        wants="t2",
        operations=others(count) | more.pop("operations", {}),
        stages={"t1": ("hidden", WAIT)},
        seen={"t1": "UNHEALTHY"},
        **more,
    )
    return "remove: deregister t1" in step(state).get("does", ())


@pytest.mark.parametrize(
    ("failing", "window"),
    [
        pytest.param(0, 50, id="nothing fails"),
        pytest.param(10, 40, id="ten fail"),
        pytest.param(45, 5, id="forty-five fail"),
        pytest.param(60, 5, id="many fail"),
    ],
)
def test_fifty_operations_are_under_way_at_most(failing: int, window: int) -> None:
    """Fewer while many fail (Cloud Map is busy), and five at least; what has to wait is looked at soon."""
    refused = {f"o{number:03}": 30.0 for number in range(failing)}
    for asks in (registers, removes):
        assert asks(window - 1, failing=refused)
        assert not asks(window, failing=refused)


def test_protections_that_fail_make_no_window_smaller() -> None:
    """They are ECS's; Cloud Map has no part in them."""
    refused = {f"protect:{number}": 30.0 for number in range(20)}
    assert registers(49, failing=refused)


def test_an_operation_without_an_answer_is_sent_again_whatever_is_under_way() -> None:
    """It may be under way itself: it counts already."""
    assert removes(60, operations={"t1": ("deregister", "", 5.0)})
    state = State(wants="t1", operations=others(60) | {"t1": ("register", "", 5.0)})
    assert step(state)["does"] == ["register: register t1"]


def test_what_finds_no_place_in_the_window_is_looked_at_again_soon() -> None:
    """Its time comes when another one ends."""
    state = State(listed=" ".join(others(50)), wants="t1", operations=others(50))
    found = step(state)
    assert found["wakes"] == [2.0]
    assert "t1" not in found["operations"]


def test_fifty_changes_of_health_are_asked_for_in_one_plan() -> None:
    """The others are meant all the same: the next plan asks for them."""
    names = [f"t{number:03}" for number in range(53)]
    found = step(State(listed=" ".join([*names, "here"]), wants="here"))
    assert found["does"] == [f"hide: UNHEALTHY {name}" for name in names[:50]]
    assert found["stages"] == dict.fromkeys(names, ("mark", 0.0))


def test_a_task_whose_protection_has_ended_is_not_given_back() -> None:
    """There is nothing to give: ECS would be asked for nothing."""
    ill = {"healthy": False, "protected_until": NOW}
    state = State(
        listed="t1", keeps="t1", tasks={"t1": ill}, seen={"t1": "UNHEALTHY"}, stages={"t1": ("hidden", WAIT)}
    )
    assert "does" not in step(state)


@pytest.mark.parametrize(
    ("state", "reasons"),
    [
        pytest.param(
            State(listed="t1 t2", wants="t2", departing="t1"), ["ECS is to end its task"], id="ECS ends it"
        ),
        pytest.param(
            State(listed="t1 t2", wants="t2"), ["the route no longer sends to it"], id="no weight any more"
        ),
        pytest.param(State(wants="lb-x"), ["the name points to this load balancer"], id="a load balancer"),
        pytest.param(
            State(wants="t1"), ["its task is healthy and the route sends to slot a"], id="a task with weight"
        ),
        pytest.param(
            State(listed="t1 t2", wants="t2", stages={"t1": ("hidden", WAIT)}, seen={"t1": "UNHEALTHY"}),
            ["hidden from clients for 40 s"],
            id="hidden",
        ),
    ],
)
def test_people_are_told_why(state: State, reasons: list[str]) -> None:
    """Each call has its reason: it is in the log and in the plan that a person reads."""
    taken = motion(state)
    run(taken)
    assert [action.reason for actions in taken.actions.values() for action in actions] == reasons


def test_one_comes_back_where_nobody_answers() -> None:
    """Of several that are on their way out one is enough, and the others go on being hidden."""
    taken = motion(
        State(
            listed="t1 t2 t3",
            stages=dict.fromkeys(("t1", "t2", "t3"), ("hidden", WAIT)),
            seen=dict.fromkeys(("t1", "t2", "t3"), "UNHEALTHY"),
        )
    )
    run(taken)
    assert outcome(taken)["does"] == ["rescue: HEALTHY t1"]
    assert taken.rescued == "sluice-t1"
