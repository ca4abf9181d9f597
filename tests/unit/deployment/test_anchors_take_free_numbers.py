"""Which number of a listener an anchor takes, and what counts as a reference to a target group."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.desired import Desired
from sluice.model.errors import Refused
from sluice.plan.deployment.anchor import hosts, referenced
from sluice.plan.deployment.state import Anchor
from unit.deployment.test_anchors_stay_out_of_the_way import (
    ANCHOR,
    FIXED,
    SECOND,
    SINGLE,
    WISH,
    forward,
    on,
    plan,
    rule,
)
from unit.deployment.wishes import LISTENER, desired

# Numbers.


def number(wish: Desired, taken: Any, *known: Anchor, listener: str = LISTENER) -> int:
    """Return the number of a new anchor beside rules that have these."""
    rules = tuple({"RuleArn": str(n), "Priority": str(n), "Tags": {}} for n in taken)
    return plan(wish, {listener: rules}, *known).anchors[0].priority


def named(count: int, first: int, last: int) -> list[Desired]:
    """Return wishes of so many Deployments for the same range."""
    return [
        desired(
            key=dataclasses.replace(WISH.key, name=f"web-{n}"),
            backends=(on(LISTENER, priorities=(first, last)),),
        )
        for n in range(count)
    ]


@pytest.mark.parametrize(
    ("first", "last", "seats"),
    [
        pytest.param(100, 116, {114, 115, 116}, id="an eighth of sixteen, and the last"),
        pytest.param(1000, 1008, {1007, 1008}, id="of eight"),
        pytest.param(1, 5, {5}, id="of four"),
        pytest.param(9, 9, {9}, id="one number"),
    ],
)
def test_first_choices_fill_the_top_eighth(first: int, last: int, seats: set[int]) -> None:
    """All of it, so that Deployments which begin at once seldom meet, and nothing below."""
    assert {number(wish, ()) for wish in named(40, first, last)} == seats


def test_any_free_number_of_the_range_is_found() -> None:
    """Wherever it is, from wherever a Deployment begins; and none outside."""
    first, last = 7, 31
    for wish in named(8, first, last):
        for free in range(first, last + 1):
            assert number(wish, set(range(first, last + 1)) - {free}) == free
        with pytest.raises(Refused, match="reserved range 7-31"):
            number(wish, range(first, last + 1))


def test_each_listener_has_its_own_range() -> None:
    """The one that is reserved on the listener that the anchor hangs on."""
    wish = desired(backends=(on(LISTENER, priorities=(1, 5)), on(SECOND, priorities=(11, 15))))
    at_second = dataclasses.replace(ANCHOR, listener_arn=SECOND, priority=3, rule_arn="")
    assert number(wish, (3,), at_second, listener=SECOND) == 15
    assert number(wish, ()) == 5


def test_without_any_route_every_number_of_a_listener_may_be_used() -> None:
    """1 to 50,000 (ELB API, CreateRule): the rule was deleted by hand, and its number is somebody's now."""
    alone = desired()
    intent = dataclasses.replace(ANCHOR, priority=2)
    assert number(alone, range(2, 50_001), intent) == 1
    with pytest.raises(Refused):
        number(alone, range(1, 50_001), intent)


# References.


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        pytest.param([], False, id="no action"),
        pytest.param(FIXED, False, id="a fixed response"),
        pytest.param([{"Type": "authenticate-oidc"}, *forward("web-arn")], True, id="behind a login"),
        pytest.param(forward("old-arn", "web-arn"), True, id="one of two"),
        pytest.param(forward("old-arn"), False, id="another group"),
        pytest.param(SINGLE, True, id="the short form"),
        pytest.param([{"Type": "forward", "ForwardConfig": {"TargetGroups": None}}], False, id="no group"),
    ],
)
def test_what_refers_to_a_group(actions: list[dict[str, Any]], *, expected: bool) -> None:
    """Wherever it stands among the actions, and at whatever weight."""
    assert referenced(frozenset({"web-arn", "admin-arn"}), actions) is expected


def test_hosts_of_a_rule() -> None:
    """Both forms that AWS knows, and of the hosts alone."""
    found = rule(ANCHOR, "a")
    found["Conditions"] += [
        {"Field": "host-header", "Values": ["b", "c"]},
        {"Field": "path-pattern", "Values": ["/d"]},
        {"Field": "host-header", "HostHeaderConfig": {"RegexValues": ["e"]}},
    ]
    assert hosts(found) == ["a", "b", "c"]
