"""A small Cloud Map and a small ECS in virtual time, and a controller that plans, forgets and dies.

Cloud Map: operations end late, clients see later still, custom health takes 30 seconds. ECS: the
stand-in's own table of what a service starts and stops (`rollout_plan`), with task protection. The
world keeps the laws that no plan may break: see `World.broken`.
"""

from __future__ import annotations

import dataclasses
import heapq
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jmespath  # type: ignore[import-untyped]  # comes with boto3, without types

from sluice.apply.executor import resolved
from sluice.model.actions import Action
from sluice.model.discovery import (
    AliasTarget,
    DiscoveryFacts,
    DiscoveryIntent,
    DnsRecord,
    Instance,
    NamespaceIntent,
    SeenTask,
    SlotWish,
)
from sluice.model.keys import SERVICE_ROUTE, Key
from sluice.model.traffic import Traffic
from sluice.plan.discovery.memory import Memory
from sluice.plan.discovery.planner import DiscoveryPlan, absorb, plan_discovery
from sluice_sandbox.aws.ecs.rollout_plan import HEALTHY, STARTING, UNHEALTHY, Bounds, TaskFact, plan
from unit.discovery.cloud_map import NOW, CloudMap

KEY = Key(SERVICE_ROUTE, "shop", "web")
INSTALLATION = "prod"
TASKS_INTENT = DiscoveryIntent(
    mode="Tasks",
    namespace=NamespaceIntent(name="corp.local", create="DNS_PRIVATE", vpc="vpc-1"),
    service="web",
    backend="web",
    port="http",
    records=(DnsRecord(type="A", ttl=10),),
)
BUSY = "DuplicateRequest"


@dataclass(slots=True)
class Task:
    """A task of the world."""

    id: str
    slot: str
    deployment: str
    started: float
    healthy_at: float
    """When it becomes healthy; inf: never."""
    sick: bool = False
    stopping: bool = False
    protected_until: float = 0.0
    backend: str = ""

    def is_healthy(self, now: float) -> bool:
        """Tell whether it works."""
        return not self.stopping and not self.sick and now >= self.healthy_at


@dataclass(slots=True)
class Service:
    """An ECS service, one a slot."""

    desired: int
    deployment: str = "d1"
    minimum: int = 100
    maximum: int = 200
    healthy_after: float = 20.0

    @property
    def bounds(self) -> Bounds:
        """Return what ECS makes of the percentages."""
        return Bounds.of(self.desired, minimum_percent=self.minimum, maximum_percent=self.maximum)


