"""DNS over real sockets, read by a resolver that shares no code with the one under test."""

from __future__ import annotations

import socket
import struct

import pytest

from integration.sandbox_servicediscovery.map_port import Map

NXDOMAIN, REFUSED = 3, 5
SRV_RECORD = {"DnsRecords": [{"Type": "SRV", "TTL": 5}]}


@pytest.fixture(scope="module")
def zone(cloud: Map) -> str:
    """Give a private namespace with twelve instances of `_web._tcp`, each with a long name."""
    namespace, name = cloud.namespace()
    service = cloud.client.create_service(Name="_web._tcp", NamespaceId=namespace, DnsConfig=SRV_RECORD)
    answers = [
        cloud.client.register_instance(
            ServiceId=service["Service"]["Id"],
            InstanceId=f"task-{number:050d}",
            Attributes={"AWS_INSTANCE_IPV4": f"10.9.8.{number}", "AWS_INSTANCE_PORT": "8080"},
        )
        for number in range(12)
    ]
    for answer in answers:
        cloud.wait(answer)
    return name


@pytest.mark.parametrize("tcp", [False, True], ids=["UDP", "TCP"])
def test_srv_and_its_hosts(cloud: Map, zone: str, *, tcp: bool) -> None:
    """Eight of twelve, each host with the loopback twin of its address."""
    reply = cloud.ask(f"_web._tcp.{zone}", "SRV", tcp=tcp, payload=0 if tcp else 4096)
    assert (reply.code, reply.truncated, len(reply.answers)) == (0, False, 8)
    for priority, weight, port, host in reply.values:
        assert (priority, weight, port) == (1, 1, 8080)
        (found,) = cloud.ask(host, tcp=tcp).answers
        assert found == (1, 5, f"127.9.8.{int(host.split('.')[0].removeprefix('task-'))}")


def test_an_answer_too_long_for_plain_udp_is_truncated(cloud: Map, zone: str) -> None:
    """512 bytes without EDNS: TC and nothing else, so that the client asks over TCP."""
    reply = cloud.ask(f"_web._tcp.{zone}", "SRV")
    assert (reply.code, reply.truncated, reply.answers) == (0, True, [])


@pytest.mark.parametrize("tcp", [False, True], ids=["UDP", "TCP"])
def test_negative_answers(cloud: Map, zone: str, *, tcp: bool) -> None:
    """NXDOMAIN and NODATA with the zone's SOA; REFUSED outside."""
    missing = cloud.ask(f"none.{zone}", tcp=tcp)
    assert (missing.code, missing.answers, missing.authorities) == (NXDOMAIN, [], 1)
    nothing = cloud.ask(f"_web._tcp.{zone}", "AAAA", tcp=tcp)
    assert (nothing.code, nothing.answers, nothing.authorities) == (0, [], 1)
    assert cloud.ask("www.example.com", tcp=tcp).code == REFUSED


def test_one_connection_carries_several_questions(cloud: Map, zone: str) -> None:
    """RFC 7766: queries may follow one another on a connection, split anywhere."""
    dns = cloud.side.side.dns
    assert dns is not None
    name = b"".join(bytes((len(part),)) + part.encode() for part in zone.split(".")) + b"\x00"
    query = struct.pack("!HHHHHH", 1, 0, 1, 0, 0, 0) + name + struct.pack("!HH", 6, 1)
    framed = struct.pack("!H", len(query)) + query
    with (
        socket.create_connection((dns.host, dns.port), timeout=10) as stream,
        stream.makefile("rb") as reader,
    ):
        stream.sendall(framed + framed[:5])
        lengths = [struct.unpack("!H", reader.read(2))[0]]
        first = reader.read(lengths[0])
        stream.sendall(framed[5:])
        lengths.append(struct.unpack("!H", reader.read(2))[0])
        assert reader.read(lengths[1]) == first


def test_rubbish_is_answered_or_ignored(cloud: Map, zone: str) -> None:
    """FORMERR where there is an id; the server goes on."""
    dns = cloud.side.side.dns
    assert dns is not None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(10)
        udp.sendto(b"\x00", (dns.host, dns.port))
        udp.sendto(b"\x12\x34" + b"\x00" * 10, (dns.host, dns.port))
        assert udp.recv(512)[:4] == b"\x12\x34\x80\x81"
    assert cloud.ask(zone, "SOA").code == 0
