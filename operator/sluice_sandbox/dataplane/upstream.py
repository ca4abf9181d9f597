"""Connections from load balancers to targets, kept for the next request as ALB keeps them.

A connection belongs to one target of one target group: when that target is deregistered (its drain is
over), all its connections are closed, whatever they carry.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from dataclasses import dataclass

from sluice_sandbox.aws.ports import Network
from sluice_sandbox.dataplane.http1 import MAX_HEAD

MAX_IDLE = 64
"""Idle connections kept per target."""

Place = tuple[str, str, int]
"""Target group ARN, target id (its address) and port."""


@dataclass(eq=False, slots=True)
class Upstream:
    """One connection to a target."""

    place: Place
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def is_usable(self) -> bool:
        """Tell whether the target has left it open."""
        return not (self.reader.at_eof() or self.writer.is_closing())


class UpstreamPool:
    """All connections to targets of one world."""

    def __init__(self, network: Network, *, connect_timeout: float) -> None:
        """Connect to the twins that `network` names, within `connect_timeout` real seconds."""
        self._network = network
        self._connect_timeout = connect_timeout
        self._idle: defaultdict[Place, deque[Upstream]] = defaultdict(deque)
        self._busy: defaultdict[Place, set[Upstream]] = defaultdict(set)

    async def acquire(self, place: Place) -> Upstream:
        """Return an idle connection or open one.

        Raises ConnectionError when nothing listens there, TimeoutError when it does not accept.
        """
        idle = self._idle.get(place)
        while idle:
            # The one used last is the likeliest to be open still.
            upstream = idle.pop()
            if upstream.is_usable:
                self._busy[place].add(upstream)
                return upstream
            upstream.writer.close()
        address = self._network.address(place[1], place[2])
        if address is None:
            raise ConnectionRefusedError(f"nothing listens on {place[1]}:{place[2]}")
        async with asyncio.timeout(self._connect_timeout):
            reader, writer = await asyncio.open_connection(*address, limit=MAX_HEAD)
        upstream = Upstream(place, reader, writer)
        self._busy[place].add(upstream)
        return upstream

    def release(self, upstream: Upstream, *, reusable: bool) -> None:
        """Give a connection back; one that cannot be used again is closed."""
        busy = self._busy.get(upstream.place)
        if busy is not None:
            busy.discard(upstream)
            if not busy:
                del self._busy[upstream.place]
        idle = self._idle[upstream.place]
        if reusable and upstream.is_usable and len(idle) < MAX_IDLE:
            idle.append(upstream)
        else:
            upstream.writer.close()
            if not idle:
                del self._idle[upstream.place]

    def cut(self, place: Place) -> None:
        """Close every connection to a target, also those under way."""
        for upstream in self._idle.pop(place, ()):
            upstream.writer.close()
        for upstream in self._busy.pop(place, set()):
            upstream.writer.transport.abort()

    def close(self) -> None:
        """Close everything."""
        for place in [*self._idle, *self._busy]:
            self.cut(place)
