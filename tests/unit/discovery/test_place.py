"""Namespace and service: made, shared, kept as the spec says, removed when empty, and never taken over."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.discovery import DiscoveryIntent, DnsRecord, NamespaceFacts, NamespaceIntent, ServiceFacts
from sluice.model.ownership import owner_tags
from sluice.plan.discovery.writes import namespace_tags
from unit.discovery.cloud_map import Registered
from unit.discovery.world import INSTALLATION, KEY, TASKS_INTENT, Service, World, running_world

OURS = owner_tags(INSTALLATION, KEY, role="discovery-service")
NAMESPACE = NamespaceFacts(
    id="ns-1", name="corp.local", arn="arn:ns-1", type="DNS_PRIVATE", tags={}, services=0
)


def service(**changes: Any) -> ServiceFacts:
    """Return the route's Cloud Map service."""
    made: dict[str, Any] = {
        "id": "srv-1",
        "arn": "arn:srv-1",
        "name": "web",
        "namespace_id": "ns-1",
        "tags": OURS,
        "records": (DnsRecord(type="A", ttl=10),),
        "routing": "MULTIVALUE",
        "custom_health": True,
    }
    return ServiceFacts(**(made | changes))


def intent(**changes: Any) -> DiscoveryIntent:
    """Return the spec's discovery."""
    return dataclasses.replace(TASKS_INTENT, **changes)


@pytest.mark.parametrize(
    ("kind", "operation", "more"),
    [
        pytest.param("HTTP", "CreateHttpNamespace", {}, id="http"),
        pytest.param("DNS_PRIVATE", "CreatePrivateDnsNamespace", {"Vpc": "vpc-1"}, id="private"),
        pytest.param("DNS_PUBLIC", "CreatePublicDnsNamespace", {}, id="public"),
    ],
)
def test_a_namespace_is_made_as_its_type_wants(kind: Any, operation: str, more: dict[str, str]) -> None:
    """With the installation's tags, and the same request id whichever route asks."""
    wish = NamespaceIntent(name="corp.local", create=kind, vpc="vpc-1" if more else "")
    world = World(intent=intent(namespace=wish))
    (action,) = world.plan().actions
    assert action.operation == operation
    assert action.params.keys() == {"Name", "CreatorRequestId", "Tags"} | more.keys()
    assert {tag["Key"]: tag["Value"] for tag in action.params["Tags"]} == namespace_tags(INSTALLATION)
    other = World(intent=intent(namespace=wish, service="other")).plan().actions[0]
    assert other.params["CreatorRequestId"] == action.params["CreatorRequestId"]
    assert len(action.params["CreatorRequestId"]) <= 64


def test_a_namespace_that_is_only_referred_to_must_exist() -> None:
    """A Problem that names the field and the cure; nothing is written."""
    planned = World(intent=intent(namespace=NamespaceIntent(name="corp.local"))).plan()
    assert planned.actions == ()
    assert planned.problem
    assert planned.problem.reason == "InvalidSpec"
    assert (
        "spec.discovery.namespaceRef: Cloud Map namespace corp.local does not exist"
        in planned.problem.message
    )


def test_a_namespace_is_waited_for_and_not_asked_for_twice() -> None:
    """The operation's id is in the memory; a process that lost the answer sends the same request again."""
    world = World()
    first = world.reconcile(loses_answer=True).actions[0]
    again = world.plan().actions[0]
    assert again.params == first.params
    world = World()
    world.reconcile()
    assert world.status["operations"][0]["kind"] == "namespace"
    planned = world.plan()
    assert planned.actions == ()
    assert not planned.settled
    assert planned.wake_at


def test_a_namespace_that_could_not_be_made_is_tried_again_with_another_request_id() -> None:
    """After a back-off; from the third time on it is a condition with AWS's own text."""
    world = World(failures=["CANNOT_CREATE_HOSTED_ZONE: The VPC is in another region"] * 9)
    ids = set()
    for _ in range(40):
        planned = world.reconcile()
        ids |= {action.params["CreatorRequestId"] for action in planned.actions}
        world.tick(4.0)
    assert len(ids) >= 3
    assert planned.problem
    assert planned.problem.reason == "AWSRejected"
    assert "The VPC is in another region" in planned.problem.message
    assert any(note.startswith("OperationFailed") for note in world.notes)
    world.failures.clear()
    world.run(600.0)
    assert world.service is not None


