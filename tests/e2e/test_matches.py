"""Matches of more than a prefix, asked of the real listener: expressions, and where a client is."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Any

import pytest

from e2e.desk import Desk

pytestmark = pytest.mark.e2e
MATCHES: dict[str, dict[str, Any]] = {
    "order": {"path": {"type": "RegularExpression", "value": "^/orders/[0-9]+$"}},
    "team": {
        "path": {"type": "PathPrefix", "value": "/teams"},
        "headers": [{"type": "RegularExpression", "name": "x-team", "value": "^(blue|green)-[a-z]+$"}],
    },
    "near": {"path": {"type": "PathPrefix", "value": "/inside"}, "sourceIPs": ["127.0.0.0/8"]},
    "far": {"path": {"type": "PathPrefix", "value": "/outside"}, "sourceIPs": ["203.0.113.0/24"]},
}
REQUESTS = [
    ("/orders/17", {}, 200),
    ("/orders/17/lines", {}, 404),
    ("/orders/seventeen", {}, 404),
    ("/teams", {"x-team": "blue-ants"}, 200),
    ("/teams", {"x-team": "red-ants"}, 404),
    ("/teams", {}, 404),
    ("/inside", {}, 200),
    ("/outside", {}, 404),
    # ALB looks at the connection, not at what the client says of itself.
    ("/outside", {"x-forwarded-for": "203.0.113.7"}, 404),
    ("/inside", {"x-forwarded-for": "203.0.113.7"}, 200),
]


def status(desk: Desk, path: str, headers: dict[str, str]) -> int:
    """Return what the listener answers to a request of the desk's host."""
    request = urllib.request.Request(desk.aws.url(80) + path, headers={"Host": desk.host, **headers})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code


def test_expressions_and_source_addresses(desk: Desk) -> None:
    """A request reaches the tasks exactly where an expression or network says so; all others get 404."""
    deployment, route = desk.deployment(), desk.route()
    (rule,) = route["spec"]["rules"]
    refs = rule["backendRefs"]
    route["spec"]["rules"] = [
        {"name": name, "matches": [match], "backendRefs": refs} for name, match in MATCHES.items()
    ]
    desk.apply_and_wait(deployment, route)
    found = [(path, headers, status(desk, path, headers)) for path, headers, _ in REQUESTS]
    assert found == REQUESTS
