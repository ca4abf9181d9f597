"""CPUUtilization and MemoryUtilization of services in CloudWatch, from a small model of load.

AWS/ECS metrics by ClusterName and ServiceName ("Amazon ECS CloudWatch metrics" of the developer guide). A
service is under a load that is either fixed per task (10 % unless said otherwise) or a total that its
running tasks share. Samples are made only when somebody looks at metrics: one a minute and task since
the last look, at most a quarter of an hour back, by the tasks that run then.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from sluice_sandbox.aws.clock import Clock
from sluice_sandbox.aws.ecs.identity import last_segment, owner
from sluice_sandbox.aws.ecs.state import EcsState, Service
from sluice_sandbox.aws.ports import Metrics

MINUTE = 60
BACKLOG = 15
NAMESPACE = "AWS/ECS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Percent of what the tasks have reserved; more than 100 in total needs more than one task."""

    cpu: float = 10.0
    memory: float = 10.0
    shared: bool = False
    """The running tasks share it; otherwise it is each task's."""


class Utilization:
    """Publishes the utilization of all services of one ECS."""

    def __init__(self, clock: Clock, *, state: Callable[[], EcsState], metrics: Metrics) -> None:
        """Read the services from `state()` whenever `metrics` are looked at."""
        self._clock = clock
        self._state = state
        self._metrics = metrics
        self._loads: dict[str, Load] = {}
        self._published: dict[str, int] = {}
        """The newest minute published, by service ARN."""
        metrics.on_flush(self.publish)

    def set(self, service: str, load: Load | None) -> None:
        """Put a service, by ARN or `cluster/service`, under a load; None for the default again."""
        if load is None:
            self._loads.pop(_short(service), None)
        else:
            self._loads[_short(service)] = load

    def loads(self) -> dict[str, Load]:
        """Return the loads that were set, by `cluster/service`."""
        return dict(self._loads)

    def clear(self) -> None:
        """Forget the loads that were set, and what was published."""
        self._loads.clear()
        self._published.clear()

    def publish(self) -> None:
        """Publish what is pending."""
        minute = math.floor(self._clock.now() / MINUTE) * MINUTE
        for scope in self._state().scopes.values():
            for service in scope.services.values():
                if service.status != "ACTIVE":
                    self._published.pop(service.arn, None)
                    continue
                if self._published.get(service.arn) == minute:
                    continue
                running = sum(
                    1
                    for task_arn in service.live
                    if (task := scope.tasks.get(task_arn)) is not None and task.last_status == "RUNNING"
                )
                if running:
                    self._publish(service, running, minute)

    def _publish(self, service: Service, running: int, minute: int) -> None:
        before = self._published.get(service.arn, minute - MINUTE)
        first = max(before + MINUTE, minute - BACKLOG * MINUTE)
        self._published[service.arn] = minute
        load = self._loads.get(_short(service.arn), Load())
        share = running if load.shared else 1
        for at in range(first, minute + MINUTE, MINUTE):
            for metric, percent in (("CPUUtilization", load.cpu), ("MemoryUtilization", load.memory)):
                self._metrics.publish(
                    owner(service.arn),
                    namespace=NAMESPACE,
                    metric=metric,
                    dimensions={
                        "ClusterName": last_segment(service.cluster_arn),
                        "ServiceName": service.name,
                    },
                    values=[percent / share],
                    counts=[float(running)],
                    unit="Percent",
                    at=float(at),
                )


def _short(service: str) -> str:
    return "/".join(service.split("/")[-2:])
