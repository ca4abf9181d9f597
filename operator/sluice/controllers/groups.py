"""What the other members of a release group are doing, from their specs and statuses in the store.

| the member | counts as |
|---|---|
| has a rollout, or its spec was not looked at yet | changing |
| is at rest and Ready | through |
| is at rest and not Ready | changing, if its spec asks for another revision than the live or rejected one |
| waits to begin because it is scaled to 0 | without change: nobody can tell when it would come |
| is being deleted | not there |

The third row is one whose pass failed (AWS throttles), whose spec is refused, or which is suspended.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from sluice.api.v1alpha1.progressive import from_snapshot
from sluice.model.conditions import READY, STALLED, STALLED_REASONS
from sluice.model.errors import Refused
from sluice.model.keys import DEPLOYMENT, Key
from sluice.model.situation import GroupFacts, MemberFacts
from sluice.plan.deployment.summary import ready_now
from sluice.plan.progressive.memory import read_rollout
from sluice.ports import Object, Store
from sluice.rollout import group

_NO_FAULT: Final = frozenset({"", "Group", "Superseded"})
"""Reasons to go back that are not the member's own fault: they take nobody else back."""
_FELL_BACK: Final = frozenset({"RolledBack", "FirstRolloutFailed"})
_LASTING: Final = STALLED_REASONS | {"Paused", "Frozen"}
"""Reasons that may need a person, so those who wait for the member tell them."""


def group_facts(
    store: Store, key: Key, name: str, *, asks: Callable[[Key, Object], str | None]
) -> GroupFacts:
    """Return the group of `key`'s namespace that is called `name`, without `key` itself.

    `asks` returns the revision that a member's spec asks for, None where that cannot be made; it is only
    called for one that is at rest without being Ready.
    """
    members = []
    for other in store.keys(DEPLOYMENT):
        if other == key or other.namespace != key.namespace:
            continue
        obj = store.get(other)
        if obj is not None and _group_of(obj) == name and "deletionTimestamp" not in obj["metadata"]:
            members.append(_member(other, obj, asks))
    return GroupFacts(name=name, members=tuple(sorted(members, key=lambda member: member.name)))


def _group_of(obj: Object) -> str:
    strategy: Mapping[str, Any] = (obj.get("spec") or {}).get("strategy") or {}
    progressive: Mapping[str, Any] = strategy.get("progressive") or {}
    return str((progressive.get("releaseGroup") or {}).get("name", ""))


def _member(key: Key, obj: Object, asks: Callable[[Key, Object], str | None]) -> MemberFacts:
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
    through = fresh and not rollout
    if through and not ready_now(status, generation):
        known = {(status.get("live") or {}).get("revision"), rejected.get("revision")}
        through = asks(key, obj) in known - {None}
    return MemberFacts(
        name=key.name,
        changing=not through and not _empty(obj, rollout),
        rollout_id=str(rollout.get("id", "")),
        arrived=_arrived(rollout),
        failed=fell or str(rollout.get("reason", "")) not in _NO_FAULT,
        finished=through,
        strategy_steps=len(rollout.get("steps") or ()),
        trouble=_trouble(status, generation),
    )


def _empty(obj: Object, rollout: Mapping[str, Any]) -> bool:
    """Tell whether a rollout waits to begin until there are to be tasks again (`rollout.begin`)."""
    wanted = (obj.get("spec") or {}).get("replicas")
    count = (obj.get("status") or {}).get("replicas") if wanted is None else wanted
    return rollout.get("stage") == "Starting" and count == 0


def _trouble(status: Mapping[str, Any], generation: object) -> str:
    reasons = [
        str(entry.get("reason", ""))
        for entry in status.get("conditions") or ()
        if entry["type"] == READY and entry["status"] != "True" and entry["observedGeneration"] == generation
    ]
    return next((reason for reason in reasons if reason in _LASTING), "")


def _arrived(entry: Mapping[str, Any]) -> int:
    """Return how far a member has come; what this version cannot read has not come anywhere."""
    if "memory" not in entry:
        return group.NOT_READY
    rollout = read_rollout(entry)
    try:
        return group.arrived(rollout, from_snapshot(rollout.strategy))
    except Refused:
        return group.NOT_READY
