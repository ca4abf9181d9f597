"""What routes are asked to write, and whether every one of them has proved it.

A weight counts only when each route has read it back from its rules (rollout.md §4, §7): the order must
be what is published, every route must have acknowledged that, and not before `verify_after`.
"""

from __future__ import annotations

from collections.abc import Mapping

from sluice.model.conditions import STALLED_REASONS
from sluice.model.rollout import BACK, TrafficOrder
from sluice.model.situation import Plane
from sluice.model.strategy import FULL
from sluice.rollout import scaling
from sluice.rollout.work import Work, other

_SHOWN = frozenset({"PreTraffic", "Stepping", "PostTraffic", "Baking", "PostBake", "RollingBack"})
"""Stages in which the test listener shows the candidate. During a rollback until the production rules
are proved: those are written first, alone."""


def order(work: Work) -> TrafficOrder:
    """Return what routes shall write; derived from the memory alone, so it is the same on every pass."""
    motion, published = work.motion, work.situation.traffic
    rollout = motion.rollout
    if rollout is None or rollout.stage == "Starting" or (rollout.kind == "First" and not rollout.weight):
        weights: Mapping[str, int] = {motion.live.slot: FULL} if motion.live else dict(published.weights)
        return TrafficOrder(weights=weights, verify_after=published.verify_after)
    shares = {rollout.slot: rollout.weight, other(rollout.slot): FULL - rollout.weight}
    back = rollout.stage in BACK
    idle = rollout.stage == "PreScaleUp"
    reassert = back or idle or rollout.reassert or rollout.kind != "Rollout"
    return TrafficOrder(
        weights={slot: parts for slot, parts in sorted(shares.items()) if parts},
        test=rollout.slot if rollout.kind == "Rollout" and rollout.stage in _SHOWN else "",
        header=rollout.header,
        header_slot=rollout.slot if rollout.header else "",
        reassert=reassert or work.strategy.on_drift == "Reassert",
        verify_after=max(rollout.verify_after, 0.0),
        rollback=_urgent(work),
    )


def _urgent(work: Work) -> bool:
    """Tell whether these weights are written before anything else: a rollback that was ordered.

    Not while it is held (the slots must be mended then), nor where no route has anything to write, nor any
    more once requests went back: names that follow the rules take minutes, and have no need of the budget
    that is kept for rollbacks.
    """
    rollout, traffic = work.rollout, work.situation.traffic
    if not traffic.routes or not rollout.shown or rollout.returned_at:
        return False
    if rollout.stage == "RollingBack":
        return not rollout.weight
    if rollout.stage == "CleaningUp":
        return not traffic.provers_of("rules")
    return rollout.kind == "Undo" and rollout.stage == "Stepping" and bool(rollout.weight)


def proven_at(work: Work, *, plane: Plane | None = None) -> float | None:
    """Return when the last route (of one plane) proved the present order, None while one has not.

    Without routes there is nothing to write: the numbers of running tasks are the proof where weights
    are shares of tasks, else it is proved at once.
    """
    wanted, published = order(work), work.situation.traffic
    if not published.routes:
        return _counted(work)
    same = (
        dict(published.weights) == dict(wanted.weights)
        and published.test == wanted.test
        and published.header == wanted.header
    )
    at = published.proven_at(plane)
    if not same or at is None or at < wanted.verify_after:
        return None
    return at


def note_return(work: Work) -> None:
    """Remember when each plane proved the way back, and tell; the names' comes minutes after the rules'."""
    rollout = work.rollout
    if not rollout.decided_at or not rollout.shown or not work.situation.traffic.routes:
        return
    to = rollout.candidate if rollout.kind == "Undo" and not rollout.reason else rollout.source
    rules, names = proven_at(work, plane="rules"), proven_at(work, plane="discovery")
    if rules is not None and not rollout.verified_at:
        at = max(rules, rollout.decided_at)
        text = f"every route sends to {to} alone again, after {at - rollout.decided_at:.1f} s"
        work.note("RollbackVerified", text)
        work.change(verified_at=at)
    if names is not None and not rollout.discovered_at:
        at = max(names, rollout.decided_at)
        text = f"every name answers with {to} alone again, after {at - rollout.decided_at:.1f} s"
        work.note("RollbackVerified", text)
        work.change(discovered_at=at)


def _counted(work: Work) -> float | None:
    rollout = work.rollout
    if not work.shares or rollout.kind != "Rollout":
        return work.now
    size = scaling.full_size(work)
    if rollout.stage in BACK:
        return work.now if work.source.running >= size else None
    mine = scaling.share(size, rollout.weight)
    there = work.candidate.revision == rollout.candidate and work.candidate.running >= mine
    if not there or (rollout.weight and work.source.running > size - mine):
        return None
    return work.now


def await_proof(work: Work, *, what: str, plane: Plane | None = None) -> float | None:
    """Return when the present order was proved; if it is not yet, say which route is missing."""
    at = proven_at(work, plane=plane)
    if at is not None:
        return at
    verify_after = work.rollout.verify_after
    if verify_after > work.now:
        work.wakes.append(verify_after)
    routes = work.situation.traffic.provers_of(plane)
    missing = [route for route in routes if not route.proven]
    troubled = next((route for route in missing if route.problem), None)
    counts = work.rollout.kind != "First"  # its routes say themselves what is wrong; the tasks are not
    if troubled:
        reason = (
            troubled.problem_reason if troubled.problem_reason in STALLED_REASONS else "WaitingForTargets"
        )
        work.wait(reason, f"{what}: route {troubled.label}: {troubled.problem}", counts=counts)
        return None
    if work.shares:
        text = f"{work.candidate.running} tasks of the candidate and {work.source.running} of the source run"
        if work.source.carries_weight:
            text += ", which keeps its tasks while a listener rule sends to it: mend the route that has it"
    elif missing:
        names = ", ".join(route.label for route in missing[:3])
        text = f"{len(routes) - len(missing)} of {len(routes)} routes have proved it; waiting for {names}"
    else:
        text = "the weights are being published and verified"
    work.wait("RollingOut", f"{what}: {text}", counts=counts)
    return None
