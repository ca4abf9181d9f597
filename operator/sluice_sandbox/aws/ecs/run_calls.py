"""RunTask and StartTask: tasks outside any service.

botocore, RunTaskRequest and StartTaskRequest; reasons of failures[] as the ECS developer guide lists
them ("API failure reasons"). Texts of refusals from public issues unless said otherwise.
"""

from __future__ import annotations

import json
import re
from copy import deepcopy
from typing import Any

from sluice_sandbox.aws.ecs import fargate, refusals, tags
from sluice_sandbox.aws.ecs.core import Core
from sluice_sandbox.aws.ecs.definitions import DefinitionCalls
from sluice_sandbox.aws.ecs.ebs_rules import check_volume_configurations
from sluice_sandbox.aws.ecs.identity import arn, last_segment
from sluice_sandbox.aws.ecs.launch_rules import check_launch, check_placement, launch_type_of
from sluice_sandbox.aws.ecs.placement import NO_CAPACITY, role_missing
from sluice_sandbox.aws.ecs.service_rules import ServiceRules, refuse_definition
from sluice_sandbox.aws.ecs.state import Cluster, Definition, Instance, Task
from sluice_sandbox.aws.ecs.task_engine import TaskEngine
from sluice_sandbox.aws.ecs.task_factory import make_task, resolved_platform
from sluice_sandbox.aws.ecs.task_view import render
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

MAX_RUN = 10
MAX_OVERRIDES = 8192
_STARTED_BY = re.compile(r"[A-Za-z0-9/_-]{1,128}")
_TOKEN = re.compile(r"[\x21-\x7e]{1,64}")
_EPHEMERAL_GIB = range(20, 201)
"""botocore, EphemeralStorage as an override."""


