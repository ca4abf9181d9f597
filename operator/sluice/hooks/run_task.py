"""A hook as an ECS task: the candidate's own definition, with another command; exit code 0 is yes.

RunTask takes a client token, made from the attempt's id: a process that was killed right after the call
gets the same task again instead of a second one (ECS API, RunTask, clientToken: 64 characters,
24 hours). The task is found by its ARN as long as this process lives, afterwards by the same call.

AWS's pace is no answer of a hook: what is throttled, or told nothing, is asked again as the same attempt
until its own time is over. Another attempt would have another token, and run beside the task that nobody saw.

A task that nobody waits for any more (its time is over, the rollout fell back) is stopped: the next attempt
must not migrate beside it, and a command that never ends must not run, and cost, for ever. What this process
does not know (a process before it started it, or RunTask's answer was lost) is found by `startedBy`, which is
the object's, and by its tag, which is the attempt's.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from sluice.model import ownership
from sluice.model.errors import PASSING, AwsFailure
from sluice.model.names import short_hash
from sluice.model.rollout import HookRequest
from sluice.model.situation import HookAnswer
from sluice.model.strategy import Hook
from sluice.ports import Aws, GateScene

_TOKEN: Final = 64
_DESCRIBED: Final = 100  # botocore, ecs, DescribeTasksRequest.tasks
_REMEMBERED: Final = 1_000


class RunTaskRunner:
    """`hooks[].runTask`. Thread-safe."""

    def __init__(self, aws: Aws) -> None:
        """Run through `aws`."""
        self._aws = aws
        self._lock = threading.Lock()
        self._tasks: dict[tuple[str, str], str] = {}
        """(uid, attempt) → ARN: Deployments of one name and spec in two namespaces share the attempt's id."""

    def attempt(self, scene: GateScene, request: HookRequest) -> HookAnswer:
        """Start the task, or look how it stands; raises what the gateway raises."""
        hook = scene.hooks.get(request.hook)
        if hook is None or hook.run_task is None:
            return HookAnswer(state="Error", message=f"the strategy has no runTask {request.hook}")
        if not scene.task:
            return HookAnswer(state="Running", message="the candidate's task definition is being registered")
        with self._lock:
            arn = self._tasks.get((scene.uid, request.id), "")
        try:
            return self._look(scene, request, hook, arn) if arn else self._start(scene, request, hook)
        except AwsFailure as failure:
            if failure.kind not in PASSING:
                raise
            return HookAnswer(state="Running", message=f"{failure}; asked again")

    def end(self, scene: GateScene, request: HookRequest) -> bool:
        """Stop the attempt's task; raises what the gateway raises.

        False: nobody knows which it is. What is there was stopped; what comes late has to be collected.
        """
        with self._lock:
            arn = self._tasks.get((scene.uid, request.id), "")
        if arn:
            self._stop(scene, arn, hook=request.hook, attempt=request.id)
            with self._lock:
                self._tasks.pop((scene.uid, request.id), None)
            return True
        self.collect(scene, waited_for=lambda attempt: attempt != request.id)
        return False

    def collect(self, scene: GateScene, *, waited_for: Callable[[str], bool]) -> None:
        """Stop every task of a hook of this object whose attempt is not waited for, whoever started it.

        Raises what the gateway raises.
        """
        for arn, attempt in self._left(scene):
            if not waited_for(attempt):
                self._stop(scene, arn, hook=attempt.split("/")[-2], attempt=attempt)

    def _left(self, scene: GateScene) -> Iterator[tuple[str, str]]:
        """Return ARN and attempt of the hooks' tasks that run, or shall."""
        cluster = scene.task.get("cluster", "")
        params = {"cluster": cluster, "startedBy": scene.task.get("startedBy", "")}
        while all(params.values()):
            page = self._aws.call("ecs", "ListTasks", params, context=scene.context)
            arns = list(page.get("taskArns") or ())[:_DESCRIBED]
            if arns:
                asked = {"cluster": cluster, "tasks": arns, "include": ["TAGS"]}
                found = self._aws.call("ecs", "DescribeTasks", asked, context=scene.context)
                for task in found.get("tasks") or ():
                    attempt = ownership.from_ecs(task.get("tags") or ()).get(ownership.ATTEMPT, "")
                    if attempt.count("/") and task.get("desiredStatus") != "STOPPED":
                        yield task["taskArn"], attempt
            if not page.get("nextToken"):
                return
            params = {**params, "nextToken": page["nextToken"]}

    def _stop(self, scene: GateScene, arn: str, *, hook: str, attempt: str) -> None:
        params = {
            "cluster": arn.split("/")[-2],
            "task": arn,
            "reason": f"Sluice: nobody waits for hook {hook} any more",
        }
        context = dataclasses.replace(
            scene.context,
            subject=f"task {_short(arn)} of hook {hook}",
            reason=f"attempt {attempt} is not waited for any more",
        )
        self._aws.call("ecs", "StopTask", params, context=context)

    def _start(self, scene: GateScene, request: HookRequest, hook: Hook) -> HookAnswer:
        params = {
            **scene.task,
            "count": 1,
            "clientToken": short_hash(scene.uid, request.id, length=_TOKEN),
            "tags": [*scene.task.get("tags", ()), *ownership.to_ecs({ownership.ATTEMPT: request.id})],
            "overrides": _overrides(hook),
        }
        context = dataclasses.replace(
            scene.context,
            subject=f"task of hook {hook.name} in cluster {params.get('cluster', '')}",
            reason=f"the strategy's hook {hook.name} is to run: attempt {request.id}",
        )
        answer = self._aws.call("ecs", "RunTask", params, context=context)
        tasks = answer.get("tasks") or ()
        if not tasks:
            refused: Mapping[str, Any] = next(iter(answer.get("failures") or ()), {})
            reason = refused.get("reason", "no task was started")
            return HookAnswer(state="Error", message=f"RunTask: {reason}")
        with self._lock:
            while len(self._tasks) >= _REMEMBERED:
                self._tasks.pop(next(iter(self._tasks)))
            self._tasks[scene.uid, request.id] = tasks[0]["taskArn"]
        return HookAnswer(state="Running", message=f"task {_short(tasks[0]['taskArn'])}")

    def _look(self, scene: GateScene, request: HookRequest, hook: Hook, arn: str) -> HookAnswer:
        cluster = scene.task.get("cluster", "")
        answer = self._aws.call(
            "ecs", "DescribeTasks", {"cluster": cluster, "tasks": [arn]}, context=scene.context
        )
        task: Mapping[str, Any] = next(iter(answer.get("tasks") or ()), {})
        if not task:
            with self._lock:
                self._tasks.pop((scene.uid, request.id), None)
            return HookAnswer(state="Error", message=f"task {_short(arn)} is gone")
        if task.get("lastStatus") != "STOPPED":
            return HookAnswer(state="Running", message=f"task {_short(arn)} {task.get('lastStatus')}")
        name = (hook.run_task or {}).get("container")
        container: Mapping[str, Any] = next(
            (entry for entry in task.get("containers") or () if entry.get("name") == name), {}
        )
        code = container.get("exitCode")
        if code == 0:
            return HookAnswer(state="Succeeded", message=f"task {_short(arn)}: exit code 0")
        why = container.get("reason") or task.get("stoppedReason") or "it stopped"
        if code is None:
            return HookAnswer(state="Error", message=f"task {_short(arn)}: {why}")
        return HookAnswer(state="Failed", message=f"task {_short(arn)}: exit code {code}: {why}")


def _overrides(hook: Hook) -> dict[str, Any]:
    asked = hook.run_task or {}
    container: dict[str, Any] = {"name": asked["container"]}
    if asked.get("command"):
        container["command"] = list(asked["command"])
    if asked.get("environment"):
        container["environment"] = [
            {"name": name, "value": value} for name, value in sorted(asked["environment"].items())
        ]
    return {"containerOverrides": [container]}


def _short(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]
