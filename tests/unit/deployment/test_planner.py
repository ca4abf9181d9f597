"""What a pass does first, next and last: operations in order for each situation of a Deployment."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model import ownership
from sluice.model.actions import Ref
from sluice.model.binding import Priority
from sluice.model.desired import Hold, Strategy
from sluice.model.errors import Refused
from sluice.model.observed import Observed
from sluice.plan.deployment.planner import DeploymentPlan, plan
from sluice.plan.deployment.state import State
from unit.deployment.wishes import (
    BACKEND,
    KEY,
    LISTENER,
    NOW,
    OTHER,
    PLACE,
    carry_out,
    converge,
    desired,
    service,
    tagged,
)

EMPTY = Observed(rules={LISTENER: ()})


def operations(done: DeploymentPlan) -> list[str]:
    """Return the operations in order."""
    return [action.operation for action in done.actions]


def ready(done: DeploymentPlan) -> tuple[str, str]:
    """Return status and reason of Ready."""
    condition = next(entry for entry in done.status["conditions"] if entry["type"] == "Ready")
    return condition["status"], condition["reason"]


def message(done: DeploymentPlan) -> str:
    """Return the message of Ready."""
    return str(next(e["message"] for e in done.status["conditions"] if e["type"] == "Ready"))


def settled(**changes: Any) -> tuple[State, Observed]:
    """Return status and facts of a Deployment that is at rest."""
    done, seen = converge(desired(**changes))
    return State.read(done.status), seen


def test_create_goes_from_nothing_to_a_service_in_one_pass() -> None:
    """The service refers to the definition that the same pass registers."""
    done = plan(desired(), EMPTY, State(), now=NOW)
    assert operations(done) == ["RegisterTaskDefinition", "CreateService"]
    assert isinstance(done.actions[1].params["taskDefinition"], Ref)
    assert done.actions[1].params["desiredCount"] == 2
    assert ready(done) == ("False", "RollingOut")
    assert done.status["observedGeneration"] == 1


def test_create_with_a_route_makes_groups_and_anchor_first() -> None:
    """ECS refuses a target group that no load balancer uses, so the anchor stands before the service."""
    done = plan(desired(backends=(BACKEND,)), EMPTY, State(), now=NOW)
    assert operations(done) == [
        "RegisterTaskDefinition",
        "CreateTargetGroup",
        "ModifyTargetGroupAttributes",
        "CreateRule",
        "CreateService",
    ]
    (balancer,) = done.actions[-1].params["loadBalancers"]
    assert (balancer["containerName"], balancer["containerPort"]) == ("app", 8080)


def test_intents_are_in_status_before_the_calls() -> None:
    """Register intent, service name, group name and rule priority are written before AWS is called."""
    status = plan(desired(backends=(BACKEND,)), EMPTY, State(), now=NOW).status
    assert status["registering"]["definitionHash"] == desired().revision.definition_hash
    assert status["slots"][0]["serviceName"] == PLACE.name
    assert "arn" not in status["targetGroups"][0]
    assert 43_750 < status["anchors"][0]["priority"] <= 50_000
    assert "ruleArn" not in status["anchors"][0]


def test_client_token_fits_and_survives_a_crash() -> None:
    """CreateService's token has at most 36 characters and is the same when the pass is done again."""
    first = plan(desired(), EMPTY, State(), now=NOW)
    again = plan(
        desired(),
        dataclasses.replace(EMPTY, family_read=True),
        State.read(first.status),
        now=NOW + 100,
    )
    token = first.actions[-1].params["clientToken"]
    assert len(token) <= 36
    assert again.actions[-1].params["clientToken"] == token


def test_replicas_absent_starts_one_and_never_touches_the_count() -> None:
    """Without replicas the service starts with one task; afterwards somebody else owns the count."""
    wish = desired(replicas=None)
    done, seen = converge(wish)
    created = plan(wish, EMPTY, State(), now=NOW).actions[-1].params
    assert created["desiredCount"] == 1
    scaled = dataclasses.replace(
        seen, services={PLACE: {**seen.services[PLACE], "desiredCount": 7, "runningCount": 7}}
    )
    assert operations(plan(wish, scaled, State.read(done.status), now=NOW)) == []


