"""A tenancy's range of priorities is edited while routes stand in it: they go where they may be now."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sim import console
from sim.operator_process import BINDING
from sim.stories import apply
from sim.universe import ROUTE, WEB, Universe, deployment, route
from sim.visitors import Visitors
from sluice.model import ownership
from sluice.model.tenancy import ListenerGrant, Tenancy, permissive_rule


def settings(first: int, last: int) -> dict[str, Any]:
    """Return the operator's settings with one range on every listener."""
    grant = ListenerGrant(load_balancer="*", priorities=(first, last))
    rule = dataclasses.replace(permissive_rule(), listeners=(grant,))
    return {"tenancy": Tenancy(rules=(rule,), default_binding=BINDING)}


def places(universe: Universe) -> dict[str, int]:
    """Return rule name → priority of the route's rules."""
    tagged = [(console.elb_tags(universe, r["RuleArn"]), int(r["Priority"])) for r in universe.rules()]
    return {
        tags[ownership.ROUTE_RULE].split("/")[0]: number
        for tags, number in tagged
        if ownership.ROUTE_RULE in tags
    }


def inside(universe: Universe, numbers: tuple[int, int]) -> bool:
    """Tell whether every rule of the route stands in a range."""
    return all(numbers[0] <= number <= numbers[1] for number in places(universe).values())


@pytest.mark.parametrize("moved", [(1_000, 1_999), (9_000, 9_999)], ids=["down", "up"])
def test_rules_follow_the_range(moved: tuple[int, int]) -> None:
    """Both match the same requests, so they keep their order; every request is answered meanwhile."""
    universe = Universe(seed=7, settings=settings(5_000, 5_999))
    rules = [
        {
            "name": name,
            "matches": [{"path": {"value": path}}],
            "backendRefs": [{"name": "web", "port": "http"}],
        }
        for name, path in (("shop", "/web"), ("all", "/"))
    ]
    apply(deployment(), route(rules=rules))(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    visitors = Visitors(universe).start()
    universe.options["settings"] = settings(*moved)
    universe.restart()
    universe.settle(lambda: universe.ready(WEB, ROUTE) and inside(universe, moved))
    assert places(universe)["shop"] < places(universe)["all"]
    assert visitors.stop().bad == []
    before = len(universe.writes())
    universe.run(600)
    assert universe.writes()[before:] == []
