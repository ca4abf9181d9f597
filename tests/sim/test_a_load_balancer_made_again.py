"""A load balancer is deleted and made again under its name, as Terraform replaces one.

Its target groups stay, and no rule can ever use them again: ECS takes no list of target groups that has one.
"""

from __future__ import annotations

from typing import Any

import pytest

from sim.progressive_stories import BLUE_GREEN, ROLLING, production, ready, web
from sim.stories import apply
from sim.universe import Universe, route


@pytest.mark.parametrize("strategy", [ROLLING, BLUE_GREEN], ids=["rolling", "progressive"])
def test_at_rest(strategy: dict[str, Any]) -> None:
    """The service gets the new groups alone, and serves; nothing was done to it meanwhile."""
    universe = Universe(seed=7)
    apply(web(strategy=strategy), route())(universe)
    universe.settle(lambda: ready(universe))
    before = [service["loadBalancers"] for service in universe.services()]
    universe.aws("elbv2", "DeleteLoadBalancer", LoadBalancerArn=universe.balancer)
    universe.run(400)
    assert [service["loadBalancers"] for service in universe.services()] == before
    universe.make_balancer()
    universe.settle(lambda: ready(universe), within=600)
    assert sorted(production(universe).values()) == [1]
    calls = len(list(universe.world.calls.find(service="ecs", operation="UpdateService")))
    universe.run(1200)
    assert len(list(universe.world.calls.find(service="ecs", operation="UpdateService"))) == calls
