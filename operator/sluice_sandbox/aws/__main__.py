"""`python -m sluice_sandbox.aws`: the AWS side alone, until SIGTERM or SIGINT.

The endpoint URL stands alone on the first line of standard output; everything works once it is printed.
Logs go to standard error.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from pathlib import Path

import click

from sluice_sandbox.aws.estate import ACCOUNT, REGION
from sluice_sandbox.aws.side import AwsSide, Settings


@click.command()
@click.option("--port", default=0, show_default=True, help="Port of the endpoint; 0 takes a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--speed", default=1.0, show_default=True, help="World seconds per real second.")
@click.option("--seed", default=0, show_default=True, help="Seed of ids, weights and faults.")
@click.option("--account", default=ACCOUNT, show_default=True, help="Account of callers without a known key.")
@click.option("--region", default=REGION, show_default=True, help="Region of the estate.")
@click.option(
    "--estate", "estate_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the estate here."
)
@click.option("--no-estate", is_flag=True, help="Start with nothing in the account.")
@click.option(
    "--twins/--no-twins",
    default=True,
    show_default=True,
    help="Answer DNS with the loopback addresses of tasks, or with those that AWS would answer.",
)
@click.option(
    "--end-with-stdin", is_flag=True, help="Also end when standard input is closed (by the parent's death)."
)
def main(
    *,
    port: int,
    host: str,
    speed: float,
    seed: int,
    account: str,
    region: str,
    estate_file: Path | None,
    no_estate: bool,
    twins: bool,
    end_with_stdin: bool,
) -> None:
    """Run the stand-in for AWS on one port of this machine."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    settings = Settings(
        host=host,
        port=port,
        speed=speed,
        seed=seed,
        account=account,
        region=region,
        with_estate=not no_estate,
        twins=twins,
    )
    try:
        asyncio.run(_run(AwsSide(settings), estate_file=estate_file, end_with_stdin=end_with_stdin))
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error


async def _run(side: AwsSide, *, estate_file: Path | None, end_with_stdin: bool) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    if end_with_stdin:

        def read_stdin() -> None:
            if not os.read(sys.stdin.fileno(), 4096):
                loop.remove_reader(sys.stdin.fileno())
                ended.set()

        loop.add_reader(sys.stdin.fileno(), read_stdin)
    await side.start()
    try:
        if estate_file is not None:
            _write_estate(estate_file, side)
        click.echo(side.url)
        await ended.wait()
    finally:
        await side.stop()


def _write_estate(file: Path, side: AwsSide) -> None:
    file.write_text(json.dumps(side.estate, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(prog_name="python -m sluice_sandbox.aws")
