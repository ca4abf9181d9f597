"""What DNS says: each record type, routing policy, health, negative answers, twins."""

from __future__ import annotations

import random
from typing import Any

import pytest
from map_world import A_RECORD, ALIAS_RECORD, CNAME_RECORD, SRV_RECORD, CloudMap

from sluice_sandbox.aws.estate import SUBNET_IDS, VPC_ID
from sluice_sandbox.aws.service import Caller
from sluice_sandbox.dataplane.network import TaskNetwork
from sluice_sandbox.dns.answers import Answers, View
from sluice_sandbox.dns.message import (
    ANY,
    BADVERS,
    NOERROR,
    NOTIMP,
    NXDOMAIN,
    REFUSED,
    TYPES,
    Answer,
    Query,
)
from sluice_sandbox.dns.resolver import answers

BOTH = {"DnsRecords": [{"Type": "A", "TTL": 7}, {"Type": "AAAA", "TTL": 8}]}
WEIGHTED = {"RoutingPolicy": "WEIGHTED", "DnsRecords": [{"Type": "A", "TTL": 10}]}


def ask(cloud: CloudMap, name: str, kind: str = "A", *, twins: bool = False, **more: Any) -> Answer:
    """Ask one question."""
    number = TYPES.get(kind, ANY)
    query = Query(**{"id": 1, "flags": 0, "name": name, "kind": number, "klass": 1, **more})
    return answers(cloud.world, twins=twins).answer(query)


def values(answer: Answer) -> list[Any]:
    """Return the values of an answer, sorted."""
    return sorted(record.value for record in answer.records)


def test_a_name_has_the_addresses_of_its_instances(cloud: CloudMap) -> None:
    """A and AAAA with their TTLs; the name comes back as it was asked."""
    service = cloud.make(cloud.private(), DnsConfig=BOTH)
    cloud.register(service, "a", AWS_INSTANCE_IPV4="10.0.0.1", AWS_INSTANCE_IPV6="2001:db8::1")
    cloud.register(service, "b", AWS_INSTANCE_IPV4="10.0.0.2", AWS_INSTANCE_IPV6="2001:db8::2")
    answer = ask(cloud, "Ledger.SHOP.internal")
    assert values(answer) == ["10.0.0.1", "10.0.0.2"]
    assert {(record.name, record.kind, record.ttl) for record in answer.records} == {
        ("Ledger.SHOP.internal", "A", 7)
    }
    six = ask(cloud, "ledger.shop.internal.", "AAAA")
    assert values(six) == ["2001:db8::1", "2001:db8::2"]
    assert {record.ttl for record in six.records} == {8}
    assert len(ask(cloud, "ledger.shop.internal", "ANY").records) == 4


def test_an_instance_is_answered_once_its_operation_has_ended(cloud: CloudMap) -> None:
    """Without instances there is no record, so there is no name."""
    service = cloud.make(cloud.private(), DnsConfig=A_RECORD)
    assert ask(cloud, "ledger.shop.internal").code == NXDOMAIN
    attributes = {"AWS_INSTANCE_IPV4": "10.0.0.1"}
    coming = cloud.call("RegisterInstance", ServiceId=service, InstanceId="a", Attributes=attributes)
    assert ask(cloud, "ledger.shop.internal").code == NXDOMAIN
    cloud.done(coming)
    assert values(ask(cloud, "ledger.shop.internal")) == ["10.0.0.1"]
    cloud.deregister(service, "a")
    assert ask(cloud, "ledger.shop.internal").code == NXDOMAIN


