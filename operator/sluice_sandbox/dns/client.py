"""A stub resolver: asks the sandbox's DNS over UDP, over TCP where the answer was truncated.

For `sluice sandbox resolve` and the demo, which must not need `dig` or a library that only the tests have.
Names in answers may be compressed (RFC 1035 §4.1.4); of other types than the sandbox has, no record is read.
"""

from __future__ import annotations

import ipaddress
import random
import socket
import struct
from dataclasses import dataclass

from sluice_sandbox.dns.message import INTERNET, NOERROR, NXDOMAIN, REFUSED, TYPES, Record

CODES = {
    NOERROR: "NOERROR",
    1: "FORMERR",
    2: "SERVFAIL",
    NXDOMAIN: "NXDOMAIN",
    4: "NOTIMP",
    REFUSED: "REFUSED",
}
_HEADER = struct.Struct("!HHHHHH")
_TRUNCATED, _RECURSION_DESIRED, _POINTER, _MAX_LABEL = 0x0200, 0x0100, 0xC0, 63
_NAMES = {number: name for name, number in TYPES.items()}
_MAX_JUMPS = 32


class DnsFailed(Exception):  # noqa: N818 - it is what happened
    """No answer came in time, or one that cannot be read; the text says which, and from whom."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a resolver said."""

    code: int
    """0 is NOERROR; see CODES."""
    records: tuple[Record, ...]
    tcp: bool
    """Whether it had to be asked for over TCP."""

    @property
    def ttl(self) -> int:
        """For how long the records may be used, seconds; 0 without records."""
        return min((record.ttl for record in self.records), default=0)


def ask(server: tuple[str, int], name: str, kind: str = "A", *, timeout: float = 5.0) -> Reply:
    """Ask one question; raises DnsFailed, and ValueError for a name or type that cannot be asked."""
    if kind not in TYPES:
        raise ValueError(f"{kind} is not one of {', '.join(TYPES)}")
    number = random.SystemRandom().getrandbits(16)
    query = _HEADER.pack(number, _RECURSION_DESIRED, 1, 0, 0, 0) + _question(name, TYPES[kind])
    try:
        data, tcp = _by_udp(server, query, timeout), False
        if len(data) >= _HEADER.size and _HEADER.unpack_from(data)[1] & _TRUNCATED:
            data, tcp = _by_tcp(server, query, timeout), True
    except (OSError, struct.error) as error:
        raise DnsFailed(f"{server[0]}:{server[1]} gave no answer for {name}: {error}") from error
    try:
        code, records = _read(data, number)
    except (struct.error, IndexError, UnicodeDecodeError, ValueError) as error:
        raise DnsFailed(f"{server[0]}:{server[1]} gave an unreadable answer for {name}: {error}") from error
    return Reply(code=code, records=records, tcp=tcp)


def _question(name: str, kind: int) -> bytes:
    labels = [label.encode("ascii") for label in name.removesuffix(".").split(".") if label]
    if not all(len(label) <= _MAX_LABEL for label in labels):
        raise ValueError(f"a part of {name} is longer than {_MAX_LABEL} characters")
    return b"".join(bytes((len(label),)) + label for label in labels) + struct.pack("!BHH", 0, kind, INTERNET)


def _by_udp(server: tuple[str, int], query: bytes, timeout: float) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(timeout)
        udp.connect(server)
        udp.send(query)
        return udp.recv(65_535)


def _by_tcp(server: tuple[str, int], query: bytes, timeout: float) -> bytes:
    with socket.create_connection(server, timeout=timeout) as stream, stream.makefile("rb") as reader:
        stream.sendall(struct.pack("!H", len(query)) + query)
        (length,) = struct.unpack("!H", reader.read(2))
        return reader.read(length)


def _read(data: bytes, number: int) -> tuple[int, tuple[Record, ...]]:
    answered, flags, questions, count, _, _ = _HEADER.unpack_from(data)
    if answered != number:
        raise ValueError("the answer to another question")
    at = _HEADER.size
    for _ in range(questions):
        at = _name(data, at)[1] + 4
    records = []
    for _ in range(count):
        name, at = _name(data, at)
        kind, _, ttl, length = struct.unpack_from("!HHIH", data, at)
        at += 10
        if kind in _NAMES and kind != TYPES["SOA"]:
            value = _value(data, _NAMES[kind], at, length)
            records.append(Record(name=name, kind=_NAMES[kind], ttl=ttl, value=value))
        at += length
    return flags & 0xF, tuple(records)


def _value(data: bytes, kind: str, at: int, length: int) -> str | tuple[int | str, ...]:
    if kind in {"A", "AAAA"}:
        return str(ipaddress.ip_address(data[at : at + length]))
    if kind == "SRV":
        return (*struct.unpack_from("!HHH", data, at), _name(data, at + 6)[0])
    return _name(data, at)[0]


def _name(data: bytes, at: int) -> tuple[str, int]:
    """Return a name and the place after it; pointers are followed, not for ever."""
    labels: list[str] = []
    after = 0
    for _ in range(_MAX_JUMPS + 255):
        length = data[at]
        if not length:
            return ".".join(labels), after or at + 1
        if length & _POINTER:
            after = after or at + 2
            at = struct.unpack_from("!H", data, at)[0] & 0x3FFF
            continue
        labels.append(data[at + 1 : at + 1 + length].decode("ascii"))
        at += 1 + length
    raise ValueError("a name that does not end")
