"""Hooks: what counts as yes, no and error; and no attempt twice."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from sluice.analysis.http import HttpClient
from sluice.hooks.run_task import RunTaskRunner
from sluice.hooks.webhook import WebhookRunner
from sluice.model.errors import AwsErrorKind, AwsFailure
from sluice.ports import GateScene
from unit.analysis.scenes import FakeAws, Secrets, hook, hooks, said, scene, server

ANSWERS = {
    200: "Succeeded",
    204: "Succeeded",
    302: "Error",
    400: "Failed",
    403: "Failed",
    409: "Failed",
    429: "Error",
    408: "Error",
    500: "Error",
    503: "Error",
}


@pytest.mark.parametrize(("status", "state"), ANSWERS.items())
def test_a_webhooks_answer(status: int, state: str) -> None:
    """2xx is yes, 4xx is no, what may be different later is an error."""
    with server(said("" if status == 204 else "told so", status)) as (address, received):
        runner = WebhookRunner(HttpClient(Secrets()))  # type: ignore[arg-type]  # only secret() is used
        answer = runner.attempt(scene(hooks=hooks(webhook={"url": f"{address}/run"})), hook(stage="Step"))
    assert answer.state == state
    assert str(status) in answer.message
    (got,) = received
    assert got.headers["Idempotency-Key"] == "uid-1/r1/Step/smoke/0"
    body = json.loads(got.body)
    assert (body["id"], body["namespace"], body["name"], body["stage"]) == (
        "r1/Step/smoke/0",
        "shop",
        "web",
        "Step",
    )


def test_a_webhook_that_nobody_answers_is_an_error() -> None:
    """The machine counts it as an attempt."""
    runner = WebhookRunner(HttpClient(Secrets()))  # type: ignore[arg-type]  # only secret() is used
    answer = runner.attempt(scene(hooks=hooks(webhook={"url": "http://127.0.0.1:1/"})), hook())
    assert (answer.state, "no connection" in answer.message) == ("Error", True)


TASK: dict[str, Any] = {"container": "app", "command": ["migrate"], "environment": {"B": "2", "A": "1"}}
ARN = "arn:aws:ecs:eu-west-1:111122223333:task/main/abc"


def task(status: str, **container: Any) -> dict[str, Any]:
    """Return DescribeTasks' answer."""
    return {"tasks": [{"taskArn": ARN, "lastStatus": status, "containers": [{"name": "app", **container}]}]}


ENDS: dict[str, tuple[dict[str, Any], str, str]] = {
    "it runs": (task("RUNNING"), "Running", "RUNNING"),
    "exit code 0": (task("STOPPED", exitCode=0), "Succeeded", "exit code 0"),
    "another exit code": (task("STOPPED", exitCode=3, reason="oops"), "Failed", "exit code 3: oops"),
    "it never started": (task("STOPPED", reason="CannotPullContainerError"), "Error", "CannotPull"),
    "it is gone": ({"tasks": [], "failures": [{"reason": "MISSING"}]}, "Error", "gone"),
}


@pytest.mark.parametrize(("described", "state", "text"), ENDS.values(), ids=ENDS)
def test_a_tasks_end(described: dict[str, Any], state: str, text: str) -> None:
    """The named container's exit code decides; a task that never ran is an error."""
    aws = FakeAws(
        {"RunTask": lambda _p: {"tasks": [{"taskArn": ARN}]}, "DescribeTasks": lambda _p: described}
    )
    runner, stage = RunTaskRunner(aws), scene(hooks=hooks(run_task=TASK))
    assert runner.attempt(stage, hook()).state == "Running"
    answer = runner.attempt(stage, hook())
    assert (answer.state, text in answer.message) == (state, True)


