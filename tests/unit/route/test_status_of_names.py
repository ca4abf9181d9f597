"""What a route's status says of its two halves: one condition, one line of hosts, and what stands."""

from __future__ import annotations

from typing import Any

import pytest

from api_samples import discovery_route, route
from sluice.api.v1alpha1.route import parse_route
from sluice.model.discovery import DiscoveryIntent, DnsRecord, NamespaceIntent
from sluice.model.keys import SERVICE_ROUTE, Key
from sluice.plan.route.desired import Problem
from sluice.plan.route.intent import RouteIntent
from sluice.plan.route.spec import intent_of
from sluice.plan.route.status import memory_of, summary, together, with_conditions

KEY = Key(SERVICE_ROUTE, "shop", "web")
STALLED = Problem(reason="AccessDenied", message="not allowed")
WAITS = Problem(reason="RollingOut", message="two entries leave")
ALIAS = {
    "mode": "Alias",
    "namespaceRef": {"id": "ns-1"},
    "serviceName": "web",
    "dns": {"records": [{"type": "A", "ttlSeconds": 5}]},
}


def intent(obj: dict[str, Any]) -> RouteIntent:
    """Return what a route asks for."""
    return intent_of(parse_route(obj), KEY, created="2026-11-21T10:00:00Z")


def test_a_spec_becomes_an_intent_with_defaults() -> None:
    """Ports are text, an absent routing policy is MULTIVALUE, in mode Alias WEIGHTED."""
    assert intent(discovery_route(attributes={"team": "shop"})).discovery == DiscoveryIntent(
        mode="Tasks",
        namespace=NamespaceIntent(name="corp.local", create="DNS_PRIVATE", vpc="vpc-0a1b"),
        service="web",
        backend="web",
        port="http",
        records=(DnsRecord(type="A", ttl=10),),
        routing="MULTIVALUE",
        attributes={"team": "shop"},
    )
    assert intent(discovery_route()).rules == ()
    alias = intent(route(discovery=ALIAS)).discovery
    assert alias is not None
    assert (alias.routing, alias.backend, alias.namespace.id) == ("WEIGHTED", "", "ns-1")
    assert intent(route()).discovery is None


PROBLEMS = {
    "none": ((None, None), None),
    "one": ((None, WAITS), WAITS),
    "both": (
        (WAITS, STALLED),
        Problem(reason="AccessDenied", message="not allowed; two entries leave"),
    ),
    "the first of two that wait": (
        (WAITS, Problem(reason="Draining", message="x")),
        Problem(reason="RollingOut", message="two entries leave; x"),
    ),
    "the same twice": ((WAITS, WAITS), WAITS),
}


@pytest.mark.parametrize(("problems", "expected"), PROBLEMS.values(), ids=PROBLEMS)
def test_two_halves_make_one_condition(
    problems: tuple[Problem | None, ...], expected: Problem | None
) -> None:
    """Both are told, under the reason that a person has to act on."""
    assert together(*problems) == expected


@pytest.mark.parametrize(
    ("obj", "hosts", "backends"),
    [
        pytest.param(route(), "*", "web", id="rules for every host"),
        pytest.param(discovery_route(), "web.corp.local", "web", id="a name alone"),
        pytest.param(
            route(hostnames=["a.example.com"], discovery=discovery_route()["spec"]["discovery"]),
            "a.example.com,web.corp.local",
            "web",
            id="both",
        ),
        pytest.param(route(discovery=ALIAS), "*,web.ns-1", "web", id="an alias in a namespace by id"),
        pytest.param(
            discovery_route(backendRef={"name": "ledger", "port": 80}),
            "web.corp.local",
            "ledger",
            id="ledger",
        ),
    ],
)
def test_the_columns_name_names(obj: dict[str, Any], hosts: str, backends: str) -> None:
    """`kubectl get sroute` shows a name where a host name stands, and whose tasks have it."""
    found = summary(intent(obj), (), {}, listeners=[], named={})
    assert (found["hosts"], found["backends"]) == (hosts, backends)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        pytest.param({"parents": [{"rules": [{}]}]}, "1 listener rule is as the spec says", id="rules"),
        pytest.param({"parents": []}, "0 listener rules are as the spec says", id="nothing"),
        pytest.param(
            {"discovery": {"service": "web", "namespace": "corp.local", "mode": "Tasks", "instances": 1}},
            "web.corp.local has 1 entry",
            id="a name",
        ),
        pytest.param(
            {
                "parents": [{"rules": [{}, {}]}],
                "discovery": {"service": "web", "namespace": "x", "mode": "Alias", "instances": 2},
            },
            "2 listener rules are as the spec says; web.x has 2 entries",
            id="both",
        ),
        pytest.param(
            {"discovery": {"service": "web", "namespace": "x", "mode": "ECS"}},
            "web.x is kept by ECS",
            id="ECS",
        ),
    ],
)
def test_ready_says_what_stands(status: dict[str, Any], message: str) -> None:
    """Available tells of rules and entries, whichever there are."""
    found = with_conditions(status, previous={}, generation=1, now=1.0, problem=None)
    assert found["conditions"][0]["message"] == message


READY = [{"type": "Ready", "status": "True"}]


@pytest.mark.parametrize(
    ("status", "settled"),
    [
        pytest.param({"conditions": READY}, True, id="ready"),
        pytest.param({"conditions": READY, "discovery": {}}, False, id="with a name, rules not proven"),
        pytest.param(
            {"conditions": [], "discovery": {}, "rulesGeneration": 3}, True, id="only the name moves"
        ),
        pytest.param({"discovery": {}, "rulesGeneration": 2}, False, id="rules of another generation"),
    ],
)
def test_rules_stand_while_a_name_moves(status: dict[str, Any], settled: bool) -> None:  # noqa: FBT001 - a table's column
    """A name that takes minutes costs no read of rules: what was proven of them is remembered by itself."""
    assert memory_of({"observedGeneration": 3} | status, generation=3, backends={}).settled is settled
