"""A registry of which one part that fails costs its own series, not the whole scrape.

prometheus_client asks collectors one after the other, and an exception of one ends the scrape: Prometheus
would have nothing at all, and "operator down" would fire for a defect in a figure of costs. Here a collector
that fails is left out of that scrape and counted, and its trace is logged once until it works again.
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import Metric
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.registry import Collector

from sluice.telemetry.log import logger

_log = logger(__name__)


class ScrapeRegistry(CollectorRegistry):
    """Guards every collector that is more than an instrument; thread-safe as its base."""

    def __init__(self) -> None:
        """Begin with the counter of failures."""
        super().__init__()
        self._errors = Counter(
            "sluice_scrape_errors",
            "Times that a part of the metrics could not be made and was left out of a scrape.",
            ["part"],
            registry=self,
        )

    def register(self, collector: Collector) -> None:
        """Register a collector; its `part` names it in the counter, else its class."""
        if not isinstance(collector, MetricWrapperBase):
            collector = _Guarded(collector, self._errors)
        super().register(collector)


class _Guarded(Collector):
    def __init__(self, collector: Collector, errors: Counter) -> None:
        self._collector = collector
        self._part = str(getattr(collector, "part", type(collector).__name__))
        self._errors = errors.labels(self._part)
        self._failed = False

    def describe(self) -> Iterable[Metric]:
        describe = getattr(self._collector, "describe", None)
        return describe() if describe else self._collector.collect()

    def collect(self) -> Iterable[Metric]:
        try:
            found = list(self._collector.collect())
        except Exception:  # noqa: BLE001 - whatever it is, the other parts are worth having
            self._errors.inc()
            if not self._failed:
                _log.exception("scrape_part_failed", part=self._part)
            self._failed = True
            return []
        if self._failed:
            _log.info("scrape_part_works_again", part=self._part)
        self._failed = False
        return found
