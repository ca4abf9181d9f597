"""Is a task starting, running, healthy or unhealthy: what ECS makes of all its checks.

A task is healthy when its containers' health checks and all its targets pass. Failures within
healthCheckGracePeriodSeconds after its start do not count (botocore, CreateServiceRequest).
"""

from __future__ import annotations

from dataclasses import dataclass

from sluice_sandbox.aws.ecs.core import Core
from sluice_sandbox.aws.ecs.identity import owner
from sluice_sandbox.aws.ecs.registrations import Registrations
from sluice_sandbox.aws.ecs.rollout_plan import HEALTHY, RUNNING, STARTING, UNHEALTHY
from sluice_sandbox.aws.ecs.state import Container, Task

_PASSING = frozenset({"healthy", "unused", "unavailable"})
"""TargetHealth states that do not speak against a task: `unused` and `unavailable` mean that no
check runs (botocore elbv2, TargetHealth.Reason); that ECS reads them so is from memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a look at a task found."""

    state: str
    reason: str = ""
    """Of UNHEALTHY: the task's stoppedReason."""
    remark: str = ""
    """Of UNHEALTHY: the service event about it, without the service."""


class HealthReader:
    """Reads health from the runtime and the target groups."""

    def __init__(self, core: Core) -> None:
        """Read through `core`'s ports."""
        self._core = core
        self._registrations = Registrations(core)

    def judge(self, task: Task, *, grace_seconds: float) -> Verdict:
        """Return the task's state now; container health statuses are brought up to date."""
        if task.last_status != "RUNNING":
            return Verdict(state=STARTING)
        self.refresh_containers(task)
        in_grace = self._core.now() < (task.started_at or 0.0) + grace_seconds
        waiting = False
        for container in task.containers:
            if container.health_check is None or not container.essential:
                continue
            if container.health == "UNHEALTHY" and not in_grace:
                return Verdict(
                    state=UNHEALTHY,
                    reason="Task failed container health checks",
                    remark=f"(task {task.id}) failed container health checks.",
                )
            waiting = waiting or container.health != "HEALTHY"
        caller = owner(task.arn)
        for target in task.targets:
            health = self._core.ports.target_groups.health(
                caller, target.group_arn, ip=task.ip, port=target.port
            )
            if health is None or health.state not in _PASSING:
                if health is not None and health.state == "unhealthy" and not in_grace:
                    why = health.description or "Health checks failed"
                    return Verdict(
                        state=UNHEALTHY,
                        reason=f"Task failed ELB health checks in (target-group {target.group_arn})",
                        remark=f"(task {task.id}) (port {target.port}) is unhealthy in (target-group "
                        f"{target.group_arn}) due to (reason {why}).",
                    )
                waiting = True
        return Verdict(state=RUNNING if waiting else HEALTHY)

    def refresh_containers(self, task: Task) -> None:
        """Advance healthStatus as the containers' health commands would by now."""
        for container in task.containers:
            if container.health_check is not None and container.last_status == "RUNNING":
                self._refresh(task, container, container.health_check)
        if task.registrations:
            self._registrations.tell_health(task, status=self.overall(task))

    def _refresh(self, task: Task, container: Container, check: dict[str, int]) -> None:
        now, started = self._core.now(), task.started_at or self._core.now()
        interval = min(check.get("interval", 30), self._core.settings.container_interval_cap_seconds)
        answer = self._core.ports.runtime.container_health(task.arn, container.name)
        if answer == "UNHEALTHY":
            if container.unhealthy_since is None:
                container.unhealthy_since = now
            # botocore, HealthCheck: failures count after startPeriod, `retries` of them in a row.
            failing_since = max(container.unhealthy_since, started + check.get("startPeriod", 0))
            if now >= failing_since + check.get("retries", 3) * interval:
                container.health = "UNHEALTHY"
            return
        container.unhealthy_since = None
        # A check without a command of the image (UNKNOWN) passes: any image answers here.
        if now >= started + interval:
            container.health = "HEALTHY"

    @staticmethod
    def overall(task: Task) -> str:
        """Return Task.healthStatus: of the essential containers with a health check."""
        found = [c.health for c in task.containers if c.health_check is not None and c.essential]
        if "UNHEALTHY" in found:
            return "UNHEALTHY"
        return "HEALTHY" if found and all(item == "HEALTHY" for item in found) else "UNKNOWN"