@pytest.mark.parametrize(
    ("edit", "member"),
    [
        pytest.param({"desiredCount": 5, "runningCount": 5}, "desiredCount", id="count"),
        pytest.param({"enableExecuteCommand": True}, "enableExecuteCommand", id="exec"),
        pytest.param({"propagateTags": "NONE"}, "propagateTags", id="propagate"),
        pytest.param({"platformVersion": "1.3.0"}, "platformVersion", id="platform"),
        pytest.param(
            {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-9"]}}},
            "networkConfiguration",
            id="network",
        ),
        pytest.param(
            {"deploymentConfiguration": {"maximumPercent": 150, "minimumHealthyPercent": 50}},
            "deploymentConfiguration",
            id="percentages",
        ),
        pytest.param(
            {"taskDefinition": "arn:aws:ecs:x:1:task-definition/foreign:1"}, "taskDefinition", id="definition"
        ),
    ],
)
def test_a_hand_edit_is_repaired_field_by_field(edit: dict[str, Any], member: str) -> None:
    """Exactly the edited member is sent back, and the event names it."""
    state, seen = settled()
    edited = dataclasses.replace(seen, services={PLACE: {**seen.services[PLACE], **edit}})
    done = plan(desired(), edited, state, now=NOW)
    assert operations(done) == ["UpdateService"]
    assert set(done.actions[0].params) == {"cluster", "service", member}
    (note,) = done.notes
    assert note.reason == "DriftRepaired"
    assert member in note.message
    assert State.read(done.status).rollout is None


def test_an_order_of_aws_is_no_difference() -> None:
    """Subnets and tags in another order are the same service."""
    state, seen = settled()
    service_seen = seen.services[PLACE]
    assert service_seen is not None
    turned = {
        **service_seen,
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-2", "subnet-1"]}},
        "tags": list(reversed(service_seen["tags"])),
    }
    assert (
        operations(plan(desired(), dataclasses.replace(seen, services={PLACE: turned}), state, now=NOW)) == []
    )


def test_a_new_image_registers_and_updates() -> None:
    """A new revision: register, name it on the service, hand it over; the rollout has source and id."""
    state, seen = settled()
    done = plan(desired(image="web:2", generation=2), seen, state, now=NOW)
    assert operations(done) == ["RegisterTaskDefinition", "TagResource", "UpdateService"]
    rollout = State.read(done.status).rollout
    assert rollout is not None
    assert (rollout.source, rollout.candidate) == (
        desired().revision.name,
        desired(image="web:2").revision.name,
    )
    assert rollout.supersedes == ""


def test_going_back_never_registers_an_equal_body() -> None:
    """The first image again: its definition is known and used again."""
    state, seen = settled()
    second, seen = converge(desired(image="web:2", generation=2), state=state, seen=seen)
    done = plan(desired(generation=3), seen, State.read(second.status), now=NOW)
    assert operations(done) == ["TagResource", "UpdateService"]


def test_an_inactive_definition_is_registered_anew() -> None:
    """AWS cannot deploy a deregistered definition: an equal one is registered."""
    state, seen = settled()
    second, seen = converge(desired(image="web:2", generation=2), state=state, seen=seen)
    state = State.read(second.status)
    seen = dataclasses.replace(seen, inactive=frozenset({state.definitions[0][1]}), definitions={})
    done = plan(desired(generation=3), seen, state, now=NOW)
    assert operations(done)[0] == "RegisterTaskDefinition"


def test_a_restart_deploys_equal_settings_by_force_once() -> None:
    """restartedAt: no new definition, forceNewDeployment, and not again once its deployment is there."""
    state, seen = settled()
    wish = desired(restarted_at="2026-11-21", generation=2)
    done = plan(wish, seen, state, now=NOW)
    assert operations(done) == ["TagResource", "UpdateService"]
    assert done.actions[-1].params["forceNewDeployment"] is True
    final, seen = converge(wish, state=State.read(done.status), seen=carry_out(seen, done.actions))
    assert ready(final) == ("True", "Available")


def test_recreate_stops_everything_before_it_starts() -> None:
    """Recreate: count to 0, wait for the last task, then the new revision with the count of before."""
    recreate = Strategy(type="Recreate")
    state, seen = settled(strategy=recreate)
    wish = desired(image="web:2", strategy=recreate, generation=2)
    down = plan(wish, seen, state, now=NOW)
    assert operations(down) == ["RegisterTaskDefinition", "UpdateService"]
    assert down.actions[-1].params["desiredCount"] == 0
    old = seen.services[PLACE]
    assert old is not None
    draining = dataclasses.replace(
        carry_out(seen, down.actions), services={PLACE: {**old, "desiredCount": 0, "runningCount": 1}}
    )
    waiting = plan(wish, draining, State.read(down.status), now=NOW)
    assert operations(waiting) == []
    assert "1 tasks of the old revision stop" in message(waiting)
    empty = dataclasses.replace(draining, services={PLACE: {**old, "desiredCount": 0, "runningCount": 0}})
    up = plan(wish, empty, State.read(waiting.status), now=NOW)
    assert operations(up) == ["TagResource", "UpdateService"]
    assert up.actions[-1].params["desiredCount"] == 2
    assert up.status["rollout"]["recreate"] == "Starting"


def test_recreate_remembers_a_count_that_the_spec_does_not_own() -> None:
    """Without replicas the count of before the scale-down comes back."""
    recreate = Strategy(type="Recreate")
    first = desired(strategy=recreate, replicas=None)
    done, seen = converge(first)
    old = seen.services[PLACE]
    assert old is not None
    seen = dataclasses.replace(seen, services={PLACE: {**old, "desiredCount": 6, "runningCount": 6}})
    wish = desired(image="web:2", strategy=recreate, replicas=None, generation=2)
    _, seen = converge(wish, state=State.read(done.status), seen=seen)
    after = seen.services[PLACE]
    assert after is not None
    assert after["desiredCount"] == 6


def test_paused_creates_nothing() -> None:
    """A paused Deployment that never ran stays away from AWS."""
    done = plan(desired(paused=True), EMPTY, State(), now=NOW)
    assert operations(done) == []
    assert ready(done) == ("False", "Paused")


def test_suspended_reports_and_does_nothing() -> None:
    """Hands off: the condition tells what would be done, status holds no intent."""
    state, seen = settled()
    done = plan(desired(image="web:2", suspended=True, generation=2), seen, state, now=NOW)
    assert operations(done) == []
    assert ready(done) == ("False", "Paused")
    assert "RegisterTaskDefinition" in message(done)
    assert "registering" not in done.status
    assert "rollout" not in done.status


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        pytest.param({}, "OwnershipConflict", id="foreign"),
        pytest.param(tagged(OTHER), "OwnershipConflict", id="other-object"),
        pytest.param(tagged() | {ownership.INSTALLATION: "x"}, "OwnershipConflict", id="other-installation"),
    ],
)
def test_what_is_not_ours_is_never_written(tags: dict[str, str], reason: str) -> None:
    """A service of our name with somebody else's tags ends the pass before any action."""
    state, seen = settled()
    taken = {**seen.services[PLACE], "tags": ownership.to_ecs(tags)}
    with pytest.raises(Refused) as refused:
        plan(desired(), dataclasses.replace(seen, services={PLACE: taken}), state, now=NOW)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"deploymentController": {"type": "CODE_DEPLOY"}}, id="codedeploy"),
        pytest.param({"deploymentController": {"type": "EXTERNAL"}}, id="external"),
        pytest.param({"deploymentConfiguration": {"strategy": "BLUE_GREEN"}}, id="blue-green"),
    ],
)
def test_what_ecs_drives_is_left_to_ecs(change: dict[str, Any]) -> None:
    """CodeDeploy, external and native strategies are refused with the reason."""
    state, seen = settled()
    driven = {**seen.services[PLACE], **change}
    with pytest.raises(Refused) as refused:
        plan(desired(), dataclasses.replace(seen, services={PLACE: driven}), state, now=NOW)
    assert refused.value.reason == "ManagedByECS"


