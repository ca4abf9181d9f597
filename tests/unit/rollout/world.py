"""A small world that obeys the machine: ECS services with tasks that take time, routes that write late.

Its own numbers decide what is true; the machine sees them through `World.situation`, where facts may be
unread (None). `World.obey` carries the orders out the way the planner and the routes do, and checks the
machine's promises against the truth at that moment (`BrokenPromiseError` says which one does not hold).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from sluice.model.rollout import Decision, Motion
from sluice.model.situation import (
    GateFacts,
    GroupFacts,
    HookAnswer,
    Person,
    Plane,
    RouteFacts,
    Sample,
    Situation,
    SlotFacts,
    TrafficFacts,
)
from sluice.model.strategy import Pause, Progressive, SetWeight
from sluice.rollout.machine import decide

START = 1_800_000_000.0
NOBODY = Person()
CANARY = Progressive(
    steps=(SetWeight(permille=250), Pause(seconds=60), SetWeight(permille=1000)),
    bake=60,
    snapshot={"canary": {}},
)


class BrokenPromiseError(AssertionError):
    """A promise of the machine that does not hold in the world."""


@dataclass(slots=True)
class Task:
    """One task of a service."""

    revision: str
    healthy_at: float
    dead: bool = False


@dataclass(slots=True)
class Service:
    """One slot's ECS service."""

    name: str
    exists: bool = False
    revision: str = ""
    desired: int = 0
    tasks: list[Task] = field(default_factory=list)
    zones: int = 0
    drain_seconds: float = 30.0


@dataclass(slots=True)
class Route:
    """One ServiceRoute's rules, or its names (plane discovery), and what it says of them."""

    name: str
    plane: Plane = "rules"
    delay: float = 2.0
    weights: dict[str, int] = field(default_factory=dict)
    seq: int = -1
    verified_at: float = 0.0
    due: float | None = None
    foreign: str = ""
    problem: str = ""
    problem_reason: str = ""


