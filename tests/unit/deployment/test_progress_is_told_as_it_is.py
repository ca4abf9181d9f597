"""How far an ECS deployment is, word for word: when it is complete, what it waits for, why it failed."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from sluice.model.desired import Desired, Strategy
from sluice.plan.deployment.progress import (
    Progress,
    detached_again,
    epoch,
    evaluate,
    rolled_back,
    stopped_reasons,
    triggered,
    trouble,
    with_alarms,
)
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
    """Return a service of two tasks; a member in lower case is of its PRIMARY deployment."""
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


@pytest.mark.parametrize(
    ("why", "alarms", "expected"),
    [
        pytest.param("broken", (), "broken", id="no alarm"),
        pytest.param("alarm errors", ("errors",), "alarm errors", id="named already"),
        pytest.param("alarms:", ("a1", "b1"), "alarms:: CloudWatch alarms a1, b1", id="two"),
        pytest.param("by errors.", ("errors", "late"), "by errors: CloudWatch alarm late", id="one of two"),
        pytest.param("", ("errors",), "CloudWatch alarm errors", id="nothing else is known"),
    ],
)
def test_alarms_are_named_where_ecs_does_not(why: str, alarms: tuple[str, ...], expected: str) -> None:
    """Once each."""
    assert with_alarms(why, alarms) == expected


BY_ALARMS = {
    "alarms": {"triggeredAlarmNames": ["errors"]},
    "targetServiceRevision": {"taskDefinition": "arn:1"},
}


@pytest.mark.parametrize(
    ("deployments", "expected"),
    [
        pytest.param([BY_ALARMS], ("errors",), id="the newest is ours"),
        pytest.param([], (), id="none"),
        pytest.param([{"targetServiceRevision": None}, BY_ALARMS], (), id="an older one tells nothing"),
        pytest.param([BY_ALARMS | {"targetServiceRevision": {"taskDefinition": "arn:2"}}], (), id="another"),
        pytest.param([BY_ALARMS | {"targetServiceRevision": "arn:revision"}], (), id="not looked up"),
        pytest.param([BY_ALARMS | {"alarms": None}], (), id="no alarm failed it"),
        pytest.param([BY_ALARMS | {"alarms": {}}], (), id="none was triggered"),
    ],
)
def test_which_alarms_failed_the_newest_deployment(deployments: Any, expected: tuple[str, ...]) -> None:
    """ECS API, ServiceDeploymentAlarms."""
    assert triggered(deployments, task_definition="arn:1") == expected


BACK = {
    "status": "ROLLBACK_SUCCESSFUL",
    "createdAt": NOW,
    "targetServiceRevision": {
        "taskDefinition": "arn:1",
        "loadBalancers": [{"targetGroupArn": "one"}, {"targetGroupArn": "two"}],
    },
}
AGAIN = [{"targetGroupArn": "two"}, {"targetGroupArn": "one"}]


@pytest.mark.parametrize(
    ("deployments", "wanted", "expected"),
    [
        pytest.param([BACK], AGAIN, BACK, id="it tried exactly these"),
        pytest.param([], AGAIN, None, id="none"),
        pytest.param([{**BACK, "status": "SUCCESSFUL"}], AGAIN, None, id="it ended well"),
        pytest.param([{**BACK, "targetServiceRevision": "arn:x"}], AGAIN, None, id="not looked up"),
        pytest.param(
            [{**BACK, "targetServiceRevision": {"loadBalancers": None}}], [], None, id="it had none"
        ),
        pytest.param([BACK], AGAIN[:1], None, id="it tried others"),
        pytest.param(
            [{**BACK, "targetServiceRevision": {}}, BACK], AGAIN, None, id="an older one tells nothing"
        ),
    ],
)
def test_what_ecs_detached_again(deployments: Any, wanted: Any, expected: Any) -> None:
    """Whatever order they are told in; else asking again would go on for ever."""
    assert detached_again(deployments, "loadBalancers", wanted) == expected


@pytest.mark.parametrize(
    ("deployment", "given", "since", "expected"),
    [
        pytest.param(BACK, True, None, True, id="the service had got it"),
        pytest.param(BACK, False, NOW + 5, True, id="within what clocks differ"),
        pytest.param(BACK, False, NOW + 5.5, False, id="of an earlier attempt"),
        pytest.param(BACK, False, None, False, id="no attempt of ours"),
        pytest.param({**BACK, "createdAt": None}, False, NOW, False, id="AWS tells no time"),
        pytest.param({**BACK, "status": "IN_PROGRESS"}, True, None, False, id="it goes on"),
        pytest.param({**BACK, "targetServiceRevision": None}, True, None, False, id="of nothing"),
        pytest.param({**BACK, "targetServiceRevision": "arn:x"}, True, None, False, id="not looked up"),
    ],
)
def test_what_is_a_rollback_of_ours(
    deployment: dict[str, Any], since: float | None, *, given: bool, expected: bool
) -> None:
    """One that began after the rollout did, unless the service was known to have the revision."""
    found = rolled_back([deployment], task_definition="arn:1", given=given, since=since)
    assert found == (deployment if expected else None)


def event(seconds: float | None, message: str | None = TROUBLE) -> dict[str, Any]:
    """Return a service event, so many seconds after its deployment began."""
    return {"createdAt": None if seconds is None else NOW + seconds, "message": message}


@pytest.mark.parametrize(
    ("events", "told"),
    [
        pytest.param([event(-5)], True, id="within what clocks differ"),
        pytest.param([event(-5.5)], False, id="of an earlier deployment"),
        pytest.param([event(None)], True, id="AWS tells no time"),
        pytest.param([event(1, None), event(0)], True, id="an event without words"),
        pytest.param([event(1, "has reached a steady state"), event(0)], False, id="all is well since"),
        pytest.param([event(1, "was throttled"), event(0, "has started 1 tasks")], True, id="trouble since"),
        pytest.param(None, False, id="no events"),
    ],
)
def test_which_event_is_trouble_of_this_deployment(events: Any, *, told: bool) -> None:
    """The newest that matters, and none from before it began."""
    found = {"events": events, "deployments": [{"status": "PRIMARY", "createdAt": NOW}]}
    assert bool(trouble(found)) is told


def test_trouble_of_a_deployment_that_aws_gives_no_time() -> None:
    """Every event may be its."""
    assert trouble({"events": [event(-999)], "deployments": [{"status": "PRIMARY"}]})


def stopped(at: Any, why: str | None = "it broke", **container: Any) -> dict[str, Any]:
    """Return a stopped task with at most one container."""
    containers = [{"name": "app"} | container] if container else None
    return {"stoppedAt": at, "stoppedReason": why, "containers": containers}


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        pytest.param([], (), id="none"),
        pytest.param([stopped(NOW)], ("it broke",), id="the task's reason"),
        pytest.param(
            [stopped(NOW, exitCode=0)], ("it broke",), id="a container that ended well tells nothing"
        ),
        pytest.param([stopped(NOW, exitCode=3)], ("it broke (container app: exit code 3)",), id="exit code"),
        pytest.param(
            [stopped(NOW, exitCode=3, reason="OutOfMemory")],
            ("it broke (container app: OutOfMemory)",),
            id="both",
        ),
        pytest.param([stopped(NOW, None)], (), id="no reason"),
        pytest.param([stopped(NOW, "Scaling activity initiated by x")], (), id="a scale-in"),
        pytest.param(
            [stopped(NOW - 2, "third"), stopped(NOW, "first"), stopped(NOW - 1, "second")],
            ("first", "second"),
            id="the two newest",
        ),
        pytest.param(
            [stopped(None, "x"), stopped(0.5, "y")], ("y", "x"), id="one without a time is the oldest"
        ),
        pytest.param(
            [
                {
                    "stoppedAt": NOW,
                    "stoppedReason": "it broke",
                    "containers": [{"name": "a", "exitCode": 1}, {"name": "b", "exitCode": 2}],
                }
            ],
            ("it broke (container a: exit code 1)",),
            id="the first container that tells",
        ),
    ],
)
def test_why_tasks_stopped(tasks: Any, expected: tuple[str, ...]) -> None:
    """Newest first, at most two, in the container's words where it has some."""
    assert stopped_reasons(tasks) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(dt.datetime.fromtimestamp(NOW, dt.UTC), NOW), (NOW, NOW), (7, 7.0), (None, None), ("x", None)],
    ids=["a time", "seconds", "whole seconds", "absent", "text"],
)
def test_aws_tells_times_in_two_ways(value: Any, expected: float | None) -> None:
    """boto3 gives datetimes; what was kept in a status is a number."""
    assert epoch(value) == expected
