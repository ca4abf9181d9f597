"""How a rolling rollout ends: complete, rolled back by ECS, failed, held back; how its time is counted."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest

from sluice.model.desired import Desired, Hold, Registry, Strategy
from sluice.plan.deployment.planner import plan
from sluice.plan.deployment.state import Live, State
from unit.deployment.rolling import EMPTY, NEW, NEXT, OLD, begun, edited, primary, ready, sent, settled
from unit.deployment.test_discovery import DENIED, known, route
from unit.deployment.wishes import BACKEND, NOW, PLACE, carry_out, converge, desired

ARN = "arn:aws:servicediscovery:eu-west-1:111122223333:service/srv-1"
REGISTRY = Registry(arn=ARN)


def back(state: State, wish: Desired, **members: Any) -> dict[str, Any]:
    """Return ECS's service deployment of a revision that ended in a rollback."""
    target = {"taskDefinition": dict(state.definitions)[wish.revision.definition_hash]}
    return {"status": "ROLLBACK_SUCCESSFUL", "targetServiceRevision": target, **members}


# Complete.


def test_the_end_of_a_rollout_is_told_once() -> None:
    """Old ControllerRevisions may go when a rollout ended well, not before it and not at rest."""
    state, _, after = begun(NEXT)
    assert plan(NEXT, after, state, now=NOW + 5).completed is False
    done = plan(NEXT, primary(after, running=2, rolloutState="COMPLETED"), state, now=NOW + 9)
    assert (done.completed, ready(done)[:2]) == (True, ("True", "Available"))
    assert [note.reason for note in done.notes] == ["RolloutCompleted"]
    rest = plan(NEXT, after := primary(after, running=2, rolloutState="COMPLETED"), done.state, now=NOW + 99)
    assert (rest.completed, rest.notes, rest.actions) == (False, (), ())
    assert after.services[PLACE] is not None


def test_a_replaced_service_keeps_a_deployment_from_ready() -> None:
    """Draining: told with its name until it is gone."""
    state, seen = settled()
    wish = desired(cluster="second", generation=2)
    done = plan(wish, seen, state, now=NOW)
    after = plan(wish, carry_out(seen, done.actions), State.read(done.status), now=NOW)
    status, reason, text = ready(after)
    assert (status, reason) == ("False", "Draining")
    assert text.endswith(f"; replaced ECS service {PLACE.name} stops")


# ECS rolled it back.


def test_a_rollback_before_the_service_was_seen_complete() -> None:
    """The revision was never seen on the service; ECS's service deployment is younger than the rollout."""
    state, before, _ = begun(NEXT)
    ended = back(state, NEXT, createdAt=NOW + 3, rollback={"reason": "tasks failed to start"})
    done = plan(NEXT, dataclasses.replace(before, deployments=(ended,)), state, now=NOW + 60)
    assert done.actions == ()
    assert done.state.rejected is not None
    assert (done.state.rejected.revision, done.state.rejected.fallback) == (NEW, OLD)
    assert ready(done)[:2] == ("False", "RolledBack")
    assert f"ECS rolled revision {NEW} back to {OLD}: tasks failed to start; fix the spec" in ready(done)[2]
    assert done.wake_at == NOW + 60


@pytest.mark.parametrize(
    "drift", [{}, {"desiredCount": 5}, {"propagateTags": "NONE"}], ids=["alone", "count", "setting"]
)
def test_a_rollback_beside_drift_is_a_rollback(drift: dict[str, Any]) -> None:
    """What somebody changed meanwhile is no reason to try the revision again."""
    state, before, _ = begun(NEXT)
    ended = back(state, NEXT, createdAt=NOW + 3)
    seen = dataclasses.replace(edited(before, **drift), deployments=(ended,))
    assert plan(NEXT, seen, state, now=NOW + 60).state.rejected is not None


def test_a_restart_that_ecs_rolled_back() -> None:
    """Equal settings on both sides: only the service deployment tells."""
    wish = desired(restarted_at="2026-11-21", generation=2)
    state, before, _ = begun(wish)
    assert state.rollout is not None
    assert state.rollout.supersedes
    ended = back(state, wish, createdAt=NOW + 3)
    done = plan(wish, dataclasses.replace(before, deployments=(ended,)), state, now=NOW + 60)
    assert done.state.rejected is not None
    assert done.state.rejected.revision == wish.revision.name


