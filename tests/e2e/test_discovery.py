"""A name in Cloud Map under clients that resolve and call all the time: updates, canaries and rollbacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from e2e.desk import DEPLOYMENT, ROUTE, Desk
from e2e.named import NamedCalls
from e2e.progressive import (
    ALL,
    BAD,
    GOOD,
    NEXT,
    PERSON,
    assert_unharmed,
    image,
    progressive,
    verb,
    wait_rolled_back,
    wait_step,
    weight,
)
from e2e.waiting import until

pytestmark = pytest.mark.e2e
TTL = 1


def named(desk: Desk, *, rules: bool = False) -> dict[str, Any]:
    """Return a route with a name for `web`: with its rules, or with nothing else."""
    made = desk.route()
    made["spec"]["discovery"] = {
        "mode": "Tasks",
        "backendRef": {"name": "web", "port": "http"},
        "serviceName": "web",
        "namespaceRef": {
            "name": f"{desk.namespace}.internal",
            "create": {"type": "DNS_PRIVATE", "vpc": desk.aws.estate["vpcId"]},
        },
        "dns": {"records": [{"type": "A", "ttlSeconds": TTL}]},
    }
    if not rules:
        del made["spec"]["parentRefs"], made["spec"]["hostnames"], made["spec"]["rules"]
    return made


def name_of(desk: Desk) -> str:
    """Return the DNS name."""
    return f"web.{desk.namespace}.internal"


def entries(desk: Desk) -> list[Mapping[str, str]]:
    """Return the attributes of all instances that clients of the API get."""
    client = desk.aws.client("servicediscovery")
    found = client.list_instances(ServiceId=desk.status(ROUTE)["discovery"]["serviceId"])["Instances"]
    return [item["Attributes"] for item in found]


def rolling(desk: Desk, *, tag: str = GOOD, replicas: int = 3) -> dict[str, Any]:
    """Return a Deployment without a load balancer."""
    return desk.deployment(image=tag, replicas=replicas, ecs={"launchType": "FARGATE"})


def test_a_rolling_update_and_a_scale_in_by_name(desk: Desk) -> None:
    """ECS replaces tasks only after their entries have left: no empty answer, no dead address."""
    desk.apply_and_wait(rolling(desk), named(desk), seconds=90)
    with NamedCalls(desk, name_of(desk)) as calls:
        desk.apply(rolling(desk, tag=NEXT))
        calls.wait_for(image(NEXT))
        desk.wait_ready(rolling(desk), named(desk), seconds=90)
        assert {item["revision"] for item in entries(desk)} == {desk.status(DEPLOYMENT)["live"]["revision"]}
        desk.apply(rolling(desk, tag=NEXT, replicas=1))
        until(
            lambda: len(entries(desk)) == 1 and desk.ready(rolling(desk), named(desk)),
            "one is left",
            seconds=60,
        )
    calls.assert_unharmed()
    assert set(calls.images) == {image(GOOD), image(NEXT)}


def test_a_canary_by_name_alone(desk: Desk) -> None:
    """A share by count: at 50 % the candidate has as many entries as the live slot."""
    first = progressive(desk, weight(50), PERSON, ALL)
    desk.apply_and_wait(first, named(desk), seconds=90)
    with NamedCalls(desk, name_of(desk)) as calls:
        desk.apply(progressive(desk, weight(50), PERSON, ALL, image=NEXT))
        wait_step(desk, 2, seconds=90)
        slots = sorted(item["slot"] for item in entries(desk))
        assert slots.count("a") == slots.count("b") > 0
        calls.wait_for(image(GOOD), image(NEXT))
        assert 0.25 < calls.share(image(NEXT)) < 0.75
        verb(desk, "promote")
        calls.wait_for(image(NEXT))
        until(lambda: desk.ready(first, named(desk)), "all is Ready", seconds=90)
    calls.assert_unharmed()


def test_a_rollback_of_name_and_rules(desk: Desk) -> None:
    """The rules go back at once, the name after them; each plane's seconds are told; nobody is let down."""
    desk.apply_and_wait(progressive(desk, weight(50), PERSON, ALL), named(desk, rules=True), seconds=90)
    with NamedCalls(desk, name_of(desk)) as calls, desk.load() as load:
        desk.apply(progressive(desk, weight(50), PERSON, ALL, image=BAD))
        wait_step(desk, 2, seconds=90)
        calls.wait_for(image(GOOD), image(BAD))
        verb(desk, "abort")
        calls.wait_for(image(GOOD))
        ended = wait_rolled_back(desk, seconds=90)
    calls.assert_unharmed()
    assert_unharmed(load)
    assert ended["rollbackSeconds"] < 5
    samples = desk.world.operator().samples("sluice_rollback_seconds_count", plane="discovery")
    assert sum(value for _, value in samples) >= 1


def test_nothing_is_left_of_a_name(desk: Desk) -> None:
    """Entries, service and the namespace that Sluice made go with the route, and the tasks after them."""
    objects = rolling(desk, replicas=2), named(desk)
    desk.apply_and_wait(*objects, seconds=90)
    found = desk.status(ROUTE)["discovery"]
    desk.delete(*objects)
    client = desk.aws.client("servicediscovery")
    assert found["serviceId"] not in {item["Id"] for item in client.list_services()["Services"]}
    assert found["namespaceId"] not in {item["Id"] for item in client.list_namespaces()["Namespaces"]}
