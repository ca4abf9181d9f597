"""What a Deployment reads of the routes that list its tasks: proof, entries, registries."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.desired import Port, Registry
from sluice.model.traffic import Traffic
from sluice.plan.deployment.discovery import Listing, holders, listed, listings, registry
from unit.deployment.wishes import NOW

TRAFFIC = Traffic(uid="uid-1", rollout_id="r", seq=3, weights={"b": 1000}, targets=(), verify_after=NOW)
ARN = "arn:aws:servicediscovery:eu-west-1:111122223333:service/srv-1"
DENIED = {"type": "Stalled", "status": "True", "reason": "AccessDenied", "message": "no DeregisterInstance"}


def acknowledgement(**changes: Any) -> dict[str, Any]:
    """Return the proof of TRAFFIC by a route of generation 2."""
    return {
        "name": "web",
        "uid": "uid-1",
        "rolloutId": "r",
        "seq": 3,
        "hash": TRAFFIC.hash,
        "routeGeneration": 2,
        "verifiedAt": NOW + 1,
    } | changes


def route(
    *,
    names: str | None = "web",
    mode: str = "Tasks",
    discovery: dict[str, Any] | None = None,
    conditions: tuple[dict[str, Any], ...] = (),
    going: bool = False,
    records: tuple[str, ...] = ("A",),
) -> dict[str, Any]:
    """Return a raw route whose discovery names a Deployment (None: it has no discovery)."""
    dns = {"records": [{"type": kind, "ttlSeconds": 10} for kind in records]}
    asked = {"mode": mode, "backendRef": {"name": names, "port": "http"}, "dns": dns}
    gone = {"deletionTimestamp": "2026-01-01T00:00:00Z"} if going else {}
    return {
        "metadata": {"name": "corp", "namespace": "shop", "generation": 2} | gone,
        "spec": {"discovery": asked} if names else {},
        "status": {"conditions": list(conditions)} | ({"discovery": discovery} if discovery else {}),
    }


def known(**changes: Any) -> dict[str, Any]:
    """Return `status.discovery` with two entries of `web`."""
    return {"backend": "web", "instances": 2, "pendingOperations": 0} | changes


@pytest.mark.parametrize(
    ("obj", "wanted"),
    [
        pytest.param(route(), True, id="mode Tasks"),
        pytest.param(route(mode="ECS"), False, id="mode ECS: traffic is none of its business"),
        pytest.param(route(going=True), False, id="is being deleted"),
        pytest.param(route(names=None, discovery=known()), False, id="not asked for any more"),
        pytest.param(route(names="other"), None, id="another Deployment"),
        pytest.param(route(names="other", discovery=known(backend="other")), None, id="another's entries"),
        pytest.param({"metadata": {"name": "corp"}}, None, id="rules alone"),
    ],
)
def test_who_lists_the_tasks(obj: dict[str, Any], wanted: bool | None) -> None:  # noqa: FBT001 - a table
    """Traffic is published for those that do; None: it is no listing at all."""
    found = listings([obj], "web")
    assert [entry.wanted for entry in found] == ([] if wanted is None else [wanted])
    assert listed(found) is bool(wanted)


@pytest.mark.parametrize(
    ("changes", "proves"),
    [
        pytest.param({}, True, id="equal and fresh"),
        pytest.param({"seq": 2}, False, id="an older seq"),
        pytest.param({"uid": "other"}, False, id="another object"),
        pytest.param({"hash": "x"}, False, id="other weights"),
        pytest.param({"routeGeneration": 1}, False, id="an older spec of the route"),
        pytest.param({"verifiedAt": NOW - 1}, False, id="seen before verifyAfter"),
        pytest.param({"name": "other"}, False, id="another backend"),
    ],
)
def test_an_acknowledgement_counts_only_when_all_is_equal(changes: dict[str, Any], *, proves: bool) -> None:
    """rollout.md §7, points 1 and 4."""
    (entry,) = listings([route(discovery=known(acknowledgement=acknowledgement(**changes)))], "web")
    assert entry.proves(TRAFFIC) is proves
    assert not entry.proves(None)


PROVED = known(acknowledgement=acknowledgement())


@pytest.mark.parametrize(
    ("obj", "slot", "held"),
    [
        pytest.param(route(discovery=PROVED), "a", False, id="proved without the slot"),
        pytest.param(route(discovery=PROVED), "b", True, id="the slot has weight"),
        pytest.param(route(discovery=PROVED), "", True, id="any slot"),
        pytest.param(route(discovery=known()), "a", True, id="not proved"),
        pytest.param(route(discovery=known(instances=0)), "a", False, id="no entry"),
        pytest.param(route(), "a", False, id="not begun"),
        pytest.param(
            route(discovery=known(instances=0, pendingOperations=1)), "a", True, id="one may be coming"
        ),
        pytest.param(route(discovery=known(), conditions=(DENIED,)), "a", True, id="denied, and asked for"),
        pytest.param(route(discovery=PROVED, going=True), "a", True, id="the route goes"),
        pytest.param(
            route(discovery=PROVED, going=True, conditions=(DENIED,)), "a", False, id="it goes, denied"
        ),
        pytest.param(route(names=None, discovery=known()), "a", True, id="not asked for, leaving"),
        pytest.param(
            route(names=None, discovery=known(), conditions=(DENIED,)), "a", False, id="not asked for, denied"
        ),
        pytest.param(
            route(discovery=known(backend="other", left=[known()]), names="other"),
            "a",
            True,
            id="in a Cloud Map service that was left",
        ),
    ],
)
def test_whose_entries_keep_tasks_from_going(obj: dict[str, Any], slot: str, *, held: bool) -> None:
    """Tasks wait for a name that is asked for; what is not, and cannot be taken away, holds nothing."""
    assert bool(holders(listings([obj], "web"), TRAFFIC, slot=slot)) is held


def test_a_holder_is_told_with_its_problem() -> None:
    """Which route, and what AWS said."""
    found = listings([route(discovery=known(), conditions=(DENIED,))], "web")
    assert holders(found, TRAFFIC, slot="a") == ("ServiceRoute corp: no DeregisterInstance",)


HTTP = Port(name="http", container_name="app", container_port=8080)


@pytest.mark.parametrize(
    ("obj", "awsvpc", "member"),
    [
        pytest.param(route(mode="ECS"), True, {"registryArn": ARN}, id="A records: no port"),
        pytest.param(
            route(mode="ECS", records=("A", "SRV")),
            True,
            {"registryArn": ARN, "containerName": "app", "containerPort": 8080},
            id="SRV records: the port",
        ),
        pytest.param(
            route(mode="ECS", records=("SRV",)),
            False,
            {"registryArn": ARN, "containerName": "app", "containerPort": 8080},
            id="bridge: the port",
        ),
        pytest.param(route(), True, None, id="mode Tasks"),
        pytest.param(route(mode="ECS", going=True), True, None, id="the route goes"),
    ],
)
def test_the_registry_as_ecs_wants_it(
    obj: dict[str, Any],
    awsvpc: bool,  # noqa: FBT001 - a table
    member: dict[str, Any] | None,
) -> None:
    """botocore, ServiceRegistry; no registry before the route knows its ARN."""
    assert registry(listings([obj], "web"), (HTTP,), awsvpc=awsvpc) is None
    obj["status"]["discovery"] = {"registryArn": ARN}
    found = registry(listings([obj], "web"), (HTTP,), awsvpc=awsvpc)
    assert (found.member() if found else None) == member


def test_the_registrys_port_may_be_a_number() -> None:
    """As a backendRef may name it; one that is no port of the Deployment is the route's to tell."""
    base = Listing(route="corp", mode="ECS", registry=ARN, service_record=True)
    wanted = Registry(arn=ARN, container_name="app", container_port=8080)
    assert registry([dataclasses.replace(base, port="8080")], (HTTP,), awsvpc=True) == wanted
    assert registry([dataclasses.replace(base, port="9090")], (HTTP,), awsvpc=True) is None
