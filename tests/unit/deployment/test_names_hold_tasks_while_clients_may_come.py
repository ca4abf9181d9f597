"""What a Deployment makes of a route's discovery, whole; and when ECS must not end other tasks yet."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.desired import Port, Registry
from sluice.model.traffic import Acknowledgement, Traffic
from sluice.plan.deployment.discovery import Listing, holders, listings, registry, unsettled
from unit.deployment.wishes import NOW

TRAFFIC = Traffic(uid="u", rollout_id="r", seq=3, weights={"b": 1, "a": 0}, targets=(), verify_after=NOW)
PROOF = Acknowledgement(
    name="web",
    uid="u",
    rollout_id="r",
    seq=3,
    hash=TRAFFIC.hash,
    route_generation=2,
    configured={},
    verified_at=NOW,
)
RAW_PROOF = {
    "name": "web",
    "uid": "u",
    "rolloutId": "r",
    "seq": 3,
    "hash": TRAFFIC.hash,
    "routeGeneration": 2,
    "verifiedAt": NOW,
}
ASKED = {"mode": "Tasks", "backendRef": {"name": "web"}}
LEAVING = [{"stage": "hidden"}, {"stage": "released"}]
RELEASED = [{"stage": "released"}]
PLAIN = Listing(route="corp", mode="Tasks")


def route(
    discovery: Any = None, asked: Any = ASKED, *, conditions: Any = None, name: str = "corp", **metadata: Any
) -> dict[str, Any]:
    """Return a raw route, as short as the API server would tell it."""
    status = {"discovery": discovery, "conditions": conditions}
    return {"metadata": {"name": name} | metadata, "spec": {"discovery": asked}, "status": status}


def of_web(**changes: Any) -> dict[str, Any]:
    """Return `status.discovery` of our Deployment."""
    return {"backend": "web"} | changes


STALLED = {"type": "Stalled", "reason": "AccessDenied", "message": "denied"}
READY = {"type": "Ready", "reason": "x", "message": "y"}


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        pytest.param(route(), PLAIN, id="asked for, not begun"),
        pytest.param({"metadata": {"name": "corp"}, "spec": {"discovery": ASKED}}, PLAIN, id="no status"),
        pytest.param(
            route(
                of_web(
                    instances=2, leaving=LEAVING, settled=True, acknowledgement=RAW_PROOF, registryArn="arn"
                ),
                {
                    "mode": "ECS",
                    "backendRef": {"name": "web", "port": 8080},
                    "dns": {"records": [{"type": "A"}, {"type": "SRV"}]},
                },
                conditions=[READY, STALLED],
                generation=2,
                deletionTimestamp="2026-01-01T00:00:00Z",
            ),
            Listing(
                route="corp",
                mode="ECS",
                port="8080",
                service_record=True,
                generation=2,
                going=True,
                entries=True,
                leaving=True,
                moving=True,
                settled=True,
                proof=PROOF,
                registry="arn",
                problem="denied",
                problem_reason="AccessDenied",
            ),
            id="in full",
        ),
        pytest.param(
            route(of_web(acknowledgement=RAW_PROOF | {"name": "other"}), ASKED | {"dns": {"records": None}}),
            PLAIN,
            id="a proof of another Deployment",
        ),
        pytest.param(
            route(of_web(instances=1), ASKED | {"dns": {"records": [{"type": "A"}]}}),
            dataclasses.replace(PLAIN, entries=True),
            id="entries at rest",
        ),
        pytest.param(
            route(of_web(pendingOperations=1)),
            dataclasses.replace(PLAIN, entries=True, moving=True),
            id="an operation is on its way",
        ),
        pytest.param(
            route(of_web(instances=0, leaving=RELEASED)),
            dataclasses.replace(PLAIN, moving=True),
            id="its entry has left, its task ends",
        ),
        pytest.param(
            route(of_web(leaving=LEAVING)),
            dataclasses.replace(PLAIN, entries=True, leaving=True, moving=True),
            id="one has left, one leaves",
        ),
        pytest.param(
            route(of_web(instances=0, left=[of_web(), of_web(pendingOperations=1)])),
            dataclasses.replace(PLAIN, entries=True, moving=True),
            id="an operation in a Cloud Map service that was left",
        ),
        pytest.param(
            route(of_web(left=[of_web(leaving=LEAVING)]), None),
            dataclasses.replace(PLAIN, mode="", entries=True, leaving=True, moving=True),
            id="not asked for any more",
        ),
        pytest.param(
            route(
                {"backend": "other", "formerBackend": "web", "instances": 1},
                {"backendRef": {"name": "other"}},
            ),
            dataclasses.replace(PLAIN, mode="", entries=True),
            id="entries of before the name was another's",
        ),
        pytest.param(
            route({"backend": "other", "instances": 3}),
            PLAIN,
            id="entries that are another's, asked for ours",
        ),
        pytest.param(
            route({"backend": "other", "instances": 3}, {"backendRef": {"name": "other"}}),
            None,
            id="not ours",
        ),
        pytest.param(route(None, {"mode": "Tasks"}), None, id="no backend"),
    ],
)
def test_a_listing_is_all_that_a_route_tells(obj: dict[str, Any], expected: Listing | None) -> None:
    """Of this Deployment and of no other."""
    assert listings([obj], "web") == ((expected,) if expected else ())


def test_listings_are_by_route() -> None:
    """Whatever order the API server tells them in."""
    found = listings([route(name="b"), route(name="a"), route(None, None, name="c")], "web")
    assert [entry.route for entry in found] == ["a", "b"]


HELD = dataclasses.replace(PLAIN, entries=True, generation=2)
PROVED = dataclasses.replace(HELD, proof=PROOF)


@pytest.mark.parametrize(
    ("entry", "traffic", "slot", "held"),
    [
        pytest.param(PROVED, TRAFFIC, "a", False, id="proved without the slot"),
        pytest.param(PROVED, TRAFFIC, "b", True, id="the slot has all"),
        pytest.param(PROVED, TRAFFIC, "", True, id="any slot"),
        pytest.param(PROVED, None, "a", True, id="nothing is published"),
        pytest.param(HELD, TRAFFIC, "a", True, id="nothing is proved"),
        pytest.param(dataclasses.replace(PROVED, generation=3), TRAFFIC, "a", True, id="of an older spec"),
        pytest.param(dataclasses.replace(PROVED, mode=""), TRAFFIC, "a", True, id="not asked for any more"),
        pytest.param(dataclasses.replace(HELD, entries=False), TRAFFIC, "a", False, id="no entry"),
        pytest.param(dataclasses.replace(HELD, mode="", problem="x"), TRAFFIC, "a", False, id="given up"),
    ],
)
def test_whose_tasks_a_name_holds(entry: Listing, traffic: Traffic | None, slot: str, *, held: bool) -> None:
    """Told with the route and with what is in its way; nothing else is told."""
    assert holders([entry], traffic, slot=slot) == (("ServiceRoute corp",) if held else ())
    stuck = dataclasses.replace(HELD, route="b", problem="denied")
    assert holders([stuck], traffic, slot="b") == ("ServiceRoute b: denied",)


BUSY = dataclasses.replace(HELD, moving=True)
STEADY = {"runningCount": 2, "pendingCount": 0, "desiredCount": 2, "deployments": [{}]}


@pytest.mark.parametrize(
    ("entry", "service", "waits"),
    [
        pytest.param(dataclasses.replace(HELD, settled=True), STEADY, False, id="settled"),
        pytest.param(HELD, STEADY, True, id="at rest, and not settled"),
        pytest.param(HELD, {}, True, id="a service at rest without any task"),
        pytest.param(HELD, STEADY | {"deployments": None}, True, id="without any deployment"),
        pytest.param(HELD, STEADY | {"deployments": [{}, {}]}, False, id="in an ECS deployment"),
        pytest.param(HELD, STEADY | {"pendingCount": 1}, False, id="a task is starting"),
        pytest.param(HELD, STEADY | {"runningCount": 1}, False, id="a task is missing"),
        pytest.param(HELD, STEADY | {"runningCount": 3}, False, id="a task is too many"),
        pytest.param(BUSY, STEADY, True, id="entries come or go"),
        pytest.param(BUSY, STEADY | {"deployments": [{}, {}]}, True, id="also in an ECS deployment"),
        pytest.param(
            dataclasses.replace(BUSY, settled=True),
            STEADY,
            True,
            id="tasks whose entries went have yet to end",
        ),
        pytest.param(dataclasses.replace(BUSY, entries=False), STEADY, False, id="nobody is sent to them"),
        pytest.param(dataclasses.replace(BUSY, problem="denied"), STEADY, False, id="in trouble"),
        pytest.param(dataclasses.replace(BUSY, mode="ECS"), STEADY, False, id="ECS's own entries"),
        pytest.param(dataclasses.replace(BUSY, going=True), STEADY, False, id="the route goes"),
    ],
)
def test_when_another_deployment_has_to_wait(entry: Listing, service: dict[str, Any], *, waits: bool) -> None:
    """As long as ECS could end a task that clients are sent to, and no longer."""
    assert unsettled([entry], service) == ("ServiceRoute corp" if waits else "")


PORTS = (
    Port(name="", container_name="admin", container_port=9090),
    Port(name="http", container_name="app", container_port=8080),
)
GIVEN = Listing(route="corp", mode="ECS", registry="arn")


@pytest.mark.parametrize(
    ("entries", "awsvpc", "expected"),
    [
        pytest.param((GIVEN,), True, Registry(arn="arn"), id="addresses"),
        pytest.param((GIVEN,), False, None, id="bridge needs a port, and none is said"),
        pytest.param(
            (dataclasses.replace(GIVEN, port="http"),),
            False,
            Registry(arn="arn", container_name="app", container_port=8080),
            id="bridge, by name",
        ),
        pytest.param(
            (dataclasses.replace(GIVEN, port="9090", service_record=True),),
            True,
            Registry(arn="arn", container_name="admin", container_port=9090),
            id="SRV, by number",
        ),
        pytest.param(
            (
                dataclasses.replace(GIVEN, mode="Tasks"),
                dataclasses.replace(GIVEN, going=True),
                dataclasses.replace(GIVEN, registry=""),
                dataclasses.replace(GIVEN, service_record=True, port="none"),
                dataclasses.replace(GIVEN, registry="first"),
                dataclasses.replace(GIVEN, registry="second"),
            ),
            True,
            Registry(arn="first"),
            id="the first that can be",
        ),
        pytest.param((), True, None, id="no route"),
    ],
)
def test_which_registry_ecs_is_given(
    entries: tuple[Listing, ...],
    awsvpc: bool,  # noqa: FBT001 - a table
    expected: Registry | None,
) -> None:
    """One, and a port exactly where ECS takes one."""
    assert registry(entries, PORTS, awsvpc=awsvpc) == expected
