"""Rules whose weights as a whole cannot be what the spec wants yet, and the way back in them.

A backendRef that was misspelt, or whose Deployment has gone, leaves its rule as it is until a person mends
it; so does one whose Deployment is being deleted and that the rule does not send to so far: its tasks stop as
soon as no rule does. A rollback of another backend of the route can't wait for a person (rollout.md §5): its
requests reach what is bad. So what such a rule sends to the slots of that backend is divided anew, as the
backend publishes it, and all else in the rule keeps its share. Forward moves wait. Nobody's requests wait at
a test listener: there it is divided anew in either direction, or a failed candidate would be shown, and so
kept, until the person came. Where nobody can be shown in its place (the live slot has no healthy target), the
test rule goes.

A backend whose slots share in such a rule as it publishes is proved by it, or the way back would never end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sluice.model.actions import Action
from sluice.model.ownership import ROLE
from sluice.model.traffic import SlotTarget
from sluice.plan.route import writes
from sluice.plan.route.desired import BackendFacts, DesiredRule, Parent
from sluice.plan.route.ports import renamed
from sluice.plan.route.weights import TARGET_GROUPS_PER_RULE, compose, forward_weights


def held(
    rule: DesiredRule, seen: Mapping[str, Any] | None, parent: Parent, backends: Mapping[str, BackendFacts]
) -> DesiredRule:
    """Return a rule as far as it can be: itself, or as it was seen with what goes back.

    Its `backends` are then those whose slots share in it as they publish.
    """
    current = forward_weights(seen.get("Actions", ())) if seen else None
    if not current or (rule.weights is not None and not _begins(current, rule.weights, backends.values())):
        return rule
    test = rule.role == "test"
    divided = _divided(current, backends, balancer=parent.load_balancer_arn, test=test)
    if rule.role == "header" or not divided:
        return replace(rule, weights=None)
    weights = _sent_back(current, divided, backends, test=test)
    # Sessions stay as they are: what the spec says of them goes with its own weights.
    rule = replace(rule, weights=weights, backends=tuple(divided), sticky=None, held=weights == current)
    return rule if test or rule.held else replace(rule, reassert=True, rollback=True)


def back_meanwhile(
    seen: Mapping[str, Any], parent: Parent, backends: Mapping[str, BackendFacts]
) -> Action | None:
    """Return the way back in a rule that only stays until another can take over; None where none is."""
    current = forward_weights(seen.get("Actions", ()))
    if not current or seen["Tags"].get(ROLE) != writes.ROLES["production"]:
        return None
    divided = _divided(current, backends, balancer=parent.load_balancer_arn, test=False)
    weights = _sent_back(current, divided, backends, test=False)
    return writes.send_back(seen, weights, parent) if weights != current else None


def header_ended(seen: Mapping[str, Any], backends: Mapping[str, BackendFacts]) -> bool:
    """Tell whether a header rule sends to a slot for which its backend publishes no header any more.

    Without it those requests go with all others; whatever else the spec waits for, nobody's go to a candidate
    that failed.
    """
    if seen["Tags"].get(ROLE) != writes.ROLES["header"]:
        return False
    current = forward_weights(seen.get("Actions", ())) or {}
    for facts in backends.values():
        slots = {group.slot for group in facts.groups if group.target_group_arn in current}
        header = facts.traffic.header if facts.traffic else None
        if facts.traffic and slots and (header is None or header.slot not in slots):
            return True
    return False


def stranded(
    rule: DesiredRule, seen: Mapping[str, Any] | None, parent: Parent, backends: Iterable[BackendFacts]
) -> bool:
    """Tell whether a test rule shows a slot that nobody is to reach any more, with no other to show instead.

    Its tasks would stay for it until a person came: the live slot has no healthy target, or not the port.
    """
    current = forward_weights(seen.get("Actions", ())) if seen else None
    if rule.role != "test" or rule.weights is not None or not current:
        return False
    for facts in backends:
        traffic = facts.traffic
        if traffic is None:
            continue
        here = [target for target in traffic.targets if target.load_balancer_arn == parent.load_balancer_arn]
        left = {slot for slot, parts in traffic.weights.items() if parts} | {traffic.test_slot}
        own = [g for g in facts.groups if g.target_group_arn in current and g.slot not in left]
        if any(not _heirs(group, {traffic.test_slot: 1}, here=here, rule=current) for group in own):
            return True
    return False


Heirs = Mapping[str, Mapping[str, int]]
"""Target group ARN in a rule → who is to get what it has, in parts."""


def _divided(
    current: Mapping[str, int], backends: Mapping[str, BackendFacts], *, balancer: str, test: bool
) -> dict[str, Heirs]:
    """Return the heirs of each backend in a rule that goes back, or shares as it publishes already.

    One whose slots need more target groups than ALB gives a rule does neither: that is its rule's problem.
    """
    found: dict[str, Heirs] = {}
    going: dict[str, Mapping[str, int]] = {}
    for name, facts in sorted(backends.items()):
        traffic = facts.traffic
        own = [group for group in facts.groups if group.target_group_arn in current]
        if traffic is None or not own:
            continue
        here = [target for target in traffic.targets if target.load_balancer_arn == balancer]
        shares = {traffic.test_slot: 1} if test else traffic.weights
        heirs = {group.target_group_arn: _heirs(group, shares, here=here, rule=current) for group in own}
        goes = test or traffic.rollback
        if not all(heirs.values()) or _too_many(current, going | heirs if goes else heirs):
            continue
        if goes:
            found[name] = heirs
            going |= heirs
        elif _composed(current, heirs) == _composed(current, {}):
            found[name] = heirs
    return found


def _too_many(current: Mapping[str, int], heirs: Heirs) -> bool:
    return len({heir for arn in current for heir in heirs.get(arn, (arn,))}) > TARGET_GROUPS_PER_RULE


def _sent_back(
    current: Mapping[str, int],
    divided: Mapping[str, Heirs],
    backends: Mapping[str, BackendFacts],
    *,
    test: bool,
) -> dict[str, int]:
    """Return a rule's weights once all that goes back does; exactly those that it has where nothing does."""
    heirs: dict[str, Mapping[str, int]] = {}
    for name, of_backend in divided.items():
        traffic = backends[name].traffic
        heirs |= of_backend if test or (traffic and traffic.rollback) else {}
    weights = _composed(current, heirs)
    return dict(current) if weights == _composed(current, {}) else weights


