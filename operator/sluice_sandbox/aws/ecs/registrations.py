"""Tasks in Cloud Map: registered when they run, with ECS's attributes, and gone when they stop.

The instance id is the task's id; attributes as the ECS developer guide ("Service discovery") and
public DiscoverInstances outputs show them. Tasks with a container health check begin as UNHEALTHY and
follow their healthStatus (custom health); the others are healthy at once.
"""

from __future__ import annotations

from sluice_sandbox.aws.ecs.core import Core
from sluice_sandbox.aws.ecs.identity import last_segment, owner
from sluice_sandbox.aws.ecs.state import Service, Task


class Registrations:
    """Registers and deregisters tasks; does nothing in a world without Cloud Map."""

    def __init__(self, core: Core) -> None:
        """Speak to Cloud Map through `core`'s ports."""
        self._core = core

    def register(self, task: Task, service: Service | None) -> None:
        """Register the task wherever its deployment says."""
        registries = self._core.ports.registries
        if registries is None:
            return
        for item in task.registrations:
            view = registries.service(owner(task.arn), item.arn)
            attributes = self._attributes(
                task, service, custom_health=view is not None and view.custom_health
            )
            if item.port is not None:
                attributes["AWS_INSTANCE_PORT"] = str(item.port)
            registries.register(owner(task.arn), item.arn, instance_id=task.id, attributes=attributes)
            item.registered = True

    def deregister(self, task: Task) -> None:
        """Take the task out of Cloud Map."""
        registries = self._core.ports.registries
        for item in task.registrations:
            if item.registered and registries is not None:
                registries.deregister(owner(task.arn), item.arn, instance_id=task.id)
            item.registered = False

    def tell_health(self, task: Task, *, status: str) -> None:
        """Pass a changed healthStatus on as custom health; UNKNOWN is none."""
        registries = self._core.ports.registries
        if registries is None or status in {task.told_health, "UNKNOWN"}:
            return
        for item in task.registrations:
            if item.registered:
                task.told_health = status
                registries.set_health(
                    owner(task.arn), item.arn, instance_id=task.id, healthy=status == "HEALTHY"
                )

    @staticmethod
    def _attributes(task: Task, service: Service | None, *, custom_health: bool) -> dict[str, str]:
        _, _, _, region, _, _ = task.arn.split(":", 5)
        checked = any(container.health_check is not None for container in task.containers)
        attributes = {
            "AVAILABILITY_ZONE": task.zone,
            "AWS_INSTANCE_IPV4": task.ip,
            "ECS_CLUSTER_NAME": last_segment(task.cluster_arn),
            "ECS_SERVICE_NAME": service.name if service is not None else "",
            "ECS_TASK_DEFINITION_FAMILY": last_segment(task.definition_arn).split(":")[0],
            "REGION": region,
        }
        if custom_health:
            # botocore servicediscovery, RegisterInstanceRequest.Attributes: for custom health only.
            attributes["AWS_INIT_HEALTH_STATUS"] = "UNHEALTHY" if checked else "HEALTHY"
        for task_set in service.task_sets.values() if service is not None else ():
            if task_set.placed_as.id == task.deployment_id and task_set.external_id:
                # botocore, CreateTaskSetRequest.externalId.
                attributes["ECS_TASK_SET_EXTERNAL_ID"] = task_set.external_id
        return attributes
