"""Alias and ECS, switches between the modes, other backends, drift, and what is not read."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.discovery import (
    AliasTarget,
    DiscoveryIntent,
    DnsRecord,
    Instance,
    NamespaceIntent,
    SeenTask,
)
from sluice.plan.discovery.entries import instance_id
from sluice.plan.discovery.look import effects
from sluice.plan.discovery.memory import Pending, short
from unit.discovery.cloud_map import NOW, Registered
from unit.discovery.world import TASKS_INTENT, Service, World, running_world

WEIGHTED = dataclasses.replace(TASKS_INTENT, routing="WEIGHTED")
ALIAS = DiscoveryIntent(
    mode="Alias",
    namespace=NamespaceIntent(name="corp.local", create="DNS_PRIVATE", vpc="vpc-1"),
    service="web",
    records=(DnsRecord(type="A", ttl=60),),
    routing="WEIGHTED",
)
ECS = dataclasses.replace(TASKS_INTENT, mode="ECS")
PUBLIC = AliasTarget(name="shop-public", dns_name="shop-public-1.eu-west-1.elb.amazonaws.com")


def registered_by_ecs(world: World) -> None:
    """Let ECS register its tasks of the present deployment, as serviceRegistries makes it do."""
    for task in world.tasks.values():
        seen = world.seen_task(task)
        if task.deployment == world.services["a"].deployment and task.is_healthy(world.now):
            world.instances[task.id] = Registered(
                {"AWS_INSTANCE_IPV4": seen.ipv4, "ECS_SERVICE_NAME": "web-a1"}, "HEALTHY"
            )
            world.seen[task.id] = "HEALTHY"
    for name in [n for n in world.instances if not n.startswith("sluice-") and n not in world.tasks]:
        del world.instances[name], world.seen[name]


def test_an_alias_points_at_every_load_balancer() -> None:
    """One entry each, with the route's attributes and none of AWS_INSTANCE_*; no protection, no health."""
    world = World(intent=ALIAS, aliases=(PUBLIC,))
    world.settle()
    assert list(world.instances) == ["sluice-lb-shop-public"]
    assert world.instances["sluice-lb-shop-public"].attributes == {
        "AWS_ALIAS_DNS_NAME": PUBLIC.dns_name,
        "SLUICE_INSTALLATION": "prod",
        "SLUICE_ROUTE": "shop/web",
    }
    assert "UpdateTaskProtection" not in world.calls


def test_another_load_balancer_is_seen_before_the_old_one_goes() -> None:
    """Its entry goes by deregistration, never while it is the only one; a new address is an upsert."""
    world = World(intent=ALIAS, aliases=(PUBLIC,))
    world.settle()
    other = AliasTarget(name="shop-two", dns_name="shop-two-1.eu-west-1.elb.amazonaws.com")
    world.aliases = (other,)
    assert [action.operation for action in world.reconcile().actions] == ["RegisterInstance"]
    world.settle()
    assert list(world.instances) == ["sluice-lb-shop-two"]
    world.aliases = (dataclasses.replace(other, dns_name="shop-two-2.eu-west-1.elb.amazonaws.com"),)
    calls = len(world.calls)
    world.settle()
    assert world.calls[calls:] == ["RegisterInstance"]


def test_load_balancers_that_could_not_be_read_change_nothing() -> None:
    """None is not "there is none"."""
    world = World(intent=ALIAS, aliases=(PUBLIC,))
    world.settle()
    world.aliases = None
    planned = world.plan()
    assert planned.actions == ()
    assert planned.wake_at
    assert not planned.settled


def test_tasks_to_alias_where_the_routing_allows() -> None:
    """The load balancer answers first; then the tasks' entries leave and the tasks are given back."""
    world = World(intent=WEIGHTED, services={"a": Service(desired=2)})
    for _ in range(2):
        world.start("a", healthy_after=0.0)
    world.settle()
    world.intent, world.aliases = ALIAS, (PUBLIC,)
    for task in world.tasks.values():
        task.backend = "web"
    world.generation += 1
    for _ in range(100):
        planned = world.run(2.0)
        assert world.healthy() or "sluice-lb-shop-public" in world.seen
        if planned.settled:
            break
    assert list(world.instances) == ["sluice-lb-shop-public"]
    assert all(task.protected_until == 0 for task in world.tasks.values())
    assert world.status["mode"] == "Alias"
    assert "formerBackend" not in world.status


def test_tasks_to_alias_where_the_routing_forbids() -> None:
    """MULTIVALUE stays MULTIVALUE in AWS: told, with the way out, and the tasks go on answering."""
    world = running_world(2)
    world.intent, world.aliases = ALIAS, (PUBLIC,)
    for task in world.tasks.values():
        task.backend = "web"
    planned = world.run(100.0)
    assert planned.problem
    assert "routing policy is MULTIVALUE, not WEIGHTED" in planned.problem.message
    assert len(world.healthy()) == 2
    assert list(world.instances) == [f"sluice-{task}" for task in world.tasks]


