"""Which calls take tasks from a slot, and what status says of them until they are answered (decision 27)."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.actions import Action, Ref
from sluice.plan.deployment.planner import DeploymentPlan
from sluice.plan.deployment.state import Live, Slot, State
from sluice.plan.progressive import unanswered

A = Slot(name="a", cluster="c", service_name="web-a", desired=4)
B = Slot(name="b", cluster="c", service_name="web-b", desired=4)
STATE = State(live=Live(revision="r1", task_definition="td", since=1.0, slot="a"), slot=A, others=(B,))


def action(service: str = "web-b", operation: str = "UpdateService", **params: Any) -> Action:
    """Return a call about a service."""
    return Action(
        service="ecs",
        operation=operation,
        params={"cluster": "c", "service": service, **params},
        subject="s",
        reason="r",
    )


TAKES: dict[str, tuple[Action, dict[str, int]]] = {
    "fewer tasks": (action(desiredCount=1), {"b": 1}),
    "no task": (action(desiredCount=0), {"b": 0}),
    "as many tasks": (action(desiredCount=4), {}),
    "more tasks": (action(desiredCount=5), {}),
    "another revision": (action(taskDefinition="td:2", desiredCount=4), {"b": 0}),
    "another revision, not registered yet": (action(taskDefinition=Ref("definition:x")), {"b": 0}),
    "another revision in place, of the live slot": (action("web-a", taskDefinition="td:2"), {}),
    "fewer tasks in place, of the live slot": (
        action("web-a", taskDefinition="td:2", desiredCount=2),
        {"a": 2},
    ),
    "a setting": (action(enableExecuteCommand=True), {}),
    "somebody else's service": (action("other", desiredCount=0), {}),
    "the same name in another cluster": (
        dataclasses.replace(action(), params={"cluster": "d", "service": "web-b", "desiredCount": 0}),
        {},
    ),
    "no update": (action(operation="DeleteService", desiredCount=0), {}),
}


@pytest.mark.parametrize(("call", "left"), TAKES.values(), ids=TAKES)
def test_what_a_call_may_leave_is_in_status_before_it_is_sent(call: Action, left: dict[str, int]) -> None:
    """Each slot's own count, and nothing about the others."""
    intent = unanswered.sending(DeploymentPlan(state=STATE, status={"phase": "x"}, actions=(call,)))
    assert {s.name: s.may_shrink_to for s in intent.state.slots if s.may_shrink_to is not None} == left
    told = {s["name"]: s["mayShrinkTo"] for s in intent.status.get("slots", ()) if "mayShrinkTo" in s}
    assert told == left
    assert intent.status["phase"] == "x"
    assert unanswered.takes_tasks(call, STATE) is bool(left)
    assert unanswered.waits(intent.state) is bool(left)


def test_the_least_that_any_call_may_leave_counts() -> None:
    """An earlier call without an answer may still be the one that takes place last."""
    open_before = dataclasses.replace(STATE, others=(dataclasses.replace(B, may_shrink_to=1),))
    for count, least in ((2, 1), (0, 0)):
        plan = DeploymentPlan(state=open_before, status={}, actions=(action(desiredCount=count),))
        assert unanswered.sending(plan).state.others[0].may_shrink_to == least
    more = DeploymentPlan(state=open_before, status={}, actions=(action(desiredCount=9),))
    assert unanswered.sending(more) is more


def test_status_keeps_it_and_what_is_over_leaves_it() -> None:
    """A zero is a count, not an absence."""
    kept = dataclasses.replace(STATE, others=(dataclasses.replace(B, may_shrink_to=0),))
    assert State.read(kept.write()).others[0].may_shrink_to == 0
    assert unanswered.over(kept) == STATE
    assert not unanswered.waits(STATE)
    assert unanswered.over(State()) == State()


def test_of_a_lost_status_only_the_live_slot_is_trusted() -> None:
    """Nobody knows what was sent to the other one."""
    found = unanswered.doubted(STATE)
    assert [(slot.name, slot.may_shrink_to) for slot in found.slots] == [("a", None), ("b", 0)]
    nobody = unanswered.doubted(dataclasses.replace(STATE, live=None))
    assert [slot.may_shrink_to for slot in nobody.slots] == [0, 0]
