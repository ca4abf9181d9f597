"""One decision while it is being made: the facts, the memory as it changes, and what is to be told.

The only mutable thing in the machine. A stage either moves (and the loop goes on with fresh notes of
what it waits for) or waits, by exactly one `wait`, whose text says for what, with numbers.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Final

from sluice.model.actions import Note
from sluice.model.rollout import (
    Finished,
    Gate,
    HookRequest,
    MetricRequest,
    Motion,
    Need,
    Outcome,
    Rollout,
    RolloutKind,
    Stage,
)
from sluice.model.situation import Situation, SlotFacts
from sluice.model.strategy import FULL, Progressive, SetWeight, Step
from sluice.rollout.events import WARNINGS, EventReason

SLOTS = ("a", "b")
CALL_BUDGET: Final = 10.0
"""Seconds that a call may still be under way after nobody waits for its answer: of the leader before
(rollout.md §7 point 6), or a rule write of our own whose answer never came."""
SETTLING: Final = CALL_BUDGET + 5.0
"""Seconds after which a write to a service that nobody waits for any more has taken place or never will, and
shows: in what ECS tells (`observe.source.FactsSettings.consistency`) and in its targets' health."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """What a pass waits for."""

    reason: str
    """A condition reason."""
    message: str
    counts: bool = False
    """Something technical: time counts against progressDeadlineSeconds."""


@dataclass(slots=True, kw_only=True)
class Work:
    """One decision."""

    situation: Situation
    motion: Motion
    now: float
    waits: Wait | None = None
    notes: list[Note] = field(default_factory=list)
    needs: set[Need] = field(default_factory=set)
    wakes: list[float] = field(default_factory=list)
    gates: list[Gate] = field(default_factory=list)
    metrics: list[MetricRequest] = field(default_factory=list)
    hooks: list[HookRequest] = field(default_factory=list)
    finished: list[Finished] = field(default_factory=list)

    def fresh(self) -> None:
        """Forget what the last stage waited for: another one is looked at."""
        self.waits = None
        for told in (self.needs, self.wakes, self.gates, self.metrics, self.hooks):
            told.clear()

    @property
    def rollout(self) -> Rollout:
        """Return the rollout in motion; only called where there is one."""
        if self.motion.rollout is None:
            raise LookupError("no rollout is in motion")
        return self.motion.rollout

    def change(self, **members: Any) -> None:  # noqa: ANN401 - the members of Rollout
        """Set members of the rollout."""
        self.motion = dataclasses.replace(self.motion, rollout=dataclasses.replace(self.rollout, **members))

    def enter(self, stage: Stage, **members: Any) -> bool:  # noqa: ANN401 - the members of Rollout
        """Go to another stage, which is progress. Returns True: the machine moved."""
        self.progress(stage=stage, stage_since=self.now, **members)
        return True

    def progress(self, **members: Any) -> None:  # noqa: ANN401 - the members of Rollout
        """Set members of the rollout and start the clock of progressDeadlineSeconds anew."""
        stopped = None if self.rollout.clock_stopped_at is None else self.now
        self.change(progressed_at=self.now, clock_stopped_at=stopped, **members)

    def wait(self, reason: str, message: str, *, counts: bool = False) -> bool:
        """Say what is waited for (the first of several says it). Returns False: nothing moved."""
        if self.waits is None:
            self.waits = Wait(reason=reason, message=message, counts=counts)
        return False

    def note(self, reason: EventReason, message: str) -> None:
        """Tell an Event."""
        kind = "Warning" if reason in WARNINGS else "Normal"
        self.notes.append(Note(type=kind, reason=reason, message=message))

    def gate(self, name: str, state: Any, message: str = "") -> None:  # noqa: ANN401 - Gate's literal
        """Show a gate; `since` is kept while its state is."""
        before = self.motion.rollout.gates if self.motion.rollout else ()
        old = next((gate for gate in before if gate.name == name and gate.state == state), None)
        since = old.since if old else self.now
        if all(gate.name != name for gate in self.gates):
            self.gates.append(Gate(name=name, state=state, since=since, message=message))

    def conclude(self, outcome: Outcome) -> None:
        """End the rollout: it goes to the history."""
        done = dataclasses.replace(self.rollout, outcome=outcome, gates=())
        self.finished.append(Finished(rollout=done, outcome=outcome, at=self.now))
        self.motion = dataclasses.replace(self.motion, rollout=None)

    @property
    def strategy(self) -> Progressive:
        """Return the strategy in force: the rollout's snapshot, or the spec's before it moved."""
        rollout, situation = self.motion.rollout, self.situation
        if rollout is None or rollout.stage == "Starting" or situation.snapshot is None:
            return situation.strategy
        # One rollout may end and the next begin in the same decision: the snapshot is the old one's then.
        if rollout.strategy == situation.strategy.snapshot != situation.snapshot.snapshot:
            return situation.strategy
        return situation.snapshot

    @property
    def candidate(self) -> SlotFacts:
        """Return the facts of the candidate's slot."""
        return facts(self.situation, self.rollout.slot)

    @property
    def source(self) -> SlotFacts:
        """Return the facts of the source's slot."""
        return facts(self.situation, other(self.rollout.slot))

    @property
    def steps(self) -> tuple[Step, ...]:
        """Return the steps of the rollout; the last weight is always everything."""
        return steps_of(self.rollout.kind, self.strategy)

    @property
    def shares(self) -> bool:
        """Tell whether weights are shares of tasks at the moment: no route from the start, and none now.

        A route counts that only lists the tasks in Cloud Map: its names move requests, too.
        """
        return self.rollout.shares and not self.situation.traffic.routes


def steps_of(kind: RolloutKind, strategy: Progressive) -> tuple[Step, ...]:
    """Return the steps that a rollout of this kind goes through: a first one and an undo have one."""
    return whole(strategy.steps) if kind == "Rollout" else (SetWeight(permille=FULL),)


def facts(situation: Situation, slot: str) -> SlotFacts:
    """Return the facts of a slot; one that nothing is known of does not exist."""
    return situation.slots.get(slot) or SlotFacts(name=slot)


def drain(work: Work, slot: SlotFacts) -> float:
    """Return how long a slot keeps its tasks after the routes stopped sending to it, seconds.

    Never shorter than a late rule write takes to land: the reading of the rules that lets the tasks go
    comes after it (with a deregistration delay of 0 it would come before). What clients may keep of a name
    was waited for before its proof, so it is not counted here; the propagation delay is the rules'.
    """
    traffic = work.situation.traffic
    names_only = bool(traffic.routes) and not traffic.provers_of("rules")
    delay = 0.0 if names_only else work.strategy.propagation_delay
    return max(CALL_BUDGET, delay + slot.drain_seconds)


def other(slot: str) -> str:
    """Return the other slot's name."""
    return "b" if slot == "a" else "a"


def whole(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return steps that end with everything on the candidate, as a rollout always does."""
    weights = [step.permille for step in steps if isinstance(step, SetWeight)]
    return steps if weights and weights[-1] == FULL else (*steps, SetWeight(permille=FULL))


def percent(permille: int) -> str:
    """Return `25 %` for 250."""
    return f"{permille / 10:g} %"


def place(work: Work) -> str:
    """Return `step 2 of 7`."""
    return f"step {min(work.rollout.step + 1, len(work.steps))} of {len(work.steps)}"
