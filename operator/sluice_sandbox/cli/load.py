"""`sluice sandbox load`: open-loop requests, and who answered them, second by second."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from sluice_sandbox.cli.directory import directory_option
from sluice_sandbox.dataplane.load import MAX_DURATION, MAX_RATE, Plan, run
from sluice_sandbox.dataplane.load_report import Report, SecondReport
from sluice_sandbox.sandbox import Sandbox


@click.command()
@directory_option
@click.option("--url", default="", help="Where to; the sandbox's listener on port 80 when not given.")
@click.option("--host", default="", help="Host header (and TLS server name).")
@click.option("--path", default="", help="Path and query; the URL's own when not given.")
@click.option(
    "--rate", default=20.0, show_default=True, help=f"Requests a second, at most {MAX_RATE:.0f}; open loop."
)
@click.option("--duration", default=10.0, show_default=True, help=f"Seconds, at most {MAX_DURATION:.0f}.")
@click.option("--json", "as_json", is_flag=True, help="Print only the report, as JSON, at the end.")
def load(
    *, directory: Path, url: str, host: str, path: str, rate: float, duration: float, as_json: bool
) -> None:
    """Send load and report status codes, latency and the split by image, revision and slot.

    Ctrl-C or SIGTERM ends it early; the report is printed all the same.
    """
    try:
        plan = Plan(
            url=url or _listener_url(directory), rate=rate, duration_seconds=duration, host=host, path=path
        )
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    report = asyncio.run(_run(plan, quiet=as_json))
    click.echo(json.dumps(report.to_json(), indent=2) if as_json else _summary(report))


async def _run(plan: Plan, *, quiet: bool) -> Report:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return await run(plan, on_second=None if quiet else _tell, stop=stop)


def _listener_url(directory: Path) -> str:
    estate = Sandbox(directory).estate()
    if not estate:
        raise click.ClickException(
            f"No sandbox runs in {directory.absolute()}; start one with `sluice sandbox up`, or give --url."
        )
    return str(estate["loadBalancer"]["listeners"][0]["url"])


def _tell(second: SecondReport) -> None:
    who = second.slots or second.revisions or second.images
    errors = f"  errors {_counts(second.connection_errors)}" if second.connection_errors else ""
    worst = max(second.latencies, default=0.0) * 1000
    statuses = _counts(second.status_codes)
    click.echo(f"{second.second:5d} s  {statuses}  slowest {worst:6.1f} ms  {_counts(who)}{errors}")


def _summary(report: Report) -> str:
    figures = report.to_json()
    latency = "  ".join(f"{name} {value * 1000:.1f} ms" for name, value in figures["latencySeconds"].items())
    lines = [
        f"{figures['sent']} requests in {figures['durationSeconds']} s, {figures['failed']} failed"
        + (f", {figures['notSent']} not sent" if figures["notSent"] else ""),
        f"  status    {_counts(figures['statusCodes'])}",
        f"  latency   {latency}",
    ]
    lines += [
        f"  {name:9} {_counts(figures[name])}" for name in ("images", "revisions", "slots") if figures[name]
    ]
    if figures["connectionErrors"]:
        lines.append(f"  errors    {_counts(figures['connectionErrors'])}")
    return "\n".join(lines)


def _counts(counts: Mapping[Any, int]) -> str:
    return " ".join(f"{name}:{count}" for name, count in counts.items()) or "-"