def test_a_changed_spec_is_tried_at_once() -> None:
    """Whoever mends a typo does not wait until the back-off of the old spec is over."""
    world = World(failures=["CANNOT_CREATE_HOSTED_ZONE: The VPC is in another region"] * 9)
    world.run(120.0)
    assert world.plan().actions == ()
    world.generation += 1
    (again,) = world.plan().actions
    assert again.operation == "CreatePrivateDnsNamespace"


@pytest.mark.parametrize(
    ("namespace_type", "wish", "expected"),
    [
        pytest.param("DNS_PRIVATE", {}, {"DnsConfig", "HealthCheckCustomConfig"}, id="dns"),
        pytest.param("HTTP", {"records": ()}, {"HealthCheckCustomConfig"}, id="http"),
        pytest.param("DNS_PRIVATE", {"records": ()}, {"Type", "HealthCheckCustomConfig"}, id="api only"),
        pytest.param("DNS_PRIVATE", {"mode": "Alias", "routing": "WEIGHTED"}, {"DnsConfig"}, id="alias"),
        pytest.param("DNS_PRIVATE", {"mode": "ECS"}, {"DnsConfig", "HealthCheckCustomConfig"}, id="ecs"),
    ],
)
def test_a_service_is_made_for_its_mode(namespace_type: Any, wish: Any, expected: set[str]) -> None:
    """Custom health where tasks are registered (it cannot be added later), DNS where the namespace has it."""
    world = World(intent=intent(**wish), namespace=dataclasses.replace(NAMESPACE, type=namespace_type))
    (action,) = world.plan().actions
    always = {"Name", "NamespaceId", "CreatorRequestId", "Description", "Tags"}
    assert action.params.keys() == always | expected
    assert {tag["Key"]: tag["Value"] for tag in action.params["Tags"]} == OURS


def test_records_in_a_namespace_without_dns_are_refused() -> None:
    """Before anything is made."""
    planned = World(namespace=dataclasses.replace(NAMESPACE, type="HTTP")).plan()
    assert planned.actions == ()
    assert planned.problem
    assert "is of type HTTP and has no DNS" in planned.problem.message


@pytest.mark.parametrize(
    "tags",
    [
        pytest.param({}, id="foreign"),
        pytest.param(OURS | {"sluice.dev/name": "other"}, id="another route's"),
        pytest.param(OURS | {"sluice.dev/installation": "blue"}, id="another installation's"),
    ],
)
def test_a_service_of_somebody_else_is_never_touched(tags: dict[str, str]) -> None:
    """Not even read on: no registration, and the text says whose it is."""
    world = running_world(2)
    world.service = service(tags=tags)
    planned = world.plan()
    assert planned.actions == ()
    assert planned.problem
    assert planned.problem.reason == "OwnershipConflict"
    world.deleting = True
    world.instances.clear()
    world.seen.clear()
    assert "DeleteService" not in {action.operation for action in world.plan().actions}


def test_a_ttl_is_changed_and_drift_of_it_repaired() -> None:
    """By UpdateService with all records; only what was as wanted before is drift."""
    world = running_world(2)
    world.intent = intent(records=(DnsRecord(type="A", ttl=60),))
    world.generation += 1
    (action,) = world.reconcile().actions
    assert action.params["Service"] == {"DnsConfig": {"DnsRecords": [{"Type": "A", "TTL": 60}]}}
    assert action.reason == "TTL A 10 s → 60 s"
    world.settle()
    assert world.notes == []
    assert world.service
    world.service = dataclasses.replace(world.service, records=(DnsRecord(type="A", ttl=1),))
    world.settle()
    assert [note.partition(":")[0] for note in world.notes] == ["DriftRepaired"]
    assert world.service.records == (DnsRecord(type="A", ttl=60),)


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        pytest.param(
            {"records": (DnsRecord(type="SRV", ttl=10),)}, "its DNS records are A, not SRV", id="record type"
        ),
        pytest.param({"routing": "WEIGHTED"}, "its routing policy is MULTIVALUE, not WEIGHTED", id="routing"),
    ],
)
def test_what_aws_never_changes_is_told_and_nothing_stops(wish: Any, told: str) -> None:
    """The entries go on: new tasks are registered with the old settings."""
    world = running_world(2)
    world.intent = intent(**wish)
    world.services["a"].desired = 3
    planned = world.run(60.0)
    assert planned.problem
    assert planned.problem.reason == "AWSRejected"
    assert told in planned.problem.message
    assert "another serviceName" in planned.problem.message
    assert len(world.healthy()) == 3


