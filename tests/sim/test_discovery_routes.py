"""Names in Cloud Map as their route keeps them: what it asks, tells, permits and leaves alone.

The choreography of entries is proven in unit/discovery and, from outside, in test_discovery_crashes; here it
is the route's pass: its two halves, its conditions, its reads.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

import pytest

from sim.discovery_stories import DOMAIN, canary, named, rolling
from sim.operator_process import BINDING
from sim.progressive_stories import at_step, verb
from sim.stories import apply
from sim.universe import ROUTE, WEB, Crashes, Universe, deployment
from sluice.model.keys import SERVICE_ROUTE, Key
from sluice.model.tenancy import Tenancy, permissive_rule

MAP = "servicediscovery"


def begin(*manifests: dict[str, Any], **settings: Any) -> Universe:
    """Return a universe in which these are Ready."""
    universe = Universe(seed=3, hook=Crashes(), settings=settings or None)
    apply(*manifests)(universe)
    keys = [Key(obj["kind"], "shop", obj["metadata"]["name"]) for obj in manifests]
    universe.settle(lambda: universe.ready(*keys))
    return universe


def rolling_of(name: str) -> dict[str, Any]:
    """Return another rolling Deployment."""
    return deployment(name, image=f"{name}:1", replicas=2)


def answers(universe: Universe, service: str = "web") -> dict[str, str]:
    """Return instance id → health, as clients of the API see the name; nothing where it does not exist."""
    listed = universe.aws(MAP, "ListServices")["Services"]
    if service not in {found["Name"] for found in listed}:
        return {}
    found = universe.aws(
        MAP, "DiscoverInstances", NamespaceName=DOMAIN, ServiceName=service, HealthStatus="ALL"
    )
    return {instance["InstanceId"]: instance["HealthStatus"] for instance in found["Instances"]}


def message(universe: Universe) -> str:
    """Return what the route says."""
    return str(universe.condition("Ready", ROUTE)["message"])


def narrowed(**fields: Any) -> Tenancy:
    """Return the permissive tenancy with some fields set."""
    return Tenancy(rules=(dataclasses.replace(permissive_rule(), **fields),), default_binding=BINDING)


def asked(universe: Universe, seconds: float) -> Counter[str]:
    """Return the operator's calls to Cloud Map and for tasks in the next seconds."""
    universe.world.calls.clear()
    universe.run(seconds)
    return Counter(call.operation for call in universe.world.calls.find())


def test_a_name_is_made_told_and_kept_at_little_cost() -> None:
    """Ready says how many entries there are; at rest a look costs one question to Cloud Map, and no write."""
    universe = begin(rolling(replicas=3), named())
    assert list(answers(universe).values()) == ["HEALTHY"] * 3
    assert message(universe) == f"web.{DOMAIN} has 3 entries"
    assert universe.status(ROUTE)["summary"]["hosts"] == f"web.{DOMAIN}"
    universe.run(70)
    calls = asked(universe, 300)
    looks = calls["DiscoverInstances"]
    assert 4 <= looks <= 8
    assert calls["ListInstances"] <= 1
    assert calls["ListTasks"] + calls["DescribeTasks"] == 0
    assert calls["GetNamespace"] + calls["ListServices"] + calls["GetService"] <= 3 * looks
    assert not {name for name in calls if name.startswith(("Register", "Deregister", "Update", "Create"))}


def test_somebody_elses_entry_is_counted_and_left() -> None:
    """A foreign instance is told in the status and outlives the route."""
    universe = begin(rolling(replicas=1), named())
    service = universe.status(ROUTE)["discovery"]["serviceId"]
    universe.aws(
        MAP,
        "RegisterInstance",
        ServiceId=service,
        InstanceId="theirs",
        Attributes={"AWS_INSTANCE_IPV4": "10.0.0.9"},
    )
    universe.run(100)
    assert universe.status(ROUTE)["discovery"]["foreign"] == 1
    universe.cluster.delete(ROUTE)
    universe.run(200)
    assert list(answers(universe)) == ["theirs"]


def test_a_denied_name_keeps_no_rule_waiting() -> None:
    """AccessDenied for entries: the rules are written and proven all the same, and both halves are told."""
    universe = Universe(seed=3, hook=Crashes())
    universe.fault("deny", service=MAP, operation="RegisterInstance")
    apply(rolling(replicas=2), named(rules=True))(universe)
    universe.settle(lambda: universe.ready(WEB) and universe.reason(ROUTE) == "AccessDenied", within=300)
    assert len(universe.rules()) >= 1
    assert universe.status(ROUTE)["rulesGeneration"] == 1
    assert universe.status(ROUTE)["backends"][0]["configured"] == {"a": 100}
    assert "servicediscovery:RegisterInstance" in message(universe)
    universe.heal()
    universe.settle(lambda: universe.ready(WEB, ROUTE), within=1200)
    assert list(answers(universe).values()) == ["HEALTHY"] * 2


