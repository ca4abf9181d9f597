"""Names over hours: at rest, in trouble that lasts, and after more moves than a status can hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from sim.cluster import Cluster
from sim.discovery_stories import named, rolling
from sim.stories import apply
from sim.test_discovery_routes import MAP, answers, begin, message
from sim.universe import ROUTE, WEB, Crashes, Universe
from sluice.controllers.discovery import MOST_LEFT


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


def test_well_targets_at_rest_are_looked_at_seldom() -> None:
    """A route with rules and a name, for an hour: a thousand take less than half of ELB's read rate."""
    universe = begin(rolling(replicas=2), named(rules=True))
    universe.run(600)
    universe.world.calls.clear()
    universe.run(3600)
    health = len(list(universe.world.calls.find(operation="DescribeTargetHealth")))
    assert 1 <= health <= 15
    assert 1_000 * health / 3600 < 10 / 2


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The conditions of every status that is written."""
    seen: list[object] = []
    write = Cluster.patch_status

    def patch_status(self: Cluster, obj: Mapping[str, Any], status: Mapping[str, Any]) -> dict[str, Any]:
        seen.append(status["conditions"])
        return write(self, obj, status)

    monkeypatch.setattr(Cluster, "patch_status", patch_status)
    return seen


@pytest.mark.parametrize("goes", [False, True], ids=["wanted", "deleted"])
def test_trouble_that_lasts_is_told_once(told: list[object], *, goes: bool) -> None:
    """While Cloud Map denies, every attempt leaves Stalled as it is: no alert ends, nobody is told again."""
    operation = "DeregisterInstance" if goes else "RegisterInstance"
    universe = Universe(seed=3, hook=Crashes())
    universe.fault("deny", service=MAP, operation=operation)
    apply(rolling(replicas=2), named(rules=True))(universe)
    if goes:
        universe.settle(lambda: universe.ready(WEB, ROUTE))
        universe.cluster.delete(ROUTE)
    universe.settle(lambda: universe.reason(ROUTE) == "AccessDenied", within=300)
    universe.run(10)
    stalled = universe.status(ROUTE)["conditions"]
    told.clear()
    attempts = len(list(universe.world.calls.find(operation=operation)))
    universe.run(900)
    assert len(list(universe.world.calls.find(operation=operation))) > attempts
    assert all(conditions == stalled for conditions in told)


def test_many_moves_in_a_row_take_minutes_and_say_so() -> None:
    """As many names as a status holds are left four at a time, a minute each, and are counted."""
    universe = begin(rolling(replicas=1), named())
    for number in range(MOST_LEFT):
        universe.cluster.edit(ROUTE, lambda obj, number=number: _rename(obj, f"web{number}"))
        universe.run(3)
    assert f"{MOST_LEFT} former names are being left, 4 at a time" in message(universe)
    universe.settle(lambda: universe.ready(ROUTE), within=MOST_LEFT // 4 * 75)
    assert [found["Name"] for found in universe.aws(MAP, "ListServices")["Services"]] == [
        f"web{MOST_LEFT - 1}"
    ]


def test_more_moves_than_a_status_can_hold_stop_no_route() -> None:
    """Nothing can be removed, and the name is changed twenty times: rules go on, and all ends well later."""
    universe = begin(rolling(replicas=2), named(rules=True))
    universe.fault("deny", service=MAP, operation="DeregisterInstance")
    for number in range(MOST_LEFT + 4):
        universe.cluster.edit(ROUTE, lambda obj, number=number: _rename(obj, f"web{number}"))
        universe.run(5)
    universe.cluster.edit(ROUTE, lambda obj: obj["spec"].update(hostnames=["late.example.com"]))
    universe.run(120)
    assert len(universe.status(ROUTE)["discovery"]["left"]) == MOST_LEFT
    assert universe.status(ROUTE)["rulesGeneration"] == universe.obj(ROUTE)["metadata"]["generation"]
    universe.heal()
    universe.settle(lambda: universe.ready(ROUTE), within=3 * 3600)
    assert list(answers(universe, f"web{MOST_LEFT + 3}").values()) == ["HEALTHY"] * 2
    assert universe.aws(MAP, "ListServices")["Services"][0]["Name"] == f"web{MOST_LEFT + 3}"


def _rename(obj: dict[str, Any], name: str) -> None:
    obj["spec"]["discovery"]["serviceName"] = name
