"""What routes are told: `status.traffic`, and who has proved it (rollout.md §7).

A target group is published once it has a healthy target, and from then on until it is gone: health is
the load balancer's business after that, and a route must not lose its rule over a bad minute. seq
rises exactly when the hash changes, so a rolling deployment does not wake the routes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sluice.model.desired import Desired
from sluice.model.observed import Observed
from sluice.model.traffic import SlotTarget, Traffic, acknowledged
from sluice.plan.deployment.state import State, TargetGroup
from sluice.plan.deployment.targets import wanted


def unpublished(state: State, groups: Sequence[TargetGroup]) -> tuple[str, ...]:
    """Return the ARNs of groups that exist and whose health is not known good yet."""
    told = {target.target_group_arn for target in state.traffic.targets} if state.traffic else set()
    return tuple(group.arn for group in groups if group.arn and group.arn not in told)


def publish(
    desired: Desired,
    state: State,
    observed: Observed,
    groups: Sequence[TargetGroup],
    *,
    rollout_id: str,
    now: float,
) -> Traffic | None:
    """Return what to publish now: the present traffic when nothing changed."""
    told = {target.target_group_arn for target in state.traffic.targets} if state.traffic else set()
    slot = state.slot.name if state.slot else "a"
    preferred = {group.name for group, backend, port in wanted(desired, state, slot=slot) if backend and port}
    # One group a port: where a new one takes over (another number or protocol), it is alone from then on.
    places: dict[tuple[str, str], SlotTarget] = {}
    for group in sorted(groups, key=lambda entry: (entry.name not in preferred, entry.name)):
        if group.slot != slot or not group.arn:
            continue
        if not (group.arn in told or observed.healthy.get(group.arn)):
            continue
        places.setdefault(
            (group.port, group.load_balancer_arn),
            group.target(),
        )
    targets = tuple(places[place] for place in sorted(places))
    if not targets:
        return state.traffic
    traffic = Traffic(
        uid=desired.uid,
        rollout_id=rollout_id,
        seq=state.traffic.seq + 1 if state.traffic else 1,
        weights={slot: 100},
        targets=targets,
        verify_after=float(int(now)),
    )
    before = state.traffic
    same = before is not None and before.hash == traffic.hash and before.uid == traffic.uid
    return before if same else traffic


def acknowledgements(
    state: State, traffic: Traffic | None, routes: Sequence[Mapping[str, Any]], name: str
) -> tuple[Mapping[str, Any], ...]:
    """Return `status.routes`: the routes that proved `traffic`, with when they first did.

    A later proof of the same is no news: it would be a status write for each of the route's reads.
    """
    if traffic is None:
        return ()
    before = {entry["name"]: entry for entry in state.routes}
    found: list[Mapping[str, Any]] = []
    for route in routes:
        proof = acknowledged(route.get("status", {}).get("backends") or (), name)
        metadata = route["metadata"]
        if proof is None or not proof.proves(traffic, route_generation=int(metadata.get("generation", 0))):
            continue
        entry = {
            "name": metadata["name"],
            "uid": metadata.get("uid", ""),
            "seq": traffic.seq,
            "verifiedAt": proof.verified_at,
        }
        old = before.get(entry["name"])
        if old and (old.get("uid"), old.get("seq")) == (entry["uid"], entry["seq"]):
            found.append(old)
        else:
            found.append(entry)
    return tuple(found)
