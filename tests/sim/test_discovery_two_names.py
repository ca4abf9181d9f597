"""Two names for one Deployment, with different TTLs: whoever is last gives a task back to ECS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sim.discovery_observer import Clients
from sim.discovery_stories import REPLICAS, TTL, canary, named, rolling
from sim.names import Name
from sim.progressive_stories import at_step, verb
from sim.stories import apply
from sim.universe import ROUTE, WEB, Crashes, Universe
from sluice.model.keys import SERVICE_ROUTE, Key

SECOND = Key(SERVICE_ROUTE, "shop", "web2")


def second(ttl: int) -> dict[str, Any]:
    """Return another route with a name for the same Deployment."""
    made = named(serviceName="web2", dns={"records": [{"type": "A", "ttlSeconds": ttl}]})
    made["metadata"]["name"] = SECOND.name
    return made


def begin(deployment: dict[str, Any], *, ttl: int) -> tuple[Universe, list[Clients]]:
    """Return a universe in which both names answer, and clients of both."""
    universe = Universe(seed=3, hook=Crashes())
    apply(deployment, named(), second(ttl))(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE, SECOND))
    universe.run(30)
    clients = [Clients(name=Name(universe)), Clients(name=Name(universe, "web2"), ttl=ttl)]
    return universe, [one.start() for one in clients]


def end(universe: Universe, clients: list[Clients]) -> list[str]:
    """Return every breach, once all is at rest again."""
    universe.settle(lambda: universe.ready(WEB, ROUTE, SECOND), within=3600)
    universe.run(300)
    return [text for one in clients for text in one.stop().bad]


@pytest.mark.parametrize("ttl", [TTL, 120, 300], ids=["as-long", "longer", "much-longer"])
@pytest.mark.parametrize(
    "change",
    [apply(rolling("web:2")), apply(rolling(replicas=2))],
    ids=["update", "scale-in"],
)
def test_no_name_is_left_with_dead_answers(change: Callable[[Universe], None], ttl: int) -> None:
    """A task ends when clients of neither name can hold its address any more."""
    universe, clients = begin(rolling(), ttl=ttl)
    change(universe)
    assert end(universe, clients) == []


def test_a_canary_in_two_names() -> None:
    """Shares and the promotion hold in both."""
    universe, clients = begin(canary(), ttl=120)
    apply(canary("web:2"))(universe)
    universe.settle(lambda: at_step(1)(universe), within=1800)
    verb(universe, "promote-full")
    assert end(universe, clients) == []


def test_a_name_that_goes_leaves_the_other_ones_tasks_protected() -> None:
    """The route is deleted; its tasks stay the other's, which answers with them all the time."""
    universe, clients = begin(rolling(), ttl=120)
    clients[0].stop()
    universe.cluster.delete(ROUTE)
    universe.settle(lambda: universe.gone(ROUTE), within=600)
    universe.run(300)
    assert clients[1].stop().bad == []
    asked = [
        call
        for call in universe.world.calls.find(operation="UpdateTaskProtection")
        if call.params.get("protectionEnabled") is False
    ]
    assert asked == []
    assert len(Name(universe, "web2").entries()) == REPLICAS
