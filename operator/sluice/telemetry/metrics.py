"""The operator's own Prometheus metrics (https://prometheus.io/docs/practices/naming/).

Conventions: prefix `sluice_`, base units, labels from closed sets. What is per custom resource is not here
but in `telemetry.objects`, where a deleted object's series vanish with it. The AWS gateway registers its
own instruments on the same registry (`sluice_aws_…`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from sluice.model.errors import AwsErrorKind
from sluice.model.keys import PLURALS
from sluice.telemetry.born import born
from sluice.telemetry.registry import ScrapeRegistry

PASS_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Seconds of one pass: a pass without AWS calls takes milliseconds, one AWS call at most ten seconds."""
WAIT_BUCKETS: Final = (0.001, 0.005, 0.02, 0.1, 0.5, 1, 5, 15, 60, 300)
OUTCOMES: Final = (
    "ok", "refused", "deferred", "conflict", "withheld", "leadership", "retry", "error",
    *get_args(AwsErrorKind),
)  # fmt: skip
"""How a pass ends (`runtime.worker`)."""
LANES: Final = ("rollback", "user", "resync")
HEARD: Final = ("new", "changed", "echo", "deleted")
TOLD: Final = ("sent", "limited", "dropped", "failed")
REQUEST_BUCKETS: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5)


def new_registry(version: str, registry: CollectorRegistry | None = None) -> CollectorRegistry:
    """Return a registry (a new one) with the process's own metrics and `sluice_build_info`."""
    registry = registry or ScrapeRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    Info("sluice_build", "Version of the operator.", registry=registry).info({"version": version})
    return registry


class Measured(Collector):
    """Gauges that are read when Prometheus scrapes, not kept up to date in between."""

    def __init__(self, part: str, families: Callable[[], Iterable[Metric]]) -> None:
        """Ask `families` at each scrape; `part` is what they are called when they fail."""
        self.part = part
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """Return the families of this moment."""
        return self._families()

    def describe(self) -> Iterable[Metric]:
        """Return nothing: what there is depends on the moment."""
        return ()


class RuntimeMetrics:
    """Instruments of queue, workers, API-server client, watch and Lease."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register on `registry`, once per process or test."""
        self.registry = registry
        self.passes = Counter(
            "sluice_reconciles",
            "Passes of the reconcile loop by how they ended.",
            ["kind", "outcome"],
            registry=registry,
        )
        self.pass_seconds = Histogram(
            "sluice_reconcile_duration_seconds",
            "Duration of one pass.",
            ["kind", "lane"],
            buckets=PASS_BUCKETS,
            registry=registry,
        )
        self.wait_seconds = Histogram(
            "sluice_queue_wait_seconds",
            "Time between a key becoming due and its pass.",
            ["lane"],
            buckets=WAIT_BUCKETS,
            registry=registry,
        )
        self.requests = Counter(
            "sluice_kubernetes_requests",
            "Requests to the Kubernetes API server; code 0 is no answer.",
            ["verb", "resource", "code"],
            registry=registry,
        )
        self.request_seconds = Histogram(
            "sluice_kubernetes_request_duration_seconds",
            "Duration of requests to the Kubernetes API server.",
            ["verb"],
            buckets=REQUEST_BUCKETS,
            registry=registry,
        )
        self.heard = Counter(
            "sluice_watch_events",
            "Objects heard of by what they were: new, changed, echo (not newer than known) or deleted.",
            ["kind", "what"],
            registry=registry,
        )
        self.relisted = Counter(
            "sluice_watch_restarts",
            "Times that the watch had to list everything again.",
            ["kind"],
            registry=registry,
        )
        self.swept = Counter(
            "sluice_sweep_repairs",
            "Objects that the watch had missed and the sweep found.",
            registry=registry,
        )
        self.events = Counter(
            "sluice_events",
            "Kubernetes Events by what became of them: sent, limited, dropped or failed.",
            ["outcome"],
            registry=registry,
        )
        self.leader = Gauge(
            "sluice_leader", "1 while this replica holds the Lease and writes.", registry=registry
        )
        self._swept_at: float | None = None
        born(self.passes, PLURALS, OUTCOMES)
        born(self.pass_seconds, PLURALS, LANES)
        born(self.wait_seconds, LANES)
        born(self.heard, PLURALS, HEARD)
        born(self.relisted, PLURALS)
        born(self.events, TOLD)

    def compared(self, now: float) -> None:
        """Take note that store and API server were compared at `now` (epoch seconds)."""
        self._swept_at = now

    def watch_watch(self, silence: Callable[[], float]) -> None:
        """Export how the informer is: `silence()` is for how long its event loop has not ticked."""

        def families() -> Iterable[Metric]:
            yield GaugeMetricFamily(
                "sluice_watch_silence_seconds",
                "For how long the watch's event loop has not ticked.",
                value=silence(),
            )
            swept = GaugeMetricFamily(
                "sluice_sweep_timestamp_seconds",
                "When the store was last compared with the API server, epoch seconds.",
                labels=(),
            )
            if self._swept_at is not None:
                swept.add_metric((), self._swept_at)
            yield swept

        self.registry.register(Measured("watch", families))

    def watch_queue(
        self,
        *,
        depth: Callable[[], dict[str, int]],
        delayed: Callable[[], int],
        failing: Callable[[], int],
        oldest: Callable[[], float],
        running: Callable[[], int],
    ) -> None:
        """Export the queue's present state at each scrape."""

        def families() -> Iterable[Metric]:
            lanes = GaugeMetricFamily("sluice_queue_depth", "Keys that are due, by lane.", labels=["lane"])
            for lane, count in depth().items():
                lanes.add_metric([lane], count)
            yield lanes
            yield GaugeMetricFamily("sluice_queue_delayed", "Keys with a timer.", value=delayed())
            yield GaugeMetricFamily("sluice_queue_failing", "Keys in back-off.", value=failing())
            yield GaugeMetricFamily(
                "sluice_queue_oldest_seconds", "For how long the longest waiting key is due.", value=oldest()
            )
            yield GaugeMetricFamily("sluice_reconciles_running", "Passes in progress.", value=running())

        self.registry.register(Measured("queue", families))
