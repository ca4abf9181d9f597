"""Cloud Map services: request and answer, or refusal."""

from __future__ import annotations

from typing import Any

import pytest
from map_world import A_RECORD, ALIAS_RECORD, CNAME_RECORD, SRV_RECORD, CloudMap

HTTP_CHECK = {"Type": "HTTP", "FailureThreshold": 2}


def test_a_service_comes_back_with_its_defaults(cloud: CloudMap) -> None:
    """MULTIVALUE, a threshold of 1 whatever was asked, and DNS_HTTP."""
    namespace = cloud.private()
    made = cloud.call(
        "CreateService",
        Name="ledger",
        NamespaceId=namespace,
        CreatorRequestId="one",
        Description="books",
        DnsConfig=A_RECORD,
        HealthCheckCustomConfig={"FailureThreshold": 5},
    )["Service"]
    assert made["DnsConfig"] == {
        "NamespaceId": namespace,
        "RoutingPolicy": "MULTIVALUE",
        "DnsRecords": [{"Type": "A", "TTL": 10}],
    }
    assert made["HealthCheckCustomConfig"] == {"FailureThreshold": 1}
    assert (made["Type"], made["NamespaceId"], made["InstanceCount"]) == ("DNS_HTTP", namespace, 0)
    assert (made["CreatorRequestId"], made["Description"]) == ("one", "books")
    assert made["Arn"] == f"arn:aws:servicediscovery:eu-west-1:111122223333:service/{made['Id']}"
    assert cloud.call("GetService", Id=made["Arn"])["Service"] == made
    listed = cloud.call("ListServices")["Services"][0]
    assert listed["Id"] == made["Id"]
    assert "NamespaceId" not in listed


@pytest.mark.parametrize("arn", [False, True], ids=["by id", "by ARN"])
def test_a_namespace_is_named_either_way(cloud: CloudMap, *, arn: bool) -> None:
    """NamespaceId takes an id or an ARN, and the deprecated place in DnsConfig works still."""
    namespace = cloud.private()
    name = cloud.call("GetNamespace", Id=namespace)["Namespace"]["Arn"] if arn else namespace
    assert cloud.make(name, DnsConfig=A_RECORD).startswith("srv-")
    made = cloud.call("CreateService", Name="old", DnsConfig={**A_RECORD, "NamespaceId": namespace})
    assert made["Service"]["NamespaceId"] == namespace


@pytest.mark.parametrize("name", ["ledger", "LEDGER"])
def test_a_name_is_taken_once_in_dns(cloud: CloudMap, name: str) -> None:
    """ServiceAlreadyExists, for names that differ by case too."""
    namespace = cloud.private()
    first = cloud.make(namespace, CreatorRequestId="one", DnsConfig=A_RECORD)
    refusal = cloud.refused("CreateService", Name=name, NamespaceId=namespace, DnsConfig=A_RECORD)
    assert (refusal.code, refusal.status) == ("ServiceAlreadyExists", 400)
    assert refusal.members["ServiceId"] == first
    assert refusal.members["CreatorRequestId"] == "one"
    assert refusal.members["ServiceArn"].endswith(first)
    cloud.make(cloud.private("other.internal"), DnsConfig=A_RECORD)


def test_names_that_differ_by_case_are_two_in_http(cloud: CloudMap) -> None:
    """Only DNS cannot tell them apart."""
    namespace = cloud.http()
    assert cloud.make(namespace, "ledger") != cloud.make(namespace, "LEDGER")
    assert cloud.refused("CreateService", Name="ledger", NamespaceId=namespace).code == "ServiceAlreadyExists"


