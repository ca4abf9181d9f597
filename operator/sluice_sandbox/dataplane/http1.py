"""HTTP/1.1 messages: heads parsed, bodies framed and passed on as they are.

Source: RFC 9112 (message syntax, transfer codings, persistence). A proxy that passes bodies on needs
to know where they end, not what they say: chunks are copied with their framing. Whatever is not a
well-formed message is BadMessage; nothing is guessed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

MAX_HEAD = 64 * 1024
"""Bytes of a whole head that a load balancer accepts (quotas page: 64 K for all headers)."""
PIECE = 64 * 1024
HOP_BY_HOP = frozenset({"connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade"})

Headers = list[tuple[str, str]]


class BadMessage(Exception):  # noqa: N818 - the state of a message, not of this program
    """What was received is no HTTP/1.x message; `status` is what a load balancer answers to it."""

    def __init__(self, text: str, *, status: int = 400) -> None:
        """Say what is wrong."""
        super().__init__(text)
        self.status = status


@dataclass(slots=True, kw_only=True)
class Head:
    """The head of a request or response. `fields` has names in lower case, repeated ones joined."""

    start: tuple[str, str, str]
    """Method, target, version; or version, status, reason."""
    headers: Headers
    fields: dict[str, str]

    @property
    def version(self) -> str:
        """HTTP/1.0 or HTTP/1.1."""
        return self.start[0] if self.start[0].startswith("HTTP/") else self.start[2]

    @property
    def status(self) -> int:
        """A response's status code."""
        return int(self.start[1])

    @property
    def keeps_alive(self) -> bool:
        """Tell whether the sender is willing to use the connection again."""
        tokens = {token.strip().lower() for token in self.fields.get("connection", "").split(",")}
        return "keep-alive" in tokens if self.version == "HTTP/1.0" else "close" not in tokens

    @property
    def repeated(self) -> dict[str, list[str]]:
        """Each value of the headers that came more than once, by name in lower case."""
        if len(self.fields) == len(self.headers):
            return {}
        found: dict[str, list[str]] = {}
        for name, value in self.headers:
            found.setdefault(name.lower(), []).append(value)
        return {name: values for name, values in found.items() if len(values) > 1}

    @property
    def upgrades(self) -> bool:
        """Tell whether a request asks for another protocol."""
        return "upgrade" in self.fields.get("connection", "").lower() and "upgrade" in self.fields


@dataclass(frozen=True, slots=True)
class Framing:
    """Where a body ends: after `length` bytes, by its chunks, or (neither) with the connection."""

    length: int | None = None
    chunked: bool = False

    @property
    def is_empty(self) -> bool:
        """Tell whether there is no body at all."""
        return self.length == 0

    @property
    def ends_with_connection(self) -> bool:
        """Tell whether only the end of the connection ends the body."""
        return self.length is None and not self.chunked


EMPTY = Framing(length=0)


class Sink(Protocol):
    """Where a body goes: a StreamWriter, or nowhere."""

    def write(self, data: bytes) -> None:
        """Take a piece."""

    async def drain(self) -> None:
        """Wait until more can be taken."""


class Nowhere:
    """A sink for bodies that nobody reads."""

    def write(self, data: bytes) -> None:
        """Drop the piece."""

    async def drain(self) -> None:
        """Be ready at once."""


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """Read one head; None when the connection ended before its first byte.

    Raises BadMessage, ConnectionError or asyncio.IncompleteReadError (ended in the middle).
    """
    try:
        data = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if not error.partial.strip():
            return None
        raise
    except asyncio.LimitOverrunError as error:
        raise BadMessage("the head is too large") from error
    return parse_head(data)


async def has_begun(reader: asyncio.StreamReader) -> bool:
    """Tell whether a part of a message has come that never became a head; one byte of it is lost."""
    try:
        async with asyncio.timeout(0):
            return bool(await reader.read(1))
    except TimeoutError:
        return False


