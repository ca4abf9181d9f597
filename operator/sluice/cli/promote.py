"""`sluice promote`: a person says yes."""

from __future__ import annotations

import click

from sluice.cli.answering import answer, verb
from sluice.cli.asking import Ask
from sluice.cli.cluster import Cluster


@click.command()
@click.option(
    "--full", is_flag=True, help="Pass over the rest: pauses, analyses and hooks of all steps, bake."
)
@verb
def promote(name: str, *, cluster: Cluster, output: str, wait: bool, timeout: float, full: bool) -> None:
    """End the pause at which the rollout stands, or pass over what only a person may.

    That is an inconclusive analysis and a failed hook that pauses. The present step is part of what is
    said: if the rollout has moved on before the operator reads it, nothing happens. With --full, health,
    alarms and the background analysis still count.
    """
    wish = Ask(name=name, verb="promote-full" if full else "promote")
    answer(cluster, wish, output=output, wait=wait, timeout=timeout)