def test_a_task_is_started_once_and_found_again_by_another_process() -> None:
    """The same client token for the same attempt, another one for the next."""
    aws = FakeAws(
        {"RunTask": lambda _p: {"tasks": [{"taskArn": ARN}]}, "DescribeTasks": lambda _p: task("RUNNING")}
    )
    stage = scene(hooks=hooks(run_task=TASK))
    first, restarted = RunTaskRunner(aws), RunTaskRunner(aws)
    first.attempt(stage, hook())
    first.attempt(stage, hook())
    restarted.attempt(stage, hook())
    runs = [params for _, operation, params in aws.calls if operation == "RunTask"]
    assert len(runs) == 2
    assert runs[0] == runs[1]
    # A write's line in the log says what for, this one's, too.
    assert "hook smoke" in aws.contexts[0].subject
    assert "attempt r1/" in aws.contexts[0].reason
    assert len(runs[0]["clientToken"]) <= 64
    assert runs[0]["overrides"]["containerOverrides"] == [
        {
            "name": "app",
            "command": ["migrate"],
            "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        }
    ]


def test_a_task_that_ecs_cannot_place_is_an_error_with_its_reason() -> None:
    """Worth another attempt."""
    aws = FakeAws({"RunTask": lambda _p: {"tasks": [], "failures": [{"reason": "RESOURCE:MEMORY"}]}})
    answer = RunTaskRunner(aws).attempt(scene(hooks=hooks(run_task=TASK)), hook())
    assert (answer.state, "RESOURCE:MEMORY" in answer.message) == ("Error", True)


def test_a_candidate_without_a_definition_has_no_task_to_run_yet() -> None:
    """At PreScaleUp it is being registered: asked again, until the attempt's own time is over."""
    answer = RunTaskRunner(FakeAws({})).attempt(scene(task={}, hooks=hooks(run_task=TASK)), hook())
    assert (answer.state, "is being registered" in answer.message) == ("Running", True)


def owned(by: str = "uid-1", **members: Any) -> GateScene:
    """Return a scene whose tasks are started by `sluice/<by>`."""
    made = scene(**members)
    return dataclasses.replace(made, task={**made.task, "startedBy": f"sluice/{by}"})


NONE_LEFT = {"ListTasks": lambda _p: {"taskArns": []}}


def test_a_task_that_nobody_waits_for_is_stopped() -> None:
    """Once, by its own ARN; of an attempt that is not known it is said that something may still come."""
    aws = FakeAws(
        {"RunTask": lambda _p: {"tasks": [{"taskArn": ARN}]}, "StopTask": lambda _p: {}} | NONE_LEFT
    )
    runner, stage = RunTaskRunner(aws), scene(hooks=hooks(run_task=TASK))
    assert runner.end(stage, hook()) is False
    runner.attempt(stage, hook())
    assert runner.end(stage, hook()) is True
    assert runner.end(stage, hook()) is False
    stops = [params for _, operation, params in aws.calls if operation == "StopTask"]
    assert [(params["cluster"], params["task"]) for params in stops] == [("main", ARN)]
    assert "hook smoke" in stops[0]["reason"]


@pytest.mark.parametrize("kind", ["throttled", "unavailable", "unknown-outcome"])
@pytest.mark.parametrize("operation", ["RunTask", "DescribeTasks"])
def test_awss_pace_is_no_answer_of_a_hook(kind: AwsErrorKind, operation: str) -> None:
    """The same attempt goes on: another one would migrate beside a task that runs and was not seen."""

    def fail(_params: Any) -> dict[str, Any]:
        raise AwsFailure(service="ecs", operation=operation, code="x", message="y", kind=kind)

    answers = {
        "RunTask": lambda _p: {"tasks": [{"taskArn": ARN}]},
        "DescribeTasks": lambda _p: task("RUNNING"),
    }
    aws = FakeAws(answers | {operation: fail})
    runner, stage = RunTaskRunner(aws), scene(hooks=hooks(run_task=TASK))
    assert [runner.attempt(stage, hook()).state for _ in range(3)] == ["Running"] * 3
    runs = [params["clientToken"] for _, called, params in aws.calls if called == "RunTask"]
    assert len(set(runs)) == 1


def test_twins_of_two_namespaces_have_a_task_each() -> None:
    """One name, spec and second: their attempts have the same id, and neither sees or stops the other's."""
    arns = iter((ARN, f"{ARN}-2"))
    answers = {"RunTask": lambda _p: {"tasks": [{"taskArn": next(arns)}]}, "StopTask": lambda _p: {}}
    aws = FakeAws(answers | NONE_LEFT)
    runner = RunTaskRunner(aws)
    one, two = (owned(uid, uid=uid, hooks=hooks(run_task=TASK)) for uid in ("uid-1", "uid-2"))
    runner.attempt(one, hook())
    runner.end(two, hook())
    runner.attempt(two, hook())
    runner.end(two, hook())
    operations = [(name, params.get("task") or params.get("startedBy")) for _, name, params in aws.calls]
    assert operations == [
        ("RunTask", "sluice/uid-1"),
        ("ListTasks", "sluice/uid-2"),
        ("RunTask", "sluice/uid-2"),
        ("StopTask", f"{ARN}-2"),
    ]


def left_behind(*attempts: str, pages: int = 1) -> FakeAws:
    """Return an AWS in which hooks' tasks run that this process did not start, one for each attempt."""
    arns = {f"{ARN}-{number}": attempt for number, attempt in enumerate(attempts)}
    listed = list(arns)

    def page(params: Any) -> dict[str, Any]:
        at = int(params.get("nextToken", 0))
        more = {"nextToken": str(at + 1)} if at + 1 < pages else {}
        return {"taskArns": listed[at::pages], **more}

    def describe(params: Any) -> dict[str, Any]:
        assert params["include"] == ["TAGS"]
        tasks = [
            {
                "taskArn": arn,
                "desiredStatus": "STOPPED" if "stopping" in arns[arn] else "RUNNING",
                "tags": [{"key": "sluice.dev/attempt", "value": arns[arn]}] if arns[arn] else [],
            }
            for arn in params["tasks"]
        ]
        return {"tasks": tasks}

    return FakeAws({"ListTasks": page, "DescribeTasks": describe, "StopTask": lambda _p: {}})


def stopped(aws: FakeAws) -> list[str]:
    """Return the numbers of the tasks that were stopped."""
    return sorted(
        params["task"].rsplit("-", 1)[-1] for _, operation, params in aws.calls if operation == "StopTask"
    )


@pytest.mark.parametrize("pages", [1, 2])
def test_what_another_process_left_is_found_by_its_object_and_told_apart_by_its_attempt(pages: int) -> None:
    """What is waited for goes on, what is no hook's task is nobody's business here, what stops is stopped."""
    aws = left_behind(
        "r1/Step/smoke/0", "r1/Step/smoke/1", "r0/PreScaleUp/migrate/0", "", "r1/stopping/x/0", pages=pages
    )
    RunTaskRunner(aws).collect(owned(), waited_for=lambda attempt: attempt == "r1/Step/smoke/1")
    assert stopped(aws) == ["0", "2"]
    assert {params["startedBy"] for _, name, params in aws.calls if name == "ListTasks"} == {"sluice/uid-1"}
    stops = [params for _, name, params in aws.calls if name == "StopTask"]
    assert {params["reason"] for params in stops} == {
        "Sluice: nobody waits for hook smoke any more",
        "Sluice: nobody waits for hook migrate any more",
    }


def test_an_attempt_whose_task_this_process_does_not_know_is_ended_by_its_tag() -> None:
    """RunTask's answer was lost, and the rollout fell back meanwhile: only that attempt's task goes."""
    aws = left_behind("r1/Step/smoke/0", "r1/Step/other/0")
    assert RunTaskRunner(aws).end(owned(hooks=hooks(run_task=TASK)), hook()) is False
    assert stopped(aws) == ["0"]


@pytest.mark.parametrize("task", [{}, {"cluster": "main"}, {"cluster": "", "startedBy": "sluice/x"}])
def test_where_no_cluster_is_known_nothing_is_looked_for(task: dict[str, str]) -> None:
    """A spec without one, in a tenancy without one: no hook has run. Never other people's tasks."""
    aws = left_behind("r1/Step/smoke/0")
    RunTaskRunner(aws).collect(scene(task=task), waited_for=lambda _attempt: False)
    assert aws.calls == []


def test_a_task_carries_its_object_and_its_attempt() -> None:
    """Beside the tags of the scene."""
    aws = FakeAws({"RunTask": lambda _p: {"tasks": [{"taskArn": ARN}]}})
    tags = [{"key": "team", "value": "shop"}]
    stage = owned(hooks=hooks(run_task=TASK), task={"cluster": "main", "taskDefinition": "td", "tags": tags})
    RunTaskRunner(aws).attempt(stage, hook())
    ((_, _, params),) = aws.calls
    assert params["startedBy"] == "sluice/uid-1"
    assert params["tags"] == [*tags, {"key": "sluice.dev/attempt", "value": "r1/Step/smoke/0"}]
