"""The demo's page draws a rollout and its rollback from Prometheus alone."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from integration.dashboard.browser import Elements, dom

pytestmark = pytest.mark.integration


def test_it_draws_what_was_recorded(page: str, tmp_path: Path) -> None:
    """Weights, tasks, states, the mark of the rollback and every figure are those of the recording."""
    found = Elements(dom(f"{page}/?still=1&minutes=5", tmp_path))
    assert found.values("data-drawn") == ["shop/web"]
    assert found.figures == {
        "Ready": "no",
        "step of the rollout": "5 of 7",
        "weights proved": "yes",
        "rollbacks": "1",
        "decision to proof, mean": "0.37 s",
        "alerts firing": "1",
    }
    last = {
        item["data-series"]: float(item["data-last"]) for item in found.attributes if "data-series" in item
    }
    assert last == {
        "a configured": 1,
        "a desired": 1,
        "b configured": 0,
        "b desired": 0,
        "a desired tasks": 3,
        "a healthy tasks": 3,
        "b desired tasks": 0,
        "b running tasks": 0,
    }
    assert found.values("data-state") == [
        "Available",
        "RollingOut",
        "RolledBack",
        "Stepping",
        "RollingBack",
        "SluiceRolledBack",
    ]
    tones = {item["data-state"]: item["class"] for item in found.attributes if "data-state" in item}
    assert tones["Available"] == "state good"
    assert tones["RollingOut"].strip() == "state"
    assert tones["RolledBack"] == "state bad"
    assert found.values("data-mark") == ["rolled back: AnalysisFailed"]


def test_it_says_what_is_wrong(page: str, tmp_path: Path) -> None:
    """A query that fails is told in words, on the page."""
    text = dom(f"{page}/?still=1&deployment=no%22t/web", tmp_path)
    assert "shop/web" in text, "an unknown choice falls back to one that is there"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{page}/api/v1/query?query=sum(", timeout=10)
    with refused.value:
        assert json.load(refused.value)["errorType"] == "bad_data"


@pytest.mark.parametrize("path", ["/api/v1/admin/tsdb/snapshot", "/api/v1/targets", "/-/quit", "/../page.py"])
def test_only_queries_go_through(page: str, path: str) -> None:
    """Nothing of Prometheus but reading queries, and no other file, can be reached."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{page}{path}", timeout=10)
    with refused.value:
        assert refused.value.code == 404


@pytest.mark.parametrize("path", ["/", "/page.js", "/chart.js", "/page.css"])
def test_it_needs_nothing_from_outside(page: str, path: str) -> None:
    """Every file forbids other origins, and names none but the SVG's."""
    with urllib.request.urlopen(f"{page}{path}", timeout=10) as answer:
        policy, text = answer.headers["Content-Security-Policy"], answer.read().decode()
    assert policy.startswith("default-src 'none'")
    assert "'self'" in policy
    assert text.replace("http://www.w3.org/2000/svg", "").count("//") == text.count("// ")
