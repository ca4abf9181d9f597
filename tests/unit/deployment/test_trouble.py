"""Why ECS starts no task: only a service event tells, and only while nothing newer says better."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from sluice.plan.deployment.progress import evaluate, trouble
from unit.deployment.wishes import NOW, desired

NO_PLACE = (
    "(service web-a1) was unable to place a task because no container instance met all of its requirements. "
    "Reason: No Container Instances were found in your cluster."
)
NO_ROLE = (
    "(service web-a1) failed to launch a task with (error ECS was unable to assume the role 'x'; "
    "Request ID: 7f-1)."
)
STARTED = "(service web-a1) has started 1 tasks: (task 0123)."


def at(seconds: float, message: str) -> dict[str, Any]:
    """Return a service event so many seconds after the deployment was created."""
    return {"id": message, "createdAt": dt.datetime.fromtimestamp(NOW + seconds, dt.UTC), "message": message}


def service(*events: dict[str, Any], running: int = 0) -> dict[str, Any]:
    """Return a service of two tasks whose deployment was created at NOW; its events, newest first."""
    return {
        "serviceName": "web-a1",
        "desiredCount": 2,
        "runningCount": running,
        "events": list(events),
        "deployments": [
            {"status": "PRIMARY", "createdAt": NOW, "runningCount": running, "rolloutState": "IN_PROGRESS"}
        ],
    }


@pytest.mark.parametrize(
    ("events", "told"),
    [
        pytest.param((), "", id="no event"),
        pytest.param(
            (at(1, NO_PLACE),), "No Container Instances were found in your cluster", id="not placed"
        ),
        pytest.param((at(1, NO_ROLE),), "failed to launch a task with (error ECS was unable", id="role"),
        pytest.param((at(2, STARTED), at(1, NO_PLACE)), "", id="started since"),
        pytest.param((at(2, NO_PLACE), at(1, STARTED)), "unable to place", id="trouble since"),
        pytest.param((at(-60, NO_PLACE),), "", id="of an earlier deployment"),
        pytest.param((at(2, "(service web-a1) has stopped 1 running tasks: (task 1)."),), "", id="harmless"),
    ],
)
def test_the_newest_event_that_matters(events: tuple[dict[str, Any], ...], told: str) -> None:
    """ECS's words without the service's name, a request id or the full stop."""
    said = trouble(service(*events))
    assert told in said
    assert bool(said) == bool(told)
    assert "web-a1" not in said
    assert "Request" not in said


def test_the_same_trouble_is_one_message() -> None:
    """ECS names another instance in each event; a status that did would be written with each."""
    text = "(service web-a1) was unable to place a task. The closest matching (container-instance {}) has {}."
    one, two = (trouble(service(at(1, text.format(name, "too little CPU")))) for name in ("3f4c", "9b2e"))
    assert (
        one == two == "was unable to place a task. The closest matching container-instance has too little CPU"
    )


def test_it_stands_in_the_condition_while_tasks_are_missing() -> None:
    """`0 of 2 tasks run` alone sends a person to the AWS console."""
    wish = desired()
    missing = evaluate(wish, service(at(1, NO_PLACE)), count=2, stopped=(), now=NOW)
    assert missing.message == (
        f"0 of 2 tasks of revision {wish.revision.name} run; ECS was unable to place a task because no "
        "container instance met all of its requirements. Reason: No Container Instances were found in your "
        "cluster"
    )
    there = evaluate(wish, service(at(1, NO_PLACE), running=2), count=2, stopped=(), now=NOW)
    assert "unable" not in there.message
