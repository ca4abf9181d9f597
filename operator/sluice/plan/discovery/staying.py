"""What a name is to answer with: an entry comes, is mended, and says how its task is.

comes   task protected → RegisterInstance (healthy from the start) → seen by clients
ill     UNHEALTHY asked for → clients see it → the wait → task given back: ECS may replace it
heals   HEALTHY asked for → seen, and old enough that no UNHEALTHY from before can follow
"""

from __future__ import annotations

from sluice.plan.discovery import writes
from sluice.plan.discovery.entries import Entry, differences
from sluice.plan.discovery.memory import short
from sluice.plan.discovery.motion import HEALTH_DELAY, HEALTH_PATIENCE, Motion


def keep(motion: Motion, entry: Entry, *, registers: bool) -> None:
    """Take the next step of an entry that is to be there; one that is only kept is not registered again."""
    name, ledger = short(entry.id), motion.ledger
    present = motion.answering.ours.get(entry.id)
    pending = ledger.operations.get(name)
    if pending and (pending.id or pending.kind == "deregister"):
        motion.soon()  # one at a time; a removal that may still happen is waited for
        return
    if present is None:
        stage = ledger.stage(name)
        if registers and entry.healthy:
            if stage is None and _was_registered(motion, entry):
                motion.drift.append(f"{entry.id} was removed")
            _register(motion, entry, reason=_joins(entry))
        return
    changed = differences(present, entry) if registers else ()
    if changed:
        if not pending:
            motion.drift.append(f"{entry.id} had other values of {', '.join(changed)}")
        _register(motion, entry, reason=f"attributes differ: {', '.join(changed)}")
        return
    ledger.operations.pop(name, None)  # its answer was lost, and it took place
    ledger.failing.pop(name, None)
    if motion.has_custom_health():
        _carry_health(motion, entry)
    else:
        ledger.stages.pop(name, None)
        if entry.id not in motion.discovered:
            motion.soon()


def _was_registered(motion: Motion, entry: Entry) -> bool:
    """Tell whether an entry must have been there: only what was registered is protected."""
    return entry.task is not None and entry.task.protected_until > motion.ledger.now


def _register(motion: Motion, entry: Entry, *, reason: str) -> None:
    name = short(entry.id)
    motion.moving = True
    if motion.service is None or motion.ledger.waits(name):
        return
    if name not in motion.ledger.operations and len(motion.ledger.operations) >= motion.window():
        motion.soon()
        return
    motion.ledger.stages.pop(name, None)
    action = writes.register(
        motion.service,
        entry,
        motion.ledger.mean("register", name),
        custom_health=motion.has_custom_health(),
        reason=reason,
        urgent=motion.urgent,
    )
    motion.actions["register"].append(action)
    motion.soon()


def _carry_health(motion: Motion, entry: Entry) -> None:
    """Let clients see the health that a task has."""
    name, ledger = short(entry.id), motion.ledger
    stage, seen = ledger.stage(name), motion.discovered.get(entry.id)
    if not entry.healthy:
        motion.hide(entry.id, reason="its task is not healthy", rescue=True)
        if ledger.stage(name) == "hidden":
            if ledger.now >= (due := ledger.since(name) + motion.wait):
                # Its protection would keep ECS from replacing it.
                motion.give_back(entry.id, reason="its task is not healthy, and clients know")
            else:
                ledger.wakes.append(due)
        return
    if stage is None and seen == "UNHEALTHY":
        motion.drift.append(f"{entry.id} was said to be UNHEALTHY")
    if stage == "healing":
        age = ledger.now - ledger.since(name)
        if seen == "HEALTHY" and age >= HEALTH_DELAY:
            del ledger.stages[name]
            return
        motion.soon()
        if seen == "HEALTHY" or age < HEALTH_PATIENCE:
            return
        ledger.stages.pop(name)
    if stage is not None or seen == "UNHEALTHY":
        ledger.stages[name] = ("heal", ledger.now)
        motion.set_health(entry.id, healthy=True, reason="its task is healthy", phase="rescue")
    elif seen is None:
        motion.soon()


def _joins(entry: Entry) -> str:
    if entry.task is None:
        return "the name points to this load balancer"
    return f"its task is healthy and the route sends to slot {entry.task.slot}"
