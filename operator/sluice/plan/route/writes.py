"""The AWS writes of a route, as plan actions, and how weights read in their reasons.

A rule is written as little as possible: the forward action's target groups and, where the spec says
so, its session persistence. Every other action, its order and an OIDC client secret stay
(rollout.md §4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sluice.model.actions import Action
from sluice.model.binding import Priority
from sluice.model.keys import Key
from sluice.model.ownership import ROLE, ROUTE_RULE, owner_tags, to_elb
from sluice.plan.route.conditions import canonical
from sluice.plan.route.desired import DesiredRule, Parent, Role
from sluice.plan.route.intent import PRECEDENCE
from sluice.plan.route.weights import forward_weights, sticky_seconds, with_forward

GONE: Final = frozenset({"RuleNotFound", "ListenerNotFound"})
ROLES: Final[Mapping[Role, str]] = {"production": "rule", "test": "test-rule", "header": "header-rule"}
"""Values of the tag `sluice.dev/role`."""


def own_tags(rule: DesiredRule) -> dict[str, str]:
    """Return the tags that tell the route's rules apart; a header rule is in nobody's order."""
    tags = {ROUTE_RULE: rule.name, ROLE: ROLES[rule.role]}
    return tags if rule.role == "header" else tags | {PRECEDENCE: rule.precedence}


def create(key: Key, rule: DesiredRule, priority: int, *, installation: str, parent: Parent) -> Action:
    """Return the creation of a rule that has weights."""
    assert rule.weights is not None  # noqa: S101 - only rules with weights are created
    tags = owner_tags(installation, key, role=ROLES[rule.role]) | own_tags(rule)
    return Action(
        service="elbv2",
        operation="CreateRule",
        params={
            "ListenerArn": rule.listener_arn,
            "Priority": priority,
            "Conditions": [dict(condition) for condition in rule.conditions],
            "Actions": with_forward((), rule.weights, sticky=rule.sticky or None),
            "Tags": to_elb(tags),
        },
        subject=f"rule {rule.name} of {parent.name}",
        reason=f"the route asks for it; priority {priority}, weights {shown(rule.weights)}",
        outputs={f"{rule.listener_arn}|{rule.name}": "Rules[0].RuleArn"},
        priority=_urgency(rule),
    )


def modify(
    rule: DesiredRule, seen: Mapping[str, Any], parent: Parent, *, keep_weights: bool
) -> Action | None:
    """Return the write that makes a seen rule as it should be; None when it is, or only weights differ
    that are to be kept.
    """  # noqa: D205 - one sentence
    params: dict[str, Any] = {"RuleArn": seen["RuleArn"]}
    actions, reasons = seen.get("Actions", ()), []
    current = forward_weights(actions)
    if rule.weights is not None and not keep_weights:
        if current != rule.weights:
            reasons.append(f"weights {shown(current)} → {shown(rule.weights)}")
        if rule.sticky is not None and sticky_seconds(actions) != rule.sticky:
            reasons.append(f"session persistence {sticky_seconds(actions)} s → {rule.sticky} s")
        if reasons:
            params["Actions"] = with_forward(actions, rule.weights, sticky=rule.sticky)
    if canonical(seen.get("Conditions", ())) != canonical(rule.conditions):
        params["Conditions"] = [dict(condition) for condition in rule.conditions]
        reasons.append("conditions differ from the spec's")
    if not reasons:
        return None
    return Action(
        service="elbv2",
        operation="ModifyRule",
        params=params,
        subject=f"rule {rule.name} of {parent.name}",
        reason="; ".join(reasons),
        priority=_urgency(rule),
        # A rule that somebody deleted or that is throttled must not keep the next one's traffic waiting.
        independent=_urgency(rule) is Priority.ROLLBACK,
    )


def send_back(seen: Mapping[str, Any], weights: Mapping[str, int], parent: Parent) -> Action:
    """Return the write of a way back in a rule that no rule of the spec stands for any more."""
    actions = seen.get("Actions", ())
    return Action(
        service="elbv2",
        operation="ModifyRule",
        params={"RuleArn": seen["RuleArn"], "Actions": with_forward(actions, weights)},
        subject=f"rule {seen['Tags'][ROUTE_RULE]} of {parent.name}",
        reason=f"weights {shown(forward_weights(actions))} → {shown(weights)}",
        priority=Priority.ROLLBACK,
        independent=True,
    )


def tag(rule: DesiredRule, seen: Mapping[str, Any], parent: Parent) -> Action | None:
    """Return the write of the tags that a rule lacks, with spare budget."""
    wrong = {name: value for name, value in own_tags(rule).items() if seen["Tags"].get(name) != value}
    if not wrong:
        return None
    return Action(
        service="elbv2",
        operation="AddTags",
        params={"ResourceArns": [seen["RuleArn"]], "Tags": to_elb(wrong)},
        subject=f"rule {rule.name} of {parent.name}",
        reason="its place among the routes' rules changed",
        priority=Priority.DRIFT,
    )


def move(moved: Sequence[tuple[DesiredRule, str, int]], parent: Parent) -> list[Action]:
    """Return one call for all (rule, ARN, priority), so that two rules can change places."""
    if not moved:
        return []
    ordered = sorted(moved, key=lambda entry: entry[1])
    return [
        Action(
            service="elbv2",
            operation="SetRulePriorities",
            params={"RulePriorities": [{"RuleArn": arn, "Priority": number} for _, arn, number in ordered]},
            subject=", ".join(f"rule {rule.name}" for rule, _, _ in ordered) + f" of {parent.name}",
            reason="priority " + ", ".join(f"{rule.name} → {number}" for rule, _, number in ordered),
        )
    ]


def delete(rule: Mapping[str, Any], parent: Parent, *, reason: str) -> Action:
    """Return the deletion of a seen rule; that it is gone already is fine."""
    return Action(
        service="elbv2",
        operation="DeleteRule",
        params={"RuleArn": rule["RuleArn"]},
        subject=f"rule {rule['Tags'][ROUTE_RULE]} of {parent.name}",
        reason=reason,
        already=GONE,
    )


def _urgency(rule: DesiredRule) -> Priority:
    return Priority.ROLLBACK if rule.rollback and rule.role == "production" else Priority.ROLLOUT


def shown(weights: Mapping[str, int] | None) -> str:
    """Return weights for people: the target groups' names with their weights."""
    if weights is None:
        return "no forward"
    return ", ".join(f"{target_group_label(arn)}={weight}" for arn, weight in sorted(weights.items()))


def target_group_label(arn: str) -> str:
    """Return the name inside a target group's ARN (`…:targetgroup/<name>/<id>`)."""
    return arn.split("/")[1] if arn.count("/") >= 2 else arn
