"""Cloud Map and task protection: what is asked of AWS, how often, and what writes of our own change."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pytest

from sluice.observe.cloud_map import is_cloud_map_write
from sluice.observe.source import FactsSettings
from unit.observe.conftest import Rig

Json = dict[str, Any]
NAMESPACE = {"Id": "ns-1", "Arn": "arn:aws:servicediscovery:eu-west-1:1:namespace/ns-1", "Name": "corp.local"}
TAGS = {"Tags": [{"Key": "team", "Value": "shop"}]}


def service(name: str, number: int = 1, **members: Any) -> Json:
    """Return a Cloud Map service."""
    arn = f"arn:aws:servicediscovery:eu-west-1:1:service/srv-{number}"
    return {"Id": f"srv-{number}", "Arn": arn, "Name": name} | members


@pytest.fixture
def world(rig: Rig) -> Rig:
    """One namespace with two services, tagged."""
    rig.aws.table = {
        "ListNamespaces": lambda _: {"Namespaces": [NAMESPACE]},
        "GetNamespace": lambda _: {"Namespace": NAMESPACE},
        "ListServices": lambda _: {"Services": [service("web"), service("shop", 2)]},
        "GetService": lambda params: {"Service": service("web", int(params["Id"][-1]))},
        "ListTagsForResource": lambda _: TAGS,
        "DiscoverInstances": lambda _: {
            "Instances": [{"InstanceId": "i", "HealthStatus": "HEALTHY"}],
            "InstancesRevision": 7,
        },
        "ListInstances": lambda _: {"Instances": [{"Id": "i", "Attributes": {}}]},
    }
    return rig


def thousand(world: Rig) -> None:
    """Let the namespace have a thousand services, a hundred a page."""

    def pages(params: Mapping[str, Any]) -> Json:
        page = int(params.get("NextToken", "0"))
        found = [service(f"n{number}", number) for number in range(100 * page, 100 * page + 100)]
        return {"Services": found} | ({"NextToken": str(page + 1)} if page < 9 else {})

    world.aws.table["ListServices"] = pages
    world.aws.table["GetService"] = lambda params: {
        "Service": service(f"n{params['Id'][4:]}", int(params["Id"][4:]))
    }


def look(rig: Rig, name: str = "web", service_id: str = "", max_age: float = 45.0) -> Any:
    """Look at a service of the namespace."""
    return rig.facts.cloud_map.service(
        rig.context, namespace_id="ns-1", name=name, service_id=service_id, max_age=max_age
    )


def test_a_namespace_is_found_by_name_with_its_tags_and_kept(world: Rig) -> None:
    """One call for the name, one for the tags, and none for the id that is known by then."""
    (found,) = world.facts.cloud_map.namespaces(world.context, "corp.local", max_age=60)
    assert found["Tags"] == {"team": "shop"}
    assert world.facts.cloud_map.namespace(world.context, "ns-1", max_age=60) == found
    assert world.aws.operations() == ["ListNamespaces", "ListTagsForResource"]
    assert world.aws.calls[0][1]["Filters"] == [{"Name": "NAME", "Values": ["corp.local"], "Condition": "EQ"}]


def test_pages_that_a_filter_emptied_are_read_on(world: Rig) -> None:
    """Cloud Map fills a page and filters it then: an empty page with a token is not the end."""
    pages = iter([{"Namespaces": [], "NextToken": "more"}, {"Namespaces": [NAMESPACE]}])
    world.aws.table["ListNamespaces"] = lambda _: next(pages)
    (found,) = world.facts.cloud_map.namespaces(world.context, "corp.local", max_age=60)
    assert found["Id"] == "ns-1"


def test_a_namespace_that_is_gone(world: Rig) -> None:
    """NamespaceNotFound, and tags of one that goes between two calls, are absence."""

    def missing(_: Mapping[str, Any]) -> Json:
        raise world.fail("NamespaceNotFound", "not-found")

    world.aws.table["GetNamespace"] = missing
    assert world.facts.cloud_map.namespace(world.context, "ns-1", max_age=0) is None
    world.aws.table["ListTagsForResource"] = missing
    assert list(world.facts.cloud_map.namespaces(world.context, "corp.local", max_age=0)) == []


def test_services_of_a_namespace_come_with_one_list(world: Rig) -> None:
    """All routes of a namespace are answered by one list per age."""
    assert look(world)["Id"] == "srv-1"
    assert look(world, "shop")["Id"] == "srv-2"
    assert look(world, "other") is None
    assert world.aws.operations().count("ListServices") == 1
    world.clock.seconds += 46
    look(world)
    assert world.aws.operations().count("ListServices") == 2


def test_a_known_service_is_asked_for_alone(world: Rig) -> None:
    """Where the list is too old and the id is known, one service is read; another name reads the list."""
    assert look(world, service_id="srv-1", max_age=5)["Name"] == "web"
    assert world.aws.operations() == ["GetService", "ListTagsForResource"]
    assert look(world, "shop", service_id="srv-1", max_age=5)["Id"] == "srv-2"


def test_names_in_dns_differ_by_more_than_case(world: Rig) -> None:
    """A service with DNS is found whatever the case; one without is another one."""
    dns = {"DnsConfig": {"DnsRecords": [{"Type": "A", "TTL": 10}]}}
    world.aws.table["ListServices"] = lambda _: {"Services": [service("Web", **dns), service("Http", 2)]}
    assert look(world, "web")["Id"] == "srv-1"
    assert look(world, "http") is None


def test_a_list_of_instances_lasts_as_long_as_its_revision(world: Rig) -> None:
    """A look at rest is one call: the list is read again when the revision, the age or our write says so."""
    cloud_map = world.facts.cloud_map

    def seen() -> list[str]:
        world.aws.calls.clear()
        found = cloud_map.discovered(world.context, namespace="corp.local", service="web", max_age=45)
        listed = cloud_map.instances(world.context, "srv-1", revision=found.revision, max_age=600)
        assert list(listed) == ["i"]
        return world.aws.operations()

    assert seen() == ["DiscoverInstances", "ListInstances"]
    assert seen() == []
    world.clock.seconds += 46
    assert seen() == ["DiscoverInstances"]
    world.aws.table["DiscoverInstances"] = lambda _: {"Instances": [], "InstancesRevision": 8}
    world.clock.seconds += 46
    assert seen() == ["DiscoverInstances", "ListInstances"]
    world.facts.wrote(
        world.binding, "RegisterInstance", {"ServiceId": "srv-1", "InstanceId": "x"}, {"OperationId": "o"}
    )
    assert seen() == ["ListInstances"]
    world.clock.seconds += 601
    assert seen() == ["DiscoverInstances", "ListInstances"]


def test_an_answer_that_may_be_cut_says_so(world: Rig) -> None:
    """DiscoverInstances has no pages: a full answer may hide instances."""
    many = [{"InstanceId": str(number)} for number in range(1000)]
    world.aws.table["DiscoverInstances"] = lambda _: {"Instances": many, "InstancesRevision": 1}
    found = world.facts.cloud_map.discovered(world.context, namespace="n", service="web", max_age=0)
    assert not found.complete
    assert world.aws.calls[-1][1] == {
        "NamespaceName": "n",
        "ServiceName": "web",
        "HealthStatus": "ALL",
        "MaxResults": 1000,
    }


def test_a_service_that_discovery_does_not_know_yet_has_nothing(world: Rig) -> None:
    """Until the data plane has heard of a CreateService clients find nothing, and it is asked again."""

    def missing(_: Mapping[str, Any]) -> Json:
        raise world.fail("ServiceNotFound", "not-found")

    world.aws.table["DiscoverInstances"] = missing
    for _ in range(2):
        found = world.facts.cloud_map.discovered(world.context, namespace="n", service="web", max_age=45)
        assert (found.instances, found.revision) == ({}, None)
    assert world.aws.operations() == ["DiscoverInstances"] * 2


def test_few_operations_are_asked_for_one_by_one(world: Rig) -> None:
    """Each with its error; one that AWS has forgotten is not there."""

    def get(params: Mapping[str, Any]) -> Json:
        if params["OperationId"] == "old":
            raise world.fail("OperationNotFound", "not-found")
        return {"Operation": {"Id": params["OperationId"], "Status": "FAIL", "ErrorMessage": "no"}}

    world.aws.table["GetOperation"] = get
    found = world.facts.cloud_map.operations(world.context, ["a", "old", "a"], service_id="srv-1")
    assert found == {"a": {"Id": "a", "Status": "FAIL", "ErrorMessage": "no"}}


def test_many_operations_are_listed(world: Rig) -> None:
    """Hundreds cost a page each hundred; failures and what the list lacks are asked for alone."""
    ids = [f"op-{number}" for number in range(150)]
    listed = [{"Id": name, "Status": "FAIL" if name == "op-3" else "SUCCESS"} for name in ids[:-1]]
    pages = {"": {"Operations": listed[:100], "NextToken": "2"}, "2": {"Operations": listed[100:]}}
    world.aws.table["ListOperations"] = lambda params: pages[params.get("NextToken", "")]
    world.aws.table["GetOperation"] = lambda params: {
        "Operation": {"Id": params["OperationId"], "Status": "FAIL", "ErrorMessage": "no"}
    }
    found = world.facts.cloud_map.operations(world.context, ids, service_id="srv-1")
    assert len(found) == 150
    assert found["op-3"]["ErrorMessage"] == "no"
    operations = world.aws.operations()
    assert (operations.count("ListOperations"), operations.count("GetOperation")) == (2, 2)
    named = [entry["Name"] for entry in world.aws.calls[0][1]["Filters"]]
    assert named == ["SERVICE_ID", "UPDATE_DATE"]


def test_pages_of_operations_end(world: Rig) -> None:
    """An account whose every page is somebody else's is not read to its end."""
    world.aws.table["ListOperations"] = lambda _: {"Operations": [], "NextToken": "more"}
    world.aws.table["GetOperation"] = lambda params: {
        "Operation": {"Id": params["OperationId"], "Status": "PENDING"}
    }
    found = world.facts.cloud_map.operations(world.context, [str(n) for n in range(11)], service_id="srv-1")
    assert len(found) == 11
    assert world.aws.operations().count("ListOperations") == 10


