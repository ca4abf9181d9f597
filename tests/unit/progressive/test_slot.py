"""A slot's service follows its order; another revision is given only to an empty slot."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model import ownership
from sluice.model.rollout import SlotOrder
from sluice.plan.deployment import slots
from sluice.plan.deployment.service import service_tags
from sluice.plan.deployment.state import Slot
from sluice.plan.progressive import slot as slot_plan
from unit.deployment import wishes

OLD, NEW = wishes.desired(image="web:1"), wishes.desired(image="web:2")
OLD_ARN, NEW_ARN = f"{wishes.ARN}:task-definition/web:1", f"{wishes.ARN}:task-definition/web:2"
EMPTY = slots.numbered(OLD, "b", 1)


def service(wish: Any, arn: str, *, count: int, slot: Slot = EMPTY, **changes: Any) -> dict[str, Any]:
    """Return the slot's service as it runs `wish` with `count` tasks."""
    body = slot_plan.body_of(wish, arn, balancers=[], count=count)
    made = wishes.service(
        {**body, "cluster": "main", "serviceName": slot.service_name, "launchType": "FARGATE"}
    )
    return {**made, "tags": ownership.to_ecs(service_tags(wish, slot)), **changes}


def follow(wish: Any, slot: Slot, seen: dict[str, Any], count: int | None, arn: str) -> slot_plan.SlotPlan:
    """Plan an order for the slot's service."""
    order = SlotOrder(slot=slot.name, revision=wish.revision.name, count=count)
    return slot_plan.follow(wish, slot, seen, order, arn=arn, balancers=[])


def operations(done: slot_plan.SlotPlan) -> list[tuple[str, object]]:
    """Return the calls with the count that they set."""
    return [(action.operation, action.params.get("desiredCount")) for action in done.actions]


def given(wish: Any) -> Slot:
    """Return slot b after it got a revision completely."""
    return dataclasses.replace(EMPTY, revision=wish.revision.name, service_arn="arn", task_definition=OLD_ARN)


def test_a_slot_without_a_service_gets_one_with_the_ordered_count() -> None:
    """Candidate before weight: it begins with the size of its first step, not with all replicas."""
    order = SlotOrder(slot="b", revision=NEW.revision.name, count=1)
    done = slot_plan.create(NEW, EMPTY, order, NEW_ARN, [], "attempt")
    (action,) = done.actions
    assert (action.operation, action.params["desiredCount"]) == ("CreateService", 1)
    assert action.params["deploymentConfiguration"]["deploymentCircuitBreaker"] == {
        "enable": True,
        "rollback": False,
    }
    assert done.slot.revision == ""


TABLE = {
    # name: (given revision, service, wish and count, calls, revision afterwards)
    "the revision, the count: nothing": (OLD, service(OLD, OLD_ARN, count=2), OLD, 2, [], OLD),
    "the count follows": (OLD, service(OLD, OLD_ARN, count=2), OLD, 5, [("UpdateService", 5)], OLD),
    "somebody else's count stays": (OLD, service(OLD, OLD_ARN, count=7), OLD, None, [], OLD),
    "another revision, tasks run: empty it first": (
        OLD,
        service(OLD, OLD_ARN, count=2),
        NEW,
        1,
        [("UpdateService", 0)],
        OLD,
    ),
    "another revision, tasks still stop: wait": (
        OLD,
        service(OLD, OLD_ARN, count=0, runningCount=1),
        NEW,
        1,
        [],
        OLD,
    ),
    "another revision, empty: tag, then everything at once": (
        OLD,
        service(OLD, OLD_ARN, count=0),
        NEW,
        1,
        [("TagResource", None), ("UpdateService", 1)],
        OLD,
    ),
    "the update took place before a crash: it is recognised": (
        OLD,
        service(NEW, NEW_ARN, count=1),
        NEW,
        1,
        [],
        NEW,
    ),
}


@pytest.mark.parametrize(("before", "seen", "wish", "count", "calls", "after"), TABLE.values(), ids=TABLE)
def test_a_service_follows_its_order(
    before: Any, seen: dict[str, Any], wish: Any, count: int | None, calls: list[Any], after: Any
) -> None:
    """The table of the module."""
    done = follow(wish, given(before), seen, count, NEW_ARN if wish is NEW else OLD_ARN)
    assert operations(done) == calls
    assert done.slot.revision == after.revision.name


def test_a_restart_of_equal_settings_empties_the_slot_too() -> None:
    """Nothing differs but the restart's time; the tag tells the revisions apart, old tasks must go."""
    again = wishes.desired(image="web:1", restarted_at="now")
    running = service(OLD, OLD_ARN, count=2)
    assert operations(follow(again, given(OLD), running, 2, OLD_ARN)) == [("UpdateService", 0)]
    stopped = service(OLD, OLD_ARN, count=0)
    assert operations(follow(again, given(OLD), stopped, 2, OLD_ARN)) == [
        ("TagResource", None),
        ("UpdateService", 2),
    ]


def test_a_hand_edit_of_the_live_slot_is_repaired_in_place_and_told() -> None:
    """Drift of the revision that a slot runs is no new revision: no emptying."""
    edited = service(OLD, OLD_ARN, count=2, enableExecuteCommand=True)
    done = follow(OLD, given(OLD), edited, 2, OLD_ARN)
    assert operations(done) == [("UpdateService", None)]
    assert len(done.repaired) == 1
    assert "enableExecuteCommand" in done.repaired[0]


def test_only_the_count_is_followed_where_the_body_is_not_kept() -> None:
    """A revision that was deleted by hand can still be scaled."""
    seen = service(OLD, OLD_ARN, count=2)
    order = SlotOrder(slot="b", revision=None, count=3)
    assert operations(slot_plan.only_count(given(OLD), seen, order)) == [("UpdateService", 3)]
    same = dataclasses.replace(order, count=2)
    assert operations(slot_plan.only_count(given(OLD), seen, same)) == []


@pytest.mark.parametrize(("state", "forced"), [("FAILED", True), ("COMPLETED", None)])
def test_a_retry_of_what_ecs_gave_up_is_deployed_by_force(state: str, forced: object) -> None:
    """A deployment that the circuit breaker failed stays FAILED until another one takes its place."""
    seen = service(OLD, OLD_ARN, count=0)
    seen["deployments"] = [{**seen["deployments"][0], "rolloutState": state}]
    (action,) = follow(OLD, given(OLD), seen, 2, OLD_ARN).actions
    assert (action.params["desiredCount"], action.params.get("forceNewDeployment")) == (2, forced)


def test_the_live_slot_is_never_emptied() -> None:
    """A rolling deployment had begun when the strategy changed: what serves is replaced task by task."""
    running = service(OLD, OLD_ARN, count=2)
    order = SlotOrder(slot="b", revision=NEW.revision.name, count=2)
    done = slot_plan.follow(NEW, given(OLD), running, order, arn=NEW_ARN, balancers=[], live=True)
    assert [count for _, count in operations(done)] == [None, None]
    assert "UpdateService" in dict(operations(done))
