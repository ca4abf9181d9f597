"""The strategy becomes Progressive while a rolling Deployment replaces its service: nobody gets an error.

What is replaced goes only after its successor's tasks are healthy targets, whichever strategy made it so.
"""

from __future__ import annotations

from typing import Any

import pytest

from sim.progressive_stories import CANARY
from sim.stories import apply
from sim.test_traffic import SPOT, open_for_visitors
from sim.universe import ROUTE, WEB, deployment

MOVES: dict[str, dict[str, Any]] = {
    "capacity providers": {"capacityProviderStrategy": SPOT},
    "another cluster": {"cluster": "second"},
}


@pytest.mark.parametrize("after", [0.3, 1, 3])
@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
def test_a_service_that_is_being_replaced_serves_until_its_successor_does(
    move: dict[str, Any], after: float
) -> None:
    """Whenever the strategy changes: at once, while tasks start, while they become healthy."""
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
