"""A Deployment's status survives the way through the API server: nothing is lost, absent is the default."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sluice.plan.deployment.state import Anchor, Live, Rejected, Rollout, Slot, State, TargetGroup

AT = "2027-01-15T08:00:00Z"
SECONDS = 1_800_000_000.0
SLOT: dict[str, Any] = {
    "name": "b",
    "ordinal": 3,
    "cluster": "main",
    "serviceName": "svc-b3",
    "serviceArn": "arn:service-b3",
    "revision": "web-2",
    "taskDefinition": "arn:definition-2",
    "desired": 2,
    "running": 1,
    "healthy": 0,
    "deploymentId": "ecs-svc/1",
    "launchType": "FARGATE",
    "mayShrinkTo": 0,
}
BARE_SLOT: dict[str, Any] = {"name": "a", "ordinal": 1, "desired": 0, "running": 0}
GROUP = {
    "slot": "b",
    "port": "http",
    "containerPort": 8080,
    "loadBalancerArn": "arn:balancer",
    "name": "group",
    "arn": "arn:group",
    "protocolVersion": "GRPC",
}
ANCHOR = {
    "listenerArn": "arn:listener",
    "loadBalancerArn": "arn:balancer",
    "containerPort": 8080,
    "priority": 44_000,
    "ruleArn": "arn:rule",
}
ROLLING = {
    "id": "r1",
    "source": "web-1",
    "candidate": "web-2",
    "startedAt": AT,
    "deadlineAt": AT,
    "paused": True,
    "recreate": "ScalingDown",
    "replicas": 0,
    "supersedes": "ecs-svc/0",
}
STATUS: dict[str, Any] = {
    "observedGeneration": 0,
    "live": {"slot": "b", "revision": "web-1", "taskDefinition": "arn:definition-1", "since": AT},
    "slots": [SLOT, BARE_SLOT],
    "retiring": [BARE_SLOT | {"ordinal": 5, "serviceArn": "arn:service-a5"}],
    "rollout": ROLLING,
    "registering": {"definitionHash": "d2", "family": "family", "since": AT},
    "taskDefinitions": [{"definitionHash": "d1", "arn": "arn:definition-1"}],
    "targetGroups": [GROUP],
    "anchors": [ANCHOR],
    "registries": ["arn:registry"],
    "routes": [{"name": "r", "uid": "u", "seq": 1, "verifiedAt": SECONDS}],
    "intents": {"pause": "r1"},
    "rejectedRevision": {
        "revision": "web-3",
        "reason": "RolledBack",
        "fallback": "web-1",
        "message": "m",
        "cause": "Alarm",
    },
    "history": [{"id": "r0", "outcome": "Succeeded"}],
    "conditions": [{"type": "Ready", "status": "True"}],
}
PROGRESSIVE = {"id": "r1", "stage": "Step"}
STANDBY = {"slot": "a", "revision": "web-0"}


@pytest.mark.parametrize(
    "status",
    [
        pytest.param({}, id="nothing"),
        pytest.param(STATUS, id="rolling"),
        pytest.param(STATUS | {"rollout": PROGRESSIVE, "standby": STANDBY}, id="progressive"),
        pytest.param(
            STATUS | {"rollout": {"id": "r1", "candidate": "web-2", "startedAt": AT}}, id="a bare rollout"
        ),
    ],
)
def test_a_status_is_written_as_it_was_read(status: dict[str, Any]) -> None:
    """Each member that a later pass decides by comes back; zeros stay, what is empty is absent."""
    assert State.read(status).write() == status


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        pytest.param(lambda: Slot.read({"name": "b"}), Slot(name="b", ordinal=1, desired=0), id="slot"),
        pytest.param(
            lambda: TargetGroup.read({"name": "g"}), TargetGroup(name="g", container_port=0), id="group"
        ),
        pytest.param(
            lambda: Anchor.read({"listenerArn": "l"}),
            Anchor(listener_arn="l", load_balancer_arn="", container_port=0, priority=0),
            id="anchor",
        ),
        pytest.param(
            lambda: Rollout.read({"id": "r", "candidate": "c", "startedAt": AT}),
            Rollout(id="r", candidate="c", started_at=SECONDS),
            id="rollout",
        ),
        pytest.param(
            lambda: State.read({"live": {"revision": "web-1", "since": AT}}).live,
            Live(revision="web-1", task_definition="", since=SECONDS),
            id="live",
        ),
        pytest.param(
            lambda: State.read({"rejectedRevision": {"revision": "web-1"}}).rejected,
            Rejected(revision="web-1", reason=""),
            id="rejected",
        ),
    ],
)
def test_what_is_absent_is_the_default(read: Callable[[], object], expected: object) -> None:
    """Kubernetes leaves out what is not set, and so may an older version of the operator."""
    assert read() == expected


@pytest.mark.parametrize(
    ("made", "written"),
    [
        pytest.param(Slot(), BARE_SLOT, id="slot"),
        pytest.param(TargetGroup(name="g"), {"slot": "a", "name": "g", "containerPort": 0}, id="group"),
    ],
)
def test_what_is_not_known_yet_is_not_written(made: Slot | TargetGroup, written: dict[str, Any]) -> None:
    """An entry without its ARN is an open intent; numbers are there from the first."""
    assert made.write() == written


@pytest.mark.parametrize(
    ("live", "slot", "others"),
    [
        pytest.param({"slot": "b", "revision": "r", "since": AT}, "b", ("a", "c"), id="the live slot's"),
        pytest.param({"slot": "z", "revision": "r", "since": AT}, "a", ("b", "c"), id="live names none"),
        pytest.param({"revision": "r", "since": AT}, "a", ("b", "c"), id="live without a slot"),
        pytest.param(None, "a", ("b", "c"), id="nothing live"),
    ],
)
def test_the_live_slot_is_the_one_that_rolls(
    live: dict[str, Any] | None, slot: str, others: tuple[str, ...]
) -> None:
    """Of two services of a Deployment that was progressive the live one goes on; status has it first."""
    status = {"live": live, "slots": [{"name": "a"}, {"name": "b"}, {"name": "c"}]}
    state = State.read(status)
    assert state.slot is not None
    assert (state.slot.name, tuple(other.name for other in state.others)) == (slot, others)
    assert [entry["name"] for entry in state.write()["slots"]] == [slot, *others]
    assert [entry.name for entry in state.slots] == ["a", "b", "c"]


def test_a_progressive_rollout_is_no_rolling_one() -> None:
    """Which of the two it is tells its stage; a standby stands by itself."""
    progressive = State.read({"rollout": PROGRESSIVE, "standby": STANDBY})
    assert (progressive.rollout, progressive.moving) == (None, PROGRESSIVE)
    assert progressive.progressive == {"rollout": PROGRESSIVE, "standby": STANDBY}
    rolling = State.read({"rollout": ROLLING})
    assert (rolling.rollout, rolling.moving) == (Rollout.read(ROLLING), {})
    assert State.read({"standby": STANDBY}).progressive == {"standby": STANDBY}


def test_what_a_deployment_has_in_aws() -> None:
    """ARNs of services (the replaced, too), target groups and task definitions; open intents have none."""
    assert State.read(STATUS).arns == ("arn:service-b3", "arn:service-a5", "arn:group", "arn:definition-1")
