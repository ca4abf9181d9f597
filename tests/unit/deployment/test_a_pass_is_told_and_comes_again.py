"""When a pass is to come again, what is kept of it, and what a suspended Deployment tells instead."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.desired import Adoption, Desired
from sluice.model.observed import Observed, ServiceId
from sluice.plan.deployment.planner import DeploymentPlan, plan
from sluice.plan.deployment.state import Registering, Rejected, State
from unit.deployment.wishes import ARN, BACKEND, LISTENER, NOW, PLACE, carry_out, converge, desired

EMPTY = Observed(rules={LISTENER: ()})
WISH = desired()
NAME = WISH.revision.name


def ready(done: DeploymentPlan) -> tuple[str, str, str]:
    """Return status, reason and message of Ready."""
    (found,) = [entry for entry in done.status["conditions"] if entry["type"] == "Ready"]
    return found["status"], found["reason"], found["message"]


def operations(done: DeploymentPlan) -> list[str]:
    """Return the operations in order."""
    return [action.operation for action in done.actions]


def settled(**changes: Any) -> tuple[State, Observed]:
    """Return status and facts of a Deployment that is at rest."""
    done, seen = converge(desired(**changes))
    return State.read(done.status), seen


@pytest.mark.parametrize(
    ("changes", "wake"),
    [
        pytest.param({}, None, id="no route"),
        pytest.param({"backends": (BACKEND,)}, NOW + 2, id="its targets are not known to be healthy"),
        pytest.param({"backends": (BACKEND,), "replicas": 0}, None, id="no task that could be one"),
    ],
)
def test_what_is_at_rest_is_left_alone(changes: dict[str, Any], wake: float | None) -> None:
    """Only health is asked for again: AWS tells no one of it."""
    done, seen = converge(desired(**changes))
    assert (ready(done)[0], done.wake_at) == ("True", wake)
    again = plan(desired(**changes), seen, State.read(done.status), now=NOW)
    assert (again.actions, again.notes, again.keep, again.completed, again.rollback) == (
        (),
        (),
        None,
        False,
        False,
    )
    arns = [group["TargetGroupArn"] for group in seen.target_groups.values() if group]
    healthy = dataclasses.replace(seen, healthy=dict.fromkeys(arns, frozenset({"10.0.0.1"})))
    assert plan(desired(**changes), healthy, State.read(done.status), now=NOW).wake_at is None


def test_a_paused_deployment_waits_for_its_person() -> None:
    """And costs no call meanwhile."""
    done = plan(desired(paused=True), EMPTY, State(), now=NOW)
    assert ready(done) == ("False", "Paused", "nothing is created while paused")
    assert done.wake_at is None


def test_a_revision_is_kept_once_when_the_service_has_got_it() -> None:
    """Before the status says so: an undo needs nothing else. Then the rollout is over, once."""
    first = plan(WISH, EMPTY, State(), now=NOW)
    assert (first.keep, first.completed, first.wake_at) == (None, False, NOW + 2)
    seen = carry_out(EMPTY, first.actions)
    second = plan(WISH, seen, State.read(first.status), now=NOW)
    assert (second.keep, second.completed) == (WISH.revision, True)
    third = plan(WISH, seen, State.read(second.status), now=NOW)
    assert (third.keep, third.completed) == (None, False)
    other = desired(image="web:2", generation=2)
    fourth = plan(other, seen, State.read(third.status), now=NOW)
    assert (fourth.keep, fourth.completed) == (None, False)


def test_traffic_belongs_to_the_rollout_that_made_it() -> None:
    """A verb names a rollout by the same id; a service that was taken over has the revision's name."""
    wish = desired(backends=(BACKEND,))
    done, seen = converge(wish)
    (group,) = done.state.target_groups
    healthy = dataclasses.replace(seen, healthy={group.arn: frozenset({"10.0.0.1"})})
    told = plan(wish, healthy, done.state, now=NOW).state.traffic
    adopted = plan(wish, healthy, dataclasses.replace(done.state, history=()), now=NOW).state.traffic
    assert told is not None
    assert adopted is not None
    assert (told.rollout_id, adopted.rollout_id) == (done.state.history[0]["id"], wish.revision.name)


def test_a_rejected_revision_that_runs_is_still_looked_after() -> None:
    """Its count and target groups follow the spec; what would be another deployment does not."""
    state, seen = settled()
    state = dataclasses.replace(
        state, rejected=Rejected(revision=NAME, reason="FirstRolloutFailed"), live=None
    )
    found = seen.services[PLACE]
    assert found is not None
    edited = {**found, "desiredCount": 5, "runningCount": 5, "platformVersion": "1.3.0"}
    done = plan(WISH, dataclasses.replace(seen, services={PLACE: edited}), state, now=NOW)
    (update,) = done.actions
    assert update.params == {"cluster": "main", "service": PLACE.name, "desiredCount": 2}
    gone = plan(WISH, dataclasses.replace(seen, services={PLACE: None}), state, now=NOW)
    assert operations(gone) == []
    assert ready(gone)[:2] == ("False", "FirstRolloutFailed")


