"""Tasks by hand: stop, describe, list, protect; ExecuteCommand is refused cleanly."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from sluice_sandbox.aws.ecs import refusals
from sluice_sandbox.aws.ecs.core import Core
from sluice_sandbox.aws.ecs.identity import arn, check_cluster, last_segment, same_resource
from sluice_sandbox.aws.ecs.paging import page
from sluice_sandbox.aws.ecs.service_queries import find_service
from sluice_sandbox.aws.ecs.state import Cluster, Task
from sluice_sandbox.aws.ecs.task_engine import TaskEngine
from sluice_sandbox.aws.ecs.task_health import HealthReader
from sluice_sandbox.aws.ecs.task_view import render
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

MAX_DESCRIBE = 100
MAX_PROTECT = 10
"""botocore: DescribeTasks tasks, UpdateTaskProtection tasks."""
DEFAULT_PROTECTION_MINUTES = 120
EXEC_DISABLED = (
    "The execute command failed because execute command was not enabled when the task was run or the execute "
    "command agent isn't running. Wait and try again or run a new task with execute command enabled and try "
    "again."
)


class TaskCalls:
    """The task operations."""

    def __init__(self, core: Core, engine: TaskEngine) -> None:
        """Work on `core`'s state; tasks stop through `engine`."""
        self._core = core
        self._engine = engine
        self._health = HealthReader(core)

    def operations(self) -> dict[str, Handler]:
        """Return the handlers by operation."""
        return {
            "StopTask": self.stop_task,
            "DescribeTasks": self.describe_tasks,
            "ListTasks": self.list_tasks,
            "UpdateTaskProtection": self.update_task_protection,
            "GetTaskProtection": self.get_task_protection,
            "ExecuteCommand": self.execute_command,
        }

    def stop_task(self, caller: Caller, params: Params) -> Response:
        """Stop one task; stopping a stopped one changes nothing."""
        cluster = self._core.cluster(caller, params.get("cluster"))
        task = self._find(caller, cluster, params["task"])
        if task is None:
            # Text: public issues.
            raise refusals.invalid_parameter("The referenced task was not found.")
        self._engine.stop(task, code="UserInitiated", reason=params.get("reason") or "Task stopped by user")
        return {"task": render(task, with_tags=True)}

    def describe_tasks(self, caller: Caller, params: Params) -> Response:
        """Describe up to 100 by id or ARN; unknown ones are failures."""
        names: list[str] = params["tasks"]
        if not names:
            raise refusals.invalid_parameter("Tasks cannot be empty.")
        if len(names) > MAX_DESCRIBE:
            raise refusals.invalid_parameter("Tasks cannot have more than 100 elements.")
        cluster = self._core.cluster(caller, params.get("cluster"))
        shown, failures = [], []
        for name in names:
            task = self._find(caller, cluster, name)
            if task is None:
                missing = name if name.startswith("arn:") else arn(caller, "task", cluster.name, name)
                failures.append({"arn": missing, "reason": "MISSING"})
                continue
            if task.last_status == "RUNNING":
                self._health.refresh_containers(task)
            shown.append(render(task, with_tags="TAGS" in (params.get("include") or ())))
        return {"tasks": shown, "failures": failures}

    def list_tasks(self, caller: Caller, params: Params) -> Response:
        """List task ARNs of a cluster whose desiredStatus is RUNNING (or the one asked for)."""
        cluster = self._core.cluster(caller, params.get("cluster"))
        scope = self._core.scope(caller)
        if params.get("daemonName"):
            raise refusals.unsupported("Daemons are not modelled by this stand-in of Amazon ECS.")
        filters = ("family", "serviceName", "startedBy", "containerInstance")
        if params.get("startedBy") and sum(1 for item in filters if params.get(item)) > 1:
            # botocore: startedBy must be the only filter.
            raise refusals.invalid_parameter("startedBy cannot be combined with another filter.")
        candidates: Iterable[Task] = scope.tasks.values()
        if params.get("serviceName"):
            service = find_service(scope, cluster, params["serviceName"])
            if service is None:
                raise refusals.service_not_found()
            both = [*service.live, *service.stopped]
            candidates = [scope.tasks[item] for item in both if item in scope.tasks]
        desired = params.get("desiredStatus") or "RUNNING"
        found = [
            task.arn
            for task in candidates
            if task.cluster_arn == cluster.arn
            and task.desired_status == desired
            and (
                not params.get("family")
                or last_segment(task.definition_arn).split(":")[0] == params["family"]
            )
            and (not params.get("startedBy") or task.started_by == params["startedBy"])
            and (not params.get("launchType") or task.launch_type == params["launchType"])
            and not params.get("containerInstance")
        ]
        arns, token = page(found, params)
        return {"taskArns": arns, **token}

    def update_task_protection(self, caller: Caller, params: Params) -> Response:
        """Protect service tasks from scale-in and deployments, or end it."""
        names: list[str] = params["tasks"]
        if not 1 <= len(names) <= MAX_PROTECT:
            raise refusals.invalid_parameter("tasks must have between 1 and 10 elements.")
        minutes = params.get("expiresInMinutes")
        if minutes is not None and not 1 <= minutes <= 2880:
            raise refusals.invalid_parameter("expiresInMinutes must be between 1 and 2880.")
        span = (minutes or DEFAULT_PROTECTION_MINUTES) * 60.0
        until = self._core.now() + span if params["protectionEnabled"] else 0.0
        found, failures = self._protectable(caller, params["cluster"], names)
        for task in list(found):
            if until and self._blocked(task):
                found.remove(task)
                failures.append({"arn": task.arn, "reason": "DEPLOYMENT_BLOCKED"})
                continue
            task.protected_until = until
            self._engine.on_change(task)
            if until:
                self._core.later(span, partial(self._engine.on_change, task))
        return {"protectedTasks": [self._protection(task) for task in found], "failures": failures}

    def get_task_protection(self, caller: Caller, params: Params) -> Response:
        """Tell the protection of tasks of services (of all tasks of the cluster if none are named)."""
        names = params.get("tasks")
        if names and len(names) > MAX_DESCRIBE:
            raise refusals.invalid_parameter("tasks cannot have more than 100 elements.")
        if not names:
            cluster = self._core.cluster(caller, params["cluster"])
            scope = self._core.scope(caller)
            names = [t.arn for t in scope.tasks.values() if t.cluster_arn == cluster.arn and t.service_arn]
        found, failures = self._protectable(caller, params["cluster"], names)
        return {"protectedTasks": [self._protection(task) for task in found], "failures": failures}

    def execute_command(self, caller: Caller, params: Params) -> Response:
        """Refuse: there is no shell in the stand-in's tasks."""
        cluster = self._core.cluster(caller, params.get("cluster"))
        task = self._find(caller, cluster, params["task"])
        if task is None:
            raise refusals.invalid_parameter("The referenced task was not found.")
        if not params["interactive"]:
            # botocore: only interactive sessions are supported.
            raise refusals.invalid_parameter("Interactive is the only mode supported currently.")
        names = [container.name for container in task.containers]
        if params.get("container") and params["container"] not in names:
            raise refusals.invalid_parameter(
                f"The container {params['container']} was not found in the referenced task."
            )
        if len(names) > 1 and not params.get("container"):
            # botocore: the name is needed where a task has several containers.
            raise refusals.invalid_parameter("A container name is required: the task has several containers.")
        if task.last_status != "RUNNING":
            raise refusals.invalid_parameter(
                "The execute command failed because your task is not in the running state."
            )
        if not task.enable_execute_command:
            # Text: public issues of ECS Exec.
            raise refusals.invalid_parameter(EXEC_DISABLED)
        raise AwsError(
            "TargetNotConnectedException",
            "The execute command failed due to an internal error: this stand-in of Amazon ECS has no shells.",
        )

    def _protectable(
        self, caller: Caller, cluster_name: str, names: list[str]
    ) -> tuple[list[Task], list[dict[str, str]]]:
        cluster = self._core.cluster(caller, cluster_name)
        found: list[Task] = []
        failures: list[dict[str, str]] = []
        for name in names:
            task = self._find(caller, cluster, name)
            missing = name if name.startswith("arn:") else arn(caller, "task", cluster.name, name)
            if task is None:
                failures.append({"arn": missing, "reason": "MISSING"})
            elif not task.service_arn or task.desired_status != "RUNNING":
                # botocore: a standalone task is a TASK_NOT_VALID failure.
                failures.append({"arn": task.arn, "reason": "TASK_NOT_VALID"})
            else:
                found.append(task)
        return found, failures

    def _blocked(self, task: Task) -> bool:
        """Tell whether protecting a task would leave its service with more protected tasks than it wants.

        ECS guide, "Task scale-in protection", deployment considerations: DEPLOYMENT_BLOCKED "means the
        service has more protected tasks than the desired count". That a renewal counts alike is assumed.
        """
        service = self._core.service(task.service_arn)
        if service is None:
            return False
        now = self._core.now()
        live = [other for other in map(self._core.task, service.live) if other is not None]
        others = sum(other.protected_until > now and other is not task for other in live)
        return others + 1 > service.desired_count

    def _protection(self, task: Task) -> dict[str, Any]:
        protected = task.protected_until > self._core.now()
        shown: dict[str, Any] = {"taskArn": task.arn, "protectionEnabled": protected}
        if protected:
            shown["expirationDate"] = task.protected_until
        return shown

    def _find(self, caller: Caller, cluster: Cluster, name_or_arn: str) -> Task | None:
        check_cluster(name_or_arn, cluster.name)
        found = self._core.scope(caller).tasks.get(
            arn(caller, "task", cluster.name, last_segment(name_or_arn))
        )
        return found if found is not None and same_resource(name_or_arn, found.arn) else None
