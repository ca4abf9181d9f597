"""A plain HTTP/1.1 client over asyncio streams: tests see exactly what was sent and received."""

from __future__ import annotations

import asyncio
import json
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from elb_world import Elb

from sluice_sandbox.dataplane import http1
from sluice_sandbox.dataplane.sockets import SocketPlane

DEADLINE = 10.0


@dataclass
class Got:
    """One response."""

    head: http1.Head
    body: bytes

    @property
    def status(self) -> int:
        """The status code."""
        return self.head.status

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    def cookies(self) -> dict[str, str]:
        """Return the cookies that were set, by name."""
        values = [value for name, value in self.head.headers if name.lower() == "set-cookie"]
        pairs = [value.partition(";")[0].partition("=") for value in values]
        return {name: value for name, _, value in pairs}


class Line:
    """One connection to a listener."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Use an open connection."""
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, url: str) -> Line:
        """Connect to a URL's host and port; any certificate will do."""
        parts = urlsplit(url)
        context = None
        if parts.scheme == "https":
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return cls(*await asyncio.open_connection(parts.hostname, parts.port, ssl=context))

    async def send(self, method: str = "GET", target: str = "/", *, body: bytes = b"", **headers: str) -> Got:
        """Send a request (header names with _ for -) and return the response."""
        given = {"Host": "shop.example", **{name.replace("_", "-"): value for name, value in headers.items()}}
        if body and "Transfer-Encoding" not in given:
            given["Content-Length"] = str(len(body))
        self.writer.write(http1.render((method, target, "HTTP/1.1"), list(given.items())) + body)
        return await self.receive(method)

    async def receive(self, method: str = "GET") -> Got:
        """Read one response."""
        async with asyncio.timeout(DEADLINE):
            head = await http1.read_head(self.reader)
            if head is None:
                raise ConnectionError("closed without an answer")
            sink = _Sink()
            if head.status != 101:
                framing = http1.response_framing(head, method=method)
                await http1.pass_on(self.reader, sink, framing)
        return Got(head, bytes(sink.data))

    async def is_closed(self) -> bool:
        """Wait until the other side closes; tell whether it did so without a word."""
        async with asyncio.timeout(DEADLINE):
            try:
                return await self.reader.read() == b""
            except ConnectionError:
                return True

    async def close(self) -> None:
        """Close the connection."""
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except ConnectionError:
            return


class _Sink:
    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> None:
        self.data += data

    async def drain(self) -> None:
        """Be ready at once."""


@dataclass
class Side:
    """A world and its sockets."""

    elb: Elb
    plane: SocketPlane

    async def serve(self, *groups: str) -> str:
        """Make a listener that forwards evenly to groups, and return its URL."""
        return await self.plane.ready(self.elb.serve(*groups))

    async def healthy(self, group: str, *ips: str) -> None:
        """Wait until targets are healthy."""
        await self.until(lambda: all(self.elb.state(group, ip)[0] == "healthy" for ip in ips))

    @staticmethod
    async def until(condition: Any) -> None:
        """Wait until a condition holds; TimeoutError after the deadline."""
        async with asyncio.timeout(DEADLINE):
            while not condition():  # noqa: ASYNC110 - a world has no event for any condition
                await asyncio.sleep(0.005)

    async def ask(self, url: str, **request: Any) -> Got:
        """Send one request on a connection of its own."""
        line = await Line.to(url)
        try:
            return await line.send(**request)
        finally:
            await line.close()
