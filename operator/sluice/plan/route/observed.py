"""Observed weights in a route's status: what the load balancer counted beside what is configured.

Only while a backend has weight on two slots, from whole minutes after its weights were proved, and never
a gate: chance, sessions and late numbers are no reason to stop (rollout.md §8).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sluice.model.observed_share import observed_share
from sluice.model.traffic import SlotTarget, Traffic
from sluice.plan.route.desired import BackendFacts
from sluice.plan.route.intent import RouteIntent

Counted = Callable[[str, float], Mapping[str, int] | None]
"""(backend, since) → slot → requests, None while nothing is known."""
_MEMBERS = ("observed", "observedVerdict")


def watched(backends: Mapping[str, BackendFacts]) -> dict[str, Sequence[SlotTarget]]:
    """Return the target groups whose requests are to be counted: of backends between two slots."""
    return {
        name: facts.traffic.targets
        for name, facts in sorted(backends.items())
        if facts.traffic and _split(facts.traffic)
    }


def with_observed(
    entries: Sequence[Mapping[str, Any]],
    *,
    backends: Mapping[str, BackendFacts],
    intent: RouteIntent,
    tested: bool,
    counted: Counted,
) -> list[dict[str, Any]]:
    """Return `status.backends` with what was counted; `tested` says that there is a test listener."""
    found = []
    for entry in entries:
        plain = without_observed(entry)
        traffic = backends[plain["name"]].traffic
        counts = None
        proved = traffic and plain.get("seq") == traffic.seq and not plain.get("foreign")
        if traffic and proved and _split(traffic):
            counts = counted(plain["name"], float(plain.get("verifiedAt", 0)))
        if traffic and counts:
            seen = observed_share(counts, traffic.weights)
            unfit = _not_comparable(plain["name"], traffic, intent, tested=tested)
            plain |= {"observed": dict(seen.counts), "observedVerdict": unfit or seen.detail}
        found.append(plain)
    return found


def without_observed(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry of `status.backends` as an acknowledgement alone."""
    return {member: value for member, value in entry.items() if member not in _MEMBERS}


def remark(entries: Sequence[Mapping[str, Any]]) -> str:
    """Return what to tell a person of requests that do not follow the weights; '' when all do."""
    return "; ".join(
        f"{entry['name']}: {entry['observedVerdict']}"
        for entry in entries
        if " instead of " in entry.get("observedVerdict", "")
    )


def _split(traffic: Traffic) -> bool:
    return sum(1 for parts in traffic.weights.values() if parts) > 1


def _not_comparable(name: str, traffic: Traffic, intent: RouteIntent, *, tested: bool) -> str:
    if any(rule.session_seconds and any(b.name == name for b in rule.backends) for rule in intent.rules):
        return "not comparable: clients keep their slot"
    if traffic.header:
        return f"not comparable: the header {traffic.header.name} chooses a slot"
    return "not comparable: the test listener's requests are counted, too" if tested else ""
