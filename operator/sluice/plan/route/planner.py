"""A route's plan: what to write on which listener, in which order, and why.

    seen by tag   | desired           | action
    --------------+-------------------+----------------------------------------------------------
    no            | with weights      | CreateRule (its priority is in status before: §7 point 7)
    no            | without weights,  | none: a rule without target groups is not made, nor one to tasks that
                  | or backend going  | are about to stop
    yes           | without weights,  | none: what carries requests stays until we know better; but what goes
                  | or begins to send | back goes back in it (`wayback`),
                  | to who goes       | and a test rule is deleted that shows who is not to be shown any more,
                  |                   | while there is nobody to show instead
    yes           | equal             | none
    yes           | forward differs   | ModifyRule, forward's target groups only
    yes           | conditions differ | ModifyRule, conditions (only a hand edit does that)
    yes           | order differs     | SetRulePriorities for our rules alone, AddTags
    yes           | no                | DeleteRule, after everything else, and not while a rule that could
                  |                   | take over its requests is still without weights (what goes back goes
                  |                   | back in it meanwhile)
    at its number | a number of its   | ModifyRule and AddTags: the rule that goes becomes the one that comes
                  | own               |
    twice         | any               | the one with the lower number stays, the other is deleted
    foreign       | any               | never written
    yes           | forward differs   | none while a backend says `reassert: false` and the weights are none
                  |                   | that we wrote or were about to: the backend's `foreign` tells them

Production rules of a rollback come first, then what else changes where requests go, header rules before
what they stand before is new, deletions after them, tags last (rollout.md §5, §7).
Nothing here depends on the order of AWS's lists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sluice.model.actions import Action, Note
from sluice.model.errors import Refused
from sluice.model.keys import Key
from sluice.model.ownership import ROUTE_RULE, ownership
from sluice.plan.route import writes
from sluice.plan.route.desired import BackendFacts, DesiredRule, Parent, Problem
from sluice.plan.route.overlap import overlap
from sluice.plan.route.priorities import Ladder, Taken
from sluice.plan.route.wayback import back_meanwhile, header_ended, held, stranded
from sluice.plan.route.weights import forward_weights
from sluice.plan.route.writes import shown


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRule:
    """Where a desired rule is or will be; `arn` is '' until CreateRule answered."""

    desired: DesiredRule
    priority: int
    arn: str = ""
    current: str = ""
    """The weights that it was seen with, as text; '' for a rule that is to be made."""
    foreign: str = ""
    """What is told of weights that are not overwritten; '' where there are none."""

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
    problems: tuple[Problem, ...] = ()
    """Why header rules could not be placed, and weights that are left as somebody else wrote them."""


Place = tuple[str, str]
"""(listener ARN, rule name)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What status remembers of earlier passes."""

    priorities: Mapping[Place, int]
    """The priority meant for each rule."""
    known: frozenset[Place]
    """The rules that were seen to exist."""
    settled: bool
    """The last pass had proven this very generation and traffic: a difference now is drift."""
    written: Mapping[Place, frozenset[str]] = field(default_factory=dict)
    """Weights, as text, that a rule may have by our own writes."""
    sticky: frozenset[Place] = frozenset()
    """Rules whose session persistence is ours."""


def own_rules(parent: Parent, *, installation: str, key: Key) -> list[Mapping[str, Any]]:
    """Return the route's own rules of a listener by priority, of every role."""
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
    backends: Mapping[str, BackendFacts],
    staying: Sequence[Parent] = (),
) -> RulePlan:
    """Return the plan. `former` are listeners that the route left: their rules go last.

    The rules of those in `staying` have to carry requests until other ones can: they only go back.
    Raises Refused when a priority cannot be had.
    """
    listeners = [
        _plan_listener(
            key,
            installation=installation,
            desired=[rule for rule in desired if rule.listener_arn == parent.listener_arn],
            parent=parent,
            memory=memory,
            backends=backends,
        )
        for parent in parents
    ]
    left = [
        writes.delete(rule, parent, reason="the route left this listener")
        for parent in former
        for rule in own_rules(parent, installation=installation, key=key)
    ]
    back = plan_way_back(key, installation=installation, parents=staying, backends=backends).actions
    ordered = [
        *sorted(
            (*back, *(action for listener in listeners for action in listener.modify)),
            key=lambda action: action.priority,  # what rolls back before all the rest, else in order
        ),
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
        problems=tuple(problem for listener in listeners for problem in listener.problems),
    )


