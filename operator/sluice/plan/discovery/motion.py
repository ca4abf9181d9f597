"""How entries come and go: one step of every instance, in the order in which the steps are safe.

    comes   task protected → RegisterInstance (healthy from the start) → seen by clients
    goes    UNHEALTHY asked for → clients see it → max(TTL, propagation) → DeregisterInstance → neither
            listed nor seen → task given back to ECS
    goes,   no custom health, or nobody else answers (everything goes, scaled to 0, Recreate): Deregister-
            Instance → neither listed nor seen → max(TTL, propagation) → task given back. Where all are
            UNHEALTHY, DNS and DiscoverInstances answer with all: only what is gone is hidden then
    dies    a task that is being stopped is deregistered at once; one that cannot be found is said to be
            UNHEALTHY at once and deregistered when it is still not found a little later

Nothing that answers goes before what is to replace it is seen (`guard`). What a process that ended left
half done is found in the memory and goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from sluice.model.actions import Action
from sluice.model.discovery import Health, SeenTask, ServiceFacts
from sluice.plan.discovery import writes
from sluice.plan.discovery.entries import Entry, differences, instance_id, is_alias
from sluice.plan.discovery.guard import Guard
from sluice.plan.discovery.ledger import LATE, PROTECTION, Ledger
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

_ON_ITS_WAY: Final = "its task is on its way out"

Phase = Literal["rescue", "register", "hide", "remove", "release"]
PHASES: Final[tuple[Phase, ...]] = ("rescue", "register", "hide", "remove", "release")


@dataclass(slots=True, kw_only=True)
class Motion:
    """Takes the steps; `actions` and the ledger are its outcome."""

    service: ServiceFacts | None
    answering: Answering
    wanted: Wanted
    discovered: Mapping[str, Health]
    tasks: Mapping[str, SeenTask] | None
    """By instance id; None while they are not known."""
    ledger: Ledger
    guard: Guard
    wait: float
    """Seconds from "clients see UNHEALTHY" (or nothing) to "nobody uses the answer any more"."""
    everything: bool
    """The route or its backend is being deleted: nothing is held back."""
    urgent: bool
    """A rollback."""
    keep_protected: bool
    gives_up: bool = False
    """The spec has no discovery any more: tasks do not wait for ever for an AWS that refuses."""
    actions: dict[Phase, list[Action]] = field(default_factory=lambda: {phase: [] for phase in PHASES})
    held: int = 0
    """Entries that stay because nothing else answers yet."""
    drift: list[str] = field(default_factory=list)
    """What somebody else changed, for people."""
    given_up: set[str] = field(default_factory=set)
    """Instances whose tasks are given back although they are listed."""
    parted: list[str] = field(default_factory=list)
    """Instances that are in no answer any more."""
    freed: dict[str, list[SeenTask]] = field(default_factory=dict)
    """Tasks that are given back to ECS, by reason."""
    moving: bool = False
    """Something is not as wanted yet."""
    rescued: str = ""
    """The instance that comes back because nobody else answers."""
    asked: int = 0
    """Changes of custom health in this plan."""

    def run(self) -> None:
        """Take one step of every instance."""
        for name in sorted(self.wanted.entries):
            self._keep(self.wanted.entries[name], registers=True)
        for name in sorted(self.wanted.kept.keys() - self.wanted.entries.keys()):
            self._keep(self.wanted.kept[name], registers=False)
        fresh = []
        for name in sorted(self._known() - self.wanted.entries.keys() - self.wanted.kept.keys()):
            if self._is_fresh(name):
                fresh.append(name)
            else:
                self._leave(name)
        # Departing ones wait for nobody: their number was chosen so that enough others answer.
        for name in sorted(fresh, key=lambda name: (name not in self.wanted.departing, name)):
            self._begin_to_leave(name)
        for name in self.parted:
            self._release(name)
        self._forget_failures()
        for reason, tasks in sorted(self.freed.items()):
            self.actions["release"] += writes.protect(tasks, enabled=False, reason=reason)

    def _known(self) -> set[str]:
        """Return the instances that are listed, or that the memory names and something can be said of."""
        names = {short(name): name for name in (self.tasks or {})}
        names |= {short(name): name for name in self.discovered if name not in self.answering.foreign}
        remembered = self.ledger.stages.keys() | self.ledger.operations.keys()
        known = {names[name] for name in remembered if name in names} | self.answering.ours.keys()
        known |= {name for name in self.wanted.departing if self._is_kept_in_vain(name)}
        lost = remembered - {short(name) for name in known} - {"namespace", "service"}
        for name in lost:  # neither listed, nor seen, nor a task: nothing of it is left
            self.ledger.stages.pop(name, None)
            pending = self.ledger.operations.get(name)
            if pending and pending.kind == "deregister" and not pending.id:
                del self.ledger.operations[name]
        return known

    def _forget_failures(self) -> None:
        """Forget the failures of what nobody wants any more and is not there."""
        concerned = {short(name) for name in (*self.wanted.entries, *self.answering.ours)}
        for name in self.ledger.failing.keys() - concerned - self.ledger.operations.keys():
            if name not in ("namespace", "service") and not name.startswith(PROTECTION):
                del self.ledger.failing[name]

    def _task(self, instance: str) -> SeenTask | None:
        return self.tasks.get(instance) if self.tasks is not None else None

    def _is_live(self, instance: str) -> bool:
        """Tell whether an instance points to something that works."""
        task = self._task(instance)
        alias = instance in self.answering.ours and is_alias(self.answering.ours[instance])
        return alias or (task is not None and task.running and task.healthy)

    def _soon(self, at: float | None = None) -> None:
        self.moving = True
        self.ledger.wakes.append(at if at is not None else self.ledger.now + LOOK_AGAIN)

    # ------------------------------------------------------------ what is to stay

    def _keep(self, entry: Entry, *, registers: bool) -> None:
        name, ledger = short(entry.id), self.ledger
        present = self.answering.ours.get(entry.id)
        pending = ledger.operations.get(name)
        if pending and (pending.id or pending.kind == "deregister"):
            self._soon()  # one at a time; a removal that may still happen is waited for
            return
        if present is None:
            stage = ledger.stage(name)
            if registers and entry.healthy:
                if stage is None and self._was_registered(entry):
                    self.drift.append(f"{entry.id} was removed")
                self._register(entry, reason=_joins(entry))
            return
        changed = differences(present, entry) if registers else ()
        if changed:
            if not pending:
                self.drift.append(f"{entry.id} had other values of {', '.join(changed)}")
            self._register(entry, reason=f"attributes differ: {', '.join(changed)}")
            return
        ledger.operations.pop(name, None)  # its answer was lost, and it took place
        ledger.failing.pop(name, None)
        if self._has_custom_health():
            self._carry_health(entry)
        else:
            ledger.stages.pop(name, None)
            if entry.id not in self.discovered:
                self._soon()

    def _was_registered(self, entry: Entry) -> bool:
        """Tell whether an entry must have been there: only what was registered is protected."""
        return entry.task is not None and entry.task.protected_until > self.ledger.now

    def _register(self, entry: Entry, *, reason: str) -> None:
        name = short(entry.id)
        self.moving = True
        if self.service is None or self.ledger.waits(name):
            return
        if name not in self.ledger.operations and len(self.ledger.operations) >= self._window():
            self._soon()
            return
        self.ledger.stages.pop(name, None)
        action = writes.register(
            self.service,
            entry,
            self.ledger.mean("register", name),
            custom_health=self._has_custom_health(),
            reason=reason,
            urgent=self.urgent,
        )
        self.actions["register"].append(action)
        self._soon()

    def _window(self) -> int:
        """Return how many operations may be under way: fewer while many of them fail."""
        failing = sum(not name.startswith(PROTECTION) for name in self.ledger.failing)
        return max(5, WINDOW - failing)

    def _has_custom_health(self) -> bool:
        return self.service is not None and self.service.custom_health

    def _carry_health(self, entry: Entry) -> None:
        """Let clients see the health that a task has."""
        name, ledger = short(entry.id), self.ledger
        stage, seen = ledger.stage(name), self.discovered.get(entry.id)
        if not entry.healthy:
            self._hide(entry.id, reason="its task is not healthy", rescue=True)
            if ledger.stage(name) == "hidden":
                if ledger.now >= (due := ledger.since(name) + self.wait):
                    # Its protection would keep ECS from replacing it.
                    self._give_back(entry.id, reason="its task is not healthy, and clients know")
                else:
                    ledger.wakes.append(due)
            return
        if stage is None and seen == "UNHEALTHY":
            self.drift.append(f"{entry.id} was said to be UNHEALTHY")
        if stage == "healing":
            age = ledger.now - ledger.since(name)
            if seen == "HEALTHY" and age >= HEALTH_DELAY:
                del ledger.stages[name]
                return
            self._soon()
            if seen == "HEALTHY" or age < HEALTH_PATIENCE:
                return
            ledger.stages.pop(name)
        if stage is not None or seen == "UNHEALTHY":
            ledger.stages[name] = ("heal", ledger.now)
            self._set_health(entry.id, healthy=True, reason="its task is healthy", phase="rescue")
        elif seen is None:
            self._soon()

    # -------------------------------------------------------------- what is to go

    def _is_fresh(self, instance: str) -> bool:
        """Tell whether an instance that is to go answers for a task that works."""
        name = short(instance)
        stage, pending = self.ledger.stage(name), self.ledger.operations.get(name)
        if instance not in self.answering.ours or (pending and (pending.id or pending.kind == "deregister")):
            return False
        return stage in (None, "heal", "healing") and self._is_live(instance)

    def _begin_to_leave(self, instance: str) -> None:
        self.moving = True
        departing = instance in self.wanted.departing
        floor = 1 if departing or self.urgent else self.guard.floor
        if self._goes_with_all(instance):
            self._remove_with_all(instance)
            return
        if not self.guard.may_hide(instance, floor=floor):
            if self.ledger.stage(short(instance)) == "heal":
                self.ledger.stages[short(instance)] = ("heal", self.ledger.now)
                self._set_health(instance, healthy=True, reason="no other answer is healthy", phase="rescue")
            self.held += 1
            self._soon()
            return
        reason = "ECS is to end its task" if departing else "the route no longer sends to it"
        if self._has_custom_health() and not is_alias(self.answering.ours[instance]):
            self._hide(instance, reason=reason)
        else:
            self._remove(instance, reason=reason)

    def _leave(self, instance: str) -> None:
        """Take the next step of an instance that is on its way, or whose task does not work."""
        name, ledger = short(instance), self.ledger
        pending = ledger.operations.get(name)
        self.moving = True
        if pending and (pending.id or (pending.kind == "register" and instance not in self.answering.ours)):
            self._soon()
            return
        if pending and pending.kind == "register":
            del ledger.operations[name]
        if instance not in self.answering.ours:
            self._has_left(instance)
        elif self._goes_with_all(instance):
            self._remove_with_all(instance)
        elif pending and pending.kind == "deregister":
            self._remove(instance, reason="asked for before, without an answer")
        elif not self._is_live(instance) and self._died(instance):
            self._remove(instance, reason="its task has ended", rescue=True)
        elif self._has_custom_health():
            self._fade(instance)
        elif ledger.stage(name) is None and self._is_gone(instance):
            ledger.put(name, "marking")
            self._soon(ledger.now + GONE_PATIENCE)
        else:
            self._remove(instance, reason=_ON_ITS_WAY, rescue=True)

    def _fade(self, instance: str) -> None:
        """Hide, wait until nobody uses the answer any more, and remove."""
        name, ledger = short(instance), self.ledger
        if self._comes_back(instance):
            return
        self._hide(instance, reason=_ON_ITS_WAY, rescue=not self._is_live(instance))
        if ledger.stage(name) != "hidden":
            return
        if ledger.now < (due := ledger.since(name) + self.wait):
            self._soon(due)
        else:
            self._remove(instance, reason=f"hidden from clients for {self.wait:.0f} s")

    def _goes_with_all(self, instance: str) -> bool:
        """Tell whether an instance is among those that leave nobody behind, as they are meant to."""
        if self.everything:
            return True
        return instance in self.wanted.yielding and not self.guard.visible - self.wanted.yielding

    def _remove_with_all(self, instance: str) -> None:
        name, ledger = short(instance), self.ledger
        ledger.put(name, "marking")  # hidden is not gone where all are hidden
        self._remove(instance, reason="nobody is to answer any more")
        if self.gives_up and ledger.now >= ledger.since(name) + EXIT_PATIENCE:
            self.given_up.add(instance)
            self._give_back(instance, reason="nobody asks for its entry any more, and AWS does not remove it")

    def _comes_back(self, instance: str) -> bool:
        """Let one answer that was to go be healthy again if nobody else answers any more."""
        if self.guard.visible or not self._is_live(instance):
            return False
        if not self.rescued:
            self.rescued = instance
            self.ledger.put(short(instance), "heal")
            self._set_health(instance, healthy=True, reason="no other answer is healthy", phase="rescue")
        return True

    def _is_gone(self, instance: str) -> bool:
        return self.tasks is not None and self._task(instance) is None

    def _died(self, instance: str) -> bool:
        """Tell whether a task has certainly ended: seen to stop, or not found for a while."""
        task = self._task(instance)
        if task is not None or self.tasks is None:
            return task is not None and not task.running
        name = short(instance)
        return (
            self.ledger.stage(name) is not None and self.ledger.now >= self.ledger.since(name) + GONE_PATIENCE
        )

    def _hide(self, instance: str, *, reason: str, rescue: bool = False) -> None:
        """Let clients see UNHEALTHY; the stage tells how far that has come."""
        name, ledger = short(instance), self.ledger
        stage, seen = ledger.stage(name), self.discovered.get(instance)
        if stage == "hidden" and seen != "HEALTHY":
            return
        self._soon()
        unseen = seen is None and stage == "marking" and ledger.now >= ledger.since(name) + HEALTH_PATIENCE
        if seen == "UNHEALTHY" or unseen:
            ledger.put(name, "hidden")
            return
        if stage == "marking" and ledger.now < ledger.since(name) + HEALTH_PATIENCE:
            return
        if stage in ("marking", "hidden"):
            ledger.stages.pop(name)
        ledger.put(name, "mark")
        self._set_health(instance, healthy=False, reason=reason, phase="rescue" if rescue else "hide")

    def _set_health(self, instance: str, *, healthy: bool, reason: str, phase: Phase) -> None:
        self._soon()
        if self.service is None or self.asked >= HEALTH_WRITES:
            return
        self.asked += 1
        self.actions[phase].append(
            writes.set_health(self.service, instance, healthy=healthy, reason=reason, urgent=self.urgent)
        )

    def _remove(self, instance: str, *, reason: str, rescue: bool = False) -> None:
        name = short(instance)
        self._soon()
        if self.service is None or self.ledger.waits(name):
            return
        if name not in self.ledger.operations and len(self.ledger.operations) >= self._window():
            return
        if not self.guard.may_remove(instance):
            self.held += 1
            if self._has_custom_health() and not is_alias(self.answering.ours[instance]):
                self._hide(instance, reason=reason, rescue=rescue)
            return
        if self.ledger.stage(name) is None:
            self.ledger.put(name, "marking")
        self.ledger.mean("deregister", name)
        phase: Phase = "rescue" if rescue else "remove"
        self.actions[phase].append(
            writes.deregister(self.service, instance, reason=reason, urgent=self.urgent)
        )

    def _has_left(self, instance: str) -> None:
        """Take note that an instance is no longer listed; its task is given back when nobody can use it."""
        name, ledger = short(instance), self.ledger
        if self.discovered.get(instance) is not None:
            self._soon()
            return
        if ledger.operations.get(name):
            self._soon(ledger.operations[name].since + LATE)
            return
        if self._is_kept_in_vain(instance):
            ledger.put(name, "out")
        stage = ledger.stage(name)
        waited = stage == "hidden" and ledger.now >= ledger.since(name) + self.wait
        hidden = waited and bool(self.answering.visible)  # with no healthy answer all are answers
        ended = self.tasks is not None and ((task := self._task(instance)) is None or not task.running)
        if stage is None or ended:
            ledger.stages.pop(name, None)
            return
        if stage != "released":
            if not hidden:
                ledger.put(name, "out")
            due = ledger.now if hidden else ledger.since(name) + self.wait
            if ledger.now < due:
                self._soon(due)
                return
            ledger.put(name, "released")
        self.parted.append(instance)

    def _is_kept_in_vain(self, instance: str) -> bool:
        """Tell whether ECS is to end a task that is protected for an entry that is not there.

        Its registration failed, or somebody else removed the entry: no step of an entry gives it back then,
        and ECS's deployment would wait for it until the protection ends by itself.
        """
        task = self._task(instance)
        return (
            task is not None
            and task.protected_until > self.ledger.now
            and not self.keep_protected
            and instance in self.wanted.departing
            and instance not in self.answering.ours
            and self.ledger.stage(short(instance)) is None
        )

    def _release(self, instance: str) -> None:
        task = self._task(instance)
        if task is None:
            self._soon()
        elif task.held == "answering" and instance not in self.wanted.departing:
            del self.ledger.stages[short(instance)]  # it is the other name's, which gives it back
        elif task.protected_until > self.ledger.now and not self.keep_protected:
            self._soon()
            if not (self._waits_for_others(instance) or self._is_held(instance, task)):
                self._give_back(instance, reason="its entry has left")
        elif instance not in self.wanted.departing:
            del self.ledger.stages[short(instance)]

    def _is_held(self, instance: str, task: SeenTask) -> bool:
        """Tell whether clients of another name may still be sent to a task.

        One that answers with it and does not let it go is waited for only so long: it may have chosen
        another one.
        """
        late = self.ledger.since(short(instance)) + EXIT_PATIENCE
        return task.held == "leaving" or (task.held == "answering" and self.ledger.now < late)

    def _give_back(self, instance: str, *, reason: str) -> None:
        task = self._task(instance)
        if task and task.protected_until > self.ledger.now and not self.keep_protected:
            self.freed.setdefault(reason, []).append(task)

    def _waits_for_others(self, instance: str) -> bool:
        """Tell whether a task ends together with others that are not ready: nothing new starts beside old."""
        if instance not in self.wanted.yielding:
            return False
        slot = self._slot(instance)
        return any(
            self.ledger.stage(short(other)) not in ("released", None) or other in self.answering.ours
            for other in self.wanted.yielding
            if self._slot(other) == slot
        )

    def _slot(self, instance: str) -> str:
        task = self._task(instance)
        return task.slot if task else ""


def _joins(entry: Entry) -> str:
    if entry.task is None:
        return "the name points to this load balancer"
    return f"its task is healthy and the route sends to slot {entry.task.slot}"


def task_instances(tasks: tuple[SeenTask, ...] | None) -> dict[str, SeenTask] | None:
    """Return tasks by their instance id."""
    return None if tasks is None else {instance_id(task.id): task for task in tasks}
