"""The `ecs` service of the stand-in: its parts, composed."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from sluice_sandbox.aws.clock import Clock
from sluice_sandbox.aws.composed import ComposedService
from sluice_sandbox.aws.ecs.account_settings import AccountSettingCalls
from sluice_sandbox.aws.ecs.alarms import AlarmWatch
from sluice_sandbox.aws.ecs.capacity_providers import CapacityProviderCalls
from sluice_sandbox.aws.ecs.clusters import ClusterCalls
from sluice_sandbox.aws.ecs.core import Core, Ports
from sluice_sandbox.aws.ecs.definitions import DefinitionCalls
from sluice_sandbox.aws.ecs.deployment_calls import DeploymentCalls
from sluice_sandbox.aws.ecs.deployments import DeploymentBook
from sluice_sandbox.aws.ecs.hooks import ANSWERS
from sluice_sandbox.aws.ecs.images import Images, ReferenceImages
from sluice_sandbox.aws.ecs.instances import InstanceCalls
from sluice_sandbox.aws.ecs.namespaces import Namespaces
from sluice_sandbox.aws.ecs.narration import Narrator
from sluice_sandbox.aws.ecs.run_calls import RunCalls
from sluice_sandbox.aws.ecs.scheduler import Scheduler
from sluice_sandbox.aws.ecs.service_queries import ServiceQueries
from sluice_sandbox.aws.ecs.services import Hands, ServiceCalls
from sluice_sandbox.aws.ecs.settings import EcsSettings
from sluice_sandbox.aws.ecs.state import EcsState
from sluice_sandbox.aws.ecs.tagged import EcsTagged
from sluice_sandbox.aws.ecs.tags import TagCalls
from sluice_sandbox.aws.ecs.task_calls import TaskCalls
from sluice_sandbox.aws.ecs.task_engine import TaskEngine
from sluice_sandbox.aws.ecs.task_sets import TaskSetCalls
from sluice_sandbox.aws.ports import (
    Alarms,
    Emitter,
    Estate,
    Registries,
    TaggedResource,
    TargetGroups,
    TaskRuntime,
    TrafficRules,
)
from sluice_sandbox.aws.service import Caller


class EcsService(ComposedService[EcsState]):
    """Amazon ECS as a `Service` of the world."""

    name = "ecs"

    def __init__(  # noqa: PLR0913 - the ports of a whole AWS service; inside they are one `Ports`
        self,
        clock: Clock,
        *,
        estate: Estate,
        target_groups: TargetGroups,
        runtime: TaskRuntime,
        emitter: Emitter,
        rng: random.Random,
        settings: EcsSettings | None = None,
        images: Images | None = None,
        alarms: Alarms | None = None,
        registries: Registries | None = None,
        namespaces: Namespaces | None = None,
        traffic_rules: TrafficRules | None = None,
    ) -> None:
        """Compose; `settings` are the delays, `images` resolves references (any exists by default)."""
        ports = Ports(
            estate=estate,
            target_groups=target_groups,
            runtime=runtime,
            emitter=emitter,
            images=images or ReferenceImages(),
            alarms=alarms,
            registries=registries,
            namespaces=namespaces,
            traffic_rules=traffic_rules,
        )
        self._core = Core(clock=clock, rng=rng, ports=ports, settings=settings or EcsSettings())
        narrator = Narrator(self._core)
        engine = TaskEngine(self._core, narrator)
        book = DeploymentBook(self._core, narrator)
        self.scheduler = Scheduler(self._core, book, engine, narrator)
        AlarmWatch(self._core, book, self.scheduler)
        definitions = DefinitionCalls(self._core)
        hands = Hands(book=book, scheduler=self.scheduler)
        self._engine = engine
        tags = TagCalls(self._core)
        self._tagged = EcsTagged(self._core, tags)
        super().__init__(
            self._core,
            ClusterCalls(self._core),
            CapacityProviderCalls(self._core),
            InstanceCalls(self._core),
            definitions,
            ServiceCalls(self._core, definitions, hands),
            ServiceQueries(self._core),
            DeploymentCalls(self._core, book, self.scheduler),
            RunCalls(self._core, definitions, engine),
            TaskCalls(self._core, engine),
            TaskSetCalls(self._core, definitions, self.scheduler),
            tags,
            AccountSettingCalls(self._core),
        )

    def tagged_resources(self, caller: Caller) -> Sequence[TaggedResource]:
        """Return what has tags; see `ports.Tagged`."""
        return self._tagged.tagged_resources(caller)

    def change_tags(
        self, caller: Caller, arn: str, *, put: Mapping[str, str], remove: Sequence[str] = ()
    ) -> bool:
        """Change a resource's tags; see `ports.Tagged`."""
        return self._tagged.change_tags(caller, arn, put=put, remove=remove)

    def crash_task(self, task_arn: str, *, exit_code: int = 137) -> bool:
        """End a task's first essential container from outside (faults, demos); False if not running."""
        task = self._core.task(task_arn)
        if task is None or task.last_status != "RUNNING":
            return False
        task.containers[0].last_status = "STOPPED"
        task.containers[0].exit_code = exit_code
        return self._engine.stop(
            task, code="EssentialContainerExited", reason="Essential container in task exited"
        )

    def lose_zone(self, zone: str) -> int:
        """End every running task of a zone and refuse new ones there; return how many ended.

        `limit_capacity(zone, reason=None)` brings the zone back.
        """
        self.limit_capacity(zone, reason=f"Availability Zone {zone} is impaired")
        arns = [
            task.arn
            for scope in self.state.scopes.values()
            for task in scope.tasks.values()
            if task.zone == zone
        ]
        return sum(self.crash_task(arn) for arn in arns)

    def answer_hooks(self, function: str, status: str) -> None:
        """Let Lambda lifecycle hooks whose function ARN matches the pattern answer this `hookStatus`.

        Raises ValueError for a status that no function can answer. See `hooks`.
        """
        if status not in ANSWERS:
            raise ValueError(f"hookStatus is one of {', '.join(ANSWERS)}, not {status!r}")
        self._core.state.hook_answers.pop(function, None)
        self._core.state.hook_answers = {function: status, **self._core.state.hook_answers}
        self.scheduler.touch_all_deploying()

    def limit_capacity(self, where: str, *, reason: str | None) -> None:
        """Let placement fail in a provider (FARGATE, FARGATE_SPOT) or a zone; None ends it."""
        if reason is None:
            self._core.state.capacity.pop(where, None)
        else:
            self._core.state.capacity[where] = reason
