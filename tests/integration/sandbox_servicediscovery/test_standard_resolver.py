"""The names of Cloud Map as a standard resolver library gets them: dnspython, over UDP and TCP.

It shares no code with the stand-in; it caches by TTL, asks again over TCP where an answer was truncated, and
refuses answers that are not well formed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.resolver
import pytest
from click.testing import CliRunner

from integration.sandbox_ecs.ecs_port import until
from integration.sandbox_servicediscovery.map_port import Map
from sluice_sandbox.cli.main import sandbox
from sluice_sandbox.dns.client import DnsFailed, ask

CUSTOM: dict[str, Any] = {"HealthCheckCustomConfig": {"FailureThreshold": 1}}


def _config(kind: str, policy: str = "MULTIVALUE", *, ttl: int = 10) -> dict[str, Any]:
    return {"DnsConfig": {"RoutingPolicy": policy, "DnsRecords": [{"Type": kind, "TTL": ttl}]}}


@pytest.fixture
def resolver(cloud: Map) -> dns.resolver.Resolver:
    """Give dnspython's resolver with a cache, pointed at the side's DNS and nothing else."""
    found = dns.resolver.Resolver(configure=False)
    server = cloud.side.side.dns
    assert server is not None
    found.nameservers = [server.host]
    found.port = server.port
    found.lifetime = 10
    found.cache = dns.resolver.Cache()
    return found


@pytest.fixture(scope="module")
def zone(cloud: Map) -> tuple[str, dict[str, str]]:
    """Give a private namespace's name and the ids of its services by name.

    `many`: ten healthy A records. `ledger`: three, for health. `single`: two, WEIGHTED. `_web._tcp`: ten SRV.
    `other`: a CNAME.
    """
    namespace, name = cloud.namespace()
    made: dict[str, str] = {}
    for service, config in (
        ("many", _config("A", ttl=7)),
        ("ledger", _config("A", ttl=1) | CUSTOM),
        ("single", _config("A", "WEIGHTED")),
        ("_web._tcp", _config("SRV")),
        ("other", _config("CNAME", "WEIGHTED")),
    ):
        answer = cloud.client.create_service(Name=service, NamespaceId=namespace, **config)
        made[service] = answer["Service"]["Id"]
    answers = [
        cloud.client.register_instance(ServiceId=made[service], InstanceId=instance, Attributes=attributes)
        for service, count in (("many", 10), ("ledger", 3), ("single", 2), ("_web._tcp", 10))
        for number in range(1, count + 1)
        for instance in [f"{service.strip('_').replace('.', '-').replace('_', '')}-{number:040d}"]
        for attributes in [{"AWS_INSTANCE_IPV4": f"10.3.{count}.{number}", "AWS_INSTANCE_PORT": "8080"}]
    ]
    answers.append(
        cloud.client.register_instance(
            ServiceId=made["other"],
            InstanceId="alias",
            Attributes={"AWS_INSTANCE_CNAME": f"single.{name}"},
        )
    )
    for answer in answers:
        cloud.wait(answer)
    return name, made


def test_many_answer_eight_in_random_order(
    resolver: dns.resolver.Resolver, zone: tuple[str, dict[str, str]]
) -> None:
    """Eight of ten with their TTL, not always the same first; loopback twins, that can be reached."""
    resolver.cache = None
    answers = [resolver.resolve(f"many.{zone[0]}", "A") for _ in range(12)]
    assert {len(answer) for answer in answers} == {8}
    assert {answer.rrset.ttl for answer in answers if answer.rrset} == {7}
    seen = {record.address for answer in answers for record in answer}
    assert seen == {f"127.3.10.{number}" for number in range(1, 11)}
    assert len({next(iter(answer)).address for answer in answers}) > 1


def test_weighted_answers_one_each_time(
    resolver: dns.resolver.Resolver, zone: tuple[str, dict[str, str]]
) -> None:
    """One record an answer, and both over a few answers."""
    resolver.cache = None
    answers = [resolver.resolve(f"single.{zone[0]}", "A") for _ in range(20)]
    assert {len(answer) for answer in answers} == {1}
    assert {answer[0].address for answer in answers} == {"127.3.2.1", "127.3.2.2"}


def test_an_answer_is_used_for_its_ttl(
    cloud: Map, resolver: dns.resolver.Resolver, zone: tuple[str, dict[str, str]]
) -> None:
    """The cache of the library keeps it: what left within the TTL is still answered, and then no more."""
    name, services = zone
    service = services["ledger"]
    (gone, *_) = sorted(item["Id"] for item in _listed(cloud, service))
    before = {record.address for record in resolver.resolve(f"ledger.{name}", "A")}
    assert len(before) == 3
    ask_health = {"ServiceId": service, "InstanceId": gone}
    cloud.client.update_instance_custom_health_status(Status="UNHEALTHY", **ask_health)
    until(lambda: len(_fresh(resolver, f"ledger.{name}")) == 2)
    # One that nobody has asked for a while has it still, until the second of its TTL is over.
    until(lambda: len(resolver.resolve(f"ledger.{name}", "A")) == 2)
    for item in _listed(cloud, service):
        cloud.client.update_instance_custom_health_status(
            ServiceId=service, InstanceId=item["Id"], Status="UNHEALTHY"
        )
    # Nobody is healthy: all are answered, as Route 53 does rather than none.
    until(lambda: _fresh(resolver, f"ledger.{name}") == before)


def test_srv_is_asked_again_over_tcp(
    cloud: Map, resolver: dns.resolver.Resolver, zone: tuple[str, dict[str, str]]
) -> None:
    """Truncated over plain UDP; the library goes on over TCP and follows the host names to addresses."""
    name = f"_web._tcp.{zone[0]}"
    server = cloud.side.side.dns
    assert server is not None
    query = dns.message.make_query(name, "SRV", use_edns=False)
    plain = dns.query.udp(query, server.host, port=server.port, timeout=10)
    assert (bool(plain.flags & dns.flags.TC), plain.answer) == (True, [])
    whole, over_tcp = dns.query.udp_with_fallback(query, server.host, port=server.port, timeout=10)
    assert (over_tcp, len(whole.answer[0])) == (True, 8)
    for record in resolver.resolve(name, "SRV"):
        (host,) = resolver.resolve(record.target, "A")
        assert (record.port, host.address.rpartition(".")[0]) == (8080, "127.3.10")


def test_a_cname_is_followed(resolver: dns.resolver.Resolver, zone: tuple[str, dict[str, str]]) -> None:
    """One answer with the alias and the address behind it."""
    answer = resolver.resolve(f"other.{zone[0]}", "A")
    assert answer.canonical_name.to_text() == f"single.{zone[0]}."
    assert answer[0].address in {"127.3.2.1", "127.3.2.2"}


def test_negative_answers_are_cached_by_the_soa(
    resolver: dns.resolver.Resolver, zone: tuple[str, dict[str, str]]
) -> None:
    """NXDOMAIN and no data are told apart, and both carry the zone's SOA with its TTL."""
    with pytest.raises(dns.resolver.NXDOMAIN) as missing:
        resolver.resolve(f"none.{zone[0]}", "A")
    with pytest.raises(dns.resolver.NoAnswer) as nothing:
        resolver.resolve(f"many.{zone[0]}", "AAAA")
    (response,) = missing.value.responses().values()
    for message in (response, nothing.value.response()):
        (soa,) = message.authority
        assert (soa.name.to_text(), soa.ttl) == (f"{zone[0]}.", soa[0].minimum)
    assert response.rcode() == dns.rcode.NXDOMAIN
    # Route 53 is not a resolver for the whole world, and neither is this one.
    with pytest.raises(dns.resolver.NoNameservers, match="REFUSED"):
        resolver.resolve("www.example.com", "A")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("single", "A"),
        ("many", "A"),
        ("_web._tcp", "SRV"),
        ("other", "CNAME"),
        ("none", "A"),
        ("many", "AAAA"),
    ],
)
def test_the_sandbox_client_reads_what_the_library_reads(
    cloud: Map, zone: tuple[str, dict[str, str]], name: str, kind: str
) -> None:
    """Code, number, TTLs and values: two readers of the same answers, over UDP and TCP."""
    server = cloud.side.side.dns
    assert server is not None
    where = (server.host, server.port)
    asked = f"{name}.{zone[0]}"
    query = dns.message.make_query(asked, kind, use_edns=False)
    whole, over_tcp = dns.query.udp_with_fallback(query, server.host, port=server.port, timeout=10)
    ours = ask(where, asked, kind)
    assert (ours.code, ours.tcp) == (int(whole.rcode()), over_tcp)
    theirs = [(item.ttl, dns.rdatatype.to_text(item.rdtype), len(item)) for item in whole.answer]
    assert [(ours.ttl, kind, len(ours.records))] == theirs or (ours.records, theirs) == ((), [])
    if kind == "CNAME":
        assert {record.value for record in ours.records} == {f"single.{zone[0]}"}


