"""Who listens on which task address: the network between load balancers and tasks.

Addresses are those of the tasks' ENIs (10.a.b.c). In process, health checks and simulated requests
are answered here directly. When a socket plane runs, every endpoint gets a loopback twin (127.a.b.c,
the same port where the system allows it), and `address` tells where that twin listens.

Whoever checks health subscribes with `on_change`: an address whose listening or behaviour changes is
announced, so that nothing has to be polled while nothing happens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sluice_sandbox.aws.elbv2.service import Answer
from sluice_sandbox.aws.ports import HttpRequest, Probe
from sluice_sandbox.dataplane.endpoint import Endpoint

Address = tuple[str, int]
REFUSED = Probe(status=None, failure="refused")


class Follower(Protocol):
    """Who opens sockets for endpoints."""

    def opened(self, endpoint: Endpoint) -> None:
        """Open a socket for an endpoint that begins to listen."""

    def stopped(self, endpoint: Endpoint) -> None:
        """Close its socket; answers under way may still be given."""

    def crashed(self, endpoint: Endpoint) -> None:
        """Close its socket and break its connections."""


class TaskNetwork:
    """All endpoints of one world; implements the `Network` port."""

    def __init__(self) -> None:
        """Start with nobody listening."""
        self._endpoints: dict[Address, Endpoint] = {}
        self._twins: dict[Address, Address] = {}
        self._subscribers: list[Callable[[str], None]] = []
        self._followers: list[Follower] = []

    def probe(self, ip: str, port: int, *, path: str, timeout: float) -> Probe:  # noqa: ARG002 - port's signature
        """Answer a health check; every path is a health path, as the target group chooses it."""
        endpoint = self._endpoints.get((ip, port))
        return REFUSED if endpoint is None else endpoint.probe(timeout=timeout)

    def address(self, ip: str, port: int) -> Address | None:
        """Return the loopback twin to connect to, None when nothing listens there."""
        return self._twins.get((ip, port))

    def respond(self, ip: str, port: int, request: HttpRequest) -> Answer | None:
        """Answer a simulated request, None when nothing listens there."""
        endpoint = self._endpoints.get((ip, port))
        return None if endpoint is None else endpoint.respond(request)

    def on_change(self, callback: Callable[[str], None]) -> None:
        """Call back with the IP address whose answers may have changed."""
        self._subscribers.append(callback)

    def follow(self, follower: Follower) -> None:
        """Tell `follower` of the endpoints that are there now and of all that come and go."""
        self._followers.append(follower)
        for endpoint in list(self._endpoints.values()):
            follower.opened(endpoint)

    def listen(self, endpoint: Endpoint) -> None:
        """Let an endpoint listen; a second one on the same address is a ValueError."""
        address = endpoint.ip, endpoint.port
        if address in self._endpoints:
            raise ValueError(f"{endpoint.ip}:{endpoint.port} is in use")
        self._endpoints[address] = endpoint
        for follower in self._followers:
            follower.opened(endpoint)
        self.announce(endpoint.ip)

    def close(self, ip: str, port: int, *, crashed: bool = False) -> None:
        """Stop listening; an address that nobody listens on is a no-op."""
        endpoint = self._endpoints.pop((ip, port), None)
        if endpoint is None:
            return
        self._twins.pop((ip, port), None)
        for follower in self._followers:
            (follower.crashed if crashed else follower.stopped)(endpoint)
        self.announce(ip)

    def set_twin(self, ip: str, port: int, twin: Address) -> None:
        """Note where an endpoint's socket listens (the socket plane's word)."""
        if (ip, port) in self._endpoints:
            self._twins[ip, port] = twin

    def announce(self, ip: str) -> None:
        """Tell subscribers that answers from `ip` may have changed."""
        for callback in self._subscribers:
            callback(ip)

    def endpoints(self) -> list[Endpoint]:
        """Return all endpoints, in order of their start."""
        return list(self._endpoints.values())
