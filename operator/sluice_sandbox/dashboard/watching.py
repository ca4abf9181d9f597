"""The demo's part of it: the page from the operator's start on, and time to look at it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from sluice_sandbox.demo.report import Report
from sluice_sandbox.demo.stage import Stage

RULES: Final = Path("helm/sluice/rules")
"""Of the chart, where the demo runs in the repository; elsewhere there are no alerts on the page."""


class Watching:
    """Two acts: `begin` once the operator runs, `end` before anything goes."""

    def __init__(self, stage: Stage, report: Report) -> None:
        """Use the demo's stage."""
        self._stage = stage
        self._report = report

    def begin(self) -> None:
        """Start Prometheus and the page, and say where it is."""
        self._report.act("Seen through its metrics alone")
        addresses = self._stage.start_dashboard(rule_files())
        self._report.say(f"page: {addresses['page']}/")
        self._report.say(f"Prometheus: {addresses['prometheus']}/")

    def end(self) -> None:
        """Let a person look for as long as they like; where nobody sits, go on."""
        if sys.stdin.isatty():
            click.prompt("The page stays until you press Enter", default="", show_default=False)


def rule_files(folder: Path = RULES) -> Sequence[Path]:
    """Return the chart's rule files."""
    return sorted(folder.glob("*.yaml"))