def test_a_draining_name_is_not_used_again() -> None:
    """A service that is being deleted keeps its name: the next ordinal is created."""
    state, seen = settled()
    draining = {**seen.services[PLACE], "status": "DRAINING"}
    done = plan(desired(), dataclasses.replace(seen, services={PLACE: draining}), state, now=NOW)
    assert operations(done) == ["CreateService"]
    assert done.actions[0].params["serviceName"].endswith("-a2")


@pytest.mark.parametrize(
    ("changes", "cluster"),
    [
        pytest.param({"cluster": "second"}, "second", id="cluster"),
        pytest.param({"service": {"launchType": "EC2"}}, "main", id="launch-type"),
    ],
)
def test_create_only_changes_replace_the_service(changes: dict[str, Any], cluster: str) -> None:
    """New ordinal first; the old one goes once the new one runs completely."""
    state, seen = settled()
    wish = desired(generation=2, **changes)
    done = plan(wish, seen, state, now=NOW)
    assert operations(done)[-1] == "CreateService"
    assert done.actions[-1].params["cluster"] == cluster
    assert done.actions[-1].params["serviceName"].endswith("-a2")
    assert "DeleteService" not in operations(done)
    state, seen = State.read(done.status), carry_out(seen, done.actions)
    ending = plan(wish, seen, state, now=NOW)
    assert operations(ending) == ["DeleteService"]
    assert ending.actions[0].params["service"] == PLACE.name
    seen = dataclasses.replace(seen, services={**seen.services, PLACE: None})
    final = plan(wish, seen, State.read(ending.status), now=NOW)
    assert ready(final) == ("True", "Available")
    assert "retiring" not in final.status


