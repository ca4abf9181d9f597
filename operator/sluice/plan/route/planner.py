"""A route's plan: what to write on which listener, in which order, and why.

    seen by tag   | desired           | action
    --------------+-------------------+----------------------------------------------------------
    no            | with weights      | CreateRule (its priority is in status before: §7 point 7)
    no            | without weights,  | none: a rule without target groups is not made, nor one to tasks that
                  | or backend going  | are about to stop
    yes           | without weights   | none: what carries requests stays until we know better
    yes           | equal             | none
    yes           | forward differs   | ModifyRule, forward's target groups only
    yes           | conditions differ | ModifyRule, conditions (only a hand edit does that)
    yes           | order differs     | SetRulePriorities for our rules alone, AddTags
    yes           | no                | DeleteRule, after everything else, and not while a rule that could
                  |                   | take over its requests is still without weights
    at its number | a number of its   | ModifyRule and AddTags: the rule that goes becomes the one that comes
                  | own               |
    twice         | any               | the one with the lower number stays, the other is deleted
    foreign       | any               | never written

Writes that change where requests go come first, deletions after them, tags last (rollout.md §5, §7).
Nothing here depends on the order of AWS's lists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sluice.model.actions import Action, Note
from sluice.model.binding import Priority
from sluice.model.keys import Key
from sluice.model.ownership import ROUTE_RULE, owner_tags, ownership, to_elb
from sluice.plan.route.conditions import canonical
from sluice.plan.route.desired import DesiredRule, Parent
from sluice.plan.route.intent import PRECEDENCE
from sluice.plan.route.overlap import overlap
from sluice.plan.route.priorities import Ladder, Taken
from sluice.plan.route.weights import forward_weights, with_forward

GONE = frozenset({"RuleNotFound", "ListenerNotFound"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRule:
    """Where a desired rule is or will be; `arn` is '' until CreateRule answered."""

    desired: DesiredRule
    priority: int
    arn: str = ""

    @property
    def output(self) -> str:
        """Return the name under which a CreateRule's answer gives the ARN."""
        return f"{self.desired.listener_arn}|{self.desired.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RulePlan:
    """All rules that exist or will exist, and the ordered writes that make it so."""

    rules: tuple[PlannedRule, ...]
    actions: tuple[Action, ...]
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What status remembers of earlier passes."""

    priorities: Mapping[tuple[str, str], int]
    """(listener ARN, rule name) → the priority meant for it."""
    known: frozenset[tuple[str, str]]
    """The rules that were seen to exist."""
    settled: bool
    """The last pass had proven this very generation and traffic: a difference now is drift."""


def own_rules(parent: Parent, *, installation: str, key: Key) -> list[Mapping[str, Any]]:
    """Return the route's own production rules of a listener by priority."""
    ours = [
        rule
        for rule in parent.rules
        if not rule.get("IsDefault")
        and ROUTE_RULE in rule["Tags"]
        and ownership(rule["Tags"], installation, key) == "ours"
    ]
    return sorted(ours, key=lambda rule: int(rule["Priority"]))


def plan_rules(
    key: Key,
    *,
    installation: str,
    desired: Sequence[DesiredRule],
    parents: Sequence[Parent],
    former: Sequence[Parent],
    memory: Memory,
) -> RulePlan:
    """Return the plan. `former` are listeners that the route left: their rules go last.

    Raises Refused when a priority cannot be had.
    """
    listeners = [
        _plan_listener(
            key,
            installation=installation,
            desired=[rule for rule in desired if rule.listener_arn == parent.listener_arn],
            parent=parent,
            memory=memory,
        )
        for parent in parents
    ]
    left = [
        _delete(rule, parent, reason="the route left this listener")
        for parent in former
        for rule in own_rules(parent, installation=installation, key=key)
    ]
    ordered = [
        *(action for listener in listeners for action in listener.modify),
        *(action for listener in listeners for action in listener.create),
        *(action for listener in listeners for action in listener.delete),
        *left,
        # They wait for spare tokens, and nothing that requests need may wait behind them.
        *(action for listener in listeners for action in listener.tag),
    ]
    return RulePlan(
        rules=tuple(rule for listener in listeners for rule in listener.rules),
        actions=tuple(ordered),
        notes=tuple(note for listener in listeners for note in listener.notes),
    )


@dataclass(slots=True)
class _ListenerPlan:
    rules: list[PlannedRule] = field(default_factory=list)
    modify: list[Action] = field(default_factory=list)
    create: list[Action] = field(default_factory=list)
    delete: list[Action] = field(default_factory=list)
    tag: list[Action] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


