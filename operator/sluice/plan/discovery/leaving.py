"""How an entry goes: hidden first where clients can be told, and never before what is to replace it is seen.

    goes    UNHEALTHY asked for → clients see it → propagation + TTL → DeregisterInstance
    goes,   no custom health, or nobody else answers (everything goes, scaled to 0, Recreate):
            DeregisterInstance at once. Where all are UNHEALTHY, DNS and DiscoverInstances answer with
            all: only what is gone is hidden then
    dies    a task that is being stopped is deregistered at once; one that cannot be found is said to be
            UNHEALTHY at once and deregistered when it is still not found a little later

What follows when it is no longer listed: `parting`.
"""

from __future__ import annotations

from typing import Final

from sluice.plan.discovery.memory import short
from sluice.plan.discovery.motion import EXIT_PATIENCE, GONE_PATIENCE, Motion
from sluice.plan.discovery.parting import has_left

_ON_ITS_WAY: Final = "its task is on its way out"


def is_fresh(motion: Motion, instance: str) -> bool:
    """Tell whether an instance that is to go answers for a task that works."""
    name = short(instance)
    stage, pending = motion.ledger.stage(name), motion.ledger.operations.get(name)
    if instance not in motion.answering.ours or (pending and (pending.id or pending.kind == "deregister")):
        return False
    return stage in (None, "heal", "healing") and motion.is_live(instance)


def begin_to_leave(motion: Motion, instance: str) -> None:
    """Let a healthy answer go, if enough others stay."""
    departing = instance in motion.wanted.departing
    floor = 1 if departing or motion.urgent else motion.guard.floor
    if _goes_with_all(motion, instance):
        _remove_with_all(motion, instance)
        return
    if not motion.guard.may_hide(instance, floor=floor):
        if motion.ledger.stage(short(instance)) == "heal":
            motion.ledger.stages[short(instance)] = ("heal", motion.ledger.now)
            motion.set_health(instance, healthy=True, reason="no other answer is healthy", phase="rescue")
        motion.held += 1
        motion.soon()
        return
    reason = "ECS is to end its task" if departing else "the route no longer sends to it"
    if motion.can_be_hidden(instance):
        motion.hide(instance, reason=reason)
    else:
        motion.remove(instance, reason=reason)


def leave(motion: Motion, instance: str) -> None:
    """Take the next step of an instance that is on its way, or whose task does not work."""
    name, ledger = short(instance), motion.ledger
    pending = ledger.operations.get(name)
    motion.moving = True
    if pending and (pending.id or (pending.kind == "register" and instance not in motion.answering.ours)):
        motion.soon()
        return
    if pending and pending.kind == "register":
        del ledger.operations[name]
    if instance not in motion.answering.ours:
        has_left(motion, instance)
    elif _goes_with_all(motion, instance):
        _remove_with_all(motion, instance)
    elif pending and pending.kind == "deregister":
        motion.remove(instance, reason="asked for before, without an answer")
    elif not motion.is_live(instance) and _died(motion, instance):
        motion.remove(instance, reason="its task has ended", rescue=True)
    elif motion.can_be_hidden(instance):
        _fade(motion, instance)
    elif motion.is_live(instance):
        begin_to_leave(motion, instance)  # its removal failed; who else answers may have changed since
    elif motion.task(instance) is None:
        ledger.put(name, "marking")
        motion.soon(ledger.since(name) + GONE_PATIENCE)
    else:
        motion.remove(instance, reason=_ON_ITS_WAY, rescue=True)


def _fade(motion: Motion, instance: str) -> None:
    """Hide, wait until nobody uses the answer any more, and remove."""
    name, ledger = short(instance), motion.ledger
    if _comes_back(motion, instance):
        return
    motion.hide(instance, reason=_ON_ITS_WAY, rescue=not motion.is_live(instance))
    if ledger.stage(name) != "hidden":
        return
    if ledger.now < (due := ledger.since(name) + motion.wait):
        motion.soon(due)
    else:
        motion.remove(instance, reason=f"hidden from clients for {motion.wait:.0f} s")


def _goes_with_all(motion: Motion, instance: str) -> bool:
    """Tell whether an instance is among those that leave nobody behind, as they are meant to."""
    if motion.everything:
        return True
    return instance in motion.wanted.yielding and not motion.guard.visible - motion.wanted.yielding


def _remove_with_all(motion: Motion, instance: str) -> None:
    name, ledger = short(instance), motion.ledger
    ledger.put(name, "marking")  # hidden is not gone where all are hidden
    motion.remove(instance, reason="nobody is to answer any more")
    if motion.gives_up and ledger.now >= ledger.since(name) + EXIT_PATIENCE:
        motion.given_up.add(instance)
        motion.give_back(instance, reason="nobody asks for its entry any more, and AWS does not remove it")


def _comes_back(motion: Motion, instance: str) -> bool:
    """Let one answer that was to go be healthy again if nobody else answers any more."""
    if motion.guard.visible or not motion.is_live(instance):
        return False
    if not motion.rescued:
        motion.rescued = instance
        motion.ledger.put(short(instance), "heal")
        motion.set_health(instance, healthy=True, reason="no other answer is healthy", phase="rescue")
    return True


def _died(motion: Motion, instance: str) -> bool:
    """Tell whether a task has certainly ended: seen to stop, or not found for a while."""
    task = motion.task(instance)
    if task is not None:
        return not task.running
    name = short(instance)
    return (
        motion.ledger.stage(name) is not None
        and motion.ledger.now >= motion.ledger.since(name) + GONE_PATIENCE
    )
