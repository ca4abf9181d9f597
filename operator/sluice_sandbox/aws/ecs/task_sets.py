"""Task sets of services with the EXTERNAL controller: create, describe, scale, promote, delete."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from sluice_sandbox.aws.ecs import refusals, tags
from sluice_sandbox.aws.ecs.core import Core
from sluice_sandbox.aws.ecs.definitions import DefinitionCalls
from sluice_sandbox.aws.ecs.identity import arn, last_segment, number_id
from sluice_sandbox.aws.ecs.launch_rules import filled
from sluice_sandbox.aws.ecs.scheduler import Scheduler
from sluice_sandbox.aws.ecs.service_rules import ServiceRules, check_token, refuse_definition
from sluice_sandbox.aws.ecs.service_spec import choose_launch
from sluice_sandbox.aws.ecs.state import Cluster, Deployment, Service, TaskSet
from sluice_sandbox.aws.ecs.task_set_view import render
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

_MEMBERS = (
    "networkConfiguration",
    "loadBalancers",
    "serviceRegistries",
    "launchType",
    "capacityProviderStrategy",
    "platformVersion",
)
MAX_TASK_SETS = 5
"""ECS quotas: task sets per service."""


class TaskSetCalls:
    """The task-set operations."""

    def __init__(self, core: Core, definitions: DefinitionCalls, scheduler: Scheduler) -> None:
        """Work on `core`'s state."""
        self._core = core
        self._definitions = definitions
        self._scheduler = scheduler
        self._rules = ServiceRules(core)

    def operations(self) -> dict[str, Handler]:
        """Return the handlers by operation."""
        return {
            "CreateTaskSet": self.create_task_set,
            "DescribeTaskSets": self.describe_task_sets,
            "UpdateTaskSet": self.update_task_set,
            "UpdateServicePrimaryTaskSet": self.update_service_primary_task_set,
            "DeleteTaskSet": self.delete_task_set,
        }

    def create_task_set(self, caller: Caller, params: Params) -> Response:
        """Create an ACTIVE set at `scale` percent: 0 unless given (the AWS CLI's create-task-set example)."""
        cluster, service = self._service(caller, params)
        token = params.get("clientToken") or ""
        check_token(token)
        for known in service.task_sets.values():
            if token and known.client_token == token:
                return {"taskSet": render(self._core, service, known, with_tags=True)}
        if len(service.task_sets) >= MAX_TASK_SETS:
            raise AwsError("LimitExceededException", "A service can have at most 5 task sets.")
        definition = self._definitions.usable(caller, params["taskDefinition"], missing=refuse_definition)
        spec = {key: deepcopy(params[key]) for key in _MEMBERS if params.get(key) is not None}
        default = cluster.spec["defaultCapacityProviderStrategy"]
        if default and not spec.get("launchType") and not spec.get("capacityProviderStrategy"):
            # botocore, CreateTaskSetRequest.capacityProviderStrategy: the cluster's default.
            spec["capacityProviderStrategy"] = default
        if spec.get("capacityProviderStrategy"):
            spec["capacityProviderStrategy"] = filled(spec["capacityProviderStrategy"])
        choose_launch(spec, definition)
        self._rules.check(caller, spec, definition)
        spec["taskDefinition"] = definition.arn
        now = self._core.now()
        set_id = f"ecs-svc/{number_id(self._core.rng)}"
        made = TaskSet(
            arn=arn(caller, "task-set", cluster.name, service.name, set_id),
            placed_as=Deployment(
                id=set_id,
                status="ACTIVE",
                revision_arn="",
                service_deployment_arn="",
                spec=spec,
                desired_count=0,
                created_at=now,
                updated_at=now,
            ),
            scale=_percent(params.get("scale") or {}),
            external_id=params.get("externalId") or "",
            tags=tags.parse(params.get("tags")),
            client_token=token,
            stability_at=now,
        )
        service.task_sets[made.arn] = made
        self._scheduler.touch(service.arn)
        return {"taskSet": render(self._core, service, made, with_tags=True)}

    def describe_task_sets(self, caller: Caller, params: Params) -> Response:
        """Describe the sets named, or all; unknown ones are failures."""
        _, service = self._service(caller, params)
        names = params.get("taskSets") or list(service.task_sets)
        with_tags = "TAGS" in (params.get("include") or ())
        shown, failures = [], []
        for name in names:
            found = _find(service, name)
            if found is None:
                failures.append({"arn": name, "reason": "MISSING"})
            else:
                shown.append(render(self._core, service, found, with_tags=with_tags))
        return {"taskSets": shown, "failures": failures}

    def update_task_set(self, caller: Caller, params: Params) -> Response:
        """Scale one set."""
        _, service = self._service(caller, params)
        found = self._named(service, params["taskSet"])
        before = found.computed_count(service.desired_count)
        found.scale = _percent(params["scale"])
        if found.computed_count(service.desired_count) != before:
            # botocore, TaskSet.stabilityStatus: steady only while the running count is the computed one.
            found.stability, found.stability_at = "STABILIZING", self._core.now()
        return self._changed(service, found)

    def update_service_primary_task_set(self, caller: Caller, params: Params) -> Response:
        """Make one set the PRIMARY; what it fixes becomes the service's (botocore)."""
        _, service = self._service(caller, params)
        found = self._named(service, params["primaryTaskSet"])
        for other in service.task_sets.values():
            if other.status == "PRIMARY":
                other.status = "ACTIVE"
        found.status = "PRIMARY"
        service.spec.update(deepcopy(found.placed_as.spec))
        return self._changed(service, found)

    def delete_task_set(self, caller: Caller, params: Params) -> Response:
        """Drain a set; refused while it is scaled above zero unless forced, or PRIMARY (text from memory)."""
        _, service = self._service(caller, params)
        found = self._named(service, params["taskSet"])
        if found.computed_count(service.desired_count) > 0 and not params.get("force"):
            raise refusals.invalid_parameter("The task set cannot be deleted while it is scaled above 0.")
        if found.status == "PRIMARY" and len(service.task_sets) > 1:
            raise refusals.invalid_parameter("The primary task set cannot be deleted while others exist.")
        found.status = "DRAINING"
        found.scale = 0.0
        return self._changed(service, found)

    def _changed(self, service: Service, task_set: TaskSet) -> Response:
        task_set.placed_as.updated_at = self._core.now()
        self._scheduler.touch(service.arn)
        return {"taskSet": render(self._core, service, task_set, with_tags=False)}

    def _service(self, caller: Caller, params: Params) -> tuple[Cluster, Service]:
        cluster = self._core.cluster(caller, params["cluster"])
        name = last_segment(params["service"])
        service = self._core.scope(caller).services.get(arn(caller, "service", cluster.name, name))
        if service is None:
            raise refusals.service_not_found()
        if service.status != "ACTIVE":
            raise refusals.service_not_active()
        if service.spec["deploymentController"]["type"] != "EXTERNAL":
            # botocore: task sets are of the EXTERNAL controller (text from memory).
            raise refusals.invalid_parameter(
                "Task sets are only supported for services with the EXTERNAL deployment controller."
            )
        return cluster, service

    @staticmethod
    def _named(service: Service, name: str) -> TaskSet:
        found = _find(service, name)
        if found is None:
            raise AwsError("TaskSetNotFoundException", "The specified task set was not found.")
        return found


def _find(service: Service, name: str) -> TaskSet | None:
    for found in service.task_sets.values():
        if name in {found.arn, found.placed_as.id, last_segment(found.placed_as.id)}:
            return found
    return None


def _percent(scale: dict[str, Any]) -> float:
    value = float(scale.get("value", 0.0))
    if not 0.0 <= value <= 100.0:
        raise refusals.invalid_parameter("The scale value must be between 0 and 100.")
    return value