def test_a_lost_listener_keeps_no_name_waiting() -> None:
    """With the listener deleted the name follows a new revision, and the listener is told."""
    universe = begin(rolling(replicas=2), named(rules=True))
    universe.aws("elbv2", "DeleteListener", ListenerArn=universe.listeners[80])
    universe.run(150)
    assert universe.reason(ROUTE) == "ListenerNotFound"
    before = set(answers(universe))
    universe.aws("ecs", "StopTask", cluster="sandbox", task=min(before).removeprefix("sluice-"))
    universe.run(150)
    after = answers(universe)
    assert sorted(after.values()) == ["HEALTHY"] * 2
    assert len(before & set(after)) == 1


def test_both_problems_are_told() -> None:
    """A listener that is not there and a namespace that does not exist, in one condition."""
    universe = Universe(seed=3)
    wanted = named(rules=True, namespaceRef={"name": "nowhere.local"})
    wanted["spec"]["parentRefs"] = [{"loadBalancerName": "sandbox", "port": 9999}]
    apply(rolling(replicas=1), wanted)(universe)
    universe.run(60)
    assert universe.condition("Stalled", ROUTE)["status"] == "True"
    assert "9999" in message(universe)
    assert "nowhere.local" in message(universe)


def test_a_name_that_is_taken_out_leaves_and_the_rules_stay() -> None:
    """Without `discovery` in the spec entries, service and namespace go; Ready is the rules' alone again."""
    universe = begin(rolling(replicas=2), named(rules=True))
    plain = named(rules=True)
    del plain["spec"]["discovery"]
    apply(plain)(universe)
    universe.run(5)
    assert universe.reason(ROUTE) == "RollingOut"
    universe.settle(lambda: universe.ready(WEB, ROUTE), within=400)
    assert "discovery" not in universe.status(ROUTE)
    assert universe.aws(MAP, "ListNamespaces")["Namespaces"] == []
    assert len(universe.rules()) >= 1


@pytest.mark.parametrize("lost", [False, True], ids=["status kept", "status lost"])
def test_a_deleted_route_leaves_nothing(lost: bool) -> None:  # noqa: FBT001 - a table's column
    """Rules at once, the name after its clients: and where the status was lost it is found by the spec."""
    universe = begin(rolling(replicas=2), named(rules=True))
    if lost:
        universe.cluster.lose_status(ROUTE)
    universe.cluster.delete(ROUTE)
    universe.run(3)
    assert len(universe.rules()) <= 1  # the anchor
    assert not universe.gone(ROUTE)
    universe.settle(lambda: universe.gone(ROUTE), within=400)
    assert universe.aws(MAP, "ListNamespaces")["Namespaces"] == []
    universe.settle(lambda: universe.ready(WEB))


def test_a_name_moves_without_a_gap() -> None:
    """Another serviceName: the old name answers until the new one does, then nothing of it is left."""
    universe = begin(rolling(replicas=2), named())
    apply(named(serviceName="shop"))(universe)
    for _ in range(300):
        universe.run(1)
        assert "HEALTHY" in {*answers(universe).values(), *answers(universe, "shop").values()}
        if universe.ready(ROUTE) and not answers(universe):
            break
    assert sorted(answers(universe, "shop").values()) == ["HEALTHY"] * 2
    assert [found["Name"] for found in universe.aws(MAP, "ListServices")["Services"]] == ["shop"]
    assert "left" not in universe.status(ROUTE)["discovery"]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        pytest.param({"cloud_map_namespaces": ("shop.local",)}, "may not have a name in", id="namespace"),
        pytest.param({"create_cloud_map_namespaces": False}, "may not make Cloud Map", id="make"),
    ],
)
def test_tenancy_keeps_names_out(fields: dict[str, Any], text: str) -> None:
    """What the namespace's rule does not allow is refused, and nothing is written to Cloud Map."""
    universe = Universe(seed=3, hook=Crashes(), settings={"tenancy": narrowed(**fields)})
    apply(rolling(replicas=1), named())(universe)
    universe.settle(lambda: universe.reason(ROUTE) == "NotPermitted" and universe.ready(WEB), within=200)
    assert text in message(universe)
    assert "CreatePrivateDnsNamespace" not in universe.writes()


