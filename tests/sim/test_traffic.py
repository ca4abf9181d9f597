"""Nobody gets an error while everything healthy changes: ten requests a virtual second, all the time.

The stream begins when the route is Ready for the first time and ends with the story. A request that
meets a rule without healthy targets, a missing rule or the wrong Deployment fails the test with the
virtual second at which it happened.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sim import console
from sim.stories import ON_8080, apply, undo_to_first
from sim.universe import LEDGER, ROUTE, WEB, Crashes, Universe, deployment, route
from sim.visitors import Visitors

SPOT = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
CHANGES = [
    pytest.param(apply(deployment(image="web:2")), id="update"),
    pytest.param(lambda u: u.cluster.scale(WEB, 6), id="scale out"),
    pytest.param(lambda u: u.cluster.scale(WEB, 1), id="scale in"),
    pytest.param(apply(deployment(ecs={"cluster": "second"})), id="another cluster"),
    pytest.param(apply(deployment(ecs={"capacityProviderStrategy": SPOT})), id="capacity providers"),
    pytest.param(apply(deployment(ecs={"enableExecuteCommand": True})), id="another setting"),
    pytest.param(apply(deployment(env={"MODE": "fast"})), id="another variable"),
    pytest.param(
        apply(deployment(ecs={"targetGroups": [{"port": "http", "protocolVersion": "HTTP2"}]})),
        id="another protocol",
    ),
    pytest.param(lambda u: u.restart(), id="operator restarts"),
    pytest.param(lambda u: u.cluster.lose_status(WEB), id="status lost"),
    pytest.param(lambda u: u.cluster.lose_status(ROUTE), id="route's status lost"),
    pytest.param(console.stop_task, id="a task is stopped"),
    pytest.param(console.delete_rule("anchor"), id="the anchor is deleted"),
]


def open_for_visitors(*, replicas: int = 3) -> tuple[Universe, Visitors]:
    """Return a universe with a route that is Ready, and the visitors who begin now."""
    universe = Universe(seed=7, hook=Crashes())
    apply(deployment(replicas=replicas), route())(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    return universe, Visitors(universe).start()


@pytest.mark.parametrize("change", CHANGES)
def test_no_request_is_lost(change: Callable[[Universe], None]) -> None:
    """Every request of the minutes around a change gets a 200 of the right Deployment."""
    universe, visitors = open_for_visitors()
    universe.run(3)
    change(universe)
    universe.run(2)
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    universe.run(100)  # drift passes, and the deregistration of what was replaced
    assert visitors.bad == []
    assert visitors.names() == {"web"}
    assert sum(visitors.answers.values()) > 1000


def test_update_and_undo_with_a_crash_at_every_call() -> None:
    """Killed after each write of an update and its undo, the operator loses no request either."""
    universe, visitors = open_for_visitors()
    crashes = universe.hook
    assert isinstance(crashes, Crashes)
    for change in (apply(deployment(replicas=3, image="web:2")), undo_to_first):
        change(universe)
        for _ in range(12):
            crashes.at, crashes.when, crashes.armed = len(crashes.calls) + 1, "after", True
            universe.run(3)
        crashes.armed = False
        universe.settle(lambda: universe.ready(WEB, ROUTE))
    assert universe.crashes >= 4
    assert visitors.stop().bad == []


def test_a_route_edit_leaves_no_gap() -> None:
    """A hostname, a path beside the old one, another listener: who matched before and after is served."""
    universe, visitors = open_for_visitors()
    for spec in (
        {"hostnames": ["shop.example.com"]},
        {"hostnames": ["shop.example.com", "*.example.com"]},
        {"parentRefs": [{"loadBalancerName": "sandbox", "port": 80}, *ON_8080]},
    ):
        universe.cluster.apply(route(**spec))
        universe.settle(lambda: universe.ready(WEB, ROUTE))
        universe.run(5)
    assert visitors.stop().bad == []
    other = Visitors(universe, port=8080).start()
    universe.run(5)
    assert other.bad == []


def test_weights_between_two_deployments() -> None:
    """Requests follow the static weights, a backend of weight 0 gets none, and none is lost on the way."""
    universe = Universe(seed=7)
    apply(deployment(), deployment("ledger", image="ledger:1"), route(backends={"web": 9, "ledger": 1}))(
        universe
    )
    universe.settle(lambda: universe.ready(WEB, LEDGER, ROUTE))
    before = Visitors(universe).start()
    universe.run(200)
    assert 0.06 < before.answers["200 ledger"] / sum(before.answers.values()) < 0.14
    apply(route(backends={"web": 0, "ledger": 1}))(universe)
    universe.settle(lambda: universe.ready(ROUTE))
    after = Visitors(universe).start()
    universe.run(30)
    assert after.names() == {"ledger"}
    assert before.stop().bad == []


def test_a_deleted_route_answers_as_if_it_had_never_been() -> None:
    """Deleting route and Deployment at once: requests get the service or the listener's 404, never a 5xx."""
    universe, visitors = open_for_visitors()
    universe.run(2)
    for key in (WEB, ROUTE):
        universe.cluster.delete(key)
    universe.settle(lambda: universe.gone(WEB, ROUTE))
    universe.run(5)
    assert set(visitors.stop().answers) == {"200 web", "404"}
    assert universe.target_groups() == []


def test_the_first_minute_serves_nothing_or_right() -> None:
    """Before the route is Ready the first time: a 404 or a right answer, never a 503 of an empty group."""
    universe = Universe(seed=7)
    visitors = Visitors(universe).start()
    apply(deployment(), route())(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    universe.run(10)
    assert set(visitors.stop().answers) == {"404", "200 web"}
