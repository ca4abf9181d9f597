"""BLUE_GREEN, LINEAR and CANARY as ECS itself runs them: two revisions side by side, stage by stage.

A deployment walks `stages.path`. At each stop it does what the stage says (scales the new revision, moves
the weights of listener rules, waits), runs the stage's hooks, and goes on when all of it is done. Until
CLEAN_UP the revision that has production keeps all its tasks, so that a rollback is a change of weights.
What fails a deployment (hooks, circuit breaker, alarms, StopServiceDeployment) goes through `DeploymentBook`.
"""

from __future__ import annotations

from collections.abc import Mapping

from sluice_sandbox.aws.ecs.core import Core
from sluice_sandbox.aws.ecs.deployments import DeploymentBook
from sluice_sandbox.aws.ecs.hooks import WAITING, Hooks, complaint
from sluice_sandbox.aws.ecs.narration import Narrator
from sluice_sandbox.aws.ecs.rollout_plan import HEALTHY, UNHEALTHY
from sluice_sandbox.aws.ecs.stages import CLEAN_UP, RECONCILE, SCALE, SHIFT, TEST_SHIFT, Stop, path
from sluice_sandbox.aws.ecs.state import Deployment, NativeProgress, Service, ServiceDeployment, Task
from sluice_sandbox.aws.ecs.task_health import Verdict
from sluice_sandbox.aws.ecs.task_moves import TaskMoves

Verdicts = Mapping[str, Verdict]