@pytest.mark.parametrize(
    ("wish", "rest"),
    [
        pytest.param(NEXT, {}, id="another"),
        pytest.param(desired(restarted_at="x", generation=2), {}, id="restart"),
    ],
)
def test_an_older_attempt_is_tried_again(wish: Desired, rest: Mapping[str, Any]) -> None:
    """A rollback from before the rollout tells of an earlier attempt; this one is sent."""
    state, before, _ = begun(wish, **rest)
    ended = back(state, wish, createdAt=NOW - 600)
    done = plan(wish, dataclasses.replace(before, deployments=(ended,)), state, now=NOW + 60)
    assert done.state.rejected is None
    assert sent(done) is not None


def test_a_forced_retry_is_not_ended_by_the_attempt_before() -> None:
    """After `retry` of a failed first rollout the service has the revision already."""
    state, seen = settled()
    assert state.slot is not None
    rollout = begun(NEXT)[0].rollout
    assert rollout is not None
    forced = dataclasses.replace(rollout, candidate=OLD, source="", supersedes=state.slot.deployment_id)
    again = dataclasses.replace(state, live=None, rollout=forced)
    ended = back(state, desired(), createdAt=NOW - 600)
    done = plan(desired(), dataclasses.replace(seen, deployments=(ended,)), again, now=NOW + 5)
    assert done.state.rejected is None
    assert (sent(done) or {}).get("forceNewDeployment") is True


def test_what_was_tried_during_another_rollout_is_no_verdict() -> None:
    """Web:3 was deployed by hand while web:2 rolled out, and ECS took it back: the spec's own try comes."""
    third = desired(image="web:3", generation=3)
    done, _ = converge(third, seen=EMPTY)
    state, _, after = begun(NEXT)
    state = dataclasses.replace(state, definitions=(*state.definitions, *State.read(done.status).definitions))
    ended = back(state, third, createdAt=NOW + 3)
    told = plan(third, dataclasses.replace(after, deployments=(ended,)), state, now=NOW + 60)
    assert told.state.rejected is None
    assert "taskDefinition" in (sent(told) or {})


def test_a_way_back_that_ecs_rolls_back_too() -> None:
    """The fallback is rejected, which is not what the spec asks for: another revision follows."""
    state, before, _ = begun(NEXT)
    assert state.rollout is not None
    assert state.slot is not None
    wish = desired(hold=Hold(reason="RolledBack", message="x"), spec_revision="web-9", generation=2)
    rollout = dataclasses.replace(state.rollout, candidate=OLD, source=NEW)
    moved = edited(before, taskDefinition=dict(state.definitions)[NEXT.revision.definition_hash])
    ended = back(state, wish, createdAt=NOW + 3)
    away = dataclasses.replace(state, rollout=rollout, slot=dataclasses.replace(state.slot, revision=NEW))
    done = plan(wish, dataclasses.replace(moved, deployments=(ended,)), away, now=NOW + 60)
    assert ready(done) == ("False", "RollingOut", "another revision follows")


# What routes attach.

DETACHED = {
    "status": "ROLLBACK_SUCCESSFUL",
    "statusReason": "tasks failed",
    "targetServiceRevision": {"serviceRegistries": [{"registryArn": ARN}]},
}
TOLD = (
    "ECS detached the Cloud Map service of the ServiceRoutes again: tasks failed; "
    "fix the health check or the image (a new revision is tried at once)"
)


@pytest.mark.parametrize(
    ("members", "update", "status"),
    [
        pytest.param({}, None, ("False", "RolledBack", TOLD), id="alone"),
        pytest.param(
            {"desiredCount": 5, "runningCount": 5},
            {"desiredCount": 2},
            None,
            id="beside drift that is repaired",
        ),
    ],
)
def test_what_ecs_detached_is_not_attached_for_ever(
    members: dict[str, Any], update: dict[str, Any] | None, status: tuple[str, str, str] | None
) -> None:
    """Not Ready, not tried again, no revision rejected; everything else goes on."""
    state, seen = settled()
    ended = {**DETACHED, "targetServiceRevision": {**back(state, desired())["targetServiceRevision"]}}
    ended["targetServiceRevision"]["serviceRegistries"] = [{"registryArn": ARN}]
    seen = dataclasses.replace(edited(seen, **members), deployments=(ended,))
    done = plan(desired(registry=REGISTRY), seen, state, now=NOW)
    assert (sent(done), done.state.rejected) == (update, None)
    if status:
        assert ready(done) == status