def test_multivalue_answers_with_up_to_eight_healthy(cloud: CloudMap) -> None:
    """Of ten, eight; of three healthy, three; of none healthy, eight of all; others each time."""
    service = cloud.make(cloud.private(), DnsConfig=A_RECORD, HealthCheckCustomConfig={})
    for number in range(10):
        cloud.register(service, f"i-{number}", AWS_INSTANCE_IPV4=f"10.0.0.{number}")
    resolver = answers(cloud.world, twins=False)
    query = Query(id=1, flags=0, name="ledger.shop.internal", kind=TYPES["A"], klass=1)
    seen = [frozenset(record.value for record in resolver.answer(query).records) for _ in range(20)]
    assert {len(found) for found in seen} == {8}
    assert len(set(seen)) > 1
    for number in range(3, 10):
        cloud.call(
            "UpdateInstanceCustomHealthStatus",
            ServiceId=service,
            InstanceId=f"i-{number}",
            Status="UNHEALTHY",
        )
    cloud.clock.advance(31)
    assert values(ask(cloud, "ledger.shop.internal")) == ["10.0.0.0", "10.0.0.1", "10.0.0.2"]
    for number in range(3):
        cloud.call(
            "UpdateInstanceCustomHealthStatus",
            ServiceId=service,
            InstanceId=f"i-{number}",
            Status="UNHEALTHY",
        )
    cloud.clock.advance(31)
    assert len(ask(cloud, "ledger.shop.internal").records) == 8


def test_weighted_answers_with_one_healthy(cloud: CloudMap) -> None:
    """Any one of them, never an unhealthy one while there is a healthy one."""
    service = cloud.make(cloud.private(), DnsConfig=WEIGHTED, HealthCheckCustomConfig={})
    for number in (1, 2, 3):
        cloud.register(service, f"i-{number}", AWS_INSTANCE_IPV4=f"10.0.0.{number}")
    cloud.call("UpdateInstanceCustomHealthStatus", ServiceId=service, InstanceId="i-1", Status="UNHEALTHY")
    cloud.clock.advance(31)
    resolver = answers(cloud.world, twins=False)
    query = Query(id=1, flags=0, name="ledger.shop.internal", kind=TYPES["A"], klass=1)
    seen = [[record.value for record in resolver.answer(query).records] for _ in range(50)]
    assert {len(found) for found in seen} == {1}
    assert {found[0] for found in seen} == {"10.0.0.2", "10.0.0.3"}


def test_srv_names_hosts_that_have_addresses(cloud: CloudMap) -> None:
    """Priority 1, weight 1, the port, and <instance>.<service>.<namespace>, which resolves."""
    service = cloud.make(cloud.private(), "_web._tcp", DnsConfig=SRV_RECORD)
    cloud.register(service, "t-1", AWS_INSTANCE_IPV4="10.0.0.1", AWS_INSTANCE_PORT="8080")
    found = values(ask(cloud, "_web._tcp.shop.internal", "SRV"))
    assert found == [(1, 1, 8080, "t-1._web._tcp.shop.internal")]
    host = ask(cloud, found[0][3])
    assert (values(host), host.records[0].ttl) == (["10.0.0.1"], 10)
    assert ask(cloud, found[0][3], "AAAA").code == NOERROR
    assert ask(cloud, "t-2._web._tcp.shop.internal").code == NXDOMAIN
    between = ask(cloud, "_tcp.shop.internal")
    assert (between.code, between.records) == (NOERROR, ())
    assert ask(cloud, "_web._tcp.shop.internal", "A").records == ()


@pytest.mark.parametrize("instance", ["x" * 64, "a..b", ".a"], ids=["64 long", "empty label", "leading dot"])
def test_an_srv_instance_must_be_a_host(cloud: CloudMap, instance: str) -> None:
    """InvalidInput for an id of which no host name can be made."""
    service = cloud.make(cloud.private(), DnsConfig=SRV_RECORD)
    attributes = {"AWS_INSTANCE_IPV4": "10.0.0.1", "AWS_INSTANCE_PORT": "80"}
    refusal = cloud.refused("RegisterInstance", ServiceId=service, InstanceId=instance, Attributes=attributes)
    assert refusal.code == "InvalidInput"