def test_the_same_request_returns_the_same_service(cloud: CloudMap) -> None:
    """CreatorRequestId makes a lost answer harmless; other settings are another request."""
    namespace = cloud.private()
    same = {"Name": "ledger", "NamespaceId": namespace, "CreatorRequestId": "one", "DnsConfig": A_RECORD}
    first = cloud.call("CreateService", **same)
    assert cloud.call("CreateService", **same) == first
    other = cloud.refused("CreateService", **(same | {"DnsConfig": SRV_RECORD}))
    assert other.code == "ServiceAlreadyExists"


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        pytest.param("http", {"DnsConfig": A_RECORD}, id="records in an HTTP namespace"),
        pytest.param("private", {"DnsConfig": A_RECORD, "Type": "HTTP"}, id="records of an HTTP service"),
        pytest.param("private", {"DnsConfig": {"DnsRecords": []}}, id="no record"),
        pytest.param(
            "private",
            {"DnsConfig": {"DnsRecords": [{"Type": "A", "TTL": 1}, {"Type": "SRV", "TTL": 1}]}},
            id="A and SRV",
        ),
        pytest.param(
            "private",
            {"DnsConfig": {"DnsRecords": [{"Type": "A", "TTL": 1}, {"Type": "A", "TTL": 2}]}},
            id="A twice",
        ),
        pytest.param("private", {"DnsConfig": {"DnsRecords": [{"Type": "MX", "TTL": 1}]}}, id="MX"),
        pytest.param(
            "private", {"DnsConfig": {"DnsRecords": [{"Type": "A", "TTL": 2**31}]}}, id="TTL too long"
        ),
        pytest.param(
            "private", {"DnsConfig": {"DnsRecords": [{"Type": "CNAME", "TTL": 1}]}}, id="CNAME by default"
        ),
        pytest.param(
            "private", {"DnsConfig": {**CNAME_RECORD, "RoutingPolicy": "MULTIVALUE"}}, id="CNAME multivalue"
        ),
        pytest.param(
            "private", {"DnsConfig": A_RECORD, "HealthCheckConfig": HTTP_CHECK}, id="checked in private"
        ),
        pytest.param(
            "public", {"DnsConfig": CNAME_RECORD, "HealthCheckConfig": HTTP_CHECK}, id="checked CNAME"
        ),
        pytest.param(
            "http", {"HealthCheckConfig": HTTP_CHECK, "HealthCheckCustomConfig": {}}, id="both checks"
        ),
        pytest.param(
            "http", {"HealthCheckConfig": {"Type": "TCP", "ResourcePath": "/x"}}, id="path of a TCP check"
        ),
        pytest.param(
            "http", {"HealthCheckConfig": {"Type": "HTTP", "FailureThreshold": 11}}, id="threshold 11"
        ),
        pytest.param("http", {"Type": "DNS_HTTP"}, id="any other type"),
        pytest.param("http", {"Name": "-x"}, id="name"),
        pytest.param("http", {"Name": "x" * 64}, id="label of 64"),
    ],
)
def test_what_a_service_must_not_be(cloud: CloudMap, kind: str, params: dict[str, Any]) -> None:
    """InvalidInput, with nothing made."""
    namespace = {"http": cloud.http, "private": cloud.private, "public": cloud.public}[kind]()
    refusal = cloud.refused("CreateService", **{"Name": "ledger", "NamespaceId": namespace, **params})
    assert (refusal.code, refusal.status) == ("InvalidInput", 400)
    assert cloud.call("ListServices")["Services"] == []


def test_a_service_needs_a_namespace(cloud: CloudMap) -> None:
    """NamespaceNotFound for an unknown one, InvalidInput for none."""
    refusal = cloud.refused("CreateService", Name="ledger", NamespaceId="ns-aaaaaaaaaaaaaaaa")
    assert (refusal.code, refusal.status) == ("NamespaceNotFound", 404)
    assert cloud.refused("CreateService", Name="ledger").code == "InvalidInput"


@pytest.mark.parametrize(
    "config",
    [
        pytest.param(A_RECORD, id="A"),
        pytest.param({"DnsRecords": [{"Type": "AAAA", "TTL": 1}]}, id="AAAA"),
        pytest.param({"DnsRecords": [{"Type": "A", "TTL": 1}, {"Type": "AAAA", "TTL": 2}]}, id="A and AAAA"),
        pytest.param(SRV_RECORD, id="SRV"),
        pytest.param(CNAME_RECORD, id="CNAME"),
        pytest.param(ALIAS_RECORD, id="weighted A"),
    ],
)
def test_the_combinations_of_records_that_there_are(cloud: CloudMap, config: dict[str, Any]) -> None:
    """Each is kept as it was given."""
    service = cloud.make(cloud.private(), DnsConfig=config)
    shown = cloud.call("GetService", Id=service)["Service"]["DnsConfig"]
    assert shown["DnsRecords"] == config["DnsRecords"]


