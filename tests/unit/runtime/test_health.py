"""Probes and metrics over real HTTP on the loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import urllib3
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

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


class Held(Collector):
    """A collector that takes as long as a test wants."""

    def __init__(self) -> None:
        """Be quick to begin with."""
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def collect(self) -> Iterable[Metric]:
        """Return nothing, once it may go on."""
        self.begun.set()
        assert self.go_on.wait(10)
        return ()


def test_scrapes_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many at once would take the interpreter from the passes; probes wait for nobody."""
    monkeypatch.setattr("sluice.runtime.health.SCRAPE_PATIENCE", 0.05)
    registry, held = CollectorRegistry(), Held()
    registry.register(held)
    held.begun.clear()
    held.go_on.clear()
    server = HealthServer(address="127.0.0.1", port=0, registry=registry, checks={"/healthz": {}})
    server.start()
    url = f"http://127.0.0.1:{server.port}"
    try:
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(get, f"{url}/metrics")
            assert held.begun.wait(10)
            assert get(f"{url}/metrics") == (503, b"other scrapes are under way; try again later\n")
            assert get(f"{url}/healthz")[0] == 200
            held.go_on.set()
            assert first.result(10)[0] == 200
        assert get(f"{url}/metrics")[0] == 200
    finally:
        held.go_on.set()
        server.stop()
