"""One listener of a network load balancer: each connection goes to one target, bytes both ways.

Source: "Network Load Balancer components" (a flow keeps its target for its whole life; the idle timeout of
TCP listeners is 350 s by default) and botocore's `tcp.idle_timeout.seconds`. TCP and TLS listeners are
served; TLS ends here and goes on as TCP. Not modelled: UDP, QUIC, client address preservation, proxy
protocol, source-ip stickiness, the hash that chooses a target (targets take turns).
"""

from __future__ import annotations

import asyncio
import contextlib

from sluice_sandbox.aws.elbv2.forwarding import Forward
from sluice_sandbox.dataplane import http1
from sluice_sandbox.dataplane.surroundings import Surroundings

_BROKEN = (ConnectionError, TimeoutError, asyncio.IncompleteReadError)


class FlowProxy:
    """Serves the connections of one listener."""

    def __init__(self, listener_arn: str, surroundings: Surroundings) -> None:
        """Choose targets by the books' present entry for the listener."""
        self._arn = listener_arn
        self._around = surroundings
        self._flows: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until either side ends it; reset it when there is no target."""
        router = self._around.service.router
        self._flows[writer] = asyncio.current_task()
        router.counters.connected(self._arn, name="NewFlowCount")
        try:
            flow = router.decide_flow(self._arn)
            if flow is None:
                writer.transport.abort()
            else:
                await self._carry(flow, reader, writer)
        except (*_BROKEN, OSError):
            writer.transport.abort()
        except asyncio.CancelledError:
            pass  # `end` broke it; asyncio's streams would report a cancelled handler as an error.
        finally:
            self._flows.pop(writer, None)
            router.counters.disconnected(self._arn)
            writer.close()
            with contextlib.suppress(ConnectionError, TimeoutError):
                await writer.wait_closed()

    async def end(self) -> None:
        """Break all connections and wait until they are gone."""
        tasks = [task for task in self._flows.values() if task is not None]
        for writer in list(self._flows):
            writer.transport.abort()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _carry(self, flow: Forward, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pool = self._around.pool
        upstream = await pool.acquire((flow.group_arn, flow.ip, flow.port))
        idle = float(self._idle_timeout()) / self._around.speed
        last = [asyncio.get_running_loop().time()]
        ways = [
            asyncio.create_task(_copy(reader, upstream.writer, last)),
            asyncio.create_task(_copy(upstream.reader, writer, last)),
        ]
        try:
            while pending := [way for way in ways if not way.done()]:
                left = last[0] + idle - asyncio.get_running_loop().time()
                if left <= 0:
                    break
                done, _ = await asyncio.wait(pending, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                if any(way.exception() is not None for way in done):
                    break
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            pool.release(upstream, reusable=False)

    def _idle_timeout(self) -> str:
        listener = self._around.service.state.of_arn(self._arn).listeners.get(self._arn)
        attributes = listener.attributes if listener is not None else {}
        return attributes.get("tcp.idle_timeout.seconds", "350")


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter, last: list[float]) -> None:
    """Copy bytes until the source ends, then end the sink's half; `last` keeps when a byte passed."""
    while piece := await source.read(http1.PIECE):
        last[0] = asyncio.get_running_loop().time()
        sink.write(piece)
        await sink.drain()
    if sink.can_write_eof():
        sink.write_eof()