def test_alias_to_tasks_goes_without_custom_health() -> None:
    """The service was made without; tasks answer first, then the alias goes, and all still works."""
    world = World(intent=ALIAS, aliases=(PUBLIC,), services={"a": Service(desired=2)})
    for _ in range(2):
        world.start("a", healthy_after=0.0)
    world.settle()
    world.intent, world.aliases = WEIGHTED, None
    world.settle()
    assert set(world.instances) == {f"sluice-{task}" for task in world.tasks}
    world.deploy()
    world.run(200.0)
    assert world.settle().settled
    assert world.dead_answers == 0


def test_ecs_gets_the_registry_and_nothing_of_ours() -> None:
    """The ARN is told as soon as the service is ours; no entry is made."""
    world = World(intent=ECS, services={"a": Service(desired=2)})
    world.settle()
    assert world.service
    assert world.status["registryArn"] == world.service.arn
    assert "RegisterInstance" not in world.calls


def test_tasks_to_ecs_hands_over_task_by_task() -> None:
    """Ours leave as ECS's own are seen: the deployment that brings the registry is driven like any other."""
    world = running_world(3)
    world.intent = ECS
    world.reconcile()
    assert world.service
    assert world.status["registryArn"] == world.service.arn
    world.run(60.0)
    assert len(world.healthy()) == 3
    world.deploy()
    for _ in range(300):
        world.run(1.0)
        registered_by_ecs(world)
        if not world.running("a", "d1"):
            break
    assert not world.running("a", "d1")
    assert not any(name.startswith("sluice-") for name in world.instances)
    assert world.dead_answers == 0
    assert world.status["foreign"] == 3


def test_ecs_to_tasks_keeps_the_registry_until_ours_are_seen() -> None:
    """Two entries for a task are better than none."""
    world = World(intent=ECS, services={"a": Service(desired=2)})
    for _ in range(2):
        world.start("a", healthy_after=0.0)
    world.settle()
    registered_by_ecs(world)
    world.intent = TASKS_INTENT
    first = world.reconcile()
    assert first.memory.registry_arn
    world.settle()
    assert "registryArn" not in world.status
    assert sum(name.startswith("sluice-") for name in world.instances) == 2


def test_a_deleted_route_waits_for_ecs_to_leave() -> None:
    """The registry is taken back first; the service goes when ECS registers in it no more."""
    world = World(intent=ECS, services={"a": Service(desired=1)})
    world.start("a", healthy_after=0.0)
    world.settle()
    registered_by_ecs(world)
    world.deleting = True
    planned = world.run(20.0)
    assert "registryArn" not in world.status
    assert planned.problem
    assert planned.problem.reason == "InUse"
    world.instances.clear()
    world.seen.clear()
    for _ in range(40):
        if world.reconcile().finished:
            break
        world.tick(2.0)
    assert world.service is None


def test_another_backend_answers_before_the_old_one_goes() -> None:
    """The former backend's tasks are read along, leave in order, and are given back."""
    world = running_world(2)
    for task in world.tasks.values():
        task.backend = "web"
    world.services["c"] = Service(desired=2, deployment="x1")
    world.intent = dataclasses.replace(TASKS_INTENT, backend="shop")
    world.services["a"].desired = 2
    world.generation += 1
    world.run(10.0)
    assert world.status["formerBackend"] == "web"
    world.run(200.0)
    world.settle()
    assert {task.slot for task in world.tasks.values() if task.id[:8] in world.healthy()} == {"c"}
    assert "formerBackend" not in world.status
    assert all(task.protected_until == 0 for task in world.tasks.values() if task.slot == "a")


def test_a_backend_that_is_deleted_takes_its_entries_along() -> None:
    """Nobody holds the last one, and the tasks end only when nobody uses them any more."""
    world = running_world(3)
    world.going = True
    world.run(8.0)
    assert not world.seen
    assert all(task.protected_until > world.now for task in world.tasks.values())
    world.run(60.0)
    assert all(task.protected_until == 0 for task in world.tasks.values())
    assert world.service is not None


@pytest.mark.parametrize("missing", ["tasks", "registered", "discovered"])
def test_what_is_not_read_leads_to_no_removal(missing: str) -> None:
    """And to no registration: the plan is empty, and comes back soon."""
    world = running_world(3)
    world.services["a"].desired = 1
    world.run(40.0)
    world.deploy()
    blind: Any = {missing: None}
    planned = world.plan(dataclasses.replace(world.facts(), **blind))
    assert planned.actions == ()
    assert planned.problem is None
    assert planned.wake_at
    assert not planned.settled
    assert planned.memory.leaving == world.plan().memory.leaving or missing != "tasks"


