"""One step of every instance, in the order in which the steps are safe.

What is to answer comes first, then what is on its way out, then what is to begin to leave: it goes only when
what is to replace it is seen. What a process that ended left half done is found in the memory and goes on.
"""

from __future__ import annotations

from sluice.plan.discovery import writes
from sluice.plan.discovery.leaving import begin_to_leave, is_fresh, leave
from sluice.plan.discovery.ledger import PROTECTION
from sluice.plan.discovery.memory import is_named_by_us, short
from sluice.plan.discovery.motion import Motion
from sluice.plan.discovery.parting import is_kept_in_vain, release
from sluice.plan.discovery.staying import keep


def run(motion: Motion) -> None:
    """Take one step of every instance."""
    for name in sorted(motion.wanted.entries):
        keep(motion, motion.wanted.entries[name], registers=True)
    for name in sorted(motion.wanted.kept.keys() - motion.wanted.entries.keys()):
        keep(motion, motion.wanted.kept[name], registers=False)
    fresh = []
    for name in sorted(_known(motion) - motion.wanted.entries.keys() - motion.wanted.kept.keys()):
        if is_fresh(motion, name):
            fresh.append(name)
        else:
            leave(motion, name)
    # Departing ones wait for nobody: their number was chosen so that enough others answer.
    for name in sorted(fresh, key=lambda name: (name not in motion.wanted.departing, name)):
        begin_to_leave(motion, name)
    for name, task in motion.parted.items():
        release(motion, name, task)
    _forget_failures(motion)
    for reason, tasks in sorted(motion.freed.items()):
        motion.actions["release"] += writes.protect(tasks, enabled=False, reason=reason)


def _known(motion: Motion) -> set[str]:
    """Return the instances that are listed, or that the memory names and something can be said of."""
    names = {short(name): name for name in motion.tasks}
    seen = (name for name in motion.discovered if name not in motion.answering.foreign)
    names |= {short(name): name for name in seen if is_named_by_us(name)}
    remembered = motion.ledger.stages.keys() | motion.ledger.operations.keys()
    known = {names[name] for name in remembered if name in names} | motion.answering.ours.keys()
    known |= {name for name in motion.wanted.departing if is_kept_in_vain(motion, name)}
    lost = remembered - {short(name) for name in known} - {"namespace", "service"}
    for name in lost:  # neither listed, nor seen, nor a task: nothing of it is left
        motion.ledger.stages.pop(name, None)
        pending = motion.ledger.operations.get(name)
        if pending and pending.kind == "deregister" and not pending.id:
            del motion.ledger.operations[name]
    return known


def _forget_failures(motion: Motion) -> None:
    """Forget the failures of what nobody wants any more and is not there."""
    concerned = {short(name) for name in (*motion.wanted.entries, *motion.answering.ours)}
    for name in motion.ledger.failing.keys() - concerned - motion.ledger.operations.keys():
        if name not in ("namespace", "service") and not name.startswith(PROTECTION):
            del motion.ledger.failing[name]
