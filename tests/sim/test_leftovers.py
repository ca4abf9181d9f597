"""Target groups of ports that are gone: kept while a rule forwards there, then collected with the anchor."""

from __future__ import annotations

from typing import Any

from sim import console
from sim.stories import BY_NAME, CREATED, both_ready, on_port, tell
from sim.universe import WEB, Universe, deployment, route

ADMIN = {"name": "admin", "containerPort": 9000}


def two_ports() -> dict[str, Any]:
    """Return the Deployment with a second port."""
    manifest = deployment()
    manifest["spec"]["template"]["spec"]["containers"][0]["ports"].append(ADMIN)
    return manifest


def admin_rule() -> dict[str, Any]:
    """Return a route with a rule for each port."""
    manifest = route()
    refs = [{"name": "web", "port": "admin", "weight": 1}]
    manifest["spec"]["rules"].append(
        {"name": "admin", "matches": [{"path": {"value": "/admin"}}], "backendRefs": refs}
    )
    return manifest


def of_two_ports() -> Universe:
    """Return a universe with a group and an anchor for each of two ports."""
    universe = Universe(seed=7)
    universe.cluster.apply(two_ports())
    universe.cluster.apply(admin_rule())
    universe.settle(lambda: both_ready(universe))
    assert len(universe.target_groups()) == 2
    assert anchors(universe) == 2
    return universe


def anchors(universe: Universe) -> int:
    """Return how many anchor rules there are."""
    return sum(
        console.elb_tags(universe, rule["RuleArn"]).get("sluice.dev/role") == "anchor"
        for rule in universe.rules()
    )


def test_a_port_that_vanishes_takes_its_group_and_anchor_along() -> None:
    """Both go a drift pass after the route let go of them, and status and traffic forget them."""
    universe = of_two_ports()
    universe.cluster.apply(route())
    universe.cluster.apply(deployment())
    universe.settle(lambda: both_ready(universe) and len(universe.target_groups()) == 1)
    assert anchors(universe) == 1
    universe.run(120)
    status = universe.status()
    assert [group["port"] for group in status["targetGroups"]] == ["http"]
    assert [target["port"] for target in status["traffic"]["targetGroups"]] == ["http"]
    assert len(status["anchors"]) == 1
    assert universe.ready(WEB)


def test_it_stays_while_a_rule_forwards_there() -> None:
    """The route's, whose backendRef nobody can follow any more: its rule keeps what it has."""
    universe = of_two_ports()
    universe.cluster.apply(deployment())
    universe.settle(lambda: universe.ready(WEB))
    universe.run(400)
    assert len(universe.target_groups()) == 2
    assert anchors(universe) == 2
    universe.cluster.apply(route())
    universe.settle(lambda: both_ready(universe) and len(universe.target_groups()) == 1)


def test_a_foreign_rule_counts_as_much() -> None:
    """Whoever forwards to a group of ours may go on; the day it ends the group goes."""
    universe = Universe(seed=7)
    CREATED[0](universe)
    universe.settle(lambda: both_ready(universe))
    listener = (
        console.own_rule(universe, "anchor")["RuleArn"].replace("listener-rule", "listener").rsplit("/", 1)[0]
    )
    (group,) = universe.target_groups()
    theirs = universe.aws(
        "elbv2",
        "CreateRule",
        ListenerArn=listener,
        Priority=40_000,
        Conditions=[{"Field": "path-pattern", "Values": ["/theirs"]}],
        Actions=[{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}],
    )["Rules"][0]["RuleArn"]
    universe.cluster.apply(on_port(9090))
    universe.settle(lambda: both_ready(universe))
    universe.run(400)
    assert len(universe.target_groups()) == 2
    universe.aws("elbv2", "DeleteRule", RuleArn=theirs)
    universe.settle(lambda: both_ready(universe) and len(universe.target_groups()) == 1)


def test_the_groups_of_two_protocol_versions_go_together() -> None:
    """They hang on one anchor: neither may wait for the other."""
    universe = of_two_ports()
    newer = two_ports()
    newer["spec"]["ecs"] |= {"targetGroups": [{"port": "admin", "protocolVersion": "HTTP2"}]}
    universe.cluster.apply(newer)
    universe.settle(lambda: both_ready(universe) and len(universe.target_groups()) == 3)
    universe.cluster.apply(route())
    universe.cluster.apply(deployment())
    universe.settle(lambda: both_ready(universe) and len(universe.target_groups()) == 1)
    assert anchors(universe) == 1


def test_a_collection_that_aws_denies_is_told_and_leaves_the_deployment_ready() -> None:
    """By an Event: a condition would change with each pass; and a hand edit is mended all the same."""
    universe = of_two_ports()
    universe.fault("error", operation="DeleteTargetGroup", status=403, code="AccessDenied")
    universe.cluster.apply(route())
    universe.cluster.apply(deployment())
    universe.settle(lambda: both_ready(universe))
    universe.run(120)
    version = universe.obj()["metadata"]["resourceVersion"]
    universe.run(300)
    assert universe.ready(WEB)
    assert universe.obj()["metadata"]["resourceVersion"] == version
    console.update_service(desiredCount=1)(universe)
    universe.settle(lambda: universe.ready(WEB) and console.service(universe)["desiredCount"] == 2)
    assert any(
        "DeleteTargetGroup" in text
        for _, _, reason, text in universe.operator.recorder.events
        if reason == "AccessDenied"
    )
    universe.heal()
    universe.settle(lambda: both_ready(universe) and len(universe.target_groups()) == 1, within=600)


def test_back_to_the_old_port() -> None:
    """What was collected is made again under its name."""
    universe = tell(BY_NAME["another port"])
    universe.cluster.apply(deployment())
    universe.settle(lambda: both_ready(universe) and len(universe.target_groups()) == 1)
    assert universe.target_groups()[0]["Port"] == 8080
