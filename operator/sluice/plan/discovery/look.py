"""What is seen of a place, put together: whose instances there are, who answers, what has had its effect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from sluice.model.discovery import DiscoveryFacts, Health, Instance
from sluice.model.keys import Key
from sluice.plan.discovery.entries import ECS_SERVICE, instance_id, is_alias, is_ours
from sluice.plan.discovery.ledger import Ledger
from sluice.plan.discovery.memory import Pending, Stage, is_named_by_us, short
from sluice.plan.discovery.motion import HEALTH_DELAY
from sluice.plan.discovery.place import SETTLE
from sluice.plan.discovery.wanted import Answering

_LEAVING: Final[frozenset[Stage]] = frozenset({"mark", "marking", "hidden", "out", "released"})


def look(
    facts: DiscoveryFacts,
    registered: Mapping[str, Instance],
    discovered: Mapping[str, Health],
    *,
    installation: str,
    key: Key,
    ledger: Ledger,
) -> Answering:
    """Return whose instances there are and who of them answers, as clients see it."""
    custom = facts.service is not None and facts.service.custom_health
    works = {instance_id(task.id) for task in facts.tasks or () if task.running and task.healthy}
    ours = {
        name: instance
        for name, instance in registered.items()
        if is_ours(instance, installation=installation, key=key)
    }
    foreign = {name: instance for name, instance in registered.items() if name not in ours}
    leaving = {name for name in (*ours, *works) if is_leaving(name, ledger)}
    visible = {
        name
        for name, instance in ours.items()
        if name not in leaving and (name in works or is_alias(instance)) and _is_steady(name, ledger)
    }
    visible |= {name for name, instance in foreign.items() if ECS_SERVICE in instance.attributes}
    return Answering(
        ours=ours,
        foreign=foreign,
        visible={name for name in visible if is_seen(discovered.get(name), custom_health=custom)},
        leaving=leaving,
        released={name for name in leaving if ledger.stage(short(name)) == "released"},
    )


def is_seen(health: Health | None, *, custom_health: bool) -> bool:
    """Tell whether clients take an answer for healthy; without a health check there is nothing to know."""
    return health == "HEALTHY" or (health is not None and not custom_health)


def is_leaving(name: str, ledger: Ledger) -> bool:
    """Tell whether an instance is on its way out, or out and not forgotten yet."""
    return ledger.stage(short(name)) in _LEAVING or is_being_removed(name, ledger)


def is_being_removed(name: str, ledger: Ledger) -> bool:
    """Tell whether a deregistration may still take effect."""
    pending = ledger.operations.get(short(name))
    return pending is not None and pending.kind == "deregister"


def _is_steady(name: str, ledger: Ledger) -> bool:
    """Tell whether no older UNHEALTHY can become visible any more."""
    stage = ledger.stage(short(name))
    if stage == "healing":
        return ledger.now - ledger.since(short(name)) >= HEALTH_DELAY
    return stage is None


def effects(facts: DiscoveryFacts, *, now: float) -> Callable[[Pending], bool | None]:
    """Return who tells whether the effect of an operation is seen; None where that was not read."""
    listed = {short(name) for name in facts.registered or () if is_named_by_us(name)}
    seen = {short(name) for name in facts.discovered or () if is_named_by_us(name)}
    unread = facts.registered is None or facts.discovered is None

    def has(pending: Pending) -> bool | None:
        match pending.kind:
            case "register":
                found = pending.target in listed
            case "deregister":
                found = pending.target not in listed and pending.target not in seen
            case "namespace" | "namespace-deletion":
                return (facts.namespace is not None) == (pending.kind == "namespace")
            case "service-deletion":
                return facts.service is None and now - pending.since > SETTLE
            case "service":
                return bool(pending.id)  # the settings themselves are compared
        return None if unread else found

    return has