@pytest.mark.parametrize(
    ("operation", "params", "expected"),
    [
        ("CreateService", {"Name": "web", "NamespaceId": "ns-1"}, True),
        ("CreateService", {"serviceName": "web"}, False),
        ("DeleteService", {"Id": "srv-1"}, True),
        ("DeleteService", {"service": "web", "cluster": "c"}, False),
        ("TagResource", {"ResourceARN": "a", "Tags": []}, True),
        ("TagResource", {"resourceArn": "a", "tags": []}, False),
        ("RegisterInstance", {"ServiceId": "srv-1", "InstanceId": "i"}, True),
        ("CreateRule", {"ListenerArn": "a"}, False),
    ],
)
def test_whose_write_it_is(operation: str, params: Json, expected: bool) -> None:  # noqa: FBT001 - a table's column
    """ECS and Cloud Map share names of operations; their parameters tell them apart."""
    assert is_cloud_map_write(operation, params) is expected


@pytest.mark.parametrize("good", [True, False], ids=["accepted", "failed"])
def test_a_write_to_a_service_is_looked_at(world: Rig, good: bool) -> None:  # noqa: FBT001 - a table's column
    """After CreateService, UpdateService or a failure of either, the next look asks AWS."""
    look(world)
    look(world, service_id="srv-1", max_age=0)
    for params in ({"Name": "web", "NamespaceId": "ns-1"}, {"Id": "srv-1", "Service": {}}):
        world.aws.calls.clear()
        assert look(world)["Id"] == "srv-1"
        assert world.aws.operations() == []
        if good:
            operation = "UpdateService" if "Id" in params else "CreateService"
            world.facts.wrote(world.binding, operation, params, {})
        else:
            world.facts.failed(world.binding, params)
        look(world)
        assert "ListServices" in world.aws.operations()