@dataclass(slots=True)
class World:
    """Everything that one Deployment lives in."""

    wanted: str = "r1"
    strategy: Progressive = CANARY
    replicas: int | None = 4
    now: float = START
    motion: Motion = field(default_factory=Motion)
    slots: dict[str, Service] = field(default_factory=lambda: {n: Service(name=n) for n in "ab"})
    routes: list[Route] = field(default_factory=lambda: [Route(name="main")])
    traffic: TrafficFacts = field(default_factory=TrafficFacts)
    boot: float = 10.0
    sick: set[str] = field(default_factory=set)
    """Revisions whose tasks never become healthy."""
    crashing: set[str] = field(default_factory=set)
    """Revisions whose tasks crash in a loop."""
    values: dict[str, float | None] = field(default_factory=dict)
    """Metric name → the value of its next samples."""
    errors: set[str] = field(default_factory=set)
    answers: dict[str, HookAnswer] = field(default_factory=dict)
    """Hook name → answer; one that is absent never answers."""
    alarms: dict[str, str | None] | None = field(default_factory=dict)
    alarms_error: str = ""
    alarms_at: float = 0.0
    """When the alarms were last read; 0: now."""
    samples: dict[str, Sample] = field(default_factory=dict)
    asked: dict[str, HookAnswer] = field(default_factory=dict)
    person: Person = NOBODY
    paused: bool = False
    declared_undo: bool = False
    group: GroupFacts | None = None
    leader_epoch: int = 0
    resumed: bool = False
    clock_jumped: bool = False
    blocked: str = ""
    blind: frozenset[str] = frozenset()
    """Facts that cannot be read at the moment: proof, health, alarms, evidence."""
    previous: str = ""
    ended_before: float = 0.0
    images: tuple[str, ...] = ()
    """What running tasks are seen to run, by digest."""
    known: frozenset[str] = frozenset({"r1", "r2", "r3"})
    history: list[tuple[str, str]] = field(default_factory=list)
    """(revision, outcome), oldest first."""
    notes: list[str] = field(default_factory=list)
    last: Decision | None = None
    snapshots: dict[str, Progressive] = field(default_factory=dict)
    """Candidate → the strategy that its rollout started with, where the spec's is another one now."""
    crash: str = ""
    """Where the process dies in the next pass: before its status is written (`status`) or right after it,
    before anything is done (`orders`)."""
    watched: bool = True
    """Whether the promises are checked."""

    # -- what is true -----------------------------------------------------------------------------

    def healthy(self, name: str) -> int:
        """Count the healthy targets of a slot."""
        return sum(not task.dead and task.healthy_at <= self.now for task in self.slots[name].tasks)

    def carries(self, name: str) -> bool:
        """Tell whether any rule gives weight to a slot."""
        return any(route.weights.get(name) for route in self.routes if route.plane == "rules")

    def listed(self, name: str) -> str:
        """Return the routes whose names answer with a slot, or are not known not to."""
        names = [route for route in self.routes if route.plane == "discovery"]
        return ", ".join(
            route.name for route in names if route.weights.get(name) or route.seq != self.traffic.seq
        )

    def facts(self, name: str, looked: frozenset[str]) -> SlotFacts:
        """Return what is told about a slot when `looked` was read."""
        service = self.slots[name]
        alone = all(task.revision == service.revision for task in service.tasks)
        failing = service.revision in self.crashing and bool(service.desired)
        return SlotFacts(
            name=name,
            exists=service.exists,
            revision=service.revision if alone else "",
            desired=service.desired,
            running=len(service.tasks),
            tasks=len(service.tasks),
            healthy=self.healthy(name) if "health" in looked else None,
            images=self.images,
            zones=service.zones,
            failed=failing,
            failing=("exit code 1",) if failing else (),
            carries_weight=self.carries(name) if "proof" in looked else None,
            listed=self.listed(name),
            drain_seconds=service.drain_seconds,
        )

    def situation(self, looked: frozenset[str], *, person: Person = NOBODY) -> Situation:
        """Return the facts of one decision."""
        rollout = self.motion.rollout
        proven = tuple(
            RouteFacts(
                name=route.name,
                plane=route.plane,
                proven=route.seq == self.traffic.seq and route.verified_at >= self.traffic.verify_after,
                verified_at=route.verified_at,
                foreign=route.foreign,
                problem=route.problem,
                problem_reason=route.problem_reason,
            )
            for route in self.routes
        )
        alarms = self.alarms if "alarms" in looked and not self.alarms_error else None
        return Situation(
            wanted=self.wanted,
            declared_undo=self.declared_undo,
            strategy=self.strategy,
            snapshot=self.snapshots.get(rollout.candidate, self.strategy) if rollout else None,
            replicas=self.replicas,
            slots={name: self.facts(name, looked) for name in self.slots},
            traffic=dataclasses.replace(self.traffic, routes=proven),
            gates=GateFacts(
                samples=dict(self.samples),
                hooks=dict(self.asked),
                alarms=alarms,
                alarms_at=self.alarms_at or self.now,
                alarms_error=self.alarms_error,
            ),
            group=self.group,
            person=person,
            paused=self.paused,
            known=self.known,
            previous=self.previous,
            last_rollout=f"h{len(self.history)}",
            ended_before=self.ended_before,
            leader_epoch=self.leader_epoch,
            resumed=self.resumed,
            clock_jumped=self.clock_jumped,
            blocked=self.blocked,
            evidence=("last log line",) if "evidence" in looked else None,
        )

    # -- what happens -----------------------------------------------------------------------------

    def decide(self) -> Decision:
        """Decide as a pass does: look for what is needed, decide again; then obey."""
        looked: frozenset[str] = frozenset()
        kept, told = self.motion, (list(self.notes), list(self.history), self.previous)
        person, self.person = self.person, NOBODY
        asked = person
        for _ in range(8):
            before = self.motion
            decision = decide(self.situation(looked, person=person), self.motion, now=self.now)
            self.motion, person = decision.motion, NOBODY
            self.resumed = self.clock_jumped = False
            self._record(decision)
            self._fixpoint(decision, looked)
            self._first_of_a_rollback(before, decision)
            more = frozenset(decision.needs) - looked - self.blind
            if not more:
                break
            looked |= more
        crash, self.crash = self.crash, ""
        if crash == "status":
            self.motion, self.person, self.resumed = kept, asked, True
            self.notes, self.history, self.previous = told
        elif crash == "orders":
            self.resumed = True
        else:
            self.obey(decision)
        self.last = decision
        return decision

    def _record(self, decision: Decision) -> None:
        self.notes += [note.reason for note in decision.notes]
        for done in decision.finished:
            self.history.append((done.rollout.candidate, done.outcome))
            if done.outcome == "Succeeded" and done.rollout.source:
                self.previous = done.rollout.source

    def obey(self, decision: Decision) -> None:
        """Carry out the orders: the traffic is published first, services after it."""
        self._publish(decision)
        for order in decision.slots:
            service = self.slots[order.slot]
            if order.revision is not None and order.revision != service.revision:
                self._promise(not self.carries(order.slot), f"{order.slot} is swapped under weight")
                if service.tasks:
                    service.desired = 0
                    self._settle(service)
                    continue
                service.exists, service.revision = True, order.revision
            if order.count is not None and service.exists:
                if order.count < service.desired:
                    self._shrinks(order.slot)
                service.desired = order.count
            self._settle(service)
        self._ask(decision)

    def _publish(self, decision: Decision) -> None:
        order = decision.traffic
        self._promise(sum(order.weights.values()) in (0, 1000), f"weights {dict(order.weights)}")
        before = self.traffic
        new = (dict(order.weights), order.test, order.header, order.verify_after)
        old = (dict(before.weights), before.test, before.header, before.verify_after)
        if new == old:
            return
        rollout = self.motion.rollout
        for name, parts in order.weights.items():
            raised = parts > before.weights.get(name, 0)
            written = any(not route.problem for route in self.routes)
            if before.weights and raised and rollout is not None and self.replicas and written:
                need = self._need(parts) if name == rollout.slot else 1
                what = f"{name} gets {parts} with {self.healthy(name)} of {need} healthy targets"
                self._promise(self.healthy(name) >= need, what)
        self.traffic = TrafficFacts(
            seq=before.seq + 1,
            weights=dict(order.weights),
            test=order.test,
            header=order.header,
            verify_after=order.verify_after,
        )
        for route in self.routes:
            same = route.plane == "discovery" and route.weights == self.traffic.weights
            route.due = self.now + (2.0 if same else route.delay)

    def _need(self, permille: int) -> int:
        """Count the healthy targets that a weight takes, by rollout.md §3.3 and not by the machine."""
        size = self.replicas or 0
        if self.strategy.capacity == "Full":
            return max(1, size)
        return max(1, min(size, -(-size * permille // 1000) + self.strategy.surge))

    def _shrinks(self, name: str) -> None:
        """Check that a slot may lose tasks: no rule sends to it, or it is live and at rest."""
        rollout, live = self.motion.rollout, self.motion.live
        weight = sum(route.weights.get(name, 0) for route in self.routes)
        resting = rollout is None or rollout.stage == "Starting"
        if resting and live is not None and live.slot == name:
            return  # the spec asks for fewer
        self._promise(not weight, f"{name} shrinks under weight")
        moving = rollout is not None and live is not None and live.slot == name and self.routes
        self._promise(not moving, f"the live slot {name} shrinks before the end")

    def _fixpoint(self, decision: Decision, looked: frozenset[str]) -> None:
        """Check that deciding again on the same facts changes nothing and tells nothing."""
        again = decide(self.situation(looked), decision.motion, now=self.now)
        told = dataclasses.replace(again, notes=decision.notes, finished=decision.finished)
        self._promise(told == decision, "deciding again decides something else")
        self._promise(not again.notes and not again.finished, "deciding again tells something")

    def _first_of_a_rollback(self, before: Motion, decision: Decision) -> None:
        """Check that the decision that begins to go back orders the traffic, and takes no task."""
        was, now = before.rollout, decision.motion.rollout
        if now is None or now.stage != "RollingBack" or was is None or was.id != now.id:
            return
        if was.stage in ("RollingBack", "CleaningUp"):
            return
        source = "b" if now.slot == "a" else "a"
        held = "health" in decision.needs or any(gate.name == "person" for gate in now.gates)
        urgent = decision.traffic.rollback or not self.routes
        ordered = dict(decision.traffic.weights) == {source: 1000} and urgent
        self._promise(ordered or held, "a rollback began without the traffic")
        counts = {order.slot: order.count for order in decision.slots}
        self._promise(counts[now.slot] is None, "a rollback began with the candidate's tasks")

    def _ask(self, decision: Decision) -> None:
        for request in decision.metrics:
            name = request.metric.name
            if name in self.errors:
                self.samples[request.id] = Sample(at=self.now, error="cannot be reached")
            elif name in self.values:
                self.samples[request.id] = Sample(at=self.now, value=self.values[name])
        for hook in decision.hooks:
            if hook.hook in self.answers:
                self.asked[hook.id] = self.answers[hook.hook]

    def _settle(self, service: Service) -> None:
        """Start or stop tasks at once; health comes later."""
        while len(service.tasks) > service.desired:
            service.tasks.pop()
        while len(service.tasks) < service.desired:
            never = service.revision in self.sick | self.crashing
            healthy_at = float("inf") if never else self.now + self.boot
            service.tasks.append(Task(revision=service.revision, healthy_at=healthy_at))

    def pass_time(self, seconds: float) -> None:
        """Let time pass: routes write and verify what is due."""
        self.now += seconds
        for route in self.routes:
            if route.problem:
                continue
            if route.due is not None and self.now >= route.due:
                route.weights, route.seq = dict(self.traffic.weights), self.traffic.seq
                route.verified_at, route.due = self.now, None
            if route.seq == self.traffic.seq and route.verified_at < self.traffic.verify_after <= self.now:
                route.verified_at = self.now

    def _promise(self, holds: bool, what: str) -> None:  # noqa: FBT001 - the condition that is promised
        if self.watched and not holds:
            raise BrokenPromiseError(what)

    # -- stories ------------------------------------------------------------------------------------

    def run(self, seconds: float, *, tick: float = 2.0) -> Decision:
        """Decide every `tick` for so long; returns the last decision."""
        ends = self.now + seconds
        decision = self.decide()
        while self.now < ends:
            self.pass_time(tick)
            decision = self.decide()
        return decision

    def until(self, *stages: str, limit: float = 4000.0, tick: float = 2.0) -> Decision:
        """Decide until the rollout is in one of `stages` ('' : at rest); fails after `limit` seconds."""
        ends = self.now + limit
        while True:
            decision = self.decide()
            rollout = self.motion.rollout
            if (rollout.stage if rollout else "") in stages:
                return decision
            if self.now >= ends:
                where = rollout.stage if rollout else "at rest"
                raise AssertionError(f"not in {stages} but {where}: {decision.reason}: {decision.message}")
            self.pass_time(tick)

    @property
    def weights(self) -> dict[str, int]:
        """What the rules of the first route say."""
        return self.routes[0].weights


def live(replicas: int | None = 4, strategy: Progressive = CANARY, **members: object) -> World:
    """Return a world in which r1 is live in slot a, healthy, at rest."""
    world = World(replicas=replicas if replicas is not None else 4)
    world.until("")
    world.until("", limit=100)
    world.replicas, world.strategy = replicas, strategy
    world.run(20)
    for name, value in members.items():
        setattr(world, name, value)
    world.notes.clear()
    world.history.clear()
    return world
