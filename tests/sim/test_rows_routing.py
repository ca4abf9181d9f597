"""rollout.md §6, row by row: rules, target groups and anchors."""

from __future__ import annotations

import pytest

from sim import console
from sim.stories import BY_NAME, CREATED, ON_8080, all_ready, apply, tell
from sim.universe import LEDGER, ROUTE, WEB, Universe, deployment, route
from sim.visitors import Visitors
from sluice.model import ownership
from sluice.model.keys import SERVICE_ROUTE, Key
from sluice.model.names import service_name
from sluice_sandbox.aws.estate import VPC_ID

SECOND = Key(SERVICE_ROUTE, "shop", "second")
OTHER_MATCH = [
    {
        "name": "main",
        "matches": [{"path": {"value": "/other"}}],
        "backendRefs": [{"name": "web", "port": "http"}],
    }
]


def roles(universe: Universe, port: int = 80) -> list[str]:
    """Return the roles of our rules on a listener, sorted."""
    found = [console.elb_tags(universe, rule["RuleArn"]) for rule in universe.rules(port)]
    return sorted(tags[ownership.ROLE] for tags in found if ownership.ROLE in tags)


def test_route_added_on_the_same_listener() -> None:
    """Only a rule: the ECS service is not touched, no task restarts."""
    universe = tell(BY_NAME["create"])
    before = console.service(universe)["deployments"][0]["id"]
    apply(route("second", rules=OTHER_MATCH))(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE, SECOND))
    assert console.service(universe)["deployments"][0]["id"] == before
    assert roles(universe) == ["anchor", "rule", "rule"]
    assert Visitors(universe, path="/other").start().stop().names() == {"web"}


def test_route_added_to_a_running_deployment() -> None:
    """Target groups come to the service by a rolling deployment, the rule follows once they are healthy."""
    universe = tell(BY_NAME["create without a route"])
    apply(route())(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    assert len(console.service(universe)["loadBalancers"]) == 1
    assert Visitors(universe).start().stop().bad == []


def test_route_deleted() -> None:
    """Its rule goes; anchor and target group stay with the Deployment, whose tasks do not restart."""
    universe = tell(BY_NAME["create"])
    before = console.service(universe)
    universe.cluster.delete(ROUTE)
    universe.settle(lambda: universe.gone(ROUTE) and universe.ready(WEB))
    universe.run(200)
    after = console.service(universe)
    assert roles(universe) == ["anchor"]
    assert after["loadBalancers"] == before["loadBalancers"]
    assert after["deployments"][0]["id"] == before["deployments"][0]["id"]


def test_backend_removed_from_a_route() -> None:
    """The other backend gets everything; the removed one keeps running and is Ready."""
    universe = tell(BY_NAME["two backends"])
    apply(route(backends={"ledger": 1}))(universe)
    universe.settle(lambda: all_ready(universe))
    visitors = Visitors(universe).start()
    universe.run(20)
    assert visitors.stop().names() == {"web"}  # both run the image web:1; what counts is who answers
    (rule,) = [r for r in universe.rules() if r["Conditions"][0]["Field"] == "path-pattern"]
    (group,) = rule["Actions"][0]["ForwardConfig"]["TargetGroups"]
    tags = console.elb_tags(universe, group["TargetGroupArn"])
    assert tags[ownership.NAME] == "ledger"


def test_deployment_deleted_while_a_route_points_at_it() -> None:
    """InUse: it serves on until the route lets go, then it goes by itself."""
    universe = tell(BY_NAME["create"])
    visitors = Visitors(universe).start()
    universe.cluster.delete(WEB)
    universe.run(600)
    assert universe.reason() == "InUse"
    assert universe.condition("Stalled")["status"] == "True"
    assert visitors.stop().bad == []
    universe.cluster.delete(ROUTE)
    universe.settle(lambda: universe.gone(WEB, ROUTE))
    assert (universe.services(), universe.target_groups(), universe.definitions()) == ([], [], [])


def test_two_deployments_in_one_rule() -> None:
    """Each rolls by itself: an update of one neither restarts the other nor writes the rule."""
    universe = tell(BY_NAME["two backends"])
    before = {s["serviceName"]: s["deployments"][0]["id"] for s in universe.services()}
    writes = len(universe.writes())
    apply(deployment("ledger", image="web:2"))(universe)
    universe.settle(lambda: all_ready(universe))
    after = {s["serviceName"]: s["deployments"][0]["id"] for s in universe.services()}
    assert [name for name in after if after[name] != before[name]] == [
        n for n in after if n.startswith("ledger")
    ]
    assert set(universe.writes()[writes:]) <= {"RegisterTaskDefinition", "UpdateService", "TagResource"}


def test_listener_deleted_and_made_again() -> None:
    """Stalled/ListenerNotFound, nothing shrinks, and rules are made again when it is back."""
    universe = tell(BY_NAME["create"])
    universe.aws("elbv2", "DeleteListener", ListenerArn=universe.listeners.pop(80))
    universe.settle(lambda: universe.reason(ROUTE) == "ListenerNotFound", within=200)
    universe.run(300)
    assert console.service(universe)["runningCount"] == 2
    assert len(universe.target_groups()) == 1
    universe.listeners[80] = universe.make_listener(80)
    universe.settle(lambda: universe.ready(WEB, ROUTE), within=300)
    assert roles(universe) == ["anchor", "rule"]
    assert Visitors(universe).start().stop().bad == []


def test_listener_that_never_was() -> None:
    """A route to a port without listener says so; the Deployment is Ready without it."""
    universe = Universe(seed=7)
    apply(deployment(), route(parentRefs=[{"loadBalancerName": "sandbox", "port": 9999}]))(universe)
    universe.settle(lambda: universe.ready(WEB) and universe.reason(ROUTE) == "ListenerNotFound")
    apply(route())(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE))


