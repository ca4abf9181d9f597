"""Instances: request and answer, or refusal."""

from __future__ import annotations

from typing import Any

import pytest
from map_world import A_RECORD, ALIAS_RECORD, CNAME_RECORD, LOAD_BALANCER, SRV_RECORD, CloudMap

from sluice_sandbox.aws.servicediscovery.settings import CloudMapSettings, Quotas

BOTH = {"DnsRecords": [{"Type": "A", "TTL": 1}, {"Type": "AAAA", "TTL": 1}]}
V4, V6 = {"AWS_INSTANCE_IPV4": "10.1.2.3"}, {"AWS_INSTANCE_IPV6": "2001:db8::1"}
ALIAS = {"AWS_ALIAS_DNS_NAME": LOAD_BALANCER}


def test_an_instance_is_there_when_its_operation_has_ended(cloud: CloudMap) -> None:
    """Not before; then with all that was sent, by GetInstance and ListInstances."""
    service = cloud.make(cloud.private(), DnsConfig=A_RECORD)
    answer = cloud.call(
        "RegisterInstance",
        ServiceId=service,
        InstanceId="i-1",
        CreatorRequestId="one",
        Attributes={**V4, "version": "7"},
    )
    assert cloud.operation(answer["OperationId"])["Status"] == "SUBMITTED"
    early = cloud.refused("GetInstance", ServiceId=service, InstanceId="i-1")
    assert (early.code, early.status) == ("InstanceNotFound", 404)
    done = cloud.done(answer)
    assert (done["Type"], done["Targets"]) == ("REGISTER_INSTANCE", {"INSTANCE": "i-1"})
    shown = cloud.call("GetInstance", ServiceId=service, InstanceId="i-1")["Instance"]
    assert shown["Attributes"] == {**V4, "version": "7"}
    assert shown["CreatorRequestId"] == "one"
    listed = cloud.call("ListInstances", ServiceId=service)["Instances"]
    assert [(item["Id"], item["Attributes"]) for item in listed] == [("i-1", shown["Attributes"])]
    assert cloud.call("GetService", Id=service)["Service"]["InstanceCount"] == 1


def test_registering_again_is_an_update(cloud: CloudMap) -> None:
    """The same id never makes a second instance; attributes are replaced, not merged."""
    service = cloud.make(cloud.private(), DnsConfig=A_RECORD)
    cloud.register(service, **V4, version="1")
    cloud.register(service, AWS_INSTANCE_IPV4="10.9.9.9")
    listed = cloud.call("ListInstances", ServiceId=service)["Instances"]
    assert [item["Attributes"] for item in listed] == [{"AWS_INSTANCE_IPV4": "10.9.9.9"}]


def test_one_operation_works_on_an_instance_at_a_time(cloud: CloudMap) -> None:
    """DuplicateRequest (409) names the operation in progress; other instances are free."""
    service = cloud.make(cloud.http())
    first = cloud.call("RegisterInstance", ServiceId=service, InstanceId="a", Attributes={})
    for again in (
        cloud.refused("RegisterInstance", ServiceId=service, InstanceId="a", Attributes={"x": "1"}),
        cloud.refused("DeregisterInstance", ServiceId=service, InstanceId="a"),
    ):
        assert (again.code, again.status) == ("DuplicateRequest", 409)
        assert again.members == {"DuplicateOperationId": first["OperationId"]}
    cloud.call("RegisterInstance", ServiceId=service, InstanceId="b", Attributes={})
    cloud.done(first)
    cloud.register(service, "a", x="1")


@pytest.mark.parametrize("in_progress", [True, False], ids=["in progress", "done"])
def test_the_same_request_is_the_same_operation(cloud: CloudMap, *, in_progress: bool) -> None:
    """CreatorRequestId makes a lost answer harmless."""
    service = cloud.make(cloud.http())
    request = {"ServiceId": service, "InstanceId": "a", "Attributes": {"x": "1"}, "CreatorRequestId": "one"}
    first = cloud.call("RegisterInstance", **request)
    if not in_progress:
        cloud.done(first)
    assert cloud.call("RegisterInstance", **request) == first
    cloud.done(first)
    revision = cloud.call("DiscoverInstancesRevision", NamespaceName="api", ServiceName="ledger")
    cloud.clock.advance(60)
    assert cloud.call("DiscoverInstancesRevision", NamespaceName="api", ServiceName="ledger") == revision


