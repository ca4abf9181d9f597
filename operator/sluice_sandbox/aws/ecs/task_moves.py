"""Starting and stopping tasks of a service, with the events that ECS tells of both."""

from __future__ import annotations

from collections.abc import Sequence

from sluice_sandbox.aws.ecs.core import Core
from sluice_sandbox.aws.ecs.narration import Narrator, mention
from sluice_sandbox.aws.ecs.placement import Placement
from sluice_sandbox.aws.ecs.rollout_plan import UNHEALTHY
from sluice_sandbox.aws.ecs.state import Deployment, Service, Task
from sluice_sandbox.aws.ecs.task_engine import TaskEngine
from sluice_sandbox.aws.ecs.task_health import Verdict


class TaskMoves:
    """The two moves of the schedulers."""

    def __init__(self, core: Core, placement: Placement, engine: TaskEngine, narrator: Narrator) -> None:
        """Act through `placement` and `engine`."""
        self._core = core
        self._placement = placement
        self._engine = engine
        self._narrator = narrator

    def wanted(self, service: Service) -> list[Task]:
        """Return the service's tasks that shall run."""
        found = (self._core.task(arn) for arn in service.live)
        return [task for task in found if task is not None and task.desired_status == "RUNNING"]

    def stop(self, service: Service, tasks: Sequence[tuple[Task, Verdict]]) -> None:
        """Stop tasks: the unhealthy ones with what is wrong with them, the others as a scaling activity."""
        stopped = []
        for task, verdict in tasks:
            reason = f"Scaling activity initiated by (deployment {service.deployments[0].id})"
            if verdict.state == UNHEALTHY:
                reason = verdict.reason
                self._narrator.say(service, verdict.remark)
            stopped.append((task, reason))
        if stopped:
            gone = [task for task, _ in stopped]
            self._narrator.say(service, f"has stopped {len(stopped)} running tasks: {mention(gone)}.")
            self._narrator.service_acted(service, "TASKS_STOPPED")
        for task, reason in stopped:
            self._engine.stop(task, code="ServiceSchedulerInitiated", reason=reason)

    def start(self, service: Service, deployment: Deployment, number: int) -> int:
        """Start up to `number` tasks of a deployment; return how many could be placed."""
        beside = self.wanted(service)
        started: list[Task] = []
        for _ in range(number):
            task = self._placement.place(service, deployment, beside)
            if isinstance(task, str):
                if self._narrator.say_once(service, "placement", task):
                    self._tell_failure(service, task)
                break
            beside.append(task)
            started.append(task)
        if started:
            self._narrator.forget(service, "placement")
            self._narrator.say(service, f"has started {len(started)} tasks: {mention(started)}.")
        return len(started)

    def _tell_failure(self, service: Service, why: str) -> None:
        """Emit the service action of a task that was not placed (ECS developer guide, its examples)."""
        if "unable to assume the role" in why:
            self._narrator.service_acted(
                service, "SERVICE_TASK_CONFIGURATION_FAILURE", kind="ERROR", reason=why
            )
            return
        place = "FARGATE" if service.spec.get("platformFamily") else "CPU"
        self._narrator.service_acted(
            service, "SERVICE_TASK_PLACEMENT_FAILURE", kind="ERROR", reason=f"RESOURCE:{place}"
        )
