"""Who a name is to answer with, of all tasks and load balancers that there are.

| mode  | registered                                             | left as it is                            |
|-------|--------------------------------------------------------|------------------------------------------|
| Tasks | of each slot with weight as many healthy tasks as its  | registered tasks of these slots that are |
|       | share; a slot alone: all that are not to be ended      | not healthy now: they say so             |
| Alias | every load balancer                                    |                                          |
| ECS   | none: ECS registers                                    | ours, until ECS's own can replace them   |

What is neither leaves. While it is not known who sends where (tasks not read, weights not published, a
process that has just begun), everything that is there stays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from sluice.model.discovery import DiscoveryFacts, DiscoveryIntent, DnsRecord, Instance, SeenTask, SlotWish
from sluice.model.keys import Key
from sluice.plan.discovery.departures import Departures, departures, is_former
from sluice.plan.discovery.entries import (
    IPV4,
    IPV6,
    MAX_CHARACTERS,
    PORT,
    Entry,
    alias_entry,
    instance_id,
    is_alias,
    lacking,
    task_entry,
    too_long,
)
from sluice.plan.discovery.shares import Shares, shares


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """Who answers and who is on the way out, as clients see it."""

    ours: Mapping[str, Instance]
    """Registered instances of ours by id."""
    foreign: Mapping[str, Instance]
    visible: AbstractSet[str]
    """Ids of instances, ours or not, that clients see as healthy and that do not leave."""
    leaving: AbstractSet[str]
    """Ids of ours that leave or have left."""
    released: AbstractSet[str] = frozenset()
    """Those of them whose tasks are given back to ECS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The outcome; everything else that is ours leaves."""

    entries: Mapping[str, Entry] = field(default_factory=dict)
    """By instance id: registered if they are not."""
    kept: Mapping[str, Entry] = field(default_factory=dict)
    """By instance id: not registered, not removed; their health is carried."""
    departing: frozenset[str] = frozenset()
    """Ids of instances whose tasks ECS is to end."""
    yielding: frozenset[str] = frozenset()
    """Those of them of slots where nobody needs to go on answering."""
    known: bool = True
    """False: nobody knows who should answer; nothing is added and nothing goes."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Entries by slot with weight."""
    short: bool = False
    """A slot has fewer than its weight asks for."""
    least: int = 0
    """Healthy answers that stay while others are taken away."""
    unfit: tuple[str, ...] = ()
    """Why healthy tasks cannot be registered, for people."""


