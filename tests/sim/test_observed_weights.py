"""Observed weights in a route's status, counted by the load balancer of the stand-in, in virtual time."""

from __future__ import annotations

from typing import Any

from sim.rollback_scene import strategy
from sim.stories import apply
from sim.universe import ROUTE, WEB, Universe, deployment, route
from sim.visitors import Visitors

PLAN = strategy({"setWeight": 20}, {"pause": {}})


def waiting(**spec: Any) -> Universe:
    """Return a universe in which web:2 has a fifth of ten requests a second, for five minutes."""
    universe = Universe(seed=7)
    apply(deployment(strategy=PLAN), route(**spec))(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    Visitors(universe).start()
    apply(deployment(image="web:2", strategy=PLAN))(universe)
    universe.settle(lambda: (universe.status().get("rollout") or {}).get("stepIndex") == 1)
    universe.world.calls.clear()
    universe.cluster.writes.clear()
    universe.run(300)
    return universe


def entry(universe: Universe) -> dict[str, Any]:
    """Return what the route says of its backend."""
    (found,) = universe.status(ROUTE)["backends"]
    return dict(found)


def test_requests_are_counted_beside_the_weights() -> None:
    """One call and at most one write a minute; the numbers go when the weights are one slot's again."""
    universe = waiting()
    found = entry(universe)
    assert found["configured"] == {"a": 800, "b": 200}
    assert found["observed"]["a"] + found["observed"]["b"] >= 1_000
    assert found["observedVerdict"] == "as configured"
    assert len(list(universe.world.calls.find(operation="GetMetricData"))) <= 6
    assert universe.cluster.writes.count(f"status {ROUTE}") <= 5
    universe.cluster.annotate(WEB, abort=universe.status()["rollout"]["id"])
    universe.settle(lambda: universe.ready(ROUTE) and entry(universe)["configured"] == {"a": 1000})
    assert "observed" not in entry(universe)
    universe.run(120)
    universe.world.calls.clear()
    universe.run(120)
    assert list(universe.world.calls.find(operation="GetMetricData")) == []


def test_requests_that_do_not_follow_the_weights_are_told_and_stop_nothing() -> None:
    """Somebody sends past the rules: Ready stays True and says so, and the rollout goes on."""
    universe = waiting()
    counted = {"a": 500, "b": 500}
    universe.operator.requests.counted = lambda *_, **__: counted  # type: ignore[method-assign]
    universe.run(60)
    ready = universe.condition("Ready", ROUTE)
    assert ready["status"] == "True"
    assert "web: a has 50.0% of 1000 requests instead of 80.0%" in ready["message"]
    universe.cluster.annotate(WEB, promote=universe.status()["rollout"]["id"])
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    assert "instead of" not in universe.condition("Ready", ROUTE)["message"]


def test_sessions_are_not_judged() -> None:
    """Clients that keep their slot are no independent draws; the counts are shown all the same."""
    rule = route()["spec"]["rules"][0] | {"sessionPersistence": {"durationSeconds": 30}}
    plan = strategy({"setWeight": 20}, {"pause": {}})
    plan["progressive"]["bake"] = {"duration": "30s"}
    universe = Universe(seed=7)
    apply(deployment(strategy=plan), route(rules=[rule]))(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    Visitors(universe).start()
    apply(deployment(image="web:2", strategy=plan))(universe)
    universe.settle(lambda: (universe.status().get("rollout") or {}).get("stepIndex") == 1)
    universe.run(240)
    assert entry(universe)["observedVerdict"].startswith("not comparable")
