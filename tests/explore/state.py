"""One state of the small world that is explored: two slots, two routes, two controllers, what is under way.

Everything is a value and hashable. Time is told relative to `NOW`: when it passes, every time in the state
moves back instead, so that states that differ only by the hour are one. What is older than `HORIZON` keeps
its order and nothing else; what nothing in this world depends on (how long a step lasted, texts) is left
out. Two routes that are exchanged make the same state.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final, Generic, NamedTuple, NoReturn, TypeVar

from sluice.model.rollout import Motion, Rollout
from sluice.model.traffic import Traffic
from sluice.rollout.work import SETTLING

NOW = 1_000_000.0
HORIZON = 40.0
"""Seconds: longer than every time that is waited for here (the longest is the drain)."""


class Frozen(dict[Any, Any]):
    """A mapping that can be part of a state."""

    def __hash__(self) -> int:  # type: ignore[override]
        """Hash by content."""
        return hash(tuple(sorted(self.items())))

    def __setitem__(self, key: object, value: object) -> NoReturn:
        """Refuse."""
        raise TypeError("a state is not changed")


Weights = Frozen
"""Slot → permille."""
_T = TypeVar("_T")


class Kept(Generic[_T]):
    """One of the product's values: the same object for equal values, so that comparing costs nothing."""

    __slots__ = ("value",)

    def __init__(self, value: _T) -> None:
        """Only `keep` makes one."""
        self.value = value


_KEPT: Final[dict[Any, Kept[Any]]] = {}


def keep(value: _T) -> Kept[_T]:
    """Return the one that stands for `value`."""
    return _KEPT.setdefault(value, Kept(value))


class Act(NamedTuple):
    """One AWS write of the Deployment controller on a slot's service."""

    slot: str
    count: int
    revision: str | None = None
    """None: the count alone."""


class Service(NamedTuple):
    """A slot's ECS service and its tasks; they start and stop at once, health comes later."""

    revision: str = ""
    """'' : there is no service."""
    count: int = 0
    healthy: int = 0
    young: bool = False
    """Tasks started in this very moment: a health check takes longer."""


class Slot(NamedTuple):
    """A slot: what is true, what a stale read would show, and a late write that may still land."""

    service: Service = Service()
    before: Service | None = None
    flying: Act | None = None
    fewest: int | None = None
    """In status: what a write that was not answered yet may leave it."""
    settles: float = 0.0
    """In the process's memory: when a write that it gave up is over; 0: it gave none up."""

    @property
    def sure(self) -> int | None:
        """Return what a pass that begins now reads of it in status; what is over is no more."""
        return self.fewest if self.settles > NOW else None


def opened(slot: Slot, left: int | None) -> Slot:
    """Return the slot as the intent of a write says it that leaves it so many tasks; None takes none away."""
    known = [count for count in (slot.sure, left) if count is not None]
    return slot._replace(fewest=min(known, default=None))


def closed(slot: Slot) -> Slot:
    """Return the slot when an answer came: what was open before that write still is."""
    return slot if slot.settles > NOW else slot._replace(fewest=None, settles=0.0)


def given_up(slot: Slot) -> Slot:
    """Return the slot when an answer did not come, or the process that waited for it died."""
    return slot if slot.fewest is None else slot._replace(settles=NOW + SETTLING)


class Ack(NamedTuple):
    """`status.backends` of a route."""

    rollout_id: str
    seq: int
    hash: str
    verified_at: float


class RoutePass(NamedTuple):
    """A pass of the route controller between two calls."""

    at: str
    """`write`, `prove` or `tell`: the call that comes next."""
    traffic: Kept[Traffic]
    read_at: float = 0.0


class Route(NamedTuple):
    """A ServiceRoute: its rule, its acknowledgement, its pass."""

    rule: Weights
    ack: Ack
    before: Weights | None = None
    flying: Weights | None = None
    doing: RoutePass | None = None
    shown: bool = True
    """The rule has truly had the published weights since they were published."""


class DeploymentPass(NamedTuple):
    """A pass of the Deployment controller between two calls."""

    motion: Kept[Motion]
    traffic: Kept[Traffic]
    acts: tuple[Act, ...]
    leaves: tuple[int | None, ...]
    """Of each act: the tasks that it leaves its slot, None where it takes none away."""
    last: str
    previous: str
    heard: bool
    """A person's word was heard in it."""
    written: bool = False
    """Its status is written; what follows are the acts."""


class Left(NamedTuple):
    """What may still go wrong or be asked for."""

    crash: int = 1
    answer: int = 1
    """Lost or late."""
    stale: int = 1
    slow: int = 0
    """Times that ten seconds pass in the middle of something."""
    verbs: tuple[str, ...] = ()
    """One of these."""
    edits: tuple[str, ...] = ()
    """One of these revisions."""


class State(NamedTuple):
    """See the module."""

    wanted: str
    motion: Kept[Motion]
    traffic: Kept[Traffic]
    routes: tuple[Route, ...]
    slots: tuple[Slot, Slot]
    left: Left
    last: str = "h"
    previous: str = ""
    person: str = ""
    changed: bool = False
    """The object is another one than the pass of the Deployment has read: its status write conflicts."""
    doing: DeploymentPass | None = None
    resumed: bool = False
    """The process has not seen this rollout before."""
    epoch: int = 0


