"""The load generator: open loop, bounded, and its report."""

from __future__ import annotations

import asyncio
import json

import pytest
from elb_world import forward
from http_client import Side
from hypothesis import given
from hypothesis import strategies as st

from sluice_sandbox.dataplane import load
from sluice_sandbox.dataplane.load_report import Report, SecondReport, quantile

IP, OTHER = "10.78.0.10", "10.78.0.11"


async def test_the_report_splits_by_image_revision_and_slot(side: Side) -> None:
    """All requests are sent at their rate and answered; the split is that of the weights."""
    one, two = side.elb.group("one"), side.elb.group("two")
    listener = side.elb.listener(side.elb.load_balancer(), actions=[forward((one, 1), (two, 1))])
    url = await side.plane.ready(listener)
    side.elb.target(one, IP)
    side.elb.target(two, OTHER, image="app:v2")
    await side.healthy(one, IP)
    await side.healthy(two, OTHER)
    told: list[SecondReport] = []
    plan = load.Plan(url=url, rate=200, duration_seconds=1.2, host="shop.example")
    report = await load.run(plan, on_second=told.append)
    figures = report.to_json()
    assert json.loads(json.dumps(figures)) == figures
    assert figures["statusCodes"] == {"200": 240}
    assert (figures["sent"], figures["failed"], figures["notSent"]) == (240, 0, 0)
    assert set(figures["images"]) == {"app:v1", "app:v2"}
    assert figures["revisions"] == {"app:3": 240}
    assert figures["slots"] == {"slot-a": 240}
    assert [item["sent"] for item in figures["perSecond"]] == [200, 40]
    assert [item.second for item in told] == [0, 1]
    assert 0 < figures["latencySeconds"]["p50"] <= figures["latencySeconds"]["max"]


async def test_errors_are_reported_not_raised(side: Side) -> None:
    """5xx answers and refused connections count as failed, each under its name and by who failed."""
    group = side.elb.group()
    url = await side.serve(group)
    report = await load.run(load.Plan(url=url, rate=50, duration_seconds=0.2))
    assert report.to_json()["statusCodes"] == {"503": 10}
    assert report.to_json()["failuresBy"] == {"load balancer": 10}
    assert report.failed == 10
    side.elb.call("DeleteListener", ListenerArn=next(iter(side.plane.urls())))
    await side.until(lambda: not side.plane.urls())
    report = await load.run(load.Plan(url=url, rate=50, duration_seconds=0.2))
    assert report.to_json()["connectionErrors"] == {"refused": 10}


async def test_latency_counts_from_the_due_time(side: Side) -> None:
    """A slow target does not slow the generator down; its latency is all in the report."""
    group = side.elb.group(HealthCheckIntervalSeconds=200, HealthCheckTimeoutSeconds=100)
    url = await side.serve(group)
    side.elb.target(group, IP, SANDBOX_LATENCY_MS="10000")
    await side.healthy(group, IP)
    report = await load.run(load.Plan(url=url, rate=100, duration_seconds=0.5))
    figures = report.to_json()
    assert figures["statusCodes"] == {"200": 50}
    assert figures["latencySeconds"]["p50"] >= 0.2
    assert report.duration_seconds < 2


async def test_a_silent_server_is_a_timeout() -> None:
    """Nothing is awaited for longer than the plan says."""
    hold = asyncio.Event()

    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await hold.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    plan = load.Plan(url=f"http://127.0.0.1:{port}", rate=20, duration_seconds=0.1, timeout_seconds=0.2)
    report = await load.run(plan)
    hold.set()
    server.close()
    await server.wait_closed()
    assert report.to_json()["connectionErrors"] == {"timeout": 2}


async def test_a_kept_connection_that_was_closed_is_replaced() -> None:
    """A server may end an idle connection at any time; that is no failure of a request."""

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(once, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    report = await load.run(load.Plan(url=f"http://127.0.0.1:{port}", rate=100, duration_seconds=0.3))
    server.close()
    await server.wait_closed()
    assert (report.failed, report.sent) == (0, 30)


async def test_a_stop_ends_the_load_early(side: Side) -> None:
    """What was sent by then is answered and reported."""
    url = await side.serve(side.elb.group())
    stop = asyncio.Event()
    plan = load.Plan(url=url, rate=50, duration_seconds=3600)
    running = asyncio.create_task(load.run(plan, stop=stop))
    asyncio.get_running_loop().call_later(0.3, stop.set)
    report = await running
    assert 0 < report.sent < 50


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"rate": 0}, id="no-rate"),
        pytest.param({"rate": load.MAX_RATE + 1}, id="rate"),
        pytest.param({"duration_seconds": load.MAX_DURATION + 1}, id="duration"),
        pytest.param({"url": "ftp://127.0.0.1"}, id="scheme"),
        pytest.param({"url": "127.0.0.1:80"}, id="no-scheme"),
        pytest.param({"path": "x"}, id="path"),
    ],
)
def test_bounds(changes: dict[str, object]) -> None:
    """What is out of bounds is refused before anything is sent."""
    wanted = {"url": "http://127.0.0.1", "rate": 1, "duration_seconds": 1} | changes
    with pytest.raises(ValueError, match=r"."):
        load.Plan(**wanted)  # type: ignore[arg-type]


@given(st.lists(st.floats(0, 100), min_size=1), st.floats(0.01, 1))
def test_quantiles_are_values_that_enough_do_not_exceed(values: list[float], share: float) -> None:
    """A quantile is one of the values, and the share of values up to it is large enough."""
    ordered = sorted(values)
    found = quantile(ordered, share)
    assert found in ordered
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9


def test_an_empty_report_is_all_zero() -> None:
    """Nothing sent is no division by zero."""
    figures = Report(url="http://x", rate=1).to_json()
    assert (figures["sent"], figures["latencySeconds"]["max"], figures["perSecond"]) == (0, 0.0, [])
