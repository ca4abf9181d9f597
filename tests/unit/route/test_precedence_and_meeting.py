"""Which rule goes first, as the text in its tag, and which rules never meet: for those it does not matter."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.model.errors import Refused
from sluice.plan.route.conditions import alb_matches, values_in
from sluice.plan.route.intent import Match, RouteIntent, RuleIntent, host_class, precedence
from sluice.plan.route.overlap import overlap
from unit.route.standing import path


def ranks(match: Match, *hostnames: str, index: int = 0) -> list[tuple[str, int]]:
    """Return the precedence and the number of condition values of each ALB rule of a match."""
    rule = RuleIntent(name="main", matches=(match,), backends=())
    route = RouteIntent(hostnames=hostnames, rules=(rule,), age="2027/shop/web")
    return [
        (found.precedence, values_in(found.conditions)) for found in alb_matches(route, rule, index=index)
    ]


REST = "1.99.99.1.2027/shop/web.000.000"
X = (("x", "1"),)


@pytest.mark.parametrize(
    ("match", "hostnames", "expected"),
    [
        pytest.param(Match(), (), f"2999.3000.{REST}", id="everything"),
        pytest.param(Match(path=("PathPrefix", "/")), (), f"2999.3000.{REST}", id="the prefix of every path"),
        pytest.param(Match(path=("Exact", "/")), (), f"2999.0998.{REST}", id="an exact path"),
        pytest.param(Match(path=("Exact", "/shop")), (), f"2999.0994.{REST}", id="a longer one"),
        pytest.param(Match(path=("PathPrefix", "/shop")), (), f"2999.1994.{REST}", id="a prefix"),
        pytest.param(
            Match(path=("PathPrefix", "/" + "a" * 998)), (), f"2999.1000.{REST}", id="a long prefix"
        ),
        pytest.param(
            Match(path=("PathPrefix", "/" + "a" * 1_200)), (), f"2999.1000.{REST}", id="the longest"
        ),
        pytest.param(Match(path=("RegularExpression", "/v.")), (), f"2999.2996.{REST}", id="a regex"),
        pytest.param(Match(), ("a.io", "long.io"), f"0992.3000.{REST}", id="names: the longest counts"),
        pytest.param(Match(), ("*.a.io",), f"1993.3000.{REST}", id="a wildcard"),
        pytest.param(
            Match(method="GET"), (), "2999.3000.0.99.99.1.2027/shop/web.000.000", id="a method narrows"
        ),
        pytest.param(
            Match(headers=X, regex_headers=(("y", "^"), ("z", "^"))),
            (),
            "2999.3000.1.96.99.1.2027/shop/web.000.000",
            id="headers of both kinds narrow",
        ),
        pytest.param(
            Match(query=(("a", "1"), ("b", "2"))),
            (),
            "2999.3000.1.99.97.1.2027/shop/web.000.000",
            id="query parameters narrow",
        ),
        pytest.param(
            Match(source_ips=("10.0.0.0/8",)),
            (),
            "2999.3000.1.99.99.0.2027/shop/web.000.000",
            id="a source address narrows",
        ),
    ],
)
def test_the_text_of_precedence(match: Match, hostnames: tuple[str, ...], expected: str) -> None:
    """The rules of other routes, and of other versions, are compared with it as text: it stays what it is."""
    assert [rank for rank, _ in ranks(match, *hostnames)] == [expected]


def test_precedence_is_gateway_apis() -> None:
    """Host, path, method, headers, query, then the older route, then the order inside it."""

    def rank(
        match: Match, *, hosts: Any = "none", longest: int = 0, age: str = "2027", order: str = "0"
    ) -> str:
        return precedence(match, host=hosts, longest_host=longest, age=age, order=order)

    prefix = Match(path=("PathPrefix", "/shop"))
    first_to_last = [
        rank(Match(), hosts="exact", longest=4),
        rank(Match(), hosts="wildcard", longest=9),
        rank(Match(), hosts="wildcard", longest=6),
        rank(Match(path=("Exact", "/shop"))),
        rank(Match(path=("PathPrefix", "/shop/cart"))),
        rank(Match(path=("PathPrefix", "/shop"), method="GET", headers=X)),
        rank(Match(path=("PathPrefix", "/shop"), method="GET")),
        rank(Match(path=("PathPrefix", "/shop"), headers=(("x", "1"), ("y", "1")))),
        rank(Match(path=("PathPrefix", "/shop"), headers=X, query=X)),
        rank(Match(path=("PathPrefix", "/shop"), headers=X)),
        rank(Match(path=("PathPrefix", "/shop"), query=X)),
        rank(prefix, age="2026"),
        rank(prefix, order="0"),
        rank(prefix, order="1"),
        rank(Match(path=("RegularExpression", "/shop/cart/.*"))),
        rank(Match()),
    ]
    assert first_to_last == sorted(first_to_last)
    assert len(set(first_to_last)) == len(first_to_last)


@pytest.mark.parametrize(("hostname", "kind"), [("", "none"), ("a.io", "exact"), ("*.a.io", "wildcard")])
def test_how_specific_a_hostname_is(hostname: str, kind: str) -> None:
    """`*` is what makes a wildcard."""
    assert host_class(hostname) == kind


def test_names_share_rules_and_wildcards_of_one_length_do() -> None:
    """A longer wildcard goes before a shorter one, so they are in rules of their own."""
    found = ranks(Match(), "a.io", "*.a.io", "*.b.io", "long.b.io", "*.long.io", index=7)
    rest = "3000.1.99.99.1.2027/shop/web.007.000"
    assert found == [(f"0990.{rest}", 2), (f"1990.{rest}", 1), (f"1993.{rest}", 2)]


def test_the_arithmetic_of_a_match_that_no_rule_can_hold() -> None:
    """Each header and parameter, and one value of each other kind."""
    match = Match(path=("Exact", "/a"), method="GET", headers=X, query=(("a", "1"), ("b", "2"), ("c", "3")))
    with pytest.raises(Refused) as refused:
        ranks(match, "a.io")
    assert refused.value.message == (
        "spec.rules[main]: one match needs 7 condition values (4 for headers and query parameters, one each "
        "for hosts, paths, methods), an ALB rule has 5; use fewer headers or query parameters"
    )


def host(*values: str) -> dict[str, Any]:
    """Return a host condition."""
    return {"Field": "host-header", "HostHeaderConfig": {"Values": list(values)}}


def method(*values: str) -> dict[str, Any]:
    """Return a method condition."""
    return {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": list(values)}}


def header(value: str) -> dict[str, Any]:
    """Return a header condition."""
    return {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "x", "Values": [value]}}


REGEX = {"Field": "path-pattern", "PathPatternConfig": {"RegexValues": ["^/v[0-9]+$"]}}


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        pytest.param(REGEX, path("/b"), True, id="a regular expression may match anything"),
        pytest.param(header("1"), header("2"), True, id="other headers: a request may have both"),
        pytest.param(method("GET"), method("POST"), False, id="other methods"),
        pytest.param(host("*.shop.io"), host("*.eu.shop.io"), True, id="a wildcard inside another"),
        pytest.param(host("*.shop.io"), host("*.shop.com"), False, id="wildcards with other ends"),
        pytest.param(path("/cart/*/x"), path("/cart/eu/*"), True, id="a longer begin and any end"),
        pytest.param(path("/cart/*"), path("/shop/*"), False, id="other begins"),
        pytest.param(path("/*/cart"), path("/*/shop"), False, id="other ends"),
        pytest.param(path("/a?b*"), path("/axb*"), True, id="one character of any kind in the middle"),
        pytest.param(path("/a*b?"), path("/axbc"), True, id="both wildcards in one"),
        pytest.param(path("/a?"), path("/ab"), True, id="one character of any kind"),
        pytest.param(path("/a?"), path("/abc"), False, id="not two of them"),
        pytest.param(path("/a[b]*"), path("/ab"), False, id="a bracket is itself"),
        pytest.param(path("/a[b]*"), path("/a[b]c"), True, id="a bracket meets itself"),
    ],
)
def test_which_rules_meet(one: dict[str, Any], other: dict[str, Any], *, meet: bool) -> None:
    """What cannot be told apart cheaply meets."""
    assert overlap([one], [other]) is meet
    assert overlap([other], [one]) is meet
