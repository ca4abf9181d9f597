"""The whole AWS side of a sandbox in one event loop: world, data plane, DNS, HTTP port.

`python -m sluice_sandbox.aws` runs one as a process; tests run one in their own loop.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from sluice_sandbox.aws import small_estate
from sluice_sandbox.aws.clock import RealClock
from sluice_sandbox.aws.control import ControlApi
from sluice_sandbox.aws.estate import ACCOUNT, REGION
from sluice_sandbox.aws.moto_bridge import MotoBridge
from sluice_sandbox.aws.wire.server import WireServer
from sluice_sandbox.aws.world import World
from sluice_sandbox.dataplane.sockets import SocketPlane
from sluice_sandbox.dns.resolver import resolver
from sluice_sandbox.dns.server import DnsServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How an AWS side runs. `speed` is world seconds per real second; port 0 takes a free one."""

    host: str = "127.0.0.1"
    port: int = 0
    speed: float = 1.0
    seed: int = 0
    account: str = ACCOUNT
    region: str = REGION
    with_estate: bool = True
    dns_port: int = 0
    """Port of the resolver, UDP and TCP; 0 takes 20053 or, if that is not free, any."""
    twins: bool = True
    """Whether DNS answers with the loopback addresses where tasks can be reached, not with their ENIs'."""


@dataclass(slots=True)
class AwsSide:
    """A running AWS side; `start` it in the loop that shall carry it."""

    settings: Settings = field(default_factory=Settings)
    url: str = ""
    """The endpoint, once started."""
    estate: dict[str, Any] = field(default_factory=dict)
    """What `small_estate.make` told, with the listeners' loopback URLs; empty without an estate."""
    dns: DnsServer | None = None
    """The resolver, once started."""
    _parts: list[Any] = field(default_factory=list)
    _world: World | None = None

    @property
    def world(self) -> World:
        """The world, once started."""
        if self._world is None:
            raise RuntimeError("the AWS side has not been started")
        return self._world

    async def start(self) -> str:
        """Build the world, open its sockets, and return the endpoint URL when it answers.

        Raises OSError when the port is taken.
        """
        loop = asyncio.get_running_loop()
        settings = self.settings
        moto = MotoBridge()
        world = self._world = World.build(
            clock=RealClock(loop, speed=settings.speed),
            seed=settings.seed,
            account=settings.account,
            region=settings.region,
            moto=moto,
        )
        try:
            plane = SocketPlane(world, loop)
            self._parts.append(plane)
            await plane.start()
            dns = self.dns = resolver(world, twins=settings.twins, seed=settings.seed)
            self._parts.append(dns)
            await dns.start(port=settings.dns_port or None)
            if settings.with_estate:
                await self._make_estate(world, plane)
                self.estate["dns"] = {"host": dns.host, "port": dns.port, "twins": settings.twins}
            server = WireServer(world, control=ControlApi(world, urls=plane.urls).handle)
            self._parts.append(server)
            self.url = await server.start(host=settings.host, port=settings.port)
        except BaseException:
            await self.stop()
            raise
        return self.url

    async def _make_estate(self, world: World, plane: SocketPlane) -> None:
        self.estate = small_estate.make(world)
        for listener in self.estate["loadBalancer"]["listeners"]:
            listener["url"] = await plane.ready(listener["arn"])
        self.estate["certificate"] = plane.certificate.decode()

    async def stop(self) -> None:
        """Close the port, then the data plane's sockets, then moto's thread."""
        while self._parts:
            await self._parts.pop().stop()
        if self._world is not None and self._world.outside.moto is not None:
            self._world.outside.moto.close()
