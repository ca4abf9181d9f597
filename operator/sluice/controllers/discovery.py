"""Discovery's half of a route's pass: look at Cloud Map, plan, send, and remember what was sent.

It has no status write of its own. The route's pass writes `Names.status` before `send` (the intent: a
process that ends in between finds what it was about to do) and what `send` returns after it. A place that
the spec no longer names is planned like the one in front, from what the memory knows of it, and left once the
new one is settled, so that a name's move has no gap.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sluice.apply.errors import ApplyFailed
from sluice.controllers.discovery_looks import DiscoveryLooks, Place, Seen, Surroundings
from sluice.controllers.discovery_slots import Pace, in_motion
from sluice.controllers.settings import ControllerSettings
from sluice.model.actions import Note
from sluice.model.binding import Binding, CallContext, Priority
from sluice.model.discovery import DiscoveryIntent
from sluice.model.errors import AwsFailure, Deferred, LeadershipLost, Refused, SluiceError
from sluice.model.keys import Key
from sluice.model.tenancy import TenancyRule
from sluice.plan.discovery.memory import Memory
from sluice.plan.discovery.planner import DiscoveryPlan, absorb, plan_discovery
from sluice.plan.failures import failure_of
from sluice.plan.route.desired import BackendFacts, Parent, Problem
from sluice.ports import World

_SOON: Final = 2.0
"""How soon to look again while operations are under way or entries are leaving, seconds."""
MOST_LEFT: Final = 16
"""Places that a route may be leaving at once; the API server takes no more in a status."""
_LEFT_AT_ONCE: Final = 4
"""Those of them that a pass looks at, the oldest: all of them would take more of the budget than there is."""
_UNSTEADY: Final = 5.0
"""The same while only the backend's tasks change: new counts of theirs come by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What is to be done for a route's names in this pass."""

    memory: Memory
    """The intent; its `left` are the memories of the places that are left."""
    plans: tuple[DiscoveryPlan, ...] = ()
    """Of the place in front, then of those that are left, in the memory's order."""
    problem: Problem | None = None
    notes: tuple[Note, ...] = ()
    wake_at: float | None = None
    settled: bool = False
    progress: str = ""
    """What is not yet as wanted, for people."""
    over: bool = False
    """Nothing is asked for, and nothing of ours is left."""
    error: SluiceError | None = None
    """Why something could not be read, or was not sent."""

    @property
    def acts(self) -> bool:
        """Tell whether something is to be sent."""
        return any(plan.actions for plan in self.plans)

    @property
    def status(self) -> dict[str, Any] | None:
        """Return `status.discovery`; None where there is to be none."""
        return None if self.over else self.memory.write()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a route's pass hands to its discovery half."""

    key: Key
    generation: int
    intent: DiscoveryIntent | None
    """None: discovery was taken out of the spec, or the route is being deleted."""
    former: DiscoveryIntent | None = None
    """What the spec of a route that is being deleted asks for: where to look when the status was lost."""
    status: Mapping[str, Any]
    """The route's status as last written."""
    context: CallContext
    tenant: TenancyRule | None
    parents: Sequence[Parent] | None
    """None while not every listener was found."""
    backends: Mapping[str, BackendFacts]
    """What the Deployments publish, by name; those of `intent` and of the memory are among them."""


def concerned(intent: DiscoveryIntent | None, status: Mapping[str, Any]) -> bool:
    """Tell whether a route has a discovery half: the spec asks for it, or something is left of it."""
    return intent is not None or bool(status.get("discovery"))


