"""The calls for a slot's service, whole: their members, their words, and what is waited for."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.actions import Action
from sluice.model.rollout import SlotOrder
from sluice.plan.deployment.state import Slot
from sluice.plan.progressive import slot as slot_plan
from unit.progressive.test_slot import EMPTY, NEW, NEW_ARN, OLD, OLD_ARN, given, service

BALANCERS = [{"targetGroupArn": "group", "containerName": "app", "containerPort": 8080}]
SERVICE = EMPTY.service_name


def changes(before: dict[str, Any], **members: Any) -> dict[str, Any]:
    """Return a service with other members; None leaves one out, as ECS may."""
    found = before | members
    return {name: value for name, value in found.items() if value is not None}


def update(reason: str, **params: Any) -> Action:
    """Return UpdateService of slot b."""
    return Action(
        service="ecs",
        operation="UpdateService",
        params={"cluster": "main", "service": SERVICE, **params},
        subject=f"ECS service {SERVICE} in cluster main",
        reason=reason,
        outputs={f"service:main:{SERVICE}": "service"},
    )


def test_target_groups_are_compared_only_where_they_are_known() -> None:
    """None leaves them out, [] takes them off; the grace period needs a load balancer (ECS refuses it)."""
    unknown = slot_plan.body_of(NEW, NEW_ARN, balancers=None, count=None)
    none = slot_plan.body_of(NEW, NEW_ARN, balancers=[], count=None)
    some = slot_plan.body_of(NEW, NEW_ARN, balancers=BALANCERS, count=3)
    assert none == unknown | {"loadBalancers": []}
    assert some == none | {
        "loadBalancers": BALANCERS,
        "desiredCount": 3,
        "healthCheckGracePeriodSeconds": 0,
    }
    assert unknown["deploymentConfiguration"] == {
        "alarms": {"alarmNames": [], "enable": False, "rollback": False},
        "deploymentCircuitBreaker": {"enable": True, "rollback": False},
        "maximumPercent": 200,
        "minimumHealthyPercent": 100,
    }


@pytest.mark.parametrize(("count", "made"), [(None, 1), (1, 1), (4, 4)])
def test_a_service_is_made_with_its_groups_and_count(count: int | None, made: int) -> None:
    """One task where somebody else owns the count: he finds a service that serves."""
    order = SlotOrder(slot="b", revision=NEW.revision.name, count=count)
    done = slot_plan.create(NEW, given(OLD), order, NEW_ARN, BALANCERS, "attempt")
    (action,) = done.actions
    assert action.params["loadBalancers"] == BALANCERS
    assert action.params["desiredCount"] == made
    assert done.slot == dataclasses.replace(given(OLD), revision="")
    assert done.message == f"ECS service {SERVICE} is created for revision {NEW.revision.name}"


FILLED = "slot b is emptied before it gets revision"
GETS = f"slot b gets revision {NEW.revision.name}"
STOPS = f"tasks of slot b stop before it gets revision {NEW.revision.name}"
OTHER: dict[str, tuple[dict[str, Any], str, list[str]]] = {
    # what ECS tells of the service that runs another revision → what is waited for, calls
    "it serves": ({}, f"2 {STOPS}", ["UpdateService"]),
    "tasks stop and start": (
        {"desiredCount": 0, "runningCount": 1, "pendingCount": 1},
        f"2 {STOPS}",
        [],
    ),
    "a task is pending": ({"desiredCount": 0, "runningCount": 0, "pendingCount": 1}, f"1 {STOPS}", []),
    "no task yet, and some are wanted": (
        {"desiredCount": 1, "runningCount": 0},
        f"0 {STOPS}",
        ["UpdateService"],
    ),
    "empty": ({"desiredCount": 0, "runningCount": 0}, GETS, ["TagResource", "UpdateService"]),
    "empty, counts are left out": (
        {"desiredCount": None, "runningCount": None, "pendingCount": None},
        GETS,
        ["TagResource", "UpdateService"],
    ),
}


@pytest.mark.parametrize(("seen", "message", "calls"), OTHER.values(), ids=OTHER)
def test_a_revision_is_given_to_an_empty_slot(seen: dict[str, Any], message: str, calls: list[str]) -> None:
    """No task of another revision may be left, not even one that has yet to start."""
    before = changes(service(OLD, OLD_ARN, count=2), **seen)
    order = SlotOrder(slot="b", revision=NEW.revision.name, count=2)
    done = slot_plan.follow(NEW, given(OLD), before, order, arn=NEW_ARN, balancers=[])
    assert (done.message, [action.operation for action in done.actions]) == (message, calls)
    assert done.slot.revision == OLD.revision.name
    assert done.repaired == ()
    if calls == ["UpdateService"]:
        assert done.actions == (update(f"{FILLED} {NEW.revision.name}", desiredCount=0),)
    elif calls:
        params = dict(done.actions[1].params)
        assert params["taskDefinition"] == NEW_ARN
        assert params["desiredCount"] == 2
        assert "forceNewDeployment" not in params
        assert done.actions[1].reason == f"revision {NEW.revision.name}"


def test_a_slot_that_has_everything_but_the_tag_is_only_tagged() -> None:
    """The call that gave it the revision was the last one before a crash; nothing differs any more."""
    ready = changes(service(NEW, NEW_ARN, count=0), tags=service(OLD, OLD_ARN, count=0)["tags"])
    order = SlotOrder(slot="b", revision=NEW.revision.name, count=0)
    done = slot_plan.follow(NEW, given(OLD), ready, order, arn=NEW_ARN, balancers=[])
    assert [action.operation for action in done.actions] == ["TagResource"]
    assert done.slot.revision == OLD.revision.name


GAVE_UP = {"deployments": [{"status": "PRIMARY", "rolloutState": "FAILED"}]}
RETRIES: dict[str, tuple[dict[str, Any], int, bool]] = {
    # what ECS tells, how many tasks are ordered → whether it is deployed by force
    "empty": ({"desiredCount": 0, "runningCount": 0}, 2, True),
    "empty, counts are left out": (
        {"desiredCount": None, "runningCount": None, "pendingCount": None},
        2,
        True,
    ),
    "empty, and stays so": ({"desiredCount": 1, "runningCount": 0}, 0, False),
    "tasks are wanted": ({"desiredCount": 1, "runningCount": 0}, 2, False),
    "a task runs": ({"desiredCount": 0, "runningCount": 1}, 2, False),
    "a task is pending": ({"desiredCount": 0, "runningCount": 0, "pendingCount": 1}, 2, False),
    "a task stops while one starts": (
        {"desiredCount": 0, "runningCount": 1, "pendingCount": 1},
        2,
        False,
    ),
}


@pytest.mark.parametrize(("seen", "count", "forced"), RETRIES.values(), ids=RETRIES)
def test_what_ecs_gave_up_is_tried_again_only_from_nothing(
    seen: dict[str, Any], count: int, *, forced: bool
) -> None:
    """While tasks of the failed deployment are there, or wanted, more of them are no new attempt."""
    before = changes(service(OLD, OLD_ARN, count=2), **seen, **GAVE_UP)
    order = SlotOrder(slot="b", revision=OLD.revision.name, count=count)
    (action,) = slot_plan.follow(OLD, given(OLD), before, order, arn=OLD_ARN, balancers=[]).actions
    assert action.params.get("forceNewDeployment", False) is forced


COUNTS: dict[str, tuple[object, int | None, str, tuple[Action, ...]]] = {
    # desiredCount, order, its reason → calls
    "somebody else's": (2, None, "", ()),
    "as ordered": (2, 2, "", ()),
    "none, as ordered": (None, 0, "", ()),
    "another": (2, 3, "", (update("desiredCount 2 → 3", desiredCount=3),)),
    "another, and why": (
        2,
        0,
        "the standby ends",
        (update("desiredCount 2 → 0: the standby ends", desiredCount=0),),
    ),
}


@pytest.mark.parametrize(("seen", "count", "reason", "calls"), COUNTS.values(), ids=COUNTS)
def test_a_count_alone_is_followed(
    seen: object, count: int | None, reason: str, calls: tuple[Action, ...]
) -> None:
    """Nothing of the service but its count is touched, where the revision's body is not known."""
    own: Slot = given(OLD)
    order = SlotOrder(slot="b", revision=None, count=count, reason=reason)
    before = changes(service(OLD, OLD_ARN, count=2), desiredCount=seen)
    assert slot_plan.only_count(own, before, order) == slot_plan.SlotPlan(slot=own, actions=calls)