def _plan_listener(
    key: Key, *, installation: str, desired: Sequence[DesiredRule], parent: Parent, memory: Memory
) -> _ListenerPlan:
    plan = _ListenerPlan()
    ladder = Ladder.of_rules(parent.rules, reserved=parent.reserved, listener=parent.name)
    wanted = sorted(desired, key=lambda rule: (rule.precedence, rule.name))
    seen, surplus = _match(wanted, own_rules(parent, installation=installation, key=key))
    surplus = _take_over(wanted, seen, surplus)
    missing = [rule for rule in wanted if rule.name not in seen and not _can_be_made(rule)]
    plan.delete = [
        _delete(rule, parent, reason="no rule of the route asks for it")
        for rule in surplus
        if not any(overlap(rule.get("Conditions", ()), other.conditions) for other in missing)
    ]
    for rule in wanted:
        if rule.name in seen and rule.priority not in (None, int(seen[rule.name]["Priority"])):
            ladder.free(int(seen[rule.name]["Priority"]))  # two rules may want each other's number
    moved: list[PlannedRule] = []
    for rule in (rule for rule in wanted if rule.name in seen):
        actions, placed = _adjust(rule, seen[rule.name], ladder=ladder, parent=parent)
        plan.rules.append(placed)
        plan.modify += [action for action in actions if action.operation != "AddTags"]
        plan.tag += [action for action in actions if action.operation == "AddTags"]
        reasons = [action.reason for action in actions]
        if placed.priority != int(seen[rule.name]["Priority"]):
            moved.append(placed)
            reasons.append(f"priority {seen[rule.name]['Priority']} → {placed.priority}")
        if reasons and memory.settled:
            plan.notes.append(_drift(reasons, rule, parent))
    plan.modify += _move(moved, parent)
    for rule in wanted:
        if rule.name in seen or not _can_be_made(rule):
            continue
        place = (rule.listener_arn, rule.name)
        priority = _place(rule, ladder=ladder, intended=memory.priorities.get(place))
        plan.rules.append(PlannedRule(desired=rule, priority=priority))
        plan.create.append(_create(key, rule, priority, installation=installation, parent=parent))
        if memory.settled and place in memory.known:
            text = f"rule {rule.name} of {parent.name} was deleted by somebody else; created again"
            plan.notes.append(Note(type="Warning", reason="DriftRepaired", message=text))
    return plan


