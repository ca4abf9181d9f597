"""What people and tools read in a Deployment's status: phase, counts, images; and when it is seen again."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.conditions import timestamp
from sluice.plan.deployment import summary
from sluice.plan.deployment.state import Rollout, Slot, State
from sluice.plan.deployment.summary import Verdict, phase, poll_after, ready_now
from unit.deployment.wishes import NOW, desired


@pytest.mark.parametrize(
    ("ready", "reason", "exists", "word"),
    [
        pytest.param(True, "Available", True, "Healthy", id="ready"),
        pytest.param(True, "Paused", True, "Healthy", id="ready and paused"),
        pytest.param(False, "RollingOut", False, "Pending", id="no service yet"),
        pytest.param(False, "RollingOut", True, "Progressing", id="moving"),
        pytest.param(False, "Draining", True, "Progressing", id="draining"),
        pytest.param(False, "Paused", False, "Paused", id="paused before anything runs"),
        pytest.param(False, "RolledBack", True, "Degraded", id="rolled back"),
        pytest.param(False, "OwnershipConflict", False, "Degraded", id="any other reason"),
    ],
)
def test_the_phase_is_one_word(ready: bool, reason: str, exists: bool, word: str) -> None:  # noqa: FBT001 - a table's columns
    """api.md's words, from the verdict and whether there is a service."""
    assert phase(Verdict(ready=ready, reason=reason, message=""), {} if exists else None) == word


MOVES = State(rollout=Rollout(id="r", candidate="c", started_at=NOW))
RESTS = State()


def unready(**changes: Any) -> State:
    """Return a state that is not Ready since NOW, beside conditions that say nothing of it."""
    since = {"lastTransitionTime": timestamp(NOW)}
    warned = {"type": "Warnings", "status": "False", "lastTransitionTime": timestamp(NOW - 9000)}
    return State(conditions=(warned, {"type": "Ready", "status": "False"} | since), **changes)


READY = State(conditions=({"type": "Ready", "status": "True", "lastTransitionTime": timestamp(NOW - 9000)},))


@pytest.mark.parametrize(
    ("state", "age", "wait"),
    [
        pytest.param(MOVES, 0, 2, id="a rollout begins"),
        pytest.param(MOVES, 29, 2, id="a rollout, just short of half a minute"),
        pytest.param(MOVES, 30, 5, id="a rollout, half a minute old"),
        pytest.param(MOVES, 179, 5, id="a rollout, just short of three minutes"),
        pytest.param(MOVES, 180, 15, id="a rollout, three minutes old"),
        pytest.param(MOVES, 600, 15, id="a rollout is never left alone"),
        pytest.param(unready(), 0, 2, id="not Ready just now"),
        pytest.param(unready(), 599, 15, id="not Ready for nearly ten minutes"),
        pytest.param(unready(), 600, None, id="not Ready for ten minutes: only a person can help"),
        pytest.param(unready(retiring=(Slot(),)), 600, 15, id="a replaced service is waited for"),
        pytest.param(READY, 0, 2, id="Ready until now"),
        pytest.param(RESTS, 0, 2, id="no condition yet"),
    ],
)
def test_how_often_it_is_looked_at(state: State, age: float, wait: float | None) -> None:
    """Often at first, seldom after minutes; seconds from now, None: the drift resync is enough."""
    now = NOW + age
    assert poll_after(state, now=now) == (None if wait is None else now + wait)


def test_the_rollout_counts_where_there_is_one() -> None:
    """A Deployment that was not Ready for an hour is looked at often in its new rollout."""
    begun = Rollout(id="r", candidate="c", started_at=NOW + 3600)
    assert poll_after(unready(rollout=begun), now=NOW + 3601) == NOW + 3603


@pytest.mark.parametrize(
    ("changes", "ready"),
    [
        pytest.param({}, True, id="Ready"),
        pytest.param({"status": "False"}, False, id="not Ready"),
        pytest.param({"type": "Warnings"}, False, id="another condition"),
        pytest.param({"observedGeneration": 6}, False, id="of the generation before"),
    ],
)
def test_ready_counts_for_its_generation(changes: dict[str, Any], *, ready: bool) -> None:
    """A status that says Ready of an earlier spec says nothing about this one."""
    condition = {"type": "Ready", "status": "True", "observedGeneration": 7} | changes
    assert ready_now({"conditions": [condition]}, 7) is ready
    assert ready_now({}, 7) is False


WISH = desired()
RUNS = State(slot=Slot(revision=WISH.revision.name))
SERVICE = {
    "runningCount": 3,
    "pendingCount": 2,
    "deployments": [{"status": "ACTIVE", "runningCount": 1}, {"status": "PRIMARY", "runningCount": 2}],
}


@pytest.mark.parametrize(
    ("state", "service", "counts"),
    [
        pytest.param(RUNS, None, (0, 0, 0), id="no service"),
        pytest.param(RUNS, SERVICE, (5, 3, 2), id="tasks of two deployments"),
        pytest.param(RUNS, SERVICE | {"deployments": []}, (5, 3, 3), id="ECS names no deployment"),
        pytest.param(RUNS, {}, (0, 0, 0), id="ECS tells no counts"),
        pytest.param(State(slot=Slot(revision="web-other")), SERVICE, (5, 3, 0), id="of another revision"),
        pytest.param(State(), SERVICE, (5, 3, 0), id="of no revision"),
    ],
)
def test_counts(state: State, service: dict[str, Any] | None, counts: tuple[int, int, int]) -> None:
    """All tasks that are there or come, those that run, and those that run the revision."""
    verdict = Verdict(ready=True, reason="Available", message="")
    told = summary.status(WISH, state, verdict, service=service, now=NOW)
    assert (told["replicas"], told["readyReplicas"], told["updatedReplicas"]) == counts


def test_images_are_told_with_tag_or_digest() -> None:
    """What runs, by container; absent members are absent."""
    containers = [{"name": "app", "image": "web@sha256:1f"}, {"name": "side", "image": "side:2"}]
    revision = dataclasses.replace(WISH.revision, definition={"containerDefinitions": containers})
    wish = dataclasses.replace(WISH, revision=revision)
    told = summary.status(
        wish, State(), Verdict(ready=True, reason="Available", message=""), service={}, now=NOW
    )
    assert told["images"] == [
        {"name": "app", "tag": "web", "digest": "sha256:1f"},
        {"name": "side", "tag": "side:2"},
    ]
    assert "selector" not in told
    assert "taskSize" not in told