def test_who_does_not_answer_is_named(zone: tuple[str, dict[str, str]]) -> None:
    """No server, a type that there is not, a name that cannot be: each says so."""
    with pytest.raises(DnsFailed, match=r"127\.0\.0\.1:9 gave no answer for"):
        ask(("127.0.0.1", 9), zone[0], timeout=0.5)
    with pytest.raises(ValueError, match="MX is not one of"):
        ask(("127.0.0.1", 9), zone[0], "MX")
    with pytest.raises(ValueError, match="longer than 63"):
        ask(("127.0.0.1", 9), f"{'x' * 64}.{zone[0]}")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("other.{zone}", "CNAME"), 0, "other.{zone}  10  CNAME  single.{zone}\n"),
        (("none.{zone}",), 1, "none.{zone} A: NXDOMAIN\n"),
        (("many.{zone}", "aaaa"), 1, "many.{zone} AAAA: NOERROR, no such record\n"),
    ],
    ids=["found", "no name", "no record"],
)
def test_resolve_on_the_command_line(
    cloud: Map,
    zone: tuple[str, dict[str, str]],
    tmp_path: Path,
    arguments: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    """`sluice sandbox resolve` prints as `dig +noall +answer` does, and fails where there is no record."""
    server = cloud.side.side.dns
    assert server is not None
    (tmp_path / "estate.json").write_text(json.dumps({"dns": {"host": server.host, "port": server.port}}))
    given = [argument.format(zone=zone[0]) for argument in arguments]
    done = CliRunner().invoke(sandbox, ["resolve", "--dir", str(tmp_path), *given])
    assert (done.exit_code, done.output) == (code, said.format(zone=zone[0]))
    as_json = CliRunner().invoke(sandbox, ["resolve", "--json", "--dir", str(tmp_path), f"single.{zone[0]}"])
    (record,) = json.loads(as_json.output)["records"]
    assert (record["type"], record["ttl"]) == ("A", 10)


def _listed(cloud: Map, service: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cloud.client.list_instances(ServiceId=service)["Instances"]
    return found


def _fresh(resolver: dns.resolver.Resolver, name: str) -> set[str]:
    """Return what is answered now, whatever the cache has."""
    query = dns.message.make_query(name, "A")
    answer = dns.query.udp(query, resolver.nameservers[0], port=resolver.port, timeout=10)
    return {record.address for entry in answer.answer for record in entry}
