"""Writes a registry as Prometheus reads it: little by prometheus-client's encoders, rows as they are.

The library's encoders spend some ten microseconds on a sample; with ten thousand custom resources that was
two seconds of a core for each scrape, beside which every pass waited for the interpreter. A row is one
formatted line (docs/bench.md has the figures). The formats:
https://prometheus.io/docs/instrumenting/exposition_formats/ and
https://prometheus.io/docs/specs/om/open_metrics_spec/; a test reads both back with the library's parsers.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from sluice.telemetry.series import Rows

WORTH_PACKING: Final = 100_000
"""Bytes; below that packing costs more than it spares."""
_END: Final = b"# EOF\n"
_SPECIAL: Final = re.compile(r'[\\"\n]')
_ESCAPED: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


@dataclass(frozen=True, slots=True)
class Exposition:
    """What is answered to a scrape."""

    body: bytes
    content_type: str
    encoding: str = ""
    """`gzip`, or '' for the plain body."""


class _Collected(Collector):
    """Metrics that were collected already."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def expose(registry: CollectorRegistry, *, accept: str = "", accept_encoding: str = "") -> Exposition:
    """Return the metrics of this moment in the best format of the request's headers."""
    encode, content_type = choose_encoder(accept)
    openmetrics = content_type.startswith("application/openmetrics-text")
    rows: list[Rows] = []
    others: list[Metric] = []
    for metric in registry.collect():
        if isinstance(metric, Rows):
            rows.append(metric)
        else:
            others.append(metric)
    body: bytes = encode(_Collected(others))
    written = "".join(_written(family, openmetrics=openmetrics) for family in rows).encode()
    body = body.removesuffix(_END) + written + _END if openmetrics else body + written
    if "gzip" in accept_encoding and len(body) >= WORTH_PACKING:
        return Exposition(gzip.compress(body, compresslevel=1, mtime=0), content_type, "gzip")
    return Exposition(body, content_type)


def _written(family: Rows, *, openmetrics: bool) -> str:
    series = family.series
    name = series.name if openmetrics else series.sample_name
    text = series.text.replace("\\", r"\\").replace("\n", r"\n")
    if openmetrics:
        text = text.replace('"', r"\"")
    labels = ",".join(f'{label}="%s"' for label in series.labels)
    line = f"{series.sample_name}{{{labels}}} %s\n" if labels else f"{series.sample_name} %s\n"
    parts = [f"# HELP {name} {text}\n# TYPE {name} {series.type}\n"]
    for values, value in family.rows:
        if _SPECIAL.search("\0".join(values)):
            values = [text.translate(_ESCAPED) for text in values]  # noqa: PLW2901 - rarely another
        parts.append(line % (*values, _number(value)))
    return "".join(parts)


def _number(value: float) -> str:
    text: str = floatToGoString(value)  # type: ignore[no-untyped-call]  # prometheus_client has no types here
    return text
