"""Which tasks ECS is kept from ending before their entries have left.

Every task that is registered or about to be is protected first, and again in good time. ECS refuses
more protected tasks than a service wants, renewals most likely included (ECS guide, "Task scale-in
protection": DEPLOYMENT_BLOCKED), so there are never more than that: those that ECS means to end come
first, then the oldest. A task for which there is no room is registered all the same: an answer that may
vanish without notice is better than none.

What ECS refuses all the same (or somebody takes away again) is asked for ever more seldom, and nobody waits
for it: a name would never settle, and a Deployment never begin its next update.

Renewals go together, however far apart the tasks began, and change nothing that a person could see: a name
at rest stays settled through them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from sluice.model.actions import Action
from sluice.model.discovery import SeenTask, SlotWish
from sluice.plan.discovery import writes
from sluice.plan.discovery.entries import instance_id
from sluice.plan.discovery.ledger import PROTECTION, Ledger
from sluice.plan.discovery.memory import short

RENEWED_BEFORE: Final = 20 * 60.0
"""Seconds before the end of a protection at which it is renewed."""
EARLY: Final = 20 * 60.0
"""Seconds by which a protection is renewed earlier than it has to be, with another one."""
CALLS: Final = 20
"""Calls in one plan; more wait for the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protections:
    """What is asked of ECS."""

    actions: tuple[Action, ...] = ()
    fresh: bool = False
    """A task that is not protected now is among them, and was not asked for in vain before."""
    renewal: float | None = None
    """When the next renewal is due, epoch seconds."""


def protections(
    tasks: Sequence[SeenTask],
    *,
    needed: AbstractSet[str],
    departing: AbstractSet[str],
    wishes: Mapping[str, SlotWish],
    ledger: Ledger,
) -> Protections:
    """Return the calls, and when the next renewal is due.

    `needed` and `departing` are instance ids.
    """
    asked: list[SeenTask] = []
    ends: list[float] = []
    fresh, now = False, ledger.now
    lacking: set[str] = set()
    held_until = [t.protected_until for t in tasks if instance_id(t.id) in needed and t.protected_until > now]
    due = now + RENEWED_BEFORE + (EARLY if min(held_until, default=now) <= now + RENEWED_BEFORE else 0.0)
    for slot, members in _by_slot(tasks).items():
        wish = wishes.get(slot[1]) if not slot[0] else None
        protected = sum(task.protected_until > now for task in members if task.running)
        room = len(members) if wish is None else wish.desired - protected
        for task in sorted(members, key=lambda task: _rank(task, departing)):
            if instance_id(task.id) not in needed:
                continue
            if task.protected_until > due:
                ends.append(task.protected_until - RENEWED_BEFORE)
                continue
            held = task.protected_until > now
            if room < (0 if held else 1):
                continue
            room -= not held
            name = PROTECTION + short(instance_id(task.id))
            lacking.add(name)
            if ledger.waits(name):
                continue
            fresh = fresh or not (held or name in ledger.failing)
            asked.append(task)
    for name in [name for name in ledger.failing if name.startswith(PROTECTION) and name not in lacking]:
        del ledger.failing[name]
    reason = "ECS is not to end them before their entries have left"
    return Protections(
        actions=tuple(writes.protect(asked, enabled=True, reason=reason)[:CALLS]),
        fresh=fresh,
        renewal=min(ends, default=None),
    )


def _by_slot(tasks: Iterable[SeenTask]) -> dict[tuple[str, str], list[SeenTask]]:
    slots: dict[tuple[str, str], list[SeenTask]] = {}
    for task in tasks:
        slots.setdefault((task.backend, task.slot), []).append(task)
    return slots


def _rank(task: SeenTask, departing: AbstractSet[str]) -> tuple[bool, float, str]:
    return (instance_id(task.id) not in departing, task.started_at, task.id)
