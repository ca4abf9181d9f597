"""DNS messages: what a resolver must read and write of them, and no more.

RFC 1035 §4 (format, compression), RFC 6891 (EDNS: payload size, version), RFC 2308 (negative answers carry
the SOA record), RFC 2782 (SRV). Records are kept as values; only here do they become bytes.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

A, NS, CNAME, SOA, AAAA, SRV, OPT, ANY = 1, 2, 5, 6, 28, 33, 41, 255
TYPES = {"A": A, "NS": NS, "CNAME": CNAME, "SOA": SOA, "AAAA": AAAA, "SRV": SRV}
NOERROR, FORMERR, NXDOMAIN, NOTIMP, REFUSED, BADVERS = 0, 1, 3, 4, 5, 16
INTERNET = 1

PLAIN_UDP = 512
"""Bytes of an answer over UDP to a client that says nothing else (RFC 1035 §4.2.1)."""
MAX_UDP = 1_232
"""Bytes that never need a fragment; what this resolver offers by EDNS (DNS flag day 2020)."""

_HEADER = struct.Struct("!HHHHHH")
_MAX_NAME, _MAX_LABEL, _POINTER = 253, 63, 0xC0
"""A name has 255 octets at most: its characters, one more for the first length, one for the end."""
_RESPONSE, _TRUNCATED, _RECURSION_DESIRED, _RECURSION_AVAILABLE = 0x8000, 0x0200, 0x0100, 0x0080

Value = str | tuple[int | str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One resource record. Names have no last dot.

    `value` is an address (A, AAAA), a name (CNAME, NS), (priority, weight, port, host) for SRV, or (server,
    mailbox, serial, refresh, retry, expire, minimum) for SOA.
    """

    name: str
    kind: str
    ttl: int
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One question with what its asker can take."""

    id: int
    flags: int
    name: str
    """As asked, its case kept."""
    kind: int
    klass: int
    payload: int = PLAIN_UDP
    """The largest answer over UDP, bytes."""
    edns: bool = False
    version: int = 0

    @property
    def opcode(self) -> int:
        """0 for an ordinary query."""
        return self.flags >> 11 & 0xF


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is answered: records, or a code and the SOA record of the zone that has none."""

    code: int = NOERROR
    records: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()


class MalformedQueryError(ValueError):
    """The bytes are no query. `id` and `flags` are known when the header was whole."""

    def __init__(self, reason: str, *, header: tuple[int, int] | None = None) -> None:
        """Say why, and what can be answered."""
        super().__init__(reason)
        self.header = header


def parse(data: bytes) -> Query:
    """Return the query in a message; raises MalformedQueryError."""
    if len(data) < _HEADER.size:
        raise MalformedQueryError("shorter than a header")
    number, flags, questions, answers, authorities, extras = _HEADER.unpack_from(data)
    if flags & _RESPONSE:
        raise MalformedQueryError("a response, not a query")
    header = number, flags
    if questions != 1 or answers or authorities:
        raise MalformedQueryError("not exactly one question", header=header)
    try:
        name, at = _read_name(data, _HEADER.size)
        kind, klass = struct.unpack_from("!HH", data, at)
        at += 4
        payload, edns, version = PLAIN_UDP, False, 0
        for _ in range(extras):
            _, at = _read_name(data, at)
            extra, size, ttl, length = struct.unpack_from("!HHIH", data, at)
            at += 10 + length
            if at > len(data):
                raise MalformedQueryError("a record beyond the end", header=header)
            if extra == OPT:
                payload, edns, version = max(size, PLAIN_UDP), True, ttl >> 16 & 0xFF
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise MalformedQueryError("cut off", header=header) from error
    return Query(
        id=number, flags=flags, name=name, kind=kind, klass=klass, payload=payload, edns=edns, version=version
    )


