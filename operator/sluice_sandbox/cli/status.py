"""`sluice sandbox status`: what runs in this directory; exit code 1 unless all of it does."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from sluice_sandbox.cli.directory import directory_option
from sluice_sandbox.sandbox import Sandbox


@click.command()
@directory_option
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def status(*, directory: Path, as_json: bool) -> None:
    """Say what of the sandbox runs."""
    found = Sandbox(directory).status()
    if as_json:
        content = {
            "directory": str(found.directory),
            "running": found.running,
            "endpoint": found.endpoint,
            "processes": found.processes,
        }
        click.echo(json.dumps(content, indent=2))
    elif found.processes:
        word = "running" if found.running else "broken: `sluice sandbox up` starts it again"
        click.echo(f"{found.directory}: {word}")
        for name, pid in found.processes.items():
            click.echo(f"  {name:24} pid {pid}")
        click.echo(
            f"  AWS endpoint {found.endpoint or '(none)'} {'answers' if found.answers else 'is silent'}"
        )
    else:
        click.echo(f"{found.directory}: not running")
    sys.exit(0 if found.running else 1)
