"""Wilson's interval and what is said of counted requests, at the very bounds."""

from __future__ import annotations

import pytest

from sluice.model.observed_share import Observation, interval, observed_share

TABLE: dict[str, tuple[int, int, float, tuple[float, float]]] = {
    "a tenth of a hundred": (10, 100, 1.96, (0.0552, 0.1744)),
    "half of ten": (5, 10, 1.96, (0.2366, 0.7634)),
    "none of ten": (0, 10, 1.96, (0.0, 0.2775)),
    "all of ten": (10, 10, 1.96, (0.7225, 1.0)),
    "one of ten": (1, 10, 1.96, (0.0179, 0.4042)),
    "none of none": (0, 0, 1.96, (0.0, 1.0)),
}


@pytest.mark.parametrize(("hits", "total", "z", "expected"), TABLE.values(), ids=TABLE)
def test_the_interval_is_the_one_in_the_books(
    hits: int, total: int, z: float, expected: tuple[float, float]
) -> None:
    """Worked out with the textbook's 1.96 (95 %), to four places; exactly 0 and 1 at the ends."""
    low, high = interval(hits, total, z=z)
    assert (low, high) == pytest.approx(expected, abs=5e-5)
    assert (low == 0.0) is (hits == 0)
    assert (high == 1.0) is (hits == total)


EVEN = {"a": 1, "b": 1}
BOUNDS: dict[str, tuple[dict[str, int], dict[str, int], bool]] = {
    "the last number that chance explains": ({"a": 5194, "b": 4806}, EVEN, True),
    "the first that it does not": ({"a": 5195, "b": 4805}, EVEN, False),
    "just enough requests": ({"a": 36}, EVEN, False),
    "one too few": ({"a": 35}, EVEN, True),
    "enough of a small share": ({"a": 100, "b": 100}, {"a": 95, "b": 5}, False),
    "too few of a small share": ({"a": 94, "b": 95}, {"a": 95, "b": 5}, True),
    "a slot that is at rest": ({"a": 1000}, {"a": 1, "b": 0}, True),
    "a slot that is at rest and has one request": ({"a": 999, "b": 1}, {"a": 1, "b": 0}, False),
    "a slot that nobody told of": ({"a": 1000}, {}, False),
    "nothing at all": ({}, {}, True),
}


@pytest.mark.parametrize(("counts", "expected", "consistent"), BOUNDS.values(), ids=BOUNDS)
def test_what_chance_explains(counts: dict[str, int], expected: dict[str, int], *, consistent: bool) -> None:
    """3.89 standard deviations (99.99 %), judged from a variance of 9 requests on."""
    assert observed_share(counts, expected).consistent is consistent


def test_what_is_shown_of_the_counts() -> None:
    """Every slot that has parts or requests, in permille, rounded."""
    assert observed_share({"a": 667, "c": 333}, {"a": 2, "b": 0, "c": 1}) == Observation(
        counts={"a": 667, "b": 0, "c": 333},
        requests=1000,
        shares={"a": 667, "b": 0, "c": 333},
        consistent=True,
        detail="as configured",
    )
    assert observed_share({"a": 100}, EVEN) == Observation(
        counts={"a": 100, "b": 0},
        requests=100,
        shares={"a": 1000, "b": 0},
        consistent=False,
        detail="a has 100.0% of 100 requests instead of 50.0%; b has 0.0% of 100 requests instead of 50.0%",
    )
    assert observed_share({"a": 999, "b": 1}, {"a": 1000}).detail == (
        "a has 99.9% of 1000 requests instead of 100.0%; b has 0.1% of 1000 requests instead of 0.0%"
    )
    assert observed_share({}, EVEN) == Observation(
        counts={"a": 0, "b": 0},
        requests=0,
        shares={"a": 0, "b": 0},
        consistent=True,
        detail="as configured",
    )
