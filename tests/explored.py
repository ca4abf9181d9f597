"""What the explorations of a run went through, told at its end: the count is the evidence.

A test that explores prints `explored WHAT: NUMBER NOUN, NUMBER NOUN; whatever else`. pytest keeps what a
test that passed has printed to itself, so the lines of a whole run are added up here, file by file, with the
seconds that these tests took (`pytest_terminal_summary` in conftest.py prints them).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

_BEGINS = "explored "


class Report(Protocol):
    """What is needed of pytest's TestReport."""

    nodeid: str
    duration: float
    capstdout: str


@dataclass(slots=True)
class _Sum:
    tests: int = 0
    seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)


def told(reports: Iterable[Report]) -> list[str]:
    """Return a line per test file that explored anything, and one with the seconds of all; [] for none."""
    sums: dict[str, _Sum] = defaultdict(_Sum)
    for report in reports:
        counts = [_counts(line) for line in report.capstdout.splitlines() if line.startswith(_BEGINS)]
        if counts:
            found = sums[report.nodeid.partition("::")[0]]
            found.tests += 1
            found.seconds += report.duration
            found.counts.update(sum(counts, Counter()))
    if not sums:
        return []
    every = sum(found.seconds for found in sums.values())
    lines = [f"{path}: {_said(found.counts)} ({found.seconds:.0f} s)" for path, found in sorted(sums.items())]
    return [*lines, f"{every:.0f} s of exploring, all workers together"]


def _counts(line: str) -> Counter[str]:
    """Read the numbers of a line, by noun."""
    _, _, numbers = line.partition(": ")
    parts = (part.split(" ", 1) for part in numbers.partition(";")[0].split(", "))
    return Counter({noun: int(number) for number, noun in parts})


def _said(counts: Counter[str]) -> str:
    return ", ".join(f"{number:,} {noun}" for noun, number in counts.items())
