"""Whom a name is to answer with, from a state that is written down: `chosen` tells it in words."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from sluice.model.discovery import DiscoveryIntent, Health, Instance, SlotWish
from sluice.plan.discovery.look import look
from sluice.plan.discovery.wanted import Scene, wanted
from unit.discovery.steps import INSTALLATION, INTENT, KEY, State, facts, remembered


def wishes(**slots: tuple[int, int, int]) -> tuple[SlotWish, ...]:
    """Return what is wanted of each slot: desired, what has to stay, what there may be; revision `new`."""
    return tuple(
        SlotWish(slot=slot, desired=desired, revision="new", minimum_healthy=least, maximum=most)
        for slot, (desired, least, most) in slots.items()
    )


def chosen(
    state: State,
    *,
    intent: DiscoveryIntent = INTENT,
    ecs: Mapping[str, Health] | None = None,
    **changes: Any,
) -> dict[str, Any] | None:
    """Return who is wanted; what is empty is absent. `ecs`: addresses of ECS's own entries, as they are seen.

    An entry of a task that does not work has a `-` before its name.
    """
    seen = facts(state, **changes)
    own = {
        f"ecs-{address}": Instance(
            id=f"ecs-{address}", attributes={"AWS_INSTANCE_IPV4": address, "ECS_SERVICE_NAME": "web"}
        )
        for address in ecs or {}
    }
    health = {f"ecs-{address}": health for address, health in (ecs or {}).items()}
    seen = dataclasses.replace(
        seen,
        registered={**(seen.registered or {}), **own},
        discovered={**(seen.discovered or {}), **health},
    )
    answering = look(
        seen,
        seen.registered or {},
        seen.discovered or {},
        installation=INSTALLATION,
        key=KEY,
        ledger=remembered(state),
    )
    service = state.service
    found = wanted(
        Scene(
            key=KEY,
            installation=INSTALLATION,
            intent=intent,
            facts=seen,
            records=service.records if service else (),
            custom_health=service is not None and service.custom_health,
            answering=answering,
        )
    )
    if found is None:
        return None
    told = {
        "entries": _names(found.entries),
        "kept": " ".join(
            ("" if entry.healthy else "-") + name.removeprefix("sluice-")
            for name, entry in sorted(found.kept.items())
        ),
        "departing": _names(found.departing),
        "yielding": _names(found.yielding),
        "unknown": not found.known,
        "counts": dict(found.counts),
        "short": found.short,
        "least": found.least,
        "unfit": list(found.unfit),
    }
    return {name: value for name, value in told.items() if value}


def _names(ids: Any) -> str:
    return " ".join(sorted(name.removeprefix("sluice-") for name in ids))
