"""`sluice resume`: go on after pause, or overwrite weights that somebody else wrote."""

from __future__ import annotations

from sluice.cli.answering import plain

resume = plain(
    "resume",
    """Let a paused rollout go on.

    After DriftHalted it overwrites the weights that somebody else wrote, once.
    """,
)
