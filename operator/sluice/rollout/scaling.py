"""How many tasks each slot has: enough healthy ones before a weight, and never too few after it.

| slot | tasks |
|---|---|
| candidate, AheadOfWeight | max(1, zones, min(R, ceil(R * w) + surge)) |
| candidate, Full | max(1, zones, R) |
| source | never less than it was meant to have since the start, until drain is over |
| candidate, no route | ceil(R * w); the source has the rest |

R is the spec's replicas (or what the live slot has, where somebody else owns the count), and never less
than the live slot had since the start: scale-in waits for the end (rollout.md §6). w is the largest of
the weight that is ordered, the last that every route proved (§7 point 5), and the one to come. A slot
that has the candidate's tasks never loses some before the rollout is over: a weight that was lowered
still drains. Tasks that a write without an answer may still take from a slot are not counted on while more
is sent to it.
"""

from __future__ import annotations

import math

from sluice.model.conditions import timestamp
from sluice.model.situation import SlotFacts
from sluice.model.strategy import FULL, SetWeight
from sluice.rollout.work import Work, facts, other, percent, place

FORWARD_STAGES = frozenset(
    {"ScalingUp", "PostScaleUp", "PreTraffic", "Stepping", "PostTraffic", "Baking", "PostBake", "Draining"}
)


def full_size(work: Work) -> int:
    """Return R: the tasks that carry everything."""
    rollout, situation = work.rollout, work.situation
    if rollout.kind == "First":
        if situation.replicas is not None:
            return situation.replicas
        return max(1, work.candidate.desired)
    base = situation.replicas if situation.replicas is not None else work.source.desired
    return max(rollout.live_floor, base)


def keep_floor(work: Work) -> None:
    """Remember how many tasks the live slot was meant to have: it is scaled up at once, down at the end."""
    if work.rollout.kind != "First" and full_size(work) > work.rollout.live_floor:
        work.change(live_floor=full_size(work))


def share(size: int, permille: int) -> int:
    """Return the tasks that stand for a weight."""
    return math.ceil(size * permille / FULL)


def needed(work: Work, permille: int) -> int:
    """Return the healthy targets that the candidate must have before `permille` may be sent to it."""
    size, slot = full_size(work), work.candidate
    if size == 0:
        return 0  # scaled to nothing: whoever gets the requests, nobody answers them
    if work.shares:
        return share(size, permille)
    if work.strategy.capacity == "Full" or work.rollout.kind != "Rollout":
        return max(1, slot.zones, size)
    return max(1, slot.zones, min(size, share(size, permille) + work.strategy.surge))


def coming(work: Work) -> int:
    """Return the weight that the candidate's tasks are sized for beside those that it has already."""
    steps, rollout = work.steps, work.rollout
    if rollout.step < len(steps) and rollout.stage == "Stepping":
        step = steps[rollout.step]
        if isinstance(step, SetWeight):
            return step.permille
    if max(rollout.weight, rollout.proven):
        return 0
    return next((step.permille for step in steps if isinstance(step, SetWeight) and step.permille), FULL)


def candidate_size(work: Work) -> int:
    """Return how many tasks the candidate's slot shall have in a stage that goes forward."""
    rollout, slot = work.rollout, work.candidate
    size = needed(work, max(rollout.weight, rollout.proven, coming(work)))
    return max(size, slot.desired) if slot.revision == rollout.candidate else size


def source_size(work: Work) -> int | None:
    """Return how many tasks the source's slot shall have; None: somebody else owns the count."""
    rollout = work.rollout
    if work.shares and rollout.stage in FORWARD_STAGES and rollout.weight:
        return full_size(work) - share(full_size(work), rollout.weight)
    if rollout.shares:
        return full_size(work)  # we took tasks from it, whoever owns the count
    return None if work.situation.replicas is None else full_size(work)


