"""`sluice`: one group, one verb per file, loaded when used.

Verbs of other distributions come through the entry-point group `sluice.cli` (the sandbox is one: the
product does not import it). `sluice --help` imports none of them: kopf, boto3 and the Kubernetes client
take a second that nobody who wants a list of verbs should wait for.
"""

from __future__ import annotations

import importlib
import io
import sys
from importlib import metadata
from typing import Final

import click

ENTRY_POINTS: Final = "sluice.cli"
_OWN: Final = {
    "operator": ("sluice.cli.operator", "operator", "Run the operator."),
    "crds": ("sluice.cli.crds", "crds", "Print the custom resource definitions."),
    "status": ("sluice.cli.status", "status", "Show, watch or wait for a Deployment."),
    "history": ("sluice.cli.history", "history", "List rollouts that are over, show their revisions."),
    "promote": ("sluice.cli.promote", "promote", "Go on where a person has to say so."),
    "abort": ("sluice.cli.abort", "abort", "End the rollout and go back."),
    "pause": ("sluice.cli.pause", "pause", "Hold the rollout."),
    "resume": ("sluice.cli.resume", "resume", "Let a paused rollout go on."),
    "retry": ("sluice.cli.retry", "retry", "Try a rejected revision again."),
    "undo": ("sluice.cli.undo", "undo", "Go back to an earlier revision."),
    "restart": ("sluice.cli.restart", "restart", "Replace every task."),
}


class Verbs(click.Group):
    """A group whose commands are imported when they run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all verbs, own and plugged in."""
        del ctx
        return sorted({*_OWN, *(point.name for point in metadata.entry_points(group=ENTRY_POINTS))})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one verb."""
        del ctx
        if cmd_name in _OWN:
            module, name, _ = _OWN[cmd_name]
            return _command(getattr(importlib.import_module(module), name), cmd_name)
        for point in metadata.entry_points(group=ENTRY_POINTS, name=cmd_name):
            try:
                return _command(point.load(), cmd_name)
            except ImportError as error:
                raise click.ClickException(
                    f"the verb {cmd_name} comes from {point.value}, which cannot be imported: {error}. "
                    "The sandbox needs its extra: pip install 'sluice-operator[sandbox]'"
                ) from error
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing them."""
        rows = [(name, _OWN[name][2] if name in _OWN else "(plug-in)") for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sluice-operator")
def main() -> None:
    """Run Amazon ECS from Kubernetes."""
    for stream in (sys.stdout, sys.stderr):  # a terminal or a log that has no tree lines gets "?" for them
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def kubectl() -> None:
    """Run as `kubectl sluice`: kubectl takes the program `kubectl-sluice` on the PATH for a plug-in."""
    main(prog_name="kubectl sluice")


def _command(loaded: object, name: str) -> click.Command:
    if not isinstance(loaded, click.Command):
        raise click.ClickException(f"the verb {name} is no click command")
    return loaded
