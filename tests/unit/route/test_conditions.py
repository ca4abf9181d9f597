"""Matches become ALB conditions: exactly the product, within five values, folded where possible."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.model.errors import Refused
from sluice.plan.route.conditions import VALUES_PER_RULE, alb_matches, canonical
from sluice.plan.route.intent import Backend, Match, RouteIntent, RuleIntent


def route(*matches: Match, hostnames: tuple[str, ...] = ()) -> tuple[RouteIntent, RuleIntent]:
    """Return a route with one rule."""
    rule = RuleIntent(name="main", matches=matches, backends=(Backend(name="web", port="http"),))
    return RouteIntent(hostnames=hostnames, rules=(rule,), age="2027"), rule


def conditions(*matches: Match, hostnames: tuple[str, ...] = ()) -> list[list[dict[str, Any]]]:
    """Return the conditions of the ALB rules of one rule."""
    intent, rule = route(*matches, hostnames=hostnames)
    return [[dict(c) for c in found.conditions] for found in alb_matches(intent, rule, index=0)]


def path(*values: str) -> dict[str, Any]:
    """Return a path condition."""
    return {"Field": "path-pattern", "PathPatternConfig": {"Values": list(values)}}


def host(*values: str) -> dict[str, Any]:
    """Return a host condition."""
    return {"Field": "host-header", "HostHeaderConfig": {"Values": list(values)}}


@pytest.mark.parametrize(
    ("matches", "hostnames", "expected"),
    [
        pytest.param([], (), [[path("/*")]], id="no match is every path"),
        pytest.param([Match(path=("PathPrefix", "/"))], ("a.io",), [[host("a.io")]], id="any path on a host"),
        pytest.param([Match(path=("Exact", "/x"))], (), [[path("/x")]], id="exact"),
        pytest.param([Match(path=("PathPrefix", "/x/"))], (), [[path("/x", "/x/*")]], id="prefix"),
        pytest.param(
            [Match(path=("RegularExpression", "^/v[0-9]+$"))],
            (),
            [[{"Field": "path-pattern", "PathPatternConfig": {"RegexValues": ["^/v[0-9]+$"]}}]],
            id="regular expression",
        ),
        pytest.param(
            [Match(headers=(("x-canary", "1"),), query=(("v", "2"),), method="GET")],
            (),
            [
                [
                    {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["GET"]}},
                    {
                        "Field": "http-header",
                        "HttpHeaderConfig": {"HttpHeaderName": "x-canary", "Values": ["1"]},
                    },
                    {"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "v", "Value": "2"}]}},
                ]
            ],
            id="header, query and method",
        ),
        pytest.param(
            [Match(path=("Exact", "/a")), Match(path=("Exact", "/b"))],
            (),
            [[path("/a", "/b")]],
            id="equally specific paths share a rule",
        ),
        pytest.param(
            [Match(path=("Exact", "/a")), Match(path=("PathPrefix", "/a"))],
            (),
            [[path("/a")], [path("/a", "/a/*")]],
            id="paths of another kind do not",
        ),
        pytest.param(
            [Match(path=("PathPrefix", "/a"))],
            ("a.io", "b.io", "c.io", "d.io"),
            [
                [host("a.io", "b.io"), path("/a", "/a/*")],
                [host("c.io", "d.io"), path("/a", "/a/*")],
            ],
            id="four hosts and two path values are two rules of two hosts",
        ),
    ],
)
def test_conditions(
    matches: list[Match],
    hostnames: tuple[str, ...],
    expected: list[list[dict[str, Any]]],
) -> None:
    """Each line says which ALB rules a match becomes."""
    assert conditions(*matches, hostnames=hostnames) == expected


def test_a_match_that_no_rule_can_hold_is_refused_with_the_arithmetic() -> None:
    """Six headers cannot be in one ALB rule; the text counts and says what to do."""
    headers = tuple((f"x-{n}", "1") for n in range(6))
    with pytest.raises(Refused, match=r"needs 6 condition values .* has 5; use fewer"):
        conditions(Match(headers=headers))


def test_wildcards_in_literal_values_are_refused() -> None:
    """A `*` in a path is no wildcard in Gateway API, and would be one in ALB."""
    with pytest.raises(Refused, match="wildcards of ALB"):
        conditions(Match(path=("Exact", "/a*")))


HOSTS = st.lists(
    st.sampled_from(["a.io", "b.io", "c.io", "d.io", "*.e.io", "*.ff.io"]), unique=True, max_size=6
)
MATCHES = st.lists(
    st.builds(
        Match,
        path=st.one_of(
            st.none(),
            st.tuples(st.sampled_from(["Exact", "PathPrefix"]), st.sampled_from(["/a", "/b", "/cc", "/"])),
        ),
        method=st.sampled_from(["", "GET", "POST"]),
        headers=st.sampled_from([(), (("x", "1"),)]),
        source_ips=st.sampled_from([(), ("10.0.0.0/8",), ("10.0.0.0/8", "192.0.2.0/24", "198.51.100.0/24")]),
    ),
    min_size=1,
    max_size=5,
)


@given(MATCHES, HOSTS)
@settings(max_examples=200)
def test_the_rules_cover_exactly_the_product(matches: list[Match], hostnames: list[str]) -> None:
    """Every (host, path, method, source) combination that a match allows is in some rule, no other is."""
    wanted: set[tuple[object, ...]] = set()
    for match in matches:
        kind, value = match.path or ("PathPrefix", "/")
        paths = [value] if kind == "Exact" else ["/*"] if value == "/" else [value, f"{value}/*"]
        wanted |= {
            (h, p, match.method, s, frozenset(match.headers))
            for h in hostnames or [""]
            for p in paths
            for s in match.source_ips or ("",)
        }
    covered: set[tuple[object, ...]] = set()
    for rule in conditions(*matches, hostnames=tuple(hostnames)):
        assert 1 <= sum(_count(c) for c in rule) <= VALUES_PER_RULE
        by_field = {c["Field"]: c for c in rule if c["Field"] != "http-header"}
        headers = frozenset(
            (c["HttpHeaderConfig"]["HttpHeaderName"], c["HttpHeaderConfig"]["Values"][0])
            for c in rule
            if c["Field"] == "http-header"
        )
        values = [
            by_field.get("host-header", {}).get("HostHeaderConfig", {}).get("Values", [""]),
            by_field.get("path-pattern", {}).get("PathPatternConfig", {}).get("Values", ["/*"]),
            by_field.get("http-request-method", {}).get("HttpRequestMethodConfig", {}).get("Values", [""]),
            by_field.get("source-ip", {}).get("SourceIpConfig", {}).get("Values", [""]),
        ]
        covered |= {(*combination, headers) for combination in itertools.product(*values)}
    # A match without a method covers the same path with any method.
    wanted = {w for w in wanted if not (w[2] and (w[0], w[1], "", w[3], w[4]) in wanted)}
    covered = {c for c in covered if not (c[2] and (c[0], c[1], "", c[3], c[4]) in covered)}
    assert covered == wanted


def _count(condition: dict[str, Any]) -> int:
    config = next(value for name, value in condition.items() if name.endswith("Config"))
    return len(config.get("Values", ())) + len(config.get("RegexValues", ()))


def test_awss_answer_equals_what_was_asked() -> None:
    """The legacy `Values` that AWS adds, and the order of values, make no difference."""
    asked = [host("a.io", "b.io"), path("/a", "/a/*")]
    answered = [
        {"Field": "path-pattern", "Values": ["/a/*", "/a"], "PathPatternConfig": {"Values": ["/a/*", "/a"]}},
        {
            "Field": "host-header",
            "Values": ["b.io", "a.io"],
            "HostHeaderConfig": {"Values": ["b.io", "a.io"]},
        },
    ]
    assert canonical(asked) == canonical(answered)