class RunCalls:
    """The two operations that start tasks."""

    def __init__(self, core: Core, definitions: DefinitionCalls, engine: TaskEngine) -> None:
        """Start tasks through `engine`."""
        self._core = core
        self._definitions = definitions
        self._engine = engine
        self._rules = ServiceRules(core)

    def operations(self) -> dict[str, Handler]:
        """Return the handlers by operation."""
        return {"RunTask": self.run_task, "StartTask": self.start_task}

    def run_task(self, caller: Caller, params: Params) -> Response:
        """Run 1 to 10 copies of a definition outside any service."""
        cluster = self._core.cluster(caller, params.get("cluster"))
        count = params.get("count")
        count = 1 if count is None else count
        if not 1 <= count <= MAX_RUN:
            raise refusals.invalid_parameter("count must be between 1 and 10.")
        definition = self._definitions.usable(caller, params["taskDefinition"], missing=refuse_definition)
        spec = self._launch_spec(caller, cluster, params, definition)
        chosen = self._check(caller, cluster, params, definition)
        repeated = self._repeated(caller, params)
        if repeated:
            return {"tasks": [render(task, with_tags=True) for task in repeated], "failures": []}
        launch = launch_type_of(spec)
        if launch != "FARGATE":
            return self._without_agents(caller, cluster, count)
        shown: list[dict[str, Any]] = []
        failures: list[dict[str, str]] = []
        for _ in range(count):
            provider = _next_provider(spec.get("capacityProviderStrategy") or [], len(shown) + len(failures))
            task = self._run_one(caller, cluster, definition, params, provider=provider, chosen=chosen)
            if task is None:
                reason = self._core.state.capacity.get(provider or "FARGATE") or NO_CAPACITY
                failures.append({"arn": cluster.arn, "reason": reason})
            else:
                shown.append(render(task, with_tags=True))
        return {"tasks": shown, "failures": failures}

    def start_task(self, caller: Caller, params: Params) -> Response:
        """Fail on every instance named: MISSING, or AGENT, since no instance here has an agent."""
        cluster = self._core.cluster(caller, params.get("cluster"))
        names: list[str] = params["containerInstances"]
        if not 1 <= len(names) <= MAX_RUN:
            raise refusals.invalid_parameter("containerInstances must have between 1 and 10 elements.")
        definition = self._definitions.usable(caller, params["taskDefinition"], missing=refuse_definition)
        if "EC2" not in definition.spec["compatibilities"]:
            raise refusals.invalid_parameter("Task definition does not support launch_type EC2.")
        self._check(caller, cluster, params, definition)
        known = {item.id: item.arn for item in self._instances(caller, cluster)}
        return {
            "tasks": [],
            "failures": [
                {"arn": known[last_segment(name)], "reason": "AGENT"}
                if last_segment(name) in known
                else {"arn": _instance_arn(caller, cluster, name), "reason": "MISSING"}
                for name in names
            ],
        }

    def _without_agents(self, caller: Caller, cluster: Cluster, count: int) -> Response:
        instances = self._instances(caller, cluster)
        if not instances:
            raise refusals.invalid_parameter("No Container Instances were found in your cluster.")
        return {"tasks": [], "failures": [{"arn": instances[0].arn, "reason": "AGENT"}] * count}

    def _instances(self, caller: Caller, cluster: Cluster) -> list[Instance]:
        return [
            item
            for item in self._core.scope(caller).instances.values()
            if item.cluster_arn == cluster.arn and item.status == "ACTIVE"
        ]

    # ------------------------------------------------------------------- checks

    def _launch_spec(
        self, caller: Caller, cluster: Cluster, params: Params, definition: Definition
    ) -> dict[str, Any]:
        members = ("launchType", "capacityProviderStrategy", "platformVersion")
        spec = {member: params[member] for member in members if params.get(member)}
        if not spec.get("launchType") and not spec.get("capacityProviderStrategy"):
            default = cluster.spec["defaultCapacityProviderStrategy"]
            asked = definition.spec.get("requiresCompatibilities") or []
            if default:
                spec["capacityProviderStrategy"] = default
            else:
                spec["launchType"] = "FARGATE" if "FARGATE" in asked else "EC2"
        check_launch(spec, definition, self._core.scope(caller))
        placed = spec | {
            member: params.get(member) for member in ("placementConstraints", "placementStrategy")
        }
        check_placement(placed, definition, of="task")
        return spec

    def _check(
        self, caller: Caller, cluster: Cluster, params: Params, definition: Definition
    ) -> dict[str, str]:
        """Refuse what AWS refuses; return the task's tags."""
        _check_words(params)
        overrides = params.get("overrides") or {}
        _check_overrides(overrides, definition)
        role = overrides.get("taskRoleArn") or definition.spec.get("taskRoleArn")
        if params.get("enableExecuteCommand") and not role:
            # Text: boto/boto3#3173.
            raise refusals.invalid_parameter(
                "The execute command failed because a valid task role is not being used. Specify a valid "
                "task role in your task definition or as a task override and try again."
            )
        self._rules.check_network(caller, params.get("networkConfiguration"), definition)
        check_volume_configurations(params.get("volumeConfigurations"), definition)
        chosen = tags.parse(params.get("tags"))
        if params.get("propagateTags") == "TASK_DEFINITION":
            chosen = definition.tags | chosen
        if params.get("enableECSManagedTags"):
            chosen = chosen | {"aws:ecs:clusterName": cluster.name}
        complaint = role_missing(self._core, definition, overrides)
        if complaint:
            raise refusals.client_exception(complaint)
        return chosen

    def _repeated(self, caller: Caller, params: Params) -> list[Task]:
        """Return the tasks that an earlier call with the same token started; refuse another call's token.

        botocore, RunTask: the token is to be used "with the original set of parameters".
        """
        token = params.get("clientToken") or ""
        tasks = self._core.scope(caller).tasks.values()
        repeated = [task for task in tasks if token and task.client_token == token]
        if any(task.request != params for task in repeated):
            raise AwsError(
                "ConflictException",
                "The RunTask request could not be processed due to conflicts.",
                members={"resourceIds": [task.arn for task in repeated]},
            )
        return repeated

    # -------------------------------------------------------------------- start

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
        task.request = deepcopy(dict(params)) if task.client_token else {}
        task.enable_execute_command = params.get("enableExecuteCommand", False)
        task.overrides = deepcopy(params.get("overrides") or {})
        _apply_overrides(task)
        task.volumes = deepcopy(params.get("volumeConfigurations") or [])
        task.tags = dict(chosen)
        self._engine.launch(task, subnet)
        return task


