"""`sluice crds`: print the custom resource definitions of this version, for kubectl apply."""

from __future__ import annotations

from pathlib import Path

import click

from sluice.api.crdgen.crds import rendered, write


@click.command()
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Write one file each into this folder."
)
def crds(out: Path | None) -> None:
    """Print the custom resource definitions, made from the types of this version."""
    if out:
        for file in write(out):
            click.echo(file)
        return
    click.echo("---\n".join(rendered().values()), nl=False)