def test_both_that_ecs_detached() -> None:
    """The first is told; neither is sent."""
    wish = desired(registry=REGISTRY, backends=(BACKEND,))
    done, seen = converge(wish, seen=EMPTY)
    (group,) = done.state.target_groups
    tried = {**DETACHED["targetServiceRevision"], "loadBalancers": [{"targetGroupArn": group.arn}]}
    bare = dataclasses.replace(
        edited(seen, loadBalancers=[], serviceRegistries=[]),
        deployments=({**DETACHED, "targetServiceRevision": tried},),
    )
    told = plan(wish, bare, done.state, now=NOW)
    assert sent(told) is None
    assert ready(told)[2].startswith(
        "ECS detached the target groups of the ServiceRoutes again: tasks failed;"
    )


def test_what_is_attached_all_the_same_is_fine() -> None:
    """Somebody mended it and attached it by hand: an older rollback is no news."""
    done, seen = converge(desired(registry=REGISTRY), seen=EMPTY)
    told = plan(
        desired(registry=REGISTRY), dataclasses.replace(seen, deployments=(DETACHED,)), done.state, now=NOW
    )
    assert (told.actions, ready(told)[:2]) == ((), ("True", "Available"))


def test_a_rollout_that_goes_on_attaches() -> None:
    """A new revision is tried at once with what ECS detached from the one before."""
    state, _, after = begun(NEXT)
    given = plan(NEXT, after, state, now=NOW + 5)
    assert given.state.rollout is not None
    wish = dataclasses.replace(NEXT, registry=REGISTRY)
    done = plan(wish, dataclasses.replace(after, deployments=(DETACHED,)), given.state, now=NOW + 6)
    assert sent(done) == {"serviceRegistries": [{"registryArn": ARN}]}


# Failed.

FAILED = {"rolloutState": "FAILED", "rolloutStateReason": "tasks failed"}
LIVE = Live(revision=OLD, task_definition="arn:0", since=NOW)


@pytest.mark.parametrize(
    ("breaker", "live", "reason"),
    [
        pytest.param({"enable": True}, LIVE, "RollingOut", id="ECS rolls back by default"),
        pytest.param({"rollback": True}, LIVE, "RollingOut", id="ECS rolls back"),
        pytest.param({"rollback": False}, LIVE, "ProgressDeadlineExceeded", id="no rollback asked for"),
        pytest.param({"rollback": True}, None, "FirstRolloutFailed", id="nothing to roll back to"),
    ],
)
def test_a_failed_deployment(breaker: dict[str, Any], live: Live | None, reason: str) -> None:
    """Final where ECS leaves it so; else its rollback is waited for."""
    strategy = Strategy(circuit_breaker=breaker)
    wish = desired(image="web:2", strategy=strategy, generation=2)
    state, _, after = begun(wish, strategy=strategy)
    done = plan(wish, primary(after, **FAILED), dataclasses.replace(state, live=live), now=NOW + 9)
    assert ready(done)[:2] == ("False", reason)
    assert "tasks failed" in ready(done)[2]


# Moving.


@pytest.mark.parametrize(
    ("hold", "told"),
    [
        pytest.param(
            Hold(reason="RolledBack", message="it was aborted"), ("RolledBack", "it was aborted"), id="back"
        ),
        pytest.param(
            Hold(reason="Paused", message="it waits"),
            ("RollingOut", f"1 of 2 tasks of revision {NEW} run"),
            id="a pause of the next one",
        ),
        pytest.param(None, ("RollingOut", f"1 of 2 tasks of revision {NEW} run"), id="no hold"),
    ],
)
def test_what_is_told_while_tasks_start(hold: Hold | None, told: tuple[str, str]) -> None:
    """Why it is not the spec's revision matters more than how far it is."""
    state, _, after = begun(NEXT)
    wish = dataclasses.replace(NEXT, hold=hold, spec_revision="web-9" if hold else NEW)
    assert ready(plan(wish, after, state, now=NOW + 5)) == ("False", *told)


