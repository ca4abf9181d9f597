"""`python -m sluice_sandbox.controlplane`: get the programs (`ensure`), or say where they are (`where`)."""

from __future__ import annotations

import click

from sluice_sandbox.controlplane.errors import ControlPlaneError
from sluice_sandbox.controlplane.pins import OPTIONAL, PROGRAMS, REQUIRED
from sluice_sandbox.controlplane.provision import ensure
from sluice_sandbox.controlplane.resolve import find


def _names(_context: click.Context, _parameter: click.Parameter, value: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in value.split(",") if name.strip())
    unknown = [name for name in names if name not in OPTIONAL]
    if unknown:
        raise click.BadParameter(f"{', '.join(unknown)}: choose from {', '.join(OPTIONAL)}")
    return names


@click.group()
def main() -> None:
    """Programs of the sandbox's Kubernetes control plane: etcd, kube-apiserver, kubectl."""


@main.command("ensure")
@click.option(
    "--with", "more", default="", callback=_names, metavar="NAMES", help=f"Also: {','.join(OPTIONAL)}."
)
def ensure_command(more: tuple[str, ...]) -> None:
    """Find the programs, or fetch or build them once; quick when they are there."""
    try:
        paths = ensure((*REQUIRED, *more))
    except ControlPlaneError as error:
        raise click.ClickException(str(error)) from error
    for name, path in paths.items():
        click.echo(f"{name}\t{path}")


@main.command("where")
def where_command() -> None:
    """Show each program's file and what led to it; nothing is fetched or built."""
    for name, program in PROGRAMS.items():
        hit = find(program)
        place = f"{hit.path}\t({hit.origin})" if hit else "-\t(not here)"
        click.echo(f"{name}\t{program.version}\t{place}")


if __name__ == "__main__":
    main(prog_name="python -m sluice_sandbox.controlplane")
