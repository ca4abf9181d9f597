"""ECS services: batches, absence, and what our own writes tell the next look."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sluice.model.errors import AwsFailure
from sluice.observe.own_writes import OwnWrite
from sluice.observe.services import settled, trimmed

CLUSTER = "prod"


def described(name: str, **more: Any) -> dict[str, Any]:
    """Return a service as DescribeServices does."""
    return {
        "serviceName": name,
        "serviceArn": f"arn:aws:ecs:eu-west-1:1:service/prod/{name}",
        "status": "ACTIVE",
        "desiredCount": 2,
        "taskDefinition": "td:1",
        "tags": [{"key": "owner", "value": "us"}],
    } | more


def answering(services: Mapping[str, dict[str, Any]]) -> Any:
    """Return a DescribeServices over these services."""

    def describe(params: Mapping[str, Any]) -> dict[str, Any]:
        assert params["include"] == ["TAGS"]
        assert len(params["services"]) <= 10
        missing = [
            {"arn": f"arn:aws:ecs:eu-west-1:1:service/prod/{name}", "reason": "MISSING"}
            for name in params["services"]
            if name not in services
        ]
        found = [services[name] for name in params["services"] if name in services]
        return {"services": found, "failures": missing}

    return describe


def look(rig: Any, name: str, *, max_age: float = 0.0, cluster: str = CLUSTER) -> Any:
    """Ask for one service."""
    return rig.facts.service(rig.context, cluster=cluster, name=name, max_age=max_age)


def test_a_service_comes_with_its_tags(rig: Any) -> None:
    """The structure is AWS's own."""
    rig.aws.table["DescribeServices"] = answering({"a": described("a")})
    assert look(rig, "a")["tags"] == [{"key": "owner", "value": "us"}]


@pytest.mark.parametrize(
    "services", [{}, {"a": described("a", status="INACTIVE")}], ids=["missing", "inactive"]
)
def test_what_is_gone_is_none(rig: Any, services: dict[str, Any]) -> None:
    """A name without a service, and one that ECS still remembers, are the same to us."""
    rig.aws.table["DescribeServices"] = answering(services)
    assert look(rig, "a") is None
    assert look(rig, "a", max_age=10) is None
    assert len(rig.aws.calls) == 1


def test_a_cluster_that_does_not_exist_has_no_services(rig: Any) -> None:
    """A Deployment of a deleted cluster can be deleted."""

    def refuse(_params: object) -> dict[str, Any]:
        raise rig.fail("ClusterNotFoundException", "rejected")

    rig.aws.table["DescribeServices"] = refuse
    assert look(rig, "a") is None


def test_a_failure_to_ask_is_not_absence(rig: Any) -> None:
    """Only AWS's word makes a service absent."""

    def refuse(_params: object) -> dict[str, Any]:
        raise rig.fail("ServerException", "unavailable")

    rig.aws.table["DescribeServices"] = refuse
    with pytest.raises(AwsFailure):
        look(rig, "a")


def test_an_unknown_reason_for_a_missing_service_is_a_failure(rig: Any) -> None:
    """Whatever is not MISSING does not prove absence."""
    rig.aws.table["DescribeServices"] = lambda _p: {"failures": [{"arn": "x", "reason": "BUSY"}]}
    with pytest.raises(AwsFailure, match="BUSY"):
        look(rig, "a")


def test_a_resync_of_a_thousand_services_is_a_hundred_calls(rig: Any) -> None:
    """Each read takes the nine longest unread of the cluster along, whatever the order of keys."""
    names = [f"s{number}" for number in range(1000)]
    rig.aws.table["DescribeServices"] = answering({name: described(name) for name in names})
    for name in names:
        look(rig, name, max_age=30)
    rig.clock.seconds += 60
    rig.aws.calls.clear()
    for name in reversed(names):
        look(rig, name, max_age=30)
    assert len(rig.aws.calls) == 100


def test_sixteen_workers_get_their_own_service_each(rig: Any) -> None:
    """Under contention nobody gets a neighbour's answer, and no call is made in vain."""
    names = [f"s{number}" for number in range(320)]
    rig.aws.table["DescribeServices"] = answering({name: described(name) for name in names})
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda name: look(rig, name)["serviceName"], names))
    assert found == names
    assert 32 <= len(rig.aws.calls) <= 320
    assert sum(len(params["services"]) for _, params in rig.aws.calls) == 320


def test_fresh_neighbours_are_not_read_again(rig: Any) -> None:
    """Filling a batch is for what is old; parsing costs time."""
    rig.aws.table["DescribeServices"] = answering({name: described(name) for name in "ab"})
    look(rig, "a")
    rig.clock.seconds += 5
    look(rig, "b")
    assert [params["services"] for _, params in rig.aws.calls] == [["a"], ["b"]]


def test_clusters_by_name_and_arn_are_one(rig: Any) -> None:
    """A cache entry does not depend on how a spec spells the cluster."""
    rig.aws.table["DescribeServices"] = answering({"a": described("a")})
    look(rig, "a", cluster="arn:aws:ecs:eu-west-1:1:cluster/prod")
    look(rig, "a", max_age=10)
    assert len(rig.aws.calls) == 1


