"""A route's status: what it remembers of its rules, and what it says. `proof` has what it proved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sluice.model.conditions import READY, STALLED, STALLED_REASONS, conditions
from sluice.model.traffic import acknowledged
from sluice.plan.route.desired import BackendFacts, Parent, Problem
from sluice.plan.route.intent import RouteIntent
from sluice.plan.route.planner import Memory, PlannedRule
from sluice.plan.route.proof import Proof
from sluice.plan.route.writes import shown, target_group_label

_INTENDED: Final = 4


def memory_of(status: Mapping[str, Any], *, generation: int, backends: Mapping[str, BackendFacts]) -> Memory:
    """Read what earlier passes left in the status."""
    priorities: dict[tuple[str, str], int] = {}
    known: set[tuple[str, str]] = set()
    written: dict[tuple[str, str], frozenset[str]] = {}
    sticky: set[tuple[str, str]] = set()
    for parent in status.get("parents", ()):
        for rule in parent.get("rules", ()):
            place = (parent["listenerArn"], rule["name"])
            priorities[place] = int(rule["priority"])
            if rule.get("ruleArn"):
                known.add(place)
            if ours := {rule.get("weights", ""), *rule.get("intended", ())} - {""}:
                written[place] = frozenset(ours)
            if rule.get("stickySeconds"):
                sticky.add(place)
    return Memory(
        priorities=priorities,
        known=frozenset(known),
        settled=_rules_stand(status, generation=generation)
        and not stale_backends(status, generation=generation, backends=backends),
        written=written,
        sticky=frozenset(sticky),
    )


def is_ready(status: Mapping[str, Any], *, generation: int) -> bool:
    """Tell whether the status says Ready for this very generation."""
    return status.get("observedGeneration") == generation and any(
        condition["type"] == READY and condition["status"] == "True"
        for condition in status.get("conditions", ())
    )


def is_stalled(status: Mapping[str, Any], *, generation: int) -> bool:
    """Tell whether the status says Stalled for this very generation."""
    return status.get("observedGeneration") == generation and any(
        condition["type"] == STALLED and condition["status"] == "True"
        for condition in status.get("conditions", ())
    )


def _rules_stand(status: Mapping[str, Any], *, generation: int) -> bool:
    """Tell whether the last pass left the rules as this generation wants them.

    A route with a name in Cloud Map says so by itself: Ready waits for the name, too.
    """
    if "discovery" in status:
        return status.get("rulesGeneration") == generation
    return is_ready(status, generation=generation)


def together(*problems: Problem | None) -> Problem | None:
    """Return one problem for the halves of a pass, under the reason that waits for a person, if any does."""
    found = list(dict.fromkeys(filter(None, problems)))
    if not found:
        return None
    first = next((problem for problem in found if problem.reason in STALLED_REASONS), found[0])
    others = [problem for problem in found if problem is not first]
    return Problem(reason=first.reason, message="; ".join(problem.message for problem in (first, *others)))


def stale_backends(
    status: Mapping[str, Any], *, generation: int, backends: Mapping[str, BackendFacts]
) -> tuple[str, ...]:
    """Return the backends whose published traffic is not acknowledged by this status."""
    entries = status.get("backends", ())
    stale = []
    for name, facts in backends.items():
        proof = acknowledged(entries, name)
        if facts.traffic is not None and (
            proof is None or not proof.proves(facts.traffic, route_generation=generation)
        ):
            stale.append(name)
    return tuple(stale)


def parents_status(
    parents: Sequence[Parent],
    rules: Sequence[PlannedRule],
    *,
    previous: Mapping[str, Any],
    proof: Proof | None,
) -> list[dict[str, Any]]:
    """Return `status.parents`: every listener with the rules that are or will be on it."""
    before = {
        (parent["listenerArn"], rule["name"]): rule
        for parent in previous.get("parents", ())
        for rule in parent.get("rules", ())
    }
    return [
        {
            "name": parent.name,
            "listenerArn": parent.listener_arn,
            "loadBalancerArn": parent.load_balancer_arn,
            "rules": [
                _rule_status(rule, before.get((parent.listener_arn, rule.desired.name), {}), proof)
                for rule in sorted(rules, key=lambda rule: rule.priority)
                if rule.desired.listener_arn == parent.listener_arn
            ],
        }
        for parent in sorted(parents, key=lambda parent: parent.name)
    ]


def _rule_status(rule: PlannedRule, before: Mapping[str, Any], proof: Proof | None) -> dict[str, Any]:
    """Return one rule, with every weights that it may have by our own writes.

    `intended` grows with each write until one is read back: a process that ended between two of them,
    or a read that is late, must not make our own weights look like somebody else's.
    """
    desired = rule.desired
    entry: dict[str, Any] = {"name": desired.name, "priority": rule.priority, "role": desired.role}
    entry |= {"ruleArn": rule.arn} if rule.arn else {}
    # What a held rule has may be somebody else's: it is not made ours by being left alone.
    wanted = shown(desired.weights) if desired.weights is not None and not desired.held else ""
    proven = bool(wanted) and (
        rule.output not in proof.wrong if proof else bool(rule.current) and rule.current == wanted
    )
    weights, intended = before.get("weights", ""), list(before.get("intended", ()))
    if rule.foreign:
        pass
    elif proven:
        weights, intended = wanted, []
    elif wanted:
        intended = [text for text in dict.fromkeys([weights, *intended, wanted]) if text]
        weights = rule.current or weights
        intended = [text for text in intended if text != weights][-_INTENDED:]
    # None: it is left as it is, and whose it is must not be forgotten.
    ended = proven and desired.sticky == 0
    sticky = desired.sticky or (0 if ended else before.get("stickySeconds", 0))
    entry |= {"weights": weights} if weights else {}
    entry |= {"intended": intended} if intended else {}
    return entry | ({"stickySeconds": sticky} if sticky else {})


def summary(
    intent: RouteIntent,
    rules: Sequence[PlannedRule],
    backends: Mapping[str, BackendFacts],
    *,
    listeners: Sequence[str],
    named: Mapping[str, Any],
) -> dict[str, str]:
    """Return the texts of the printer columns; weights are each distinct split of production requests.

    `named` is `status.discovery` as last written: it knows what a namespace is called that the spec names
    by its id.
    """
    owners = {
        target.target_group_arn: f"{name}/{target.slot}" if len(facts.traffic.weights) > 1 else name
        for name, facts in backends.items()
        if facts.traffic
        for target in facts.traffic.targets
    }
    splits: dict[str, None] = {}
    production = [rule for rule in rules if rule.desired.role == "production"]
    for rule in sorted(production, key=lambda rule: rule.desired.name):
        shares: dict[str, int] = {}
        for arn, weight in (rule.desired.weights or {}).items():
            name = owners.get(arn, target_group_label(arn))
            shares[name] = shares.get(name, 0) + weight
        if len(shares) == 1:
            shares = dict.fromkeys(shares, 100)
        splits[",".join(f"{name}={weight}" for name, weight in sorted(shares.items()))] = None
    discovery = intent.discovery
    hosts = list(intent.hostnames) or (["*"] if intent.rules else [])
    names = list(intent.backend_names)
    if discovery is not None:
        domain = named.get("namespace", "") if named.get("namespaceId") == discovery.namespace.id else ""
        hosts.append(f"{discovery.service}.{domain or discovery.namespace.name or discovery.namespace.id}")
        names += [discovery.backend] if discovery.backend and discovery.backend not in names else []
    return {
        "hosts": ",".join(hosts) or "*",
        "backends": ",".join(names),
        "weights": "; ".join(split for split in splits if split),
        "listeners": ",".join(sorted(listeners)),
    }


def _in_order(rules: int) -> str:
    return (
        "1 listener rule is as the spec says"
        if rules == 1
        else f"{rules} listener rules are as the spec says"
    )


def _answers(discovery: Mapping[str, Any] | None) -> str:
    """Return what a name in Cloud Map stands for, for people; '' where there is none."""
    if not discovery:
        return ""
    name = f"{discovery.get('service', '')}.{discovery.get('namespace', '')}"
    if discovery.get("mode") == "ECS":
        return f"{name} is kept by ECS"
    count = int(discovery.get("instances", 0))
    return f"{name} has {count} {'entry' if count == 1 else 'entries'}"


def with_conditions(
    status: Mapping[str, Any],
    *,
    previous: Mapping[str, Any],
    generation: int,
    now: float,
    problem: Problem | None,
    remark: str = "",
) -> dict[str, Any]:
    """Return `status` with conditions for `problem`, or Ready without one; `remark` is told with that."""
    total = sum(len(parent["rules"]) for parent in status.get("parents", ()))
    named = _answers(status.get("discovery"))
    stand = _in_order(total) if total or not named else ""
    return dict(status) | {
        "observedGeneration": generation,
        "conditions": conditions(
            ready=problem is None,
            reason=problem.reason if problem else "Available",
            message=problem.message if problem else "; ".join(filter(None, (stand, named, remark))),
            generation=generation,
            now=now,
            previous=previous.get("conditions", ()),
        ),
    }
