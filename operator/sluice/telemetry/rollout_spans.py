"""One span for each rollout, sent when its entry comes into the history: what its passes link to.

Like the histograms of `rollouts`, it is told by the own status write that says so, so it is sent once, by the
replica that ended the rollout; one whose write was lost with the process is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sluice.model.conditions import parse_timestamp
from sluice.telemetry import tracing

REVISION: Final = "sluice.rollout.revision"
OUTCOME: Final = "sluice.rollout.outcome"
BY: Final = "sluice.rollout.by"
ROLLBACK_SECONDS: Final = "sluice.rollout.rollback_seconds"
_FINE: Final = frozenset({"Succeeded", "Superseded"})


def written(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> None:
    """Take an object before and after an own write; never raises."""
    if before is None or not tracing.on():
        return
    known = {_identity(entry) for entry in _history(before)}
    for entry in _history(after):
        if _identity(entry) not in known:
            _send(after, entry)


def _send(obj: Mapping[str, Any], entry: Mapping[str, Any]) -> None:
    rollout_id, seconds = str(entry.get("id") or ""), entry.get("durationSeconds")
    try:
        start = parse_timestamp(str(entry.get("startedAt")))
    except ValueError:
        return
    if not rollout_id or not isinstance(seconds, int | float):
        return
    metadata, outcome = obj["metadata"], str(entry.get("outcome", ""))
    attributes: dict[str, tracing.Value] = {
        tracing.NAMESPACE: str(metadata.get("namespace", "")),
        tracing.OBJECT_KIND: str(obj.get("kind", "")),
        tracing.OBJECT_NAME: str(metadata.get("name", "")),
        REVISION: str(entry.get("revision", "")),
        OUTCOME: outcome,
        BY: str(entry.get("by") or ""),
    }
    back = entry.get("rollbackSeconds")
    if isinstance(back, int | float):
        attributes[ROLLBACK_SECONDS] = float(back)
    tracing.rollout_over(
        str(metadata.get("uid", "")),
        rollout_id,
        start=start,
        end=start + float(seconds),
        attributes=attributes,
        failed="" if outcome in _FINE else str(entry.get("reason") or outcome),
    )


def _history(obj: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = (obj.get("status") or {}).get("history") or ()
    return [entry for entry in found if isinstance(entry, Mapping)]


def _identity(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    return entry.get("id"), entry.get("revision"), entry.get("startedAt")
