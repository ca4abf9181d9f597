"""Keeps the task sets of an EXTERNAL service at their computed desired counts.

A task set is placed like a deployment; nothing rolls: whoever owns the deployment scales the sets
(botocore, TaskSet). Unhealthy tasks are replaced, and stability is told per set.
"""

from __future__ import annotations

from collections.abc import Mapping

from sluice_sandbox.aws.ecs.core import Core
from sluice_sandbox.aws.ecs.narration import Narrator, mention
from sluice_sandbox.aws.ecs.placement import Placement
from sluice_sandbox.aws.ecs.rollout_plan import HEALTHY, UNHEALTHY
from sluice_sandbox.aws.ecs.state import Service, Task, TaskSet
from sluice_sandbox.aws.ecs.task_engine import TaskEngine
from sluice_sandbox.aws.ecs.task_health import Verdict


class TaskSetKeeper:
    """Starts and stops tasks of task sets."""

    def __init__(self, core: Core, placement: Placement, engine: TaskEngine, narrator: Narrator) -> None:
        """Act through `placement` and `engine`."""
        self._core = core
        self._placement = placement
        self._engine = engine
        self._narrator = narrator

    def keep(self, service: Service, wanted: list[Task], verdicts: Mapping[str, Verdict]) -> bool:
        """Do what is missing of every set; tell whether all of them are steady."""
        steady = True
        for task_set in list(service.task_sets.values()):
            mine = [task for task in wanted if task.deployment_id == task_set.placed_as.id]
            changed = self._adjust(service, task_set, mine, verdicts)
            if task_set.status == "DRAINING" and not self._live(service, task_set):
                del service.task_sets[task_set.arn]
                continue
            reached = (
                not changed
                and len(mine) == task_set.computed_count(service.desired_count)
                and all(verdicts[task.arn].state == HEALTHY for task in mine)
                and len(self._live(service, task_set)) == len(mine)
            )
            self._tell(service, task_set, "STEADY_STATE" if reached else "STABILIZING")
            steady = steady and reached
        return steady

    def _adjust(
        self, service: Service, task_set: TaskSet, mine: list[Task], verdicts: Mapping[str, Verdict]
    ) -> bool:
        target = task_set.computed_count(service.desired_count)
        sick = [task for task in mine if verdicts[task.arn].state == UNHEALTHY]
        well = [task for task in mine if task not in sick]
        surplus = sorted(well, key=lambda task: (task.created_at, task.arn))[target:]
        if sick or surplus:
            gone = [*sick, *surplus]
            self._narrator.say(service, f"has stopped {len(gone)} running tasks: {mention(gone)}.")
        for task in sick:
            self._narrator.say(service, verdicts[task.arn].remark)
            self._engine.stop(task, code="ServiceSchedulerInitiated", reason=verdicts[task.arn].reason)
        for task in surplus:
            reason = f"Scaling activity initiated by (deployment {task_set.placed_as.id})"
            self._engine.stop(task, code="ServiceSchedulerInitiated", reason=reason)
        started: list[Task] = []
        while len(well) + len(started) < target:
            placed = self._placement.place(service, task_set.placed_as, [*well, *started])
            if isinstance(placed, str):
                self._narrator.say_once(service, "placement", placed)
                break
            started.append(placed)
        if started:
            self._narrator.forget(service, "placement")
            text = f"has started {len(started)} tasks: {mention(started)}."
            self._narrator.say_of_set(service, task_set.placed_as.id, text)
        return bool(sick or surplus or started)

    def _live(self, service: Service, task_set: TaskSet) -> list[Task]:
        found = (self._core.task(arn) for arn in service.live)
        return [task for task in found if task is not None and task.deployment_id == task_set.placed_as.id]

    def _tell(self, service: Service, task_set: TaskSet, stability: str) -> None:
        if task_set.stability == stability:
            return
        task_set.stability = stability
        task_set.stability_at = self._core.now()
        if stability == "STEADY_STATE":
            self._narrator.say_of_set(service, task_set.placed_as.id, "has reached a steady state.")
            self._narrator.service_acted(service, "TASKSET_STEADY_STATE")
