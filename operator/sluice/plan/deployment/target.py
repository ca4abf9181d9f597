"""Which revision should run: the spec's own, or one that a rollback, an undo or a pause keeps.

| situation | effective revision | told as |
|---|---|---|
| nothing special | the spec's, or `spec.rollback.toRevision` | |
| that one was rolled back, aborted or undone | the one that was live | Stalled/RolledBack |
| that one failed as the first rollout | itself, left as it is | Stalled/FirstRolloutFailed |
| paused, something else runs | what runs | Reconciling/Paused |
| paused, nothing runs yet | itself, and nothing is created | Reconciling/Paused |
"""

from __future__ import annotations

from dataclasses import dataclass

from sluice.model.desired import Hold
from sluice.plan.deployment.state import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The revision to run, and why it is not the one that was asked for."""

    revision: str
    hold: Hold | None = None
    paused: bool = False


def choose(state: State, *, wanted: str, paused: bool) -> Choice:
    """Return the effective revision; `wanted` is what the spec (or its rollback field) asks for."""
    running = state.slot.revision if state.slot else ""
    rejected = state.rejected if state.rejected and state.rejected.revision == wanted else None
    stopped = paused or bool(state.rollout and state.rollout.paused and state.rollout.candidate == wanted)
    if rejected:
        reason = rejected.reason or "RolledBack"
        cure = f"fix the spec, or annotate sluice.dev/retry to try {wanted} again"
        message = f"{rejected.message or f'revision {wanted} is rejected'}; {cure}"
        return Choice(
            revision=rejected.fallback or wanted,
            hold=Hold(reason=reason, message=message),
            paused=stopped,
        )
    if stopped and running != wanted:
        return Choice(
            revision=running or wanted,
            hold=Hold(reason="Paused", message=f"revision {wanted} waits until the pause ends"),
            paused=True,
        )
    return Choice(revision=wanted, paused=stopped)