@pytest.mark.parametrize("what", ["namespace", "service"])
def test_a_deleted_place_is_made_again(what: str) -> None:
    """With a note, other request ids, and every entry."""
    world = running_world(2)
    world.service, world.instances, world.seen = None, {}, {}
    if what == "namespace":
        world.namespace = None
    world.misfortune = world.now
    first = world.plan().actions[0]
    assert first.params["CreatorRequestId"].endswith("-1")
    world.settle()
    assert len(world.healthy()) == 2
    assert any(f"{what}" in note and note.startswith("DriftRepaired") for note in world.notes)


def test_everything_of_a_deleted_route_goes_in_order() -> None:
    """Entries, the wait, tasks given back, service, namespace; then it is finished."""
    world = running_world(3)
    calls = len(world.calls)
    world.deleting = True
    for _ in range(200):
        planned = world.reconcile()
        if planned.finished:
            break
        world.tick(2.0)
    assert planned.finished
    assert planned.actions == ()
    assert world.calls[calls:] == [
        *["DeregisterInstance"] * 3,
        "UpdateTaskProtection",
        "DeleteService",
        "DeleteNamespace",
    ]
    assert (world.service, world.namespace, world.instances) == (None, None, {})
    assert all(task.protected_until == 0 for task in world.tasks.values())


@pytest.mark.parametrize(
    "namespace",
    [
        pytest.param({"tags": {}}, id="foreign"),
        pytest.param({"tags": {"sluice.dev/installation": "blue"}}, id="another installation's"),
        pytest.param({"services": 2}, id="in use"),
        pytest.param({"services": None}, id="nobody knows whether it is empty"),
    ],
)
def test_a_namespace_that_is_not_ours_alone_stays(namespace: dict[str, Any]) -> None:
    """Only an empty one with the installation's tags is deleted."""
    world = World(
        deleting=True, services={"a": Service(desired=0)}, status={"mode": "Tasks", "service": "web"}
    )
    world.namespace = dataclasses.replace(NAMESPACE, **({"tags": namespace_tags(INSTALLATION)} | namespace))
    planned = world.plan()
    assert planned.finished
    assert planned.actions == ()


def test_a_service_with_instances_of_others_stays() -> None:
    """Theirs are not removed; a warning tells."""
    world = running_world(1)
    world.instances["by-hand"] = Registered({"AWS_INSTANCE_IPV4": "10.9.9.9"}, "HEALTHY")
    world.seen["by-hand"] = "HEALTHY"
    world.deleting = True
    for _ in range(60):
        planned = world.reconcile()
        if planned.finished:
            break
        world.tick(2.0)
    assert planned.finished
    assert list(world.instances) == ["by-hand"]
    assert any(note.reason == "ServiceLeft" for note in planned.notes)


def test_a_namespace_whose_deletion_fails_does_not_hold_the_route() -> None:
    """After a few attempts it is left, told with AWS's reason."""
    world = World(deleting=True, failures=["INTERNAL_FAILURE: sorry"] * 20)
    world.status = {"mode": "Tasks", "service": "web"}
    world.namespace = dataclasses.replace(NAMESPACE, tags=namespace_tags(INSTALLATION))
    for _ in range(200):
        planned = world.reconcile()
        if planned.finished:
            break
        world.tick(3.0)
    assert planned.finished
    assert any(note.reason == "NamespaceLeft" and "sorry" in note.message for note in planned.notes)


def test_tasks_do_not_wait_for_ever_for_a_cloud_map_that_refuses() -> None:
    """Where nobody asks for the name any more they are given back; the entries are tried on."""
    world = running_world(2)
    world.deleting = True
    for _ in range(80):
        world.reconcile(dies_after=0)
        world.tick(2.0)
    planned = world.reconcile()
    assert "DeregisterInstance" in {action.operation for action in planned.actions}
    assert all(task.protected_until == 0 for task in world.tasks.values())
    assert "UpdateTaskProtection" not in {action.operation for action in world.plan().actions}


def test_another_service_name_moves_without_a_gap() -> None:
    """The old place is remembered, kept, and left once the new one answers."""
    world = running_world(2)
    world.intent = intent(service="shop")
    planned = world.plan(dataclasses.replace(world.facts(), service=None))
    (left,) = planned.memory.left
    assert (left.service, left.service_id) == ("web", world.status["serviceId"])
    assert [action.operation for action in planned.actions] == ["CreateService"]
    former = left.former()
    assert former
    assert (former.service, former.backend, former.namespace.id) == ("web", "web", "ns-1")
    kept = dataclasses.replace(world, intent=None, status=left.write()).plan()
    assert kept.actions == ()
    assert kept.problem is None
    assert planned.memory.moved(TASKS_INTENT).service == "web"
