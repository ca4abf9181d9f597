"""DNS messages, byte by byte: what is read, what is written, what is refused."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice_sandbox.dns.message import (
    BADVERS,
    FORMERR,
    MAX_UDP,
    NXDOMAIN,
    TYPES,
    Answer,
    MalformedQueryError,
    Query,
    Record,
    encode,
    parse,
)
from sluice_sandbox.dns.server import DnsServer

QUESTION = b"\x06ledger\x04shop\x00" + struct.pack("!HH", 1, 1)
PLAIN = struct.pack("!HHHHHH", 0xABCD, 0x0100, 1, 0, 0, 0) + QUESTION
OPT = b"\x00" + struct.pack("!HHIH", 41, 4096, 0, 0)
EDNS = struct.pack("!HHHHHH", 0xABCD, 0x0100, 1, 0, 0, 1) + QUESTION + OPT


def _query(name: str = "ledger.shop", **more: object) -> Query:
    return Query(**{"id": 7, "flags": 0x0100, "name": name, "kind": 1, "klass": 1, **more})  # type: ignore[arg-type]


def test_a_query_is_read() -> None:
    """Name, type, class, and by EDNS what the asker can take."""
    plain, edns = parse(PLAIN), parse(EDNS)
    assert (plain.id, plain.name, plain.kind, plain.klass) == (0xABCD, "ledger.shop", 1, 1)
    assert (plain.payload, plain.edns) == (512, False)
    assert (edns.payload, edns.edns, edns.version) == (4096, True, 0)
    assert parse(EDNS.replace(OPT, b"\x00" + struct.pack("!HHIH", 41, 100, 1 << 16, 0))).version == 1


@pytest.mark.parametrize(
    ("data", "answered"),
    [
        pytest.param(b"", False, id="nothing"),
        pytest.param(PLAIN[:11], False, id="half a header"),
        pytest.param(PLAIN[:2] + b"\x81\x00" + PLAIN[4:], False, id="a response"),
        pytest.param(PLAIN[:4] + b"\x00\x00" + PLAIN[6:], True, id="no question"),
        pytest.param(PLAIN[:4] + b"\x00\x02" + PLAIN[6:], True, id="two questions"),
        pytest.param(PLAIN[:-1], True, id="half a type"),
        pytest.param(PLAIN[:15], True, id="half a name"),
        pytest.param(PLAIN[:12] + b"\xc0\x0c" + PLAIN[-4:], True, id="a name that points to itself"),
        pytest.param(EDNS[:-4], True, id="half an OPT record"),
        pytest.param(PLAIN[:12] + (b"\x3f" + b"a" * 63) * 4 + b"\x00" + PLAIN[-4:], True, id="256 long"),
        pytest.param(PLAIN.replace(b"ledger", b"l\xffdger"), True, id="not ASCII"),
    ],
)
def test_what_is_no_query(data: bytes, *, answered: bool) -> None:
    """FORMERR where there is an id to answer to, silence otherwise."""
    with pytest.raises(MalformedQueryError):
        parse(data)
    answer = DnsServer(lambda _: Answer()).respond(data, udp=True)
    assert (answer is not None) is answered
    if answer is not None:
        assert answer[:2] == data[:2]
        assert answer[3] & 0xF == FORMERR


def test_an_answer_byte_by_byte() -> None:
    """Header, question and one address whose name is a pointer to the question's."""
    record = Record(name="ledger.shop", kind="A", ttl=10, value="10.0.0.1")
    data = encode(parse(PLAIN), Answer(records=(record,)))
    assert data == (
        struct.pack("!HHHHHH", 0xABCD, 0x8180, 1, 1, 0, 0)
        + QUESTION
        + b"\xc0\x0c"
        + struct.pack("!HHIH", 1, 1, 10, 4)
        + bytes((10, 0, 0, 1))
    )


def test_other_types_byte_by_byte() -> None:
    """CNAME and SOA are compressed, SRV's target is not, AAAA has sixteen bytes."""
    query = _query()
    head = len(encode(query, Answer()))

    def data(kind: str, value: object) -> bytes:
        record = Record(name="ledger.shop", kind=kind, ttl=1, value=value)  # type: ignore[arg-type]
        return encode(query, Answer(records=(record,)))[head + 12 :]

    assert data("CNAME", "web.shop") == b"\x03web" + struct.pack("!H", 0xC000 | 19)
    assert data("SRV", (1, 2, 80, "a.shop")) == struct.pack("!HHH", 1, 2, 80) + b"\x01a\x04shop\x00"
    assert data("AAAA", "2001:db8::1") == bytes.fromhex("20010db8000000000000000000000001")
    soa = data("SOA", ("ns.shop", "box.shop", 1, 2, 3, 4, 5))
    assert soa.endswith(struct.pack("!IIIII", 1, 2, 3, 4, 5))


def test_a_code_beyond_four_bits_is_split() -> None:
    """BADVERS is 1 in the OPT record and 0 in the header (RFC 6891)."""
    data = encode(_query(edns=True), Answer(code=BADVERS))
    assert data[3] & 0xF == 0
    assert data[-11:] == b"\x00" + struct.pack("!HHBBHH", 41, MAX_UDP, 1, 0, 0, 0)
    assert encode(_query(), Answer(code=NXDOMAIN))[3] & 0xF == NXDOMAIN


def test_what_does_not_fit_says_so() -> None:
    """Over UDP an answer beyond the asker's limit is empty and truncated; over TCP it is whole."""
    hosts = tuple(
        Record(name="ledger.shop", kind="SRV", ttl=1, value=(1, 1, 80, f"{number}{'x' * 50}.ledger.shop"))
        for number in range(8)
    )
    server = DnsServer(lambda _: Answer(records=hosts))
    short = server.respond(PLAIN, udp=True)
    assert short is not None
    assert len(short) <= 512
    assert struct.unpack("!H", short[2:4])[0] & 0x0200
    assert struct.unpack("!H", short[6:8]) == (0,)
    by_edns = server.respond(EDNS, udp=True)
    by_tcp = server.respond(PLAIN, udp=False)
    for whole in (by_edns, by_tcp):
        assert whole is not None
        assert not struct.unpack("!H", whole[2:4])[0] & 0x0200
        assert struct.unpack("!H", whole[6:8]) == (8,)


def test_a_defect_is_a_server_failure() -> None:
    """The asker hears SERVFAIL at once."""

    def broken(_: Query) -> Answer:
        raise RuntimeError("a defect")

    answer = DnsServer(broken).respond(PLAIN, udp=True)
    assert answer is not None
    assert answer[3] & 0xF == 2


_LABELS = st.text("abcdefghijklmnopqrstuvwxyzABC0123456789-_", min_size=1, max_size=20)
_NAMES = st.lists(_LABELS, min_size=1, max_size=6).map(".".join)


@given(name=_NAMES, kind=st.sampled_from(sorted(TYPES.values())), number=st.integers(0, 65_535))
def test_what_is_asked_comes_back(name: str, kind: int, number: int) -> None:
    """An answer repeats the question letter by letter, and reads as a message of its own."""
    query = _query(name, kind=kind, id=number)
    data = encode(query, Answer())
    as_query = data[:2] + struct.pack("!H", 0x0100) + data[4:]
    assert (parse(as_query).name, parse(as_query).kind, parse(as_query).id) == (name, kind, number)


@given(data=st.binary(max_size=100))
def test_no_bytes_break_the_server(data: bytes) -> None:
    """Whatever arrives is answered or ignored."""
    answer = DnsServer(lambda _: Answer()).respond(data, udp=True)
    assert answer is None or answer[:2] == data[:2]
