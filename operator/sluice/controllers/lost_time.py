"""Time in which AWS let a Deployment do nothing: it does not count against progressDeadlineSeconds.

Throttled, over the AWS budget, or AWS not answering: the rollout can neither be begun nor seen (rollout.md
§6, "throttled for minutes"). A refusal that only a person can end (denied, rejected, a quota) does count.
Kept in memory alone, and added to the deadline only when that would be over: an object that waits costs the
API server no writes. A process that ends forgets at most what was lost since the deadline was last moved.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from sluice.model.errors import AwsFailure, Deferred, SluiceError
from sluice.model.keys import Key
from sluice.plan.deployment.state import State

_OF_AWS: Final = frozenset({"throttled", "unavailable", "unknown-outcome"})


class LostTime:
    """How long AWS kept each object's passes from their end; one for the process."""

    def __init__(self) -> None:
        """Nothing is lost yet."""
        self._since: dict[Key, float] = {}
        self._lost: dict[Key, float] = {}

    def failed(self, key: Key, error: SluiceError, *, now: float) -> None:
        """Take note of a pass that failed; what is not AWS's pace ends what was."""
        waits = isinstance(error, Deferred) or (isinstance(error, AwsFailure) and error.kind in _OF_AWS)
        if waits:
            self._since.setdefault(key, now)
        else:
            self.ended(key, now=now)

    def ended(self, key: Key, *, now: float) -> None:
        """Take note that AWS answers again."""
        since = self._since.pop(key, None)
        if since is not None:
            self._lost[key] = self._lost.get(key, 0.0) + max(0.0, now - since)

    def since(self, key: Key) -> float | None:
        """Return since when AWS keeps this object's passes from their end, None when it does not."""
        return self._since.get(key)

    def forget(self, key: Key) -> None:
        """Forget an object that is gone, or has no rollout."""
        self._since.pop(key, None)
        self._lost.pop(key, None)

    def granted(self, key: Key, state: State, *, now: float) -> State:
        """Return the state with its deadline moved by what was lost, where it would be over otherwise."""
        rollout = state.rollout
        if rollout is None:
            self._lost.pop(key, None)
            return state
        if rollout.deadline_at is None or now <= rollout.deadline_at:
            return state
        if key in self._since:
            self.ended(key, now=now)
            self._since[key] = now
        lost = float(int(self._lost.pop(key, 0.0)))
        if not lost:
            return state
        moved = dataclasses.replace(rollout, deadline_at=rollout.deadline_at + lost)
        return dataclasses.replace(state, rollout=moved)
