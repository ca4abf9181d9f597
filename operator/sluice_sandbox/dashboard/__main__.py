"""`python -m sluice_sandbox.dashboard`: say which programs are missing (`ensure`), or `serve`."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click
from aiohttp import web

from sluice_sandbox.controlplane.errors import ControlPlaneError
from sluice_sandbox.dashboard.page import application
from sluice_sandbox.dashboard.programs import PROGRAMS, locate
from sluice_sandbox.dashboard.prometheus import Prometheus, configuration


@click.group()
def main() -> None:
    """Prometheus over operators of the sandbox, and a page that draws rollouts from it."""


@main.command()
@click.argument("names", nargs=-1, type=click.Choice(tuple(PROGRAMS)))
def ensure(names: Sequence[str]) -> None:
    """Say where these programs are, all by default; fail with what to install when one is missing."""
    try:
        for name, path in locate(*(names or PROGRAMS)).items():
            click.echo(f"{name}\t{path}")
    except ControlPlaneError as error:
        raise click.ClickException(str(error)) from error


@main.command()
@click.option("--target", "targets", multiple=True, required=True, help="host:port of an operator's metrics.")
@click.option(
    "--rules",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Rule files for Prometheus.",
)
@click.option("--port", default=0, help="Of the page; 0 takes a free one.")
@click.option("--interval", default="1s", show_default=True, help="Between scrapes.")
@click.option("--end-with-stdin", is_flag=True, help="End when standard input ends, as with the parent.")
def serve(
    *, targets: Sequence[str], rules: Sequence[Path], port: int, interval: str, end_with_stdin: bool
) -> None:
    """Scrape, evaluate, serve; the first line on standard output is JSON with both addresses."""
    config = configuration(targets, rules=[path.absolute() for path in rules], interval=interval)
    try:
        with tempfile.TemporaryDirectory(prefix="sluice-prometheus-") as folder:
            asyncio.run(_serve(Prometheus(Path(folder), config), port=port, end_with_stdin=end_with_stdin))
    except (ControlPlaneError, OSError) as error:
        raise click.ClickException(str(error)) from error


async def _serve(prometheus: Prometheus, *, port: int, end_with_stdin: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if end_with_stdin:
        reader = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        ended = loop.create_task(reader.read())
        ended.add_done_callback(lambda _: stop.set())
    # Starting takes a second, in which nothing else is to be done here.
    with prometheus:
        runner = web.AppRunner(application(prometheus.url), access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        try:
            await site.start()
            address = runner.addresses[0]
            url = f"http://{address[0]}:{address[1]}"
            click.echo(json.dumps({"page": url, "prometheus": prometheus.url}))
            sys.stdout.flush()
            await stop.wait()
        finally:
            with suppress(asyncio.CancelledError):
                await runner.cleanup()


if __name__ == "__main__":
    main(prog_name="python -m sluice_sandbox.dashboard")
