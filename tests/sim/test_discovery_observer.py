"""The judges of discovery catch what they are there for: here a clumsy person keeps the entries by hand."""

from __future__ import annotations

from typing import Any

import pytest

from sim.discovery_observer import Clients, Guard
from sim.names import Name
from sim.observer import Forbidden, Observer
from sim.operator_process import CALLER
from sim.stories import apply
from sim.universe import WEB, Universe, deployment
from sluice.model import ownership
from sluice_sandbox.aws.estate import VPC_ID

OURS = {"SLUICE_INSTALLATION": "sim", "SLUICE_ROUTE": "shop/web"}


class ByHand:
    """A universe with two tasks, and a person who registers them."""

    def __init__(self) -> None:
        """Register both tasks and wait until clients see them."""
        self.universe = Universe(seed=7)
        apply(deployment())(self.universe)
        self.universe.settle(lambda: self.universe.ready(WEB))
        made = self.map("CreatePrivateDnsNamespace", Name="corp.local", Vpc=VPC_ID)
        self.universe.run(40)
        found = self.map("GetOperation", OperationId=made["OperationId"])["Operation"]
        self.namespace = found["Targets"]["NAMESPACE"]
        self.service = self.map(
            "CreateService",
            Name="web",
            NamespaceId=self.namespace,
            DnsConfig={"DnsRecords": [{"Type": "A", "TTL": 10}]},
            HealthCheckCustomConfig={"FailureThreshold": 1},
            Tags=ownership.to_elb(ownership.owner_tags("sim", WEB, role="discovery")),
        )["Service"]["Id"]
        self.name = Name(self.universe)
        for task in self.name.tasks().values():
            self.register(f"sluice-{task.id}", task.address)
        self.universe.run(10)

    def map(self, operation: str, **params: Any) -> dict[str, Any]:
        """Call Cloud Map."""
        return self.universe.aws("servicediscovery", operation, **params)

    def register(self, instance: str, address: str, attributes: dict[str, str] = OURS) -> None:
        """Register an instance."""
        given = {"AWS_INSTANCE_IPV4": address, **attributes}
        self.map("RegisterInstance", ServiceId=self.service, InstanceId=instance, Attributes=given)

    def sicken(self, instance: str) -> None:
        """Say that an instance is unhealthy."""
        named = {"ServiceId": self.service, "InstanceId": instance}
        self.map("UpdateInstanceCustomHealthStatus", Status="UNHEALTHY", **named)

    @property
    def instances(self) -> list[str]:
        """Ids of the entries."""
        return sorted(entry.id for entry in self.name.entries())


@pytest.fixture
def person() -> ByHand:
    """Give a person with two entries."""
    return ByHand()


def test_care_is_not_punished(person: ByHand) -> None:
    """One of two is marked, seen, waited for, deregistered, and only then stopped: nothing to say."""
    clients = Clients(person.name, late=0).start()
    gone, _ = person.instances
    person.sicken(gone)
    person.universe.run(45)
    person.map("DeregisterInstance", ServiceId=person.service, InstanceId=gone)
    person.universe.run(20)
    assert len(person.name.entries()) == 1
    # ECS chooses whom to stop, and only one of them may be stopped now.
    (kept,) = person.name.entries()
    scopes = person.universe.world.services["ecs"].state.scopes.values()
    for scope in scopes:
        for task in scope.tasks.values():
            if task.ip == kept.address:
                task.protected_until = person.universe.clock.now() + 900
    apply(deployment(replicas=1))(person.universe)
    person.universe.run(60)
    assert sum(task.serves for task in person.name.tasks().values()) == 1
    assert clients.stop().bad == []
    assert clients.looks > 200


def test_a_task_stopped_by_plan_must_be_unknown_by_then(person: ByHand) -> None:
    """Scaled in while clients still hold its address: said once."""
    clients = Clients(person.name, late=0).start()
    apply(deployment(replicas=1))(person.universe)
    person.universe.run(60)
    (told,) = clients.stop().bad
    assert "ended by plan" in told


def test_a_crash_is_excused_for_a_while(person: ByHand) -> None:
    """An entry of a task that died is nobody's fault for `notice` seconds, and then it is."""
    clients = Clients(person.name, late=0, notice=30).start()
    runtime = person.universe.world.outside.runtime
    assert runtime is not None
    launch = runtime.running()[0]
    runtime.crash(launch.task_arn, launch.containers[0].name)
    person.universe.run(35)
    assert clients.bad == []
    person.universe.run(30)
    (told,) = clients.stop().bad
    assert "died" in told