def backends_of(intent: DiscoveryIntent | None, status: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the Deployments that have, had or shall have a name of the route."""
    memory = Memory.read(status.get("discovery"))
    places = (memory, *memory.left)
    former = (name for place in places for name in (place.backend, place.former_backend))
    names = (intent.backend if intent else "", *former)
    return tuple(dict.fromkeys(filter(None, names)))


class NameKeeper:
    """Plans and sends what a route's `discovery` asks for; one for the process. Thread-safe."""

    def __init__(self, world: World, settings: ControllerSettings) -> None:
        """Work with `world` under `settings`."""
        self._world = world
        self._settings = settings
        self._looks = DiscoveryLooks(world, settings)

    def plan(self, asked: Asked) -> Names:
        """Look and plan; what goes wrong is in the result, never raised."""
        memory = Memory.read(asked.status.get("discovery"))
        if asked.intent is not None:
            memory = memory.moved(asked.intent)
        moving = self._moving(asked, memory)
        around = Surroundings(
            key=asked.key,
            context=_with_priority(asked, moving=moving),
            tenant=asked.tenant,
            parents=asked.parents,
            backends=asked.backends,
            pace=Pace(moving=moving, settings=self._settings),
        )
        if len(memory.left) > MOST_LEFT:
            return self._crowded(asked, around)
        wanted = asked.intent or memory.former() or asked.former
        if wanted is None:
            return Names(memory=memory, over=True, settled=True)
        try:
            self._check(asked, wanted)
            front, seen = self._place(
                asked, Place(intent=wanted, memory=memory, deleting=asked.intent is None), around
            )
            names = self._with_left(asked, front, around)
        except Refused as refused:
            return self._kept(asked, refused, around)
        except (AwsFailure, Deferred) as error:
            # The intent has not been planned: what is remembered stays.
            return Names(
                memory=Memory.read(asked.status.get("discovery")),
                problem=_problem(error),
                wake_at=error.until if isinstance(error, Deferred) else None,
                error=error,
            )
        now = self._world.clock.now()
        unread = next(iter(seen.unread), None)
        times = [
            time for time in (names.wake_at, unread.until if isinstance(unread, Deferred) else None) if time
        ]
        if names.acts or not (names.settled or names.problem):
            times.append(now + _SOON)
        elif names.problem:  # the planner knows when it is worth another look
            times = times or [now + self._settings.drift_interval / 4]
        elif moving or _unsteady(seen):
            times.append(now + _UNSTEADY)
        return replace(
            names,
            wake_at=min(times, default=None),
            problem=names.problem or (_problem(unread) if unread else None),
            error=unread,
        )

    def _kept(self, asked: Asked, refused: Refused, around: Surroundings) -> Names:
        """Return what is done for a name that may not be, or not so: what is there stays true.

        Entries of tasks that end leave it, nothing is added, and nothing else goes: people's clients should
        not pay for a mistake in a spec, or for a tenancy that was narrowed.
        """
        memory = Memory.read(asked.status.get("discovery"))
        former = memory.former()
        told = Names(memory=memory, problem=_problem(refused), error=refused)
        if former is None:
            return told
        try:
            place = Place(intent=former, memory=memory, left=True)
            plan, _ = self._place(asked, place, replace(around, tenant=None))
        except (Refused, AwsFailure, Deferred):
            return told
        soon = self._world.clock.now() + _SOON
        times = [time for time in (plan.wake_at, soon if plan.actions else None) if time]
        return Names(
            memory=plan.memory,
            plans=(plan,),
            problem=told.problem,
            notes=plan.notes,
            wake_at=min(times, default=None),
        )

    def _crowded(self, asked: Asked, around: Surroundings) -> Names:
        """Return what is done for one move too many: the place before stays, the oldest that is left goes.

        A status that the API server refuses would stop the whole route, its rules included.
        """
        memory = Memory.read(asked.status.get("discovery"))
        refused = Refused(
            "InvalidSpec",
            f"spec.discovery: {len(memory.left)} Cloud Map services that it named before still have entries "
            f"or could not be removed ({memory.left[0].service}, …); see to it that they go, or name one of "
            "them again",
        )
        told = Names(memory=memory, problem=_problem(refused), error=refused)
        former = memory.former()
        if former is None:
            return told
        place = Place(intent=former, memory=memory, left=True)
        try:
            front, _ = self._place(asked, place, replace(around, tenant=None))
            names = self._with_left(asked, front, replace(around, tenant=None), crowded=True)
        except (Refused, AwsFailure, Deferred):
            return told
        soon = self._world.clock.now() + _SOON
        wake = min(time for time in (names.wake_at, soon) if time)
        return replace(names, problem=told.problem, error=refused, wake_at=wake)

    def send(self, names: Names, *, key: Key, binding: Binding, still_current: Callable[[], bool]) -> Names:
        """Send what was planned; return the names with the memory to write then."""
        after: list[Memory] = []
        error: SluiceError | None = names.error
        stopped = False
        for plan in names.plans:
            outputs: Mapping[str, Any] = {}
            if plan.actions and not stopped:
                try:
                    applied = self._world.executor.run(
                        plan.actions, key=key, binding=binding, still_current=still_current
                    )
                    outputs, stopped = applied.outputs, applied.superseded
                except ApplyFailed as failed:
                    outputs, error = failed.applied.outputs, failed.cause
                    stopped = isinstance(failed.cause, Deferred | LeadershipLost)
            after.append(absorb(plan.memory, plan, outputs))
        if isinstance(error, LeadershipLost):
            raise error
        memory = replace(after[0], left=tuple(after[1:])) if after else names.memory
        wake = self._world.clock.now() if stopped and error is None else names.wake_at
        if isinstance(error, Deferred):
            wake = min(filter(None, (error.until, wake)))
        told = _problem(error) if error is not None and error is not names.error else None
        return replace(names, memory=memory, error=error, wake_at=wake, problem=names.problem or told)

    # Planning.

    def _place(self, asked: Asked, place: Place, around: Surroundings) -> tuple[DiscoveryPlan, Seen]:
        seen = self._looks.look(place, around)
        plan = plan_discovery(
            asked.key,
            installation=self._settings.installation_id,
            intent=None if place.deleting or place.left else place.intent,
            former=place.memory.former() or asked.former,
            facts=seen.facts,
            memory=place.memory,
            route_generation=asked.generation,
            now=self._world.clock.now(),
        )
        return plan, seen

    def _with_left(
        self, asked: Asked, front: DiscoveryPlan, around: Surroundings, *, crowded: bool = False
    ) -> Names:
        """Plan the places that are left: kept clean until the one in front is settled, then emptied.

        Where they are too many (`crowded`) the oldest is emptied, whatever the one in front is like.
        """
        plans, kept = [front], []
        for number, old in enumerate(front.memory.left):
            may_go = asked.intent is None or (number == 0 if crowded else front.settled)
            former = old.former()
            if former is None:
                continue
            if len(plans) > (1 if crowded else _LEFT_AT_ONCE):
                plans.append(DiscoveryPlan(memory=old))
                kept.append(old)
                continue
            same = asked.intent is not None and former.backend == asked.intent.backend
            place = Place(intent=former, memory=old, deleting=may_go, keep_protected=same, left=True)
            plan, _ = self._place(asked, place, around)
            if not plan.finished:
                plans.append(plan)
                kept.append(plan.memory)
        over = asked.intent is None and front.finished and not kept
        problem = next((plan.problem for plan in plans if plan.problem), None)
        return Names(
            memory=replace(front.memory, left=tuple(kept)),
            plans=tuple(plans),
            problem=Problem(reason=problem.reason, message=problem.message) if problem else None,
            notes=tuple(note for plan in plans for note in plan.notes),
            wake_at=min((plan.wake_at for plan in plans if plan.wake_at is not None), default=None),
            settled=over or (asked.intent is not None and front.settled and not kept),
            progress="; ".join(filter(None, (plan.progress for plan in plans))),
            over=over,
        )

    def _check(self, asked: Asked, intent: DiscoveryIntent) -> None:
        """Refuse what only the Deployment's spec tells."""
        deployment = self._looks.deployment(asked.key, intent.backend)
        if asked.intent is None or deployment is None:
            return
        strategy = ((deployment.get("spec") or {}).get("strategy") or {}).get("type")
        if intent.mode == "ECS" and strategy == "Progressive":
            raise Refused(
                "InvalidSpec",
                f"spec.discovery.mode: Deployment {asked.key.namespace}/{intent.backend} is Progressive, and "
                "ECS would put its candidate into the name at once; use mode Tasks",
            )

    def _moving(self, asked: Asked, memory: Memory) -> bool:
        under_way = any(place.operations or place.leaving for place in (memory, *memory.left))
        changed = memory.generation != asked.generation or not memory.settled or bool(memory.left)
        return (
            under_way
            or changed
            or asked.intent is None
            or any(in_motion(self._looks.deployment(asked.key, name)) for name in asked.backends)
        )


def waiting(names: Names) -> str:
    """Return what a name waits for, for a condition."""
    memory, error = names.memory, names.error
    name = f"{memory.service}.{memory.namespace}" if memory.service else "the name in Cloud Map"
    if error is not None:
        return f"{name}: {error}"
    count = len(memory.left)
    left = f"{count} former names are being left, {_LEFT_AT_ONCE} at a time" if count > 1 else ""
    told = "; ".join(filter(None, (names.progress, left)))
    return f"{name}: {told or 'entries that the spec no longer names are leaving'}"


def _unsteady(seen: Seen) -> bool:
    """Tell whether a slot has not as many running tasks as it wants: what changes them is under way."""
    running = Counter(task.slot for task in seen.facts.tasks or () if task.running and not task.backend)
    return any(wish.desired != running[wish.slot] for wish in seen.facts.slots or ())


def _with_priority(asked: Asked, *, moving: bool) -> CallContext:
    rollback = asked.context.priority is Priority.ROLLBACK
    if rollback or moving:
        return asked.context if rollback else replace(asked.context, priority=Priority.ROLLOUT)
    return replace(asked.context, priority=Priority.DRIFT)


def _problem(error: SluiceError) -> Problem | None:
    failure = failure_of(error)
    return Problem(reason=failure.reason, message=failure.message) if failure else None