def test_an_unanswered_registration_is_waited_for() -> None:
    """Until AWS's list would show it; nothing that needs the definition is done meanwhile."""
    intent = Registering(definition_hash=WISH.revision.definition_hash, family=WISH.family, since=NOW - 29)
    done = plan(WISH, dataclasses.replace(EMPTY, family_read=True), State(registering=intent), now=NOW)
    assert operations(done) == []
    assert done.wake_at == NOW + 1
    assert ready(done) == (
        "False",
        "RollingOut",
        "waiting until AWS's list would show a task definition whose registration was not answered",
    )


# Adoption.

ADOPTING = desired(adopt=Adoption.of(f"{ARN}:service/main/legacy"), generation=3)
LEGACY = {
    "serviceName": "legacy",
    "serviceArn": f"{ARN}:service/main/legacy",
    "status": "ACTIVE",
    "desiredCount": 2,
    "runningCount": 2,
    **WISH.revision.service,
}
FOUND = Observed(services={ServiceId("main", "legacy"): LEGACY})


def test_a_claim_is_a_pass_of_its_own() -> None:
    """Nothing of the service is remembered before its tags are there; the next pass comes at once."""
    done = plan(ADOPTING, FOUND, State(), now=NOW)
    assert operations(done) == ["TagResource"]
    assert ready(done) == ("False", "RollingOut", "ECS service legacy is taken over")
    assert (done.wake_at, done.state) == (NOW + 1, State(observed_generation=3))
    assert [note.reason for note in done.notes] == ["ServiceAdopted"]
    assert (done.keep, done.completed, done.rollback) == (None, False, False)


def test_a_suspended_adoption_tells_of_the_claim() -> None:
    """Of a service that is not ours yet nothing is told as our own, and nothing is refused for it."""
    done = plan(dataclasses.replace(ADOPTING, suspended=True), FOUND, State(), now=NOW)
    assert ready(done) == ("False", "Paused", "suspended; not done: TagResource: spec.adopt takes it over")
    assert (done.status["replicas"], done.actions, done.wake_at) == (0, (), None)


# Suspended.


@pytest.mark.parametrize(
    ("wish", "shown", "more"),
    [
        pytest.param(desired(replicas=3), ["UpdateService"], "", id="one call"),
        pytest.param(
            desired(image="web:2"), ["RegisterTaskDefinition", "TagResource", "UpdateService"], "", id="three"
        ),
        pytest.param(
            desired(backends=(BACKEND,)),
            ["CreateTargetGroup", "ModifyTargetGroupAttributes", "CreateRule"],
            " and 1 more",
            id="four",
        ),
        pytest.param(
            desired(image="web:2", backends=(BACKEND,)),
            ["RegisterTaskDefinition", "CreateTargetGroup", "ModifyTargetGroupAttributes"],
            " and 3 more",
            id="six",
        ),
    ],
)
def test_a_suspended_deployment_tells_what_it_would_do(wish: Desired, shown: list[str], more: str) -> None:
    """Three calls with their reasons, and how many more; once as an Event; nothing is done or remembered."""
    state, seen = settled()
    would = plan(wish, seen, state, now=NOW)
    reasons = [action.reason for action in would.actions]
    wish = dataclasses.replace(wish, suspended=True, generation=2, warnings=("hostPort differs",))
    done = plan(wish, seen, state, now=NOW)
    calls = "; ".join(f"{operation}: {reason}" for operation, reason in zip(shown, reasons, strict=False))
    text = f"suspended; not done: {calls}{more}"
    assert ready(done) == ("False", "Paused", text)
    assert [(note.type, note.reason, note.message) for note in done.notes] == [
        ("Warning", "DriftFound", text)
    ]
    assert done.state == dataclasses.replace(state, observed_generation=2)
    assert (done.actions, done.wake_at, done.keep, done.completed, done.rollback) == (
        (),
        None,
        None,
        False,
        False,
    )
    assert (done.status["replicas"], done.status["readyReplicas"]) == (2, 2)
    assert plan(wish, seen, State.read(done.status), now=NOW + 60).notes == ()


def test_a_suspended_deployment_that_is_as_it_should_be_says_so() -> None:
    """Ready stays what it is, in its own words."""
    state, seen = settled()
    done = plan(desired(suspended=True), seen, state, now=NOW)
    assert ready(done) == (
        "True",
        "Available",
        f"suspended, nothing to do; 2 of 2 tasks of revision {NAME} run",
    )
    assert (done.notes, done.status["phase"], done.status["replicas"]) == ((), "Healthy", 2)


def test_a_suspended_rollout_that_ecs_goes_on_with_is_told() -> None:
    """ECS cannot be suspended: what it does is no drift."""
    first = plan(WISH, EMPTY, State(), now=NOW)
    seen = carry_out(EMPTY, first.actions)
    found = seen.services[PLACE]
    assert found is not None
    (deployment,) = found["deployments"]
    slow = {
        **found,
        "runningCount": 1,
        "deployments": [deployment | {"rolloutState": "IN_PROGRESS", "runningCount": 1}],
    }
    going = dataclasses.replace(seen, services={PLACE: slow})
    done = plan(desired(suspended=True), going, State.read(first.status), now=NOW)
    text = f"suspended, nothing to do; 1 of 2 tasks of revision {NAME} run"
    assert ready(done) == ("False", "RollingOut", text)
    assert done.notes == ()