def test_nobody_healthy_is_empty(person: ByHand) -> None:
    """An answer that fails open is no answer: healthy tasks are there, and none is told of as healthy."""
    clients = Clients(person.name, late=0).start()
    person.universe.run(40)
    for instance in person.instances:
        person.sicken(instance)
    person.universe.run(29)
    assert clients.bad == []
    person.universe.run(5)
    assert len(person.name.answered()) == 2
    (told,) = clients.stop().bad
    assert "nobody is healthy, and 2 tasks are" in told


def test_an_address_that_is_nobodys(person: ByHand) -> None:
    """An entry that never had a task is told."""
    clients = Clients(person.name, late=0).start()
    person.register("ghost", "10.9.9.9")
    person.universe.run(10)
    (told,) = clients.stop().bad
    assert "10.9.9.9 was answered" in told
    assert "nobody's" in told


def test_the_last_healthy_entry_is_guarded(person: ByHand) -> None:
    """Counting what was asked before and has not landed; excused when all shall go."""
    first, last = person.instances
    guard = Guard(person.name)
    sick = {"ServiceId": person.service, "InstanceId": first, "Status": "UNHEALTHY"}
    assert guard.breach("UpdateInstanceCustomHealthStatus", sick) == ""
    person.sicken(first)
    for operation, more in (
        ("UpdateInstanceCustomHealthStatus", {"Status": "UNHEALTHY"}),
        ("DeregisterInstance", {}),
    ):
        asked = {"ServiceId": person.service, "InstanceId": last, **more}
        assert guard.breach(operation, asked) == "the last healthy entry, while 2 tasks are healthy"
        assert Guard(person.name, excused=lambda: True).breach(operation, asked) == ""
    # Back to healthy within the half minute: it never was anything else.
    person.map("UpdateInstanceCustomHealthStatus", **sick | {"Status": "HEALTHY"})
    person.map("DeregisterInstance", ServiceId=person.service, InstanceId=last)
    assert guard.breach("DeregisterInstance", {"ServiceId": person.service, "InstanceId": first}) != ""


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("DeregisterInstance", {"InstanceId": "theirs"}),
        ("UpdateInstanceCustomHealthStatus", {"InstanceId": "theirs", "Status": "UNHEALTHY"}),
        (
            "RegisterInstance",
            {"InstanceId": "theirs", "Attributes": {"AWS_INSTANCE_IPV4": "10.1.1.1"} | OURS},
        ),
        ("RegisterInstance", {"InstanceId": "new", "Attributes": {"AWS_INSTANCE_IPV4": "10.1.1.1"}}),
        ("CreateService", {"Name": "x", "Tags": []}),
        ("CreateHttpNamespace", {"Name": "x"}),
        ("DeleteNamespace", {"Id": "its namespace"}),
        ("DeleteService", {"Id": "another service"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_ours_is_not_touched(person: ByHand, operation: str, params: dict[str, Any]) -> None:
    """Instances, services and namespaces of others, and new ones without an owner."""
    person.register("theirs", "10.1.1.1", {})
    person.universe.run(10)
    observer = Observer(person.universe.world, installation="sim", leads=lambda: True)
    other = person.map("CreateService", Name="other", NamespaceId=person.namespace)["Service"]["Id"]
    where = {"another service": other, "its namespace": person.namespace}
    given = params | ({"ServiceId": person.service} if "InstanceId" in params else {})
    if "Id" in given:
        given = {"Id": where[given["Id"]]}
    elif operation == "CreateService":
        given |= {"NamespaceId": person.namespace}
    with pytest.raises(Forbidden):
        observer.call("servicediscovery", operation, given, caller=CALLER)


def test_what_is_ours_is_let_through(person: ByHand) -> None:
    """Own entries, the own service, and the protection of own tasks."""
    guards = [Guard(person.name)]
    observer = Observer(person.universe.world, installation="sim", leads=lambda: True, guards=guards)
    first, last = person.instances
    (task, *_) = person.name.tasks()
    for service, operation, params in (
        ("servicediscovery", "DeregisterInstance", {"ServiceId": person.service, "InstanceId": first}),
        ("servicediscovery", "UpdateService", {"Id": person.service, "Service": {"Description": "x"}}),
        ("ecs", "UpdateTaskProtection", {"cluster": "sandbox", "tasks": [task], "protectionEnabled": True}),
    ):
        observer.call(service, operation, params, caller=CALLER)
    with pytest.raises(Forbidden, match="last healthy entry"):
        observer.call(
            "servicediscovery",
            "DeregisterInstance",
            {"ServiceId": person.service, "InstanceId": last},
            caller=CALLER,
        )
