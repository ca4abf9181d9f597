"""The socket of one endpoint: an HTTP/1.1 server on the loopback twin of a task's address.

What it answers is the endpoint's business; this is keep-alive, time, WebSocket echo and how a server
ends: a stopped task finishes the answer under way and closes, a crashed one resets its connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from urllib.parse import parse_qsl

from sluice_sandbox.aws.ports import HttpRequest
from sluice_sandbox.dataplane import http1, websocket
from sluice_sandbox.dataplane.endpoint import Endpoint

BACKLOG = 256
_REASONS = {200: "OK", 500: "Internal Server Error"}
_BROKEN = (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, http1.BadMessage)


def twin_socket(ip: str, port: int) -> socket.socket:
    """Return a listening socket on the twin of 10.a.b.c:port, or on another loopback address or port.

    The same port of another address where another world of this machine holds the twin: who knows a name
    and a port alone (DNS's A records) finds the task all the same. Any port where the system has no 127.a.b.c
    (not Linux) or the port needs rights.
    """
    twin = "127." + ip.split(".", 1)[1] if ip.count(".") == 3 else "127.0.0.1"
    for host, wanted in ((twin, port), *((near, port) for near in _near(twin)), (twin, 0), ("127.0.0.1", 0)):
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, wanted))
            listening.listen(BACKLOG)
        except OSError:
            listening.close()
            continue
        listening.setblocking(False)
        return listening
    raise OSError(f"no loopback port is free for {ip}:{port}")


def _near(twin: str) -> list[str]:
    """Return the addresses that stand in for a twin, in the order of trying."""
    _, second, rest = twin.split(".", 2)
    return [f"127.{(int(second) + 32 * step) % 256}.{rest}" for step in range(1, 8)]


class TaskServer:
    """Serves one endpoint; `speed` is world seconds per real second."""

    def __init__(self, endpoint: Endpoint, listening: socket.socket, *, speed: float) -> None:
        """Take over a listening socket; `start` begins to accept."""
        self._endpoint = endpoint
        self._listening = listening
        self._speed = speed
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.StreamWriter, bool] = {}
        """Open connections, each with whether an answer is under way."""
        self._sockets: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_starting = False
        self._ended = asyncio.Event()

    @property
    def address(self) -> tuple[str, int]:
        """Where the twin listens."""
        host, port = self._listening.getsockname()[:2]
        return str(host), int(port)

    async def start(self) -> None:
        """Begin to accept connections (the kernel has queued those that came before)."""
        if self._ended.is_set():
            return
        self._is_starting = True
        server = await asyncio.start_server(self._serve, sock=self._listening, limit=http1.MAX_HEAD)
        self._server = server
        if self._ended.is_set():
            server.close()

    def end(self, *, crashed: bool) -> None:
        """Stop listening; connections end after their answer, or at once when `crashed`."""
        self._ended.set()
        if self._server is not None:
            self._server.close()
        elif not self._is_starting:
            self._listening.close()
        for writer, is_busy in list(self._connections.items()):
            if crashed:
                writer.transport.abort()
            elif writer in self._sockets:
                writer.write(websocket.goodbye())
                writer.close()
            elif not is_busy:
                writer.close()

    async def drained(self) -> None:
        """Wait until the answers under way at the end were given."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def finished(self) -> None:
        """Break what is still under way and wait until it is gone."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._connections[writer] = False
        try:
            while not self._ended.is_set():
                head = await http1.read_head(reader)
                if head is None:
                    break
                self._connections[writer] = True
                if head.upgrades:
                    await self._upgrade(head, reader, writer)
                    break
                await http1.pass_on(reader, http1.Nowhere(), http1.request_framing(head))
                if not await self._answer(head, writer):
                    break
                self._connections[writer] = False
        except _BROKEN:
            pass
        except asyncio.CancelledError:
            pass  # `finished` broke it; asyncio's streams would report a cancelled handler as an error.
        finally:
            self._connections.pop(writer, None)
            self._sockets.discard(writer)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, head: http1.Head, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; tell whether the connection stays."""
        method, target, _ = head.start
        path, _, query = target.partition("?")
        answer = self._endpoint.respond(
            HttpRequest(
                host=head.fields.get("host", ""),
                path=path,
                method=method,
                query=parse_qsl(query, keep_blank_values=True) if query else (),
                headers=head.fields,
            )
        )
        if answer.seconds > 0:
            await asyncio.sleep(answer.seconds / self._speed)
        stays = head.keeps_alive and not self._ended.is_set()
        body = json.dumps(answer.body).encode()
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("Connection", "keep-alive" if stays else "close"),
        ]
        if self._endpoint.behaviour.cookie:
            session = self._endpoint.task_arn.rpartition("/")[2]
            headers.append(("Set-Cookie", f"{self._endpoint.behaviour.cookie}={session}; Path=/"))
        start = "HTTP/1.1", str(answer.status), _REASONS.get(answer.status, "Status")
        writer.write(http1.render(start, headers) + (b"" if method == "HEAD" else body))
        await writer.drain()
        return stays

    async def _upgrade(
        self, head: http1.Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Switch to an echo: frames for WebSocket, plain bytes for any other protocol."""
        protocol = head.fields["upgrade"]
        headers = [("Connection", "Upgrade"), ("Upgrade", protocol)]
        is_websocket = protocol.lower() == "websocket"
        if is_websocket:
            accept = websocket.accept_key(head.fields.get("sec-websocket-key", ""))
            headers.append(("Sec-WebSocket-Accept", accept))
        writer.write(http1.render(("HTTP/1.1", "101", "Switching Protocols"), headers))
        await writer.drain()
        self._endpoint.requests += 1
        if is_websocket:
            self._sockets.add(writer)
            await websocket.echo(reader, writer)
        else:
            await http1.pass_on(reader, writer, http1.Framing())
