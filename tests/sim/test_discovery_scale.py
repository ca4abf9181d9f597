"""Five hundred entries: how many calls they cost, and that no call is made for each at rest."""

from __future__ import annotations

from collections import Counter

from sim.discovery_observer import Clients
from sim.discovery_stories import complete, named, rolling
from sim.names import Name
from sim.stories import apply
from sim.universe import Crashes, Universe

TASKS = 500


def counted(universe: Universe, since: int) -> Counter[str]:
    """Return the operator's calls to Cloud Map and of protection, by operation."""
    return Counter(
        call.operation
        for call in universe.world.calls.find(since=since)
        if call.service == "servicediscovery" or "TaskProtection" in call.operation
    )


def test_five_hundred_tasks_by_calls() -> None:
    """One call registers one entry, once; reads are by pages; at rest the revision alone is asked for."""
    universe = Universe(seed=7, hook=Crashes(armed=False))
    apply(rolling(replicas=TASKS), named())(universe)
    universe.settle(lambda: complete("web:1", count=TASKS)(universe), within=7200)
    first = counted(universe, 0)
    print(dict(first))  # noqa: T201 - the figures are the evidence
    assert first["RegisterInstance"] == TASKS
    assert first["ListInstances"] < TASKS / 5
    assert first["GetOperation"] + first["ListOperations"] < TASKS * 2
    universe.run(120)
    at_rest = universe.world.calls.total
    universe.run(600)
    rest = counted(universe, at_rest)
    print(dict(rest))  # noqa: T201
    assert rest.keys() <= {
        "DiscoverInstancesRevision",
        "DiscoverInstances",
        "ListInstances",
        "GetService",
        "ListServices",
        "ListNamespaces",
        "GetNamespace",
        "ListTagsForResource",
        "UpdateTaskProtection",
        "GetTaskProtection",
    }
    assert rest.total() < 200


def test_fifty_tasks_are_replaced_under_the_eyes_of_clients() -> None:
    """A rolling update of fifty: each entry is registered once and leaves once; nobody is let down."""
    universe = Universe(seed=7, hook=Crashes(armed=False))
    apply(rolling(replicas=50), named())(universe)
    universe.settle(lambda: complete("web:1", count=50)(universe), within=3600)
    clients = Clients(Name(universe), ttl=10, register=120).start()
    since = universe.world.calls.total
    apply(rolling("web:2", replicas=50))(universe)
    universe.settle(lambda: complete("web:2", count=50)(universe), within=3600)
    found = counted(universe, since)
    print(dict(found))  # noqa: T201
    assert clients.stop().bad == []
    assert (found["RegisterInstance"], found["DeregisterInstance"]) == (50, 50)
    assert found["UpdateInstanceCustomHealthStatus"] == 50
