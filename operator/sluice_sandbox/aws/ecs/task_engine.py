"""The life of a task: PROVISIONING to RUNNING, and from there to STOPPED.

Every step is a timer of the world's clock that knows only the task's ARN. The order follows the ECS
developer guide, "Task lifecycle": targets are registered in ACTIVATING, deregistered in
DEACTIVATING (which waits out the drain), containers end in STOPPING, the ENI goes in DEPROVISIONING.
Who must know of a change (the service scheduler) is told by `on_change`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial

from sluice_sandbox.aws.ecs.addresses import Interfaces
from sluice_sandbox.aws.ecs.core import Core
from sluice_sandbox.aws.ecs.identity import owner
from sluice_sandbox.aws.ecs.narration import Narrator
from sluice_sandbox.aws.ecs.registrations import Registrations
from sluice_sandbox.aws.ecs.state import Service, Task
from sluice_sandbox.aws.ecs.task_view import render
from sluice_sandbox.aws.ports import ContainerLaunch, SubnetView, TaskLaunch

EXITED = "Essential container in task exited"


class TaskEngine:
    """Starts and stops tasks; knows nothing of services but their events."""

    def __init__(self, core: Core, narrator: Narrator) -> None:
        """Work on `core`'s state; state-change events go through `narrator`."""
        self._core = core
        self._narrator = narrator
        self.interfaces = Interfaces(core)
        self._registrations = Registrations(core)
        self.on_change: Callable[[Task], None] = lambda _task: None

    def launch(self, task: Task, subnet: SubnetView | None) -> None:
        """Keep the task and start its way to RUNNING, with an ENI in `subnet` (awsvpc)."""
        scope = self._core.scope(owner(task.arn))
        scope.tasks[task.arn] = task
        if task.service_arn:
            scope.services[task.service_arn].live[task.arn] = None
        if subnet is not None:
            self.interfaces.attach(task, subnet)
        self._enter(task, "PROVISIONING")
        self._core.later(self._core.settings.provisioning_seconds, partial(self._pull, task.arn))

    def stop(self, task: Task, *, code: str, reason: str) -> bool:
        """Want the task stopped and start its way to STOPPED; False when it already is on it."""
        if task.desired_status == "STOPPED":
            return False
        task.desired_status = "STOPPED"
        task.stop_code = code
        task.stopped_reason = reason
        task.stopping_at = self._core.now()
        self._registrations.deregister(task)
        drain = self._deregister(task)
        if drain > 0 and code != "EssentialContainerExited":
            self._enter(task, "DEACTIVATING")
            self._core.later(drain, partial(self._end_containers, task.arn))
        else:
            self._end_containers(task.arn)
        return True

    def _pull(self, arn: str) -> None:
        task = self._on_its_way(arn)
        if task is None:
            return
        caller = owner(arn)
        now = self._core.now()
        task.pull_started_at = now
        for container in task.containers:
            pull = self._core.ports.images.pull(caller, container.image)
            if pull.error:
                container.reason = pull.error
                # DescribeTasks shows both (ECS developer guide, "CannotPullContainer task errors").
                self.stop(task, code="TaskFailedToStart", reason=pull.error)
                return
            container.digest = container.digest or pull.digest
        task.connectivity_at = now
        self._enter(task, "PENDING")
        delay = self._core.settings.pending_seconds + self._core.ports.runtime.start_delay(
            self._launch_of(task)
        )
        self._core.later(delay, partial(self._start_containers, arn))

    def _start_containers(self, arn: str) -> None:
        task = self._on_its_way(arn)
        if task is None:
            return
        task.pull_stopped_at = self._core.now()
        for container in task.containers:
            container.runtime_id = f"{task.id}-{self._core.rng.randint(10**9, 10**10 - 1)}"
            container.last_status = "RUNNING"
        self._enter(task, "ACTIVATING")
        self._core.ports.runtime.start(self._launch_of(task), on_exit=self._exited)
        if task.desired_status == "RUNNING":
            self._core.later(self._core.settings.activating_seconds, partial(self._run, arn))

    def _run(self, arn: str) -> None:
        task = self._on_its_way(arn)
        if task is None:
            return
        task.started_at = self._core.now()
        self._register(task)
        self._registrations.register(task, self._service_of(task))
        self._enter(task, "RUNNING")

    def _exited(self, arn: str, container_name: str, exit_code: int) -> None:
        task = self._core.task(arn)
        if task is None or task.last_status == "STOPPED":
            return
        for container in task.containers:
            if container.name == container_name:
                container.last_status = "STOPPED"
                container.exit_code = exit_code
                if container.essential:
                    self.stop(task, code="EssentialContainerExited", reason=EXITED)

    def _end_containers(self, arn: str) -> None:
        task = self._core.task(arn)
        if task is None or task.last_status in {"STOPPING", "DEPROVISIONING", "STOPPED"}:
            return
        ran = task.pull_stopped_at is not None
        self._enter(task, "STOPPING")
        delay = self._core.settings.stopping_seconds if ran else 0.0
        self._core.later(delay, partial(self._deprovision, arn))

    def _deprovision(self, arn: str) -> None:
        task = self._core.task(arn)
        if task is None or task.last_status != "STOPPING":
            return
        self._core.ports.runtime.stop(arn)
        task.execution_stopped_at = self._core.now()
        for container in task.containers:
            if container.last_status == "RUNNING":
                container.exit_code = 0  # SIGTERM handled, as any well-behaved image does
            container.last_status = "STOPPED"
            container.health = "UNKNOWN" if container.health_check is None else container.health
        self._enter(task, "DEPROVISIONING")
        self._core.later(self._core.settings.deprovisioning_seconds, partial(self._stopped, arn))

    def _stopped(self, arn: str) -> None:
        task = self._core.task(arn)
        if task is None or task.last_status != "DEPROVISIONING":
            return
        self.interfaces.detach(task)
        task.stopped_at = self._core.now()
        service = self._core.service(task.service_arn) if task.service_arn else None
        if service is not None:
            service.live.pop(arn, None)
            service.stopped[arn] = None
        self._enter(task, "STOPPED")
        self._core.later(self._core.settings.stopped_retention_seconds, partial(self._forget, arn))

    def _forget(self, arn: str) -> None:
        task = self._core.scope(owner(arn)).tasks.pop(arn, None)
        service = self._core.service(task.service_arn) if task is not None and task.service_arn else None
        if service is not None:
            service.stopped.pop(arn, None)

    def _on_its_way(self, arn: str) -> Task | None:
        task = self._core.task(arn)
        return task if task is not None and task.desired_status == "RUNNING" else None

    def _enter(self, task: Task, status: str) -> None:
        task.last_status = status
        task.version += 1
        self._narrator.task_changed(task, render(task, with_tags=False))
        self.on_change(task)

    def _register(self, task: Task) -> None:
        groups: Counter[str] = Counter()
        for target in task.targets:
            if self._core.ports.target_groups.group(owner(task.arn), target.group_arn) is None:
                self._tell_missing(task, target.group_arn)
                continue
            self._core.ports.target_groups.register(
                owner(task.arn), target.group_arn, ip=task.ip, port=target.port, zone=task.zone
            )
            target.registered = True
            groups[target.group_arn] += 1
        self._tell_targets(task, "registered", groups)

    def _deregister(self, task: Task) -> float:
        """Deregister the task's targets; return how long the drain is waited for, seconds."""
        delay = 0.0
        groups: Counter[str] = Counter()
        for target in task.targets:
            if not target.registered:
                continue
            caller = owner(task.arn)
            group = self._core.ports.target_groups.group(caller, target.group_arn)
            if group is not None:
                delay = max(delay, group.deregistration_delay_seconds)
                groups[target.group_arn] += 1
            self._core.ports.target_groups.deregister(caller, target.group_arn, ip=task.ip, port=target.port)
            target.registered = False
        self._tell_targets(task, "deregistered", groups)
        service = self._service_of(task)
        if groups and service is not None:
            self._narrator.say_of_set(
                service, task.deployment_id, "has begun draining connections on 1 tasks."
            )
        return min(delay, self._core.settings.drain_cap_seconds)

    def _tell_targets(self, task: Task, verb: str, groups: Counter[str]) -> None:
        service = self._service_of(task)
        if service is not None:
            for group, number in groups.items():
                self._narrator.say(service, f"{verb} {number} targets in (target-group {group})")

    def _tell_missing(self, task: Task, group_arn: str) -> None:
        """Say that a target group is gone (form: aws/copilot-cli's tests; the error from memory)."""
        service = self._service_of(task)
        if service is not None:
            self._narrator.say_once(
                service,
                "registration",
                f"failed to register targets in (target-group {group_arn}) with (error The specified target "
                "group does not exist.)",
            )

    def _service_of(self, task: Task) -> Service | None:
        return self._core.service(task.service_arn) if task.service_arn else None

    def _launch_of(self, task: Task) -> TaskLaunch:
        definition = self._core.definition(task.definition_arn)
        overrides = {item.get("name"): item for item in task.overrides.get("containerOverrides") or ()}
        launches = []
        for container in definition.spec["containerDefinitions"]:
            override = overrides.get(container["name"], {})
            launches.append(
                ContainerLaunch(
                    name=container["name"],
                    image=container["image"],
                    ports=tuple(_ports(container["portMappings"])),
                    environment=_environment(container["environment"], override.get("environment") or ()),
                    essential=container["essential"],
                    command=tuple(override.get("command") or container.get("command") or ()),
                    health_command=tuple((container.get("healthCheck") or {}).get("command") or ()),
                )
            )
        service = self._service_of(task)
        return TaskLaunch(
            task_arn=task.arn,
            ip=task.ip,
            task_definition_arn=task.definition_arn,
            containers=tuple(launches),
            tags=(dict(service.tags) if service is not None else {}) | task.tags,
            service_name=service.name if service is not None else "",
        )


def _ports(mappings: Iterable[dict[str, int]]) -> list[int]:
    return [mapping["containerPort"] for mapping in mappings if "containerPort" in mapping]


def _environment(base: Iterable[dict[str, str]], extra: Iterable[dict[str, str]]) -> dict[str, str]:
    return {item["name"]: item.get("value", "") for item in (*base, *extra)}