@pytest.mark.parametrize(
    ("config", "attributes"),
    [
        pytest.param(A_RECORD, {}, id="A without IPv4"),
        pytest.param(A_RECORD, V6, id="A with IPv6 only"),
        pytest.param(BOTH, V4, id="A and AAAA without IPv6"),
        pytest.param(BOTH, V6, id="A and AAAA without IPv4"),
        pytest.param(SRV_RECORD, V4, id="SRV without port"),
        pytest.param(SRV_RECORD, {"AWS_INSTANCE_PORT": "80"}, id="SRV without address"),
        pytest.param(CNAME_RECORD, V4, id="CNAME without name"),
        pytest.param(A_RECORD, {"AWS_INSTANCE_IPV4": "10.1.2"}, id="no IPv4 address"),
        pytest.param(A_RECORD, {**V4, "AWS_INSTANCE_IPV6": "10.1.2.3"}, id="no IPv6 address"),
        pytest.param(SRV_RECORD, {**V4, "AWS_INSTANCE_PORT": "0"}, id="port 0"),
        pytest.param(SRV_RECORD, {**V4, "AWS_INSTANCE_PORT": "65536"}, id="port 65536"),
        pytest.param(SRV_RECORD, {**V4, "AWS_INSTANCE_PORT": "http"}, id="port by name"),
        pytest.param(CNAME_RECORD, {"AWS_INSTANCE_CNAME": "a..b"}, id="no domain"),
        pytest.param(A_RECORD, ALIAS, id="alias in multivalue"),
        pytest.param(CNAME_RECORD, ALIAS, id="alias of a CNAME service"),
        pytest.param(None, ALIAS, id="alias in HTTP"),
        pytest.param(ALIAS_RECORD, {**ALIAS, **V4}, id="alias with an address"),
        pytest.param(ALIAS_RECORD, {**ALIAS, "AWS_INSTANCE_PORT": "80"}, id="alias with a port"),
        pytest.param(ALIAS_RECORD, {"AWS_ALIAS_DNS_NAME": "www.example.com"}, id="alias to anything"),
        pytest.param(ALIAS_RECORD, {"AWS_EC2_INSTANCE_ID": "i-1"}, id="EC2 instance in DNS"),
        pytest.param(None, {"AWS_EC2_INSTANCE_ID": "i-1", "x": "1"}, id="EC2 instance with more"),
        pytest.param(A_RECORD, {**V4, "AWS_INIT_HEALTH_STATUS": "UNKNOWN"}, id="initial health"),
        pytest.param(None, {f"k{number}": "v" for number in range(31)}, id="31 attributes"),
        pytest.param(None, {f"k{number}": "v" * 1000 for number in range(5)}, id="5,010 characters"),
        pytest.param(None, {"k": "v" * 1025}, id="a long value"),
        pytest.param(None, {"k" * 256: "v"}, id="a long key"),
        pytest.param(None, {"a key": "v"}, id="a space in a key"),
        pytest.param(None, {"key": " v"}, id="a value that begins with a space"),
    ],
)
def test_what_attributes_must_not_be(
    cloud: CloudMap, config: dict[str, Any] | None, attributes: dict[str, str]
) -> None:
    """InvalidInput at once, and no operation."""
    made = {"DnsConfig": config} if config else {"Type": "HTTP"}
    service = cloud.make(cloud.private(), **made)
    before = cloud.call("ListOperations")
    refusal = cloud.refused("RegisterInstance", ServiceId=service, InstanceId="i", Attributes=attributes)
    assert (refusal.code, refusal.status) == ("InvalidInput", 400)
    assert cloud.call("ListOperations") == before


@pytest.mark.parametrize(
    ("config", "attributes"),
    [
        pytest.param(A_RECORD, {**V4, "AWS_INSTANCE_PORT": "80"}, id="A"),
        pytest.param(BOTH, {**V4, **V6}, id="A and AAAA"),
        pytest.param(SRV_RECORD, {**V6, "AWS_INSTANCE_PORT": "65535"}, id="SRV by IPv6"),
        pytest.param(CNAME_RECORD, {"AWS_INSTANCE_CNAME": "www.example.com."}, id="CNAME"),
        pytest.param(ALIAS_RECORD, ALIAS, id="alias"),
        pytest.param(ALIAS_RECORD, V4, id="an address beside aliases"),
        pytest.param(None, {}, id="nothing at all"),
        pytest.param(None, {f"k{number}": "v" for number in range(30)} | V4, id="30 custom attributes"),
        pytest.param(None, {"url": "http://x/?y=1 2"}, id="a space inside a value"),
    ],
)
def test_what_attributes_may_be(
    cloud: CloudMap, config: dict[str, Any] | None, attributes: dict[str, str]
) -> None:
    """Kept as they are."""
    service = cloud.make(cloud.private(), **({"DnsConfig": config} if config else {"Type": "HTTP"}))
    cloud.register(service, **attributes)
    shown = cloud.call("GetInstance", ServiceId=service, InstanceId="i-1")["Instance"]
    assert shown["Attributes"] == attributes


