"""How long rollouts and rollbacks took, as histograms: what is over leaves no series per object behind.

Observed where the operator's own status write says that it happened, so each is counted once by the replica
that did it; one whose write was lost with the process is missing rather than counted twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from prometheus_client import CollectorRegistry, Histogram

from sluice.telemetry.ended import ended

ROLLBACK_BUCKETS: Final = (0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800)
"""Goal: two seconds for ten rules; what takes minutes had to mend a slot or wait for AWS."""
DURATION_BUCKETS: Final = (10, 30, 60, 180, 600, 1800, 3600, 4 * 3600, 12 * 3600, 24 * 3600, 72 * 3600)
PLANE: Final = "load-balancer"
"""Where requests are moved; other planes may come."""


class RolloutMetrics:
    """Both histograms; thread-safe."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register on `registry`, once per process or test."""
        self.rollback_seconds = Histogram(
            "sluice_rollback_seconds",
            "From the decision to roll back to the last rule that was read back as written.",
            ["plane", "reason"],
            buckets=ROLLBACK_BUCKETS,
            registry=registry,
        )
        self.duration_seconds = Histogram(
            "sluice_rollout_duration_seconds",
            "Duration of a rollout, from its start to its end, whatever that was.",
            ["outcome"],
            buckets=DURATION_BUCKETS,
            registry=registry,
        )

    def written(self, before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> None:
        """Take an object before and after an own write; never raises."""
        old, new = _status(before), _status(after)
        was, now = _memory(old), _memory(new)
        verified = _number(now.get("verifiedAt"))
        decided = _number(now.get("decidedAt"))
        if verified and decided and now.get("shown") and not _same_proof(old, new, was, now):
            reason = str((new.get("rollout") or {}).get("reason", ""))
            exemplar = of_rollout((new.get("rollout") or {}).get("id"))
            self.rollback_seconds.labels(PLANE, reason).observe(max(0.0, verified - decided), exemplar)
        for over in ended(before, after):
            self.duration_seconds.labels(over.outcome).observe(over.seconds, of_rollout(over.id))


def of_rollout(id_: Any) -> dict[str, str] | None:  # noqa: ANN401 - raw JSON
    """Return the exemplar that leads from a number to its rollout; OpenMetrics allows 128 characters."""
    return {"rollout_id": id_[:64]} if isinstance(id_, str) and id_ else None


def _same_proof(
    old: Mapping[str, Any], new: Mapping[str, Any], was: Mapping[str, Any], now: Mapping[str, Any]
) -> bool:
    same = (old.get("rollout") or {}).get("id") == (new.get("rollout") or {}).get("id")
    return same and was.get("verifiedAt") == now.get("verifiedAt")


def _memory(status: Mapping[str, Any]) -> Mapping[str, Any]:
    rollout = status.get("rollout")
    memory = rollout.get("memory") if isinstance(rollout, Mapping) else None
    return memory if isinstance(memory, Mapping) else {}


def _status(obj: Mapping[str, Any] | None) -> Mapping[str, Any]:
    status = (obj or {}).get("status")
    return status if isinstance(status, Mapping) else {}


def _number(value: Any) -> float | None:  # noqa: ANN401 - raw JSON
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
