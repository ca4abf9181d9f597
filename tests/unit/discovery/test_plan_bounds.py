"""What a plan is made of: which place, what has to be read, how long clients are waited for, who is ours."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest

from sluice.model.discovery import (
    AliasTarget,
    DiscoveryFacts,
    DnsRecord,
    Health,
    Instance,
    NamespaceIntent,
)
from sluice.plan.discovery.memory import Failing, Leaving, Memory, Pending
from sluice.plan.discovery.planner import DiscoveryPlan, absorb, plan_discovery
from unit.discovery.steps import (
    BARE,
    HERE,
    INSTALLATION,
    INTENT,
    KEY,
    NOW,
    SERVICE,
    State,
    calls,
    facts,
    planned,
)
from unit.discovery.world import traffic

REST = State(listed="t1 t2")
A = (DnsRecord(type="A", ttl=10),)
LONG = (DnsRecord(type="A", ttl=300),)
WEIGHTED = dataclasses.replace(SERVICE, routing="WEIGHTED")
ALIAS = dataclasses.replace(INTENT, mode="Alias", routing="WEIGHTED", backend="", port="")
BALANCER = (AliasTarget(name="x", dns_name="lb-x.elb.amazonaws.com"),)


def test_nothing_meant_and_nothing_remembered_is_nothing_to_do() -> None:
    """A route without discovery that never had one."""
    found = plan_discovery(
        KEY,
        installation=INSTALLATION,
        intent=None,
        former=None,
        facts=DiscoveryFacts(),
        memory=Memory(),
        route_generation=1,
        now=NOW,
    )
    assert found == DiscoveryPlan(memory=Memory(), settled=True, finished=True)


def test_times_are_remembered_to_the_millisecond() -> None:
    """A status says no more, and what it says is compared with what is planned."""
    found = plan_discovery(
        KEY,
        installation=INSTALLATION,
        intent=INTENT,
        former=None,
        facts=facts(State(listed="t1", tasks={"t2": {}})),
        memory=HERE,
        route_generation=1,
        now=NOW + 0.123456,
    )
    assert found.now == NOW + 0.123
    assert [one.since for one in found.memory.operations] == [NOW + 0.123]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param({}, True, id="at rest"),
        pytest.param({"generation": 2}, False, id="the route was edited"),
        pytest.param({"memory": dataclasses.replace(HERE, backend="old")}, False, id="another backend"),
        pytest.param({"memory": dataclasses.replace(HERE, settled=False)}, False, id="not as wanted before"),
    ],
)
def test_only_what_was_as_wanted_can_drift(changes: dict[str, Any], *, told: bool) -> None:
    """An edit changes entries, too, and nobody is told of that."""
    found = planned(State(listed="t1", altered="t1"), **changes)
    assert "register t1" in calls(found)
    assert bool(found.notes) is told


def test_an_edit_lets_nothing_wait_that_failed() -> None:
    """Whoever mends the spec sees at once whether that was it."""
    state = State(listed="t1", tasks={"t2": {}}, failing={"t2": 200.0})
    assert calls(planned(state)) == []
    assert calls(planned(state, generation=2)) == ["register t2"]


@pytest.mark.parametrize(
    ("memory", "intent", "expected"),
    [
        pytest.param(HERE, INTENT, "corp.local", id="remembered"),
        pytest.param(Memory(), INTENT, "corp.local", id="named by the spec"),
        pytest.param(
            Memory(),
            dataclasses.replace(INTENT, namespace=NamespaceIntent(id="ns-9")),
            "ns-9",
            id="given by its id",
        ),
    ],
)
def test_a_namespace_that_is_not_there_is_remembered_by_what_it_was_called(
    memory: Memory, intent: Any, expected: str
) -> None:
    """So that the place can be told from another one before it was ever seen."""
    memory = dataclasses.replace(memory, namespace_id="", service_id="")
    found = planned(State(service=None), intent=intent, memory=memory, namespace=None)
    assert (found.memory.namespace, found.memory.generation) == (expected, 1)


@pytest.mark.parametrize(
    ("state", "changes", "expected"),
    [
        pytest.param(State(listed="lb-x"), {}, [], id="load balancers alone: their tasks are nobody's"),
        pytest.param(State(listed="lb-y"), {}, ["register lb-x"], id="another one comes"),
        pytest.param(State(listed="lb-x t1"), {}, None, id="a task answers, too"),
        pytest.param(
            State(listed="lb-x", stages={"t1": ("out", 9.0)}),
            {},
            None,
            id="a task was given to ECS or is to be",
        ),
        pytest.param(State(listed="lb-x"), {"aliases": None}, None, id="load balancers were not read"),
        pytest.param(State(listed="lb-x"), {"registered": None}, None, id="instances were not read"),
        pytest.param(State(listed="lb-x"), {"suspended_until_seen": True}, None, id="just begun"),
    ],
)
def test_what_has_to_be_read_for_load_balancers(
    state: State, changes: dict[str, Any], expected: list[str] | None
) -> None:
    """Tasks only while one of them still has to do with the name; what is not read removes nothing."""
    state = dataclasses.replace(state, service=WEIGHTED)
    memory = dataclasses.replace(HERE, mode="Alias", backend="", port="")
    found = planned(
        state, intent=ALIAS, memory=memory, **({"tasks": None, "aliases": BALANCER, "slots": None} | changes)
    )
    unread = expected is None
    assert calls(found) == (expected or [])
    assert found.wake_at == (NOW + (5.0 if unread else 2.0) if unread or expected else None)
    assert found.memory.leaving == planned(state, tasks=None).memory.leaving


def test_a_place_that_is_left_takes_nobody_in() -> None:
    """What answers there goes on, and what dies goes; a new task answers at the new place alone."""
    state = State(listed="t1 t2", tasks={"t2": {"running": False, "healthy": False}, "t3": {}})
    assert calls(planned(state, intent=None)) == ["deregister t2"]


@pytest.mark.parametrize(
    ("routing", "records", "comes"),
    [
        pytest.param("WEIGHTED", "A", True, id="A"),
        pytest.param("WEIGHTED", "AAAA", True, id="AAAA"),
        pytest.param("WEIGHTED", "SRV A", True, id="A among others"),
        pytest.param("WEIGHTED", "SRV", False, id="no address"),
        pytest.param("MULTIVALUE", "A", False, id="another routing policy"),
    ],
)
def test_which_service_a_load_balancer_can_be_in(routing: str, records: str, *, comes: bool) -> None:
    """AWS takes an alias in a weighted service with address records alone."""
    service = dataclasses.replace(
        SERVICE,
        routing=routing,
        records=tuple(DnsRecord(type=type_, ttl=10) for type_ in records.split()),  # type: ignore[arg-type]
    )
    found = planned(State(service=service), intent=ALIAS, aliases=BALANCER)
    assert (calls(found) == ["register lb-x"]) is comes


@pytest.mark.parametrize(
    ("has", "wants", "propagation", "seconds"),
    [
        pytest.param((), (), 30.0, 30.0, id="no records"),
        pytest.param(A, A, 30.0, 40.0, id="ten seconds"),
        pytest.param(LONG, A, 30.0, 330.0, id="a TTL that is to be shorter"),
        pytest.param(A, LONG, 30.0, 330.0, id="a TTL that is to be longer"),
        pytest.param(A, A, 5.0, 15.0, id="a shorter propagation"),
    ],
)
def test_how_long_clients_may_use_an_answer(
    has: tuple[DnsRecord, ...], wants: tuple[DnsRecord, ...], propagation: float, seconds: float
) -> None:
    """Propagation and the longest TTL, as it was or is to be; a moment sooner nothing is removed."""
    hidden: Mapping[str, Health | None] = {"t1": "UNHEALTHY"}
    service = dataclasses.replace(SERVICE, records=has)
    for age, removed in ((seconds - 0.5, False), (seconds, True)):
        state = State(
            listed="t1 t2",
            tasks={"t1": {"slot": "b"}},
            seen=hidden,
            stages={"t1": ("hidden", age)},
            service=service,
        )
        intent = dataclasses.replace(INTENT, records=wants)
        found = planned(state, intent=intent, traffic=traffic(a=100), propagation=propagation)
        assert ("deregister t1" in calls(found)) is removed


def test_an_id_that_another_route_has_proves_nothing() -> None:
    """Its task is wanted, and clients get another one."""
    taken = facts(State(listed="t1 t2"))
    registered = dict(taken.registered or {})
    registered["sluice-t1"] = Instance(id="sluice-t1", attributes={"SLUICE_ROUTE": "shop/other"})
    found = planned(REST, registered=registered, traffic=traffic(a=100))
    assert found.problem
    assert found.problem.reason == "OwnershipConflict"
    assert (calls(found), found.proof) == ([], None)


@pytest.mark.parametrize("generation", [1, 2])
def test_a_problem_of_the_place_is_told_before_that_of_an_id(generation: int) -> None:
    """One condition holds one of them: what keeps all entries from being as wanted."""
    registered = dict(facts(REST).registered or {})
    registered["sluice-t1"] = Instance(id="sluice-t1", attributes={"SLUICE_ROUTE": "shop/other"})
    found = planned(
        REST,
        intent=dataclasses.replace(INTENT, routing="WEIGHTED"),
        generation=generation,
        registered=registered,
    )
    assert found.problem
    assert found.problem.reason == "AWSRejected"


def test_an_ill_task_keeps_its_entry_only_where_clients_can_be_told() -> None:
    """Without custom health it would be a dead answer."""
    ill = {"t1": {"healthy": False}}
    assert calls(planned(State(listed="t1 t2", tasks=ill))) == ["UNHEALTHY t1"]
    seen: Mapping[str, Health | None] = {"t1": "UNKNOWN", "t2": "UNKNOWN"}
    assert calls(planned(State(listed="t1 t2", tasks=ill, service=BARE, seen=seen))) == ["deregister t1"]


def test_a_rollback_is_urgent_and_nothing_else_is() -> None:
    """Its calls go before those of others."""
    for rollback, priority in ((False, "ROLLOUT"), (True, "ROLLBACK")):
        weights = traffic(2, rollback=rollback, a=100)
        found = planned(State(listed="t1", tasks={"t2": {}}), traffic=weights)
        assert [action.priority.name for action in found.actions] == [priority]


OPEN = Memory(
    mode="Tasks",
    operations=(
        Pending(kind="register", target="t1", since=1.0),
        Pending(kind="deregister", target="t2", id="op-1", since=2.0),
    ),
    leaving=(
        Leaving(stage="mark", since=1.0, instances=("t3", "t4")),
        Leaving(stage="heal", since=2.0, instances=("t5",)),
        Leaving(stage="out", since=3.0, instances=("t6",)),
    ),
    service_id="srv-1",
)
"""What was meant before the answers came."""


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        pytest.param({}, OPEN, id="no answer"),
        pytest.param(
            {"operation:t1": "op-7", "operation:t2": "op-8"},
            dataclasses.replace(
                OPEN,
                operations=(
                    Pending(kind="register", target="t1", id="op-7", since=1.0),
                    Pending(kind="deregister", target="t2", id="op-1", since=2.0),
                ),
            ),
            id="accepted operations",
        ),
        pytest.param(
            {"health:t4": True, "health:t5": True, "health:t6": True},
            dataclasses.replace(
                OPEN,
                leaving=(
                    Leaving(stage="mark", since=1.0, instances=("t3",)),
                    Leaving(stage="marking", since=1.0, instances=("t4",)),
                    Leaving(stage="healing", since=2.0, instances=("t5",)),
                    Leaving(stage="out", since=3.0, instances=("t6",)),
                ),
            ),
            id="accepted healths",
        ),
        pytest.param(
            {"service-id": "srv-2", "service-arn": "arn:srv-2"},
            dataclasses.replace(OPEN, service_id="srv-2"),
            id="a service that was made for tasks",
        ),
        pytest.param({"refused:t1": []}, OPEN, id="ECS refused no task"),
        pytest.param(
            {"refused:t1": ["arn:aws:ecs:eu-west-1:1:task/main/t7", "arn:aws:ecs:eu-west-1:1:task/t8"]},
            dataclasses.replace(
                OPEN, failing=(Failing(count=1, retry_at=NOW + 5, targets=("protect:t7", "protect:t8")),)
            ),
            id="ECS refused two tasks",
        ),
    ],
)
def test_answers_are_remembered(outputs: dict[str, Any], expected: Memory) -> None:
    """Ids of operations, what was accepted, what was made, what ECS refused; the rest stays open."""
    assert absorb(OPEN, DiscoveryPlan(memory=OPEN, now=NOW), outputs) == expected


def test_the_registry_of_a_service_that_was_made_is_ecss_alone() -> None:
    """In the other modes nobody is to register there but Sluice."""
    made = {"service-id": "srv-2", "service-arn": "arn:srv-2"}
    for mode, registry in (("ECS", "arn:srv-2"), ("Tasks", "")):
        memory = Memory(mode=mode)  # type: ignore[arg-type]
        assert absorb(memory, DiscoveryPlan(memory=memory), made).registry_arn == registry
    kept = Memory(mode="ECS", registry_arn="arn:srv-1")
    assert absorb(kept, DiscoveryPlan(memory=kept), {}).registry_arn == "arn:srv-1"


def test_a_port_that_is_called_otherwise_now_stays_as_it_was_registered() -> None:
    """The spec names another port than running tasks have: told, and nothing is taken from clients."""
    before = facts(State(listed="t1")).registered
    service = dataclasses.replace(SERVICE, records=(DnsRecord(type="SRV", ttl=10),))
    intent = dataclasses.replace(INTENT, port="other", records=service.records)
    for address, asked in (("10.0.0.1", []), ("10.0.0.2", ["register t1"])):
        state = State(listed="t1", tasks={"t1": {"port": 0, "ipv4": address}}, service=service)
        found = planned(state, intent=intent, registered=before)
        assert calls(found) == asked
        assert {action.params["Attributes"]["AWS_INSTANCE_PORT"] for action in found.actions} <= {"8080"}
        assert found.problem
        assert found.problem.reason == "InvalidSpec"


def test_a_task_is_protected_before_it_is_registered_and_given_back_last() -> None:
    """A call that fails keeps only what is less urgent from being sent."""
    state = State(
        listed="t2 t3 t4 t5 t6",
        tasks={
            "t1": {"protected_until": 0.0},
            "t2": {"healthy": False},
            "t3": {"slot": "b"},
            "t4": {"slot": "b"},
            "t6": {},
            "t7": {"slot": "b"},
        },
        seen={"t4": "UNHEALTHY"},
        stages={"t4": ("hidden", 40.0), "t7": ("out", 40.0)},
    )
    assert calls(planned(state, traffic=traffic(2, rollback=True, a=100))) == [
        "UNHEALTHY t2",
        "protect t1",
        "register t1",
        "UNHEALTHY t3",
        "deregister t4",
        "give back t7",
    ]


@pytest.mark.parametrize(
    ("state", "changes", "protected"),
    [
        pytest.param(State(tasks={"t1": {}}), {}, ["t1"], id="it comes"),
        pytest.param(State(listed="t1"), {}, ["t1"], id="it answers"),
        pytest.param(
            State(tasks={"t1": {"slot": "b"}}), {"traffic": traffic(a=100)}, [], id="nobody wants it"
        ),
        pytest.param(State(listed="t1", tasks={"t1": {"healthy": False}}), {}, [], id="it is ill"),
        pytest.param(State(listed="t1"), {"keep_protected": True}, [], id="another place does it"),
        pytest.param(State(listed="t1"), {"slots": None}, ["t1"], id="nobody knows how many are wanted"),
        pytest.param(State(listed="t1"), {"registered": None}, [], id="not read"),
        pytest.param(State(listed="t1 t2"), {"slots": ()}, ["t1", "t2"], id="a slot without a wish"),
    ],
)
def test_who_is_protected(state: State, changes: dict[str, Any], protected: list[str]) -> None:
    """Each healthy task that answers or is about to; those here have no protection yet."""
    bare = {name: {**(task or {}), "protected_until": 0.0} for name, task in state.tasks.items()}
    bare = {**{name: {"protected_until": 0.0} for name in state.listed.split()}, **bare}
    found = planned(dataclasses.replace(state, tasks=bare), **changes)
    asked = [action for action in found.actions if action.operation == "UpdateTaskProtection"]
    names = [arn.rpartition("/")[2] for action in asked for arn in action.params["tasks"]]
    assert names == protected
    assert bool(found.memory.last_change) is bool(found.actions)


@pytest.mark.parametrize(
    ("state", "mode", "changes", "registry"),
    [
        pytest.param(REST, "ECS", {}, "arn:srv-1", id="ECS registers"),
        pytest.param(REST, "Tasks", {}, "", id="ECS registers no more, and ours are seen"),
        pytest.param(
            State(listed="t1", tasks={"t2": {}}), "Tasks", {}, "arn:srv-1", id="ours are not seen yet"
        ),
        pytest.param(REST, "ECS", {"deleting": True}, "", id="the route goes"),
        pytest.param(REST, "Tasks", {"deleting": True}, "", id="the route goes in another mode"),
    ],
)
def test_how_long_ecs_has_the_registry(
    state: State, mode: Any, changes: dict[str, Any], registry: str
) -> None:
    """Until Sluice's own entries answer: two entries for a task are better than none."""
    found = planned(
        state,
        intent=dataclasses.replace(INTENT, mode=mode),
        memory=dataclasses.replace(HERE, mode="ECS", registry_arn="arn:srv-1"),
        **changes,
    )
    assert found.memory.registry_arn == registry


@pytest.mark.parametrize(
    ("before", "state", "former"),
    [
        pytest.param(HERE, REST, "", id="the same backend"),
        pytest.param(dataclasses.replace(HERE, backend=""), REST, "", id="none before"),
        pytest.param(
            dataclasses.replace(HERE, backend="old"), REST, "", id="another one, and nothing is left"
        ),
        pytest.param(
            dataclasses.replace(HERE, backend="old"),
            State(listed="t1 t2", tasks={"t2": {"backend": "old"}}),
            "old",
            id="another one, and its entries are on their way out",
        ),
        pytest.param(
            dataclasses.replace(HERE, former_backend="older"),
            State(listed="t1 t2", tasks={"t2": {"backend": "older"}}),
            "older",
            id="the one before is still on its way out",
        ),
    ],
)
def test_how_long_a_former_backend_is_remembered(before: Memory, state: State, former: str) -> None:
    """Until its entries have left: they leave in order only while its tasks are read."""
    assert planned(state, memory=before).memory.former_backend == former
