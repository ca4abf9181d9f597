"""What to ask of Cloud Map next so that a name answers with the right tasks, and why.

    entry of ours | task or load balancer       | weight | decision
    --------------+-----------------------------+--------+------------------------------------------------
    no            | healthy                     | yes    | protect the task, register
    no            | not healthy                 | any    | none: it would be a dead answer
    no            | any                         | no     | none; a task that Sluice protected is given back
    yes           | healthy, attributes differ  | yes    | register again (an upsert), drift is told
    yes           | healthy, seen UNHEALTHY     | yes    | say HEALTHY
    yes           | not healthy                 | yes    | say UNHEALTHY; later give the task back to ECS
    yes           | healthy                     | no     | once those that are wanted are seen: say UNHEALTHY;
                  |                             |        | seen → wait → deregister → gone → give back
    yes           | healthy, ECS is to end it   | yes    | the same, once enough others are seen (departures)
    yes           | is being stopped            | any    | deregister
    yes           | not to be found             | any    | say UNHEALTHY, deregister when it stays so
    yes           | the last healthy answer     | any    | stays, whatever the rows above say (guard)
    yes           | any, and nobody is to be    | any    | deregister at once → gone → wait → give back: the
                  | left: route or backend      |        | guard keeps nobody whom the spec sends away
                  | going, 0 tasks, Recreate    |        |
    not ours      | any                         | any    | never written; counted
    yes           | tasks or entries not read   | any    | none

Where entries live (namespace, service) is decided first (`place`), who is wanted in `wanted`, the order
of steps in `motion`; `ledger` keeps what is under way, `proof` says what the answers prove. `memory` of
the plan is written before its actions are sent, `absorb` adds what their answers told. A pass that finds
everything as wanted has no actions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sluice.model.actions import Action, Note
from sluice.model.conditions import timestamp
from sluice.model.discovery import DiscoveryFacts, DiscoveryIntent, DiscoveryProof
from sluice.model.keys import Key
from sluice.plan.discovery.entries import instance_id, is_alias, is_claimed
from sluice.plan.discovery.guard import Guard
from sluice.plan.discovery.ledger import Ledger
from sluice.plan.discovery.look import effects, is_being_removed, is_seen, look
from sluice.plan.discovery.memory import Leaving, Memory, Stage
from sluice.plan.discovery.motion import LOOK_AGAIN, PHASES, Motion, task_instances
from sluice.plan.discovery.place import Place, decide_place, remove_place
from sluice.plan.discovery.problem import Problem
from sluice.plan.discovery.proof import prove
from sluice.plan.discovery.protection import protections
from sluice.plan.discovery.wanted import Answering, Scene, Wanted, keep, wanted

READ_AGAIN: Final = 5.0
"""Seconds until the next look when something could not be read."""
_NAMED: Final = 3
"""Entries that a text names; the others are counted."""
_ACCEPTED: Final[Mapping[Stage, Stage]] = {"mark": "marking", "heal": "healing"}


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    key: Key
    installation: str
    intent: DiscoveryIntent
    stays: bool
    """False for a place that the spec no longer names."""
    facts: DiscoveryFacts


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
    """Return the plan for one Cloud Map service of a route.

    Without an `intent` the place is one that the spec no longer names (`former`, else what the memory
    says): it is kept clean of dead entries until `facts.deleting` says that everything goes.
    """
    meant = intent or former or memory.former()
    if meant is None:
        return DiscoveryPlan(memory=memory, settled=True, finished=True)
    edited = memory.backend != meant.backend or memory.generation != route_generation
    case = _Case(key=key, installation=installation, intent=meant, stays=intent is not None, facts=facts)
    before = replace(
        memory,
        namespace=memory.namespace or meant.namespace.name or meant.namespace.id,
        service=meant.service,
        generation=route_generation,
        settled=memory.settled and not edited,
    )
    ledger = Ledger.of(memory, now=round(now, 3))
    ledger.track(facts.operations, has=effects(facts, now=ledger.now))
    place = _place(case, before, ledger)
    motion = _move(case, place, ledger) if place.usable else None
    if facts.deleting:
        empty = not place.usable or (motion is not None and not motion.moving)
        place = remove_place(
            key, facts, installation=installation, memory=place.memory, ledger=ledger, empty=empty
        )
    return _outcome(case, place, motion, ledger)


def _place(case: _Case, memory: Memory, ledger: Ledger) -> Place:
    """Return the place that instances have; one that is being left is taken as it is."""
    if case.stays and not case.facts.deleting:
        return decide_place(
            case.key, case.intent, case.facts, installation=case.installation, memory=memory, ledger=ledger
        )
    there = case.facts.service is not None or bool(ledger.stages)
    return Place(memory=memory, usable=there)


def _move(case: _Case, place: Place, ledger: Ledger) -> Motion | None:
    """Take a step of every instance; None where what that takes was not read."""
    facts, service = case.facts, case.facts.service
    registered, discovered = (facts.registered, facts.discovered) if service else ({}, {})
    if registered is None or discovered is None:
        return None
    answering = look(
        facts, registered, discovered, installation=case.installation, key=case.key, ledger=ledger
    )
    scene = Scene(
        key=case.key,
        installation=case.installation,
        intent=case.intent,
        facts=facts,
        records=service.records if service else (),
        custom_health=service.custom_health if service else False,
        answering=answering,
    )
    chosen = wanted(scene) if facts.deleting or _is_possible(case) else keep(scene)
    needs_tasks = not all(map(is_alias, answering.ours.values())) or bool(ledger.stages)
    if chosen is None or (facts.tasks is None and needs_tasks):
        return None
    chosen = _without_claimed(chosen, answering, place)
    everything = facts.deleting or facts.backend_going
    motion = Motion(
        service=service,
        answering=answering,
        wanted=chosen,
        discovered=discovered,
        tasks=task_instances(facts.tasks),
        ledger=ledger,
        guard=Guard(
            visible=set(answering.visible),
            answers={name for name in discovered if not is_being_removed(name, ledger)},
            floor=chosen.least,
            awaited=bool(chosen.entries),
            off=everything,
        ),
        wait=max(facts.propagation, *_ttls(case)),
        everything=everything,
        urgent=bool(facts.traffic and facts.traffic.rollback),
        keep_protected=facts.keep_protected,
        gives_up=facts.deleting,
    )
    motion.run()
    return motion


def _is_possible(case: _Case) -> bool:
    """Tell whether the service can have the entries that the intent asks for."""
    service = case.facts.service
    if not case.stays:
        return False
    if case.intent.mode != "Alias" or service is None:
        return True
    return service.routing == "WEIGHTED" and any(r.type in ("A", "AAAA") for r in service.records)


def _ttls(case: _Case) -> tuple[float, ...]:
    """Return how long clients may use an answer: of the records as they are and as they are to be."""
    seen = case.facts.service.records if case.facts.service else ()
    return (0.0, *(float(record.ttl) for record in (*seen, *case.intent.records)))


def _without_claimed(chosen: Wanted, answering: Answering, place: Place) -> Wanted:
    """Leave out entries whose id another route's instance has."""
    taken = sorted(
        name for name in chosen.entries if name in answering.foreign and is_claimed(answering.foreign[name])
    )
    if not taken:
        return chosen
    place.problem = place.problem or Problem(
        reason="OwnershipConflict",
        message=f"Cloud Map instances of another route or installation have our ids: {_some(taken)}; "
        "remove them, or choose another serviceName",
    )
    entries = {name: entry for name, entry in chosen.entries.items() if name not in taken}
    return replace(chosen, entries=entries, short=True)


