"""Edits of a ServiceRoute under load: what matched before and after an edit is answered all the time."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest

from sim import console
from sim.progressive_stories import THREE_STEPS, at_step, production, verb, web
from sim.stories import BY_NAME, apply, tell
from sim.universe import LEDGER, ROUTE, WEB, Universe, deployment, route
from sim.visitors import Visitors
from sluice.model import ownership


def rule(name: str, *paths: str, backend: str = "web", **fields: Any) -> dict[str, Any]:
    """Return a rule of a route."""
    matches = [{"path": {"value": path}} for path in paths]
    return {"name": name, "matches": matches, "backendRefs": [{"name": backend, "port": "http"}]} | fields


def places(universe: Universe) -> dict[str, int]:
    """Return rule name → priority of the production rules on port 80."""
    tagged = [(console.elb_tags(universe, r["RuleArn"]), int(r["Priority"])) for r in universe.rules()]
    return {
        tags[ownership.ROUTE_RULE].split("/")[0]: number
        for tags, number in tagged
        if ownership.ROUTE_RULE in tags
    }


def test_a_rule_stays_until_its_successor_has_targets() -> None:
    """Another match and a Deployment that does not exist yet: the old rule answers until the new one can."""
    universe = tell(BY_NAME["create"])
    visitors = Visitors(universe).start()
    apply(route(rules=[rule("main", "/web", "/new", backend="ledger")]))(universe)
    universe.run(60)
    assert universe.reason(ROUTE) == "BackendNotFound"
    apply(deployment("ledger"))(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    assert visitors.stop().bad == []
    assert list(places(universe)) == ["main"]


def test_a_removed_rule_does_not_wait_for_another() -> None:
    """A rule that was taken out goes, although another one that shares no request waits for its backend."""
    universe = Universe(seed=7)
    apply(deployment(), route(rules=[rule("main", "/web"), rule("old", "/old")]))(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    apply(route(rules=[rule("main", "/web"), rule("next", "/next", backend="ledger")]))(universe)
    universe.run(30)
    assert list(places(universe)) == ["main"]


def test_priorities_change_places() -> None:
    """Two rules whose priorities were swapped in the spec are swapped by one call."""
    universe = Universe(seed=7)
    apply(deployment(), route(rules=[rule("one", "/web", priority=101), rule("two", "/x", priority=201)]))(
        universe
    )
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    visitors = Visitors(universe).start()
    apply(route(rules=[rule("one", "/web", priority=201), rule("two", "/x", priority=101)]))(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE), within=60)
    assert places(universe) == {"one": 201, "two": 101}
    assert universe.writes().count("SetRulePriorities") == 1
    assert visitors.stop().bad == []


def test_another_match_at_the_same_priority() -> None:
    """The rule that goes becomes the one that comes: its number is taken, and no request is lost."""
    universe = Universe(seed=7)
    apply(deployment(), route(rules=[rule("main", "/web", priority=101)]))(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    visitors = Visitors(universe).start()
    apply(route(rules=[rule("renamed", "/web", "/new", priority=101)]))(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE), within=60)
    assert places(universe) == {"renamed": 101}
    assert visitors.stop().bad == []
    before = len(universe.writes())
    universe.run(300)
    assert universe.writes()[before:] == []


def test_applied_again_while_the_deployment_goes() -> None:
    """A new route makes no rule to tasks that stop: the Deployment goes, and comes back when applied."""
    universe = tell(BY_NAME["create"])
    universe.cluster.delete(WEB)
    universe.cluster.delete(ROUTE)
    universe.settle(lambda: universe.gone(ROUTE))
    assert not universe.gone(WEB)
    apply(route())(universe)
    universe.run(2)
    assert "is being deleted" in universe.condition("Ready", ROUTE)["message"]
    universe.settle(lambda: universe.gone(WEB) and universe.reason(ROUTE) == "BackendNotFound", within=200)
    apply(deployment())(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE))


@pytest.mark.parametrize(
    ("weights", "acknowledged"),
    [
        pytest.param({"a": 95, "b": 5}, False, id="that it does not show"),
        pytest.param({"a": 100}, True, id="that it shows"),
    ],
)
def test_what_was_not_written_is_not_acknowledged(weights: dict[str, int], *, acknowledged: bool) -> None:
    """A rule that waits for one backend proves of what the other one publishes meanwhile only what is so."""
    universe = tell(BY_NAME["two backends"])
    universe.operator.deaf_until = float("inf")
    universe.cluster.lose_status(LEDGER)  # restored: what it publishes is not known yet
    web = copy.deepcopy(universe.obj(WEB))
    web["metadata"]["resourceVersion"] = str(int(web["metadata"]["resourceVersion"]) + 1_000)
    web["status"]["traffic"] |= {"seq": web["status"]["traffic"]["seq"] + 1, "weights": weights}
    for key, obj in ((WEB, web), (LEDGER, universe.obj(LEDGER))):
        universe.operator.intake.seen(key, obj)
    universe.operator.reconciler._controllers["ServiceRoute"].reconcile(ROUTE)
    (seen,) = (entry["seq"] for entry in universe.status(ROUTE)["backends"] if entry["name"] == "web")
    assert seen == web["status"]["traffic"]["seq"] - (0 if acknowledged else 1)


TEST = {"parentRefs": [{"loadBalancerName": "sandbox", "port": 8080}]}
BEHIND = {
    "a backendRef to nobody": [route(backends={"web": 9, "wbe": 1})],
    "its only backendRef to nobody": [route(backends={"wbe": 1})],
    "another match, to nobody": [route(rules=[rule("main", "/web", "/new", backend="wbe")])],
    "another match, to nobody beside it": [
        route(
            rules=[
                rule("main", "/web", "/new")
                | {"backendRefs": [{"name": name, "port": "http"} for name in ("web", "wbe")]}
            ]
        )
    ],
}


ELSEWHERE = {"parentRefs": [{"loadBalancerName": "sandbox", "port": 81}]}


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(route(**TEST, backends={"web": 9, "wbe": 1}), id="to nobody, from another listener"),
        pytest.param(route(**ELSEWHERE), id="to a listener that is not there"),
        pytest.param(route(**ELSEWHERE, backends={"wbe": 1}), id="to nobody, from nowhere"),
    ],
)
def test_a_rollback_does_not_wait_for_a_route_to_come_to_its_listener(edit: dict[str, Any]) -> None:
    """The rules on the one that it leaves stay until then, and what goes back goes back in them."""
    universe = Universe(seed=7)
    apply(web(strategy=THREE_STEPS), route())(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    apply(web("web:2", strategy=THREE_STEPS))(universe)
    universe.settle(lambda: at_step(1)(universe))
    apply(edit)(universe)
    universe.run(30)
    assert not universe.ready(ROUTE)
    assert sorted(production(universe).values()) == [5, 95]
    verb(universe, "abort")
    (live,) = (g["name"] for g in universe.status()["targetGroups"] if g["slot"] == "a")
    universe.settle(lambda: list(production(universe)) == [live], within=120)


@pytest.mark.parametrize("edit", BEHIND.values(), ids=BEHIND)
def test_a_rollback_does_not_wait_for_a_route_to_be_mended(edit: list[dict[str, Any]]) -> None:
    """The rule that stays until then sends everything back at once; forward moves had waited."""
    universe = Universe(seed=7)
    apply(web(strategy=THREE_STEPS), route())(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    apply(web("web:2", strategy=THREE_STEPS))(universe)
    universe.settle(lambda: at_step(1)(universe))
    apply(*edit)(universe)
    universe.run(30)
    assert (universe.reason(ROUTE), sorted(production(universe).values())) == ("BackendNotFound", [5, 95])
    verb(universe, "abort")
    (live,) = (g["name"] for g in universe.status()["targetGroups"] if g["slot"] == "a")
    universe.settle(lambda: list(production(universe)) == [live], within=120)


def test_a_rollback_does_not_wait_for_a_rule_that_is_too_large() -> None:
    """With five more backends the rule can't be as the spec wants it, the way back in it can."""
    universe = Universe(seed=7)
    others = [f"other-{number}" for number in range(5)]
    far = [{"name": name, "port": "http"} for name in others]
    apply(
        web(strategy=THREE_STEPS),
        route(),
        *map(deployment, others),
        route("second", rules=[rule("far", "/far") | {"backendRefs": far}]),
    )(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE, dataclasses.replace(ROUTE, name="second")))
    apply(web("web:2", strategy=THREE_STEPS))(universe)
    universe.settle(lambda: at_step(1)(universe))
    apply(route(backends=dict.fromkeys(["web", *others], 1)))(universe)
    universe.run(30)
    assert (universe.reason(ROUTE), universe.condition("Stalled", ROUTE)["status"]) == ("InvalidSpec", "True")
    verb(universe, "abort")
    groups = {group["slot"]: group["name"] for group in universe.status()["targetGroups"]}
    universe.settle(lambda: groups["b"] not in production(universe), within=120)
    assert production(universe)[groups["a"]] == 1


