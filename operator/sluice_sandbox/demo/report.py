"""What the demo says: a line as each thing happens, the figures at its end, as text and as JSON."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

import click


@dataclass
class Report:
    """Collects what was measured while the story is told."""

    figures: dict[str, float | int | str] = field(default_factory=dict)
    _began: float = field(default_factory=time.monotonic)

    def act(self, title: str) -> None:
        """Begin an act."""
        click.echo()
        click.secho(f"== {title}", bold=True)

    def say(self, text: str) -> None:
        """Tell what happened, with the seconds since the demo began."""
        for line in text.rstrip().splitlines():
            click.echo(f"{time.monotonic() - self._began:7.1f}s  {line}")

    def measured(self, name: str, value: float | str) -> None:
        """Keep a figure for the end; seconds are rounded to milliseconds."""
        self.figures[name] = round(value, 3) if isinstance(value, float) else value

    def end(self) -> None:
        """Print the figures."""
        self.measured("seconds in all", time.monotonic() - self._began)
        self.act("What was measured")
        width = max(len(name) for name in self.figures)
        for name, value in self.figures.items():
            click.echo(f"  {name.ljust(width)}  {value}")

    def as_json(self) -> str:
        """Return the figures as one JSON line."""
        return json.dumps(self.figures)


@dataclass(frozen=True, slots=True)
class Served:
    """What a load report says in total."""

    sent: int
    failed: int
    by_status: dict[str, int]
    by_image: dict[str, int]
    failures_by: dict[str, int]
    """Answers of 500 and above by image."""
    p99_seconds: float

    def lost(self, *, candidate: str = "") -> int:
        """Return what failed and was not answered by the candidate itself (an image)."""
        return self.failed - self.failures_by.get(candidate, 0)

    @classmethod
    def of(cls, report: dict[str, Any]) -> Served:
        """Read the JSON of `sluice sandbox load --json`."""
        statuses = {str(code): int(count) for code, count in report["statusCodes"].items()}
        sent = int(report["sent"]) + int(report["notSent"])
        good = sum(count for code, count in statuses.items() if code.startswith("2"))
        return cls(
            sent=sent,
            failed=sent - good,
            failures_by={str(image): int(count) for image, count in report["failuresBy"].items()},
            by_status=statuses,
            by_image={str(image): int(count) for image, count in report["images"].items()},
            p99_seconds=float(report["latencySeconds"]["p99"]),
        )