def test_a_process_that_has_just_begun_removes_nothing() -> None:
    """Until it has read both views itself."""
    world = running_world(3)
    world.services["a"].desired = 1
    begun = dataclasses.replace(world.facts(), suspended_until_seen=True)
    assert world.plan(begun).actions == ()
    assert world.plan().actions != ()


def test_an_entry_removed_by_hand_comes_back_with_a_note() -> None:
    """Drift of what was as wanted; other entries are not touched."""
    world = running_world(3)
    gone = next(iter(world.instances))
    del world.instances[gone], world.seen[gone]
    planned = world.reconcile()
    assert [action.params["InstanceId"] for action in planned.actions] == [gone]
    (note,) = planned.notes
    assert (note.reason, note.type) == ("DriftRepaired", "Warning")
    assert gone in note.message
    world.settle()
    assert len(world.healthy()) == 3


def test_an_entry_altered_by_hand_is_put_right_with_a_note() -> None:
    """Attributes are compared; the initial health is not one of them."""
    world = running_world(2)
    name = next(iter(world.instances))
    world.instances[name].attributes["AWS_INSTANCE_IPV4"] = "10.99.99.99"
    planned = world.reconcile()
    assert [action.reason for action in planned.actions] == ["attributes differ: AWS_INSTANCE_IPV4"]
    assert "had other values of AWS_INSTANCE_IPV4" in planned.notes[0].message
    world.settle()
    assert world.instances[name].attributes["AWS_INSTANCE_IPV4"] != "10.99.99.99"


def test_an_entry_said_to_be_unhealthy_by_hand_is_healthy_again() -> None:
    """Custom health follows the task and nobody else."""
    world = running_world(2)
    name = next(iter(world.instances))
    world.instances[name].health = world.seen[name] = "UNHEALTHY"
    planned = world.reconcile()
    assert [(a.operation, a.params["Status"]) for a in planned.actions] == [
        ("UpdateInstanceCustomHealthStatus", "HEALTHY")
    ]
    assert planned.notes
    world.settle()
    assert len(world.healthy()) == 2


def test_an_entry_with_our_attributes_that_no_task_has_goes() -> None:
    """Added by hand, or left by a lost status: said to be unhealthy, then deregistered."""
    world = running_world(2)
    attributes = dict(next(iter(world.instances.values())).attributes)
    world.instances["sluice-by-hand"] = Registered(attributes, "HEALTHY")
    world.seen["sluice-by-hand"] = "HEALTHY"
    world.run(40.0)
    assert "sluice-by-hand" not in world.instances


def test_foreign_entries_are_counted_and_left() -> None:
    """Whatever happens to ours."""
    world = running_world(2)
    world.instances["theirs"] = Registered({"AWS_INSTANCE_IPV4": "10.9.9.9"}, "HEALTHY")
    world.seen["theirs"] = "HEALTHY"
    world.deploy()
    world.run(200.0)
    world.settle()
    assert world.status["foreign"] == 1
    assert world.instances["theirs"].attributes == {"AWS_INSTANCE_IPV4": "10.9.9.9"}


def test_an_id_that_another_route_uses_is_not_overwritten() -> None:
    """Two routes never fight for an instance: told, with the ids."""
    world = running_world(2)
    name = next(iter(world.instances))
    world.instances[name].attributes["SLUICE_ROUTE"] = "shop/other"
    planned = world.reconcile()
    assert name not in {action.params.get("InstanceId") for action in planned.actions}
    assert planned.problem
    assert planned.problem.reason == "OwnershipConflict"
    assert name in planned.problem.message


def test_a_lost_status_finds_everything_again() -> None:
    """Entries by their attributes, the service by its tags: nothing is registered twice."""
    world = running_world(3)
    world.status = {}
    calls = len(world.calls)
    world.settle()
    assert world.calls[calls:] == []
    assert world.status["instances"] == 3


@pytest.mark.parametrize(
    ("records", "change", "told"),
    [
        pytest.param(
            (DnsRecord(type="AAAA", ttl=10),), {}, "tasks of web lack an IPv6 address", id="no IPv6"
        ),
        pytest.param(
            (DnsRecord(type="A", ttl=10),), {"ipv4": ""}, "tasks of web lack an IPv4 address", id="no IPv4"
        ),
        pytest.param(
            (DnsRecord(type="SRV", ttl=10),),
            {"port": 0},
            "no container of Deployment web has port http",
            id="no port",
        ),
    ],
)
def test_tasks_that_lack_what_a_record_needs_are_told(records: Any, change: Any, told: str) -> None:
    """AWS would refuse the registration; the condition says what the tasks lack."""
    world = World(
        intent=dataclasses.replace(TASKS_INTENT, records=records), services={"a": Service(desired=1)}
    )
    world.start("a", healthy_after=0.0)
    world.run(10.0)
    facts = world.facts()
    tasks: tuple[SeenTask, ...] = tuple(dataclasses.replace(task, **change) for task in facts.tasks or ())
    planned = world.plan(dataclasses.replace(facts, tasks=tasks))
    assert planned.problem
    assert planned.problem.reason == "InvalidSpec"
    assert told in planned.problem.message