MANY = {"path": {"value": "/more"}, "headers": [{"name": f"x-{n}", "value": "1"} for n in range(5)]}


@pytest.mark.parametrize(
    "refused",
    [
        pytest.param({"priority": 40_000}, id="a number that somebody else has"),
        pytest.param({"matches": [MANY]}, id="more values than a rule can have"),
    ],
)
def test_a_rollback_does_not_wait_for_a_spec_that_alb_can_have(refused: dict[str, Any]) -> None:
    """Another rule of the route is refused, and nothing of the edit is written; the way back is."""
    universe = Universe(seed=7)
    console.add_bystanders(universe)
    apply(web(strategy=THREE_STEPS), route())(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    apply(web("web:2", strategy=THREE_STEPS))(universe)
    universe.settle(lambda: at_step(1)(universe))
    apply(route(rules=[rule("main", "/web"), rule("more", "/more", **refused)]))(universe)
    universe.run(30)
    before = universe.status(ROUTE)["parents"]
    assert (universe.reason(ROUTE), sorted(production(universe).values())) == ("InvalidSpec", [5, 95])
    verb(universe, "abort")
    universe.settle(lambda: list(production(universe).values()) == [1], within=120)
    assert universe.reason(ROUTE) == "InvalidSpec"
    assert universe.status(ROUTE)["parents"] == before
    apply(route())(universe)
    universe.settle(lambda: universe.reason() == "RolledBack" and universe.ready(ROUTE))


@pytest.mark.parametrize("beside", [{}, {"test": TEST}], ids=["production", "with a test listener"])
def test_a_rollback_ends_behind_a_broken_backend_ref(beside: dict[str, Any]) -> None:
    """What is wrong with another backend keeps the failed candidate's tasks no longer than its drain."""
    universe = Universe(seed=7)
    apply(web(strategy=THREE_STEPS), route(**beside))(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    apply(web("web:2", strategy=THREE_STEPS))(universe)
    universe.settle(lambda: at_step(1)(universe))
    apply(route(backends={"web": 9, "wbe": 1}, **beside))(universe)
    verb(universe, "abort")
    universe.settle(lambda: universe.reason() == "RolledBack" and "rollout" not in universe.status())
    assert universe.reason(ROUTE) == "BackendNotFound"


def test_no_rule_begins_to_send_to_who_goes() -> None:
    """A backend added while its Deployment is being deleted: the rule keeps what it has, nothing gets 503."""
    universe = Universe(seed=7)
    apply(deployment("web"), deployment("ledger"), route())(universe)
    universe.settle(lambda: universe.ready(WEB, LEDGER, ROUTE))
    before = production(universe)
    apply(route("second", backends={"ledger": 1}))(universe)
    second = dataclasses.replace(ROUTE, name="second")
    universe.settle(lambda: universe.ready(second))
    universe.cluster.delete(second)
    universe.settle(lambda: universe.gone(second))
    universe.cluster.delete(LEDGER)
    universe.run(2)
    apply(route(backends={"web": 1, "ledger": 1}))(universe)
    universe.run(3)
    assert "is being deleted" in universe.condition("Ready", ROUTE)["message"]
    assert production(universe) == before
    universe.settle(lambda: universe.gone(LEDGER), within=300)


def with_port(name: str, number: int) -> dict[str, Any]:
    """Return the Deployment with another container port."""
    manifest = deployment()
    container = manifest["spec"]["template"]["spec"]["containers"][0]
    container["ports"] = [{"name": name, "containerPort": number}]
    container["readinessProbe"]["httpGet"]["port"] = name
    return manifest


def test_another_number_of_the_same_port() -> None:
    """The new port's target group takes over alone: nothing is sent to the one whose tasks have gone."""
    universe = tell(BY_NAME["create"])
    apply(with_port("http", 9090))(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    visitors = Visitors(universe).start()
    universe.run(300)
    assert visitors.stop().bad == []
    (group,) = console.own_rule(universe, "rule")["Actions"][0]["ForwardConfig"]["TargetGroups"]
    assert universe.healthy(group["TargetGroupArn"]) == 2


def test_another_name_of_the_same_port() -> None:
    """A port that was only renamed is found by its new name, in the group that it has."""
    universe = tell(BY_NAME["create"])
    visitors = Visitors(universe).start()
    backends = [{"name": "web", "port": "web"}]
    apply(with_port("web", 8080), route(rules=[rule("main", "/web", "/more") | {"backendRefs": backends}]))(
        universe
    )
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    assert visitors.stop().bad == []
    assert len(universe.target_groups()) == 1


def test_deleted_while_a_rule_is_not_shown_yet() -> None:
    """CreateRule was not answered and reads are late: the deletion waits for the rule and takes it along."""
    universe = Universe(seed=7)
    apply(deployment(), route(rules=[rule("main", "/web")]))(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    universe.fault("lost-response", operation="CreateRule", remaining=1)
    universe.fault("stale-read", seconds=20)
    apply(route(rules=[rule("main", "/web"), rule("second", "/x")]))(universe)
    while len(places(universe)) == 1:
        assert universe.step() or universe.run(0.1) is None
    universe.cluster.delete(ROUTE)
    universe.settle(lambda: universe.gone(ROUTE), within=120)
    assert places(universe) == {}
