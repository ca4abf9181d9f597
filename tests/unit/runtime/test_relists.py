"""A watch that had to list again is counted, once per list and kind."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from sluice.runtime.relists import GAP, Relists


@dataclass
class Clock:
    """Time that a test moves."""

    at: float = 100.0

    def now(self) -> float:
        """Return the same as monotonic."""
        return self.at

    def monotonic(self) -> float:
        """Return where the test is."""
        return self.at


@pytest.mark.parametrize(
    ("gaps", "restarts"),
    [
        pytest.param([0.0] * 50, 0, id="the first list is none"),
        pytest.param([0.0, 0.01, 0.02], 0, id="objects of one list come behind each other"),
        pytest.param([0.0, 0.01, GAP + 1, 0.01, 0.01], 1, id="a list after a silence"),
        pytest.param([0.0, 300, 300], 2, id="each list counts, of one object, too"),
    ],
)
def test_lists_after_the_first_are_counted(gaps: list[float], restarts: int) -> None:
    """Each list after a silence is one restart of that kind's watch."""
    clock, counted = Clock(), []
    relists = Relists(clock, counted.append)
    for gap in gaps:
        clock.at += gap
        relists.listed("Deployment")
    assert counted == ["Deployment"] * restarts


def test_kinds_are_watched_apart() -> None:
    """The other kind's first list is no restart, however late it comes."""
    clock, counted = Clock(), []
    relists = Relists(clock, counted.append)
    relists.listed("Deployment")
    clock.at += 100
    relists.listed("ServiceRoute")
    assert counted == []