class NativeRollout:
    """Drives native deployments; the scheduler calls it once per pass."""

    def __init__(self, core: Core, book: DeploymentBook, moves: TaskMoves, narrator: Narrator) -> None:
        """Act through `moves` and `book`; hooks that wait for a person are told through `narrator`."""
        self._core = core
        self._narrator = narrator
        self._book = book
        self._moves = moves
        self._hooks = Hooks(core)

    def drives(self, service: Service) -> bool:
        """Tell whether the service's PRIMARY is a native deployment on its way, or stuck on it."""
        primary = service.deployments[0]
        record = self._book.record(service, primary)
        return (
            record is not None
            and record.native is not None
            and not primary.rolls_back
            and primary.rollout_state != "COMPLETED"
        )

    def keep(self, service: Service, tasks: list[Task], verdicts: Verdicts) -> float | None:
        """Do what there is to do; return the seconds to the next look, None when only events matter.

        The scheduler must have found `drives` true.
        """
        primary = service.deployments[0]
        record = self._book.record(service, primary)
        if record is None or record.native is None:
            return None
        service.steady = False
        if primary.rollout_state == "FAILED":
            self._adjust(service, record, tasks, verdicts)
            return None
        moved = self._adjust(service, record, tasks, verdicts)
        if record.status == "ROLLBACK_REQUESTED":
            return self._core.settings.watch_seconds
        return self._walk(service, record, verdicts, moved=moved)

    def _walk(
        self, service: Service, record: ServiceDeployment, verdicts: Verdicts, *, moved: bool
    ) -> float | None:
        progress = record.native
        if progress is None:
            return None
        watch = self._core.settings.watch_seconds
        stops = path(record.configuration, sources=progress.sources)
        stop = stops[progress.at]
        if not progress.entered and not self._enter(service, record, stop):
            return watch
        here = [run for run in progress.hooks if run.at == progress.at]
        self._hooks.look(here)
        why = complaint(here)
        if why:
            self._book.fail(service, trigger="ECS deployment lifecycle hook", what=why, rollback=True)
            return 0.0
        waiting = [run.expires_at for run in here if run.status in WAITING]
        if moved or not self._done(service, stop, verdicts) or any(r.status == "IN_PROGRESS" for r in here):
            return watch
        now = self._core.now()
        due = min(waiting, default=progress.until)
        if waiting or now < due:
            return max(due - now, 0.0)
        self._next(service, progress, last=len(stops) - 1)
        return 0.0

    def _next(self, service: Service, progress: NativeProgress, *, last: int) -> None:
        if progress.at == last:
            self._book.complete(service)
            return
        progress.at += 1
        progress.entered = False

    def _enter(self, service: Service, record: ServiceDeployment, stop: Stop) -> bool:
        """Begin a stop: its traffic, its hooks, its clock. False when a rule could not be written."""
        progress = record.native
        if progress is None:
            return False
        primary = service.deployments[0]
        progress.stage = stop.stage
        if stop.stage == RECONCILE and not self._reconcile(service, record):
            return False
        if stop.stage == TEST_SHIFT and self._book.traffic.has_test_rule(primary):
            if not self._book.traffic.shift(service, primary, 100.0, test=True):
                return False
            progress.test, progress.tested = 100.0, True
        if stop.stage == SHIFT:
            if not self._book.traffic.shift(service, primary, stop.percent, test=False):
                return False
            progress.production = stop.percent
        settings, now = self._core.settings, self._core.now()
        bake = min(stop.bake_minutes * 60.0, settings.bake_cap_seconds)
        progress.until = now + max(settings.stage_seconds, bake)
        begun = self._hooks.begin(record, stop.stage, at=progress.at)
        progress.hooks += begun
        for hook in begun:
            if hook.kind == "PAUSE":
                self._narrator.hook_waits(service, record.arn, hook)
        progress.entered = True
        record.updated_at = now
        return True

    def _reconcile(self, service: Service, record: ServiceDeployment) -> bool:
        """Give all traffic to the revision that production belongs to, before the others go."""
        for deployment in service.deployments[1:]:
            if deployment.revision_arn == record.production_revision_arn:
                production = self._book.traffic.shift(service, deployment, 100.0, test=False)
                return self._book.traffic.shift(service, deployment, 100.0, test=True) and production
        return True

    def _done(self, service: Service, stop: Stop, verdicts: Verdicts) -> bool:
        primary = service.deployments[0]
        live = [task for task in map(self._core.task, service.live) if task is not None]
        if stop.stage == SCALE:
            return _healthy(primary, live, verdicts) >= service.desired_count
        if stop.stage == RECONCILE:
            record = self._book.record(service, primary)
            kept = {primary.revision_arn, record.production_revision_arn if record is not None else ""}
            return all(task.revision_arn in kept for task in live)
        if stop.stage == CLEAN_UP:
            mine = [task for task in live if task.deployment_id == primary.id]
            enough = _healthy(primary, live, verdicts) >= service.desired_count
            return enough and len(mine) == len(live) == service.desired_count
        return True

    def _adjust(
        self, service: Service, record: ServiceDeployment, tasks: list[Task], verdicts: Verdicts
    ) -> bool:
        """Bring each revision to the number of tasks that the stage gives it; tell whether anything moved."""
        now = self._core.now()
        stopping: list[tuple[Task, Verdict]] = []
        starting: list[tuple[Deployment, int]] = []
        known = {deployment.id for deployment in service.deployments}
        orphans = [task for task in tasks if task.deployment_id not in known]
        stopping += [(task, verdicts[task.arn]) for task in orphans if task.protected_until <= now]
        for deployment in service.deployments:
            mine = [task for task in tasks if task.deployment_id == deployment.id]
            want = self._want(service, record, deployment)
            deployment.desired_count = want
            sick = [task for task in mine if verdicts[task.arn].state == UNHEALTHY]
            well = [task for task in mine if verdicts[task.arn].state != UNHEALTHY]
            newest = sorted(well, key=lambda task: (task.created_at, task.arn), reverse=True)
            surplus = [task for task in newest if task.protected_until <= now][: max(0, len(well) - want)]
            stopping += [(task, verdicts[task.arn]) for task in [*sick, *surplus]]
            launching = deployment.rollout_state != "FAILED" and deployment.not_before <= now
            if launching and want > len(well):
                starting.append((deployment, want - len(well)))
        self._moves.stop(service, stopping)
        started = [self._moves.start(service, deployment, number) for deployment, number in starting]
        return bool(stopping or any(started))

    def _want(self, service: Service, record: ServiceDeployment, deployment: Deployment) -> int:
        progress = record.native
        if progress is None:
            return service.desired_count
        stops = path(record.configuration, sources=progress.sources)
        if deployment is service.deployments[0]:
            stuck = deployment.rollout_state == "FAILED"
            scale_at = next(index for index, stop in enumerate(stops) if stop.stage == SCALE)
            return service.desired_count if stuck or progress.at >= scale_at else 0
        if deployment.revision_arn != record.production_revision_arn:
            # It may still carry traffic until RECONCILE_SERVICE has moved it.
            return 0 if progress.at or progress.entered else service.desired_count
        cleaning = stops[progress.at].stage == CLEAN_UP and progress.entered
        return 0 if cleaning else service.desired_count


def _healthy(deployment: Deployment, live: list[Task], verdicts: Verdicts) -> int:
    return sum(
        task.deployment_id == deployment.id and task.arn in verdicts and verdicts[task.arn].state == HEALTHY
        for task in live
    )