def _instance_arn(caller: Caller, cluster: Cluster, name: str) -> str:
    return name if name.startswith("arn:") else arn(caller, "container-instance", cluster.name, name)


def _next_provider(strategy: list[dict[str, Any]], placed: int) -> str:
    """Return the provider of the next of a call's tasks: base first, then by weight; '' without strategy."""
    if not strategy:
        return ""
    base = next((item for item in strategy if item.get("base")), None)
    if base is not None and placed < base["base"]:
        return last_segment(base["capacityProvider"])
    above = placed - (base["base"] if base is not None else 0)
    weighted = [item for item in strategy if item.get("weight", 0) > 0] or strategy[:1]
    turns = [item for item in weighted for _ in range(item.get("weight") or 1)]
    return last_segment(turns[above % len(turns)]["capacityProvider"])


def _apply_overrides(task: Task) -> None:
    overrides = task.overrides
    if overrides.get("cpu"):
        task.cpu = str(fargate.cpu_units(overrides["cpu"]))
    if overrides.get("memory"):
        task.memory = str(fargate.memory_mib(overrides["memory"]))
    storage = overrides.get("ephemeralStorage") or {}
    task.ephemeral_gib = storage.get("sizeInGiB", task.ephemeral_gib)
    by_name = {item.get("name"): item for item in overrides.get("containerOverrides") or ()}
    for container in task.containers:
        own = by_name.get(container.name, {})
        container.cpu = str(own.get("cpu", container.cpu))
        if own.get("memory") is not None:
            container.memory = str(own["memory"])
        if own.get("memoryReservation") is not None:
            container.memory_reservation = str(own["memoryReservation"])


def _check_words(params: Params) -> None:
    started_by, token = params.get("startedBy"), params.get("clientToken")
    if started_by is not None and not _STARTED_BY.fullmatch(started_by):
        raise refusals.invalid_parameter(
            "startedBy: up to 128 letters, numbers, hyphens, slashes, underscores."
        )
    if token is not None and not _TOKEN.fullmatch(token):
        raise refusals.invalid_parameter(
            "clientToken must be at most 64 ASCII characters in the range 33-126."
        )
    if (params.get("group") or "").startswith("service:"):
        raise refusals.invalid_parameter("The group cannot start with 'service:'.")
    if params.get("propagateTags") == "SERVICE":
        # botocore: an error if you specify SERVICE when running a task.
        raise refusals.invalid_parameter("propagateTags SERVICE is not supported for RunTask.")


def _check_overrides(overrides: dict[str, Any], definition: Definition) -> None:
    if len(json.dumps(overrides)) > MAX_OVERRIDES:
        # botocore: 8192 characters with the JSON's own.
        raise refusals.invalid_parameter("Overrides can have at most 8192 characters.")
    names = {container["name"] for container in definition.spec["containerDefinitions"]}
    for override in overrides.get("containerOverrides") or ():
        if override.get("name") not in names:
            raise refusals.invalid_parameter(
                f"Override for container named {override.get('name')} is not a container in the "
                "TaskDefinition."
            )
    cpu, memory = overrides.get("cpu"), overrides.get("memory")
    for member, text, value in (
        ("cpu", cpu, fargate.cpu_units(cpu or "")),
        ("memory", memory, fargate.memory_mib(memory or "")),
    ):
        if text and not value:
            raise refusals.invalid_parameter(f"Invalid '{member}' setting for task.")
    size = (
        fargate.cpu_units(cpu or definition.spec.get("cpu") or "") or 0,
        fargate.memory_mib(memory or definition.spec.get("memory") or "") or 0,
    )
    if (cpu or memory) and "FARGATE" in definition.spec["compatibilities"] and not fargate.runs(*size):
        raise refusals.client_exception("No Fargate configuration exists for given values.")
    storage = (overrides.get("ephemeralStorage") or {}).get("sizeInGiB")
    if storage is not None and storage not in _EPHEMERAL_GIB:
        raise refusals.invalid_parameter("Ephemeral storage size must be between 20 and 200 GiB.")
