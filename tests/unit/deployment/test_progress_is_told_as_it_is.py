"""How far an ECS deployment is, word for word: when it is complete, and what it waits for."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.model.desired import Desired, Strategy
from sluice.plan.deployment.progress import Progress, evaluate
from unit.deployment.wishes import NOW, desired

WISH = desired()
LISTED = desired(listed=True)
PATIENT = desired(strategy=Strategy(min_ready_seconds=30))
WATCHED = desired(strategy=Strategy(alarms={"enable": True, "alarmNames": ["errors", "latency"]}))
NAME = WISH.revision.name
TROUBLE = "was unable to place a task."
NO_PLACE = {"message": TROUBLE, "createdAt": NOW}
FORMER = {"status": "ACTIVE"}


def service(state: str | None = "COMPLETED", *, beside: bool = False, **changes: Any) -> dict[str, Any]:
    """Return a service of two tasks; `updated` of them run in the PRIMARY deployment, whose state it is."""
    primary = {"status": "PRIMARY", "runningCount": changes.pop("updated", 2), "rolloutState": state}
    primary |= {
        name: changes.pop(name)
        for name in ("failedTasks", "updatedAt", "rolloutStateReason")
        if name in changes
    }
    deployments = [FORMER, primary] if beside else [primary]
    counts = {"desiredCount": 2, "runningCount": 2, "pendingCount": 0, "deployments": deployments}
    return counts | changes


def says(text: str, **members: Any) -> Progress:
    """Return a Progress that goes on, with the text after its counts."""
    members.setdefault("state", "Progressing")
    return Progress(message=text.replace("NAME", f"tasks of revision {NAME} run"), **members)


DONE = says("2 of 2 NAME", state="Complete")


@pytest.mark.parametrize(
    ("wish", "found", "count", "expected"),
    [
        pytest.param(WISH, service(), 2, DONE, id="complete"),
        pytest.param(WISH, service(), None, DONE, id="whoever owns the count"),
        pytest.param(WISH, service(None), 2, DONE, id="ECS says no state, and it is steady"),
        pytest.param(
            WISH, service(None, pendingCount=1), 2, says("2 of 2 NAME"), id="no state, one is starting"
        ),
        pytest.param(
            WISH,
            service(None, beside=True),
            2,
            says("2 of 2 NAME; tasks of the old revision stop"),
            id="no state, an old deployment",
        ),
        pytest.param(
            WISH,
            service(None, runningCount=1, updated=1),
            2,
            says("1 of 2 NAME"),
            id="no state, one is missing",
        ),
        pytest.param(
            WISH, service(None, runningCount=3), None, says("2 of 2 NAME"), id="no state, one too many"
        ),
        pytest.param(WISH, service("IN_PROGRESS"), 2, says("2 of 2 NAME"), id="ECS is not done yet"),
        pytest.param(
            WISH, service("IN_PROGRESS", updated=1), 2, says("1 of 2 NAME"), id="one of the new ones runs"
        ),
        pytest.param(
            WISH, service(desiredCount=3), 3, says("2 of 3 NAME"), id="complete, and one was ended since"
        ),
        pytest.param(WISH, service(), 3, says("2 of 2 NAME"), id="the count is to be another"),
        pytest.param(
            WISH,
            service(runningCount=3),
            2,
            says("2 of 2 NAME; 1 more stop"),
            id="complete, and one more runs",
        ),
        pytest.param(WISH, service(runningCount=3), None, DONE, id="one more, and nobody owns the count"),
        pytest.param(
            LISTED,
            service(runningCount=4),
            2,
            says("2 of 2 NAME; 2 more stop once their entries left Cloud Map", leaving=True),
            id="two more that names answer with",
        ),
        pytest.param(
            LISTED,
            service("IN_PROGRESS", runningCount=4, beside=True),
            2,
            says(
                "2 of 2 NAME; tasks of the old revision stop once their entries left Cloud Map", leaving=True
            ),
            id="the old ones that names answer with",
        ),
        pytest.param(
            LISTED,
            service("IN_PROGRESS", runningCount=2),
            2,
            says("2 of 2 NAME"),
            id="none more: nothing leaves",
        ),
        pytest.param(
            LISTED,
            service("IN_PROGRESS", runningCount=4, updated=1),
            2,
            says("1 of 2 NAME"),
            id="not all of the new ones run",
        ),
        pytest.param(
            LISTED,
            service("IN_PROGRESS", runningCount=4, failedTasks=1),
            2,
            says("2 of 2 NAME, 1 failed", failing=True),
            id="tasks fail: that is no leaving",
        ),
        pytest.param(
            WISH,
            service("IN_PROGRESS", updated=1, beside=True),
            2,
            says("1 of 2 NAME"),
            id="beside the old ones, not all run",
        ),
        pytest.param(
            WISH,
            service("IN_PROGRESS", runningCount=1, updated=1, events=[NO_PLACE]),
            2,
            says("1 of 2 NAME; ECS was unable to place a task"),
            id="ECS cannot start one",
        ),
        pytest.param(
            WISH,
            service("IN_PROGRESS", updated=1, events=[NO_PLACE]),
            2,
            says("1 of 2 NAME"),
            id="as many as wanted run: an old event",
        ),
        pytest.param(
            WISH,
            service("IN_PROGRESS", runningCount=1, failedTasks=2, events=[NO_PLACE]),
            2,
            says("2 of 2 NAME, 2 failed", failing=True),
            id="failures are told first",
        ),
        pytest.param(
            WATCHED,
            service("IN_PROGRESS"),
            2,
            says("2 of 2 NAME; ECS watches CloudWatch alarms errors, latency"),
            id="alarms are watched",
        ),
        pytest.param(
            WATCHED, service("IN_PROGRESS", updated=1), 2, says("1 of 2 NAME"), id="not before all run"
        ),
        pytest.param(
            desired(strategy=Strategy(alarms={"enable": False, "alarmNames": ["errors"]})),
            service("IN_PROGRESS"),
            2,
            says("2 of 2 NAME"),
            id="alarms that are off",
        ),
        pytest.param(
            desired(strategy=Strategy(alarms={"enable": True, "alarmNames": ["errors"]})),
            service("IN_PROGRESS"),
            2,
            says("2 of 2 NAME; ECS watches CloudWatch alarm errors"),
            id="one alarm",
        ),
        pytest.param(
            PATIENT,
            service(updatedAt=NOW - 29),
            2,
            says("2 of 2 NAME; waiting for minReadySeconds", ready_at=NOW + 1),
            id="not ready for long enough",
        ),
        pytest.param(PATIENT, service(updatedAt=NOW - 30), 2, DONE, id="just long enough"),
        pytest.param(PATIENT, service(), 2, DONE, id="AWS tells no time"),
        pytest.param(WISH, service(updatedAt=NOW + 9), 2, DONE, id="nothing is to be waited for"),
        pytest.param(
            WISH,
            service("FAILED", updated=0, rolloutStateReason="circuit breaker"),
            2,
            says("0 of 2 NAME; circuit breaker", state="Failed"),
            id="failed",
        ),
        pytest.param(
            WISH,
            service("FAILED", updated=0),
            2,
            says("0 of 2 NAME; the deployment failed", state="Failed"),
            id="failed, for no reason that is told",
        ),
        pytest.param(
            desired(replicas=0),
            {"deployments": [{"status": "PRIMARY", "rolloutState": "COMPLETED"}]},
            0,
            says("0 of 0 NAME", state="Complete"),
            id="no task, and AWS tells no counts",
        ),
        pytest.param(
            desired(replicas=0), {"deployments": None}, 0, says("0 of 0 NAME", state="Complete"), id="nothing"
        ),
    ],
)
def test_how_far_it_is(wish: Desired, found: dict[str, Any], count: int | None, expected: Progress) -> None:
    """In tasks of the revision, and in what is missing."""
    assert evaluate(wish, found, count=count, stopped=(), now=NOW) == expected


STOPPED = ({"stoppedReason": "it broke", "stoppedAt": NOW},)


def test_reasons_of_stopped_tasks_stand_beside_a_failure() -> None:
    """Alarms, too, where they failed the deployment."""
    found = service("FAILED", updated=0, rolloutStateReason="alarm detected.")
    told = evaluate(WISH, found, count=2, stopped=STOPPED, now=NOW, alarms=("errors",))
    assert told == says("0 of 2 NAME; alarm detected: CloudWatch alarm errors (it broke)", state="Failed")
    failing = evaluate(WISH, service("IN_PROGRESS", failedTasks=1), count=2, stopped=STOPPED, now=NOW)
    assert failing == says("2 of 2 NAME, 1 failed (it broke)", failing=True)