def test_what_may_not_be_any_more_is_kept_clean() -> None:
    """Tenancy narrowed behind a name: live entries stay, a task that ends takes its own along, all told."""
    universe = begin(rolling(replicas=2), named())
    universe.options["settings"] = {"tenancy": narrowed(cloud_map_namespaces=())}
    universe.restart()
    universe.run(70)
    assert universe.reason(ROUTE) == "NotPermitted"
    ended, stays = sorted(answers(universe))
    universe.aws("ecs", "StopTask", cluster="sandbox", task=ended.removeprefix("sluice-"))
    universe.run(200)
    assert answers(universe) == {stays: "HEALTHY"}
    assert universe.reason(ROUTE) == "NotPermitted"
    universe.options["settings"] = None
    universe.restart()
    universe.settle(lambda: universe.ready(ROUTE) and len(answers(universe)) == 2, within=300)


def test_ecs_keeps_a_name() -> None:
    """Mode ECS: the service is made and told to the Deployment, and ECS's own entries are nobody else's."""
    universe = begin(rolling(replicas=2), named("ECS"))
    status = universe.status(ROUTE)["discovery"]
    assert ":service/srv-" in status["registryArn"]
    universe.run(30)
    assert len(answers(universe)) == 2
    assert not any(name.startswith("sluice-") for name in answers(universe))
    assert message(universe) == f"web.{DOMAIN} is kept by ECS"


def test_a_namespace_by_id_is_permitted_by_its_name() -> None:
    """An id says nothing about what may be used: the name that AWS knows it by does."""
    universe = Universe(seed=3, settings={"tenancy": narrowed(cloud_map_namespaces=("http-*",))})
    universe.aws(MAP, "CreateHttpNamespace", Name="http-shop")
    universe.aws(MAP, "CreateHttpNamespace", Name="other")
    universe.clock.advance(60)
    ids = {found["Name"]: found["Id"] for found in universe.aws(MAP, "ListNamespaces")["Namespaces"]}
    apply(rolling(replicas=1), named(namespaceRef={"id": ids["other"]}, dns=None))(universe)
    universe.settle(lambda: universe.reason(ROUTE) == "NotPermitted", within=200)
    assert "namespace other" in message(universe)
    apply(named(namespaceRef={"id": ids["http-shop"]}, dns=None))(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE), within=300)
    assert message(universe) == "web.http-shop has 1 entry"


def test_one_of_two_namespaces_has_to_be_chosen() -> None:
    """A name that is used twice is told with both ids; one that exists with another type, too."""
    universe = Universe(seed=3)
    universe.aws(MAP, "CreateHttpNamespace", Name=DOMAIN)
    universe.aws(MAP, "CreatePublicDnsNamespace", Name=DOMAIN)
    universe.clock.advance(120)
    apply(rolling(replicas=1), named(namespaceRef={"name": DOMAIN}))(universe)
    universe.settle(lambda: universe.reason(ROUTE) == "InvalidSpec", within=200)
    for found in universe.aws(MAP, "ListNamespaces")["Namespaces"]:
        assert found["Id"] in message(universe)
    apply(named())(universe)  # asks for a private one
    universe.run(10)
    assert "exists with type" in message(universe)


def test_ecs_keeps_no_name_of_a_progressive_deployment() -> None:
    """Mode ECS would put a candidate into the name at once: refused on the route, with the way out."""
    universe = Universe(seed=3)
    apply(canary(), named("ECS"))(universe)
    universe.run(60)
    assert universe.reason(ROUTE) == "InvalidSpec"
    assert "use mode Tasks" in message(universe)


def test_a_name_for_a_load_balancer() -> None:
    """Mode Alias: one entry that points at the load balancer, beside the rules."""
    universe = begin(rolling(replicas=1), named("Alias", rules=True))
    (entry,) = universe.aws(MAP, "DiscoverInstances", NamespaceName=DOMAIN, ServiceName="web")["Instances"]
    (balancer,) = universe.aws("elbv2", "DescribeLoadBalancers")["LoadBalancers"]
    assert entry["Attributes"]["AWS_ALIAS_DNS_NAME"] == balancer["DNSName"]


def test_what_cannot_be_read_removes_nothing() -> None:
    """Tasks or instances that nobody can read for minutes: no entry goes, and what is fine stays Ready."""
    universe = begin(rolling(replicas=2), named())
    before = answers(universe)
    for operation in ("ListTasks", "DescribeTasks", "ListInstances"):
        universe.fault("throttle", operation=operation)
    universe.restart()
    universe.run(200)
    assert answers(universe) == before
    universe.heal()
    universe.settle(lambda: universe.ready(WEB, ROUTE), within=300)
    assert answers(universe) == before


