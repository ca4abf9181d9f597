"""After an entry has left: its task is given back to ECS when no client can use it any more.

An entry that was hidden long enough has waited already; one that was not waits propagation + TTL from
when it was seen to be gone. A task that another name answers with, or that ends together with others, waits
for them.
"""

from __future__ import annotations

from sluice.model.discovery import SeenTask
from sluice.plan.discovery.ledger import LATE
from sluice.plan.discovery.memory import short
from sluice.plan.discovery.motion import EXIT_PATIENCE, Motion


def has_left(motion: Motion, instance: str) -> None:
    """Take note that an instance is no longer listed; its task is given back when nobody can use it."""
    name, ledger = short(instance), motion.ledger
    if motion.discovered.get(instance) is not None:
        motion.soon()
        return
    if ledger.operations.get(name):
        motion.soon(ledger.operations[name].since + LATE)
        return
    if is_kept_in_vain(motion, instance):
        ledger.put(name, "out")
    stage = ledger.stage(name)
    waited = stage == "hidden" and ledger.now >= ledger.since(name) + motion.wait
    hidden = waited and bool(motion.answering.visible)  # with no healthy answer all are answers
    task = motion.task(instance)
    if stage is None or task is None or not task.running:
        ledger.stages.pop(name, None)
        return
    if stage != "released":
        if not hidden:
            ledger.put(name, "out")
        due = ledger.now if hidden else ledger.since(name) + motion.wait
        if ledger.now < due:
            motion.soon(due)
            return
        ledger.put(name, "released")
    motion.parted[instance] = task


def is_kept_in_vain(motion: Motion, instance: str) -> bool:
    """Tell whether ECS is to end a task that is protected for an entry that is not there.

    Its registration failed, or somebody else removed the entry: no step of an entry gives it back then,
    and ECS's deployment would wait for it until the protection ends by itself.
    """
    task = motion.task(instance)
    return (
        task is not None
        and task.protected_until > motion.ledger.now
        and not motion.keep_protected
        and instance in motion.wanted.departing
        and instance not in motion.answering.ours
        and motion.ledger.stage(short(instance)) is None
    )


def release(motion: Motion, instance: str, task: SeenTask) -> None:
    """Give the task of an instance back that is in no answer, unless somebody else still needs it."""
    if task.held == "answering" and instance not in motion.wanted.departing:
        del motion.ledger.stages[short(instance)]  # it is the other name's, which gives it back
    elif task.protected_until > motion.ledger.now and not motion.keep_protected:
        motion.soon()
        if not (_waits_for_others(motion, instance) or _is_held(motion, instance, task)):
            motion.give_back(instance, reason="its entry has left")
    elif instance not in motion.wanted.departing:
        del motion.ledger.stages[short(instance)]


def _is_held(motion: Motion, instance: str, task: SeenTask) -> bool:
    """Tell whether clients of another name may still be sent to a task.

    One that answers with it and does not let it go is waited for only so long: it may have chosen
    another one.
    """
    late = motion.ledger.since(short(instance)) + EXIT_PATIENCE
    return task.held == "leaving" or (task.held == "answering" and motion.ledger.now < late)


def _waits_for_others(motion: Motion, instance: str) -> bool:
    """Tell whether a task ends together with others that are not ready: nothing new starts beside old."""
    if instance not in motion.wanted.yielding:
        return False
    slot = motion.tasks[instance].slot
    return any(
        motion.ledger.stage(short(other)) not in ("released", None) or other in motion.answering.ours
        for other in motion.wanted.yielding
        if motion.tasks[other].slot == slot
    )