def candidate_ready(work: Work, permille: int) -> bool:
    """Tell whether the candidate may get `permille`; if not, say what is missing.

    Decided by target health of this pass, never by a grace period: an ALB sends to every target when
    none is healthy, and a new target gets requests after its first good check.
    """
    rollout, slot, need = work.rollout, work.candidate, needed(work, permille)
    where = f"slot {slot.name}, revision {rollout.candidate}"
    if rollout.stage == "Stepping":
        where = f"{place(work)}: weight {percent(permille)}: {where}"
    if not slot.exists or slot.revision != rollout.candidate:
        text = f"{where}: {slot.running} of {need} tasks run, waiting for the revision to be there alone"
        if busy := _busy(work):
            text = f"{where}: {busy}, so the slot's revision is not changed"
        return _unready(work, "RollingOut", text)
    if slot.healthy is None:
        work.needs.add("health")  # and what was known of it stays: a missing read is no transition
        return work.wait("WaitingForTargets", f"{where}: target health could not be read yet", counts=True)
    healthy = min(slot.healthy, slot.desired)  # what is more is about to stop: an undo after a scale-in
    if healthy < need:
        return _unready(work, "WaitingForTargets", f"{where}: {healthy} of {need} targets healthy")
    if open_write := unsettled(work, slot, need):
        return work.wait("WaitingForTargets", f"{where}: {open_write}", counts=True)
    wait = work.strategy.min_ready
    if rollout.healthy_since is None:
        work.change(healthy_since=work.now)
    since = work.rollout.healthy_since or work.now
    if wait and work.now < since + wait:
        work.wakes.append(since + wait)
        return work.wait(
            "WaitingForTargets", f"{where}: {need} targets healthy, waiting for minReadySeconds", counts=True
        )
    return True


def _unready(work: Work, reason: str, text: str) -> bool:
    if work.rollout.healthy_since is not None:
        work.change(healthy_since=None)
    return work.wait(reason, text, counts=True)


def _busy(work: Work) -> str:
    """Return what still leads to the candidate's slot, '' when nothing is known to."""
    slot = work.candidate
    if slot.carries_weight is None:
        work.needs.add("proof")
    if slot.carries_weight:
        return "a rule still gives weight to it" + (f" ({slot.carrier})" if slot.carrier else "")
    return f"names still answer with its old tasks ({slot.listed})" if slot.listed else ""


def source_carries(work: Work, permille: int) -> bool:
    """Tell whether the source has the healthy targets for `permille`; if not, say what is missing.

    Tasks of the live slot that die stop every forward move: neither is the candidate promoted by
    itself because the source is broken, nor more moved while nobody knows why (rollout.md §6).
    `promote-full` passes over it: the candidate may be the cure.
    """
    if work.shares or work.rollout.kind != "Rollout" or work.rollout.full:
        return True
    slot, need = facts(work.situation, other(work.rollout.slot)), share(full_size(work), permille)
    if need == 0:
        return True
    if slot.healthy is None:
        work.needs.add("health")
        return work.wait("WaitingForTargets", f"live slot {slot.name}: target health could not be read yet")
    if slot.healthy >= need:
        open_write = unsettled(work, slot, need)
        return not open_write or work.wait("WaitingForTargets", f"live slot {slot.name}: {open_write}")
    return work.wait(
        "WaitingForTargets",
        f"live slot {slot.name}: {slot.healthy} of {need} targets healthy, no step forward meanwhile; "
        "abort, or promote-full if the candidate is the cure",
    )


def unsettled(work: Work, slot: SlotFacts, need: int) -> str:
    """Return why `need` healthy tasks of a slot may not stay, '' when they do (decision 27).

    A write that takes tasks away and was never answered may still take place: until then only what it
    leaves is counted on.
    """
    if slot.fewest is None or slot.fewest >= need:
        return ""
    work.wakes.append(slot.settles_at)
    return (
        f"a change to {slot.fewest} tasks was sent to ECS and never answered; it may still take place, "
        f"and is waited for until {timestamp(slot.settles_at)}"
    )


def source_takes_back(work: Work) -> bool | None:
    """Tell whether the source has enough healthy targets for a rollback; None: not known.

    Enough is half of what it needs for everything, or no fewer than the candidate has: then the return
    can only help. At least one, and one in each zone. Else both are unhealthy and the weights are held.
    What may still be taken from it counts as gone, unless nobody answers for the candidate any more.
    """
    slot, size = work.source, full_size(work)
    if size == 0 or work.shares:
        return True
    if slot.healthy is None:
        work.needs.add("health")
        return None
    enough = _take_back(work, slot.healthy)
    if not enough or slot.fewest is None or work.candidate.healthy == 0:
        return enough
    if _take_back(work, min(slot.healthy, slot.fewest)):
        return True
    text = unsettled(work, slot, slot.fewest + 1)
    work.wait("WaitingForTargets", f"rollback ({work.rollout.reason}): slot {slot.name}: {text}", counts=True)
    return None


def _take_back(work: Work, healthy: int) -> bool | None:
    """Tell whether so many healthy targets of the source are enough."""
    if healthy < max(1, work.source.zones):
        return False
    if 2 * healthy >= full_size(work):
        return True
    if work.candidate.healthy is None:
        work.needs.add("health")
        return None
    return healthy >= work.candidate.healthy
