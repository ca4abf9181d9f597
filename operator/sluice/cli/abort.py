"""`sluice abort`: end the rollout and go back, before everything else."""

from __future__ import annotations

from sluice.cli.answering import plain

abort = plain(
    "abort",
    """End the rollout that runs and go back to the revision before it.

    At rest, while the standby is warm, it goes back to that. The rejected revision needs `retry`.
    """,
)
