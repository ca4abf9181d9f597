"""Edits of a ServiceRoute under load: what matched before and after an edit is answered all the time."""

from __future__ import annotations

from typing import Any

from sim import console
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


def test_what_was_not_written_is_not_acknowledged() -> None:
    """A rule that waits for one backend proves nothing of what the other one publishes meanwhile."""
    universe = tell(BY_NAME["two backends"])
    universe.operator.deaf_until = float("inf")
    universe.cluster.lose_status(LEDGER)  # restored: what it publishes is not known yet
    web = universe.obj(WEB)
    web["status"]["traffic"]["seq"] += 1
    for key in (WEB, LEDGER):
        universe.operator.intake.seen(key, universe.obj(key))
    universe.operator.reconciler._controllers["ServiceRoute"].reconcile(ROUTE)
    seen = {entry["name"]: entry["seq"] for entry in universe.status(ROUTE)["backends"]}
    assert seen["web"] == web["status"]["traffic"]["seq"] - 1


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
