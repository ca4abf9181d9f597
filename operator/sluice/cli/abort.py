"""`sluice abort`: end the rollout and go back, before everything else."""

from __future__ import annotations

import click

from sluice.cli.answering import answer, verb
from sluice.cli.asking import Ask
from sluice.cli.cluster import Cluster


@click.command()
@click.option(
    "--anyway", is_flag=True, help="Also where the way back is held: to a source that is not healthy enough."
)
@verb
def abort(name: str, *, cluster: Cluster, output: str, wait: bool, timeout: float, anyway: bool) -> None:
    """End the rollout that runs and go back to the revision before it.

    At rest, while the standby is warm, it goes back to that. The rejected revision needs `retry`.
    """
    wish = Ask(name=name, verb="abort", anyway=anyway)
    answer(cluster, wish, output=output, wait=wait, timeout=timeout)
