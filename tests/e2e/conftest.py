"""One world per worker, a namespace per test; each test also asks what the operator was denied or lost."""

from __future__ import annotations

import re
import uuid
from collections.abc import Generator, Iterator

import pytest

from e2e.desk import DEPLOYMENT, ROUTE, Desk
from e2e.web_server import WebServer
from e2e.world import World


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world that all tests of this worker share."""
    with World(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture
def desk(world: World, request: pytest.FixtureRequest) -> Iterator[Desk]:
    """A new namespace, and an operator that runs.

    Afterwards its objects are deleted without waiting. Whatever the operator wrote into a status meanwhile
    must have a place in the schema, nothing that it asked of the API server may have been denied, and it must
    not have logged an error: what AWS or a spec is to blame for is a warning.
    """
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower())[:30].strip("-")
    name = f"{words}-{uuid.uuid4().hex[:6]}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    world.cluster.request("POST", "/api/v1/namespaces", body=body)
    world.operator()
    made = Desk(world, name)
    yield made
    events = world.audit.news()
    made.kubectl("delete", f"{DEPLOYMENT},{ROUTE}", "--all", "--wait=false")
    assert world.audit.pruned(events) == set()
    assert world.audit.denied(events) == set()
    assert world.errors() == []


@pytest.fixture
def web_server() -> Iterator[WebServer]:
    """A web server for hooks and metrics."""
    with WebServer() as made:
        yield made


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Function, nextitem: pytest.Item | None) -> None:
    """End the world when this worker's next test does not need it: even at rest it keeps a processor warm."""
    if nextitem is None or nextitem.get_closest_marker("e2e") is None:
        for fixture in item._fixtureinfo.name2fixturedefs.get("world", ()):
            fixture.finish(item._request)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Function) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to the report of a failed test what there is to see: objects, events, the operators' logs."""
    report = yield
    desk = item.funcargs.get("desk")
    if report.failed and report.when == "call" and isinstance(desk, Desk):
        report.sections.append(("objects", desk.everything()))
        report.sections += [("operator", operator.tail()) for operator in desk.world.operators[-2:]]
    return report
