"""The strategy's type changes in the middle of something.

It becomes Progressive while a rolling Deployment replaces its service: nobody gets an error; what is replaced
goes only after its successor's tasks are healthy targets and names answer with them. Or RollingUpdate while a
rollout is in motion.
"""

from __future__ import annotations

from typing import Any

import pytest

from sim.discovery_stories import CANARY, complete, named, rolling
from sim.progressive_stories import ROLLING, THREE_STEPS, at_step, ready, serves, verb, web
from sim.stories import apply
from sim.test_discovery_rollouts import begun
from sim.test_traffic import SPOT, open_for_visitors
from sim.universe import ROUTE, WEB, Universe, deployment, route

SECOND = {"cluster": "second"}
MOVES: dict[str, tuple[dict[str, Any], float]] = {
    "capacity providers, no task runs yet": ({"capacityProviderStrategy": SPOT}, 0.3),
    "capacity providers, tasks are not healthy yet": ({"capacityProviderStrategy": SPOT}, 1),
    "another cluster, no task runs yet": (SECOND, 0.3),
    "another cluster, tasks are not healthy yet": (SECOND, 1),
    "another cluster, the old tasks stop": (SECOND, 3),
}


@pytest.mark.parametrize(("move", "after"), MOVES.values(), ids=MOVES)
def test_a_replaced_service_serves_until_its_successor_does(move: dict[str, Any], after: float) -> None:
    """Every request is answered, and one service is left."""
    universe, visitors = open_for_visitors()
    universe.run(3)
    apply(deployment(replicas=3, ecs=move))(universe)
    universe.run(after)
    assert "retiring" in universe.status()
    apply(deployment(replicas=3, ecs=move, strategy=CANARY))(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE) and "retiring" not in universe.status())
    universe.run(100)
    assert visitors.bad == []
    assert len([found for found in universe.services() if found["status"] == "ACTIVE"]) == 1


@pytest.mark.parametrize("after", [1, 40])
def test_names_let_a_replaced_service_go_first(after: float) -> None:
    """Nobody is sent to a task that ended: before names know the new tasks, and while the old ones leave."""
    universe, clients = begun(rolling(), named())
    apply(rolling(ecs=SECOND))(universe)
    universe.run(after)
    assert "retiring" in universe.status()
    apply(rolling(ecs=SECOND, strategy=CANARY))(universe)
    universe.settle(lambda: complete("web:1")(universe) and "retiring" not in universe.status(), within=1800)
    assert clients.stop().bad == []


@pytest.mark.parametrize("policy", ["Supersede", "Queue"])
def test_rolling_and_a_new_revision_in_mid_rollout(policy: str) -> None:
    """What is in motion ends as it began; the new revision knows no steps: the spec has none any more."""
    universe = Universe(seed=7)
    steps = {"progressive": {**THREE_STEPS["progressive"], "onNewRevision": policy}}
    apply(web(strategy=THREE_STEPS | steps), route())(universe)
    universe.settle(lambda: ready(universe))
    apply(web("web:2", strategy=THREE_STEPS | steps))(universe)
    universe.settle(lambda: at_step(1)(universe))
    apply(web("web:3", strategy=ROLLING))(universe)
    if policy == "Queue":
        universe.run(30)
        verb(universe, "promote-full")
    universe.settle(lambda: serves("web:3")(universe), within=1200)
    assert [entry["outcome"] for entry in universe.status()["history"]][:2] == [
        "Succeeded",
        "Superseded" if policy == "Supersede" else "Succeeded",
    ]
