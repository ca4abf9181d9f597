"""What routes are told of a progressive Deployment: `status.traffic`, composed from the machine's order.

seq rises with every change that routes must act on: other weights, targets, test slot or header, a proof
that is demanded anew, or another word about foreign weights. Target groups are told only of slots that
get something, and first when they have a healthy target (a route that was added brings new groups even
to the live slot); from then on until they are gone: a route must not lose its rule over a bad minute.
"""

from __future__ import annotations

from collections.abc import Collection

from sluice.model.desired import Desired
from sluice.model.observed import Observed
from sluice.model.rollout import TrafficOrder
from sluice.model.traffic import HeaderRoute, Traffic
from sluice.plan.deployment.state import State, TargetGroup


def compose(
    desired: Desired, state: State, seen: Observed, order: TrafficOrder, *, rollout_id: str
) -> Traffic | None:
    """Return the traffic to publish; the present one where nothing changed, None before the first."""
    before = state.traffic
    if not order.weights:
        return before
    used = {slot for slot, parts in order.weights.items() if parts}
    used |= {slot for slot in (order.test, order.header_slot if order.header else "") if slot}
    targets = tuple(group.target() for group in _chosen(desired, state, seen, used))
    if not targets and before is None and not desired.listed:
        return None
    header = (
        HeaderRoute(name=order.header[0], value=order.header[1], slot=order.header_slot)
        if order.header
        else None
    )
    traffic = Traffic(
        uid=desired.uid,
        rollout_id=rollout_id,
        seq=before.seq + 1 if before else 1,
        weights={slot: parts for slot, parts in sorted(order.weights.items()) if parts},
        targets=targets,
        verify_after=order.verify_after or (before.verify_after if before else 0.0),
        test=order.test,
        header=header,
        reassert=order.reassert,
        rollback=order.rollback,
    )
    return before if before and _same(before, traffic) else traffic


def _same(before: Traffic, after: Traffic) -> bool:
    return (before.uid, before.hash, before.reassert, before.rollback) == (
        after.uid,
        after.hash,
        after.reassert,
        after.rollback,
    ) and after.verify_after <= before.verify_after


def unpublished(state: State, used: Collection[str]) -> tuple[str, ...]:
    """Return the ARNs of groups of slots `used` that routes have not been told of."""
    told = {target.target_group_arn for target in state.traffic.targets} if state.traffic else set()
    return tuple(
        group.arn
        for group in state.target_groups
        if group.arn and group.slot in used and group.arn not in told
    )


def _chosen(desired: Desired, state: State, seen: Observed, used: Collection[str]) -> list[TargetGroup]:
    """Return one group for each (slot, port, load balancer): the one that the present wish names."""
    told = {target.target_group_arn for target in state.traffic.targets} if state.traffic else set()
    ports = {port.container_port for port in desired.revision.ports}
    places: dict[tuple[str, str, str], TargetGroup] = {}
    order = sorted(
        state.target_groups,
        key=lambda group: (group.container_port not in ports, group.arn not in told, group.name),
    )
    for group in order:
        serves = group.arn in told or bool(seen.healthy.get(group.arn))
        if group.arn and group.slot in used and serves:
            places.setdefault((group.slot, group.port, group.load_balancer_arn), group)
    return [places[place] for place in sorted(places)]