def canonical(state: State) -> State:
    """Return the one that stands for all states that differ in nothing that matters."""
    numbers = {state.traffic.value.seq}
    for route in state.routes:
        numbers.add(route.ack.seq)
        if route.doing:
            numbers.add(route.doing.traffic.value.seq)
    if state.doing:
        numbers.add(state.doing.traffic.value.seq)
    if max(numbers) != len(numbers):
        state = _renumbered(state, {seq: place for place, seq in enumerate(sorted(numbers), 1)})
    first, second = state.routes
    return state._replace(routes=(second, first)) if hash(second) < hash(first) else state


def _renumbered(state: State, rank: Mapping[int, int]) -> State:
    routes = tuple(
        route._replace(
            ack=route.ack._replace(seq=rank[route.ack.seq]),
            doing=route.doing._replace(traffic=_numbered(route.doing.traffic, rank)) if route.doing else None,
        )
        for route in state.routes
    )
    doing = state.doing._replace(traffic=_numbered(state.doing.traffic, rank)) if state.doing else None
    return state._replace(traffic=_numbered(state.traffic, rank), routes=routes, doing=doing)


def _numbered(traffic: Kept[Traffic], rank: Mapping[int, int]) -> Kept[Traffic]:
    told = traffic.value
    return keep(dataclasses.replace(told, seq=rank[told.seq])) if rank[told.seq] != told.seq else traffic


def quiet(motion: Motion) -> Motion:
    """Return a memory without what nothing here depends on."""
    rollout, live, rejected = motion.rollout, motion.live, motion.rejected
    return dataclasses.replace(
        motion,
        live=dataclasses.replace(live, since=NOW) if live else None,
        rollout=_quiet(rollout) if rollout else None,
        rejected=dataclasses.replace(rejected, message="") if rejected else None,
    )


def _quiet(rollout: Rollout) -> Rollout:
    draining = rollout.stage in ("Draining", "CleaningUp")
    return dataclasses.replace(
        rollout,
        started_at=NOW,
        progressed_at=NOW,
        samples_after=NOW,
        clock_stopped_at=None,
        stage_since=rollout.stage_since if draining else NOW,
        step_since=None if rollout.step_since is None else NOW,
        healthy_since=None if rollout.healthy_since is None else NOW,
        hooks=(),
        metrics=(),
        gates=(),
        evidence=(),
        message="",
        strategy=Frozen(rollout.strategy),
    )


def later(state: State, seconds: float) -> State:
    """Return the state after `seconds` in which nothing else happened."""
    times = {time - seconds for time in _times(state) if time}
    old = sorted((time for time in times if time < NOW - HORIZON), reverse=True)
    moved = {time: NOW - HORIZON - place for place, time in enumerate(old, 1)}

    def shift(time: float) -> float:
        return moved.get(time - seconds, time - seconds) if time else time

    def aged(motion: Kept[Motion]) -> Kept[Motion]:
        rollout = motion.value.rollout
        if rollout is None:
            return motion
        named = {name: shift(getattr(rollout, name)) for name in _ROLLOUT}
        return keep(quiet(dataclasses.replace(motion.value, rollout=dataclasses.replace(rollout, **named))))

    def told(traffic: Kept[Traffic]) -> Kept[Traffic]:
        return keep(dataclasses.replace(traffic.value, verify_after=shift(traffic.value.verify_after)))

    routes = tuple(
        route._replace(
            before=None,
            ack=route.ack._replace(verified_at=shift(route.ack.verified_at)),
            doing=route.doing._replace(traffic=told(route.doing.traffic), read_at=shift(route.doing.read_at))
            if route.doing
            else None,
        )
        for route in state.routes
    )
    doing = state.doing
    return state._replace(
        motion=aged(state.motion),
        traffic=told(state.traffic),
        routes=routes,
        slots=(_rested(state.slots[0], seconds), _rested(state.slots[1], seconds)),
        doing=doing._replace(motion=aged(doing.motion), traffic=told(doing.traffic)) if doing else None,
    )


_ROLLOUT = ("stage_since", "verify_after", "decided_at", "verified_at")


def _rested(slot: Slot, seconds: float) -> Slot:
    rested = slot._replace(before=None, service=slot.service._replace(young=False))
    if not slot.settles:
        return rested
    return closed(rested._replace(settles=slot.settles - seconds))


def _times(state: State) -> set[float]:
    found = {state.traffic.value.verify_after}
    motions = [state.motion]
    for route in state.routes:
        found.add(route.ack.verified_at)
        if route.doing:
            found |= {route.doing.read_at, route.doing.traffic.value.verify_after}
    if state.doing:
        motions.append(state.doing.motion)
        found.add(state.doing.traffic.value.verify_after)
    for motion in motions:
        if motion.value.rollout:
            found |= {getattr(motion.value.rollout, name) for name in _ROLLOUT}
    return found
