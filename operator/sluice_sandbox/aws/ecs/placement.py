"""Where the next task goes: provider, subnet, and the reasons why it goes nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sluice_sandbox.aws.ecs.core import Core
from sluice_sandbox.aws.ecs.identity import owner
from sluice_sandbox.aws.ecs.launch_rules import launch_type_of
from sluice_sandbox.aws.ecs.state import Definition, Deployment, Service, Task
from sluice_sandbox.aws.ecs.task_engine import TaskEngine
from sluice_sandbox.aws.ecs.task_factory import task_of_service

NO_CAPACITY = (
    "Capacity is unavailable at this time. Please try again later or in a different availability zone"
)
"""ECS developer guide, service event messages: Fargate without capacity."""


def role_missing(core: Core, definition: Definition, overrides: dict[str, Any] | None = None) -> str:
    """Return ECS's complaint about a role of the task that IAM does not have, '' if none.

    Text: public issues. Trust policies are not read.
    """
    for member in ("taskRoleArn", "executionRoleArn"):
        role = (overrides or {}).get(member) or definition.spec.get(member) or ""
        if role.startswith("arn:") and not core.ports.estate.role_exists(role):
            return (
                f"ECS was unable to assume the role '{role}' that was provided for this task. Please verify "
                "that the role being passed has the proper trust relationship and permissions and that your "
                "IAM user has permissions to pass this role."
            )
    return ""


class Placement:
    """Places tasks of services."""

    def __init__(self, core: Core, engine: TaskEngine) -> None:
        """Start what it places through `engine`."""
        self._core = core
        self._engine = engine

    def place(self, service: Service, deployment: Deployment, beside: Sequence[Task]) -> Task | str:
        """Start one task of the deployment, or return the service event that says why not.

        `beside` are the service's wanted tasks: zones and providers are balanced against them.
        """
        if launch_type_of(deployment.spec) != "FARGATE":
            return self._no_instance(service)
        complaint = role_missing(self._core, self._core.definition(deployment.spec["taskDefinition"]))
        if complaint:
            return f"failed to launch a task with (error {complaint})."
        caller = owner(service.arn)
        provider = next_provider(deployment, beside)
        shortage = self._core.state.capacity.get(provider or "FARGATE")
        awsvpc = (deployment.spec.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}
        subnet = self._engine.interfaces.choose(caller, awsvpc.get("subnets") or [], beside)
        if shortage or subnet is None:
            return f"was unable to place a task. Reason: {shortage or NO_CAPACITY}."
        task = task_of_service(self._core, caller, service, deployment, provider=provider)
        self._engine.launch(task, subnet)
        return task

    def _no_instance(self, service: Service) -> str:
        """Say why no container instance takes a task: there is none, or none has an agent.

        Texts: ECS developer guide, "Service event messages".
        """
        instances = self._core.scope(owner(service.arn)).instances.values()
        closest = next(
            (i for i in instances if i.cluster_arn == service.cluster_arn and i.status == "ACTIVE"), None
        )
        said = "was unable to place a task because no container instance met all of its requirements. "
        if closest is None:
            return said + "Reason: No Container Instances were found in your cluster."
        return said + f'The closest matching container-instance {closest.id} encountered error "AGENT".'


def next_provider(deployment: Deployment, beside: Sequence[Task]) -> str:
    """Return the next task's capacity provider: base first, then by weight; '' without a strategy.

    botocore, CapacityProviderStrategyItem.
    """
    strategy: list[dict[str, Any]] = deployment.spec.get("capacityProviderStrategy") or []
    if not strategy:
        return ""
    counts = {item["capacityProvider"]: 0 for item in strategy}
    for task in beside:
        if task.deployment_id == deployment.id and task.capacity_provider in counts:
            counts[task.capacity_provider] += 1
    for item in strategy:
        if counts[item["capacityProvider"]] < item.get("base", 0):
            return str(item["capacityProvider"])
    weighted = [item for item in strategy if item.get("weight", 0) > 0] or strategy[:1]

    def share(item: dict[str, Any]) -> tuple[float, str]:
        provider = str(item["capacityProvider"])
        above_base = counts[provider] - int(item.get("base", 0))
        return (above_base + 1) / max(1, int(item.get("weight", 1))), provider

    return str(min(weighted, key=share)["capacityProvider"])
