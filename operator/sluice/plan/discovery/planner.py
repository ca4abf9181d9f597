"""What to ask of Cloud Map next so that a name answers with the right tasks, and why.

    entry of ours | task or load balancer       | weight | decision
    --------------+-----------------------------+--------+------------------------------------------------
    no            | healthy                     | yes    | protect the task, register
    no            | not healthy                 | any    | none: it would be a dead answer
    no            | any                         | no     | none; a task that Sluice protected is given back
                  |                             |        | (after its entry, or when ECS is to end it)
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
of steps in `steps`; `ledger` keeps what is under way, `proof` says what the answers prove. `memory` of
the plan is written before its actions are sent, `absorb` adds what their answers told. A pass that finds
everything as wanted has no actions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from sluice.model.discovery import DiscoveryFacts, DiscoveryIntent
from sluice.model.keys import Key
from sluice.plan.discovery.entries import instance_id, is_alias, is_claimed
from sluice.plan.discovery.guard import Guard
from sluice.plan.discovery.ledger import PROTECTION, Ledger
from sluice.plan.discovery.look import effects, is_being_removed, look
from sluice.plan.discovery.memory import Leaving, Memory, Stage, short
from sluice.plan.discovery.motion import Motion, task_instances
from sluice.plan.discovery.outcome import Case, DiscoveryPlan, outcome, some
from sluice.plan.discovery.place import Place, decide_place, remove_place
from sluice.plan.discovery.problem import Problem
from sluice.plan.discovery.steps import run
from sluice.plan.discovery.wanted import Answering, Scene, Wanted, keep, wanted
from sluice.plan.discovery.writes import REFUSED

__all__ = ["DiscoveryPlan", "absorb", "plan_discovery"]

_ACCEPTED: Final[Mapping[Stage, Stage]] = {"mark": "marking", "heal": "healing"}


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
    case = Case(key=key, installation=installation, intent=meant, stays=intent is not None, facts=facts)
    before = replace(
        memory,
        namespace=memory.namespace or meant.namespace.name or meant.namespace.id,
        service=meant.service,
        generation=route_generation,
        settled=memory.settled and not edited,
    )
    ledger = Ledger.of(memory, now=round(now, 3))
    if memory.generation != route_generation:
        ledger.hurry()
    ledger.track(facts.operations, has=effects(facts, now=ledger.now))
    place = _place(case, before, ledger)
    motion = _move(case, place, ledger) if place.usable else None
    if facts.deleting:
        empty = not place.usable or (motion is not None and not motion.moving)
        place = remove_place(
            key, facts, installation=installation, memory=place.memory, ledger=ledger, empty=empty
        )
    return outcome(case, place, motion, ledger)


def _place(case: Case, memory: Memory, ledger: Ledger) -> Place:
    """Return the place that instances have; one that is being left is taken as it is."""
    if case.stays and not case.facts.deleting:
        return decide_place(
            case.key, case.intent, case.facts, installation=case.installation, memory=memory, ledger=ledger
        )
    there = case.facts.service is not None or bool(ledger.stages)
    return Place(memory=memory, usable=there)


def _move(case: Case, place: Place, ledger: Ledger) -> Motion | None:
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
        custom_health=service is not None and service.custom_health,
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
        tasks=task_instances(facts.tasks or ()),
        ledger=ledger,
        guard=Guard(
            visible=set(answering.visible),
            answers={name for name in discovered if not is_being_removed(name, ledger)},
            floor=chosen.least,
            awaited=bool(chosen.entries),
            off=everything,
        ),
        # Who is answered by a server that is late keeps the answer for its whole TTL.
        wait=facts.propagation + max(_ttls(case)),
        everything=everything,
        urgent=bool(facts.traffic and facts.traffic.rollback),
        keep_protected=facts.keep_protected,
        gives_up=facts.deleting,
    )
    run(motion)
    return motion


def _is_possible(case: Case) -> bool:
    """Tell whether the service can have the entries that the intent asks for."""
    service = case.facts.service
    if not case.stays:
        return False
    if case.intent.mode != "Alias" or service is None:
        return True
    return service.routing == "WEIGHTED" and any(r.type in ("A", "AAAA") for r in service.records)


def _ttls(case: Case) -> tuple[float, ...]:
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
        message=f"Cloud Map instances of another route or installation have our ids: {some(taken)}; "
        "remove them, or choose another serviceName",
    )
    entries = {name: entry for name, entry in chosen.entries.items() if name not in taken}
    return replace(chosen, entries=entries, short=True)


# -------------------------------------------------------------------------- outcome


def absorb(memory: Memory, plan: DiscoveryPlan, outputs: Mapping[str, Any]) -> Memory:
    """Return `memory` with what the answers of `plan`'s actions told: to be written after the executor.

    `outputs` are those of the actions that took place, also where a later one failed.
    """
    memory = _refused(memory, plan, outputs)
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


def _refused(memory: Memory, plan: DiscoveryPlan, outputs: Mapping[str, Any]) -> Memory:
    """Return `memory` with the tasks that ECS refused to protect: they are asked for again later."""
    arns = [arn for name, found in outputs.items() if name.startswith(REFUSED) for arn in found]
    if not arns:
        return memory
    ledger = Ledger.of(memory, now=plan.now)
    for arn in arns:
        ledger.attempt(PROTECTION + short(instance_id(arn.rpartition("/")[2])))
    return ledger.close(memory)