def parse_head(data: bytes) -> Head:
    """Parse a head including its empty line."""
    lines = data.decode("latin-1").lstrip("\r\n").split("\r\n")
    parts = lines[0].split(" ", 2)
    if len(parts) == 2 and parts[0].startswith("HTTP/"):
        parts.append("")
    if len(parts) != 3:
        raise BadMessage("the start line has not three parts")
    start = parts[0], parts[1], parts[2]
    version = start[0] if start[0].startswith("HTTP/") else start[2]
    if version not in ("HTTP/1.0", "HTTP/1.1") or not start[1]:
        known = version.startswith("HTTP/") and start[1]
        raise BadMessage(f"version {version!r} is not served", status=505 if known else 400)
    headers: Headers = []
    fields: dict[str, str] = {}
    for line in lines[1:-2]:
        name, separator, value = line.partition(":")
        if not separator or not name or name != name.strip():
            raise BadMessage("a header line is malformed")
        value = value.strip(" \t")
        headers.append((name, value))
        lower = name.lower()
        fields[lower] = f"{fields[lower]}, {value}" if lower in fields else value
    return Head(start=start, headers=headers, fields=fields)


def request_framing(head: Head) -> Framing:
    """Return how a request's body is framed."""
    return _framing(head) or EMPTY


def response_framing(head: Head, *, method: str) -> Framing:
    """Return how the body of a response to `method` is framed."""
    if method == "HEAD" or head.status < 200 or head.status in (204, 304):
        return EMPTY
    return _framing(head) or Framing()


def _framing(head: Head) -> Framing | None:
    if "transfer-encoding" in head.fields:
        coding = head.fields["transfer-encoding"].lower()
        if coding not in ("chunked", "identity"):
            raise BadMessage(f"the transfer coding {coding!r} is not served", status=501)
        if "content-length" in head.fields:
            raise BadMessage("a transfer coding cannot stand beside Content-Length")
        if coding == "identity":
            return None
        return Framing(chunked=True)
    length = head.fields.get("content-length")
    if length is None:
        return None
    if not length.isdecimal():
        raise BadMessage(f"Content-Length {length!r} is no number")
    return Framing(length=int(length))


def render(start: Iterable[str], headers: Headers) -> bytes:
    """Return a head as bytes."""
    lines = [" ".join(start), *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1")


async def pass_on(
    reader: asyncio.StreamReader, sink: Sink, framing: Framing, *, before: bytes = b"", bare: bool = False
) -> None:
    """Copy a body as it is framed; `before` (a head) goes out with the first piece.

    With `bare` the chunks of a chunked body go out without their framing.

    Raises BadMessage, ConnectionError or asyncio.IncompleteReadError when the source ends early.
    """
    if framing.length is not None and framing.length <= PIECE:
        body = await reader.readexactly(framing.length) if framing.length else b""
        sink.write(before + body)
        await sink.drain()
        return
    if before:
        sink.write(before)
    if framing.chunked:
        await _pass_chunks(reader, sink, bare=bare)
        return
    left = framing.length
    while left is None or left > 0:
        piece = await reader.read(PIECE if left is None else min(PIECE, left))
        if not piece:
            if left is not None:
                raise asyncio.IncompleteReadError(b"", left)
            break
        sink.write(piece)
        await sink.drain()
        if left is not None:
            left -= len(piece)


async def _pass_chunks(reader: asyncio.StreamReader, sink: Sink, *, bare: bool) -> None:
    while True:
        line = await reader.readuntil(b"\r\n")
        try:
            size = int(line.split(b";", 1)[0].strip(), 16)
        except ValueError as error:
            raise BadMessage("a chunk has no size") from error
        if size == 0:
            sink.write(b"" if bare else line)
            break
        chunk = await reader.readexactly(size + 2)
        if not chunk.endswith(b"\r\n"):
            raise BadMessage("a chunk does not end where it says")
        sink.write(chunk[:-2] if bare else line + chunk)
        await sink.drain()
    while line != b"\r\n":
        line = await reader.readuntil(b"\r\n")
        sink.write(b"" if bare else line)
    await sink.drain()