def _composed(current: Mapping[str, int], heirs: Heirs) -> dict[str, int]:
    return compose([(weight, heirs.get(arn) or {arn: 1}) for arn, weight in sorted(current.items())])


def _heirs(
    group: SlotTarget, weights: Mapping[str, int], *, here: Sequence[SlotTarget], rule: Mapping[str, int]
) -> dict[str, int]:
    """Return who gets what a target group has; empty while a slot that is to get some has no such port.

    The same port is that of the same name, else that of the same number if it was renamed. Where names
    changed places, one that the rule sends to already is what the route asks for.
    """
    number = group.container_port
    names = {g.port: g.container_port for g in here if g.slot == group.slot}
    found: dict[str, int] = {}
    for slot, parts in weights.items():
        there = [target for target in here if target.slot == slot]
        known = {target.target_group_arn for target in there if target.slot != group.slot} & rule.keys()
        same = [target for target in there if target.port == group.port]
        same += [
            target
            for target in there
            if renamed(target, number, names=names)
            or (target.container_port == number and target.target_group_arn in known)
        ]
        same.sort(key=lambda target: target.target_group_arn not in known)
        if parts and not same:
            return {}
        found |= {target.target_group_arn: parts for target in same[:1] if parts}
    return found


def _begins(current: Mapping[str, int], weights: Mapping[str, int], backends: Iterable[BackendFacts]) -> bool:
    """Tell whether weights begin to send to a Deployment that is being deleted."""
    for facts in backends:
        own = {group.target_group_arn for group in facts.groups}
        if facts.going and own & weights.keys() and not own & current.keys():
            return True
    return False
