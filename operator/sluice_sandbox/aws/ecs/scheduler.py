"""The service scheduler: brings every service's tasks to what its deployments want.

A pass looks at one service, asks `rollout_plan` and acts. Passes are asked for by what happens (a
call, a task's change) and, while a service is not steady, by a watch timer; services at rest cost
one health reading per sweep, all of them together in one timer, and none without health checks.
"""

from __future__ import annotations

from functools import partial

from sluice_sandbox.aws.clock import Timer
from sluice_sandbox.aws.ecs.connected import disconnect
from sluice_sandbox.aws.ecs.core import Core
from sluice_sandbox.aws.ecs.deployments import DeploymentBook
from sluice_sandbox.aws.ecs.identity import last_segment, owner
from sluice_sandbox.aws.ecs.narration import Narrator
from sluice_sandbox.aws.ecs.native_rollout import NativeRollout
from sluice_sandbox.aws.ecs.placement import Placement
from sluice_sandbox.aws.ecs.rollout_plan import HEALTHY, STARTING, UNHEALTHY, Bounds, Plan, TaskFact, plan
from sluice_sandbox.aws.ecs.state import Deployment, Service, Task
from sluice_sandbox.aws.ecs.task_engine import TaskEngine
from sluice_sandbox.aws.ecs.task_health import HealthReader, Verdict
from sluice_sandbox.aws.ecs.task_moves import TaskMoves
from sluice_sandbox.aws.ecs.task_set_keeper import TaskSetKeeper
from sluice_sandbox.aws.ecs.traffic import same_groups


