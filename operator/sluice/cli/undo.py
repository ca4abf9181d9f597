"""`sluice undo`: back to an earlier revision."""

from __future__ import annotations

import click

from sluice.cli.answering import answer, verb
from sluice.cli.asking import Ask
from sluice.cli.cluster import Cluster


@click.command()
@click.option("--to", "revision", default="", metavar="REVISION", help="A kept revision; see sluice history.")
@verb
def undo(name: str, *, cluster: Cluster, output: str, wait: bool, timeout: float, revision: str) -> None:
    """Run the revision before, or the one of --to, without steps.

    While a standby is warm this takes one write per rule. The spec's revision is rejected until `retry` or
    another spec. (spec.rollback.toRevision is the declarative way.)
    """
    wish = Ask(name=name, verb="undo", revision=revision)
    answer(cluster, wish, output=output, wait=wait, timeout=timeout)