@pytest.mark.parametrize(
    ("after_deadline", "reason", "wake"),
    [
        pytest.param(-1, "RollingOut", 2, id="a second before"),
        pytest.param(0, "RollingOut", 1, id="at its end"),
        pytest.param(1, "ProgressDeadlineExceeded", 15, id="a second later"),
    ],
)
def test_the_deadline(after_deadline: float, reason: str, wake: float) -> None:
    """The whole of progressDeadlineSeconds may pass completely; the pass after it is not left to chance."""
    state, _, after = begun(NEXT)
    assert state.rollout is not None
    assert state.rollout.deadline_at is not None
    now = state.rollout.deadline_at + after_deadline
    done = plan(NEXT, after, state, now=now)
    assert (ready(done)[:2], done.wake_at) == (("False", reason), now + wake)


def named(name: str, **members: Any) -> dict[str, Any]:
    """Return a route of this name."""
    found = route(**members)
    return {**found, "metadata": {**found["metadata"], "name": name}}


HOLDS = named("corp", discovery=known())
LEAVES = known(leaving=[{"stage": "hidden", "instances": ["x"]}])


@pytest.mark.parametrize(
    ("routes", "reason"),
    [
        pytest.param((named("corp", discovery=LEAVES),), "RollingOut", id="entries leave"),
        pytest.param((HOLDS,), "ProgressDeadlineExceeded", id="none leaves"),
        pytest.param(
            (named("corp", discovery=LEAVES, names=None),),
            "ProgressDeadlineExceeded",
            id="of a route that left",
        ),
        pytest.param(
            (named("a", discovery=known()), named("b", discovery=LEAVES)),
            "RollingOut",
            id="of one of two routes",
        ),
        pytest.param((), "ProgressDeadlineExceeded", id="no route"),
    ],
)
def test_time_in_which_entries_leave_is_no_stall(routes: tuple[dict[str, Any], ...], reason: str) -> None:
    """Tasks of the next wave have room only when entries of the last one left."""
    wish = dataclasses.replace(NEXT, listed=True)
    state, _, after = begun(wish, listed=True)
    done = plan(wish, after, state, now=NOW + 4000, routes=routes)
    assert ready(done)[:2] == ("False", reason)


@pytest.mark.parametrize(
    ("routes", "reason", "why"),
    [
        pytest.param((HOLDS,), "RollingOut", "", id="no trouble"),
        pytest.param(
            (HOLDS, named("web", discovery=known(), conditions=(DENIED,))),
            "AccessDenied",
            "; ServiceRoute web: no DeregisterInstance",
            id="the route that is in trouble",
        ),
        pytest.param(
            (HOLDS, named("web", discovery=known(instances=0), conditions=(DENIED,))),
            "RollingOut",
            "",
            id="trouble of a route without entries",
        ),
        pytest.param(
            (named("web", discovery=known(), conditions=(DENIED | {"reason": "Other"},)),),
            "RollingOut",
            "; ServiceRoute web: no DeregisterInstance",
            id="a reason that is not in the list",
        ),
    ],
)
def test_who_keeps_old_tasks_is_told(routes: tuple[dict[str, Any], ...], reason: str, why: str) -> None:
    """Only tasks are left that wait for their entries to leave Cloud Map."""
    wish = dataclasses.replace(NEXT, listed=True)
    state, _, after = begun(wish, listed=True)
    service = after.services[PLACE]
    assert service is not None
    whole = {**service["deployments"][0], "runningCount": 2}
    former = {"status": "ACTIVE", "id": "old", "runningCount": 2}
    seen = edited(after, deployments=[whole, former], runningCount=4)
    done = plan(wish, seen, state, now=NOW + 4000, routes=routes)
    text = f"2 of 2 tasks of revision {NEW} run; tasks of the old revision stop once their entries left"
    assert ready(done) == ("False", reason, f"{text} Cloud Map{why}")
