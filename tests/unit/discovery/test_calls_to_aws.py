"""The calls of discovery as AWS takes them: parameters, what is fine as well, what is read of the answer."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.actions import Action
from sluice.model.discovery import NamespaceIntent
from sluice.plan.discovery import writes
from sluice.plan.discovery.entries import task_entry
from sluice.plan.discovery.memory import Pending
from unit.discovery.steps import INSTALLATION, INTENT, KEY, NAMESPACE, SERVICE, seen_task

ENTRY = task_entry(seen_task("t1"), INTENT, installation=INSTALLATION, key=KEY)
PENDING = Pending(kind="register", target="t1", since=5.0)


def register(*, custom_health: bool = True, healthy: bool = True) -> Action:
    """Return a registration."""
    return writes.register(
        SERVICE,
        dataclasses.replace(ENTRY, healthy=healthy),
        PENDING,
        custom_health=custom_health,
        reason="it comes",
        urgent=False,
    )


@pytest.mark.parametrize(
    ("custom_health", "healthy", "initial"),
    [
        pytest.param(True, True, "HEALTHY", id="healthy"),
        pytest.param(True, False, "UNHEALTHY", id="ill"),
        pytest.param(False, True, None, id="no custom health"),
        pytest.param(False, False, None, id="ill, no custom health"),
    ],
)
def test_the_health_that_an_entry_begins_with(
    initial: str | None, *, custom_health: bool, healthy: bool
) -> None:
    """AWS refuses AWS_INIT_HEALTH_STATUS where the service has no custom health."""
    attributes = register(custom_health=custom_health, healthy=healthy).params["Attributes"]
    assert attributes.get("AWS_INIT_HEALTH_STATUS") == initial
    assert {name: value for name, value in attributes.items() if name in ENTRY.attributes} == ENTRY.attributes


def test_calls_about_instances_stand_for_themselves() -> None:
    """One that AWS refuses keeps no other waiting; what was asked for before is fine."""
    calls = [
        register(),
        writes.deregister(SERVICE, "sluice-t1", reason="it goes"),
        writes.set_health(SERVICE, "sluice-t1", healthy=False, reason="it is ill", urgent=True),
    ]
    told = [
        (call.operation, sorted(call.already), dict(call.outputs), call.priority.name, call.independent)
        for call in calls
    ]
    assert told == [
        ("RegisterInstance", ["DuplicateRequest"], {"operation:t1": "OperationId"}, "ROLLOUT", True),
        (
            "DeregisterInstance",
            ["DuplicateRequest", "InstanceNotFound"],
            {"operation:t1": "OperationId"},
            "ROLLOUT",
            True,
        ),
        ("UpdateInstanceCustomHealthStatus", ["InstanceNotFound"], {"health:t1": "`true`"}, "ROLLBACK", True),
    ]
    assert calls[2].params == {"ServiceId": "srv-1", "InstanceId": "sluice-t1", "Status": "UNHEALTHY"}


def test_a_request_id_is_one_for_each_intention() -> None:
    """Sent again it is the same request, meant anew another one; AWS takes 64 characters."""
    namespace = dataclasses.replace(INTENT, namespace=NamespaceIntent(name="corp.local", create="HTTP"))

    def made(makes: int) -> list[Action]:
        pending = dataclasses.replace(PENDING, since=float(makes))
        return [
            writes.create_namespace(namespace, installation=INSTALLATION, makes=makes, vpc=""),
            writes.create_service(KEY, INTENT, NAMESPACE, installation=INSTALLATION, makes=makes),
            writes.register(SERVICE, ENTRY, pending, custom_health=True, reason="it comes", urgent=False),
        ]

    ids = [[action.params["CreatorRequestId"] for action in made(makes)] for makes in (1, 1, 2)]
    assert ids[0] == ids[1]
    assert not set(ids[0]) & set(ids[2])
    assert all(len(one) <= 64 for one in ids[0])


def test_clients_are_told_of_ill_health_at_the_first_word() -> None:
    """AWS supports nothing but 1 (botocore: HealthCheckCustomConfig.FailureThreshold)."""
    made = writes.create_service(KEY, INTENT, NAMESPACE, installation=INSTALLATION, makes=0)
    assert made.params["HealthCheckCustomConfig"] == {"FailureThreshold": 1}


@pytest.mark.parametrize(
    ("count", "enabled", "sizes", "subjects"),
    [
        pytest.param(1, True, [1], ["1 task in cluster main"], id="one"),
        pytest.param(2, True, [2], ["2 tasks in cluster main"], id="two"),
        pytest.param(
            11,
            True,
            [10, 1],
            ["10 tasks in cluster main", "1 task in cluster main"],
            id="more than a call takes",
        ),
        pytest.param(10, False, [10], ["10 tasks in cluster main"], id="given back"),
        pytest.param(0, True, [], [], id="none"),
    ],
)
def test_protection_is_asked_for_ten_tasks_at_a_time(
    count: int, sizes: list[int], subjects: list[str], *, enabled: bool
) -> None:
    """For an hour, with what ECS refuses read; who is given back stands for himself."""
    tasks = [seen_task(f"t{number}") for number in range(count)]
    made = writes.protect(tasks, enabled=enabled, reason="x")
    assert [len(action.params["tasks"]) for action in made] == sizes
    assert [action.subject for action in made] == subjects
    assert [arn for action in made for arn in action.params["tasks"]] == [task.arn for task in tasks]
    for action in made:
        rest: dict[str, Any] = {name: value for name, value in action.params.items() if name != "tasks"}
        minutes = {"expiresInMinutes": 60} if enabled else {}
        assert rest == {"cluster": "main", "protectionEnabled": enabled, **minutes}
        assert action.independent is not enabled
    read = [f"refused:t{number}" for number in range(0, count, 10)] if enabled else []
    assert [name for action in made for name in action.outputs] == read


def test_each_cluster_is_asked_for_its_own_tasks() -> None:
    """ECS takes tasks of one cluster in a call."""
    tasks = [seen_task("t1", cluster="two"), seen_task("t2", cluster="one"), seen_task("t3", cluster="two")]
    made = writes.protect(tasks, enabled=True, reason="x")
    assert [(action.params["cluster"], len(action.params["tasks"])) for action in made] == [
        ("one", 1),
        ("two", 2),
    ]
