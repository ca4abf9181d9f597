"""docs/metrics.md says what the code exports, and Prometheus' own linter has nothing to say about it."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from types import ModuleType

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from sluice.telemetry.series import Families, Series
from sluice_sandbox.dashboard.programs import locate
from unit.docs.pages import ROOT

LABELS = {
    "account", "backend", "bucket", "code", "currency", "event", "field", "gate", "kind", "lane", "name",
    "namespace", "operation", "outcome", "part", "phase", "plane", "priority", "reason", "region", "resource",
    "revision", "rollback", "route", "service", "sink", "slot", "stage", "state", "step", "strategy", "team",
    "use", "verb", "version", "what",
}  # fmt: skip
"""Each from a closed set, a name of a custom resource that exists, or the team label's value."""


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    """tools/metrics_reference.py as a module."""
    file = ROOT / "tools" / "metrics_reference.py"
    spec = importlib.util.spec_from_file_location("metrics_reference", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_code_exports(generator: ModuleType) -> None:
    """`tools/metrics_reference.py` would change nothing."""
    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert generator.page(text) == text


def test_names_and_labels_follow_the_conventions(generator: ModuleType) -> None:
    """Prefix, base units, a sentence of help; counters end in _total, histograms in _seconds."""
    for name, metric in generator.described().items():
        assert re.fullmatch(r"sluice_[a-z_]+", name)
        assert metric.text.endswith("."), name
        assert not re.search(r"(milli|minute|hour|_ms$|_gb)", name)
        assert name.endswith("_total") == (metric.type == "counter"), name
        assert metric.type != "histogram" or name.endswith("_seconds"), name
        assert set(metric.labels) <= LABELS, name


def test_promtool_has_nothing_to_say(generator: ModuleType) -> None:
    """`promtool check metrics`, Prometheus' own linter, accepts every metric of the page with a sample."""
    promtool = locate("promtool")["promtool"]
    text = _exposition(generator)
    assert text.count("# TYPE sluice_") == len(generator.described())
    done = subprocess.run(
        [promtool, "check", "metrics"], input=text, text=True, capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def _exposition(generator: ModuleType) -> str:
    """Return all metrics with one sample each."""
    registry = CollectorRegistry()
    simple, lines = [], []
    for name, metric in generator.described().items():
        if metric.type == "histogram":
            labels = "".join(f'{label}="x",' for label in metric.labels)
            lines += [f"# HELP {name} {metric.text}", f"# TYPE {name} histogram"]
            lines += [f'{name}_bucket{{{labels}le="+Inf"}} 1', f"{name}_sum{{{labels}}} 1"]
            lines += [f"{name}_count{{{labels}}} 1"]
        else:
            simple.append(Series(name.removesuffix("_total"), metric.text, metric.labels, metric.type))
    families = Families(simple)
    for series in simple:
        families.add(series, ["x"] * len(series.labels), 1)
    registry.register(_Fixed(families))
    return generate_latest(registry).decode() + "\n".join(lines) + "\n"


class _Fixed:
    """A collector of families that are there."""

    def __init__(self, families: Families) -> None:
        self._families = families

    def collect(self) -> Families:
        """Return them."""
        return self._families
