"""A plan's outcome: what the steps of all entries come to, in one order, with what is told of it.

Order: what rescues clients, protection, registrations, what hides, what removes, what gives back. So a
call that fails keeps only what is less urgent from being sent, and nothing is registered before it is
protected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from sluice.model.actions import Action, Note
from sluice.model.conditions import timestamp
from sluice.model.discovery import DiscoveryFacts, DiscoveryIntent, DiscoveryProof
from sluice.model.keys import Key
from sluice.plan.discovery.entries import instance_id
from sluice.plan.discovery.ledger import Ledger
from sluice.plan.discovery.look import is_seen
from sluice.plan.discovery.memory import Memory
from sluice.plan.discovery.motion import LOOK_AGAIN, PHASES, Motion
from sluice.plan.discovery.place import Place
from sluice.plan.discovery.problem import Problem
from sluice.plan.discovery.proof import prove
from sluice.plan.discovery.protection import Protections, protections

READ_AGAIN: Final = 5.0
"""Seconds until the next look when something could not be read."""
_NAMED: Final = 3
"""Entries that a text names; the others are counted."""


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
    progress: str = ""
    """What is not yet as wanted, for people; '' when settled or where `problem` tells."""
    proof: DiscoveryProof | None = None
    """Acknowledges `facts.traffic`; it is in `memory` already."""
    finished: bool = False
    """Deleting: nothing of ours is left."""
    now: float = 0.0
    """When it was made, epoch seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a plan is about."""

    key: Key
    installation: str
    intent: DiscoveryIntent
    stays: bool
    """False for a place that the spec no longer names."""
    facts: DiscoveryFacts


def outcome(case: Case, place: Place, motion: Motion | None, ledger: Ledger) -> DiscoveryPlan:
    """Return the plan: `motion` is None where entries could not be dealt with."""
    facts = case.facts
    protection = _protection(case, motion, ledger)
    actions = list(place.actions)
    for phase in PHASES if motion else ():
        actions += protection.actions if phase == "register" else ()
        actions += motion.actions[phase] if motion else ()
    changes = protection.fresh or len(actions) > len(protection.actions)
    unread = place.usable and motion is None
    under_way = any(pending.id for pending in ledger.operations.values())
    if under_way or (motion is not None and _is_scaling(facts, motion)):
        ledger.wakes.append(ledger.now + LOOK_AGAIN)
    if unread:
        ledger.wakes.append(ledger.now + READ_AGAIN)
    problem = place.problem or _problem(case, motion, ledger)
    settled = not (
        place.moving
        or unread
        or problem
        or changes
        or ledger.operations
        or motion is None
        or motion.moving
        or not (motion.wanted.known or not case.stays)
    )
    memory = ledger.close(_counted(case, place.memory, motion))
    if case.intent.mode != "ECS" and (settled or facts.deleting):
        memory = replace(memory, registry_arn="")  # ECS's own entries were kept until ours were seen
    if settled:
        memory = replace(memory, former_backend="")
    proof = None
    if motion is not None and facts.traffic is not None and not memory.left and _may_prove(case):
        proof = prove(
            case.intent,
            facts.traffic,
            motion,
            generation=memory.generation,
            before=memory.acknowledgement,
        )
    wakes = [*ledger.wakes, *([protection.renewal] if protection.renewal else [])]
    return DiscoveryPlan(
        memory=replace(
            memory,
            acknowledgement=proof or memory.acknowledgement,
            settled=settled,
            last_change=timestamp(ledger.now) if changes else memory.last_change,
        ),
        actions=tuple(actions),
        problem=problem,
        notes=(*place.notes, *ledger.notes, *_drift(place.memory, motion)),
        wake_at=max(min(wakes), ledger.now + LOOK_AGAIN / 4) if wakes else None,
        settled=settled,
        progress="" if settled or problem else _progress(memory, motion),
        proof=proof,
        finished=place.finished,
        now=ledger.now,
    )


def _is_scaling(facts: DiscoveryFacts, motion: Motion) -> bool:
    """Tell whether a slot that answers has other than the tasks that it is to have: it is looked at again."""
    running = Counter(task.slot for task in facts.tasks or () if task.running and not task.backend)
    return any(
        wish.desired != running[wish.slot] for wish in facts.slots or () if wish.slot in motion.wanted.counts
    )


def _may_prove(case: Case) -> bool:
    return case.stays and not case.facts.deleting and case.intent.mode == "Tasks"


def _protection(case: Case, motion: Motion | None, ledger: Ledger) -> Protections:
    """Return the protection of every task that answers or is about to."""
    facts = case.facts
    if motion is None or facts.tasks is None or facts.keep_protected:
        return Protections()
    coming = {action.params["InstanceId"] for action in motion.actions["register"]}
    needed = {
        instance_id(task.id)
        for task in facts.tasks
        if task.running
        and task.healthy
        and ((name := instance_id(task.id)) in coming or name in motion.answering.ours)
        and not (motion.everything and (name in motion.given_up or task.protected_until <= ledger.now))
    }
    return protections(
        facts.tasks,
        needed=needed,
        departing=motion.wanted.departing,
        wishes={wish.slot: wish for wish in facts.slots or ()},
        ledger=ledger,
    )


def _problem(case: Case, motion: Motion | None, ledger: Ledger) -> Problem | None:
    if not case.facts.backend_exists and case.stays and not case.facts.deleting:
        return Problem(
            reason="BackendNotFound",
            message=f"spec.discovery.backendRef: Deployment {case.intent.backend} does not exist; "
            "create it or correct the name",
        )
    if motion is not None and motion.wanted.unfit:
        return Problem(reason="InvalidSpec", message="; ".join(motion.wanted.unfit))
    stuck = ledger.stuck()
    return Problem(reason=stuck[0], message=stuck[1]) if stuck else None


def _counted(case: Case, memory: Memory, motion: Motion | None) -> Memory:
    """Return the memory with what it is about and what was seen there."""
    intent, service = case.intent, case.facts.service
    former = memory.former_backend
    if memory.backend not in ("", intent.backend):
        former = memory.backend  # its entries leave in order only while its tasks are read
    memory = replace(
        memory, mode=intent.mode, backend=intent.backend, port=intent.port, former_backend=former
    )
    if motion is None:
        return memory
    custom = service is not None and service.custom_health
    ours = motion.answering.ours
    return replace(
        memory,
        instances=len(ours),
        healthy=sum(is_seen(motion.discovered.get(name), custom_health=custom) for name in ours),
        foreign=len(motion.answering.foreign),
    )


def _drift(memory: Memory, motion: Motion | None) -> tuple[Note, ...]:
    """Return what somebody else did to entries that were as wanted."""
    if motion is None or not motion.drift or not memory.settled:
        return ()
    text = f"Cloud Map entries were changed by somebody else: {some(motion.drift)}; repaired"
    return (Note(type="Warning", reason="DriftRepaired", message=text),)


def _progress(memory: Memory, motion: Motion | None) -> str:
    """Return what is under way, without times: the text is a condition's message."""
    if motion is None:
        return "the place of the entries in Cloud Map is being made or could not be read"
    if not motion.wanted.known and not motion.moving:
        return "nobody has published yet which tasks get requests"
    wanted_ones = motion.wanted.entries
    missing = len(wanted_ones) - sum(name in motion.answering.visible for name in wanted_ones)
    leaving = sum(len(group.instances) for group in memory.leaving if group.stage not in ("heal", "healing"))
    told = [
        f"{missing} of {len(wanted_ones)} entries are not seen by clients yet" if missing else "",
        f"{leaving} are on their way out" if leaving else "",
        f"{motion.held} stay until others answer" if motion.held else "",
        f"{len(memory.operations)} operations are under way" if memory.operations else "",
    ]
    return "; ".join(filter(None, told)) or "entries of Cloud Map are being changed"


def some(names: Sequence[str]) -> str:
    """Return the first few names, and how many more there are."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
