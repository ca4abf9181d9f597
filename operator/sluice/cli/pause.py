"""`sluice pause`: hold forward moves."""

from __future__ import annotations

from sluice.cli.answering import plain

pause = plain(
    "pause",
    """Hold the rollout: no step forward. Checks and rollbacks go on.

    spec.paused does the same for revisions that have not begun.
    """,
)
