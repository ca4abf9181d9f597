"""Collects target groups whose container port is gone, once nothing forwards there.

A port that vanishes from the spec, or changes its number, leaves a group that ECS is no longer told of. It
stays while a route's rule, or anybody's, still refers to it; AWS is asked on every listener of its load
balancers (rollout.md §7 point 3), and refuses the deletion besides. Only at rest, with spare budget, as other
garbage. Its anchor goes with it: DeleteRule, then DeleteTargetGroup; a crash between them leads here again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sluice.model.actions import Action
from sluice.model.binding import Priority
from sluice.model.desired import Desired
from sluice.model.observed import Observed, Structure
from sluice.plan.deployment import anchor, targets
from sluice.plan.deployment.anchor import host, hosts, is_anchor, referenced
from sluice.plan.deployment.state import State, TargetGroup

_REASON: Final = "its container port is gone and nothing forwards there"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftovers:
    """Groups that go, and the calls that end them."""

    names: frozenset[str] = frozenset()
    actions: tuple[Action, ...] = ()


def candidates(desired: Desired, state: State) -> tuple[TargetGroup, ...]:
    """Return the known groups of the present slot whose container port the revision does not have."""
    if state.slot is None or state.rollout or state.retiring or desired.hold or desired.paused:
        return ()
    if state.slot.revision != desired.revision.name:
        return ()
    ports = {port.container_port for port in desired.revision.ports}
    return tuple(
        group
        for group in state.target_groups
        if group.slot == state.slot.name and group.arn and group.container_port not in ports
    )


def balancers(group: TargetGroup, seen: Structure | None) -> frozenset[str]:
    """Return the load balancers whose rules may refer to a group."""
    return frozenset((group.load_balancer_arn, *((seen or {}).get("LoadBalancerArns") or ()))) - {""}


def collect(desired: Desired, state: State, observed: Observed, service: Structure | None) -> Leftovers:
    """Decide which groups go in this pass; none whose listeners were not all read."""
    if not observed.listeners or service is None:
        return Leftovers()
    attached = {entry.get("targetGroupArn") for entry in service.get("loadBalancers") or ()}
    unused: dict[str, tuple[TargetGroup, list[Structure]]] = {}
    for group in candidates(desired, state):
        seen = observed.target_groups.get(group.name)
        places = balancers(group, seen)
        if not seen or group.arn in attached or not places <= observed.listeners.keys():
            continue
        found = _rules(observed.rules, [arn for place in places for arn in observed.listeners[place]])
        if found is None:
            continue
        name = host(desired, group)
        anchors = [
            rule
            for rule in found
            if is_anchor(rule, desired.installation, desired.key) and name in hosts(rule)
        ]
        others = [rule for rule in found if rule not in anchors]
        if any(referenced(frozenset({group.arn}), rule.get("Actions") or ()) for rule in others):
            continue
        unused[group.name] = (group, anchors)
    # One anchor may hold several: the other slot's, or that of an earlier protocol version. All go, or none.
    held = {host(desired, other) for other in state.target_groups if other.name not in unused}
    rules: dict[str, Action] = {}
    groups: dict[str, Action] = {}
    for group, anchors in unused.values():
        if host(desired, group) not in held:
            for rule in anchors:
                rules[rule["RuleArn"]] = anchor.delete(rule, reason=_REASON, priority=Priority.GARBAGE)
            groups[group.name] = targets.delete(
                group.name, group.arn, reason=_REASON, priority=Priority.GARBAGE
            )
    return Leftovers(names=frozenset(groups), actions=(*rules.values(), *groups.values()))


def _rules(known: Mapping[str, Sequence[Structure]], listeners: Sequence[str]) -> list[Structure] | None:
    """Return the rules of all these listeners, None when one was not read."""
    if not all(arn in known for arn in listeners):
        return None
    return [rule for arn in listeners for rule in known[arn]]
