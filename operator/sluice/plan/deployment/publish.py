"""What routes are told: `status.traffic`, and who has proved it (rollout.md §7).

A target group is published once it has a healthy target, and from then on until it is gone: health is
the load balancer's business after that, and a route must not lose its rule over a bad minute. Where a route
lists the tasks in Cloud Map there is traffic without any group. seq rises exactly when the hash changes, so
a rolling deployment does not wake the routes, and once more when a replaced service is about to go: the
names must have been seen to answer without its tasks first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sluice.model.conditions import parse_timestamp
from sluice.model.desired import Desired
from sluice.model.observed import Observed
from sluice.model.traffic import SlotTarget, Traffic, acknowledged
from sluice.plan.deployment import discovery
from sluice.plan.deployment.state import State, TargetGroup
from sluice.plan.deployment.targets import wanted
from sluice.plan.parents import backend_ports


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
    before = state.traffic
    if not targets and not desired.listed:
        return before
    if not targets and before:
        targets = before.targets
    traffic = Traffic(
        uid=desired.uid,
        rollout_id=rollout_id,
        seq=before.seq + 1 if before else 1,
        weights={slot: 100},
        targets=targets,
        verify_after=float(int(now)),
    )
    same = before is not None and before.hash == traffic.hash and before.uid == traffic.uid
    return before if same and not moved(desired, state) else traffic


def moved(desired: Desired, state: State) -> bool:
    """Tell whether a service that was replaced waits for names that were last proved before it was."""
    if not desired.listed or not state.retiring or state.rollout or not state.history or not state.traffic:
        return False
    return parse_timestamp(state.history[0]["startedAt"]) > state.traffic.verify_after


def acknowledgements(
    state: State, traffic: Traffic | None, routes: Sequence[Mapping[str, Any]], name: str
) -> tuple[Mapping[str, Any], ...]:
    """Return `status.routes`: the routes that proved `traffic`, with when they first did.

    A later proof of the same is no news: it would be a status write for each of the route's reads.
    """
    if traffic is None:
        return ()
    before = {entry["name"]: entry for entry in state.routes}
    listings = {entry.route: entry for entry in discovery.listings(routes, name)}
    found: list[Mapping[str, Any]] = []
    for route in routes:
        metadata = route["metadata"]
        at = _proven_at(route, name, listings.get(metadata["name"]), traffic)
        if at is None:
            continue
        entry = {
            "name": metadata["name"],
            "uid": metadata.get("uid", ""),
            "seq": traffic.seq,
            "verifiedAt": at,
        }
        old = before.get(entry["name"])
        if old and (old.get("uid"), old.get("seq")) == (entry["uid"], entry["seq"]):
            found.append(old)
        else:
            found.append(entry)
    return tuple(found)


def _proven_at(
    route: Mapping[str, Any], name: str, listing: discovery.Listing | None, traffic: Traffic
) -> float | None:
    """Return when a route proved `traffic` in every plane in which it refers to the Deployment."""
    times: list[float] = []
    names = listing is not None and listing.wanted
    if backend_ports(route, name) or not names:
        proof = acknowledged((route.get("status") or {}).get("backends") or (), name)
        generation = int(route["metadata"].get("generation", 0))
        if proof is None or not proof.proves(traffic, route_generation=generation):
            return None
        times.append(proof.verified_at)
    if listing and listing.wanted:
        if listing.proof is None or not listing.proves(traffic):
            return None
        times.append(listing.proof.verified_at)
    return max(times, default=None)
