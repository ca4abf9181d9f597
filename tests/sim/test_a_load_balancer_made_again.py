"""A load balancer, or its listener, is deleted and made again, as Terraform replaces one.

A load balancer's target groups stay, and no rule can ever use them again: ECS takes no list of target groups
that has one. Those of a listener are used again; meanwhile nobody checks their targets.
"""

from __future__ import annotations

from typing import Any

import pytest

from sim.progressive_stories import (
    BLUE_GREEN,
    ROLLING,
    THREE_STEPS,
    at_step,
    production,
    ready,
    serves,
    verb,
    web,
)
from sim.stories import apply
from sim.universe import ROUTE, Universe, route


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
    universe.settle(lambda: ready(universe), within=200)
    assert sorted(production(universe).values()) == [1]
    calls = len(list(universe.world.calls.find(service="ecs", operation="UpdateService")))
    universe.run(1200)
    assert len(list(universe.world.calls.find(service="ecs", operation="UpdateService"))) == calls


def halfway() -> Universe:
    """Return a universe in which web:2 waits with its first weight for a person."""
    universe = Universe(seed=7)
    apply(web(strategy=THREE_STEPS), route())(universe)
    universe.settle(lambda: ready(universe))
    apply(web("web:2", strategy=THREE_STEPS))(universe)
    universe.settle(lambda: at_step(1)(universe))
    return universe


@pytest.mark.parametrize("blind", [False, True], ids=["", "ECS can't be asked"])
def test_a_listener_in_the_middle_of_a_rollout(*, blind: bool) -> None:
    """Nobody is healthy where nobody looks: the rollout waits, and the candidate is not to blame."""
    universe = halfway()
    before = production(universe)
    universe.aws("elbv2", "DeleteListener", ListenerArn=universe.listeners.pop(80))
    if blind:
        universe.fault("throttle", operation="DescribeServices", until=universe.clock.now() + 100)
    universe.run(120)
    universe.listeners[80] = universe.make_listener(80)
    universe.settle(lambda: production(universe) == before, within=300)
    assert universe.status()["rollout"]["stage"] == "Stepping"
    verb(universe, "promote-full")
    universe.settle(lambda: serves("web:2")(universe), within=900)


def test_a_load_balancer_in_the_middle_of_a_rollout() -> None:
    """Both slots get new groups, the rules are made again at the present weights, and it goes on."""
    universe = halfway()
    before = sorted(production(universe).values())
    universe.aws("elbv2", "DeleteLoadBalancer", LoadBalancerArn=universe.balancer)
    universe.run(100)
    universe.make_balancer()
    universe.settle(lambda: universe.ready(ROUTE), within=200)
    assert sorted(production(universe).values()) == before
    verb(universe, "promote-full")
    universe.settle(lambda: serves("web:2")(universe), within=900)
    assert sorted(production(universe).values()) == [1]
