"""How long rollouts and rollbacks took, as histograms: what is over leaves no series per object behind.

Observed where the operator's own status write says that it happened, so each is counted once by the replica
that did it; one whose write was lost with the process is missing rather than counted twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args

from prometheus_client import CollectorRegistry, Histogram

from sluice.model.rollout import Outcome
from sluice.telemetry.born import born
from sluice.telemetry.ended import ended

ROLLBACK_BUCKETS: Final = (0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800)
"""Goal: two seconds for ten rules; what takes minutes had to mend a slot or wait for AWS."""
DURATION_BUCKETS: Final = (10, 30, 60, 180, 600, 1800, 3600, 4 * 3600, 12 * 3600, 24 * 3600, 72 * 3600)
PLANES: Final = {"rules": "verifiedAt", "discovery": "discoveredAt"}
"""Where requests are moved → when the machine's memory saw that they had gone back there."""


OUTCOMES: Final = get_args(Outcome)
REASONS: Final = (
    "Alarm", "Analysis", "CrashLoop", "Deadline", "Group", "Hook", "Person", "Superseded", "Undo",
    "Unhealthy",
)  # fmt: skip
"""Why requests are taken back: `status.rollout.reason` (rollout.machine), and what a person undoes."""


class RolloutMetrics:
    """Both histograms; thread-safe."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register on `registry`, once per process or test."""
        self.rollback_seconds = Histogram(
            "sluice_rollback_seconds",
            "From the decision to roll back, or to undo, until the last proof of the plane: listener rules "
            "read back as written, names in Cloud Map seen to answer so.",
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
        born(self.rollback_seconds, PLANES, REASONS)
        born(self.duration_seconds, OUTCOMES)

    def written(self, before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> None:
        """Take an object before and after an own write; never raises."""
        old, new = _status(before), _status(after)
        was, now = _memory(old), _memory(new)
        decided = _number(now.get("decidedAt"))
        known = _id(old) == _id(new)
        for plane, member in PLANES.items():
            proved = _number(now.get(member))
            if proved and decided and now.get("shown") and not (known and was.get(member) == now.get(member)):
                rollout = new["rollout"]  # the memory is its member
                reason = str(rollout.get("reason") or ("Undo" if rollout.get("kind") == "Undo" else ""))
                exemplar = of_rollout(rollout.get("id"))
                self.rollback_seconds.labels(plane, reason).observe(max(0.0, proved - decided), exemplar)
        for over in ended(before, after):
            self.duration_seconds.labels(over.outcome).observe(over.seconds, of_rollout(over.id))


def of_rollout(id_: Any) -> dict[str, str] | None:  # noqa: ANN401 - raw JSON
    """Return the exemplar that leads from a number to its rollout; OpenMetrics allows 128 characters."""
    return {"rollout_id": id_[:64]} if isinstance(id_, str) and id_ else None


def _id(status: Mapping[str, Any]) -> object:
    rollout = status.get("rollout")
    return rollout.get("id") if isinstance(rollout, Mapping) else None


def _memory(status: Mapping[str, Any]) -> Mapping[str, Any]:
    rollout = status.get("rollout")
    memory = rollout.get("memory") if isinstance(rollout, Mapping) else None
    return memory if isinstance(memory, Mapping) else {}


def _status(obj: Mapping[str, Any] | None) -> Mapping[str, Any]:
    status = (obj or {}).get("status")
    return status if isinstance(status, Mapping) else {}


def _number(value: Any) -> float | None:  # noqa: ANN401 - raw JSON
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