def test_a_created_service_is_known_without_a_read(rig: Any) -> None:
    """The response of the write is the newest read, with the tags that were sent."""
    params = {"cluster": CLUSTER, "serviceName": "a", "desiredCount": 2, "tags": [{"key": "k", "value": "v"}]}
    created = {name: value for name, value in described("a").items() if name != "tags"}
    rig.facts.wrote(rig.binding, "CreateService", params, {"service": created})
    assert look(rig, "a", max_age=10)["tags"] == params["tags"]
    assert rig.aws.calls == []


def test_an_update_keeps_the_tags_that_its_response_lacks(rig: Any) -> None:
    """UpdateService may answer without tags: they are those of the last read."""
    rig.aws.table["DescribeServices"] = answering({"a": described("a")})
    look(rig, "a")
    updated = {name: value for name, value in described("a", desiredCount=3).items() if name != "tags"}
    params = {"cluster": CLUSTER, "service": "a", "desiredCount": 3}
    rig.facts.wrote(rig.binding, "UpdateService", params, {"service": updated})
    got = look(rig, "a", max_age=10)
    assert (got["desiredCount"], got["tags"]) == (3, [{"key": "owner", "value": "us"}])


def test_an_update_without_any_known_tags_is_read_again(rig: Any) -> None:
    """A service without tags would look like somebody else's."""
    rig.aws.table["DescribeServices"] = answering({"a": described("a")})
    updated = {name: value for name, value in described("a").items() if name != "tags"}
    params = {"cluster": CLUSTER, "service": "a"}
    rig.facts.wrote(rig.binding, "UpdateService", params, {"service": updated})
    assert look(rig, "a", max_age=10)["tags"]
    assert rig.aws.operations() == ["DescribeServices"]


def test_a_stale_read_does_not_undo_a_creation(rig: Any) -> None:
    """For five seconds a read that misses our new service is older than it; then it is believed."""
    params = {"cluster": CLUSTER, "serviceName": "a", "tags": []}
    rig.facts.wrote(rig.binding, "CreateService", params, {"service": described("a")})
    rig.aws.table["DescribeServices"] = answering({})
    rig.clock.seconds += 4.9
    assert look(rig, "a") is not None
    rig.clock.seconds += 0.2
    assert look(rig, "a") is None


def test_a_failed_write_makes_its_service_unknown(rig: Any) -> None:
    """After an unknown outcome the next look reads, whatever age it accepts."""
    rig.aws.table["DescribeServices"] = answering({"a": described("a")})
    look(rig, "a")
    rig.facts.failed(rig.binding, {"cluster": CLUSTER, "service": "a"})
    look(rig, "a", max_age=100)
    assert len(rig.aws.calls) == 2


@pytest.mark.parametrize("subject", ["a", "arn:aws:ecs:eu-west-1:1:service/prod/a"])
def test_forget_works_by_name_and_by_arn(rig: Any, subject: str) -> None:
    """Who has only one of them can drop the entry."""
    rig.aws.table["DescribeServices"] = answering({"a": described("a")})
    look(rig, "a")
    rig.facts.forget(rig.binding, subject)
    look(rig, "a", max_age=100)
    assert len(rig.aws.calls) == 2


ACTIVE_3 = described("a", desiredCount=3)
DRAINING = described("a", status="DRAINING")


@pytest.mark.parametrize(
    ("read", "own", "expected"),
    [
        (described("a"), None, described("a")),
        (None, OwnWrite(ACTIVE_3, frozenset(), 0), ACTIVE_3),
        (None, OwnWrite(DRAINING, frozenset(), 0), None),
        (described("a"), OwnWrite(ACTIVE_3, frozenset({"desiredCount"}), 0), ACTIVE_3),
        (described("a"), OwnWrite(ACTIVE_3, frozenset({"taskDefinition"}), 0), described("a")),
        (described("a"), OwnWrite(DRAINING, frozenset(), 0), DRAINING),
        (DRAINING, OwnWrite(ACTIVE_3, frozenset({"desiredCount"}), 0), DRAINING),
        (described("a", tags=[]), OwnWrite(described("a"), frozenset({"tags"}), 0), described("a", tags=[])),
    ],
    ids=[
        "no-write",
        "created-but-absent",
        "deleted-and-absent",
        "sent-member-differs",
        "unsent-member-differs",
        "deleted-but-active",
        "somebody-deleted-it",
        "tags-are-not-compared",
    ],
)
def test_a_read_is_weighed_against_our_own_write(read: Any, own: Any, expected: Any) -> None:
    """Only a contradiction of what was sent makes a read older than the write."""
    assert settled(read, own) == expected


def test_old_events_and_repeated_settings_are_not_kept() -> None:
    """A service's hundred events are most of its size; nobody plans with the ninety oldest."""
    deployment = {"id": "ecs-svc/1", "runningCount": 1, "networkConfiguration": {"awsvpcConfiguration": {}}}
    kept = trimmed(described("a", events=[{"message": str(n)} for n in range(100)], deployments=[deployment]))
    assert len(kept["events"]) == 10
    assert kept["deployments"] == [{"id": "ecs-svc/1", "runningCount": 1}]
