"""What a metric is called and means, said once: the scrape and docs/metrics.md are made from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric


@dataclass(frozen=True, slots=True)
class Series:
    """A metric that is made at each scrape; a counter's name is without `_total`."""

    name: str
    text: str
    labels: tuple[str, ...]
    type: Literal["gauge", "counter"] = "gauge"

    def family(self) -> GaugeMetricFamily | CounterMetricFamily:
        """Return it without samples."""
        kind = CounterMetricFamily if self.type == "counter" else GaugeMetricFamily
        return kind(self.name, self.text, labels=self.labels)


class Families:
    """The families of one scrape; what nobody adds to is shown without samples."""

    def __init__(self, declared: Iterable[Series]) -> None:
        """Begin with nothing but names."""
        self._families = {series.name: series.family() for series in declared}

    def add(self, series: Series, labels: Iterable[str], value: float) -> None:
        """Add a sample; `labels` are values in the order of the series' labels."""
        self._families[series.name].add_metric(list(labels), value)

    def __iter__(self) -> Iterator[Metric]:
        """Return the families."""
        return iter(self._families.values())
