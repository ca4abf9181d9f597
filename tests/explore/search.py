"""Breadth first through every state that can be reached, with the shortest way to where a promise breaks.

After the search: from every state the end can be reached (nothing is stuck, nothing goes round for ever
without a way out), and in every end the world is whole.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from explore.controllers import REPLICAS, SLOTS
from explore.state import State, canonical
from explore.world import FULL, BrokenPromiseError, World

Way = list[str]


class ViolationError(AssertionError):
    """A promise that does not hold, and the shortest way there."""


@dataclass(slots=True)
class Found:
    """What a search went through."""

    states: int
    moves: int
    ends: int
    depth: int


@dataclass(slots=True)
class _Graph:
    number: dict[State, int] = field(default_factory=dict)
    came: list[tuple[int, str]] = field(default_factory=list)
    """Of each state: the state before it on the shortest way, and the move."""
    back: list[list[int]] = field(default_factory=list)
    """Of each state: the states that lead to it."""

    def add(self, state: State, parent: int, label: str) -> bool:
        new = state not in self.number
        if new:
            self.number[state] = len(self.came)
            self.came.append((parent, label))
            self.back.append([])
        if parent >= 0:
            self.back[self.number[state]].append(parent)
        return new

    def way(self, at: int) -> Way:
        found: Way = []
        while at >= 0:
            at, label = self.came[at]
            found.append(label)
        return found[::-1]


def explore(
    world: World, first: State, *, limit: int = 5_000_000, say: Callable[[str], None] = lambda _: None
) -> Found:
    """Go through everything; raises ViolationError with the way to the nearest broken promise."""
    graph = _Graph()
    first = canonical(first)
    graph.add(first, -1, "start")
    queue = deque([first])
    moves, ends = 0, []
    while queue:
        state = queue.popleft()
        here = graph.number[state]
        onward = False
        try:
            for label, after in world.moves(state):
                moves += 1
                following = canonical(after)
                onward = onward or following != state
                if graph.add(following, here, label):
                    queue.append(following)
                    if len(graph.came) % 100_000 == 0:
                        say(f"{len(graph.came)} states, {moves} moves, {len(queue)} waiting")
        except BrokenPromiseError as error:
            raise ViolationError(_told(graph.way(here), str(error))) from error
        if not onward or _at_rest(state):
            ends.append(here)
            wrong = _wrong(state)
            if wrong:
                raise ViolationError(_told(graph.way(here), f"the end is not whole: {wrong}"))
        if len(graph.came) > limit:
            raise ViolationError(f"more than {limit} states")
    _all_end(graph, ends)
    return Found(
        states=len(graph.came), moves=moves, ends=len(ends), depth=len(graph.way(len(graph.came) - 1)) - 1
    )


def _all_end(graph: _Graph, ends: list[int]) -> None:
    """Check that an end can be reached from every state."""
    reached, queue = set(ends), deque(ends)
    while queue:
        for before in graph.back[queue.popleft()]:
            if before not in reached:
                reached.add(before)
                queue.append(before)
    for number in range(len(graph.came)):
        if number not in reached:
            raise ViolationError(_told(graph.way(number), "from here no end can be reached"))


def _at_rest(state: State) -> bool:
    idle = state.doing is None and not any(route.doing for route in state.routes)
    flying = any(holder.flying for holder in (*state.routes, *state.slots))
    settled = all(route.rule == state.traffic.value.weights for route in state.routes)
    return bool(
        idle
        and not flying
        and settled
        and state.motion.value.rollout is None
        and not _wrong(state)
        and _current(state)
    )


def _current(state: State) -> bool:
    """Tell whether nothing is to be begun: what is asked for is live, or was rejected."""
    live, rejected = state.motion.value.live, state.motion.value.rejected
    names = {live.revision if live else "", rejected.revision if rejected else ""}
    return state.wanted in names and not state.person


def _wrong(state: State) -> str:
    """Return what is not whole in a state in which nothing goes on; '' when all is."""
    live = state.motion.value.live
    if state.motion.value.rollout is not None:
        return f"the rollout stands in {state.motion.value.rollout.stage}"
    if live is None:
        return "nothing is live"
    for route in state.routes:
        if dict(route.rule) != {live.slot: FULL}:
            return f"a rule has {dict(route.rule)}, live is slot {live.slot}"
    service = state.slots[SLOTS.index(live.slot)].service
    if (service.revision, service.count, service.healthy) != (live.revision, REPLICAS, REPLICAS):
        return f"the live slot is {service}"
    other = state.slots[1 - SLOTS.index(live.slot)].service
    return f"the other slot has {other.count} tasks" if other.count else ""


def _told(way: Way, end: str) -> str:
    steps = "\n".join(f"{number:3d}. {label}" for number, label in enumerate(way))
    return f"{end}\n{steps}"