def test_a_service_of_http_in_a_dns_namespace_has_no_records(cloud: CloudMap) -> None:
    """Type HTTP: found by DiscoverInstances alone."""
    service = cloud.make(cloud.private(), Type="HTTP")
    shown = cloud.call("GetService", Id=service)["Service"]
    assert shown["Type"] == "HTTP"
    assert "DnsConfig" not in shown


def test_update_changes_ttl_and_description_by_an_operation(cloud: CloudMap) -> None:
    """UPDATE_SERVICE; the routing policy and the custom health check stay."""
    service = cloud.make(cloud.private(), DnsConfig=ALIAS_RECORD, HealthCheckCustomConfig={})
    change = {"Description": "new", "DnsConfig": {"DnsRecords": [{"Type": "A", "TTL": 60}]}}
    answer = cloud.call("UpdateService", Id=service, Service=change)
    assert cloud.call("GetService", Id=service)["Service"]["DnsConfig"]["DnsRecords"][0]["TTL"] == 10
    assert cloud.refused("UpdateService", Id=service, Service=change).code == "DuplicateRequest"
    done = cloud.done(answer)
    assert (done["Type"], done["Targets"]) == ("UPDATE_SERVICE", {"SERVICE": service})
    shown = cloud.call("GetService", Id=service)["Service"]
    assert shown["DnsConfig"]["DnsRecords"] == [{"Type": "A", "TTL": 60}]
    assert shown["DnsConfig"]["RoutingPolicy"] == "WEIGHTED"
    assert shown["HealthCheckCustomConfig"] == {"FailureThreshold": 1}
    assert shown["Description"] == "new"


def test_update_deletes_what_it_leaves_out(cloud: CloudMap) -> None:
    """DnsConfig and HealthCheckConfig go when the request has none of them."""
    service = cloud.make(cloud.public(), DnsConfig=A_RECORD, HealthCheckConfig={"Type": "HTTP"})
    shown = cloud.call("GetService", Id=service)["Service"]
    assert shown["HealthCheckConfig"] == {"Type": "HTTP", "ResourcePath": "/"}
    cloud.done(cloud.call("UpdateService", Id=service, Service={"Description": "bare"}))
    shown = cloud.call("GetService", Id=service)["Service"]
    assert not shown.keys() & {"DnsConfig", "HealthCheckConfig"}


@pytest.mark.parametrize(
    ("made", "change"),
    [
        pytest.param({"DnsConfig": A_RECORD}, {"DnsConfig": SRV_RECORD}, id="another type of record"),
        pytest.param(
            {"DnsConfig": A_RECORD},
            {"DnsConfig": {"DnsRecords": [{"Type": "A", "TTL": 1}, {"Type": "AAAA", "TTL": 1}]}},
            id="one type more",
        ),
        pytest.param({"Type": "HTTP"}, {"DnsConfig": A_RECORD}, id="records for a service of HTTP"),
        pytest.param(
            {"DnsConfig": A_RECORD, "HealthCheckConfig": {"Type": "HTTP"}},
            {"DnsConfig": A_RECORD, "HealthCheckConfig": {"Type": "TCP"}},
            id="another type of check",
        ),
        pytest.param(
            {"DnsConfig": A_RECORD, "HealthCheckCustomConfig": {}},
            {"DnsConfig": A_RECORD, "HealthCheckConfig": {"Type": "HTTP"}},
            id="a second check",
        ),
    ],
)
def test_what_update_refuses(cloud: CloudMap, made: dict[str, Any], change: dict[str, Any]) -> None:
    """InvalidInput at once."""
    service = cloud.make(cloud.public(), **made)
    assert cloud.refused("UpdateService", Id=service, Service=change).code == "InvalidInput"


