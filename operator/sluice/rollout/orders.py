"""What each slot shall run, derived from the memory and the present facts.

A slot's revision changes only while a reading of this pass shows that no rule gives weight to it and no
name answers with it, and it loses tasks only then too (rollout.md §6, "never swap a slot that carries
weight"; §7 point 3).
"""

from __future__ import annotations

from sluice.model.rollout import LiveRevision, SlotOrder
from sluice.rollout import scaling
from sluice.rollout.work import SLOTS, Work, facts, other

_RUNNING = scaling.FORWARD_STAGES


def slots(work: Work) -> tuple[SlotOrder, ...]:
    """Return the order of each slot, a first."""
    rollout, live = work.motion.rollout, work.motion.live
    if rollout is None or rollout.stage in ("Starting", "PreScaleUp"):
        return tuple(_live(work, live) if live and live.slot == name else _idle(work, name) for name in SLOTS)
    rest = _source(work, live) if live and rollout.kind != "First" else _idle(work, other(rollout.slot))
    return tuple(_candidate(work) if name == rollout.slot else rest for name in SLOTS)


def _live(work: Work, live: LiveRevision) -> SlotOrder:
    rollout = work.motion.rollout
    count, held = work.situation.replicas, False
    if rollout is not None and rollout.stage != "Starting":
        count = None if count is None else max(count, rollout.live_floor)
        held = True
    return SlotOrder(slot=live.slot, revision=live.revision, count=count, reason="live", hold_scale_in=held)


def _idle(work: Work, name: str) -> SlotOrder:
    """The slot that is not live: the standby, or nothing."""
    standby, slot = work.motion.standby, facts(work.situation, name)
    if standby and standby.slot == name:
        count = _count(work, name, standby.count)
        return SlotOrder(
            slot=name, revision=_revision(work, name, standby.revision), count=count, reason="standby"
        )
    if work.motion.live is None and (not slot.free or work.motion.rejected):
        return SlotOrder(slot=name, revision=None, count=None, reason="left as it is")
    return SlotOrder(slot=name, revision=None, count=_count(work, name, 0), reason="not needed")


def _candidate(work: Work) -> SlotOrder:
    rollout, standby = work.rollout, work.motion.standby
    if rollout.stage not in _RUNNING:
        if standby and standby.slot == rollout.slot:
            return _idle(work, rollout.slot)
        text = "rolled back: its tasks go after the drain and a proof"
        return SlotOrder(slot=rollout.slot, revision=None, count=None, reason=text, hold_scale_in=True)
    revision = _revision(work, rollout.slot, rollout.candidate)
    count = scaling.candidate_size(work)
    if revision is None and rollout.weight:
        # It has weight from us: its tasks may be replaced, it is never swapped and never made smaller.
        count = max(count, work.candidate.desired)
    elif revision is None:
        return SlotOrder(slot=rollout.slot, revision=None, count=None, reason="waits for the proof")
    return SlotOrder(
        slot=rollout.slot, revision=revision, count=count, reason="candidate", hold_scale_in=True
    )


def _source(work: Work, live: LiveRevision) -> SlotOrder:
    name, count = other(work.rollout.slot), scaling.source_size(work)
    if work.shares and work.rollout.weight and count is not None:
        # No route names it: a rule may still send to it, which stays until its route is mended.
        count = _count(work, name, count)
    return SlotOrder(
        slot=name,
        revision=live.revision,
        count=count,
        reason="live until the drain is over",
        hold_scale_in=True,
    )


def _revision(work: Work, name: str, revision: str) -> str | None:
    """Return the revision if the slot runs it or may be changed now, None to leave what it runs."""
    slot = facts(work.situation, name)
    if slot.revision == revision or slot.free:
        return revision
    if slot.carries_weight is None:
        work.needs.add("proof")
    return None


def _count(work: Work, name: str, count: int) -> int | None:
    """Return the count, or None while fewer tasks are not yet proved to be safe."""
    slot = facts(work.situation, name)
    if not slot.exists or count >= slot.desired or slot.free:
        return count
    if slot.carries_weight is None:
        work.needs.add("proof")
    return None
