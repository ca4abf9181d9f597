"""What the other members of a release group are doing, from their specs and statuses in the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sluice.model.conditions import STALLED
from sluice.model.keys import DEPLOYMENT, Key
from sluice.model.situation import GroupFacts, MemberFacts
from sluice.ports import Object, Store


def group_facts(store: Store, key: Key, name: str) -> GroupFacts:
    """Return the group of `key`'s namespace that is called `name`, without `key` itself."""
    members = []
    for other in store.keys(DEPLOYMENT):
        if other == key or other.namespace != key.namespace:
            continue
        obj = store.get(other)
        if obj is not None and _group_of(obj) == name and "deletionTimestamp" not in obj["metadata"]:
            members.append(_member(other, obj))
    return GroupFacts(name=name, members=tuple(sorted(members, key=lambda member: member.name)))


def _group_of(obj: Object) -> str:
    strategy: Mapping[str, Any] = (obj.get("spec") or {}).get("strategy") or {}
    progressive: Mapping[str, Any] = strategy.get("progressive") or {}
    return str((progressive.get("releaseGroup") or {}).get("name", ""))


def _member(key: Key, obj: Object) -> MemberFacts:
    status: Mapping[str, Any] = obj.get("status") or {}
    rollout: Mapping[str, Any] = status.get("rollout") or {}
    generation = obj["metadata"].get("generation")
    fresh = status.get("observedGeneration") == generation
    failed = bool(rollout.get("reason")) or any(
        entry["type"] == STALLED and entry.get("observedGeneration") == generation
        for entry in status.get("conditions") or ()
    )
    stage = rollout.get("stage", "")
    ready = stage not in ("", "Starting", "PreScaleUp", "ScalingUp", "PostScaleUp", "PreTraffic")
    return MemberFacts(
        name=key.name,
        changing=bool(rollout) or not fresh,
        rollout_id=str(rollout.get("id", "")),
        arrived=int(rollout.get("stepIndex", 0)) if ready else -1,
        failed=failed,
        finished=fresh and not rollout,
        strategy_steps=len(rollout.get("steps") or ()),
    )
