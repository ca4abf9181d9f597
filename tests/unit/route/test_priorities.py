"""Where rules stand: in order with what they can meet, never wedged, never on somebody's number."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.model.errors import Refused
from sluice.plan.route.conditions import alb_matches
from sluice.plan.route.intent import Backend, Match, RouteIntent, RuleIntent
from sluice.plan.route.overlap import overlap
from sluice.plan.route.priorities import Ladder, Taken

RANGE = (1, 50_000)


def taken(match: Match, *, hostnames: tuple[str, ...] = (), age: str = "2027/shop/a") -> Taken:
    """Return the rule of one match as the ladder sees it."""
    rule = RuleIntent(name="main", matches=(match,), backends=(Backend(name="web", port="http"),))
    found = alb_matches(RouteIntent(hostnames=hostnames, rules=(rule,), age=age), rule, index=0)[0]
    return Taken(found.precedence, found.conditions)


def prefix(path: str) -> Match:
    """Return a prefix match."""
    return Match(path=("PathPrefix", path))


def path(*values: str) -> list[dict[str, Any]]:
    """Return a path condition."""
    return [{"Field": "path-pattern", "PathPatternConfig": {"Values": list(values)}}]


def host(*values: str) -> list[dict[str, Any]]:
    """Return a host condition."""
    return [{"Field": "host-header", "HostHeaderConfig": {"Values": list(values)}}]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        pytest.param(path("/a"), path("/b"), False, id="other paths"),
        pytest.param(path("/a", "/a/*"), path("/a/b"), True, id="a path below a prefix"),
        pytest.param(path("/a", "/a/*"), path("/ab", "/ab/*"), False, id="a prefix is by element"),
        pytest.param(path("/a/*"), path("/a/b/*"), True, id="a prefix below a prefix"),
        pytest.param(path("/*"), path("/a"), True, id="any path"),
        pytest.param(host("a.io"), host("b.io"), False, id="other hosts"),
        pytest.param(host("A.io"), host("a.IO"), True, id="hosts in any case"),
        pytest.param(host("*.io"), host("a.io"), True, id="a wildcard host"),
        pytest.param(host("*.a.io"), host("*.b.io"), False, id="wildcards of other domains"),
        pytest.param(host("a.io") + path("/a"), path("/b"), False, id="any host but another path"),
        pytest.param(host("a.io"), path("/b"), True, id="nothing in common to compare"),
    ],
)
def test_overlap(one: list[dict[str, Any]], other: list[dict[str, Any]], *, expected: bool) -> None:
    """Each line says whether one request can satisfy both."""
    assert overlap(one, other) is expected
    assert overlap(other, one) is expected


def test_routes_made_together_never_wedge() -> None:
    """Ninety routes with paths of one length, in any order of their names, all find a place."""
    ladder = Ladder({}, reserved=RANGE, listener="sandbox:80")
    order = [(n * 37) % 90 for n in range(90)]
    placed = {ladder.place(taken(prefix(f"/svc-{n:02d}"), age=f"2027/shop/svc-{n:02d}")) for n in order}
    assert len(placed) == 90


def test_the_same_match_keeps_the_older_route_first() -> None:
    """Two routes ask for the same requests: the older one is evaluated first, whoever came first here."""
    ladder = Ladder({}, reserved=RANGE, listener="sandbox:80")
    younger = ladder.place(taken(prefix("/a"), age="2028/shop/b"))
    older = ladder.place(taken(prefix("/a"), age="2027/shop/a"))
    assert older < younger


PATHS = st.sampled_from(["/", "/a", "/a/b", "/a/b/c", "/b", "/b/c", "/longer/path", "/a/b/c/d/e"])
RULES = st.lists(
    st.builds(
        lambda p, exact, hosts: taken(
            Match(path=("Exact" if exact else "PathPrefix", p)), hostnames=hosts, age=f"2027/shop/{p}{hosts}"
        ),
        PATHS,
        st.booleans(),
        st.sampled_from([(), ("a.io",), ("*.io",), ("b.io",)]),
    ),
    unique_by=lambda rule: rule.precedence,
    max_size=25,
)


@given(RULES)
@settings(max_examples=100)
def test_rules_that_can_meet_stand_in_order(rules: list[Taken]) -> None:
    """Whatever the order of creation, of two rules that share requests the more specific comes first."""
    ladder = Ladder({}, reserved=RANGE, listener="sandbox:80")
    places = [(ladder.place(rule), rule) for rule in rules]
    assert len({number for number, _ in places}) == len(places)
    for number, rule in places:
        for other_number, other in places:
            if rule.precedence < other.precedence and overlap(rule.conditions, other.conditions):
                assert number < other_number


def test_twins_have_room() -> None:
    """The number before each production rule is nobody's: the test or header twin goes there."""
    ladder = Ladder({}, reserved=(10, 400), listener="sandbox:80")
    numbers = sorted(ladder.place(taken(prefix(f"/{n:03d}"), age=f"2027/{n}")) for n in range(60))
    assert all(later - earlier >= 2 for earlier, later in itertools.pairwise(numbers))
    assert numbers[0] > 10


def test_foreign_numbers_are_left_alone() -> None:
    """A rule that is not ours has no place in our order, and its number is not taken."""
    plain = Ladder({}, reserved=RANGE, listener="sandbox:80").place(taken(prefix("/a")))
    ladder = Ladder({plain: Taken(conditions=tuple(path("/a")))}, reserved=RANGE, listener="sandbox:80")
    assert abs(ladder.place(taken(prefix("/a"))) - plain) == 2


@pytest.mark.parametrize(
    ("wanted", "match"),
    [
        pytest.param(9, r"outside of the range 10-20", id="outside"),
        pytest.param(12, r"is taken by another rule", id="taken"),
    ],
)
def test_a_priority_that_cannot_be_had(wanted: int, match: str) -> None:
    """The refusal names the field, the listener and the range."""
    ladder = Ladder({12: Taken()}, reserved=(10, 20), listener="sandbox:80")
    with pytest.raises(Refused, match=match):
        ladder.claim(wanted, taken(prefix("/a")), field="spec.rules[main].priority")


def test_a_full_range_is_refused_with_the_arithmetic() -> None:
    """Every production number of the range is taken: the text counts and says what to do."""
    ladder = Ladder({n: Taken() for n in range(10, 21)}, reserved=(10, 20), listener="sandbox:80")
    with pytest.raises(Refused, match=r"range 10-20, 11 rules.*reserve a larger range"):
        ladder.place(taken(prefix("/a")))
