"""Time in which AWS let a Deployment do nothing: it does not count against progressDeadlineSeconds.

Throttled, over the AWS budget, or AWS not answering: the rollout can neither be begun nor seen (rollout.md
§6, "throttled for minutes"). A refusal that only a person can end (denied, rejected, a quota) does count.
Kept in memory alone, and added to the deadline only when that would be over: an object that waits costs the
API server no writes. A process that ends forgets at most what was lost since the deadline was last moved.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from sluice.model.errors import PASSING, AwsFailure, Deferred, SluiceError
from sluice.model.keys import Key
from sluice.plan.deployment.state import State


@dataclass(slots=True)
class _Kept:
    """What is remembered of an object; times in epoch seconds."""

    since: float | None = None
    """Since when AWS keeps its passes from their end."""
    counted: float = 0.0
    """What of that is in `lost` already, or was before the rollout: up to here."""
    lost: float = 0.0
    """Seconds that no deadline in a status has been moved by yet."""
    rollout: str = ""
    """Id of the rollout that lost them; '' until a pass has looked."""
    given: tuple[float, float] | None = None
    """The deadline in the status and the seconds that the last pass moved it by, in its own memory."""


class LostTime:
    """How long AWS kept each object's passes from their end; one for the process."""

    def __init__(self) -> None:
        """Nothing is lost yet."""
        self._kept: dict[Key, _Kept] = {}

    def failed(self, key: Key, error: SluiceError, *, now: float) -> None:
        """Take note of a pass that failed; what is not AWS's pace ends what was."""
        waits = isinstance(error, Deferred) or (isinstance(error, AwsFailure) and error.kind in PASSING)
        if not waits:
            self.ended(key, now=now)
            return
        kept = self._kept.setdefault(key, _Kept())
        if kept.since is None:
            kept.since = kept.counted = now

    def ended(self, key: Key, *, now: float) -> None:
        """Take note that AWS answers again."""
        kept = self._kept.get(key)
        if kept is not None and kept.since is not None:
            kept.lost += max(0.0, now - kept.counted)
            kept.since = None

    def since(self, key: Key) -> float | None:
        """Return since when AWS keeps this object's passes from their end, None when it does not."""
        kept = self._kept.get(key)
        return kept.since if kept else None

    def forget(self, key: Key) -> None:
        """Forget an object that is gone."""
        self._kept.pop(key, None)

    def granted(self, key: Key, state: State, *, now: float) -> State:
        """Return the state with its deadline moved by what was lost, where it would be over otherwise.

        A pass that fails while it looks writes no status: what it was given is given again, until the
        deadline that the status has is another one.
        """
        kept = self._kept.get(key)
        if kept is None:
            return state
        rollout = state.rollout
        if rollout is None:  # one that begins now has its whole deadline
            kept.rollout, kept.lost, kept.given, kept.counted = "", 0.0, None, now
            return state
        if kept.rollout not in ("", rollout.id):
            kept.lost, kept.given = 0.0, None
        kept.rollout = rollout.id
        if kept.given and kept.given[0] != rollout.deadline_at:
            kept.lost, kept.given = max(0.0, kept.lost - kept.given[1]), None
        if rollout.deadline_at is None or now <= rollout.deadline_at:
            return state
        if kept.since is not None:
            kept.lost += max(0.0, now - kept.counted)
            kept.counted = now
        lost = float(int(kept.lost))
        if not lost:
            return state
        kept.given = (rollout.deadline_at, lost)
        moved = dataclasses.replace(rollout, deadline_at=rollout.deadline_at + lost)
        return dataclasses.replace(state, rollout=moved)
