"""A scrape of which a part fails."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from captured_log import captured
from sluice.telemetry.exposition import expose
from sluice.telemetry.metrics import Measured
from sluice.telemetry.registry import ScrapeRegistry


class Brittle:
    """Families that fail in the middle while `broken`."""

    def __init__(self) -> None:
        """Begin broken."""
        self.broken = True

    def families(self) -> Iterable[Metric]:
        """Yield one family, then fail or yield another."""
        yield GaugeMetricFamily("sluice_first", "First.", value=1)
        if self.broken:
            raise KeyError("slots")
        yield GaugeMetricFamily("sluice_second", "Second.", value=2)


def scraped(registry: CollectorRegistry) -> str:
    """Return what Prometheus gets."""
    return expose(registry).body.decode()


def test_a_part_that_fails_costs_its_own_series_alone() -> None:
    """The rest is answered, what fails is left out whole, counted each time and logged once."""
    registry, brittle = ScrapeRegistry(), Brittle()
    registry.register(Measured("costs", brittle.families))
    Counter("sluice_well", "Well.", registry=registry).inc()
    errors = {"part": "costs"}
    assert registry.get_sample_value("sluice_scrape_errors_total", errors) == 0
    before = registry.get_sample_value("sluice_scrape_errors_total", errors) or 0
    with captured() as log:
        for _ in range(2):
            text = scraped(registry)
            assert "sluice_well_total 1.0" in text
            assert "sluice_first" not in text
        after = registry.get_sample_value("sluice_scrape_errors_total", errors) or 0
        brittle.broken = False
        assert "sluice_second 2.0" in scraped(registry)
    assert after - before >= 2
    events = [line["event"] for line in log.lines()]
    assert events == ["scrape_part_failed", "scrape_part_works_again"]
    assert "KeyError" in str(log.lines()[0])


def test_a_collector_without_a_name_of_its_own_is_told_by_its_class() -> None:
    """prometheus_client's own, for one."""

    class Process(Collector):
        def collect(self) -> Iterable[Metric]:
            return [GaugeMetricFamily("process_things", "Things.", value=3)]

    registry = ScrapeRegistry()
    registry.register(Process())
    assert registry.get_sample_value("process_things") == 3
    assert registry.get_sample_value("sluice_scrape_errors_total", {"part": "Process"}) == 0
