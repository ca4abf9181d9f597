"""Tasks by hand: run, stop, describe, list, protect; ExecuteCommand is refused cleanly."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from typing import Any

from sluice_sandbox.aws.ecs import refusals, tags
from sluice_sandbox.aws.ecs.clusters import FARGATE_PROVIDERS, check_strategy
from sluice_sandbox.aws.ecs.core import Core
from sluice_sandbox.aws.ecs.definitions import DefinitionCalls
from sluice_sandbox.aws.ecs.identity import arn, last_segment
from sluice_sandbox.aws.ecs.paging import page
from sluice_sandbox.aws.ecs.placement import NO_CAPACITY, role_missing
from sluice_sandbox.aws.ecs.service_rules import PLATFORM_VERSIONS, ServiceRules, refuse_definition
from sluice_sandbox.aws.ecs.state import Cluster, Definition, Task
from sluice_sandbox.aws.ecs.task_engine import TaskEngine
from sluice_sandbox.aws.ecs.task_factory import make_task, resolved_platform
from sluice_sandbox.aws.ecs.task_health import HealthReader
from sluice_sandbox.aws.ecs.task_view import render
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

MAX_RUN = 10
MAX_DESCRIBE = 100
MAX_PROTECT = 10
"""botocore: RunTask count, DescribeTasks tasks, UpdateTaskProtection tasks."""
_STARTED_BY = re.compile(r"[A-Za-z0-9/_-]{1,128}")
DEFAULT_PROTECTION_MINUTES = 120
EXEC_DISABLED = (
    "The execute command failed because execute command was not enabled when the task was run or the execute "
    "command agent isn't running. Wait and try again or run a new task with execute command enabled and try "
    "again."
)


class TaskCalls:
    """The task operations."""

    def __init__(self, core: Core, definitions: DefinitionCalls, engine: TaskEngine) -> None:
        """Work on `core`'s state."""
        self._core = core
        self._definitions = definitions
        self._engine = engine
        self._rules = ServiceRules(core)
        self._health = HealthReader(core)

    def operations(self) -> dict[str, Handler]:
        """Return the handlers by operation."""
        return {
            "RunTask": self.run_task,
            "StopTask": self.stop_task,
            "DescribeTasks": self.describe_tasks,
            "ListTasks": self.list_tasks,
            "UpdateTaskProtection": self.update_task_protection,
            "GetTaskProtection": self.get_task_protection,
            "ExecuteCommand": self.execute_command,
        }

    def run_task(self, caller: Caller, params: Params) -> Response:
        """Run 1 to 10 copies of a definition outside any service."""
        cluster = self._core.cluster(caller, params.get("cluster"))
        count = params.get("count")
        count = 1 if count is None else count
        if not 1 <= count <= MAX_RUN:
            raise refusals.invalid_parameter("count must be between 1 and 10.")
        definition = self._definitions.usable(caller, params["taskDefinition"], missing=refuse_definition)
        launch, provider = self._launch(cluster, params, definition)
        _check_run(params, definition)
        self._rules.check_network(caller, params.get("networkConfiguration"), definition)
        chosen = tags.parse(params.get("tags"))
        if params.get("propagateTags") == "TASK_DEFINITION":
            chosen = definition.tags | chosen
        if params.get("enableECSManagedTags"):
            chosen = chosen | {"aws:ecs:clusterName": cluster.name}
        if launch != "FARGATE":
            # Text: public issues; the stand-in has no container instances.
            raise refusals.invalid_parameter("No Container Instances were found in your cluster.")
        complaint = role_missing(self._core, definition)
        if complaint:
            raise refusals.client_exception(complaint)
        scope = self._core.scope(caller)
        token = params.get("clientToken") or ""
        repeated = [task for task in scope.tasks.values() if token and task.client_token == token]
        if repeated:
            if any(last_segment(task.definition_arn) != last_segment(definition.arn) for task in repeated):
                raise AwsError(
                    "ConflictException",
                    "The RunTask request could not be processed due to conflicts.",
                    members={"resourceIds": [task.arn for task in repeated]},
                )
            return {"tasks": [render(task, with_tags=True) for task in repeated], "failures": []}
        shown: list[dict[str, Any]] = []
        failures: list[dict[str, str]] = []
        for _ in range(count):
            task = self._run_one(caller, cluster, definition, params, provider=provider, chosen=chosen)
            if task is None:
                reason = self._core.state.capacity.get(provider or "FARGATE") or NO_CAPACITY
                failures.append({"arn": cluster.arn, "reason": reason})
            else:
                shown.append(render(task, with_tags=True))
        return {"tasks": shown, "failures": failures}

    def _run_one(
        self,
        caller: Caller,
        cluster: Cluster,
        definition: Definition,
        params: Params,
        *,
        provider: str,
        chosen: dict[str, str],
    ) -> Task | None:
        scope = self._core.scope(caller)
        if (provider or "FARGATE") in self._core.state.capacity:
            return None
        awsvpc = params["networkConfiguration"]["awsvpcConfiguration"]
        alone = [
            task for task in scope.tasks.values() if not task.service_arn and task.desired_status == "RUNNING"
        ]
        subnet = self._engine.interfaces.choose(caller, awsvpc["subnets"], alone)
        if subnet is None:
            return None
        task = make_task(
            self._core,
            caller,
            cluster,
            definition,
            launch_type="FARGATE",
            group=params.get("group") or f"family:{definition.family}",
        )
        task.capacity_provider = provider
        task.platform_version = resolved_platform(params.get("platformVersion"))
        task.started_by = params.get("startedBy") or ""
        task.client_token = params.get("clientToken") or ""
        task.enable_execute_command = params.get("enableExecuteCommand", False)
        task.overrides = params.get("overrides") or {}
        task.cpu = task.overrides.get("cpu") or task.cpu
        task.memory = task.overrides.get("memory") or task.memory
        task.tags = dict(chosen)
        self._engine.launch(task, subnet)
        return task

    @staticmethod
    def _launch(cluster: Cluster, params: Params, definition: Definition) -> tuple[str, str]:
        """Return launch type and capacity provider ('' without a strategy)."""
        launch, strategy = params.get("launchType"), params.get("capacityProviderStrategy") or []
        if launch and strategy:
            raise refusals.invalid_parameter(
                "Specifying both a launch type and capacity provider strategy is not supported. "
                "Remove one and try again."
            )
        if not launch and not strategy:
            strategy = cluster.spec["defaultCapacityProviderStrategy"]
        if strategy:
            check_strategy(strategy)
            heaviest = max(strategy, key=lambda item: (item.get("base", 0), item.get("weight", 0)))[
                "capacityProvider"
            ]
            if heaviest not in FARGATE_PROVIDERS:
                raise refusals.invalid_parameter(
                    f"The specified capacity provider '{heaviest}' was not found."
                )
            launch, provider = "FARGATE", str(heaviest)
        else:
            asked = definition.spec.get("requiresCompatibilities") or []
            launch, provider = launch or ("FARGATE" if "FARGATE" in asked else "EC2"), ""
        if launch not in definition.spec["compatibilities"]:
            raise refusals.invalid_parameter(f"Task definition does not support launch_type {launch}.")
        return launch, provider

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
        filters = ("family", "serviceName", "startedBy", "containerInstance")
        if params.get("startedBy") and sum(1 for item in filters if params.get(item)) > 1:
            # botocore: startedBy must be the only filter.
            raise refusals.invalid_parameter("startedBy cannot be combined with another filter.")
        candidates: Iterable[Task] = scope.tasks.values()
        if params.get("serviceName"):
            name = last_segment(params["serviceName"])
            service = scope.services.get(arn(caller, "service", cluster.name, name))
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
        for task in found:
            task.protected_until = until
            self._engine.on_change(task)
            if until:
                self._core.later(span, partial(self._engine.on_change, task))
        return {"protectedTasks": [self._protection(task) for task in found], "failures": failures}

    def get_task_protection(self, caller: Caller, params: Params) -> Response:
        """Tell the protection of tasks of services (of all tasks of the cluster if none are named)."""
        names = params.get("tasks")
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

    def _protection(self, task: Task) -> dict[str, Any]:
        protected = task.protected_until > self._core.now()
        shown: dict[str, Any] = {"taskArn": task.arn, "protectionEnabled": protected}
        if protected:
            shown["expirationDate"] = task.protected_until
        return shown

    def _find(self, caller: Caller, cluster: Cluster, name_or_arn: str) -> Task | None:
        found = self._core.scope(caller).tasks.get(
            arn(caller, "task", cluster.name, last_segment(name_or_arn))
        )
        if found is not None and name_or_arn.startswith("arn:") and found.arn != name_or_arn:
            return None
        return found


def _check_run(params: Params, definition: Definition) -> None:
    started_by = params.get("startedBy")
    if started_by is not None and not _STARTED_BY.fullmatch(started_by):
        raise refusals.invalid_parameter(
            "startedBy: up to 128 letters, numbers, hyphens, slashes, underscores."
        )
    if (params.get("group") or "").startswith("service:"):
        raise refusals.invalid_parameter("The group cannot start with 'service:'.")
    if params.get("propagateTags") == "SERVICE":
        # botocore: an error if you specify SERVICE when running a task.
        raise refusals.invalid_parameter("propagateTags SERVICE is not supported for RunTask.")
    platform = params.get("platformVersion")
    if platform and platform not in PLATFORM_VERSIONS:
        raise AwsError("PlatformUnknownException", "The specified platform does not exist.")
    names = {container["name"] for container in definition.spec["containerDefinitions"]}
    for override in (params.get("overrides") or {}).get("containerOverrides") or ():
        if override.get("name") not in names:
            # Text: public issues.
            raise refusals.invalid_parameter(
                f"Override for container named {override.get('name')} is not a container in the "
                "TaskDefinition."
            )
