"""Where containers run: in this process, as endpoints of the network and timers of the clock.

Implements the `TaskRuntime` port of ECS. A container listens on its ports from its start until it
exits, crashes or is stopped; exits are told to ECS on the clock, never from inside `start`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sluice_sandbox.aws.clock import Clock, Timer
from sluice_sandbox.aws.ports import ContainerLaunch, TaskLaunch
from sluice_sandbox.dataplane.behaviour import CRASH_CODE, Behaviour, ImageRule, behaviour, tag_of
from sluice_sandbox.dataplane.endpoint import Endpoint
from sluice_sandbox.dataplane.network import TaskNetwork

ROLE_TAG = "sluice.dev/role"
_SLOTS = ("slot-a", "slot-b")

OnExit = Callable[[str, str, int], None]


@dataclass(slots=True)
class _Container:
    launch: ContainerLaunch
    behaviour: Behaviour
    by_hand: dict[str, str] = field(default_factory=dict)
    endpoints: list[Endpoint] = field(default_factory=list)
    timer: Timer | None = None
    running: bool = True


@dataclass(slots=True)
class _Task:
    launch: TaskLaunch
    on_exit: OnExit
    containers: dict[str, _Container]


class InProcessRuntime:
    """Runs tasks as endpoints; `rules` and `change` are how faults reach running containers."""

    def __init__(self, clock: Clock, network: TaskNetwork, *, rng: random.Random) -> None:
        """Start with no tasks; failing answers are drawn from a generator seeded by `rng`."""
        self._clock = clock
        self._network = network
        self._rng = random.Random(rng.getrandbits(64))
        self._rules: list[ImageRule] = []
        self._tasks: dict[str, _Task] = {}

    def start_delay(self, launch: TaskLaunch) -> float:
        """Return the longest SANDBOX_START_DELAY_S of the task's containers, in seconds."""
        return max((self._behaviour(item).start_delay_seconds for item in launch.containers), default=0.0)

    def start(self, launch: TaskLaunch, *, on_exit: OnExit) -> None:
        """Start all containers; a task that runs already is a ValueError."""
        if launch.task_arn in self._tasks:
            raise ValueError(f"task {launch.task_arn} is running already")
        task = _Task(launch, on_exit, {})
        self._tasks[launch.task_arn] = task
        for item in launch.containers:
            container = _Container(item, self._behaviour(item))
            task.containers[item.name] = container
            if container.behaviour.exit_code is not None:
                container.timer = self._clock.call_later(
                    0.0, partial(self._exit, launch.task_arn, item.name, container.behaviour.exit_code)
                )
                continue
            for port in item.ports:
                self._listen(task, container, port)
            self._arm_crash(task, container)

    def stop(self, task_arn: str) -> None:
        """End a task's containers without `on_exit`; answers under way may still be given."""
        task = self._tasks.pop(task_arn, None)
        if task is None:
            return
        for container in task.containers.values():
            self._end(container, crashed=False)

    def container_health(self, task_arn: str, container_name: str) -> str:
        """Return what the container's health command would find; UNKNOWN without one."""
        task = self._tasks.get(task_arn)
        container = task.containers.get(container_name) if task is not None else None
        if container is None or not container.launch.health_command:
            return "UNKNOWN"
        return "UNHEALTHY" if container.behaviour.unhealthy or not container.running else "HEALTHY"

    def rules(self) -> list[ImageRule]:
        """Return the image rules in force; a later one wins over an earlier."""
        return list(self._rules)

    def set_rules(self, rules: list[ImageRule]) -> None:
        """Replace the image rules; running containers follow at once."""
        self._rules = list(rules)
        for task in self._tasks.values():
            for container in task.containers.values():
                self._refresh(task, container)

    def change(self, task_arn: str, container_name: str, variables: Mapping[str, str]) -> None:
        """Set `SANDBOX_*` variables of one running container by hand; KeyError when it is not there."""
        task = self._tasks[task_arn]
        container = task.containers[container_name]
        container.by_hand |= variables
        self._refresh(task, container)

    def crash(self, task_arn: str, container_name: str, *, exit_code: int = CRASH_CODE) -> None:
        """Crash one running container now; KeyError when it is not there."""
        container = self._tasks[task_arn].containers[container_name]
        if container.running:
            self._exit(task_arn, container_name, exit_code)

    def running(self) -> list[TaskLaunch]:
        """Return the tasks that run, in order of their start."""
        return [task.launch for task in self._tasks.values()]

    def _behaviour(self, item: ContainerLaunch, by_hand: Mapping[str, str] | None = None) -> Behaviour:
        return behaviour(item.image, {**item.environment, **(by_hand or {})}, self._rules)

    def _listen(self, task: _Task, container: _Container, port: int) -> None:
        endpoint = Endpoint(
            ip=task.launch.ip,
            port=port,
            task_arn=task.launch.task_arn,
            container=container.launch.name,
            identity=identity(task.launch, container.launch),
            behaviour=container.behaviour,
            rng=self._rng,
        )
        self._network.listen(endpoint)
        container.endpoints.append(endpoint)

    def _refresh(self, task: _Task, container: _Container) -> None:
        found = self._behaviour(container.launch, container.by_hand)
        if found == container.behaviour or not container.running:
            return
        is_crash_new = found.crash_after_seconds != container.behaviour.crash_after_seconds
        container.behaviour = found
        for endpoint in container.endpoints:
            endpoint.behaviour = found
        if is_crash_new:
            self._arm_crash(task, container)
        self._network.announce(task.launch.ip)

    def _arm_crash(self, task: _Task, container: _Container) -> None:
        if container.timer is not None:
            container.timer.cancel()
            container.timer = None
        after = container.behaviour.crash_after_seconds
        if after is not None:
            container.timer = self._clock.call_later(
                after, partial(self._exit, task.launch.task_arn, container.launch.name, CRASH_CODE)
            )

    def _exit(self, task_arn: str, container_name: str, exit_code: int) -> None:
        task = self._tasks.get(task_arn)
        if task is None or not task.containers[container_name].running:
            return
        self._end(task.containers[container_name], crashed=True)
        task.on_exit(task_arn, container_name, exit_code)

    def _end(self, container: _Container, *, crashed: bool) -> None:
        container.running = False
        if container.timer is not None:
            container.timer.cancel()
            container.timer = None
        for endpoint in container.endpoints:
            self._network.close(endpoint.ip, endpoint.port, crashed=crashed)
        container.endpoints.clear()


def identity(launch: TaskLaunch, container: ContainerLaunch) -> dict[str, Any]:
    """Return what every answer of a container tells about itself."""
    family_revision = launch.task_definition_arn.rpartition("/")[2]
    role = launch.tags.get(ROLE_TAG, "")
    return {
        "image": container.image,
        "tag": tag_of(container.image),
        "revision": family_revision,
        "taskDefinition": launch.task_definition_arn,
        "task": launch.task_arn.rpartition("/")[2],
        "slot": role if role in _SLOTS else "",
        "service": launch.service_name,
        "container": container.name,
    }
