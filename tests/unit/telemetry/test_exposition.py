"""What is scraped: both formats say what prometheus-client's own encoders would, whatever the labels."""

from __future__ import annotations

import gzip
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families as text_families

from sluice.telemetry.exposition import WORTH_PACKING, expose
from sluice.telemetry.metrics import Measured
from sluice.telemetry.series import Families, Series

GAUGE = Series("sluice_weight", "A share.", ("namespace", "name"))
COUNTER = Series("sluice_cost", 'What it "costs".', ("use",), "counter")
BARE = Series("sluice_bare", "No label.", ())
OPENMETRICS = "application/openmetrics-text;version=1.0.0"
Rows = list[tuple[Series, tuple[str, ...], float]]
FLOATS = st.floats(allow_nan=False) | st.integers(-(2**60), 2**60).map(float)


def registry_of(rows: Rows) -> CollectorRegistry:
    """Return a registry with these rows and a histogram with an exemplar."""
    registry = CollectorRegistry()
    Histogram("sluice_took_seconds", "Time.", registry=registry).observe(1, {"rollout_id": "r1"})

    def collect() -> Families:
        families = Families((GAUGE, COUNTER, BARE))
        for series, labels, value in rows:
            families.add(series, labels, value)
        return families

    registry.register(Measured("test", collect))
    return registry


def samples(families: Any) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return samples by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


ROWS: Rows = [
    (GAUGE, ("shop", "web"), 0.5),
    (GAUGE, ("shop", 'a "quoted" \\ name\nof two lines'), 1_800_000_000.25),
    (COUNTER, ("serving",), math.inf),
    (BARE, (), 3),
]


@pytest.mark.parametrize(("accept", "parse"), [("", text_families), (OPENMETRICS, openmetrics_families)])
def test_rows_are_read_back_as_they_were(accept: str, parse: Any) -> None:
    """By the library's parser of each format, beside what the library wrote itself."""
    found = expose(registry_of(ROWS), accept=accept)
    read = samples(parse(found.body.decode()))
    for series, labels, value in ROWS:
        named = tuple(sorted(zip(series.labels, labels, strict=True)))
        assert read[series.sample_name, named] == value
    assert read["sluice_took_seconds_count", ()] == 1


@given(
    st.lists(
        st.tuples(st.text(max_size=8), st.text(max_size=8), FLOATS), max_size=5, unique_by=lambda r: r[:2]
    )
)
def test_the_text_is_what_the_library_would_write(rows: list[tuple[str, str, float]]) -> None:
    """The same samples with the same values, any text in labels."""
    registry = registry_of([(GAUGE, (one, other), value) for one, other, value in rows])
    ours, theirs = expose(registry).body, generate_latest(registry)
    assert sorted(map(_ordered, ours.split(b"\n"))) == sorted(map(_ordered, theirs.split(b"\n")))


def _ordered(line: bytes) -> bytes:
    """Return a sample's characters in one order: the library sorts labels, rows have the series' order."""
    return bytes(sorted(line))


def test_exemplars_stay() -> None:
    """What the library writes in OpenMetrics is written, and the end comes once."""
    body = expose(registry_of(ROWS), accept=OPENMETRICS).body
    assert b'# {rollout_id="r1"} 1.0' in body
    assert body.count(b"# EOF") == 1
    assert body.endswith(b"# EOF\n")


@pytest.mark.parametrize(
    ("count", "accepted", "encoding"),
    [
        pytest.param(5000, "gzip, deflate", "gzip", id="much"),
        pytest.param(5000, "", "", id="nobody unpacks"),
        pytest.param(2, "gzip", "", id="little"),
    ],
)
def test_much_is_packed(count: int, accepted: str, encoding: str) -> None:
    """Where the other side unpacks, and only where it is worth it."""
    rows: Rows = [(GAUGE, ("shop", f"service-{number}"), 1.0) for number in range(count)]
    found = expose(registry_of(rows), accept_encoding=accepted)
    plain = gzip.decompress(found.body) if encoding else found.body
    assert found.encoding == encoding
    assert plain.count(b"sluice_weight{") == count
    assert (len(plain) >= WORTH_PACKING) == (count > 2)