def plan_way_back(
    key: Key, *, installation: str, parents: Sequence[Parent], backends: Mapping[str, BackendFacts]
) -> RulePlan:
    """Return what goes back in rules that only stay: of a spec that ALB can't have, on a listener left."""
    rules = [
        (rule, parent) for parent in parents for rule in own_rules(parent, installation=installation, key=key)
    ]
    backs = [back_meanwhile(rule, parent, backends) for rule, parent in rules]
    backs += [
        writes.delete(rule, parent, reason="its header is published no more")
        for rule, parent in rules
        if header_ended(rule, backends)
    ]
    return RulePlan(rules=(), actions=tuple(filter(None, backs)), notes=())


@dataclass(slots=True)
class _ListenerPlan:
    rules: list[PlannedRule] = field(default_factory=list)
    modify: list[Action] = field(default_factory=list)
    create: list[Action] = field(default_factory=list)
    delete: list[Action] = field(default_factory=list)
    tag: list[Action] = field(default_factory=list)
    moved: list[PlannedRule] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def _plan_listener(
    key: Key,
    *,
    installation: str,
    desired: Sequence[DesiredRule],
    parent: Parent,
    memory: Memory,
    backends: Mapping[str, BackendFacts],
) -> _ListenerPlan:
    plan = _ListenerPlan()
    ladder = Ladder.of_rules(parent.rules, reserved=parent.reserved, listener=parent.name)
    wanted = sorted(desired, key=lambda rule: (rule.precedence, rule.name))
    wanted = [_remembered(rule, memory) for rule in wanted]
    seen, surplus = _match(wanted, own_rules(parent, installation=installation, key=key))
    wanted = [held(rule, seen.get(rule.name), parent, backends) for rule in wanted]
    surplus = _take_over(wanted, seen, surplus)
    missing = [rule for rule in wanted if rule.name not in seen and not _can_be_made(rule)]
    for left in surplus:
        stays = any(overlap(left.get("Conditions", ()), other.conditions) for other in missing)
        if not stays or header_ended(left, backends):
            plan.delete.append(writes.delete(left, parent, reason="no rule of the route asks for it"))
        elif back := back_meanwhile(left, parent, backends):
            plan.modify.append(back)
    for rule in [rule for rule in wanted if stranded(rule, seen.get(rule.name), parent, backends.values())]:
        wanted.remove(rule)
        plan.delete.append(writes.delete(seen[rule.name], parent, reason="tests are to reach nobody now"))
    for rule in wanted:
        if rule.name in seen and rule.priority not in (None, int(seen[rule.name]["Priority"])):
            ladder.free(int(seen[rule.name]["Priority"]))  # two rules may want each other's number
    for rule in (rule for rule in wanted if rule.role != "header"):
        _plan_rule(plan, rule, seen.get(rule.name), _Scene(key, installation, parent, memory, ladder))
    # Twins after all others: they go by the number of the rule that they stand before.
    for rule in (rule for rule in wanted if rule.role == "header"):
        try:
            _plan_rule(plan, rule, seen.get(rule.name), _Scene(key, installation, parent, memory, ladder))
        except Refused as refused:  # production goes on without the header rule
            plan.problems.append(Problem(reason=refused.reason, message=refused.message))
    plan.modify += writes.move([(r.desired, r.arn, r.priority) for r in plan.moved], parent)
    return plan


@dataclass(frozen=True, slots=True)
class _Scene:
    key: Key
    installation: str
    parent: Parent
    memory: Memory
    ladder: Ladder


def _remembered(rule: DesiredRule, memory: Memory) -> DesiredRule:
    """Return the rule with an end to the sessions that we began and the spec no longer asks for."""
    place = (rule.listener_arn, rule.name)
    return replace(rule, sticky=0) if rule.sticky is None and place in memory.sticky else rule


def _plan_rule(plan: _ListenerPlan, rule: DesiredRule, seen: Mapping[str, Any] | None, scene: _Scene) -> None:
    """Add what one rule needs to the listener's plan."""
    parent, memory = scene.parent, scene.memory
    place = (rule.listener_arn, rule.name)
    if seen is not None:
        _adjust(plan, rule, seen, scene)
    elif _can_be_made(rule):
        priority = _place(plan, rule, ladder=scene.ladder, intended=memory.priorities.get(place))
        if priority is None:
            return
        plan.rules.append(PlannedRule(desired=rule, priority=priority))
        plan.create.append(
            writes.create(scene.key, rule, priority, installation=scene.installation, parent=parent)
        )
        if memory.settled and place in memory.known:
            text = f"rule {rule.name} of {parent.name} was deleted by somebody else; created again"
            plan.notes.append(Note(type="Warning", reason="DriftRepaired", message=text))


