"""The data plane with real sockets: twins of tasks, and a proxy for every listener of a load balancer.

Opened beside a world that runs in an event loop, it follows the books and the network: a listener
that is created gets a loopback port, one that is deleted loses it with its connections, a task that
starts listens on its twin before anyone is told that it runs. Everything binds to loopback.

Of network load balancers, TCP and TLS listeners have a socket; those of other protocols have none.
"""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sluice_sandbox.aws.clock import Clock
from sluice_sandbox.aws.elbv2.service import Elbv2Service
from sluice_sandbox.aws.elbv2.state import Listener
from sluice_sandbox.aws.ports import TargetHealth
from sluice_sandbox.dataplane import http1
from sluice_sandbox.dataplane.certificate import self_signed, server_context
from sluice_sandbox.dataplane.endpoint import Endpoint
from sluice_sandbox.dataplane.flow import FlowProxy
from sluice_sandbox.dataplane.network import TaskNetwork
from sluice_sandbox.dataplane.proxy import ListenerProxy
from sluice_sandbox.dataplane.surroundings import Surroundings
from sluice_sandbox.dataplane.task_server import TaskServer, twin_socket
from sluice_sandbox.dataplane.upstream import UpstreamPool

HOST = "127.0.0.1"
PORT_OFFSET = 20_000
"""Listener port 80 answers on 20080 of the loopback address when that is free."""
FLOWS = ("TCP", "TLS")
SERVED = ("HTTP", "HTTPS", *FLOWS)
CONNECT_TIMEOUT = 10.0
"""World seconds a target has to accept: "the load balancer failed to establish a connection to the
target before the connection timeout expired (10 seconds)" (troubleshooting page, HTTP 504)."""


class PlaneWorld(Protocol):
    """What a socket plane needs of a world."""

    @property
    def clock(self) -> Clock:
        """The world's clock; its `speed`, if it has one, scales every delay here."""

    @property
    def services(self) -> Mapping[str, Any]:
        """The world's services; `elbv2` is an Elbv2Service on a TaskNetwork."""


@dataclass(eq=False, slots=True)
class _Open:
    listening: socket.socket
    protocol: str
    port: int
    proxy: ListenerProxy | FlowProxy
    server: asyncio.Server | None = None
    accepting: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def local_port(self) -> int:
        return int(self.listening.getsockname()[1])


