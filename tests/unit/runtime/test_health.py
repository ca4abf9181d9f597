"""Probes and metrics over real HTTP on the loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import urllib3
from prometheus_client import CollectorRegistry, Counter, Histogram

from sluice.runtime.health import HealthServer, within


class Vital:
    """A measure that a test sets."""

    silence = 0.0


@pytest.fixture
def vital() -> Vital:
    """Healthy."""
    return Vital()


@pytest.fixture
def url(vital: Vital) -> Iterator[str]:
    """A running server's address."""
    registry = CollectorRegistry()
    Counter("sluice_things", "Things.", registry=registry).inc(3)
    took = Histogram("sluice_took_seconds", "Time.", buckets=(1, 5), registry=registry)
    took.observe(2, {"rollout_id": "r1"})
    checks = {
        "/healthz": {"watch": within(lambda: vital.silence, 30, "the event loop has been silent")},
        "/readyz": {"store": lambda: "the store is not complete yet"},
    }
    server = HealthServer(address="127.0.0.1", port=0, registry=registry, checks=checks)
    server.start()
    yield f"http://127.0.0.1:{server.port}"
    server.stop()


def get(url: str) -> tuple[int, bytes]:
    """Ask and close."""
    with urllib3.PoolManager() as pool:
        response = pool.request("GET", url, retries=False, timeout=5)
        return response.status, response.data


def test_a_healthy_process(url: str) -> None:
    """Every check passes: 200, and each check by name."""
    status, body = get(f"{url}/healthz")
    assert (status, json.loads(body)) == (200, {"status": "ok", "checks": {"watch": "ok"}})


def test_a_silent_watch(url: str, vital: Vital) -> None:
    """A failed check is 503 and says what is wrong."""
    vital.silence = 31
    status, body = get(f"{url}/healthz")
    assert status == 503
    assert json.loads(body)["checks"]["watch"] == "the event loop has been silent for 31 s, more than 30 s"


def test_readiness_is_another_question(url: str) -> None:
    """A process can be healthy and not ready."""
    assert get(f"{url}/readyz")[0] == 503


def test_metrics(url: str) -> None:
    """Prometheus reads the registry that was handed in."""
    status, body = get(f"{url}/metrics")
    assert status == 200
    assert b"sluice_things_total 3.0" in body


@pytest.mark.parametrize(
    ("accept", "content", "exemplars"),
    [
        pytest.param("", "text/plain", 0, id="nobody says"),
        pytest.param("text/plain;version=0.0.4", "text/plain", 0, id="text"),
        pytest.param(
            "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "application/openmetrics-text",
            1,
            id="as Prometheus asks",
        ),
    ],
)
def test_exemplars_are_for_those_who_know_them(url: str, accept: str, content: str, exemplars: int) -> None:
    """OpenMetrics has them and ends as it must; the text format cannot."""
    headers = {"Accept": accept} if accept else {}
    with urllib3.PoolManager() as pool:
        answer = pool.request("GET", f"{url}/metrics", headers=headers, retries=False, timeout=5)
    text = answer.data.decode()
    assert answer.headers["Content-Type"].startswith(content)
    assert text.count('# {rollout_id="r1"} 2.0') == exemplars
    assert text.endswith("# EOF\n") == bool(exemplars)


def test_unknown_paths(url: str) -> None:
    """Anything else is 404."""
    assert get(f"{url}/other")[0] == 404