def test_backend_that_never_was() -> None:
    """Stalled/BackendNotFound names the field, and heals when the Deployment is applied."""
    universe = Universe(seed=7)
    apply(route())(universe)
    universe.settle(lambda: universe.reason(ROUTE) == "BackendNotFound", within=60)
    assert "backendRefs[web]" in universe.condition("Stalled", ROUTE)["message"]
    apply(deployment())(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE))


def test_priority_in_use() -> None:
    """Foreign rules on our numbers are never moved: ours takes another number."""
    universe = Universe(seed=7)
    for priority in (1, 2, 3, 49_999, 50_000):
        universe.aws(
            "elbv2",
            "CreateRule",
            ListenerArn=universe.listeners[80],
            Priority=priority,
            Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": [f"/theirs/{priority}"]}}],
            Actions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
        )
    before = console.details(universe)["rules"]
    CREATED[0](universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    after = console.details(universe)["rules"]
    assert {place: after[place] for place in before} == before
    assert roles(universe) == ["anchor", "rule"]


def test_asked_for_priority_in_use() -> None:
    """A number that the spec asks for and somebody else has is told, and taken once it is free."""
    universe = Universe(seed=7)
    made = universe.aws(
        "elbv2",
        "CreateRule",
        ListenerArn=universe.listeners[80],
        Priority=100,
        Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/theirs"]}}],
        Actions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
    )
    spec = route()
    spec["spec"]["rules"][0]["priority"] = 100
    apply(deployment(), spec)(universe)
    universe.settle(lambda: universe.condition("Stalled", ROUTE) != {}, within=200)
    assert "100" in universe.condition("Stalled", ROUTE)["message"]
    universe.aws("elbv2", "DeleteRule", RuleArn=made["Rules"][0]["RuleArn"])
    universe.settle(lambda: universe.ready(WEB, ROUTE), within=300)
    assert console.own_rule(universe, "rule")["Priority"] == "100"


def test_a_target_group_of_our_name() -> None:
    """An equal target group that somebody made under our name is not adopted but told; healed without it."""
    universe = tell(BY_NAME["create"])
    (ours,) = universe.target_groups()
    name = ours["TargetGroupName"]
    for key in (WEB, ROUTE):
        universe.cluster.delete(key)
    universe.settle(lambda: universe.gone(WEB, ROUTE))
    made = universe.aws(
        "elbv2", "CreateTargetGroup", Name=name, Protocol="HTTP", Port=8080, VpcId=VPC_ID, TargetType="ip"
    )
    CREATED[0](universe)
    universe.settle(lambda: universe.reason() == "OwnershipConflict", within=200)
    assert name in universe.condition("Stalled")["message"]
    arn = made["TargetGroups"][0]["TargetGroupArn"]
    assert console.elb_tags(universe, arn) == {}
    universe.aws("elbv2", "DeleteTargetGroup", TargetGroupArn=arn)
    universe.settle(lambda: universe.ready(WEB, ROUTE), within=900)


@pytest.mark.parametrize(
    ("operation", "code", "key"),
    [
        pytest.param("CreateTargetGroup", "TooManyTargetGroups", WEB, id="target groups"),
        pytest.param("CreateRule", "TooManyRules", WEB, id="rules"),
    ],
)
def test_quota_exceeded(operation: str, code: str, key: Key) -> None:
    """A quota is Stalled/QuotaExceeded in AWS's words, and heals when there is room."""
    universe = Universe(seed=7)
    universe.fault("error", operation=operation, code=code, message="the quota is 3", status=400)
    CREATED[0](universe)
    universe.settle(lambda: universe.reason(key) == "QuotaExceeded", within=200)
    assert "the quota is 3" in universe.condition("Stalled", key)["message"]
    universe.heal()
    universe.settle(lambda: universe.ready(WEB, ROUTE), within=900)


def test_a_service_that_something_else_deploys() -> None:
    """Our name and tags with the EXTERNAL controller: Stalled/ManagedByECS, nothing is written."""
    universe = Universe(seed=7)
    name = service_name("sim", WEB, slot="a", ordinal=1)
    universe.aws(
        "ecs",
        "CreateService",
        cluster="sandbox",
        serviceName=name,
        desiredCount=1,
        deploymentController={"type": "EXTERNAL"},
        tags=ownership.to_ecs(ownership.owner_tags("sim", WEB, role="slot-a")),
    )
    apply(deployment())(universe)
    universe.settle(lambda: universe.reason() == "ManagedByECS", within=200)
    universe.run(120)
    before = universe.writes()
    universe.run(600)
    assert universe.writes() == before
    universe.aws("ecs", "DeleteService", cluster="sandbox", service=name, force=True)
    universe.settle(universe.ready, within=900)


def test_another_load_balancer_listener_moves_without_new_tasks() -> None:
    """Another listener of the same load balancer: the rule moves, the target group and the tasks stay."""
    universe = tell(BY_NAME["create"])
    before = console.service(universe)["deployments"][0]["id"]
    apply(route(parentRefs=ON_8080))(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    assert console.service(universe)["deployments"][0]["id"] == before
    assert (roles(universe), roles(universe, 8080)) == (["anchor"], ["rule"])


def test_two_routes_fight_for_one_path() -> None:
    """The older route wins, as in Gateway API: its rule stands first, whichever was applied again last."""
    universe = tell(BY_NAME["create"])
    apply(deployment("ledger", image="ledger:1"), route("second", backends={"ledger": 1}))(universe)
    universe.settle(lambda: universe.ready(WEB, LEDGER, ROUTE, SECOND))
    visitors = Visitors(universe).start()
    universe.run(20)
    assert visitors.stop().names() == {"web"}


def test_a_replaced_service_that_is_not_ours_any_more() -> None:
    """Somebody took our tags off the old service while its successor starts: it is left alone and told."""
    universe = tell(BY_NAME["create without a route"])
    slow = deployment(ecs={"cluster": "second"}, env={"SANDBOX_START_DELAY_S": "60"})
    apply(slow)(universe)
    universe.run(10)
    old = next(s for s in universe.services() if s["clusterArn"].endswith("/sandbox"))
    keys = [tag["key"] for tag in old["tags"]]
    universe.aws("ecs", "UntagResource", resourceArn=old["serviceArn"], tagKeys=keys)
    universe.settle(universe.ready)
    universe.run(300)
    assert {(s["clusterArn"].rsplit("/", 1)[-1], s["status"]) for s in universe.services()} == {
        ("sandbox", "ACTIVE"),
        ("second", "ACTIVE"),
    }
    assert any("left alone" in message for _, _, _, message in universe.operator.recorder.events)