def test_a_service_of_an_http_namespace_is_not_updated(cloud: CloudMap) -> None:
    """InvalidInput, as botocore's page of UpdateService says."""
    service = cloud.make(cloud.http())
    refusal = cloud.refused("UpdateService", Id=service, Service={"Description": "x"})
    assert refusal.code == "InvalidInput"


def test_a_service_with_instances_stays(cloud: CloudMap) -> None:
    """ResourceInUse while an instance is there, is coming, or is going."""
    service = cloud.make(cloud.http())
    coming = cloud.call("RegisterInstance", ServiceId=service, InstanceId="i", Attributes={})
    assert cloud.refused("DeleteService", Id=service).code == "ResourceInUse"
    cloud.done(coming)
    refusal = cloud.refused("DeleteService", Id=service)
    assert (refusal.code, refusal.status) == ("ResourceInUse", 409)
    assert "registered instances" in refusal.message
    going = cloud.call("DeregisterInstance", ServiceId=service, InstanceId="i")
    assert cloud.refused("DeleteService", Id=service).code == "ResourceInUse"
    cloud.done(going)
    assert cloud.call("DeleteService", Id=service) == {}
    missing = cloud.refused("DeleteService", Id=service)
    assert (missing.code, missing.status) == ("ServiceNotFound", 404)


def test_services_are_filtered_by_namespace(cloud: CloudMap) -> None:
    """NAMESPACE_ID takes an id or ARN; only EQ is supported."""
    one, two = cloud.http("one"), cloud.http("two")
    cloud.make(one, "a")
    cloud.make(two, "b")
    arn = cloud.call("GetNamespace", Id=two)["Namespace"]["Arn"]
    for value in (two, arn):
        asked = [{"Name": "NAMESPACE_ID", "Values": [value], "Condition": "EQ"}]
        assert [item["Name"] for item in cloud.call("ListServices", Filters=asked)["Services"]] == ["b"]
    shared = [{"Name": "RESOURCE_OWNER", "Values": ["OTHER_ACCOUNTS"]}]
    assert cloud.call("ListServices", Filters=shared)["Services"] == []
    several = [{"Name": "NAMESPACE_ID", "Values": [one, two], "Condition": "IN"}]
    assert cloud.refused("ListServices", Filters=several).code == "InvalidInput"


def test_services_come_in_pages(cloud: CloudMap) -> None:
    """Nothing is repeated or lost when a service goes between two pages."""
    namespace = cloud.http()
    ids = [cloud.make(namespace, f"s{number}") for number in range(5)]
    first = cloud.call("ListServices", MaxResults=2)
    cloud.call("DeleteService", Id=ids[1])
    rest = cloud.call("ListServices", NextToken=first["NextToken"])
    assert [item["Id"] for item in (*first["Services"], *rest["Services"])] == ids


def test_service_attributes(cloud: CloudMap) -> None:
    """Put over the present ones, taken away by key, thirty at most."""
    service = cloud.make(cloud.http())
    cloud.call("UpdateServiceAttributes", ServiceId=service, Attributes={"a": "1", "b": "2"})
    cloud.call("UpdateServiceAttributes", ServiceId=service, Attributes={"b": "3"})
    cloud.call("DeleteServiceAttributes", ServiceId=service, Attributes=["a", "not there"])
    shown = cloud.call("GetServiceAttributes", ServiceId=service)["ServiceAttributes"]
    assert shown["Attributes"] == {"b": "3"}
    assert shown["ServiceArn"].endswith(service)
    many = {f"k{number}": "v" for number in range(30)}
    refusal = cloud.refused("UpdateServiceAttributes", ServiceId=service, Attributes=many)
    assert refusal.code == "ServiceAttributesLimitExceededException"
    for call, more in (("GetServiceAttributes", {}), ("DeleteServiceAttributes", {"Attributes": ["a"]})):
        assert cloud.refused(call, ServiceId="srv-none", **more).code == "ServiceNotFound"