# -------------------------------------------------------------------------- outcome


def _outcome(case: _Case, place: Place, motion: Motion | None, ledger: Ledger) -> DiscoveryPlan:
    facts = case.facts
    protection, renewal = _protection(case, motion, ledger)
    actions = list(place.actions)
    for phase in PHASES if motion else ():
        actions += protection if phase == "register" else ()
        actions += motion.actions[phase] if motion else ()
    unread = place.usable and motion is None
    if motion is not None and _is_scaling(facts, motion):
        ledger.wakes.append(ledger.now + LOOK_AGAIN)
    if unread:
        ledger.wakes.append(ledger.now + READ_AGAIN)
    problem = place.problem or _problem(case, motion, ledger)
    settled = not (
        place.moving
        or unread
        or problem
        or actions
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
    wakes = [*ledger.wakes, *([renewal] if renewal else [])]
    return DiscoveryPlan(
        memory=replace(
            memory,
            acknowledgement=proof or memory.acknowledgement,
            settled=settled,
            last_change=timestamp(ledger.now) if actions else memory.last_change,
        ),
        actions=tuple(actions),
        problem=problem,
        notes=(*place.notes, *ledger.notes, *_drift(place.memory, motion)),
        wake_at=max(min(wakes), ledger.now + LOOK_AGAIN / 4) if wakes else None,
        settled=settled,
        progress="" if settled or problem else _progress(memory, motion),
        proof=proof,
        finished=place.finished,
    )


def _is_scaling(facts: DiscoveryFacts, motion: Motion) -> bool:
    """Tell whether a slot that answers has other than the tasks that it is to have: it is looked at again."""
    running = Counter(task.slot for task in facts.tasks or () if task.running and not task.backend)
    return any(
        wish.desired != running[wish.slot] for wish in facts.slots or () if wish.slot in motion.wanted.counts
    )


def _may_prove(case: _Case) -> bool:
    return case.stays and not case.facts.deleting and case.intent.mode == "Tasks"


def _protection(case: _Case, motion: Motion | None, ledger: Ledger) -> tuple[list[Action], float | None]:
    """Return the protection of every task that answers or is about to."""
    facts = case.facts
    if motion is None or facts.tasks is None or facts.keep_protected:
        return [], None
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
        now=ledger.now,
    )


def _problem(case: _Case, motion: Motion | None, ledger: Ledger) -> Problem | None:
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


def _counted(case: _Case, memory: Memory, motion: Motion | None) -> Memory:
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
    text = f"Cloud Map entries were changed by somebody else: {_some(motion.drift)}; repaired"
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


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def absorb(memory: Memory, plan: DiscoveryPlan, outputs: Mapping[str, Any]) -> Memory:
    """Return `memory` with what the answers of `plan`'s actions told: to be written after the executor.

    `outputs` are those of the actions that took place, also where a later one failed.
    """
    del plan  # outputs name what they are about
    stages: dict[tuple[Stage, float], list[str]] = {}
    for group in memory.leaving:
        for name in group.instances:
            accepted = outputs.get(f"health:{name}") is True
            stage = _ACCEPTED.get(group.stage, group.stage) if accepted else group.stage
            stages.setdefault((stage, group.since), []).append(name)
    arn = outputs.get("service-arn")
    return replace(
        memory,
        operations=tuple(
            replace(pending, id=pending.id or str(outputs.get(f"operation:{pending.target}") or ""))
            for pending in memory.operations
        ),
        leaving=tuple(
            Leaving(stage=stage, since=since, instances=tuple(names))
            for (stage, since), names in stages.items()
        ),
        service_id=outputs.get("service-id") or memory.service_id,
        registry_arn=arn if arn and memory.mode == "ECS" else memory.registry_arn,
    )
