"""maxSurge and maxUnavailable become ECS's percentages such that ECS's rounding gives Kubernetes' numbers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.model.desired import Strategy
from sluice.model.errors import Refused
from sluice.plan.deployment.percentages import bounds, resolve

AMOUNTS = st.one_of(st.integers(0, 200), st.integers(0, 200).map(lambda percent: f"{percent}%"))


@pytest.mark.parametrize(
    ("surge", "unavailable", "count", "expected"),
    [
        pytest.param("100%", 0, 3, (100, 200), id="default"),
        pytest.param("25%", "25%", 4, (75, 125), id="quarter-of-four"),
        pytest.param("25%", "25%", 3, (100, 134), id="surge-up-unavailable-down"),
        pytest.param(1, 0, 3, (100, 134), id="one-more"),
        pytest.param(0, 1, 3, (66, 100), id="one-less"),
        pytest.param(0, "100%", 3, (0, 100), id="all-at-once"),
        pytest.param(0, "10%", 3, (66, 100), id="rounded-to-zero-means-one"),
        pytest.param(0, 50, 3, (0, 100), id="more-than-there-are"),
        pytest.param("100%", 0, 0, (100, 200), id="no-tasks"),
    ],
)
def test_bounds(surge: int | str, unavailable: int | str, count: int, expected: tuple[int, int]) -> None:
    """The pair is (minimumHealthyPercent, maximumPercent)."""
    assert bounds(Strategy(max_surge=surge, max_unavailable=unavailable), count) == expected


def test_both_zero_is_refused_with_the_field() -> None:
    """A deployment that could never move is refused, and the text names the fields and the cure."""
    with pytest.raises(Refused, match="maxSurge and maxUnavailable may not both be 0"):
        bounds(Strategy(max_surge=0, max_unavailable="0%"), 3)


def test_recreate_never_overlaps() -> None:
    """Recreate lets ECS stop everything and start nothing beside it."""
    assert bounds(Strategy(type="Recreate"), 3) == (0, 100)


@given(surge=AMOUNTS, unavailable=AMOUNTS, count=st.integers(1, 100))
def test_ecs_rounding_gives_kubernetes_numbers(surge: int | str, unavailable: int | str, count: int) -> None:
    """Up to a hundred tasks ECS may start and stop exactly as many as Kubernetes would."""
    if {str(surge).removesuffix("%"), str(unavailable).removesuffix("%")} == {"0"}:
        return
    more = resolve(surge, count, up=True)
    fewer = min(count, resolve(unavailable, count, up=False))
    if not more and not fewer:
        fewer = 1
    minimum, maximum = bounds(Strategy(max_surge=surge, max_unavailable=unavailable), count)
    assert math.floor(count * maximum / 100) == count + more
    assert math.ceil(count * minimum / 100) == count - fewer


@given(surge=AMOUNTS, unavailable=AMOUNTS, count=st.integers(1, 10_000))
def test_a_deployment_can_always_move(surge: int | str, unavailable: int | str, count: int) -> None:
    """Whatever is asked, ECS may stop or start at least one task."""
    if {str(surge).removesuffix("%"), str(unavailable).removesuffix("%")} == {"0"}:
        return
    minimum, maximum = bounds(Strategy(max_surge=surge, max_unavailable=unavailable), count)
    assert math.ceil(count * minimum / 100) < count or math.floor(count * maximum / 100) > count
