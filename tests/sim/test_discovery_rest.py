"""Names at rest for hours: what is renewed without end changes nothing that anybody could see."""

from __future__ import annotations

from sim.discovery_stories import named, rolling
from sim.test_discovery_routes import begin
from sim.universe import ROUTE, WEB


def test_a_name_at_rest_is_ready_for_hours_and_writes_nothing() -> None:
    """Protection is renewed every forty minutes; the route stays Ready, and neither status is written."""
    universe = begin(rolling(replicas=3), named())
    universe.run(120)
    before = {key: universe.obj(key)["metadata"]["resourceVersion"] for key in (WEB, ROUTE)}
    universe.world.calls.clear()
    universe.run(3 * 3600)
    assert {key: universe.obj(key)["metadata"]["resourceVersion"] for key in before} == before
    renewals = len(list(universe.world.calls.find(operation="UpdateTaskProtection")))
    assert 4 <= renewals <= 5
