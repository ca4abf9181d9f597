"""How notifications fare, by sink: told, failed, given up, waiting."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily, Metric

from sluice.notify.moment import EVENTS
from sluice.notify.outbox import State
from sluice.telemetry.born import born
from sluice.telemetry.metrics import Measured

OUTCOMES: Final = ("delivered", "failed", "rejected", "expired", "dropped", "withheld")
WRITTEN: Final = ("ok", "conflict", "failed")


class NotificationMetrics:
    """Instruments of the outbox and its couriers."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register on `registry`, once per process or test."""
        self._registry = registry
        self.told = Counter(
            "sluice_notifications",
            "Notifications by sink, event and what became of an attempt: delivered, failed (is tried again), "
            "rejected, expired, dropped or withheld (dry run).",
            ["sink", "event", "outcome"],
            registry=registry,
        )
        self.writes = Counter(
            "sluice_notification_outbox_writes",
            "Writes of the outbox's ConfigMap: ok, conflict or failed.",
            ["outcome"],
            registry=registry,
        )
        born(self.writes, WRITTEN)

    def watch(self, states: Callable[[], Mapping[str, State]], *, now: Callable[[], float]) -> None:
        """Export the queues' present state at each scrape; each sink's counters begin at 0."""
        born(self.told, states(), EVENTS, OUTCOMES)

        def families() -> Iterable[Metric]:
            pending = GaugeMetricFamily(
                "sluice_notifications_pending", "Notifications that wait for a sink.", labels=["sink"]
            )
            oldest = GaugeMetricFamily(
                "sluice_notifications_oldest_seconds",
                "Age of the oldest notification that waits for a sink; 0 when none does.",
                labels=["sink"],
            )
            for sink, state in states().items():
                pending.add_metric([sink], state.pending)
                age = 0.0 if state.oldest_at is None else max(0.0, now() - state.oldest_at)
                oldest.add_metric([sink], age)
            yield pending
            yield oldest

        self._registry.register(Measured("notifications", families))
