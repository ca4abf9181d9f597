"""What the other members of a release group are doing, from their specs and statuses in the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sluice.api.v1alpha1.progressive import from_snapshot
from sluice.model.conditions import STALLED
from sluice.model.errors import Refused
from sluice.model.keys import DEPLOYMENT, Key
from sluice.model.situation import GroupFacts, MemberFacts
from sluice.plan.progressive.memory import read_rollout
from sluice.ports import Object, Store
from sluice.rollout import group

_NO_FAULT: Final = frozenset({"", "Group", "Superseded"})
"""Reasons to go back that are not the member's own fault: they take nobody else back."""
_FELL_BACK: Final = frozenset({"RolledBack", "FirstRolloutFailed"})


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
    rejected: Mapping[str, Any] = status.get("rejectedRevision") or {}
    # A revision that the group alone took back is not to blame: it would hold the others for ever.
    fell = rejected.get("cause") not in _NO_FAULT and any(
        entry["type"] == STALLED
        and entry.get("reason") in _FELL_BACK
        and entry.get("observedGeneration") == generation
        for entry in status.get("conditions") or ()
    )
    return MemberFacts(
        name=key.name,
        changing=bool(rollout) or not fresh,
        rollout_id=str(rollout.get("id", "")),
        arrived=_arrived(rollout),
        failed=fell or str(rollout.get("reason", "")) not in _NO_FAULT,
        finished=fresh and not rollout,
        strategy_steps=len(rollout.get("steps") or ()),
    )


def _arrived(entry: Mapping[str, Any]) -> int:
    """Return how far a member has come; what this version cannot read has not come anywhere."""
    if "memory" not in entry:
        return group.NOT_READY
    rollout = read_rollout(entry)
    try:
        return group.arrived(rollout, from_snapshot(rollout.strategy))
    except Refused:
        return group.NOT_READY
