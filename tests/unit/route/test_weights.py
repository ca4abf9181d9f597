"""Composed weights: what a rule must say so that requests split as the shares do."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.model.errors import Refused
from sluice.plan.route.weights import (
    ALONE,
    compose,
    forward_weights,
    largest_remainder,
    sticky_seconds,
    with_forward,
)


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        pytest.param([(1, {"a": 100})], {"a": ALONE}, id="one backend alone"),
        pytest.param([(1, {"a": 100, "b": 0})], {"a": ALONE}, id="a slot of zero is left out"),
        pytest.param([(1, {"a": 1}), (1, {"b": 1})], {"a": 50, "b": 50}, id="two halves"),
        pytest.param([(90, {"a": 1}), (10, {"b": 1})], {"a": 90, "b": 10}, id="percents are parts of 100"),
        pytest.param([(1, {"a": 1}), (2, {"b": 1})], {"a": 333, "b": 667}, id="thirds are parts of 1000"),
        pytest.param([(0, {"a": 1}), (5, {"b": 1})], {"b": ALONE}, id="a backend of weight 0 gets nothing"),
        pytest.param(
            [(1, {"a": 95, "b": 5}), (1, {"c": 1})],
            {"a": 475, "b": 25, "c": 500},
            id="slot share times backend share",
        ),
        pytest.param([(1, {"a": 1}), (3, {"a": 1})], {"a": ALONE}, id="the same group twice is one"),
    ],
)
def test_compose(shares: list[tuple[int, dict[str, int]]], expected: dict[str, int]) -> None:
    """Static and slot shares multiply; exact hundredths stay hundredths."""
    assert compose(shares) == expected


def test_nothing_for_anybody_is_refused() -> None:
    """An all-zero forward is never written: ALB would answer 503 to everything."""
    with pytest.raises(Refused, match="weight 0"):
        compose([(0, {"a": 1}), (0, {"b": 1})])


def test_six_target_groups_are_refused() -> None:
    """ALB takes five target groups in a forward action, and the refusal counts them."""
    with pytest.raises(Refused, match="need 6 target groups"):
        compose([(1, {f"g{n}": 1 for n in range(6)})])


SHARES = st.lists(st.integers(0, 999), min_size=2, max_size=5).filter(lambda w: sum(1 for x in w if x) >= 2)


@given(SHARES)
def test_largest_remainder_laws(weights: list[int]) -> None:
    """The parts sum to the total, no share vanishes, none is off by more than one part and its lifts."""
    total = sum(weights)
    shares = {f"g{n}": Fraction(w, total) for n, w in enumerate(weights) if w}
    parts = largest_remainder(shares, total=1000)
    assert sum(parts.values()) == 1000
    assert all(1 <= part <= 999 for part in parts.values())
    assert all(abs(parts[name] - share * 1000) < len(shares) for name, share in shares.items())


@given(st.permutations([("a", 7), ("b", 7), ("c", 7), ("d", 79)]))
def test_order_does_not_matter(pairs: list[tuple[str, int]]) -> None:
    """The same shares give the same parts whatever order they come in."""
    expected = largest_remainder({n: Fraction(w, 100) for n, w in sorted(pairs)}, total=1000)
    assert largest_remainder({n: Fraction(w, 100) for n, w in pairs}, total=1000) == expected


def test_modifying_keeps_what_is_not_ours() -> None:
    """Authentication, Order and stickiness survive; only the target groups of the forward change."""
    actions: list[dict[str, Any]] = [
        {"Type": "authenticate-oidc", "Order": 1, "AuthenticateOidcConfig": {"ClientId": "x"}},
        {
            "Type": "forward",
            "Order": 2,
            "TargetGroupArn": "old",
            "ForwardConfig": {
                "TargetGroups": [{"TargetGroupArn": "old", "Weight": 1}],
                "TargetGroupStickinessConfig": {"Enabled": True, "DurationSeconds": 60},
            },
        },
    ]
    changed = with_forward(actions, {"new": 30, "old": 70})
    # DescribeRules leaves the secret out; without this word ModifyRule would ask for it.
    secret = {"ClientId": "x", "UseExistingClientSecret": True}
    assert changed[0] == actions[0] | {"AuthenticateOidcConfig": secret}
    assert changed[1]["Order"] == 2
    assert "TargetGroupArn" not in changed[1]
    assert changed[1]["ForwardConfig"] == {
        "TargetGroups": [{"TargetGroupArn": "new", "Weight": 30}, {"TargetGroupArn": "old", "Weight": 70}],
        "TargetGroupStickinessConfig": {"Enabled": True, "DurationSeconds": 60},
    }
    assert forward_weights(changed) == {"new": 30, "old": 70}


def test_a_redirect_put_there_by_hand_is_replaced() -> None:
    """What answers instead of a forward is not kept beside it."""
    actions = [{"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301"}}]
    assert forward_weights(actions) is None
    assert [action["Type"] for action in with_forward(actions, {"a": 1})] == ["forward"]


STICKY = {"TargetGroupStickinessConfig": {"Enabled": True, "DurationSeconds": 60}}


@pytest.mark.parametrize(
    ("sticky", "left"),
    [
        pytest.param(None, 60, id="not ours: stays"),
        pytest.param(300, 300, id="the spec's"),
        pytest.param(0, 0, id="ended"),
    ],
)
def test_session_persistence(sticky: int | None, left: int) -> None:
    """It is written as the spec says, ended with a survivor alone, and left where it is not ours."""
    actions = [
        {
            "Type": "forward",
            "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": "a", "Weight": 1}]} | STICKY,
        }
    ]
    assert sticky_seconds(with_forward(actions, {"a": 1, "b": 1}, sticky=sticky)) == left


PERMILLE = {
    "whole percent": ({"a": 950, "b": 50}, {"a": 95, "b": 5}),
    "half a percent": ({"a": 995, "b": 5}, {"a": 995, "b": 5}),
    "a thousandth": ({"a": 999, "b": 1}, {"a": 999, "b": 1}),
    "all": ({"a": 0, "b": 1000}, {"b": 1}),
    "nothing": ({"a": 1000, "b": 0}, {"a": 1}),
}


@pytest.mark.parametrize("name", PERMILLE)
def test_permille_of_slots(name: str) -> None:
    """Parts of 100 where that is exact, else of 1000, never above ALB's 999; a survivor stands alone."""
    slots, written = PERMILLE[name]
    assert compose([(1, slots)]) == written


def test_two_rollouts_in_one_rule() -> None:
    """Static shares times slot shares; a small share is never rounded away."""
    weights = compose([(1, {"web-a": 995, "web-b": 5}), (3, {"pay-a": 900, "pay-b": 100})])
    assert weights == {"web-a": 249, "web-b": 1, "pay-a": 675, "pay-b": 75}
    assert sum(weights.values()) == 1000
