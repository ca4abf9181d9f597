"""One decision about a namespace and its service, from a state that is written down.

`made` decides where entries live, `removed` takes that away; both tell their outcome in words. Times are
seconds before now (ages) or from now.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sluice.model.discovery import DiscoveryFacts, DiscoveryIntent, Instance
from sluice.plan.discovery.ledger import Ledger
from sluice.plan.discovery.memory import Memory, Pending
from sluice.plan.discovery.place import Place, decide_place, remove_place
from unit.discovery.steps import HERE, INSTALLATION, INTENT, KEY, NAMESPACE, NOW, SERVICE

Operations = Mapping[str, tuple[Any, str, float]]
"""Kind, id and age by target."""


def ledger(operations: Operations, failing: Mapping[str, tuple[int, float]]) -> Ledger:
    """Return what is under way, and how often what failed and when it is tried again."""
    return Ledger(
        now=NOW,
        operations={
            target: Pending(kind=kind, target=target, id=number, since=NOW - age)
            for target, (kind, number, age) in operations.items()
        },
        failing={target: (count, NOW + until) for target, (count, until) in failing.items()},
        failure="THROTTLED",
    )


def made(
    *,
    intent: DiscoveryIntent = INTENT,
    facts: Mapping[str, Any] | None = None,
    memory: Memory = HERE,
    operations: Operations | None = None,
    failing: Mapping[str, tuple[int, float]] | None = None,
) -> dict[str, Any]:
    """Decide about a place that the spec names; namespace and service are there if nothing else is said."""
    there = {"namespace": NAMESPACE, "service": SERVICE, **(facts or {})}
    book = ledger(operations or {}, failing or {})
    place = decide_place(
        KEY, intent, DiscoveryFacts(**there), installation=INSTALLATION, memory=memory, ledger=book
    )
    return _told(place, book)


def removed(
    *,
    facts: Mapping[str, Any] | None = None,
    operations: Operations | None = None,
    failing: Mapping[str, tuple[int, float]] | None = None,
    empty: bool = True,
) -> dict[str, Any]:
    """Remove a place; its service has no instance if nothing else is said."""
    there = {"namespace": NAMESPACE, "service": SERVICE, "registered": {}, **(facts or {})}
    book = ledger(operations or {}, failing or {})
    place = remove_place(
        KEY, DiscoveryFacts(**there), installation=INSTALLATION, memory=HERE, ledger=book, empty=empty
    )
    return _told(place, book)


def instances(*attributes: str) -> dict[str, Instance]:
    """Return instances that each have one attribute."""
    return {
        f"i{number}": Instance(id=f"i{number}", attributes={name: "x"})
        for number, name in enumerate(attributes)
    }


def _told(place: Place, book: Ledger) -> dict[str, Any]:
    found = {
        "does": [action.operation for action in place.actions],
        "problem": f"{place.problem.reason}: {place.problem.message}" if place.problem else "",
        "notes": [note.message for note in place.notes],
        "usable": place.usable,
        "moving": place.moving,
        "finished": place.finished,
        "makes": place.memory.makes,
        "registry": place.memory.registry_arn,
        "operations": {name: (one.kind, one.id, NOW - one.since) for name, one in book.operations.items()},
        "failing": sorted(book.failing),
        "wakes": sorted({at - NOW for at in book.wakes}),
    }
    return {name: value for name, value in found.items() if value}
