"""The closed list of Events that the machine tells: one for each decision that a person would ask about."""

from __future__ import annotations

from typing import Final, Literal

EventReason = Literal[
    "RolloutStarted",
    "WeightChanged",
    "HeaderRouteChanged",
    "Paused",
    "Promoted",
    "HookFailed",
    "AnalysisInconclusive",
    "DriftHalted",
    "RouteMissing",
    "RollbackStarted",
    "RollbackVerified",
    "RolloutRolledBack",
    "RolloutFailed",
    "RolloutSuperseded",
    "RolloutCompleted",
    "RevisionRefused",
    "StandbyEnded",
    "VerbHandled",
    "VerbIgnored",
]
WARNINGS: Final[frozenset[EventReason]] = frozenset(
    {
        "HookFailed",
        "AnalysisInconclusive",
        "DriftHalted",
        "RouteMissing",
        "RollbackStarted",
        "RolloutRolledBack",
        "RolloutFailed",
        "RevisionRefused",
        "VerbIgnored",
    }
)
