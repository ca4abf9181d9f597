"""What a look at the answers proves: that clients get the weights that a Deployment published.

The Deployment stops tasks on this proof (rollout.md §7), so it is about what clients see: every entry
that is wanted is seen healthy; of a slot without weight none is seen healthy, and none was within the
time for which somebody may still use an answer. Tasks that ECS replaces within a slot do not matter.
"""

from __future__ import annotations

from sluice.model.discovery import DiscoveryIntent, DiscoveryProof, Health
from sluice.model.traffic import Traffic
from sluice.plan.discovery.memory import short
from sluice.plan.discovery.motion import Motion


def prove(
    intent: DiscoveryIntent,
    traffic: Traffic,
    motion: Motion,
    *,
    generation: int,
    before: DiscoveryProof | None,
) -> DiscoveryProof | None:
    """Return the acknowledgement of `traffic`; the one `before` as long as it still counts.

    None where the answers do not show the weights (yet).
    """
    same = before is not None and (
        before.name,
        before.uid,
        before.rollout_id,
        before.seq,
        before.hash,
        before.route_generation,
    ) == (intent.backend, traffic.uid, traffic.rollout_id, traffic.seq, traffic.hash, generation)
    if same and before is not None and before.verified_at >= traffic.verify_after:
        return before
    if not _shows(traffic, motion):
        return None
    return DiscoveryProof(
        name=intent.backend,
        uid=traffic.uid,
        rollout_id=traffic.rollout_id,
        seq=traffic.seq,
        hash=traffic.hash,
        route_generation=generation,
        verified_at=motion.ledger.now,
    )


def _shows(traffic: Traffic, motion: Motion) -> bool:
    wanted = motion.wanted
    if not wanted.known or wanted.short:
        return False
    if not all(_answers(motion.discovered.get(name), motion) for name in wanted.entries):
        return False
    weighted = {slot for slot, parts in traffic.weights.items() if parts > 0}
    single = len(weighted) == 1
    for name in motion.answering.ours.keys() | motion.discovered.keys():
        if name in wanted.entries or name in motion.answering.foreign:
            continue
        if single and _slot(name, motion) in weighted:
            continue  # it only has one slot's tasks to choose from: any of them is right
        if not _is_out(name, motion):
            return False
    return not any(
        motion.ledger.stage(short(name)) == "out" and _slot(name, motion) not in weighted
        for name in motion.tasks
    )


def _answers(seen: Health | None, motion: Motion) -> bool:
    custom = motion.service is not None and motion.service.custom_health
    return seen == "HEALTHY" or (not custom and seen is not None)


def _is_out(name: str, motion: Motion) -> bool:
    """Tell whether nobody uses an entry any more that is still listed or answered with."""
    ledger, key = motion.ledger, short(name)
    stage = ledger.stage(key)
    if stage == "hidden":
        # Where nobody is healthy, everybody is an answer.
        waited = bool(motion.wanted.entries) and ledger.now >= ledger.since(key) + motion.wait
        return waited and motion.discovered.get(name) != "HEALTHY"
    return stage == "released"


def _slot(name: str, motion: Motion) -> str:
    """Return the slot that an instance's task belongs to; '' for one that is nobody's (any more)."""
    task = motion.task(name)
    return task.slot if task is not None and not task.backend else ""
