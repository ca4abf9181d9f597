"""What a read of a route's rules proves, and the acknowledgements that come of it (rollout.md §7).

`backends[]` is written from rules that were read back, never from rules that were written, and carries
the sequence number that was planned with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sluice.model.traffic import Traffic
from sluice.plan.route.conditions import canonical
from sluice.plan.route.desired import BackendFacts, DesiredRule
from sluice.plan.route.planner import PlannedRule
from sluice.plan.route.weights import forward_weights, sticky_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a read of the route's rules showed: the rules that are not as planned, in words."""

    wrong: Mapping[str, str]
    """Planned rule's output name → what is wrong."""
    at: float
    """When the read began, epoch seconds."""


def verify(rules: Sequence[PlannedRule], seen: Mapping[str, Mapping[str, Any]], *, at: float) -> Proof:
    """Compare rules that were just read with the plan; foreign weights are told elsewhere."""
    wrong: dict[str, str] = {}
    for rule in rules:
        desired = rule.desired
        found = seen.get(rule.arn) if rule.arn else None
        if found is None:
            wrong[rule.output] = f"rule {desired.name} is not there"
            continue
        actions = found.get("Actions", ())
        if desired.weights is not None and not rule.foreign:
            if forward_weights(actions) != desired.weights:
                wrong[rule.output] = f"rule {desired.name} has other weights than were written"
            elif desired.sticky not in (None, sticky_seconds(actions)):
                wrong[rule.output] = f"rule {desired.name} keeps sessions otherwise than was written"
        if rule.output not in wrong and canonical(found.get("Conditions", ())) != canonical(
            desired.conditions
        ):
            wrong[rule.output] = f"rule {desired.name} has other conditions than were written"
    return Proof(wrong=wrong, at=at)


def acknowledgements(
    previous: Mapping[str, Any],
    *,
    generation: int,
    backends: Mapping[str, BackendFacts],
    desired: Sequence[DesiredRule],
    rules: Sequence[PlannedRule],
    proof: Proof | None,
) -> list[dict[str, Any]]:
    """Return `status.backends`.

    A backend is acknowledged when a proof covers every rule that refers to it: all that are `desired`
    were planned, with weights, and read back so. In a rollback production rules alone count: nothing
    waits for a test listener. Without a proof the last acknowledgement stays, which no longer counts
    because its sequence number or generation is old; with foreign weights it is made not to count.
    """
    entries: list[dict[str, Any]] = []
    before = {entry["name"]: dict(entry) for entry in previous.get("backends", ())}
    for name, facts in sorted(backends.items()):
        traffic = facts.traffic
        if traffic is None:
            continue
        used = [rule for rule in rules if _counts(rule.desired, name, traffic)]
        planned = {rule.output for rule in used if rule.desired.weights is not None}
        complete = all(
            f"{rule.listener_arn}|{rule.name}" in planned for rule in desired if _counts(rule, name, traffic)
        )
        foreign = "; ".join(rule.foreign for rule in used if rule.foreign)
        wanted = dict(sorted(traffic.weights.items()))
        kept = {member: value for member, value in before.get(name, {}).items() if member != "foreign"}
        if foreign:
            entries.append({"name": name} | kept | {"desired": wanted, "hash": "", "foreign": foreign})
        elif proof and complete and used and not any(rule.output in proof.wrong for rule in used):
            entries.append(_entry(name, traffic, generation=generation, verified_at=proof.at))
        elif name in before:
            entries.append(kept | {"desired": wanted})
    return entries


def _counts(rule: DesiredRule, name: str, traffic: Traffic) -> bool:
    return name in rule.backends and (rule.role == "production" or not traffic.rollback)


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