def _read_name(data: bytes, at: int) -> tuple[str, int]:
    """Return a name and the place after it; a question has no need of compression, and none is followed."""
    labels: list[str] = []
    while True:
        length = data[at]
        at += 1
        if not length:
            break
        if length > _MAX_LABEL:
            raise struct.error("compressed or unknown label")
        label = data[at : at + length]
        if len(label) != length or b"." in label:
            raise struct.error("cut off, or a label that cannot be written")
        labels.append(label.decode("ascii"))
        at += length
    name = ".".join(labels)
    if len(name) > _MAX_NAME:
        raise struct.error("name too long")
    return name, at


def encode(query: Query, answer: Answer, *, limit: int | None = None) -> bytes:
    """Return the answer's bytes; beyond `limit` it has no records and says that it was truncated."""
    whole = _encode(query, answer, truncated=False)
    if limit is None or len(whole) <= limit:
        return whole
    return _encode(query, Answer(code=answer.code), truncated=True)


def _encode(query: Query, answer: Answer, *, truncated: bool) -> bytes:
    flags = _RESPONSE | query.opcode << 11 | query.flags & _RECURSION_DESIRED | _RECURSION_AVAILABLE
    flags |= answer.code & 0xF
    if truncated:
        flags |= _TRUNCATED
    counts = (1, len(answer.records), len(answer.authority), int(query.edns))
    writer = _Writer(_HEADER.pack(query.id, flags, *counts))
    writer.name(query.name)
    writer.buffer += struct.pack("!HH", query.kind, query.klass)
    for record in (*answer.records, *answer.authority):
        writer.record(record)
    if query.edns:
        writer.buffer += struct.pack("!BHHIH", 0, OPT, MAX_UDP, answer.code >> 4 << 24, 0)
    return bytes(writer.buffer)


def encode_error(number: int, flags: int, code: int) -> bytes:
    """Return an answer to what could not be read: a header alone."""
    known = flags & (0xF << 11 | _RECURSION_DESIRED)
    return _HEADER.pack(number, _RESPONSE | known | _RECURSION_AVAILABLE | code, 0, 0, 0, 0)


class _Writer:
    """Writes names compressed: the second time a suffix is needed, a pointer to the first."""

    def __init__(self, header: bytes) -> None:
        self.buffer = bytearray(header)
        self._seen: dict[str, int] = {}

    def name(self, name: str) -> None:
        rest = name.removesuffix(".")
        while rest:
            folded = rest.lower()
            if folded in self._seen:
                self.buffer += struct.pack("!H", _POINTER << 8 | self._seen[folded])
                return
            if len(self.buffer) < 1 << 14:
                self._seen[folded] = len(self.buffer)
            label, _, rest = rest.partition(".")
            encoded = label.encode("ascii")[:_MAX_LABEL]
            self.buffer += bytes((len(encoded),)) + encoded
        self.buffer.append(0)

    def record(self, record: Record) -> None:
        self.name(record.name)
        self.buffer += struct.pack("!HHIH", TYPES[record.kind], INTERNET, record.ttl, 0)
        start = len(self.buffer)
        self._value(record.kind, record.value)
        struct.pack_into("!H", self.buffer, start - 2, len(self.buffer) - start)

    def _value(self, kind: str, value: Value) -> None:
        if isinstance(value, str):
            if kind in {"A", "AAAA"}:
                self.buffer += ipaddress.ip_address(value).packed
            else:
                self.name(value)
        elif kind == "SRV":
            *numbers, host = value
            # RFC 2782: the target of an SRV record is not compressed.
            self.buffer += struct.pack("!HHH", *numbers) + _plain(str(host))
        else:
            server, mailbox, *numbers = value
            self.name(str(server))
            self.name(str(mailbox))
            self.buffer += struct.pack("!IIIII", *numbers)


def _plain(name: str) -> bytes:
    labels = [label.encode("ascii")[:_MAX_LABEL] for label in name.removesuffix(".").split(".")]
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