def _match(
    wanted: Sequence[DesiredRule], own: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Return the seen rule of each wanted name, and the seen rules that nobody wants."""
    names = {rule.name for rule in wanted}
    seen: dict[str, Mapping[str, Any]] = {}
    surplus: list[Mapping[str, Any]] = []
    for rule in own:
        name = rule["Tags"][ROUTE_RULE]
        if name in names and name not in seen:
            seen[name] = rule
        else:
            surplus.append(rule)
    return seen, surplus


def _can_be_made(rule: DesiredRule) -> bool:
    return rule.weights is not None and rule.may_begin


def _take_over(
    wanted: Sequence[DesiredRule],
    seen: dict[str, Mapping[str, Any]],
    surplus: Sequence[Mapping[str, Any]],
) -> list[Mapping[str, Any]]:
    """Let a new rule take over the one that goes where it has the number that the spec asks for.

    ALB gives a number once, so the new one could not be made beside it, and between a deletion and a
    creation requests would be lost. Adds to `seen`; returns the surplus that is left.
    """
    left = {int(rule["Priority"]): rule for rule in surplus}
    for rule in wanted:
        if rule.name not in seen and _can_be_made(rule) and rule.priority in left:
            seen[rule.name] = left.pop(rule.priority)
    return list(left.values())


def _move(moved: Sequence[PlannedRule], parent: Parent) -> list[Action]:
    """Return one call for all, so that two rules can change places."""
    if not moved:
        return []
    ordered = sorted(moved, key=lambda rule: rule.arn)
    return [
        Action(
            service="elbv2",
            operation="SetRulePriorities",
            params={"RulePriorities": [{"RuleArn": rule.arn, "Priority": rule.priority} for rule in ordered]},
            subject=", ".join(f"rule {rule.desired.name}" for rule in ordered) + f" of {parent.name}",
            reason="priority " + ", ".join(f"{rule.desired.name} → {rule.priority}" for rule in ordered),
        )
    ]


def plan_removal(key: Key, *, installation: str, parents: Sequence[Parent]) -> tuple[Action, ...]:
    """Return the deletion of every rule of the route."""
    return tuple(
        _delete(rule, parent, reason="the ServiceRoute is being deleted")
        for parent in parents
        for rule in own_rules(parent, installation=installation, key=key)
    )


def _place(rule: DesiredRule, *, ladder: Ladder, intended: int | None) -> int:
    standing = Taken(rule.precedence, rule.conditions)
    if rule.priority is not None:
        return ladder.claim(rule.priority, standing, field=rule.field)
    if intended is not None and ladder.vacant(intended) and ladder.keeps(intended, standing):
        return intended
    return ladder.place(standing)


def _adjust(
    rule: DesiredRule, seen: Mapping[str, Any], *, ladder: Ladder, parent: Parent
) -> tuple[list[Action], PlannedRule]:
    arn, priority = seen["RuleArn"], int(seen["Priority"])
    subject = f"rule {rule.name} of {parent.name}"
    actions: list[Action] = []
    current = forward_weights(seen.get("Actions", ()))
    params: dict[str, Any] = {"RuleArn": arn}
    reasons: list[str] = []
    if rule.weights is not None and current != rule.weights:
        params["Actions"] = with_forward(seen.get("Actions", ()), rule.weights)
        reasons.append(f"weights {shown(current)} → {shown(rule.weights)}")
    if canonical(seen.get("Conditions", ())) != canonical(rule.conditions):
        params["Conditions"] = [dict(condition) for condition in rule.conditions]
        reasons.append("conditions differ from the spec's")
    if reasons:
        actions.append(
            Action(
                service="elbv2",
                operation="ModifyRule",
                params=params,
                subject=subject,
                reason="; ".join(reasons),
            )
        )
    moved = _moved(rule, priority, ladder=ladder)
    tags = {ROUTE_RULE: rule.name, PRECEDENCE: rule.precedence}
    wrong = {name: value for name, value in tags.items() if seen["Tags"].get(name) != value}
    if wrong:
        actions.append(
            Action(
                service="elbv2",
                operation="AddTags",
                params={"ResourceArns": [arn], "Tags": to_elb(wrong)},
                subject=subject,
                reason="its place among the routes' rules changed",
                priority=Priority.DRIFT,
            )
        )
    return actions, PlannedRule(desired=rule, priority=moved, arn=arn)


def _moved(rule: DesiredRule, priority: int, *, ladder: Ladder) -> int:
    standing = Taken(rule.precedence, rule.conditions)
    if rule.priority is not None:
        if rule.priority == priority:
            return priority
        ladder.free(priority)
        return ladder.claim(rule.priority, standing, field=rule.field)
    if ladder.keeps(priority, standing):
        return priority
    ladder.free(priority)
    return ladder.place(standing)


def _create(key: Key, rule: DesiredRule, priority: int, *, installation: str, parent: Parent) -> Action:
    assert rule.weights is not None  # noqa: S101 - only rules with weights are created
    tags = owner_tags(installation, key, role="rule")
    tags |= {ROUTE_RULE: rule.name, PRECEDENCE: rule.precedence}
    return Action(
        service="elbv2",
        operation="CreateRule",
        params={
            "ListenerArn": rule.listener_arn,
            "Priority": priority,
            "Conditions": [dict(condition) for condition in rule.conditions],
            "Actions": with_forward((), rule.weights),
            "Tags": to_elb(tags),
        },
        subject=f"rule {rule.name} of {parent.name}",
        reason=f"the route asks for it; priority {priority}, weights {shown(rule.weights)}",
        outputs={f"{rule.listener_arn}|{rule.name}": "Rules[0].RuleArn"},
    )


def _delete(rule: Mapping[str, Any], parent: Parent, *, reason: str) -> Action:
    return Action(
        service="elbv2",
        operation="DeleteRule",
        params={"RuleArn": rule["RuleArn"]},
        subject=f"rule {rule['Tags'][ROUTE_RULE]} of {parent.name}",
        reason=reason,
        already=GONE,
    )


def _drift(reasons: Sequence[str], rule: DesiredRule, parent: Parent) -> Note:
    what = "; ".join(reasons)
    text = f"rule {rule.name} of {parent.name} was changed by somebody else; repaired: {what}"
    return Note(type="Warning", reason="DriftRepaired", message=text)


def shown(weights: Mapping[str, int] | None) -> str:
    """Return weights for people: the target groups' names with their weights."""
    if weights is None:
        return "no forward"
    return ", ".join(f"{target_group_label(arn)}={weight}" for arn, weight in sorted(weights.items()))


def target_group_label(arn: str) -> str:
    """Return the name inside a target group's ARN (`…:targetgroup/<name>/<id>`)."""
    return arn.split("/")[1] if arn.count("/") >= 2 else arn
