"""The state of a step: what is seen, what was decided, and what may be asked of any instance.

`steps` takes one step of every instance: `staying` for what is to answer, `leaving` for what is to go,
`parting` for what has left the lists and still holds its task. What they ask of AWS is put together here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from sluice.model.actions import Action
from sluice.model.discovery import Health, SeenTask, ServiceFacts
from sluice.plan.discovery import writes
from sluice.plan.discovery.entries import instance_id, is_alias
from sluice.plan.discovery.guard import Guard
from sluice.plan.discovery.ledger import PROTECTION, Ledger
from sluice.plan.discovery.memory import short
from sluice.plan.discovery.wanted import Answering, Wanted

WINDOW: Final = 50
"""Operations under way at once for one route: Cloud Map works on each for seconds and Route 53 throttles."""
HEALTH_WRITES: Final = 50
"""Changes of custom health in one plan."""
HEALTH_DELAY: Final = 35.0
"""Seconds after which an accepted custom health is seen (botocore: "approximately 30 seconds")."""
HEALTH_PATIENCE: Final = 60.0
"""Seconds after which a custom health that is not seen is asked for again."""
GONE_PATIENCE: Final = 10.0
"""Seconds for which a task must not be found before its entry is deregistered: lists of tasks can be late."""
EXIT_PATIENCE: Final = 120.0
"""Seconds after which a task no longer waits for an entry that AWS does not let go, once nobody wants it,
nor for another name that keeps it."""
LOOK_AGAIN: Final = 2.0
"""Seconds until the next look while something is under way."""

Phase = Literal["rescue", "register", "hide", "remove", "release"]
PHASES: Final[tuple[Phase, ...]] = ("rescue", "register", "hide", "remove", "release")


@dataclass(slots=True, kw_only=True)
class Motion:
    """What the steps share; `actions` and the ledger are their outcome."""

    service: ServiceFacts | None
    answering: Answering
    wanted: Wanted
    discovered: Mapping[str, Health]
    tasks: Mapping[str, SeenTask]
    """By instance id. Where they were not read there are load balancers alone, and none on its way."""
    ledger: Ledger
    guard: Guard
    wait: float
    """Seconds from "clients see UNHEALTHY" (or nothing) to "nobody uses the answer any more"."""
    everything: bool
    """The route or its backend is being deleted: nothing is held back."""
    urgent: bool
    """A rollback."""
    keep_protected: bool
    gives_up: bool
    """The spec has no discovery any more: tasks do not wait for ever for an AWS that refuses."""
    actions: dict[Phase, list[Action]] = field(default_factory=lambda: {phase: [] for phase in PHASES})
    held: int = 0
    """Entries that stay because nothing else answers yet."""
    drift: list[str] = field(default_factory=list)
    """What somebody else changed, for people."""
    given_up: set[str] = field(default_factory=set)
    """Instances whose tasks are given back although they are listed."""
    parted: dict[str, SeenTask] = field(default_factory=dict)
    """Instances that are in no answer any more, and whose tasks run."""
    freed: dict[str, list[SeenTask]] = field(default_factory=dict)
    """Tasks that are given back to ECS, by reason."""
    moving: bool = False
    """Something is not as wanted yet."""
    rescued: str = ""
    """The instance that comes back because nobody else answers."""
    asked: int = 0
    """Changes of custom health in this plan."""

    def task(self, instance: str) -> SeenTask | None:
        """Return the task behind an instance."""
        return self.tasks.get(instance)

    def is_live(self, instance: str) -> bool:
        """Tell whether an instance points to something that works."""
        task = self.task(instance)
        alias = instance in self.answering.ours and is_alias(self.answering.ours[instance])
        return alias or (task is not None and task.running and task.healthy)

    def has_custom_health(self) -> bool:
        """Tell whether clients can be told of an entry's health."""
        return self.service is not None and self.service.custom_health

    def can_be_hidden(self, instance: str) -> bool:
        """Tell whether an entry can be said to be UNHEALTHY; a load balancer's health is its own."""
        return self.has_custom_health() and not is_alias(self.answering.ours[instance])

    def soon(self, at: float | None = None) -> None:
        """Say that something is not as wanted yet, and look again at a time or soon."""
        self.moving = True
        self.ledger.wakes.append(at if at is not None else self.ledger.now + LOOK_AGAIN)

    def window(self) -> int:
        """Return how many operations may be under way: fewer while many of them fail."""
        failing = sum(not name.startswith(PROTECTION) for name in self.ledger.failing)
        return max(5, WINDOW - failing)

    def set_health(self, instance: str, *, healthy: bool, reason: str, phase: Phase) -> None:
        """Ask for a custom health, within what one plan may ask for."""
        self.soon()
        if self.service is None or self.asked >= HEALTH_WRITES:
            return
        self.asked += 1
        self.actions[phase].append(
            writes.set_health(self.service, instance, healthy=healthy, reason=reason, urgent=self.urgent)
        )

    def hide(self, instance: str, *, reason: str, rescue: bool = False) -> None:
        """Let clients see UNHEALTHY; the stage tells how far that has come."""
        name, ledger = short(instance), self.ledger
        stage, seen = ledger.stage(name), self.discovered.get(instance)
        if stage == "hidden" and seen != "HEALTHY":
            return
        self.soon()
        unseen = seen is None and stage == "marking" and ledger.now >= ledger.since(name) + HEALTH_PATIENCE
        if seen == "UNHEALTHY" or unseen:
            ledger.put(name, "hidden")
            return
        if stage == "marking" and ledger.now < ledger.since(name) + HEALTH_PATIENCE:
            return
        if stage in ("marking", "hidden"):
            ledger.stages.pop(name)
        ledger.put(name, "mark")
        self.set_health(instance, healthy=False, reason=reason, phase="rescue" if rescue else "hide")

    def remove(self, instance: str, *, reason: str, rescue: bool = False) -> None:
        """Deregister an entry if the guard lets it go; one that has to stay is hidden at least."""
        name = short(instance)
        self.soon()
        if self.service is None or self.ledger.waits(name):
            return
        if name not in self.ledger.operations and len(self.ledger.operations) >= self.window():
            return
        if not self.guard.may_remove(instance):
            self.held += 1
            if self.can_be_hidden(instance):
                self.hide(instance, reason=reason, rescue=rescue)
            return
        if self.ledger.stage(name) is None:
            self.ledger.put(name, "marking")
        self.ledger.mean("deregister", name)
        phase: Phase = "rescue" if rescue else "remove"
        self.actions[phase].append(
            writes.deregister(self.service, instance, reason=reason, urgent=self.urgent)
        )

    def give_back(self, instance: str, *, reason: str) -> None:
        """Let ECS end the task of an instance."""
        task = self.task(instance)
        if task and task.protected_until > self.ledger.now and not self.keep_protected:
            self.freed.setdefault(reason, []).append(task)


def task_instances(tasks: Iterable[SeenTask]) -> dict[str, SeenTask]:
    """Return tasks by their instance id."""
    return {instance_id(task.id): task for task in tasks}
