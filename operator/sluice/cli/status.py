"""`sluice status`: the tree of a Deployment, once, watched, or waited for."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Generator, Iterator

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from sluice.cli import tree
from sluice.cli.cluster import Cluster
from sluice.cli.judgement import EXITS, Judgement
from sluice.cli.looking import INTERVAL, Look, Looker, looks
from sluice.cli.names import deployment_name
from sluice.cli.options import connected, output, span, waiting
from sluice.cli.printing import as_json, echo_json
from sluice.cli.problem import INTERRUPTED, TIMEOUT


@click.command()
@click.argument("name", type=deployment_name)
@output
@click.option("-w", "--watch", is_flag=True, help="Go on showing it until control-C.")
@waiting("Until it is Ready, failed or waits for a person.", timeout="0s", shown="no limit")
@click.option(
    "--interval", type=span, default="1s", show_default=True, metavar="DURATION", help="Between two looks."
)
@connected
def status(
    name: str, *, cluster: Cluster, output: str, watch: bool, wait: bool, timeout: float, interval: float
) -> None:
    """Show what runs, what changes, how far it is and why it waits.

    With --wait the exit code is 0 for Ready (of the present generation), 1 for failed, 3 when --timeout
    is over, 4 when it waits for a person; without it 0. 2: nothing could be asked.
    """
    looker = Looker(cluster, name)
    if not (watch or wait):
        _print(looker.look(), output)
        return
    try:
        code = follow(
            looker, output=output, watch=watch, wait=wait, timeout=timeout if wait else 0, interval=interval
        )
    except KeyboardInterrupt:
        code = INTERRUPTED
    sys.exit(code)


def follow(
    looker: Looker,
    *,
    output: str = "table",
    watch: bool = False,
    wait: bool = True,
    timeout: float = 0,
    interval: float = INTERVAL,
) -> int:
    """Show changes until it is decided (`wait`) or for ever; return the exit code.

    `watch` on a terminal redraws the tree; otherwise each change is a line, and JSON a document: of each
    change with `watch`, of the end without.
    """
    found = looks(looker.look, interval=max(interval, 0.1), timeout=timeout, trouble=_trouble)
    redraw = watch and output == "table" and sys.stdout.isatty()
    last: Look | None = None
    # Closed before the end is told: what is printed while the tree is redrawn lands above it.
    with contextlib.closing(_redrawn(found) if redraw else _told(found, output=output, watch=watch)) as shown:
        for look in shown:
            last = look
            if wait and look.judgement.outcome in EXITS:
                break
    if last is None:
        return TIMEOUT
    judgement = last.judgement
    code = EXITS.get(judgement.outcome, TIMEOUT)
    if code == TIMEOUT:
        late = f"not decided within {timeout:g} s; {judgement.text}"
        judgement = Judgement(outcome=judgement.outcome, text=late)
    if output == "table":
        click.echo(f"{judgement.outcome}: {judgement.text}")
    elif not watch:
        echo_json(_document(last))
    return code


def _redrawn(found: Iterator[Look]) -> Generator[Look]:
    console = Console(highlight=False)
    with Live(console=console, auto_refresh=False) as live:
        for look in found:
            live.update(_text(look), refresh=True)
            yield look


def _told(found: Iterator[Look], *, output: str, watch: bool) -> Generator[Look]:
    before = ""
    for look in found:
        line = tree.summary(look.shown)
        if line != before:
            if output == "json":
                if watch:
                    echo_json(_document(look), compact=True)
            else:
                click.echo(f"{time.strftime('%H:%M:%S')} {line}")
        before = line
        yield look


def _print(look: Look, output: str) -> None:
    if output == "json":
        echo_json(_document(look))
        return
    Console(highlight=False, soft_wrap=True).print(_text(look))


def _text(look: Look) -> Text:
    lines = tree.tree(look.shown, now=time.time())
    return Text("\n").join(Text(line.text, style=line.style) for line in lines)


def _document(look: Look) -> object:
    return {**as_json(look.shown), "outcome": look.judgement.outcome, "waitsFor": look.judgement.text}


def _trouble(text: str) -> None:
    click.echo(f"still trying: {text}", err=True)