def test_protection_is_read_by_the_hundred_and_known_after_our_own_write(world: Rig) -> None:
    """GetTaskProtection for those that are not known, with the answer of UpdateTaskProtection as a read."""
    until = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
    arns = [f"arn:aws:ecs:eu-west-1:1:task/prod/{number}" for number in range(150)]
    world.aws.table["GetTaskProtection"] = lambda params: {
        "protectedTasks": [{"taskArn": arn, "protectionEnabled": False} for arn in params["tasks"]]
    }

    def protected() -> Mapping[str, float]:
        return world.facts.protected(world.context, cluster="prod", tasks=arns, max_age=60)

    assert protected() == dict.fromkeys(arns, 0.0)
    assert [len(params["tasks"]) for _, params in world.aws.calls] == [100, 50]
    answer = {"protectedTasks": [{"taskArn": arns[0], "protectionEnabled": True, "expirationDate": until}]}
    world.facts.wrote(world.binding, "UpdateTaskProtection", {"tasks": ["0", "1"]}, answer)
    world.aws.calls.clear()
    assert protected()[arns[0]] == until.timestamp()
    assert [params["tasks"] for _, params in world.aws.calls] == [[arns[1]]]
    world.facts.failed(world.binding, {"cluster": "prod", "tasks": ["0"], "protectionEnabled": True})
    world.aws.calls.clear()
    protected()
    assert [params["tasks"] for _, params in world.aws.calls] == [[arns[0]]]


def test_tags_are_kept_for_minutes(world: Rig) -> None:
    """Owner tags are read as seldom as those of target groups; a write of ours to them is looked at."""
    world.settings = FactsSettings()
    look(world, max_age=0)
    look(world, max_age=0)
    assert world.aws.operations().count("ListTagsForResource") == 1
    world.facts.wrote(world.binding, "TagResource", {"ResourceARN": service("web")["Arn"], "Tags": []}, {})
    look(world, max_age=0)
    assert world.aws.operations().count("ListTagsForResource") == 2


def test_a_thousand_services_at_rest_are_read_by_pages(world: Rig) -> None:
    """Each is asked for by its id; when that takes more calls than the list, the list is read for all."""
    thousand(world)
    for _ in range(3):
        before = len(world.aws.calls)
        for number in range(1000):
            assert look(world, f"n{number}", f"srv-{number}")["Name"] == f"n{number}"
        asked = world.aws.operations()[before:]
        assert asked.count("ListServices") == 10
        assert asked.count("GetService") <= 12
        world.clock.seconds += 60


def test_one_that_moves_is_read_alone_among_a_thousand(world: Rig) -> None:
    """Its looks are too frequent for a list, and so are those of one that is being removed."""
    thousand(world)
    for max_age in (5.0, 0.0):
        for number in range(20):
            look(world, f"n{number}", f"srv-{number}", max_age=max_age)
    assert "ListServices" not in world.aws.operations()
