"""A container port gets another name, in the Deployment and in the route at once: nothing waits for ever."""

from __future__ import annotations

import functools
from typing import Any

from sim.progressive_stories import THREE_STEPS, at_step, production, ready, verb, web
from sim.stories import apply
from sim.test_route_edits import rule, with_port
from sim.universe import ROUTE, Universe, route
from sim.visitors import Visitors


def named(port: str) -> list[dict[str, Any]]:
    """Return the progressive Deployment and its route with a port of that name; the number is the same."""
    manifest = with_port(port, 8080)
    manifest["spec"]["strategy"] = THREE_STEPS
    backends = [{"name": "web", "port": port}]
    return [manifest, route(rules=[rule("main", "/web") | {"backendRefs": backends}])]


def test_renamed_at_rest() -> None:
    """The rollout to the new name goes its way, and nobody is sent away."""
    universe = Universe(seed=7)
    apply(*named("http"))(universe)
    universe.settle(lambda: ready(universe))
    visitors = Visitors(universe).start()
    apply(*named("web"))(universe)
    for step in (1, 3):
        there = at_step(step)
        universe.settle(functools.partial(there, universe))
        verb(universe, "promote", f"/{step}")
    universe.settle(lambda: ready(universe))
    assert visitors.stop().bad == []


def test_renamed_in_the_middle_of_a_rollout() -> None:
    """The way back, for which no slot has the new name, is proved; then the new name is rolled out."""
    universe = Universe(seed=7)
    apply(*named("http"))(universe)
    universe.settle(lambda: ready(universe))
    apply(web("web:2", strategy=THREE_STEPS))(universe)
    universe.settle(lambda: at_step(1)(universe))
    assert len(production(universe)) == 2
    apply(*named("web"))(universe)
    universe.settle(lambda: universe.status()["history"][0]["outcome"] == "Superseded", within=600)
    universe.settle(lambda: at_step(1)(universe) and universe.ready(ROUTE))
