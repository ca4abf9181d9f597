"""The rules that a route wants on each of its listeners, and the weights as far as they are known.

A rule's identity is the route's rule name and a digest of its conditions. So a changed match is a
new rule that exists before the old one goes, and no edit of a route leaves a moment in which a
request that matched before and after it matches nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sluice.model.errors import Refused
from sluice.model.keys import Key
from sluice.model.names import short_hash
from sluice.model.traffic import SlotTarget, Traffic
from sluice.plan.route.conditions import alb_matches, canonical
from sluice.plan.route.intent import Backend, RouteIntent, RuleIntent
from sluice.plan.route.ports import lacking, meant
from sluice.plan.route.weights import compose

Role = Literal["production", "test", "header"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """A listener that the route is attached to (or was, when it is only to be cleaned)."""

    name: str
    """How the spec calls it: `<load balancer>:<port>` or the listener's ARN."""
    listener_arn: str
    load_balancer_arn: str
    reserved: tuple[int, int]
    """The priorities that the tenancy allows here, both ends included."""
    rules: Sequence[Mapping[str, Any]] = ()
    """What DescribeRules said, with `Tags` as a mapping."""
    test: bool = False
    """A test listener: its rules send to candidates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendFacts:
    """What is known of a Deployment that the route refers to."""

    exists: bool
    traffic: Traffic | None = None
    ports: frozenset[str] = frozenset()
    """Names and numbers of the ports that its containers have, as far as its spec says."""
    numbers: Mapping[str, int] = field(default_factory=dict)
    """Container ports by name, as far as its spec says."""
    groups: tuple[SlotTarget, ...] = ()
    """All its target groups, those of slots that get nothing included."""
    going: bool = False
    """It is being deleted: its tasks stop once no rule sends to them."""
    bake: float | None = None
    """Seconds of bake where its strategy is Progressive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a rule cannot be as the spec wants it now; a condition's reason and message."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredRule:
    """One ALB rule."""

    name: str
    """`<rule>/<digest of the conditions>`: the tag `sluice.dev/route-rule`."""
    listener_arn: str
    conditions: tuple[Mapping[str, Any], ...]
    precedence: str
    backends: tuple[str, ...]
    weights: Mapping[str, int] | None
    """Target group ARN → weight; None while a backend is not there (then an existing rule stays)."""
    priority: int | None = None
    """What the spec asks for."""
    field: str = ""
    """Where the spec says so."""
    may_begin: bool
    """False while a backend is going: a rule that is there is kept up, none is made."""
    role: Role = "production"
    twin: str = ""
    """Name of the production rule that a header rule stands before."""
    sticky: int | None = None
    """Seconds of session persistence, 0 for none, None to leave what is there."""
    reassert: bool
    """Whether weights that nobody of us wrote are overwritten."""
    rollback: bool
    """Its weights end a failed rollout."""
    held: bool = False
    """Its weights are those that were seen, whoever wrote them: it waits for a backend."""


def desired_rules(
    key: Key, intent: RouteIntent, *, parents: Sequence[Parent], backends: Mapping[str, BackendFacts]
) -> tuple[tuple[DesiredRule, ...], tuple[Problem, ...]]:
    """Return the rules of all production and test listeners, and what keeps some from their weights.

    Raises Refused for conditions that ALB cannot have.
    """
    rules: list[DesiredRule] = []
    problems: list[Problem] = []
    for index, rule in enumerate(intent.rules):
        matches = alb_matches(intent, rule, index=index)
        problems += _sessions(rule, backends)
        traffics = [facts.traffic for b in rule.backends if (facts := backends[b.name]).traffic]
        rollback = any(traffic.rollback for traffic in traffics if traffic)
        for parent in parents:
            weights, problem = _weights(key, rule, parent=parent, backends=backends)
            going = [_going(key, backend) for backend in rule.backends if backends[backend.name].going]
            problems += [*([problem] if problem else []), *going]
            for number, match in enumerate(matches):
                rules.append(
                    DesiredRule(
                        name=f"{rule.name}/{conditions_digest(match.conditions)}",
                        listener_arn=parent.listener_arn,
                        conditions=match.conditions,
                        precedence=match.precedence,
                        backends=tuple(dict.fromkeys(backend.name for backend in rule.backends)),
                        weights=weights,
                        # Every second number: the one before each is its twin's.
                        priority=None if rule.priority is None else rule.priority + 2 * number,
                        field=f"spec.rules[{rule.name}].priority",
                        may_begin=not going,
                        role="test" if parent.test else "production",
                        sticky=_sticky(rule, weights, parent=parent),
                        reassert=rollback or all(traffic.reassert for traffic in traffics if traffic),
                        rollback=rollback,
                    )
                )
    return tuple(rules), tuple(dict.fromkeys(problems))


