"""Shares of entries at their bounds: what is missing, how many answers stay, and which of two is nearer."""

from __future__ import annotations

import pytest

from sluice.plan.discovery.shares import Shares, shares


@pytest.mark.parametrize(
    ("healthy", "desired", "short", "least"),
    [
        pytest.param(0, None, False, 0, id="none, and it is not known how many are wanted"),
        pytest.param(0, 0, False, 0, id="none, and none is wanted"),
        pytest.param(0, 1, True, 1, id="none, and one is wanted"),
        pytest.param(1, 5, False, 5, id="one of five"),
        pytest.param(5, 1, False, 5, id="more than are wanted"),
    ],
)
def test_a_slot_alone(healthy: int, desired: int | None, least: int, *, short: bool) -> None:
    """All of it answer; nothing else goes before as many answer as there are or are wanted."""
    found = shares({"a": 100}, healthy={"a": healthy}, desired={"a": desired})
    assert found == Shares(counts={"a": healthy}, short=short, least=least)


@pytest.mark.parametrize(
    ("weights", "healthy", "desired", "expected", "short", "least"),
    [
        pytest.param((90, 10), (0, 0), (None, None), (0, 0), True, 0, id="nobody, nobody known"),
        pytest.param((90, 10), (9, 1), (9, 1), (9, 1), False, 10, id="as it is meant"),
        pytest.param((90, 10), (9, 0), (9, 1), (9, 0), True, 10, id="no candidate"),
        pytest.param((90, 10), (0, 1), (9, 1), (0, 1), True, 10, id="no live task"),
        pytest.param((50, 50), (4, 2), (4, 4), (2, 2), True, 8, id="the candidate lacks two"),
        pytest.param((50, 50), (4, 4), (4, None), (4, 4), False, 8, id="not known: what there is"),
        pytest.param((1, 99), (5, 9), (5, 9), (1, 9), False, 10, id="one of those that have least"),
        pytest.param((99, 1), (9, 5), (9, 5), (9, 1), False, 10, id="one of those that have least, turned"),
        pytest.param((60, 40), (10, 3), (10, 3), (7, 3), False, 10, id="as many as the larger has"),
        pytest.param((40, 60), (3, 10), (3, 10), (3, 7), False, 10, id="as many as the larger has, turned"),
        pytest.param((50, 50), (3, 9), (3, 9), (3, 6), False, 9, id="capacity before the weights"),
        pytest.param((50, 50), (9, 3), (9, 3), (6, 3), False, 9, id="capacity before the weights, turned"),
        pytest.param((33, 67), (4, 8), (4, 8), (4, 8), False, 12, id="the most entries that are as near"),
        pytest.param((75, 25), (6, 6), (6, 6), (6, 2), False, 8, id="exact by leaving out"),
        pytest.param((50, 50), (1, 1), (1, 1), (1, 1), False, 2, id="one of each"),
        pytest.param((2, 1), (3, 2), (3, 2), (2, 1), False, 3, id="exact, as many as the larger has"),
        pytest.param((5, 3), (4, 4), (4, 4), (3, 2), False, 5, id="the nearest"),
        pytest.param((3, 5), (4, 4), (4, 4), (2, 3), False, 5, id="the nearest, turned"),
    ],
)
def test_two_slots(
    weights: tuple[int, int],
    healthy: tuple[int, int],
    desired: tuple[int | None, int | None],
    expected: tuple[int, int],
    least: int,
    *,
    short: bool,
) -> None:
    """Entries of both, whether they prove the weights, and the answers that stay while others go."""
    found = shares(
        dict(zip("ab", weights, strict=True)),
        healthy=dict(zip("ab", healthy, strict=True)),
        desired=dict(zip("ab", desired, strict=True)),
    )
    assert found == Shares(counts=dict(zip("ab", expected, strict=True)), short=short, least=least)
