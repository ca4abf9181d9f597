"""The closed list of condition types and reasons (docs/conditions.md), and how conditions merge.

Conditions are kstatus: `Ready` always present, `Reconciling` and `Stalled` abnormal-true
(sigs.k8s.io/cli-utils, pkg/kstatus). `lastTransitionTime` moves only when a status moves.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, Final

READY: Final = "Ready"
RECONCILING: Final = "Reconciling"
STALLED: Final = "Stalled"
WARNINGS: Final = "Warnings"
UNSEEN: Final = -1
"""observedGeneration of an object that the operator has not looked at: the API server's default. Without it
kstatus, and so Helm and Flux, would take an object that was just applied for one that is as it should be
(cli-utils, pkg/kstatus: a resource without conditions is Current). Flux's own kinds do the same."""

AVAILABLE: Final = "Available"
RECONCILING_REASONS: Final = frozenset(
    {
        "RollingOut",
        "Paused",
        "Baking",
        "WaitingForGate",
        "WaitingForAWSBudget",
        "WaitingForTargets",
        "Draining",
        "Frozen",
        "Deleting",
    }
)
STALLED_REASONS: Final = frozenset(
    {
        "InvalidSpec",
        "NotPermitted",
        "AccessDenied",
        "OwnershipConflict",
        "ListenerNotFound",
        "BackendNotFound",
        "RouteMissing",
        "AWSRejected",
        "QuotaExceeded",
        "ProgressDeadlineExceeded",
        "RolledBack",
        "FirstRolloutFailed",
        "AnalysisInconclusive",
        "DriftHalted",
        "ManagedByECS",
        "InUse",
    }
)

LONGEST: Final = 8_000
"""Characters of a condition's message. The API server takes 32,768 (metav1.Condition) and refuses the whole
status beyond; messages put together from many answers of AWS can be as long."""


def timestamp(now: float) -> str:
    """Return `now` (epoch seconds) as Kubernetes writes times: RFC 3339, UTC, whole seconds."""
    return dt.datetime.fromtimestamp(int(now), dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_timestamp(text: str) -> float:
    """Return the epoch seconds of a time that `timestamp` (or the API server) wrote."""
    return dt.datetime.fromisoformat(text).timestamp()


def conditions(
    *,
    ready: bool,
    reason: str,
    message: str,
    generation: int,
    now: float,
    previous: Iterable[Mapping[str, Any]] = (),
    warnings: str = "",
) -> list[dict[str, Any]]:
    """Return the conditions of an object whose state is summed up by one reason.

    `reason` decides the abnormal-true condition: a Reconciling reason sets `Reconciling`, a Stalled
    reason `Stalled`; with `ready` neither (except a pause of an available object: Reconciling beside
    Ready would read as in progress, so it is only in Ready's reason). Absent is how kstatus says False.
    """
    if not ready and reason not in RECONCILING_REASONS | STALLED_REASONS:
        raise ValueError(f"{reason} is not in the closed list of reasons")
    wanted: list[tuple[str, str, str, str]] = [(READY, "True" if ready else "False", reason, message)]
    if not ready:
        kind = STALLED if reason in STALLED_REASONS else RECONCILING
        wanted.append((kind, "True", reason, message))
    if warnings:
        wanted.append((WARNINGS, "True", "AcceptedWithWarnings", warnings))
    before = {condition["type"]: condition for condition in previous}
    result: list[dict[str, Any]] = []
    for kind, status, why, text in wanted:
        old = before.get(kind)
        since = old["lastTransitionTime"] if old and old["status"] == status else timestamp(now)
        result.append(
            {
                "type": kind,
                "status": status,
                "reason": why,
                "message": text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…",
                "observedGeneration": generation,
                "lastTransitionTime": since,
            }
        )
    return result