NOBODY = Wanted()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What the choice depends on."""

    key: Key
    installation: str
    intent: DiscoveryIntent
    facts: DiscoveryFacts
    records: Sequence[DnsRecord]
    """Of the Cloud Map service as it is: their types never change."""
    custom_health: bool
    answering: Answering


def wanted(scene: Scene) -> Wanted | None:
    """Return who the name is to answer with; None while tasks or load balancers are not known."""
    facts = scene.facts
    if facts.suspended_until_seen:
        return None
    if facts.deleting or facts.backend_going or not facts.backend_exists:
        return NOBODY
    if scene.intent.mode == "Alias":
        return _aliases(scene)
    if facts.tasks is None:
        return None
    return (
        _registered_by_ecs(scene, facts.tasks) if scene.intent.mode == "ECS" else _tasks(scene, facts.tasks)
    )


def keep(scene: Scene) -> Wanted | None:
    """Return that what answers goes on answering, as long as its task runs; None just after the start."""
    if scene.facts.suspended_until_seen:
        return None
    tasks = {instance_id(task.id): task for task in scene.facts.tasks or ()}
    return Wanted(
        kept={
            name: _as_is(instance, tasks.get(name))
            for name, instance in scene.answering.ours.items()
            if name not in scene.answering.leaving
            and (is_alias(instance) or (name in tasks and tasks[name].running))
        },
        known=False,
    )


def _as_is(instance: Instance, task: SeenTask | None) -> Entry:
    healthy = task is None or task.healthy
    return Entry(id=instance.id, attributes=instance.attributes, healthy=healthy, task=task)


def _aliases(scene: Scene) -> Wanted | None:
    if scene.facts.aliases is None:
        return None
    made = (
        alias_entry(target, scene.intent, installation=scene.installation, key=scene.key)
        for target in scene.facts.aliases
    )
    entries = {entry.id: entry for entry in made}
    return Wanted(entries=entries, least=len(entries))


def _tasks(scene: Scene, tasks: Sequence[SeenTask]) -> Wanted | None:
    traffic = scene.facts.traffic
    own = [task for task in tasks if _is_own(task, scene.intent)]
    slots = {task.slot for task in own}
    if traffic is not None:
        slots = {slot for slot, parts in traffic.weights.items() if parts > 0}
    if (traffic is None and not scene.facts.rolling) or (traffic is not None and not slots):
        return keep(scene)  # nobody has said yet who gets requests
    own = [_with_its_port(task, scene) for task in own if task.slot in slots]
    wishes = {wish.slot: wish for wish in scene.facts.slots or ()}
    parting = _departures(scene, own, wishes, shared=traffic is not None and len(slots) > 1)
    going = {task for slot in parting.values() for task in slot.going}
    staying: dict[str, list[SeenTask]] = {slot: [] for slot in sorted(slots)}
    unfit = dict.fromkeys(_portless(scene, tasks))
    for task in own:
        lacks = lacking(task, scene.records) if task.running and task.healthy else ""
        if lacks == "a port":
            continue  # told by what it is called
        if lacks:
            unfit[f"tasks of {scene.intent.backend} lack {lacks}, which the records of the service need"] = (
                None
            )
        elif task.running and task.healthy and task.id not in going:
            staying[task.slot].append(task)
    split = _split(scene, staying, wishes)
    chosen = [
        task
        for slot, there in staying.items()
        for task in sorted(there, key=_preference(scene, wishes.get(slot)))[: split.counts[slot]]
    ]
    return _outcome(scene, own, chosen, parting=parting, split=split, unfit=tuple(unfit))


def _with_its_port(task: SeenTask, scene: Scene) -> SeenTask:
    """Return a task whose port is called otherwise by now with the port that it is registered with."""
    there = scene.answering.ours.get(instance_id(task.id))
    registered = there.attributes.get(PORT, "") if there and not task.port else ""
    return replace(task, port=int(registered)) if registered.isdecimal() else task


def _portless(scene: Scene, tasks: Sequence[SeenTask]) -> tuple[str, ...]:
    """Tell that tasks as they are to be have no port of the name that the spec gives."""
    wishes = {wish.slot: wish for wish in scene.facts.slots or ()}
    wrong = any(
        task.running
        and not task.port
        and not task.backend
        and not (task.slot in wishes and is_former(task, wishes[task.slot]))
        for task in tasks
    )
    intent = scene.intent
    text = (
        f"spec.discovery.backendRef.port: no container of Deployment {intent.backend} has port {intent.port}"
    )
    return (f"{text}; name one that it has",) if wrong and intent.port else ()


def _split(scene: Scene, staying: Mapping[str, Sequence[SeenTask]], wishes: Mapping[str, SlotWish]) -> Shares:
    healthy = {slot: len(there) for slot, there in staying.items()}
    if scene.facts.traffic is None:  # a Rolling Deployment has no shares: all that runs is live
        return Shares(counts=healthy, short=False, least=sum(healthy.values()))
    return shares(
        {slot: scene.facts.traffic.weights[slot] for slot in staying},
        healthy=healthy,
        desired={slot: wishes[slot].desired if slot in wishes else None for slot in staying},
    )


def _preference(scene: Scene, wish: SlotWish | None) -> Callable[[SeenTask], tuple[bool, bool, float, str]]:
    """Return the order in which tasks get a place: current ones, those that have one, the oldest."""
    answering = scene.answering

    def rank(task: SeenTask) -> tuple[bool, bool, float, str]:
        name = instance_id(task.id)
        outside = name not in answering.ours or name in answering.leaving
        return (wish is not None and is_former(task, wish), outside, task.started_at, task.id)

    return rank


def _outcome(
    scene: Scene,
    own: Sequence[SeenTask],
    chosen: Sequence[SeenTask],
    *,
    parting: Mapping[str, Departures],
    split: Shares,
    unfit: tuple[str, ...],
) -> Wanted:
    made = [task_entry(task, scene.intent, installation=scene.installation, key=scene.key) for task in chosen]
    if any(map(too_long, made)):
        unfit = (*unfit, f"spec.discovery.attributes: keys and values exceed {MAX_CHARACTERS} characters")
    ours = scene.answering.ours
    wishes = {wish.slot: wish for wish in scene.facts.slots or ()}
    return Wanted(
        entries={entry.id: entry for entry in made if not too_long(entry)},
        kept={
            name: _as_is(ours[name], task)
            for task in own
            if task.running and not task.healthy and scene.custom_health
            if (name := instance_id(task.id)) in ours
        },
        departing=_instances(parting.values()) | _unheard(scene, own, wishes),
        yielding=_instances(slot for slot in parting.values() if slot.yields),
        counts=split.counts,
        short=split.short or bool(unfit),
        least=split.least or len(scene.answering.visible),  # for nobody at all nothing is taken away
        unfit=unfit,
    )


def _instances(parting: Iterable[Departures]) -> frozenset[str]:
    return frozenset(instance_id(task) for slot in parting for task in slot.going)


def _unheard(scene: Scene, own: Sequence[SeenTask], wishes: Mapping[str, SlotWish]) -> frozenset[str]:
    """Return the ids of ill tasks that ECS is to end and that have no entry: nobody is sent to them.

    `departures` counts those that answer; these have no part in that, and nothing to wait for.
    """
    running = Counter(task.slot for task in own if task.running)
    return frozenset(
        name
        for task in own
        if task.running and not task.healthy and (wish := wishes.get(task.slot)) is not None
        if is_former(task, wish) or running[task.slot] > wish.desired
        if (name := instance_id(task.id)) not in scene.answering.ours
    )


def _is_own(task: SeenTask, intent: DiscoveryIntent) -> bool:
    return task.backend in ("", intent.backend)


def _registered_by_ecs(scene: Scene, tasks: Sequence[SeenTask]) -> Wanted:
    """Return ours that stay until ECS's own entries can replace them."""
    answering = scene.answering
    addresses = {
        instance.attributes.get(name, "")
        for instance in answering.foreign.values()
        if instance.id in answering.visible
        for name in (IPV4, IPV6)
    } - {""}
    by_ecs = {task.id for task in tasks if {task.ipv4, task.ipv6} & addresses}
    own = [task for task in tasks if _is_own(task, scene.intent)]
    parting = _departures(scene, own, {wish.slot: wish for wish in scene.facts.slots or ()}, by_ecs=by_ecs)
    departing = _instances(parting.values())
    kept = {
        name: _as_is(answering.ours[name], task)
        for task in own
        if task.running and task.id not in by_ecs
        if (name := instance_id(task.id)) in answering.ours and name not in departing
    }
    return Wanted(
        kept=kept,
        unfit=_portless(scene, own),
        departing=departing,
        yielding=_instances(slot for slot in parting.values() if slot.yields),
    )


def _departures(
    scene: Scene,
    own: Sequence[SeenTask],
    wishes: Mapping[str, SlotWish],
    *,
    shared: bool = False,
    by_ecs: AbstractSet[str] | None = None,
) -> dict[str, Departures]:
    """Return who leaves of each slot; with `by_ecs`, tasks that ECS did not register are the former ones."""
    answering = scene.answering
    visible = {task.id for task in own if instance_id(task.id) in answering.visible} | (by_ecs or set())
    leaving = {task.id for task in own if instance_id(task.id) in answering.leaving}
    return {
        slot: departures(
            [task for task in own if task.slot == slot],
            wish,
            visible=visible,
            leaving=leaving,
            released={task.id for task in own if instance_id(task.id) in answering.released},
            shared=shared,
            former=None if by_ecs is None else (lambda task: task.id not in by_ecs),
        )
        for slot, wish in wishes.items()
    }
