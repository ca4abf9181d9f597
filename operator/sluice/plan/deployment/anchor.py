"""Anchor rules: they associate target groups with a load balancer for ever (rollout.md §2).

ECS refuses a target group that no load balancer uses, and a production rule may come and go. So each
(load balancer, container port) has one rule that no request can match, a host under `.invalid`
(RFC 2606), which forwards to the Deployment's groups there. Priorities come from the top of the
reserved range downwards, out of the way of routes; the intended one is in status before the call
(§7 point 7), and a rule of ours that is found by its tags is adopted.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sluice.model import ownership
from sluice.model.actions import Action, Ref
from sluice.model.binding import Priority
from sluice.model.desired import Backend, Desired
from sluice.model.errors import Refused
from sluice.model.keys import Key
from sluice.model.names import short_hash
from sluice.model.observed import Observed, Structure
from sluice.plan.deployment.state import Anchor, State, TargetGroup
from sluice.plan.deployment.targets import Targets

ROLE: Final = "anchor"
HOST_SUFFIX: Final = ".anchor.sluice.invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchors:
    """The anchors after this plan and what makes them so."""

    anchors: tuple[Anchor, ...]
    actions: tuple[Action, ...]
    repaired: tuple[str, ...] = ()
    """What a hand edit had changed, for events."""


def host(desired: Desired, group: TargetGroup) -> str:
    """Return the impossible host of the anchor of a group's (load balancer, container port)."""
    key = desired.key
    digest = short_hash(
        desired.installation,
        key.kind,
        key.namespace,
        key.name,
        group.load_balancer_arn,
        str(group.container_port),
    )
    return f"{digest}{HOST_SUFFIX}"


def listener_for(desired: Desired, state: State, observed: Observed, group: TargetGroup) -> str:
    """Return the listener for a group's anchor: where it is, else the first that a route uses, else ''.

    "Where it is" comes from status, or from the rules that were read when the status was lost.
    """
    for anchor in state.anchors:
        place = (anchor.load_balancer_arn, anchor.container_port)
        if (
            place == (group.load_balancer_arn, group.container_port)
            and anchor.listener_arn not in observed.lost_listeners
        ):
            return anchor.listener_arn
    name = host(desired, group)
    for listener, rules in sorted(observed.rules.items()):
        if _find(desired, rules, None, name):
            return listener
    listeners = sorted(
        backend.listener_arn
        for backend in desired.backends
        if backend.load_balancer_arn == group.load_balancer_arn
        and backend.listener_arn not in observed.lost_listeners
    )
    return listeners[0] if listeners else ""


def anchors(desired: Desired, state: State, observed: Observed, targets: Targets) -> Anchors:
    """Decide about anchors; raises Refused when the reserved range has no free priority."""
    found: list[Anchor] = []
    actions: list[Action] = []
    repaired: list[str] = []
    taken: dict[str, set[int]] = {
        listener: {int(rule["Priority"]) for rule in rules if str(rule.get("Priority", "")).isdigit()}
        for listener, rules in observed.rules.items()
    }
    places: dict[tuple[str, int], list[TargetGroup]] = {}
    for group in targets.groups:
        places.setdefault((group.load_balancer_arn, group.container_port), []).append(group)
    for (load_balancer, port), groups in sorted(places.items()):
        listener = listener_for(desired, state, observed, groups[0])
        if not listener:
            continue  # every listener that it could hang on is gone; the route says so
        known = next(
            (
                entry
                for entry in state.anchors
                if (entry.listener_arn, entry.container_port) == (listener, port)
            ),
            None,
        )
        rules = observed.rules.get(listener)
        if rules is None:
            if known:
                found.append(known)
            continue
        rule = _find(desired, rules, known, host(desired, groups[0]))
        arns = [targets.arns[group.name] for group in groups]
        if rule:
            found.append(
                Anchor(
                    listener_arn=listener,
                    load_balancer_arn=load_balancer,
                    container_port=port,
                    priority=int(rule["Priority"]),
                    rule_arn=rule["RuleArn"],
                )
            )
            fix, texts = _repair(rule, arns, host(desired, groups[0]))
            actions += fix
            repaired += [f"anchor rule of port {port}: {text}" for text in texts]
            continue
        if known and known.rule_arn:
            repaired.append(f"anchor rule of port {port}: was deleted")
        priority = _priority(desired, listener, known, taken[listener])
        taken[listener].add(priority)
        anchor = Anchor(
            listener_arn=listener, load_balancer_arn=load_balancer, container_port=port, priority=priority
        )
        found.append(anchor)
        actions.append(_create(desired, anchor, host(desired, groups[0]), arns))
    kept = {(anchor.listener_arn, anchor.container_port) for anchor in found}
    others = tuple(
        anchor
        for anchor in state.anchors
        if (anchor.listener_arn, anchor.container_port) not in kept
        and anchor.listener_arn not in observed.lost_listeners
        and (anchor.load_balancer_arn, anchor.container_port) in places
    )
    return Anchors(anchors=(*found, *others), actions=tuple(actions), repaired=tuple(repaired))