def test_cname_is_followed_as_far_as_our_names_go(cloud: CloudMap) -> None:
    """To a service's addresses; a name elsewhere is for another resolver; one that is gone is NXDOMAIN."""
    namespace = cloud.private()
    ledger = cloud.make(namespace, DnsConfig=A_RECORD)
    cloud.register(ledger, AWS_INSTANCE_IPV4="10.0.0.1")
    for name, target in (
        ("ours", "ledger.shop.internal"),
        ("theirs", "www.example.com"),
        ("gone", "none.shop.internal"),
    ):
        service = cloud.make(namespace, name, DnsConfig=CNAME_RECORD)
        cloud.register(service, AWS_INSTANCE_CNAME=target)
    ours = ask(cloud, "ours.shop.internal")
    assert [(item.name, item.kind, item.value) for item in ours.records] == [
        ("ours.shop.internal", "CNAME", "ledger.shop.internal"),
        ("ledger.shop.internal", "A", "10.0.0.1"),
    ]
    theirs = ask(cloud, "theirs.shop.internal")
    assert (theirs.code, values(theirs)) == (NOERROR, ["www.example.com"])
    gone = ask(cloud, "gone.shop.internal")
    assert (gone.code, values(gone)) == (NXDOMAIN, ["none.shop.internal"])
    assert gone.authority[0].kind == "SOA"
    assert values(ask(cloud, "ours.shop.internal", "CNAME")) == ["ledger.shop.internal"]


def _balancer(cloud: CloudMap, name: str) -> dict[str, Any]:
    params = {"Name": name, "Subnets": list(SUBNET_IDS), "Type": "application"}
    made: dict[str, Any] = cloud.world.call("elbv2", "CreateLoadBalancer", params)["LoadBalancers"][0]
    return made


def test_an_alias_has_the_load_balancers_address(cloud: CloudMap) -> None:
    """Where its listeners are, with its own TTL; one that is deleted is no longer healthy."""
    service = cloud.make(cloud.private(), "front", DnsConfig=ALIAS_RECORD)
    first, second = _balancer(cloud, "one"), _balancer(cloud, "two")
    cloud.register(service, "one", AWS_ALIAS_DNS_NAME=first["DNSName"])
    answer = ask(cloud, "front.shop.internal")
    assert [(item.kind, item.ttl, item.value) for item in answer.records] == [("A", 60, "127.0.0.1")]
    assert values(ask(cloud, first["DNSName"].upper())) == ["127.0.0.1"]
    assert values(ask(cloud, f"dualstack.{second['DNSName']}")) == ["127.0.0.1"]
    assert ask(cloud, "none-1.eu-west-1.elb.amazonaws.com").code == REFUSED
    cloud.register(service, "direct", AWS_INSTANCE_IPV4="10.0.0.9")
    cloud.world.call("elbv2", "DeleteLoadBalancer", {"LoadBalancerArn": first["LoadBalancerArn"]})
    assert {tuple(values(ask(cloud, "front.shop.internal"))) for _ in range(10)} == {("10.0.0.9",)}


@pytest.mark.parametrize(
    ("asked", "more", "code"),
    [
        pytest.param("none.shop.internal", {}, NXDOMAIN, id="no such service"),
        pytest.param("www.example.com", {}, REFUSED, id="another's zone"),
        pytest.param("notshop.internal", {}, REFUSED, id="a zone is not a suffix of letters"),
        pytest.param("internal", {}, REFUSED, id="above the zone"),
        pytest.param("api", {}, REFUSED, id="an HTTP namespace"),
        pytest.param("ledger.shop.internal", {"klass": 3}, REFUSED, id="chaos"),
        pytest.param("ledger.shop.internal", {"flags": 2 << 11}, NOTIMP, id="status query"),
        pytest.param("ledger.shop.internal", {"version": 1, "edns": True}, BADVERS, id="EDNS 1"),
    ],
)
def test_what_is_not_answered(cloud: CloudMap, asked: str, more: dict[str, Any], code: int) -> None:
    """Each with its own code, and never with records."""
    service = cloud.make(cloud.private(), DnsConfig=A_RECORD)
    cloud.register(service, AWS_INSTANCE_IPV4="10.0.0.1")
    cloud.http("api")
    answer = ask(cloud, asked, **more)
    assert (answer.code, answer.records) == (code, ())