def test_the_old_service_stays_until_the_new_tasks_are_healthy_targets() -> None:
    """Replacement behind a load balancer: healthy by DescribeTargetHealth, not by ECS's word."""
    state, seen = settled(backends=(BACKEND,))
    wish = desired(cluster="second", backends=(BACKEND,), generation=2)
    done = plan(wish, seen, state, now=NOW)
    state, seen = State.read(done.status), carry_out(seen, done.actions)
    arn = state.target_groups[0].arn
    seen = dataclasses.replace(
        seen, addresses=frozenset({"10.0.0.1", "10.0.0.2"}), healthy={arn: frozenset({"10.0.0.1"})}
    )
    assert operations(plan(wish, seen, state, now=NOW)) == []
    seen = dataclasses.replace(seen, healthy={arn: frozenset({"10.0.0.1", "10.0.0.2", "10.0.0.9"})})
    assert operations(plan(wish, seen, state, now=NOW)) == ["DeleteService"]


def test_an_ecs_rollback_rejects_the_revision() -> None:
    """ECS's own service deployment of ours ended in a rollback: Stalled/RolledBack, source as fallback."""
    state, seen = settled()
    wish = desired(image="web:2", generation=2)
    done, after = converge(wish, state=state, seen=seen)
    given = dataclasses.replace(State.read(done.status), live=state.live, history=state.history)
    arn = dict(given.definitions)[wish.revision.definition_hash]
    back = dataclasses.replace(
        seen,
        deployments=(
            {
                "status": "ROLLBACK_SUCCESSFUL",
                "statusReason": "circuit breaker",
                "targetServiceRevision": {"taskDefinition": arn},
            },
        ),
        stopped=({"stoppedReason": "Essential container in task exited", "stoppedAt": NOW},),
    )
    told = plan(wish, back, given, now=NOW)
    assert operations(told) == []
    assert ready(told) == ("False", "RolledBack")
    assert "circuit breaker; Essential container in task exited" in message(told)
    assert told.status["rejectedRevision"]["fallback"] == desired().revision.name
    assert after is not seen


def test_a_hand_edit_is_not_taken_for_a_rollback() -> None:
    """Another task definition without a rolled-back service deployment of ours is repaired."""
    state, seen = settled()
    edited = dataclasses.replace(
        seen,
        services={PLACE: {**seen.services[PLACE], "taskDefinition": "arn:other:1"}},
        deployments=({"status": "SUCCESSFUL", "targetServiceRevision": {"taskDefinition": "arn:other:1"}},),
    )
    assert operations(plan(desired(), edited, state, now=NOW)) == ["UpdateService"]