@dataclass(slots=True, kw_only=True)
class World(CloudMap):
    """Everything; `run` lets time pass with a controller that looks when it wanted to."""

    intent: DiscoveryIntent | None = TASKS_INTENT
    services: dict[str, Service] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    traffic: Traffic | None = None
    aliases: tuple[AliasTarget, ...] | None = None
    rolling: bool = True
    deleting: bool = False
    going: bool = False
    status: dict[str, Any] = field(default_factory=dict)
    generation: int = 1
    calls: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    """Ids of tasks that ECS does not protect, for reasons of its own."""
    dead_answers: int = 0
    unprotected: int = 0
    """Tasks that ECS ended although they answered, because no more could be protected."""

    # ------------------------------------------------------------------- ECS

    def deploy(self, slot: str = "a", deployment: str = "d2", **changes: Any) -> None:
        """Begin a rolling deployment."""
        self.services[slot].deployment = deployment
        for name, value in changes.items():
            setattr(self.services[slot], name, value)

    def start(self, slot: str, *, deployment: str = "", healthy_after: float | None = None) -> Task:
        """Start a task."""
        service = self.services[slot]
        number = next(self.ids)
        task = Task(
            id=f"{number:08x}{'f' * 24}",
            slot=slot,
            deployment=deployment or service.deployment,
            started=self.now,
            healthy_at=self.now + (service.healthy_after if healthy_after is None else healthy_after),
        )
        self.tasks[task.id] = task
        return task

    def kill(self, task_id: str) -> None:
        """Let a task end by itself."""
        self.misfortune = self.now
        del self.tasks[task_id]

    def _ecs(self) -> None:
        for slot, service in self.services.items():
            mine = [task for task in self.tasks.values() if task.slot == slot and not task.stopping]
            facts = [
                TaskFact(
                    arn=task.id,
                    primary=task.deployment == service.deployment,
                    state=HEALTHY if task.is_healthy(self.now) else (UNHEALTHY if task.sick else STARTING),
                    protected=task.protected_until > self.now,
                    created=task.started,
                )
                for task in mine
            ]
            settled = all(fact.primary for fact in facts)
            todo = plan(facts, service.bounds, launching=True, replace_first=settled)
            for _ in range(todo.start):
                self.start(slot)
            for task_id in todo.stop:
                self._stop(self.tasks[task_id], service)

    def _stop(self, task: Task, service: Service) -> None:
        name = f"sluice-{task.id}"
        if not task.sick and task.is_healthy(self.now):
            used = self.now - self.left_at.get(name, -math.inf) < self._wait()
            held = sum(t.protected_until > self.now for t in self.tasks.values() if t.slot == task.slot)
            answered = self.seen.get(name) == "HEALTHY" or used
            if answered and held and held >= service.desired:
                self.unprotected += 1  # ECS refuses more protected tasks than it wants: nothing could keep it
                self.misfortune = self.now
            elif answered:
                self.broken.append(f"{self.now - NOW:.0f}: ECS ended {task.id[:8]} while clients used it")
        task.stopping = True
        self.later(3.0, lambda: self.tasks.pop(task.id, None))

    def is_sent_away(self, name: str) -> bool:
        """Tell whether the spec wants nobody in the place of a task: the guard does not hold it."""
        task = self.tasks.get(name.removeprefix("sluice-"))
        if self.deleting or self.going or task is None:
            return True
        service = self.services[task.slot]
        return service.bounds.minimum == 0 and (service.desired == 0 or service.maximum <= 100)

    # -------------------------------------------------------------- AWS calls

    def answers(self, name: str) -> bool:
        """Tell whether an instance is a healthy answer that works."""
        task = self.tasks.get(name.removeprefix("sluice-"))
        works = name.startswith("sluice-lb-") or (task is not None and task.is_healthy(self.now))
        return self.seen.get(name) == "HEALTHY" and works

    def _call(self, action: Action, params: Mapping[str, Any]) -> dict[str, Any]:  # noqa: C901, PLR0911
        name = str(params.get("InstanceId", ""))
        if name in self.busy and action.operation != "UpdateInstanceCustomHealthStatus":
            raise KeyError(BUSY)
        match action.operation:
            case "RegisterInstance":
                return self.register(params)
            case "DeregisterInstance":
                if name not in self.instances:
                    raise KeyError("InstanceNotFound")
                return self.deregister(params)
            case "UpdateInstanceCustomHealthStatus":
                return self.set_health(params)
            case "UpdateTaskProtection":
                return {"failures": self._protect(params)}
            case "CreateService":
                self.create_service(params)
                assert self.service
                return {"Service": {"Id": self.service.id, "Arn": self.service.arn}}
            case "UpdateService":
                return self.submit("service", lambda: self.update_service(params))
            case "DeleteService":
                assert not self.instances, "ResourceInUse"
                self.service = None
                if self.namespace:
                    self.namespace = dataclasses.replace(self.namespace, services=0)
                return {}
            case "DeleteNamespace":
                return self.submit("namespace", lambda: setattr(self, "namespace", None))
        if action.operation.startswith("Create"):
            return self.submit("namespace", lambda: self.create_namespace(params))
        raise AssertionError(action.operation)

    def _protect(self, params: Mapping[str, Any]) -> list[dict[str, str]]:
        assert 1 <= len(params["tasks"]) <= 10
        until = self.now + 60 * params["expiresInMinutes"] if params["protectionEnabled"] else 0.0
        failures = []
        for arn in params["tasks"]:
            task = self.tasks.get(arn.rsplit("/", 1)[-1])
            if task is None or task.stopping:
                failures.append({"arn": arn, "reason": "TASK_NOT_VALID"})
                continue
            held = sum(
                other.protected_until > self.now and other is not task
                for other in self.tasks.values()
                if other.slot == task.slot
            )
            if until and (task.id in self.refused or held + 1 > self.services[task.slot].desired):
                failures.append({"arn": arn, "reason": "DEPLOYMENT_BLOCKED"})
                continue
            task.protected_until = until
        return failures

    # -------------------------------------------------------------- controller

    def _wait(self) -> float:
        ttl = max((record.ttl for record in self.service.records), default=0) if self.service else 0
        return 30.0 + ttl

    def facts(self) -> DiscoveryFacts:
        """Return what a controller reads now."""
        return DiscoveryFacts(
            namespace=self.namespace,
            service=self.service,
            registered={
                name: Instance(id=name, attributes=there.attributes) for name, there in self.instances.items()
            },
            discovered=dict(self.seen),  # type: ignore[arg-type]
            operations=dict(self.operations),
            tasks=tuple(self.seen_task(task) for task in self.tasks.values()),
            slots=tuple(
                SlotWish(
                    slot=slot,
                    desired=service.desired,
                    revision=service.deployment,
                    minimum_healthy=service.bounds.minimum,
                    maximum=service.bounds.maximum,
                )
                for slot, service in self.services.items()
            ),
            aliases=self.aliases,
            traffic=self.traffic,
            backend_going=self.going,
            rolling=self.rolling,
            deleting=self.deleting,
        )

    def seen_task(self, task: Task) -> SeenTask:
        """Return a task as a controller sees it."""
        number = int(task.id[:8], 16)
        return SeenTask(
            id=task.id,
            arn=f"arn:aws:ecs:eu-west-1:1:task/main/{task.id}",
            cluster="main",
            slot=task.slot,
            revision=task.deployment,
            ipv4=f"10.0.{number // 250}.{number % 250 + 1}",
            port=8080,
            zone="eu-west-1" + "abc"[number % 3],
            running=not task.stopping,
            healthy=task.is_healthy(self.now),
            started_at=task.started,
            protected_until=task.protected_until,
            backend=task.backend,
        )

    def plan(self, facts: DiscoveryFacts | None = None) -> DiscoveryPlan:
        """Plan from the status as the API server has it."""
        status = json.loads(json.dumps(self.status))
        memory = Memory.read(status)
        if self.intent is not None:
            memory = memory.moved(self.intent)
        return plan_discovery(
            KEY,
            installation=INSTALLATION,
            intent=self.intent,
            former=memory.former(),
            facts=facts or self.facts(),
            memory=memory,
            route_generation=self.generation,
            now=self.now,
        )

    def reconcile(
        self,
        *,
        dies_after: int | None = None,
        loses_answer: bool = False,
        facts: DiscoveryFacts | None = None,
    ) -> DiscoveryPlan:
        """Run a pass: plan, write, act, write; `dies_after` so many actions, before the second write."""
        planned = self.plan(facts)
        self.notes += [f"{note.reason}: {note.message}" for note in planned.notes]
        self.status = planned.memory.write()
        outputs: dict[str, Any] = {}
        for number, action in enumerate(planned.actions):
            if dies_after is not None and number >= dies_after:
                return planned
            self.calls.append(action.operation)
            try:
                answer = self._call(action, resolved(action.params, outputs))
            except KeyError as refused:
                if refused.args[0] not in action.already:
                    raise AssertionError((action, refused)) from refused
                continue
            outputs |= {name: jmespath.search(path, answer) for name, path in action.outputs.items()}
        if dies_after is None and not loses_answer:
            self.status = absorb(planned.memory, planned, outputs).write()
        return planned

    def tick(self, seconds: float = 1.0) -> None:
        """Let time pass."""
        self.now += seconds
        while self.queue and self.queue[0][0] <= self.now:
            heapq.heappop(self.queue)[2]()
        self._ecs()
        for name in self.seen:
            task = self.tasks.get(name.removeprefix("sluice-"))
            self.dead_answers += self.seen[name] == "HEALTHY" and (task is None or task.stopping)

    def run(self, seconds: float, *, every: float = 2.0) -> DiscoveryPlan:
        """Let time pass with a pass every few seconds; the last plan is returned."""
        planned = self.reconcile()
        ends = self.now + seconds
        next_pass = self.now + every
        while self.now < ends:
            self.tick()
            if self.now >= next_pass:
                planned = self.reconcile()
                next_pass = self.now + every
            assert not self.broken, self.broken
        return planned

    def settle(self, within: float = 900.0) -> DiscoveryPlan:
        """Run until everything is as wanted; fails when it never is."""
        ends = self.now + within
        while self.now < ends:
            planned = self.run(2.0)
            if planned.settled and not planned.actions:
                return planned
        raise AssertionError((planned.progress, planned.problem, self.status))

    def healthy(self) -> set[str]:
        """Return the first letters of the task ids that clients get."""
        return {
            name.removeprefix("sluice-")[:8] for name, health in self.seen.items() if health != "UNHEALTHY"
        }

    def running(self, slot: str = "a", deployment: str = "") -> set[str]:
        """Return the first letters of the ids of a slot's running tasks."""
        return {
            task.id[:8]
            for task in self.tasks.values()
            if task.slot == slot and not task.stopping and deployment in ("", task.deployment)
        }


def running_world(desired: int = 3, **changes: Any) -> World:
    """Return a world whose Rolling Deployment is up and answers."""
    world = World(services={"a": Service(desired=desired)})
    for name, value in changes.items():
        setattr(world.services["a"], name, value)
    for _ in range(desired):
        world.start("a", healthy_after=0.0)
    world.settle()
    return world


def traffic(seq: int = 1, *, rollback: bool = False, verify_after: float = 0.0, **weights: int) -> Traffic:
    """Return what a Deployment publishes."""
    return Traffic(
        uid="uid-1",
        rollout_id="r1",
        seq=seq,
        weights=weights,
        targets=(),
        verify_after=verify_after,
        rollback=rollback,
    )
