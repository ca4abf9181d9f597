"""The weights as a picture: on a terminal one that moves, elsewhere a line whenever something changes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sluice_sandbox.demo.report import Report
from sluice_sandbox.demo.stage import DemoFailed
from sluice_sandbox.demo.weights import Look, Watcher

_EVERY_S = 0.25
_BAR = 40


def follow(
    report: Report, watcher: Watcher, *, title: str, done: Callable[[Look], bool], within: float
) -> Look:
    """Show the weights until `done`; return the last look. Raises DemoFailed after `within` seconds."""
    began, last = time.monotonic(), ""
    console = Console()
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            look = watcher.look()
            if console.is_terminal:
                live.update(picture(look, title=title, seconds=time.monotonic() - began), refresh=True)
            changed = f"{look.step} {look.doing} {look.desired} {look.configured}"
            if changed != last:
                last = changed
                if not console.is_terminal:
                    report.say(line(look))
            if done(look):
                break
            if time.monotonic() - began > within:
                raise DemoFailed(f"“{title}” did not end within {within:g} s; it stands at: {line(look)}")
            time.sleep(_EVERY_S)
        if console.is_terminal:
            # What is left of the picture when it goes.
            live.console.print(picture(look, title=title, seconds=time.monotonic() - began))
    sys.stdout.flush()
    return look


def line(look: Look) -> str:
    """Return a look as one line."""
    shares = "  ".join(
        f"{name} {_share(value):>6}"
        for name, value in (
            ("desired", look.desired),
            ("configured", look.configured),
            ("observed", look.observed),
        )
    )
    where = f"step {look.step}: " if look.step else ""
    return f"{look.name} slot {look.slot}  {shares} of {look.requests:3d}  {where}{look.doing}"


def picture(look: Look, *, title: str, seconds: float) -> RenderableType:
    """Return a look as bars: what is desired, what the rules say, what the load balancer counted."""
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right")
    table.add_column(width=_BAR)
    table.add_column(justify="right")
    for name, value, style in (
        ("desired", look.desired, "cyan"),
        ("configured", look.configured, "green"),
        ("observed", look.observed, "magenta"),
    ):
        bar = ProgressBar(
            total=100, completed=value or 0, width=_BAR, complete_style=style, finished_style=style
        )
        table.add_row(name, bar, _share(value))
    step = f"step {look.step}: {look.doing}" if look.step else look.doing
    state = Text(f"{look.phase}  {step}  ", style="bold")
    state.append(f"{look.requests} requests in two seconds", style="dim")
    gates = [Text(f"  {gate}", style=_gate_style(gate), overflow="ellipsis") for gate in look.gates[:3]]
    return Panel(
        Group(state, table, *gates),
        title=f"{title}: slot {look.slot} of {look.name}",
        subtitle=f"{seconds:.0f} s",
        width=78,
    )


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}%"


def _gate_style(gate: str) -> str:
    if ": Failed" in gate:
        return "red"
    return "green" if ": Passed" in gate else "yellow"
