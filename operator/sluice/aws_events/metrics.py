"""What came through the queue, how late, and whether it is believed to flow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, get_args

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric

from sluice.aws_events.happening import Place
from sluice.model.errors import AwsErrorKind
from sluice.telemetry.born import born
from sluice.telemetry.metrics import Measured

LAG_BUCKETS: Final = (0.5, 1, 2, 5, 10, 30, 60, 300)
"""AWS's event times are whole seconds; delivery takes about half a second (from memory)."""

WHAT: Final = ("task", "deployment", "service-action", "foreign", "unknown", "malformed")


class AwsEventMetrics:
    """Instruments of the receiver."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register on `registry`, once per process or test."""
        self._registry = registry
        self.messages = Counter(
            "sluice_aws_events",
            "Messages by what they were: task, deployment, service-action (of a Deployment), foreign "
            "(ECS's, of nobody's service), unknown (another event) or malformed.",
            ["what"],
            registry=registry,
        )
        self.received = Counter(
            "sluice_aws_events_receives",
            "Looks into the queue by how they ended: ok or the kind of the error.",
            ["outcome"],
            registry=registry,
        )
        self.lag = Histogram(
            "sluice_aws_events_lag_seconds",
            "From AWS's time of an event to the wake of its object.",
            buckets=LAG_BUCKETS,
            registry=registry,
        )
        born(self.messages, WHAT)
        born(self.received, ("ok", *get_args(AwsErrorKind)))

    def watch(self, flowing: Callable[[], Mapping[Place, bool]]) -> None:
        """Export at each scrape whether events flow."""

        def families() -> Iterable[Metric]:
            gauge = GaugeMetricFamily(
                "sluice_aws_events_flowing",
                "1 while events of an account and Region come and objects at rest are looked at more seldom.",
                labels=["account", "region"],
            )
            for place, yes in flowing().items():
                gauge.add_metric([place.account, place.region], float(yes))
            yield gauge

        self._registry.register(Measured("aws-events", families))
