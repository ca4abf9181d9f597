"""The closed list of Event reasons (docs/conditions.md): one for each decision that a person would ask about.

A condition that begins to hold is told by an Event of its own reason where a rollout ended badly, so the
reasons of Stalled are in the list, too.
"""

from __future__ import annotations

from typing import Final

from sluice.model.conditions import STALLED_REASONS

DECISIONS: Final = frozenset(
    {
        "RolloutStarted",
        "RolloutCompleted",
        "RolloutFailed",
        "RolloutRolledBack",
        "RolloutSuperseded",
        "RollbackStarted",
        "RollbackVerified",
        "RevisionRefused",
        "WeightChanged",
        "HeaderRouteChanged",
        "Paused",
        "Promoted",
        "HookFailed",
        "StandbyEnded",
        "ServiceAdopted",
        "ServiceReplaced",
        "ServiceUpdated",
        "DriftFound",
        "DriftRepaired",
        "VerbHandled",
        "VerbIgnored",
        "OperationFailed",
        "ServiceLeft",
        "NamespaceLeft",
        "NotificationIgnored",
        "ReconcileFailed",
        "InternalError",
    }
)
EVENTS: Final = DECISIONS | STALLED_REASONS
"""Nothing else is ever emitted; tests of every level compare."""
