"""What a run tells of its explorations."""

from __future__ import annotations

from dataclasses import dataclass

from explored import told


@dataclass
class Report:
    """As pytest's, as far as it is read."""

    nodeid: str
    duration: float
    capstdout: str


def test_lines_are_added_up_file_by_file() -> None:
    """Numbers of one noun are added; seconds are those of the tests that explored."""
    reports = [
        Report("a.py::one", 2.0, "noise\nexplored seeds 0, 1: 2 schedules, 30 events; calm\n"),
        Report("a.py::two", 3.4, "explored seeds 2, 3: 2 schedules, 1000 events\nexplored x: 1 ends"),
        Report("b.py::one", 1.0, "explored pair: 7 states; 3 moves deep, all promises hold"),
        Report("b.py::two", 9.0, "told nothing"),
    ]
    assert told(reports) == [
        "a.py: 4 schedules, 1,030 events, 1 ends (5 s)",
        "b.py: 7 states (1 s)",
        "6 s of exploring, all workers together",
    ]


def test_nothing_is_told_of_nothing() -> None:
    """A run without explorations says nothing of them."""
    assert told([Report("a.py::one", 2.0, "quiet")]) == []
