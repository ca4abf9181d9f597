"""What a metric is called and means, said once: the scrape and docs/metrics.md are made from it.

Ten thousand objects have more than a hundred thousand samples, so a sample is a row of texts until somebody
asks for more: `telemetry.exposition` writes rows as they are, everybody else sees the library's Samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from prometheus_client.core import Metric
from prometheus_client.samples import Sample


@dataclass(frozen=True, slots=True)
class Series:
    """A metric that is made at each scrape; a counter's name is without `_total`."""

    name: str
    text: str
    labels: tuple[str, ...]
    type: Literal["gauge", "counter"] = "gauge"

    @property
    def sample_name(self) -> str:
        """Return what a sample of it is called."""
        return f"{self.name}_total" if self.type == "counter" else self.name


class Rows(Metric):
    """A family whose samples are rows: label values in the order of the series' labels, and the value."""

    def __init__(self, series: Series) -> None:
        """Begin without samples."""
        self.rows: list[tuple[Sequence[str], float]] = []
        self.series = series
        super().__init__(series.name, series.text, series.type)

    @property
    def samples(self) -> list[Sample]:
        """Return the rows as prometheus-client has them."""
        names, sample_name = self.series.labels, self.series.sample_name
        return [
            Sample(sample_name, dict(zip(names, values, strict=True)), value) for values, value in self.rows
        ]

    @samples.setter
    def samples(self, _value: object) -> None:
        """Take no notice: the base class begins with an empty list."""


class Families:
    """The families of one scrape; what nobody adds to is shown without samples."""

    def __init__(self, declared: Iterable[Series]) -> None:
        """Begin with nothing but names."""
        self._families = {series.name: Rows(series) for series in declared}

    def add(self, series: Series, labels: Sequence[str], value: float) -> None:
        """Add a sample; `labels` are values in the order of the series' labels."""
        self._families[series.name].rows.append((labels, value))

    def __iter__(self) -> Iterator[Metric]:
        """Return the families."""
        return iter(self._families.values())
