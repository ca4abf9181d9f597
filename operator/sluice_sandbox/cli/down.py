"""`sluice sandbox down`: end exactly what `up` started in this directory."""

from __future__ import annotations

from pathlib import Path

import click

from sluice_sandbox.cli.directory import directory_option
from sluice_sandbox.controlplane.errors import ControlPlaneError
from sluice_sandbox.sandbox import Sandbox, SandboxError


@click.command()
@directory_option
def down(*, directory: Path) -> None:
    """End a sandbox; harmless when none runs."""
    sandbox = Sandbox(directory)
    try:
        ended = sandbox.down()
    except (SandboxError, ControlPlaneError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Ended {', '.join(ended)}." if ended else f"No sandbox runs in {sandbox.directory}.")