class SocketPlane:
    """Opens and closes sockets as the world changes. All methods belong to the loop's thread."""

    def __init__(self, world: PlaneWorld, loop: asyncio.AbstractEventLoop) -> None:
        """Belong to `world` and `loop`; nothing opens before `start`."""
        service: Elbv2Service = world.services["elbv2"]
        network = service.network
        if not isinstance(network, TaskNetwork):
            raise TypeError("the world's tasks are not on a TaskNetwork")
        self._service = service
        self._network = network
        self._loop = loop
        self._speed = float(getattr(world.clock, "speed", 1.0))
        # A quick world does not make the machine quicker: a connection on loopback may take a moment.
        self._pool = UpstreamPool(network, connect_timeout=max(1.0, CONNECT_TIMEOUT / self._speed))
        self._around = Surroundings(service=service, pool=self._pool, rng=random.Random(0), speed=self._speed)
        self._listeners: dict[str, _Open] = {}
        self._servers: dict[tuple[str, int], TaskServer] = {}
        self._leaving: set[TaskServer] = set()
        self._jobs: set[asyncio.Task[None]] = set()
        self._is_following = False
        self._pending = False
        self.certificate = b""
        """The self-signed certificate of HTTPS listeners, PEM; empty before `start`."""
        self._key = b""

    async def start(self) -> None:
        """Open what the world has by now and follow it from here on."""
        self.certificate, self._key = self_signed([])
        self._is_following = True
        self._network.follow(self)
        self._service.watch_health(self._target_changed)
        self._service.on_change(self._books_changed)
        self._reconcile()
        for opened in list(self._listeners.values()):
            await opened.accepting.wait()

    async def stop(self) -> None:
        """Close every socket and wait until no connection is left."""
        self._is_following = False
        listeners, self._listeners = self._listeners, {}
        servers = [*self._servers.values(), *self._leaving]
        self._servers = {}
        for opened in listeners.values():
            self._shut(opened)
        for server in servers:
            server.end(crashed=True)
        await asyncio.gather(*(opened.proxy.end() for opened in listeners.values()))
        self._pool.close()
        await asyncio.gather(*(server.finished() for server in servers))
        await asyncio.gather(*self._jobs)
        # Aborted transports tell their protocols in the loop's next turn.
        await asyncio.sleep(0)

    def url(self, listener_arn: str) -> str:
        """Return a listener's loopback URL; KeyError while it has no socket."""
        opened = self._listeners[listener_arn]
        return f"{opened.protocol.lower()}://{HOST}:{opened.local_port}"

    def urls(self) -> dict[str, str]:
        """Return the loopback URL of every open listener by ARN."""
        return {arn: self.url(arn) for arn in self._listeners}

    async def ready(self, listener_arn: str) -> str:
        """Wait until a listener that was created answers, and return its URL.

        Raises KeyError when it does not exist or its protocol has no socket here.
        """
        self._reconcile()
        await self._listeners[listener_arn].accepting.wait()
        return self.url(listener_arn)

    # Listeners.

    def _books_changed(self) -> None:
        if self._is_following and not self._pending:
            self._pending = True
            # Later, once: a call changes the books several times, and none half-done must be seen.
            self._loop.call_soon(self._reconcile)

    def _reconcile(self) -> None:
        self._pending = False
        if not self._is_following:
            return
        wanted: dict[str, Listener] = {
            listener.arn: listener
            for region in self._service.state.regions.values()
            for listener in region.listeners.values()
            if listener.protocol in SERVED
        }
        for arn, opened in list(self._listeners.items()):
            listener = wanted.get(arn)
            if listener is None or (listener.protocol, listener.port) != (opened.protocol, opened.port):
                del self._listeners[arn]
                self._shut(opened)
                self._spawn(opened.proxy.end())
        for arn, listener in wanted.items():
            if arn not in self._listeners:
                opened = _Open(
                    listening=_listener_socket(listener.port),
                    protocol=listener.protocol,
                    port=listener.port,
                    proxy=(FlowProxy if listener.protocol in FLOWS else ListenerProxy)(arn, self._around),
                )
                self._listeners[arn] = opened
                self._spawn(self._accept(opened))

    async def _accept(self, opened: _Open) -> None:
        context = server_context(self.certificate, self._key) if opened.protocol in ("HTTPS", "TLS") else None
        server = await asyncio.start_server(
            opened.proxy.serve, sock=opened.listening, ssl=context, limit=http1.MAX_HEAD
        )
        opened.server = server
        opened.accepting.set()
        if opened not in self._listeners.values():
            server.close()

    def _shut(self, opened: _Open) -> None:
        if opened.server is not None:
            opened.server.close()

    # Tasks.

    def opened(self, endpoint: Endpoint) -> None:
        """Open the twin of an endpoint (the network's word)."""
        if not self._is_following:
            return
        server = TaskServer(endpoint, twin_socket(endpoint.ip, endpoint.port), speed=self._speed)
        self._servers[endpoint.ip, endpoint.port] = server
        self._network.set_twin(endpoint.ip, endpoint.port, server.address)
        self._spawn(server.start())

    def stopped(self, endpoint: Endpoint) -> None:
        """Close a twin gently (the network's word)."""
        self._close_twin(endpoint, crashed=False)

    def crashed(self, endpoint: Endpoint) -> None:
        """Close a twin with all its connections (the network's word)."""
        self._close_twin(endpoint, crashed=True)

    def _close_twin(self, endpoint: Endpoint, *, crashed: bool) -> None:
        server = self._servers.pop((endpoint.ip, endpoint.port), None)
        if server is not None:
            server.end(crashed=crashed)
            self._leaving.add(server)
            self._spawn(self._leave(server))

    async def _leave(self, server: TaskServer) -> None:
        """Let answers under way be given, then forget the server."""
        await server.drained()
        self._leaving.discard(server)

    def _target_changed(self, arn: str, health: TargetHealth, target_id: str, port: int) -> None:
        # Not when a rule merely gives its group up: requests under way are finished then.
        if health.reason == "Target.NotRegistered":
            self._pool.cut((arn, target_id, port))

    # Work under way.

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        job = self._loop.create_task(work)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)


def _listener_socket(port: int) -> socket.socket:
    """Return a listening loopback socket: on 20000 + port when that is free, else on any port."""
    for wanted in (PORT_OFFSET + port, 0):
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((HOST, wanted))
            listening.listen(1024)
        except (OSError, OverflowError):
            listening.close()
            continue
        listening.setblocking(False)
        return listening
    raise OSError("no loopback port is free for a listener")
