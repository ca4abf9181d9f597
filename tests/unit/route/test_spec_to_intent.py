"""What a ServiceRoute's spec asks for, member by member, with the defaults that its documentation tells."""

from __future__ import annotations

from typing import Any

import pytest

from api_samples import discovery_route, route
from sluice.api.v1alpha1.route import parse_route
from sluice.model.keys import SERVICE_ROUTE, Key
from sluice.plan.route.intent import Backend, Match, RouteIntent, RuleIntent
from sluice.plan.route.spec import container_ports, intent_of

KEY = Key(SERVICE_ROUTE, "shop", "web")


def intent(obj: dict[str, Any]) -> RouteIntent:
    """Return what a route asks for."""
    return intent_of(parse_route(obj), KEY, created="2026-11-21T10:00:00Z")


def test_a_route_as_small_as_can_be() -> None:
    """Every request, to one backend of weight 1, without sessions or a fixed priority."""
    assert intent(
        route(rules=[{"name": "main", "backendRefs": [{"name": "web", "port": 80}]}])
    ) == RouteIntent(
        hostnames=(),
        rules=(RuleIntent(name="main", matches=(), backends=(Backend(name="web", port="80", weight=1),)),),
        age="2026-11-21T10:00:00Z/shop/web",
    )


def test_a_route_with_everything() -> None:
    """Rules as they are written, names of rules and order kept."""
    refs = [{"name": "web", "port": "http", "weight": 3}, {"name": "pay", "port": 8080, "weight": 0}]
    rule = {"name": "main", "backendRefs": refs, "priority": 40, "matches": [{}]}
    rule["sessionPersistence"] = {"durationSeconds": 300}
    assert intent(route(hostnames=["b.io", "a.io"], rules=[rule])) == RouteIntent(
        hostnames=("b.io", "a.io"),
        rules=(
            RuleIntent(
                name="main",
                matches=(Match(),),
                backends=(
                    Backend(name="web", port="http", weight=3),
                    Backend(name="pay", port="8080", weight=0),
                ),
                priority=40,
                session_seconds=300,
            ),
        ),
        age="2026-11-21T10:00:00Z/shop/web",
    )


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        pytest.param({}, Match(), id="nothing"),
        pytest.param({"path": {"value": "/a"}}, Match(path=("PathPrefix", "/a")), id="a path is a prefix"),
        pytest.param(
            {"path": {"type": "Exact", "value": "/a"}}, Match(path=("Exact", "/a")), id="unless it says else"
        ),
        pytest.param(
            {
                "headers": [
                    {"name": "X-One", "value": "1"},
                    {"name": "X-Two", "value": "2", "type": "Exact"},
                    {"name": "X-Three", "value": "^3", "type": "RegularExpression"},
                ]
            },
            Match(headers=(("x-one", "1"), ("x-two", "2")), regex_headers=(("x-three", "^3"),)),
            id="headers of both types, whatever their case",
        ),
        pytest.param(
            {"queryParams": [{"name": "v", "value": "2"}, {"name": "W", "value": "3"}]},
            Match(query=(("v", "2"), ("W", "3"))),
            id="query parameters",
        ),
        pytest.param({"method": "GET"}, Match(method="GET"), id="a method"),
        pytest.param(
            {"sourceIPs": ["10.0.0.0/8", "192.0.2.0/24"]},
            Match(source_ips=("10.0.0.0/8", "192.0.2.0/24")),
            id="source addresses",
        ),
    ],
)
def test_matches(match: dict[str, Any], expected: Match) -> None:
    """Each condition of the API as ALB's conditions are made of it."""
    rule = {"name": "main", "backendRefs": [{"name": "web", "port": "http"}], "matches": [match]}
    assert intent(route(rules=[rule])).rules[0].matches == (expected,)


A10 = [{"type": "A", "ttlSeconds": 10}]


@pytest.mark.parametrize(
    ("members", "routing"),
    [
        pytest.param({"dns": {"records": A10, "routingPolicy": "WEIGHTED"}}, "WEIGHTED", id="as it says"),
        pytest.param({"dns": {"records": A10}}, "MULTIVALUE", id="no policy"),
        pytest.param(
            {"dns": None, "namespaceRef": {"name": "shop", "create": {"type": "HTTP"}}},
            "MULTIVALUE",
            id="no DNS at all",
        ),
    ],
)
def test_the_routing_policy_of_a_name(members: dict[str, Any], routing: str) -> None:
    """The spec's, else the default of its mode."""
    discovery = intent(discovery_route(**members)).discovery
    assert discovery is not None
    assert discovery.routing == routing


def test_ports_that_nobody_names() -> None:
    """A container without ports, a template without containers, a body without mappings: no ports."""
    for spec in (
        None,
        {"template": {"spec": {"containers": [{"name": "app"}]}}},
        {"template": {"spec": None}},
        {"template": None, "taskDefinition": None},
        {"taskDefinition": {"containerDefinitions": [{"name": "app", "portMappings": None}]}},
    ):
        assert container_ports({"spec": spec}) == frozenset()
    two = [{"ports": [{"name": "http", "containerPort": 80}]}, {"ports": [{"containerPort": 90}]}]
    assert container_ports({"spec": {"template": {"spec": {"containers": two}}}}) == {"http", "80", "90"}