def is_anchor(rule: Structure, installation: str, key: Key) -> bool:
    """Tell whether a rule is an anchor of this Deployment, by its tags."""
    tags = rule.get("Tags", {})
    ours = ownership.ownership(tags, installation, key) == "ours"
    return ours and tags.get(ownership.ROLE) == ROLE


def _find(desired: Desired, rules: Sequence[Structure], known: Anchor | None, name: str) -> Structure | None:
    for rule in rules:
        if not is_anchor(rule, desired.installation, desired.key):
            continue
        if (known and known.rule_arn == rule["RuleArn"]) or name in hosts(rule):
            return rule
    return None


def _priority(desired: Desired, listener: str, known: Anchor | None, taken: set[int]) -> int:
    if known and known.priority and known.priority not in taken:
        return known.priority  # the intent of an earlier pass
    first, last = _range(desired.backends, listener)
    # Anchors of many Deployments are made at once: each begins at a place of its own in the top eighth.
    seat = int(short_hash(desired.installation, str(desired.key), listener), 16)
    start = last - seat % ((last - first) // 8 + 1)
    for priority in itertools.chain(range(start, first - 1, -1), range(last, start, -1)):
        if priority not in taken:
            return priority
    raise Refused(
        "QuotaExceeded",
        f"no priority is free in the reserved range {first}-{last} of listener {listener}; "
        "ask the platform team for a larger range",
    )


def _range(backends: Sequence[Backend], listener: str) -> tuple[int, int]:
    for backend in backends:
        if backend.listener_arn == listener:
            return backend.priorities
    return 1, 50_000  # no route asks any more: the rule is only put back where it was


def _create(desired: Desired, anchor: Anchor, name: str, arns: Sequence[str | Ref]) -> Action:
    tags = ownership.owner_tags(desired.installation, desired.key, role=ROLE, uid=desired.uid)
    return Action(
        service="elbv2",
        operation="CreateRule",
        params={
            "ListenerArn": anchor.listener_arn,
            "Priority": anchor.priority,
            "Conditions": _conditions(name),
            "Actions": [_forward(arns)],
            "Tags": ownership.to_elb(tags),
        },
        subject=f"anchor rule {anchor.priority} of {anchor.listener_arn}",
        reason="associates the target groups with the load balancer",
        outputs={f"anchor:{anchor.listener_arn}:{anchor.container_port}": "Rules[0]"},
    )


def _repair(rule: Structure, arns: Sequence[str | Ref], name: str) -> tuple[list[Action], list[str]]:
    """Return the write that makes an anchor what it should be, and what is different.

    Its number may be any: no request meets it.
    """
    params: dict[str, Any] = {}
    texts: list[str] = []
    if set(_forwarded(rule)) != set(arns):
        params["Actions"] = [_forward(arns)]
        texts.append("target groups changed")
    if hosts(rule) != [name] or len(rule.get("Conditions", ())) != 1:
        params["Conditions"] = _conditions(name)
        texts.append("conditions changed")
    if not params:
        return [], []
    action = Action(
        service="elbv2",
        operation="ModifyRule",
        params={"RuleArn": rule["RuleArn"], **params},
        subject=f"anchor rule {rule['RuleArn']}",
        reason=", ".join(texts),
        outputs={f"rule:{rule['RuleArn']}": "Rules[0]"},
    )
    return [action], texts


def _conditions(name: str) -> list[dict[str, Any]]:
    return [{"Field": "host-header", "HostHeaderConfig": {"Values": [name]}}]


def _forward(arns: Sequence[str | Ref]) -> dict[str, Any]:
    return {
        "Type": "forward",
        "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": arn, "Weight": 1} for arn in arns]},
    }


def _forwarded(rule: Structure) -> list[str]:
    found: list[str] = []
    for action in rule.get("Actions", ()):
        groups = action.get("ForwardConfig", {}).get("TargetGroups") or ()
        found += [group["TargetGroupArn"] for group in groups]
        if not groups and action.get("TargetGroupArn"):
            found.append(action["TargetGroupArn"])
    return found


def delete(rule: Structure, *, reason: str, priority: Priority = Priority.ROLLOUT) -> Action:
    """Return the deletion of an anchor; that it is gone already is fine."""
    return Action(
        service="elbv2",
        operation="DeleteRule",
        params={"RuleArn": rule["RuleArn"]},
        subject=f"anchor rule {rule['RuleArn']}",
        reason=reason,
        priority=priority,
        already=frozenset({"RuleNotFound"}),
    )


def referenced(group_arns: frozenset[str], actions: Sequence[Structure]) -> bool:
    """Tell whether a rule's or listener's actions forward to one of the groups, at whatever weight."""
    return any(
        action.get("TargetGroupArn") in group_arns
        or any(
            group.get("TargetGroupArn") in group_arns
            for group in action.get("ForwardConfig", {}).get("TargetGroups") or ()
        )
        for action in actions
    )


def hosts(rule: Structure) -> list[str]:
    """Return the hosts that a rule asks for."""
    return [
        value
        for condition in rule.get("Conditions", ())
        if condition.get("Field") == "host-header"
        for value in condition.get("HostHeaderConfig", {}).get("Values") or condition.get("Values") or ()
    ]