def test_a_failed_first_rollout_has_nothing_to_go_back_to() -> None:
    """PRIMARY FAILED before anything was live: Stalled/FirstRolloutFailed, and no further call."""
    first = plan(desired(), EMPTY, State(), now=NOW)
    seen = carry_out(EMPTY, first.actions)
    broken = _with_deployment(seen, rolloutState="FAILED", rolloutStateReason="tasks failed", runningCount=0)
    done = plan(desired(), broken, State.read(first.status), now=NOW)
    assert operations(done) == []
    assert ready(done) == ("False", "FirstRolloutFailed")
    assert "tasks failed" in message(done)


def test_a_failed_rollout_without_rollback_is_told_and_left() -> None:
    """The breaker may not roll back: ProgressDeadlineExceeded with ECS's reason, nothing is redone."""
    strategy = Strategy(circuit_breaker={"enable": True, "rollback": False})
    state, seen = settled(strategy=strategy)
    wish = desired(image="web:2", strategy=strategy, generation=2)
    first = plan(wish, seen, state, now=NOW)
    broken = _with_deployment(carry_out(seen, first.actions), rolloutState="FAILED", runningCount=0)
    done = plan(wish, broken, State.read(first.status), now=NOW)
    assert operations(done) == []
    assert ready(done) == ("False", "ProgressDeadlineExceeded")


@pytest.mark.parametrize(
    ("deployment", "text"),
    [
        pytest.param({"rolloutState": "IN_PROGRESS", "runningCount": 1}, "1 of 2 tasks", id="starting"),
        pytest.param(
            {"rolloutState": "IN_PROGRESS", "runningCount": 0, "failedTasks": 3}, "3 failed", id="failing"
        ),
    ],
)
def test_progress_is_told_in_numbers(deployment: dict[str, Any], text: str) -> None:
    """RollingOut says how many tasks of which revision run, and how many failed."""
    first = plan(desired(), EMPTY, State(), now=NOW)
    seen = _with_deployment(carry_out(EMPTY, first.actions), **deployment)
    done = plan(desired(), seen, State.read(first.status), now=NOW)
    assert ready(done) == ("False", "RollingOut")
    assert text in message(done)
    assert done.wake_at is not None


def test_the_deadline_stalls_and_success_heals() -> None:
    """Past progressDeadlineSeconds: Stalled, still watched; complete later: Ready."""
    first = plan(desired(), EMPTY, State(), now=NOW)
    seen = carry_out(EMPTY, first.actions)
    slow = _with_deployment(seen, rolloutState="IN_PROGRESS", runningCount=1)
    late = plan(desired(), slow, State.read(first.status), now=NOW + 3601)
    assert ready(late) == ("False", "ProgressDeadlineExceeded")
    assert late.wake_at is not None
    assert ready(plan(desired(), seen, State.read(late.status), now=NOW + 3700)) == ("True", "Available")


def test_min_ready_seconds_delay_ready() -> None:
    """Complete, but not for long enough: not Ready before, Ready after, woken at the right second."""
    wish = desired(strategy=Strategy(min_ready_seconds=30))
    first = plan(wish, EMPTY, State(), now=NOW)
    seen = _with_deployment(carry_out(EMPTY, first.actions), updatedAt=NOW)
    soon = plan(wish, seen, State.read(first.status), now=NOW + 29)
    assert ready(soon) == ("False", "RollingOut")
    assert soon.wake_at == NOW + 30
    assert ready(plan(wish, seen, State.read(soon.status), now=NOW + 30)) == ("True", "Available")


def test_a_held_revision_is_never_ready() -> None:
    """What runs is fine but not what was asked for: the hold's reason, not Ready."""
    state, seen = settled()
    held = desired(hold=Hold(reason="RolledBack", message="web-2 was rolled back"), spec_revision="web-2")
    done = plan(held, seen, state, now=NOW)
    assert ready(done) == ("False", "RolledBack")


