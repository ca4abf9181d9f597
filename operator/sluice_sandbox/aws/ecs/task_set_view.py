"""A task set as DescribeTaskSets shows it, and the counting of tasks that services share."""

from __future__ import annotations

from typing import Any

from sluice_sandbox.aws.ecs import tags
from sluice_sandbox.aws.ecs.core import Core
from sluice_sandbox.aws.ecs.state import Service, Task, TaskSet

PENDING = frozenset({"PROVISIONING", "PENDING", "ACTIVATING"})


class Counts:
    """How many tasks run and are pending."""

    __slots__ = ("pending", "running")

    def __init__(self) -> None:
        """Start at nothing."""
        self.pending = 0
        self.running = 0

    def add(self, task: Task) -> None:
        """Count one task by its lastStatus."""
        if task.last_status == "RUNNING":
            self.running += 1
        elif task.last_status in PENDING and task.desired_status == "RUNNING":
            self.pending += 1


def render(core: Core, service: Service, task_set: TaskSet, *, with_tags: bool) -> dict[str, Any]:
    """Return a task set in botocore's TaskSet shape."""
    counts = Counts()
    for task in filter(None, map(core.task, service.live)):
        if task.deployment_id == task_set.placed_as.id:
            counts.add(task)
    shown = {
        "id": task_set.placed_as.id,
        "taskSetArn": task_set.arn,
        "serviceArn": service.arn,
        "clusterArn": service.cluster_arn,
        "status": task_set.status,
        "computedDesiredCount": task_set.computed_count(service.desired_count),
        "pendingCount": counts.pending,
        "runningCount": counts.running,
        "createdAt": task_set.placed_as.created_at,
        "updatedAt": task_set.placed_as.updated_at,
        "scale": {"value": task_set.scale, "unit": "PERCENT"},
        "stabilityStatus": task_set.stability,
        "stabilityStatusAt": task_set.stability_at,
        **{key: value for key, value in task_set.placed_as.spec.items() if value is not None},
        "loadBalancers": task_set.placed_as.spec.get("loadBalancers", []),
        "serviceRegistries": task_set.placed_as.spec.get("serviceRegistries", []),
        "tags": tags.render(task_set.tags) if with_tags else [],
    }
    if task_set.external_id:
        shown["externalId"] = task_set.external_id
    return shown
