"""The resolver's sockets: UDP and TCP on one loopback port.

Port 20053 when it is free (53 needs privileges), else any. What is answered is asked of a function, so that
the sockets know nothing of Cloud Map. Answers over UDP keep to what the client can take; a longer one says so
(TC), and the client asks again over TCP (RFC 7766).
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import Callable
from typing import cast

from sluice_sandbox.dns.message import (
    FORMERR,
    MAX_UDP,
    Answer,
    MalformedQueryError,
    Query,
    encode,
    encode_error,
    parse,
)

HOST = "127.0.0.1"
PORT = 20_053
_ATTEMPTS = 20
_IDLE_S = 10.0
_SERVFAIL = 2

Resolve = Callable[[Query], Answer]
_log = logging.getLogger(__name__)


class DnsServer:
    """Answers queries from `start` to `stop`, in one event loop."""

    def __init__(self, resolve: Resolve) -> None:
        """Open nothing yet."""
        self._resolve = resolve
        self._transport: asyncio.DatagramTransport | None = None
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()
        self.host = HOST
        self.port = 0
        """The port, UDP and TCP, once started."""

    async def start(self, *, port: int | None = None) -> int:
        """Listen, on `port` if one is given, and return the port; raises OSError when it is taken."""
        udp, tcp = _sockets(port)
        self.port = int(udp.getsockname()[1])
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self.respond), sock=udp)
        self._server = await asyncio.start_server(self._converse, sock=tcp)
        return self.port

    async def stop(self) -> None:
        """Close the sockets and every connection."""
        if self._transport is not None:
            self._transport.close()
        if self._server is not None:
            self._server.close()
        for client in list(self._clients):
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

    def respond(self, data: bytes, *, udp: bool) -> bytes | None:
        """Return the bytes of an answer, None to what deserves none."""
        try:
            query = parse(data)
        except MalformedQueryError as error:
            return encode_error(*error.header, FORMERR) if error.header else None
        try:
            answer = self._resolve(query)
        except Exception:  # noqa: BLE001 - every query gets an answer
            # A defect of the sandbox: the client is told at once (SERVFAIL) rather than by a timeout.
            _log.exception("DNS question %s", query.name)
            answer = Answer(code=_SERVFAIL)
        return encode(query, answer, limit=min(query.payload, MAX_UDP) if udp else None)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the queries of one connection until it ends or nothing comes for ten seconds."""
        task = asyncio.current_task()
        if task is not None:
            self._clients.add(task)
            task.add_done_callback(self._clients.discard)
        try:
            while True:
                async with asyncio.timeout(_IDLE_S):
                    (length,) = struct.unpack("!H", await reader.readexactly(2))
                    data = await reader.readexactly(length)
                answer = self.respond(data, udp=False)
                if answer is None:
                    break
                writer.write(struct.pack("!H", len(answer)) + answer)
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, respond: Callable[..., bytes | None]) -> None:
        self._respond = respond
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio's own is one in all but name, so that isinstance would say no.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._respond(data, udp=True)
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)


def _sockets(port: int | None) -> tuple[socket.socket, socket.socket]:
    """Return a UDP and a listening TCP socket on one port."""
    wanted = [port] if port else [PORT, *[0] * _ATTEMPTS]
    failure: OSError | None = None
    for number in wanted:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            udp.bind((HOST, number))
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tcp.bind((HOST, udp.getsockname()[1]))
            tcp.listen(128)
        except OSError as error:
            udp.close()
            tcp.close()
            failure = error
            continue
        udp.setblocking(False)
        tcp.setblocking(False)
        return udp, tcp
    raise OSError(f"no loopback port is free for DNS: {failure}")