def test_negative_answers_carry_the_zones_soa(cloud: CloudMap) -> None:
    """With the TTL that the namespace says, for a missing name and for a missing type alike."""
    properties = {"DnsProperties": {"SOA": {"TTL": 33}}}
    service = cloud.make(cloud.private(Properties=properties), DnsConfig=A_RECORD)
    cloud.register(service, AWS_INSTANCE_IPV4="10.0.0.1")
    for name, kind, code in (
        ("none.shop.internal", "A", NXDOMAIN),
        ("ledger.shop.internal", "AAAA", NOERROR),
        ("shop.internal", "A", NOERROR),
    ):
        answer = ask(cloud, name, kind)
        (soa,) = answer.authority
        assert (answer.code, answer.records) == (code, ())
        assert (soa.name, soa.kind, soa.ttl) == ("shop.internal", "SOA", 33)
        assert isinstance(soa.value, tuple)
        assert soa.value[-1] == 33
    assert ask(cloud, "shop.internal", "SOA").records == (soa,)
    assert len(ask(cloud, "shop.internal", "NS").records) == 1


def test_the_longest_zone_answers(cloud: CloudMap) -> None:
    """A namespace below another has its own names."""
    for namespace, address in (("internal", "10.0.0.1"), ("shop.internal", "10.0.0.2")):
        service = cloud.make(cloud.private(namespace), DnsConfig=A_RECORD)
        cloud.register(service, AWS_INSTANCE_IPV4=address)
    assert values(ask(cloud, "ledger.internal")) == ["10.0.0.1"]
    assert values(ask(cloud, "ledger.shop.internal")) == ["10.0.0.2"]


def test_a_view_is_of_one_vpc_or_of_all(cloud: CloudMap) -> None:
    """A private name is seen in its own VPC, Region and account; a view of the whole sandbox sees all."""
    service = cloud.make(cloud.private(), DnsConfig=A_RECORD)
    cloud.register(service, AWS_INSTANCE_IPV4="10.0.0.1")
    query = Query(id=1, flags=0, name="ledger.shop.internal", kind=TYPES["A"], klass=1)
    for view, seen in (
        (View(twins=False), True),
        (View(caller=Caller(), vpc_id=VPC_ID, twins=False), True),
        (View(vpc_id="vpc-other", twins=False), False),
        (View(caller=Caller(region="us-east-1"), twins=False), False),
    ):
        resolver = Answers(
            cloud.service,
            view,
            network=TaskNetwork(),
            balancers=lambda _: False,
            rng=random.Random(0),
        )
        assert bool(resolver.answer(query).records) is seen


def test_services_of_http_have_no_names(cloud: CloudMap) -> None:
    """Even in a namespace that has DNS."""
    service = cloud.make(cloud.private(), Type="HTTP")
    cloud.register(service, AWS_INSTANCE_IPV4="10.0.0.1")
    assert ask(cloud, "ledger.shop.internal").code == NXDOMAIN


def test_twins_are_loopback_addresses_of_tasks(cloud: CloudMap) -> None:
    """10.a.b.c becomes 127.a.b.c and nothing else changes; SRV has the port where the twin listens."""
    namespace = cloud.private()
    service = cloud.make(namespace, DnsConfig=BOTH)
    cloud.register(service, "a", AWS_INSTANCE_IPV4="10.1.2.3", AWS_INSTANCE_IPV6="2001:db8::1")
    cloud.register(service, "b", AWS_INSTANCE_IPV4="192.0.2.1", AWS_INSTANCE_IPV6="2001:db8::2")
    assert values(ask(cloud, "ledger.shop.internal", twins=True)) == ["127.1.2.3", "192.0.2.1"]
    assert values(ask(cloud, "ledger.shop.internal", "AAAA", twins=True)) == ["2001:db8::1", "2001:db8::2"]
    srv = cloud.make(namespace, "web", DnsConfig=SRV_RECORD)
    cloud.register(srv, "a", AWS_INSTANCE_IPV4="10.1.2.3", AWS_INSTANCE_PORT="80")
    assert values(ask(cloud, "web.shop.internal", "SRV", twins=True))[0][2] == 80
