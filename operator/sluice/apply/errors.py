"""The one error of applying a plan: how far it came, and what stopped it.

A controller that catches it still has the outputs of the actions that took place (an ARN that must
reach the status, or the next pass has to look for it), and treats `cause` as if it had been raised.
"""

from __future__ import annotations

from sluice.model.actions import Applied
from sluice.model.errors import SluiceError


class ApplyFailed(SluiceError):  # noqa: N818 - reads as the outcome it is, like the rest of the tree
    """An action of a plan failed; the ones before it took place."""

    def __init__(self, *, applied: Applied, cause: SluiceError) -> None:
        """Keep what was done and what stopped it (Deferred, AwsFailure, LeadershipLost, WriteWithheld)."""
        super().__init__(str(cause))
        self.applied = applied
        self.cause = cause