class Scheduler:
    """Runs passes over services."""

    def __init__(self, core: Core, book: DeploymentBook, engine: TaskEngine, narrator: Narrator) -> None:
        """Act through `engine` and `book`; hear of task changes from `engine`."""
        self._core = core
        self._book = book
        self._engine = engine
        self._narrator = narrator
        self._health = HealthReader(core)
        placement = Placement(core, engine)
        self._moves = TaskMoves(core, placement, engine, narrator)
        self._native = NativeRollout(core, book, self._moves, narrator)
        self._task_sets = TaskSetKeeper(core, placement, engine, narrator)
        self._due: dict[str, tuple[float, Timer]] = {}
        self._resting: dict[str, None] = {}
        self._sweeping = False
        engine.on_change = self._task_changed

    def touch(self, service_arn: str, *, delay: float = 0.0) -> None:
        """Ask for a pass over the service after `delay` seconds; an earlier one asked for stands."""
        when = self._core.now() + delay
        pending = self._due.get(service_arn)
        if pending is not None:
            if pending[0] <= when:
                return
            pending[1].cancel()
        self._due[service_arn] = (when, self._core.clock.call_at(when, partial(self._pass, service_arn)))

    def busy(self) -> bool:
        """Tell whether any pass is asked for: False when all services are at rest."""
        return bool(self._due)

    def touch_all_deploying(self) -> None:
        """Ask for a pass over every service with a deployment in progress."""
        for scope in self._core.state.scopes.values():
            for service in scope.services.values():
                if service.deployments and service.deployments[0].rollout_state == "IN_PROGRESS":
                    self.touch(service.arn)

    def _task_changed(self, task: Task) -> None:
        if not task.service_arn:
            return
        service = self._core.service(task.service_arn)
        if service is None:
            return
        if task.desired_status == "STOPPED" and task.last_status in {"DEACTIVATING", "STOPPING"}:
            service.steady = False
            self._count_failure(service, task)
        self.touch(task.service_arn)

    def _count_failure(self, service: Service, task: Task) -> None:
        """Count a task that ended before it was healthy (botocore, Deployment.failedTasks)."""
        by_hand = task.stop_code in {"ServiceSchedulerInitiated", "UserInitiated"}
        if task.settled or (by_hand and not task.stopped_reason.startswith("Task failed")):
            return
        task.settled = True
        deployment = next((item for item in service.deployments if item.id == task.deployment_id), None)
        if deployment is None:
            return
        settings = self._core.settings
        if task.started_at is None:
            deployment.impaired_starts += 1
        if deployment.rollout_state == "IN_PROGRESS" and deployment.status == "PRIMARY":
            deployment.failed_tasks += 1
            deployment.updated_at = self._core.now()
            record = self._book.record(service, deployment)
            if record is not None:
                record.failure_count = deployment.failed_tasks
        breaker = service.spec["deploymentConfiguration"].get("deploymentCircuitBreaker") or {}
        tries = self._book.threshold(service) if breaker.get("enable") else 3
        if deployment.impaired_starts >= tries:
            wait = settings.backoff_base_seconds * 2 ** min(deployment.impaired_starts - tries, 16)
            deployment.not_before = self._core.now() + min(wait, settings.backoff_cap_seconds)
            if self._narrator.say_once(
                service, "impaired", "is unable to consistently start tasks successfully."
            ):
                self._narrator.service_acted(service, "SERVICE_TASK_START_IMPAIRED", kind="WARN")

    def _pass(self, service_arn: str) -> None:
        self._due.pop(service_arn, None)
        service = self._core.service(service_arn)
        if service is None or service.status == "INACTIVE":
            self._resting.pop(service_arn, None)
            return
        if service.status == "DRAINING":
            self._drain(service)
            return
        if not service.deployments:
            self._keep_task_sets(service)
            return
        self._book.begin(service)
        tasks = self._wanted(service)
        verdicts = self._judge(service, tasks)
        if self._breaker_opens(service):
            trigger = "ECS deployment circuit breaker"
            self._book.fail(service, trigger=trigger, what="tasks failed to start")
            self.touch(service_arn)
            return
        primary = service.deployments[0]
        if self._native.drives(service):
            self._keep_native(service, tasks, verdicts)
            return
        chosen = self._plan(service, tasks, verdicts)
        by_arn = {task.arn: task for task in tasks}
        self._moves.stop(service, [(by_arn[arn], verdicts[arn]) for arn in chosen.stop])
        started = self._moves.start(service, primary, chosen.start)
        if chosen.blocked:
            self._narrator.say_once(
                service,
                "blocked",
                "was unable to stop or start tasks during a deployment because of the service deployment "
                "configuration. Update the minimumHealthyPercent or maximumPercent value and try again.",
            )
        if started or chosen.stop:
            service.steady = False
        self._settle(service, tasks, verdicts, idle=not (started or chosen.stop))
        self._watch(service, primary, blocked=chosen.blocked)

    def _keep_native(self, service: Service, tasks: list[Task], verdicts: dict[str, Verdict]) -> None:
        again = self._native.keep(service, tasks, verdicts)
        if again is not None:
            self.touch(service.arn, delay=again)
        # A long wait (a bake, a person) must not pass over tasks that become unhealthy meanwhile.
        self._rest(service, self._wanted(service))

    def _keep_task_sets(self, service: Service) -> None:
        tasks = self._wanted(service)
        service.steady = self._task_sets.keep(service, tasks, self._judge(service, tasks))
        if service.steady:
            self._rest(service, tasks)
        elif service.task_sets:
            self._resting.pop(service.arn, None)
            self.touch(service.arn, delay=self._core.settings.watch_seconds)

    def _watch(self, service: Service, primary: Deployment, *, blocked: bool) -> None:
        """Ask for the next look, where time alone can change something."""
        if service.steady:
            return
        if primary.rollout_state == "FAILED":
            self._rest(service, self._wanted(service))
            return
        self._resting.pop(service.arn, None)
        running = any(task.last_status == "RUNNING" for task in self._wanted(service))
        if blocked or running or "placement" in service.remarks:
            self.touch(service.arn, delay=self._core.settings.watch_seconds)
        elif primary.not_before > self._core.now():
            self.touch(service.arn, delay=primary.not_before - self._core.now())

    def _wanted(self, service: Service) -> list[Task]:
        return self._moves.wanted(service)

    def _judge(self, service: Service, tasks: list[Task]) -> dict[str, Verdict]:
        grace = float(service.spec.get("healthCheckGracePeriodSeconds") or 0)
        breaker = service.spec["deploymentConfiguration"].get("deploymentCircuitBreaker") or {}
        by_id = {deployment.id: deployment for deployment in service.deployments}
        verdicts = {}
        for task in tasks:
            verdict = verdicts[task.arn] = self._health.judge(task, grace_seconds=grace)
            deployment = by_id.get(task.deployment_id)
            if verdict.state == HEALTHY and not task.settled and deployment is not None:
                task.settled = True
                deployment.impaired_starts = 0
                deployment.not_before = 0.0
                self._narrator.forget(service, "impaired")
                if deployment.rollout_state == "IN_PROGRESS" and breaker.get("resetOnHealthyTask", True):
                    # botocore, DeploymentCircuitBreaker.resetOnHealthyTask: true by default.
                    deployment.failed_tasks = 0
                    record = self._book.record(service, deployment)
                    if record is not None:
                        record.failure_count = 0
        return verdicts

    def _breaker_opens(self, service: Service) -> bool:
        primary = service.deployments[0]
        breaker = service.spec["deploymentConfiguration"].get("deploymentCircuitBreaker") or {}
        return (
            bool(breaker.get("enable"))
            and primary.rollout_state == "IN_PROGRESS"
            and primary.failed_tasks >= self._book.threshold(service)
        )

    def _plan(self, service: Service, tasks: list[Task], verdicts: dict[str, Verdict]) -> Plan:
        primary = service.deployments[0]
        configuration = service.spec["deploymentConfiguration"]
        bounds = Bounds.of(
            service.desired_count,
            minimum_percent=configuration["minimumHealthyPercent"],
            maximum_percent=configuration["maximumPercent"],
        )
        now = self._core.now()
        aside = {item.id for item in service.deployments if not same_groups(item, primary)}
        facts = [
            TaskFact(
                arn=task.arn,
                primary=task.deployment_id == primary.id,
                # In the other group of a pair there is no traffic: such a task counts as little as a new one.
                state=STARTING if task.deployment_id in aside else verdicts[task.arn].state,
                protected=task.protected_until > now,
                zone=task.zone,
                created=task.created_at,
            )
            for task in tasks
        ]
        launching = primary.rollout_state != "FAILED" and primary.not_before <= now
        return plan(facts, bounds, launching=launching, replace_first=primary.rollout_state == "COMPLETED")

    def _settle(
        self, service: Service, tasks: list[Task], verdicts: dict[str, Verdict], *, idle: bool
    ) -> None:
        primary = service.deployments[0]
        live_by_deployment = {
            task.deployment_id for task in map(self._core.task, service.live) if task is not None
        }
        service.deployments = [
            item for item in service.deployments if item is primary or item.id in live_by_deployment
        ]
        for former in service.deployments[1:]:
            former.desired_count = sum(task.deployment_id == former.id for task in self._wanted(service))
        mine = [task for task in tasks if task.deployment_id == primary.id]
        healthy = sum(verdicts[task.arn].state == HEALTHY for task in mine)
        reached = idle and len(mine) == len(service.live) == healthy == service.desired_count
        if primary.rollout_state == "FAILED":
            return
        if primary.rollout_state == "IN_PROGRESS":
            early = self._early(service, healthy=healthy, others=len(service.live) - len(mine))
            if not (reached or early) or not self._book.baked(service):
                return
            self._book.complete(service)
        if not reached:
            return
        if not service.steady:
            service.steady = True
            service.remarks.clear()
            self._narrator.say(service, "has reached a steady state.")
            self._narrator.service_acted(service, "SERVICE_STEADY_STATE")
            if service.spec.get("capacityProviderStrategy"):
                self._narrator.service_acted(service, "CAPACITY_PROVIDER_STEADY_STATE")
        self._rest(service, mine)

    def _early(self, service: Service, *, healthy: int, others: int) -> bool:
        """Tell whether the early success criteria are met (botocore, DeploymentEarlySuccessCriteria)."""
        criteria = service.spec["deploymentConfiguration"].get("earlySuccessCriteria") or {}
        if not criteria.get("enable") or service.deployments[0].rolls_back:
            return False
        enough = healthy * 100 >= service.desired_count * criteria["healthyPercent"]
        return enough and (others == 0 or criteria["sourceServiceRevisionCleanup"] == "DEFERRED")

    def _rest(self, service: Service, tasks: list[Task]) -> None:
        if any(task.targets or any(c.health_check for c in task.containers) for task in tasks):
            self._resting[service.arn] = None
            self._sweep_later()

    def _sweep_later(self) -> None:
        if not self._sweeping:
            self._sweeping = True
            self._core.later(self._core.settings.sweep_seconds, self._sweep)

    def _sweep(self) -> None:
        self._sweeping = False
        for service_arn in list(self._resting):
            service = self._core.service(service_arn)
            if service is None or service.status != "ACTIVE":
                self._resting.pop(service_arn, None)
                continue
            grace = float(service.spec.get("healthCheckGracePeriodSeconds") or 0)
            tasks = self._wanted(service)
            if any(self._health.judge(task, grace_seconds=grace).state == UNHEALTHY for task in tasks):
                self.touch(service_arn)
        if self._resting:
            self._sweep_later()

    def _drain(self, service: Service) -> None:
        self._book.abandon(service)
        for task in self._wanted(service):
            self._engine.stop(
                task,
                code="ServiceSchedulerInitiated",
                reason=f"Scaling activity initiated by (deployment {task.deployment_id})",
            )
        # botocore, DeleteService: INACTIVE once all tasks are STOPPING or STOPPED.
        ending = {"STOPPING", "DEPROVISIONING", "STOPPED"}
        live = [task for task in map(self._core.task, service.live) if task is not None]
        if all(task.last_status in ending for task in live):
            self._core.later(
                self._core.settings.inactive_seconds, partial(self._retire, service.arn, service.created_at)
            )

    def _retire(self, service_arn: str, created_at: float) -> None:
        service = self._core.service(service_arn)
        if service is None or service.status != "DRAINING" or service.created_at != created_at:
            return
        service.status = "INACTIVE"
        service.deployments = []
        disconnect(self._core, service)
        self._core.later(
            self._core.settings.inactive_retention_seconds, partial(self._forget, service_arn, created_at)
        )

    def _forget(self, service_arn: str, created_at: float) -> None:
        scope = self._core.scope(owner(service_arn))
        service = scope.services.get(service_arn)
        if service is not None and service.status == "INACTIVE" and service.created_at == created_at:
            del scope.services[service_arn]

    def drop_from_cluster(self, service: Service) -> None:
        """Take a service that is being deleted off its cluster's list."""
        cluster = self._core.scope(owner(service.arn)).clusters.get(last_segment(service.cluster_arn))
        if cluster is not None:
            cluster.service_arns.pop(service.arn, None)