def test_a_rollback_takes_its_tokens_first() -> None:
    """On the way back every action has the rollback's priority."""
    state, seen = settled()
    second, seen = converge(desired(image="web:2", generation=2), state=state, seen=seen)
    back = desired(hold=Hold(reason="RolledBack", message="aborted"), spec_revision="web-2", generation=2)
    done = plan(back, seen, State.read(second.status), now=NOW)
    assert done.rollback
    assert {action.priority for action in done.actions} == {Priority.ROLLBACK}


def test_old_definitions_are_collected_one_a_pass_and_only_at_rest() -> None:
    """Beyond revisionHistoryLimit, oldest first, with the lowest priority; never what runs."""
    state, seen = settled(history_limit=1)
    done: DeploymentPlan | None = None
    for number in (2, 3):
        wish = desired(image=f"web:{number}", history_limit=1, generation=number)
        moving = plan(wish, seen, state, now=NOW)
        assert "DeregisterTaskDefinition" not in operations(moving)
        seen, state = carry_out(seen, moving.actions), State.read(moving.status)
        done = plan(wish, seen, state, now=NOW)
        state = State.read(done.status)
    assert done is not None
    (action,) = done.actions
    assert (action.operation, action.priority) == ("DeregisterTaskDefinition", Priority.GARBAGE)
    assert action.params["taskDefinition"].endswith(desired().revision.definition_hash)


def test_traffic_is_published_once_targets_are_healthy() -> None:
    """No healthy target, no traffic; then seq 1; a rolling deployment later does not change it."""
    wish = desired(backends=(BACKEND,))
    done, seen = converge(wish)
    state = State.read(done.status)
    assert state.traffic is None
    arn = state.target_groups[0].arn
    healthy = dataclasses.replace(seen, healthy={arn: frozenset({"10.0.0.1"})})
    told = plan(wish, healthy, state, now=NOW)
    traffic = State.read(told.status).traffic
    assert traffic is not None
    assert (traffic.seq, traffic.weights, traffic.uid) == (1, {"a": 100}, "uid-1")
    assert [target.target_group_arn for target in traffic.targets] == [arn]
    newer = desired(image="web:2", backends=(BACKEND,), generation=2)
    after, _ = converge(newer, state=State.read(told.status), seen=seen)
    assert State.read(after.status).traffic == traffic


def test_routes_are_listed_once_they_proved_the_traffic() -> None:
    """Only an acknowledgement that is equal and of the route's present generation counts."""
    wish = desired(backends=(BACKEND,))
    done, seen = converge(wish)
    arn = State.read(done.status).target_groups[0].arn
    seen = dataclasses.replace(seen, healthy={arn: frozenset({"10.0.0.1"})})
    told = plan(wish, seen, State.read(done.status), now=NOW)
    traffic = told.status["traffic"]
    proof = {
        "name": KEY.name,
        "uid": traffic["uid"],
        "rolloutId": traffic["rolloutId"],
        "seq": traffic["seq"],
        "hash": traffic["hash"],
        "routeGeneration": 3,
        "verifiedAt": NOW + 5,
    }
    route = {"metadata": {"name": "r", "uid": "u", "generation": 3}, "status": {"backends": [proof]}}
    stale = {"metadata": {"name": "s", "uid": "u", "generation": 4}, "status": {"backends": [proof]}}
    state = State.read(told.status)
    after = plan(wish, seen, state, now=NOW, routes=[route, stale])
    assert [entry["name"] for entry in after.status["routes"]] == ["r"]
    proof["verifiedAt"] = NOW + 50
    again = plan(wish, seen, State.read(after.status), now=NOW, routes=[route])
    assert again.status["routes"] == after.status["routes"]


def _with_deployment(seen: Observed, **changes: Any) -> Observed:
    """Return what is seen with the PRIMARY deployment changed, counts of the service alike."""
    found = seen.services[PLACE]
    assert found is not None
    deployment = {**found["deployments"][0], **changes}
    changed = {**found, "deployments": [deployment], "runningCount": deployment["runningCount"]}
    return dataclasses.replace(seen, services={PLACE: changed})


def test_the_fake_service_is_steady() -> None:
    """The tables' service is what ECS shows of a finished deployment."""
    made = service({"serviceName": "x", "taskDefinition": "arn:1", "desiredCount": 2})
    assert made["deployments"][0]["rolloutState"] == "COMPLETED"
