"""Why an ECS deployment failed: alarms, rollbacks, service events and stopped tasks, each in words."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from sluice.plan.deployment.progress import (
    detached_again,
    epoch,
    rolled_back,
    stopped_reasons,
    triggered,
    trouble,
    with_alarms,
)
from unit.deployment.wishes import NOW

TROUBLE = "was unable to place a task."


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