@pytest.mark.parametrize("instance", ["a b", "x" * 65, "ü"], ids=["space", "65 long", "not ASCII"])
def test_what_an_instance_id_must_not_be(cloud: CloudMap, instance: str) -> None:
    """InvalidInput, by botocore's pattern and length."""
    service = cloud.make(cloud.http())
    refusal = cloud.refused("RegisterInstance", ServiceId=service, InstanceId=instance, Attributes={})
    assert refusal.code == "InvalidInput"


def test_ec2_instances_are_refused_by_name(cloud: CloudMap) -> None:
    """What is not modelled says so."""
    service = cloud.make(cloud.http())
    attributes = {"AWS_EC2_INSTANCE_ID": "i-0123456789abcdef0"}
    refusal = cloud.refused("RegisterInstance", ServiceId=service, InstanceId="i", Attributes=attributes)
    assert (refusal.code, refusal.status) == ("UnsupportedOperation", 501)


def test_a_checked_instance_needs_a_port(cloud: CloudMap) -> None:
    """A Route 53 health check has to know where."""
    service = cloud.make(cloud.public(), DnsConfig=A_RECORD, HealthCheckConfig={"Type": "HTTP"})
    refusal = cloud.refused("RegisterInstance", ServiceId=service, InstanceId="i", Attributes=V4)
    assert refusal.code == "InvalidInput"


@pytest.mark.parametrize(
    ("quotas", "elsewhere"),
    [
        pytest.param(Quotas(instances_per_service=2), False, id="per service"),
        pytest.param(Quotas(instances_per_namespace=2), True, id="per namespace"),
    ],
)
def test_there_is_room_for_so_many(cloud: CloudMap, quotas: Quotas, *, elsewhere: bool) -> None:
    """ResourceLimitExceeded counts those that are coming; updates need no room."""
    cloud.service.settings = CloudMapSettings(quotas=quotas)
    namespace = cloud.http()
    service = cloud.make(namespace)
    other = cloud.make(namespace, "other") if elsewhere else service
    cloud.register(other, "a")
    coming = cloud.call("RegisterInstance", ServiceId=service, InstanceId="b", Attributes={})
    refusal = cloud.refused("RegisterInstance", ServiceId=service, InstanceId="c", Attributes={})
    assert (refusal.code, refusal.status) == ("ResourceLimitExceeded", 400)
    cloud.done(coming)
    cloud.register(service, "b", x="1")
    cloud.deregister(other, "a")
    cloud.register(service, "c")
    assert (Quotas().instances_per_service, Quotas().instances_per_namespace) == (1000, 2000)


def test_deregistering(cloud: CloudMap) -> None:
    """There until the operation ends; an unknown instance or service is refused."""
    service = cloud.make(cloud.http())
    cloud.register(service)
    answer = cloud.call("DeregisterInstance", ServiceId=service, InstanceId="i-1")
    assert len(cloud.call("ListInstances", ServiceId=service)["Instances"]) == 1
    assert cloud.done(answer)["Type"] == "DEREGISTER_INSTANCE"
    assert cloud.call("ListInstances", ServiceId=service)["Instances"] == []
    gone = cloud.refused("DeregisterInstance", ServiceId=service, InstanceId="i-1")
    assert (gone.code, gone.status) == ("InstanceNotFound", 404)
    for call, more in (
        ("DeregisterInstance", {"InstanceId": "i-1"}),
        ("RegisterInstance", {"InstanceId": "i-1", "Attributes": {}}),
        ("GetInstance", {"InstanceId": "i-1"}),
        ("ListInstances", {}),
        ("GetInstancesHealthStatus", {}),
    ):
        assert cloud.refused(call, ServiceId="srv-none", **more).code == "ServiceNotFound"


def test_instances_come_in_pages(cloud: CloudMap) -> None:
    """A hundred at most, every one once."""
    service = cloud.make(cloud.http())
    answers = [
        cloud.call("RegisterInstance", ServiceId=service, InstanceId=f"i-{number}", Attributes={})
        for number in range(105)
    ]
    cloud.done(answers[-1])
    first = cloud.call("ListInstances", ServiceId=service)
    rest = cloud.call("ListInstances", ServiceId=service, NextToken=first["NextToken"])
    found = [item["Id"] for item in (*first["Instances"], *rest["Instances"])]
    assert len(first["Instances"]) == 100
    assert sorted(found) == sorted(f"i-{number}" for number in range(105))
    statuses: dict[str, str] = {}
    asked: dict[str, Any] = {"MaxResults": 60}
    while True:
        page = cloud.call("GetInstancesHealthStatus", ServiceId=service, **asked)
        statuses |= page["Status"]
        if "NextToken" not in page:
            break
        asked["NextToken"] = page["NextToken"]
    assert sorted(statuses) == sorted(found)
