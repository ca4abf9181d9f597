"""A route's status: what it remembers, what it proved, what it says.

`backends[]` are the acknowledgements of rollout.md §7. They are written from rules that were read
back, never from rules that were written, and they carry the sequence number that was planned with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sluice.model.conditions import READY, conditions
from sluice.model.traffic import Traffic, acknowledged
from sluice.plan.route.conditions import canonical
from sluice.plan.route.desired import BackendFacts, Parent, Problem
from sluice.plan.route.intent import RouteIntent
from sluice.plan.route.planner import Memory, PlannedRule, target_group_label
from sluice.plan.route.weights import forward_weights


def memory_of(status: Mapping[str, Any], *, generation: int, backends: Mapping[str, BackendFacts]) -> Memory:
    """Read what earlier passes left in the status."""
    priorities: dict[tuple[str, str], int] = {}
    known: set[tuple[str, str]] = set()
    for parent in status.get("parents", ()):
        for rule in parent.get("rules", ()):
            place = (parent["listenerArn"], rule["name"])
            priorities[place] = int(rule["priority"])
            if rule.get("ruleArn"):
                known.add(place)
    return Memory(
        priorities=priorities,
        known=frozenset(known),
        settled=is_ready(status, generation=generation)
        and not stale_backends(status, generation=generation, backends=backends),
    )


def is_ready(status: Mapping[str, Any], *, generation: int) -> bool:
    """Tell whether the status says Ready for this very generation."""
    return status.get("observedGeneration") == generation and any(
        condition["type"] == READY and condition["status"] == "True"
        for condition in status.get("conditions", ())
    )


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a read of the route's rules showed: the rules that are not as planned, in words."""

    wrong: Mapping[str, str]
    """Planned rule's output name → what is wrong."""
    at: float
    """When the read began, epoch seconds."""


def verify(rules: Sequence[PlannedRule], seen: Mapping[str, Mapping[str, Any]], *, at: float) -> Proof:
    """Compare rules that were just read with the plan."""
    wrong: dict[str, str] = {}
    for rule in rules:
        found = seen.get(rule.arn) if rule.arn else None
        if found is None:
            wrong[rule.output] = f"rule {rule.desired.name} is not there"
        elif rule.desired.weights is not None and (
            forward_weights(found.get("Actions", ())) != rule.desired.weights
        ):
            wrong[rule.output] = f"rule {rule.desired.name} has other weights than were written"
        elif canonical(found.get("Conditions", ())) != canonical(rule.desired.conditions):
            wrong[rule.output] = f"rule {rule.desired.name} has other conditions than were written"
    return Proof(wrong=wrong, at=at)


def acknowledgements(
    previous: Mapping[str, Any],
    *,
    generation: int,
    backends: Mapping[str, BackendFacts],
    rules: Sequence[PlannedRule],
    missing: frozenset[str],
    proof: Proof | None,
) -> list[dict[str, Any]]:
    """Return `status.backends`.

    A backend is acknowledged when a proof covers every rule that refers to it; `missing` are backends
    with a rule that could not be planned. Without that its last acknowledgement stays, which no longer
    counts because its sequence number or generation is old.
    """
    entries: list[dict[str, Any]] = []
    before = {entry["name"]: dict(entry) for entry in previous.get("backends", ())}
    for name, facts in sorted(backends.items()):
        traffic = facts.traffic
        if traffic is None:
            continue
        used = [rule for rule in rules if name in rule.desired.backends]
        proven = (
            proof is not None
            and name not in missing
            and bool(used)
            and not any(rule.output in proof.wrong for rule in used)
        )
        if proven and proof is not None:
            entries.append(_entry(name, traffic, generation=generation, verified_at=proof.at))
        elif name in before:
            entries.append(before[name] | {"desired": dict(sorted(traffic.weights.items()))})
    return entries


def _entry(name: str, traffic: Traffic, *, generation: int, verified_at: float) -> dict[str, Any]:
    weights = dict(sorted(traffic.weights.items()))
    return {
        "name": name,
        "uid": traffic.uid,
        "rolloutId": traffic.rollout_id,
        "seq": traffic.seq,
        "hash": traffic.hash,
        "routeGeneration": generation,
        "desired": weights,
        "configured": weights,
        "verifiedAt": verified_at,
    }


def parents_status(parents: Sequence[Parent], rules: Sequence[PlannedRule]) -> list[dict[str, Any]]:
    """Return `status.parents`: every listener with the rules that are or will be on it."""
    return [
        {
            "name": parent.name,
            "listenerArn": parent.listener_arn,
            "loadBalancerArn": parent.load_balancer_arn,
            "rules": [
                {"name": rule.desired.name, "priority": rule.priority, "role": "production"}
                | ({"ruleArn": rule.arn} if rule.arn else {})
                for rule in sorted(rules, key=lambda rule: rule.priority)
                if rule.desired.listener_arn == parent.listener_arn
            ],
        }
        for parent in sorted(parents, key=lambda parent: parent.name)
    ]


def summary(
    intent: RouteIntent,
    rules: Sequence[PlannedRule],
    backends: Mapping[str, BackendFacts],
    *,
    listeners: Sequence[str],
) -> dict[str, str]:
    """Return the texts of the printer columns; weights are each distinct split over the Deployments."""
    owners = {
        target.target_group_arn: name
        for name, facts in backends.items()
        for target in (facts.traffic.targets if facts.traffic else ())
    }
    splits: dict[str, None] = {}
    for rule in sorted(rules, key=lambda rule: rule.desired.name):
        shares: dict[str, int] = {}
        for arn, weight in (rule.desired.weights or {}).items():
            name = owners.get(arn, target_group_label(arn))
            shares[name] = shares.get(name, 0) + weight
        if len(shares) == 1:
            shares = dict.fromkeys(shares, 100)
        splits[",".join(f"{name}={weight}" for name, weight in sorted(shares.items()))] = None
    return {
        "hosts": ",".join(intent.hostnames) or "*",
        "backends": ",".join(intent.backend_names),
        "weights": "; ".join(split for split in splits if split),
        "listeners": ",".join(sorted(listeners)),
    }


def _in_order(rules: int) -> str:
    return (
        "1 listener rule is as the spec says"
        if rules == 1
        else f"{rules} listener rules are as the spec says"
    )


def with_conditions(
    status: Mapping[str, Any],
    *,
    previous: Mapping[str, Any],
    generation: int,
    now: float,
    problem: Problem | None,
) -> dict[str, Any]:
    """Return `status` with conditions for `problem`, or Ready without one."""
    total = sum(len(parent["rules"]) for parent in status.get("parents", ()))
    return dict(status) | {
        "observedGeneration": generation,
        "conditions": conditions(
            ready=problem is None,
            reason=problem.reason if problem else "Available",
            message=problem.message if problem else _in_order(total),
            generation=generation,
            now=now,
            previous=previous.get("conditions", ()),
        ),
    }
