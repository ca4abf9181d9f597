"""HTTP/1.1 heads and bodies: what is accepted, and that bodies pass unchanged however they arrive."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice_sandbox.dataplane import http1, websocket


class Sink:
    """Keeps what it is given."""

    def __init__(self) -> None:
        """Start empty."""
        self.data = b""

    def write(self, data: bytes) -> None:
        """Take a piece."""
        self.data += data

    async def drain(self) -> None:
        """Be ready at once."""


def _head(text: str) -> http1.Head:
    return http1.parse_head(text.replace("\n", "\r\n").encode() + b"\r\n\r\n")


def test_a_request_head() -> None:
    """Start line, headers in order, names without case, repeated ones joined."""
    head = _head("POST /a?b=c HTTP/1.1\nHost: h\nX-A: 1\nx-a:  2 ")
    assert head.start == ("POST", "/a?b=c", "HTTP/1.1")
    assert head.headers == [("Host", "h"), ("X-A", "1"), ("x-a", "2")]
    assert head.fields == {"host": "h", "x-a": "1, 2"}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("GET /", id="no-version"),
        pytest.param("GET / HTTP/2.0", id="other-version"),
        pytest.param("GET / HTTP/1.1\nno colon", id="no-colon"),
        pytest.param("GET / HTTP/1.1\nName : x", id="space-before-colon"),
        pytest.param("GET / HTTP/1.1\nA: 1\n folded", id="folded-line"),
        pytest.param("", id="empty"),
    ],
)
def test_what_is_no_head_is_refused(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(http1.BadMessage):
        _head(text)


@pytest.mark.parametrize(
    ("text", "alive"),
    [
        pytest.param("GET / HTTP/1.1", True, id="1.1"),
        pytest.param("GET / HTTP/1.1\nConnection: close", False, id="1.1-close"),
        pytest.param("GET / HTTP/1.0", False, id="1.0"),
        pytest.param("GET / HTTP/1.0\nConnection: Keep-Alive", True, id="1.0-keep-alive"),
    ],
)
def test_persistence(text: str, alive: bool) -> None:  # noqa: FBT001 - a table's column
    """RFC 9112 section 9.3."""
    assert _head(text).keeps_alive is alive


@pytest.mark.parametrize(
    ("text", "method", "framing"),
    [
        pytest.param("HTTP/1.1 200 OK\nContent-Length: 3", "GET", http1.Framing(length=3), id="length"),
        pytest.param("HTTP/1.1 200 OK\nContent-Length: 3", "HEAD", http1.EMPTY, id="head"),
        pytest.param("HTTP/1.1 204 No Content", "GET", http1.EMPTY, id="204"),
        pytest.param("HTTP/1.1 304 Not Modified\nContent-Length: 3", "GET", http1.EMPTY, id="304"),
        pytest.param(
            "HTTP/1.1 200 OK\nTransfer-Encoding: chunked", "GET", http1.Framing(chunked=True), id="chunked"
        ),
        pytest.param("HTTP/1.1 200", "GET", http1.Framing(), id="until-the-end"),
    ],
)
def test_response_framing(text: str, method: str, framing: http1.Framing) -> None:
    """RFC 9112 section 6.3."""
    assert http1.response_framing(_head(text), method=method) == framing


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("GET / HTTP/1.1\nContent-Length: x", id="length-no-number"),
        pytest.param("GET / HTTP/1.1\nContent-Length: 3, 4", id="two-lengths"),
        pytest.param("GET / HTTP/1.1\nTransfer-Encoding: gzip", id="other-coding"),
        pytest.param("GET / HTTP/1.1\nTransfer-Encoding: chunked\nContent-Length: 3", id="both"),
    ],
)
def test_ambiguous_framing_is_refused(text: str) -> None:
    """What could be read two ways is refused, or a request could be smuggled."""
    with pytest.raises(http1.BadMessage):
        http1.request_framing(_head(text))


async def _passed(wire: bytes, framing: http1.Framing, cuts: list[int]) -> tuple[bytes, bytes]:
    """Feed `wire` in pieces; return what was passed on and what was left."""
    reader = asyncio.StreamReader()
    sink = Sink()
    job = asyncio.create_task(http1.pass_on(reader, sink, framing))
    last = 0
    for cut in [*sorted(min(cut, len(wire)) for cut in cuts), len(wire)]:
        reader.feed_data(wire[last:cut])
        last = cut
        await asyncio.sleep(0)
    reader.feed_eof()
    await job
    return sink.data, await reader.read()


@given(
    chunks=st.lists(st.binary(min_size=1, max_size=40), max_size=5),
    cuts=st.lists(st.integers(0, 250), max_size=4),
)
def test_chunked_bodies_pass_unchanged(chunks: list[bytes], cuts: list[int]) -> None:
    """However the bytes arrive, the body ends where it ends and what follows is left alone."""
    wire = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\nX-T: 1\r\n\r\n"
    passed, left = asyncio.run(_passed(wire + b"NEXT", http1.Framing(chunked=True), cuts))
    assert (passed, left) == (wire, b"NEXT")


@given(body=st.binary(max_size=200), cuts=st.lists(st.integers(0, 250), max_size=4))
def test_counted_bodies_pass_unchanged(body: bytes, cuts: list[int]) -> None:
    """Exactly the counted bytes are passed on."""
    passed, left = asyncio.run(_passed(body + b"NEXT", http1.Framing(length=len(body)), cuts))
    assert (passed, left) == (body, b"NEXT")


async def test_a_large_body_passes_in_pieces_and_a_short_one_is_an_error() -> None:
    """More than one piece is copied; an early end is told."""
    body = bytes(3 * http1.PIECE + 7)
    assert await _passed(body, http1.Framing(length=len(body)), []) == (body, b"")
    with pytest.raises(asyncio.IncompleteReadError):
        await _passed(body, http1.Framing(length=len(body) + 1), [])


@given(payload=st.binary(max_size=70_000), mask=st.binary(min_size=4, max_size=4))
def test_websocket_frames_come_back(payload: bytes, mask: bytes) -> None:
    """Reading what was written gives opcode and payload, masked or not, of any length class."""

    async def read(data: bytes) -> tuple[int, int, bytes]:
        reader = asyncio.StreamReader(limit=1 << 20)
        reader.feed_data(data)
        return await websocket.read_frame(reader)

    for key in (b"", mask):
        assert asyncio.run(read(websocket.frame(2, payload, mask=key)))[1:] == (2, payload)


def test_the_accept_key_is_the_rfcs() -> None:
    """The example of RFC 6455 section 1.3."""
    assert websocket.accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
