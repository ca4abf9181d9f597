"""Cloud Map over boto3, and DNS over sockets by a resolver that shares no code with the stand-in's."""

from __future__ import annotations

import ipaddress
import socket
import struct
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from integration.sandbox_ecs.ecs_port import REGION, Side, fresh, until

KINDS = {"A": 1, "CNAME": 5, "SOA": 6, "AAAA": 28, "SRV": 33}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A resolver's answer: its code, whether it was truncated, and (type, TTL, value) of each record."""

    code: int
    truncated: bool
    answers: list[tuple[int, int, Any]]
    authorities: int

    @property
    def values(self) -> list[Any]:
        """The values alone, sorted."""
        return sorted(value for _, _, value in self.answers)


class Map:
    """What tests ask of Cloud Map and its DNS."""

    def __init__(self, side: Side) -> None:
        """Use a running AWS side."""
        self.side = side
        # DiscoverInstances has a host prefix (`data-`), which a loopback address cannot have.
        self.client = boto3.client(
            "servicediscovery",
            endpoint_url=side.url,
            region_name=REGION,
            aws_access_key_id="AKIATEST",
            aws_secret_access_key="secret",
            config=Config(retries={"max_attempts": 1}, inject_host_prefix=False),
        )

    def wait(self, answer: dict[str, Any], *, status: str = "SUCCESS") -> dict[str, Any]:
        """Wait until an operation has ended, and return it."""

        def ended() -> Any:
            found = self.client.get_operation(OperationId=answer["OperationId"])["Operation"]
            return found if found["Status"] in {"SUCCESS", "FAIL"} else None

        found: dict[str, Any] = until(ended)
        assert found["Status"] == status, found
        return found

    def namespace(self) -> tuple[str, str]:
        """Return id and name of a new private namespace."""
        name = f"{fresh('ns')}.internal"
        made = self.wait(self.client.create_private_dns_namespace(Name=name, Vpc=self.side.vpc))
        return made["Targets"]["NAMESPACE"], name

    def register(self, service: str, instance: str, **attributes: str) -> None:
        """Register an instance and wait until that is done."""
        self.wait(
            self.client.register_instance(ServiceId=service, InstanceId=instance, Attributes=attributes)
        )

    def ask(self, name: str, kind: str = "A", *, tcp: bool = False, payload: int = 0) -> Reply:
        """Ask the side's resolver; see `ask`."""
        dns = self.side.side.dns
        assert dns is not None
        return ask((dns.host, dns.port), name, kind, tcp=tcp, payload=payload)


def ask(
    resolver: tuple[str, int], name: str, kind: str = "A", *, tcp: bool = False, payload: int = 0
) -> Reply:
    """Ask a resolver over UDP (with EDNS when `payload` is given) or TCP."""
    query = struct.pack("!HHHHHH", 4711, 0x0100, 1, 0, 0, 1 if payload else 0)
    query += b"".join(bytes((len(part),)) + part.encode() for part in name.split(".")) + b"\x00"
    query += struct.pack("!HH", KINDS[kind], 1)
    if payload:
        query += b"\x00" + struct.pack("!HHIH", 41, payload, 0, 0)
    if tcp:
        with socket.create_connection(resolver, timeout=10) as stream, stream.makefile("rb") as reader:
            stream.sendall(struct.pack("!H", len(query)) + query)
            (length,) = struct.unpack("!H", reader.read(2))
            return _read(reader.read(length))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(10)
        udp.sendto(query, resolver)
        return _read(udp.recv(65_535))


def _read(data: bytes) -> Reply:
    number, flags, questions, answers, authorities, _ = struct.unpack_from("!HHHHHH", data)
    assert number == 4711
    assert flags & 0x8000
    assert questions == 1
    _, at = _name(data, 12)
    at += 4
    found = []
    for _ in range(answers):
        _, at = _name(data, at)
        kind, _, ttl, length = struct.unpack_from("!HHIH", data, at)
        at += 10
        found.append((kind, ttl, _value(data, kind, at, length)))
        at += length
    return Reply(code=flags & 0xF, truncated=bool(flags & 0x0200), answers=found, authorities=authorities)


def _value(data: bytes, kind: int, at: int, length: int) -> Any:
    if kind in {KINDS["A"], KINDS["AAAA"]}:
        return str(ipaddress.ip_address(data[at : at + length]))
    if kind == KINDS["SRV"]:
        return (*struct.unpack_from("!HHH", data, at), _name(data, at + 6)[0])
    return _name(data, at)[0]


def _name(data: bytes, at: int) -> tuple[str, int]:
    parts: list[str] = []
    end = 0
    while data[at]:
        if data[at] & 0xC0:
            end = end or at + 2
            at = struct.unpack_from("!H", data, at)[0] & 0x3FFF
            continue
        parts.append(data[at + 1 : at + 1 + data[at]].decode())
        at += 1 + data[at]
    return ".".join(parts), end or at + 1