def test_a_suspended_operator_only_tells() -> None:
    """An entry removed by hand is reported and not repaired while the operator is suspended."""
    universe = begin(rolling(replicas=2), named())
    gone, _ = sorted(answers(universe))
    universe.options["settings"] = {"suspended": True}
    universe.restart()
    service = universe.status(ROUTE)["discovery"]["serviceId"]
    universe.aws(MAP, "DeregisterInstance", ServiceId=service, InstanceId=gone)
    universe.run(100)
    assert gone not in answers(universe)
    told = [event for event in universe.operator.recorder.events if event[2] == "DriftFound"]
    assert any("RegisterInstance" in text for *_, text in told)
    universe.options["settings"] = None
    universe.restart()
    universe.settle(lambda: len(answers(universe)) == 2 and universe.ready(ROUTE), within=300)


def test_routes_of_a_namespace_share_their_reads() -> None:
    """Ten names in one namespace ask for it once a look, and for all of its services at once."""
    others = []
    for number in range(9):
        other = named(serviceName=f"web-{number}")
        other["metadata"]["name"] = f"name-{number}"
        others.append(other)
    universe = begin(rolling(replicas=1), named(), *others)
    universe.run(70)
    calls = asked(universe, 300)
    assert calls["DiscoverInstances"] >= 40
    assert calls["GetNamespace"] <= 10
    assert calls["GetService"] + calls["ListServices"] <= calls["DiscoverInstances"]


def test_a_task_that_dies_at_rest_is_noticed() -> None:
    """No look at tasks at rest, and yet: one that ECS replaces is seen by the next look at its service."""
    universe = begin(rolling(replicas=3), named())
    universe.run(400)
    before = answers(universe)
    gone = min(before)
    universe.aws("ecs", "StopTask", cluster="sandbox", task=gone.removeprefix("sluice-"))
    universe.run(75)
    assert answers(universe).get(gone) != "HEALTHY"
    universe.run(60)
    after = answers(universe)
    assert sorted(after.values()) == ["HEALTHY"] * 3
    assert gone not in after


def test_a_canary_that_waits_costs_no_more_than_rest() -> None:
    """A rollout that a person lets wait for an hour is looked at as seldom as one that is over."""
    universe = begin(canary(), named())
    apply(canary("web:2"))(universe)
    universe.settle(lambda: at_step(1)(universe) and universe.ready(ROUTE), within=600)
    universe.run(70)
    calls = asked(universe, 300)
    assert calls["DiscoverInstances"] <= 8
    assert calls["ListInstances"] <= 1


def test_a_rollback_writes_rules_before_names() -> None:
    """An abort's first writes are the rules'; the name follows, and both are proven in the end."""
    universe = begin(canary(), named(rules=True))
    apply(canary("web:2"))(universe)
    universe.settle(lambda: at_step(1)(universe) and universe.ready(ROUTE), within=600)
    before = len(universe.writes())
    verb(universe, "abort")
    universe.settle(lambda: universe.reason() == "RolledBack" and universe.ready(ROUTE), within=900)
    made = universe.writes()[before:]
    of_names = {"UpdateInstanceCustomHealthStatus", "DeregisterInstance", "RegisterInstance"}
    assert made[0] == "ModifyRule"
    assert of_names & set(made)
    assert made.index("ModifyRule") < min(made.index(name) for name in of_names & set(made))


def test_a_pass_writes_the_status_twice_at_most() -> None:
    """Between two looks at the queue no route writes its status more often than intent and outcome."""
    universe = Universe(seed=3, hook=Crashes())
    apply(rolling(replicas=3), named(rules=True))(universe)
    most = 0
    for _ in range(400):
        before = universe.cluster.writes.count(f"status {Key(SERVICE_ROUTE, 'shop', 'web')}")
        if not universe.step():
            universe.clock.advance(0.5)
        after = universe.cluster.writes.count(f"status {Key(SERVICE_ROUTE, 'shop', 'web')}")
        most = max(most, after - before)
    assert universe.ready(WEB, ROUTE)
    assert most == 2


def test_a_name_that_changes_hands_lets_nobody_stop_too_early() -> None:
    """Another backendRef: the Deployment that had the name is not deleted before its entries have left."""
    universe = begin(rolling(replicas=2), rolling_of("ledger"), named())
    before = set(answers(universe))
    apply(named(backendRef={"name": "ledger", "port": "http"}))(universe)
    universe.cluster.delete(WEB)
    for _ in range(400):
        universe.run(1)
        running = set(universe.aws("ecs", "ListTasks", cluster="sandbox")["taskArns"])
        alive = {f"sluice-{arn.rsplit('/', 1)[-1]}" for arn in running}
        assert {name for name, health in answers(universe).items() if health == "HEALTHY"} <= alive
        if universe.gone(WEB) and universe.ready(ROUTE):
            break
    after = answers(universe)
    assert sorted(after.values()) == ["HEALTHY"] * 2
    assert not before & set(after)
    assert "formerBackend" not in universe.status(ROUTE)["discovery"]
