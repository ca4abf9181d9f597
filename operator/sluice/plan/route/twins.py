"""Rules that let a candidate be reached beside production: header rules, and what test listeners carry.

A header rule has a production rule's conditions and the header, stands before it and sends to one slot
alone. A test listener has the same rules as production, sent to the candidate, or to what is live while
there is none: such a listener always answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from sluice.model.traffic import HeaderRoute
from sluice.plan.route.conditions import VALUES_PER_RULE, values_in
from sluice.plan.route.desired import BackendFacts, DesiredRule, Parent, Problem, conditions_digest, parts_of
from sluice.plan.route.intent import RouteIntent, RuleIntent
from sluice.plan.route.weights import compose


def with_headers(
    rules: Sequence[DesiredRule],
    intent: RouteIntent,
    *,
    parents: Sequence[Parent],
    backends: Mapping[str, BackendFacts],
) -> tuple[tuple[DesiredRule, ...], tuple[Problem, ...]]:
    """Return the rules with the header rules that their backends publish, and what is wrong with those."""
    intents = {rule.name: rule for rule in intent.rules}
    places = {parent.listener_arn: parent for parent in parents}
    found: list[DesiredRule] = []
    problems: list[Problem] = []
    for rule in rules:
        found.append(rule)
        if rule.role == "production":
            own = intents[rule.name.rpartition("/")[0]]
            twins, wrong = _header_rules(rule, own, parent=places[rule.listener_arn], backends=backends)
            found += twins
            problems += wrong
    return tuple(found), tuple(dict.fromkeys(problems))


def _header_rules(
    production: DesiredRule, rule: RuleIntent, *, parent: Parent, backends: Mapping[str, BackendFacts]
) -> tuple[list[DesiredRule], list[Problem]]:
    """Return the header rules before one production rule: one a header that a backend publishes.

    Where it can't be made, the rule comes without weights and a problem says why: the header is not
    acknowledged, production goes on.
    """
    made: list[DesiredRule] = []
    problems: list[Problem] = []
    for header, slots in _headers(rule, backends).items():
        condition = {
            "Field": "http-header",
            "HttpHeaderConfig": {"HttpHeaderName": header.name, "Values": [header.value]},
        }
        conditions = (*production.conditions, condition)
        weights, problem = _weights(rule, slots, parent=parent, backends=backends)
        present = values_in(production.conditions)
        if present >= VALUES_PER_RULE:
            text = (
                f"spec.rules[{rule.name}]: the header route {header.name}: {header.value} needs "
                f"{present} + 1 condition values, an ALB rule has {VALUES_PER_RULE}; use fewer hostnames, "
                "paths or headers in the match, or a test listener instead of the header"
            )
            weights, problem = None, Problem(reason="InvalidSpec", message=text)
        problems += [problem] if problem else []
        made.append(
            replace(
                production,
                name=f"{rule.name}/{conditions_digest(conditions)}",
                conditions=conditions,
                backends=tuple(slots),
                weights=weights,
                priority=None,
                role="header",
                twin=production.name,
                sticky=None,
            )
        )
    return made, problems


def _headers(rule: RuleIntent, backends: Mapping[str, BackendFacts]) -> dict[HeaderRoute, dict[str, str]]:
    """Return each header (its slot aside) with the backends that publish it and the slot of each."""
    found: dict[HeaderRoute, dict[str, str]] = {}
    for backend in rule.backends:
        traffic = backends[backend.name].traffic
        if traffic and traffic.header and backend.weight:
            header = replace(traffic.header, name=traffic.header.name.lower(), slot="")
            found.setdefault(header, {})[backend.name] = traffic.header.slot
    return found


def _only(slot: str) -> Callable[[str], int]:
    return lambda name: int(name == slot)


def _weights(
    rule: RuleIntent, slots: Mapping[str, str], *, parent: Parent, backends: Mapping[str, BackendFacts]
) -> tuple[dict[str, int] | None, Problem | None]:
    shares: list[tuple[int, Mapping[str, int]]] = []
    for backend in (backend for backend in rule.backends if backend.name in slots):
        parts = parts_of(
            backends[backend.name], backend.port, parent=parent, share=_only(slots[backend.name])
        )
        if not any(parts.values()):
            text = f"the candidate of {backend.name} has no target group on {parent.name} yet"
            return None, Problem(reason="WaitingForTargets", message=text)
        shares.append((backend.weight, parts))
    return compose(shares), None
