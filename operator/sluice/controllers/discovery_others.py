"""What other routes' names do with the tasks of a route: a Deployment may have several, each with its TTL.

A task that one name has let go may still be what clients of another one hold, so whoever is last gives it
back to ECS. Read from the other routes' statuses and from what their clients see; it costs no call while
nothing leaves, and none for a Deployment with one name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from sluice.model.binding import CallContext
from sluice.model.discovery import Held, SeenTask
from sluice.model.keys import DEPLOYMENT, Key
from sluice.plan.discovery.entries import instance_id
from sluice.plan.discovery.memory import Memory, Stage, is_named_by_us, short
from sluice.ports import CloudMap, Object, World

_COMES: Final[frozenset[Stage]] = frozenset({"heal", "healing"})


def with_holders(
    world: World,
    context: CallContext,
    key: Key,
    tasks: tuple[SeenTask, ...],
    *,
    backends: Iterable[str],
    age: float,
) -> tuple[SeenTask, ...]:
    """Return the tasks with what other routes than `key` do with them; raises what reading Cloud Map raises.

    What clients of the others see may be `age` seconds old.
    """
    found: dict[str, Held] = {}
    for backend in backends:
        for route in world.store.routes_to(Key(DEPLOYMENT, key.namespace, backend)):
            if route["metadata"]["name"] == key.name:
                continue
            memory = Memory.read((route.get("status") or {}).get("discovery"))
            for place in (memory, *memory.left):
                if backend in (place.backend, place.former_backend) and place.mode == "Tasks":
                    found |= _holds(world.facts.cloud_map, context, place, age=age)
    return tuple(replace(task, held=found.get(short(instance_id(task.id)), "")) for task in tasks)


def _holds(cloud_map: CloudMap, context: CallContext, place: Memory, *, age: float) -> dict[str, Held]:
    stages = {name: group.stage for group in place.leaving for name in group.instances}
    seen: set[str] = set()
    namespace = cloud_map.namespace(context, place.namespace_id, max_age=age) if place.namespace_id else None
    if namespace is not None:
        answers = cloud_map.discovered(
            context, namespace=http_name(namespace), service=place.service, max_age=age
        )
        seen = {short(name) for name in answers.instances if is_named_by_us(name)}
    goes = {name for name, stage in stages.items() if stage not in _COMES}
    left = {name for name in goes if stages[name] == "released"}
    return {name: "leaving" if name in goes else "answering" for name in (seen | goes) - left}


def http_name(namespace: Object) -> str:
    """Return the name by which DiscoverInstances knows a namespace."""
    properties = namespace.get("Properties") or {}
    return str((properties.get("HttpProperties") or {}).get("HttpName") or namespace["Name"])