def _sticky(rule: RuleIntent, weights: Mapping[str, int] | None, *, parent: Parent) -> int | None:
    """Return the seconds to write: a survivor alone ends sessions, and tests have none."""
    if not rule.session_seconds or weights is None:
        return None
    return 0 if parent.test or len(weights) == 1 else rule.session_seconds


def _sessions(rule: RuleIntent, backends: Mapping[str, BackendFacts]) -> list[Problem]:
    """Return the backends that go back to one slot before the sessions of the other have ended."""
    return [
        Problem(
            reason="InvalidSpec",
            message=f"spec.rules[{rule.name}].sessionPersistence.durationSeconds is {rule.session_seconds}, "
            f"longer than the bake of Deployment {name} ({bake:g} s); make its "
            "spec.strategy.progressive.bake.duration at least as long",
        )
        for name in dict.fromkeys(backend.name for backend in rule.backends)
        if (bake := backends[name].bake) is not None and rule.session_seconds > bake
    ]


def conditions_digest(conditions: Sequence[Mapping[str, Any]]) -> str:
    """Return the digest of conditions, whatever their order."""
    form = sorted(
        (field, name, member, sorted(values)) for field, name, member, values in canonical(conditions)
    )
    return short_hash(json.dumps(form), length=8)


def _going(key: Key, backend: Backend) -> Problem:
    text = (
        f"Deployment {key.namespace}/{backend.name} is being deleted; remove its backendRef, or apply it "
        "again once it is gone"
    )
    return Problem(reason="WaitingForTargets", message=text)


def _weights(
    key: Key, rule: RuleIntent, *, parent: Parent, backends: Mapping[str, BackendFacts]
) -> tuple[dict[str, int] | None, Problem | None]:
    shares: list[tuple[int, Mapping[str, int]]] = []
    for backend in rule.backends:
        facts = backends[backend.name]
        parts, problem = _parts(key, backend, rule=rule, parent=parent, facts=facts)
        if problem and backend.weight:
            return None, problem
        shares.append((backend.weight, parts))
    try:
        return compose(shares), None
    except Refused as refused:  # other rules go on, and what goes back does in this one, too
        return None, Problem(reason=refused.reason, message=refused.message)


def parts_of(
    facts: BackendFacts, port: str, *, parent: Parent, share: Callable[[str], int]
) -> dict[str, int]:
    """Return target group ARN → parts of one port on a parent's load balancer; `share` tells a slot's."""
    found = meant(facts.traffic, port, balancer=parent.load_balancer_arn, numbers=facts.numbers)
    return {target.target_group_arn: share(target.slot) for target in found}


def _parts(
    key: Key, backend: Backend, *, rule: RuleIntent, parent: Parent, facts: BackendFacts
) -> tuple[Mapping[str, int], Problem | None]:
    """Return target group ARN → parts of one backend on one load balancer."""
    subject = f"Deployment {key.namespace}/{backend.name}"
    where = f"spec.rules[{rule.name}].backendRefs[{backend.name}]"
    if not facts.exists:
        text = f"{where}: {subject} does not exist; create it or correct the name"
        return {}, Problem(reason="BackendNotFound", message=text)
    targets = facts.traffic.targets if facts.traffic else ()
    published = {name for target in targets for name in (target.port, str(target.container_port))}
    if facts.ports and backend.port not in facts.ports | published:
        known = ", ".join(sorted(facts.ports))
        text = f"{where}.port: no container of {subject} has port {backend.port}; its ports are {known}"
        return {}, Problem(reason="InvalidSpec", message=text)
    if facts.traffic is None:
        text = f"{subject} has no healthy targets yet"
        return {}, Problem(reason="WaitingForTargets", message=text)
    traffic = facts.traffic
    tested = traffic.test_slot
    parts = parts_of(
        facts,
        backend.port,
        parent=parent,
        share=lambda slot: int(slot == tested) if parent.test else traffic.weights.get(slot, 0),
    )
    found = meant(traffic, backend.port, balancer=parent.load_balancer_arn, numbers=facts.numbers)
    slots = lacking(traffic, found)
    if any(parts.values()) and (parent.test or not slots):
        return parts, None
    text = f"{subject} has no target group for port {backend.port} on {parent.name} yet"
    others = {t.slot for t in traffic.targets if t.load_balancer_arn == parent.load_balancer_arn}
    if found and facts.ports and others.issuperset(slots):
        text = f"{subject} has no port {backend.port} on {parent.name} in slot {', '.join(slots)}, only in "
        text += f"{', '.join(sorted({t.slot for t in found}))}: {_advice(where, facts, backend.port)}"
    return {}, Problem(reason="WaitingForTargets", message=text)


def _advice(where: str, facts: BackendFacts, port: str) -> str:
    """Say how both slots come to have the port: a share is only sent when each that gets one has it."""
    if port not in facts.ports:
        return f"its spec has {', '.join(sorted(facts.ports))}: correct {where}.port"
    return f"let a revision that has the old port and {port} become live before {where}.port asks for {port}"