def test_attributes_of_an_entry() -> None:
    """Address, port, zone, revision, slot, the owner's two, and the user's."""
    world = World(
        intent=dataclasses.replace(TASKS_INTENT, attributes={"team": "shop"}),
        services={"a": Service(desired=1)},
    )
    task = world.start("a", healthy_after=0.0)
    world.settle()
    assert world.instances[f"sluice-{task.id}"].attributes == {
        "AWS_INIT_HEALTH_STATUS": "HEALTHY",
        "AWS_INSTANCE_IPV4": world.seen_task(task).ipv4,
        "AWS_INSTANCE_PORT": "8080",
        "AVAILABILITY_ZONE": world.seen_task(task).zone,
        "SLUICE_INSTALLATION": "prod",
        "SLUICE_ROUTE": "shop/web",
        "revision": "d1",
        "slot": "a",
        "team": "shop",
    }


def test_attributes_that_are_too_long_are_told() -> None:
    """AWS takes 5,000 characters; nothing is registered that it would refuse."""
    world = World(
        intent=dataclasses.replace(TASKS_INTENT, attributes={f"k{n}": "v" * 1000 for n in range(5)}),
        services={"a": Service(desired=1)},
    )
    world.start("a", healthy_after=0.0)
    planned = world.run(20.0)
    assert planned.problem
    assert planned.problem.message.startswith("spec.discovery.attributes: keys and values exceed 5000")
    assert "RegisterInstance" not in world.calls


def test_a_place_that_is_left_does_not_give_back_what_another_place_answers_with() -> None:
    """Its entries go; the tasks stay protected for the new place."""
    world = running_world(2)
    world.deleting = True
    for _ in range(60):
        facts = dataclasses.replace(world.facts(), keep_protected=True)
        planned = world.reconcile(facts=facts)
        if planned.finished:
            break
        world.tick(2.0)
    assert planned.finished
    assert all(task.protected_until > world.now for task in world.tasks.values())


def test_an_operation_that_fails_is_tried_again_and_told() -> None:
    """A note at once, a condition from the third time on, and it heals."""
    world = World(services={"a": Service(desired=2)})
    for _ in range(2):
        world.start("a", healthy_after=0.0)
    world.run(14.0)
    world.failures = ["THROTTLED_REQUEST: Rate exceeded"] * 12
    world.kill(next(iter(world.tasks)))
    world.run(120.0)
    assert any("1 register: THROTTLED_REQUEST" in note for note in world.notes)
    planned = world.plan()
    assert planned.problem
    assert planned.problem.reason == "AWSRejected"
    world.failures.clear()
    world.run(300.0)
    world.settle()
    assert len(world.healthy()) == 2
    assert "failing" not in world.status


def test_failures_of_a_task_that_is_gone_are_forgotten() -> None:
    """Nobody waits for it any more, so nothing is wrong."""
    world = World(services={"a": Service(desired=1)})
    world.start("a", healthy_after=0.0)
    world.reconcile()  # asks for the namespace
    world.failures = ["THROTTLED_REQUEST: Rate exceeded"] * 9
    world.run(30.0)
    assert world.status["failing"]
    world.failures.clear()
    world.kill(next(iter(world.tasks)))
    world.services["a"].desired = 0
    world.run(4.0)
    assert world.plan().problem is None
    assert "failing" not in world.status


def test_a_backend_that_does_not_exist_is_told() -> None:
    """With the field; what answers is taken away as its tasks end."""
    world = World()
    world.run(14.0)
    planned = world.plan(dataclasses.replace(world.facts(), backend_exists=False))
    assert planned.problem
    assert planned.problem.reason == "BackendNotFound"
    assert "spec.discovery.backendRef: Deployment web does not exist" in planned.problem.message


def test_ecs_own_entry_of_a_task_is_no_effect_of_ours() -> None:
    """It has the task's id, of which ours is made: with ECS's alone, ours is gone, or not there yet."""
    task = "0123456789abcdef0123456789abcdef"
    facts = dataclasses.replace(
        running_world(1).facts(),
        registered={task: Instance(id=task, attributes={})},
        discovered={task: "HEALTHY"},
    )
    has = effects(facts, now=NOW)
    target = short(instance_id(task))
    assert has(Pending(kind="deregister", target=target))
    assert not has(Pending(kind="register", target=target))