def _adjust(plan: _ListenerPlan, rule: DesiredRule, seen: Mapping[str, Any], scene: _Scene) -> None:
    parent, memory = scene.parent, scene.memory
    number = int(seen["Priority"])
    current = shown(forward_weights(seen.get("Actions", ())))
    foreign = _foreign(rule, current, scene)
    placed = PlannedRule(
        desired=rule,
        priority=_moved(plan, rule, number, ladder=scene.ladder),
        arn=seen["RuleArn"],
        current=current,
        foreign=foreign,
    )
    plan.rules.append(placed)
    reasons = []
    if change := writes.modify(rule, seen, parent, keep_weights=bool(foreign)):
        plan.modify.append(change)
        reasons.append(change.reason)
    if tags := writes.tag(rule, seen, parent):
        plan.tag.append(tags)
        reasons.append(tags.reason)
    if placed.priority != number:
        plan.moved.append(placed)
        reasons.append(f"priority {number} → {placed.priority}")
    if foreign:
        plan.problems.append(Problem(reason="DriftHalted", message=f"{foreign}: {_WHAT_TO_DO}"))
    if reasons and (memory.settled or _ours(rule, current, memory) is False):
        what = "; ".join(reasons)
        text = f"rule {rule.name} of {parent.name} was changed by somebody else; repaired: {what}"
        plan.notes.append(Note(type="Warning", reason="DriftRepaired", message=text))


_WHAT_TO_DO = (
    "weights that Sluice did not write; write the right ones back, or resume the rollout to overwrite them,"
    " or abort it"
)


def _ours(rule: DesiredRule, current: str, memory: Memory) -> bool | None:
    """Tell whether weights are what we wrote, were about to write or want; None when nothing is known."""
    written = memory.written.get((rule.listener_arn, rule.name))
    if rule.weights is None or current == shown(rule.weights):
        return True
    return None if not written else current in written


def _foreign(rule: DesiredRule, current: str, scene: _Scene) -> str:
    """Return what to tell of weights that are somebody else's and not to be overwritten; '' otherwise."""
    if rule.reassert or rule.role != "production" or _ours(rule, current, scene.memory) is not False:
        return ""
    return f"rule {rule.name} of {scene.parent.name} has {current} instead of {shown(rule.weights)}"


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


def plan_removal(key: Key, *, installation: str, parents: Sequence[Parent]) -> tuple[Action, ...]:
    """Return the deletion of every rule of the route."""
    return tuple(
        writes.delete(rule, parent, reason="the ServiceRoute is being deleted")
        for parent in parents
        for rule in own_rules(parent, installation=installation, key=key)
    )


def _place(plan: _ListenerPlan, rule: DesiredRule, *, ladder: Ladder, intended: int | None) -> int | None:
    """Return the number of a rule that is to be made; None for a twin of what is not there."""
    standing = Taken(rule.precedence, rule.conditions)
    if rule.role == "header":
        before = _twin_of(plan, rule)
        if before is None:
            return None
        if intended is not None and ladder.vacant(intended) and ladder.keeps_twin(intended, before, standing):
            return intended
        return ladder.twin(before, standing)
    if rule.priority is not None:
        return ladder.claim(rule.priority, standing, field=rule.field)
    if intended is not None and ladder.vacant(intended) and ladder.keeps(intended, standing):
        return intended
    return ladder.place(standing)


def _twin_of(plan: _ListenerPlan, rule: DesiredRule) -> int | None:
    return next((placed.priority for placed in plan.rules if placed.desired.name == rule.twin), None)


def _moved(plan: _ListenerPlan, rule: DesiredRule, priority: int, *, ladder: Ladder) -> int:
    """Return the number that a seen rule should have."""
    standing = Taken(rule.precedence, rule.conditions)
    if rule.role == "header":
        before = _twin_of(plan, rule)
        if before is None or ladder.keeps_twin(priority, before, standing):
            return priority
        ladder.free(priority)
        return ladder.twin(before, standing)
    if rule.priority is not None:
        if rule.priority == priority:
            return priority
        ladder.free(priority)
        return ladder.claim(rule.priority, standing, field=rule.field)
    if ladder.keeps(priority, standing):
        return priority
    ladder.free(priority)
    return ladder.place(standing)
