"""`sluice retry`: give a rejected revision another chance."""

from __future__ import annotations

from sluice.cli.answering import plain

retry = plain(
    "retry",
    """Try the rejected revision again.

    Without it, only another spec starts a rollout after a rollback.
    """,
)
