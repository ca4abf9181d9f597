"""What to ask of Cloud Map next, and why (being written: answers "nothing to do" until it is)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sluice.model.actions import Action, Note
from sluice.model.discovery import DiscoveryFacts, DiscoveryIntent, DiscoveryProof
from sluice.model.keys import Key
from sluice.plan.discovery.memory import Memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why the names are not as the spec wants them; a condition's reason and message."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryPlan:
    """What was decided. `memory` is written to status before `actions` are sent: it is the intent."""

    memory: Memory
    actions: tuple[Action, ...] = ()
    problem: Problem | None = None
    notes: tuple[Note, ...] = ()
    wake_at: float | None = None
    """Epoch seconds at which to look again whatever happens; None: only the drift resync."""
    settled: bool = False
    """Everything is as wanted and was seen so."""
    proof: DiscoveryProof | None = None
    """Acknowledges `facts.traffic`; it is in `memory` already."""
    finished: bool = False
    """Deleting: nothing of ours is left."""


def plan_discovery(
    key: Key,
    *,
    installation: str,
    intent: DiscoveryIntent | None,
    former: DiscoveryIntent | None,
    facts: DiscoveryFacts,
    memory: Memory,
    route_generation: int,
    now: float,
) -> DiscoveryPlan:
    """Return the plan; see the module."""
    del key, installation, intent, former, now
    return DiscoveryPlan(memory=replace(memory, generation=route_generation), finished=facts.deleting)


def absorb(memory: Memory, plan: DiscoveryPlan, outputs: Mapping[str, Any]) -> Memory:
    """Return `memory` with what the answers of `plan`'s actions told: to be written after the executor.

    `outputs` are those of the actions that took place (also of a plan that failed half way).
    """
    del plan, outputs
    return memory
