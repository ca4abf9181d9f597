"""One ALB listener as an HTTP/1.1 proxy: reads requests, asks the router, carries bytes.

Sources: "HTTP headers and Application Load Balancers" (X-Forwarded-For, -Proto, -Port),
"Request tracing" (X-Amzn-Trace-Id), "Troubleshoot your Application Load Balancers" (400, 405, 408, 414,
460, 463, 501, 502, 503, 504, 505 and when each is given), the attributes idle_timeout, client_keep_alive,
drop_invalid_header_fields, x_amzn_tls_version_and_cipher_suite and xff_header_processing, and the
listener's attributes of response headers. Idle time counts while nothing is under way on a client's
connection, and while a target keeps a request waiting (504).

A client that leaves before the answer is counted as 460 once the answer is there.

Not modelled: HTTP/2 and gRPC, TLS towards targets, client certificates, WAF, access logs.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace
from email.utils import formatdate

from sluice_sandbox.aws.elbv2.forwarding import Forward
from sluice_sandbox.aws.elbv2.ledger import Place
from sluice_sandbox.aws.elbv2.replies import Reply, error_reply, phrase
from sluice_sandbox.aws.ports import HttpRequest
from sluice_sandbox.dataplane import http1
from sluice_sandbox.dataplane.listener_settings import ListenerSettings
from sluice_sandbox.dataplane.surroundings import Surroundings
from sluice_sandbox.dataplane.upstream import Upstream

MAX_TARGET = 16 * 1024
MAX_HEADER = 16 * 1024
MAX_FORWARDED = 30
_BROKEN = (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, http1.BadMessage)


class ListenerProxy:
    """Serves the connections of one listener."""

    def __init__(self, listener_arn: str, surroundings: Surroundings) -> None:
        """Serve by the books' present entry for the listener, read anew for every request."""
        self._arn = listener_arn
        self._around = surroundings
        self._router = surroundings.service.router
        self._connections: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}
        self._ended = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client's connection until either side ends it."""
        self._connections[writer] = asyncio.current_task()
        began = time.monotonic()
        self._router.counters.connected(self._arn)
        try:
            while not self._ended and await self._one(reader, writer, began=began):
                pass
        except _BROKEN:
            pass
        except TimeoutError:
            pass  # The client took no answer for longer than the system waits.
        except asyncio.CancelledError:
            pass  # `end` broke it; asyncio's streams would report a cancelled handler as an error.
        finally:
            self._connections.pop(writer, None)
            self._router.counters.disconnected(self._arn)
            writer.close()
            with contextlib.suppress(ConnectionError, TimeoutError):
                await writer.wait_closed()

    async def end(self) -> None:
        """Break all connections and wait until they are gone."""
        self._ended = True
        tasks = [task for task in self._connections.values() if task is not None]
        for writer in list(self._connections):
            writer.transport.abort()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, began: float) -> bool:
        """Serve one request; tell whether the connection stays."""
        idle = ListenerSettings.of(self._around.service, self._arn).idle_timeout / self._around.speed
        try:
            async with asyncio.timeout(idle):
                head = await http1.read_head(reader)
            if head is None:
                return False
            framing = http1.request_framing(head)
        except TimeoutError:
            if await http1.has_begun(reader):
                await self._refuse(writer, 408)
            return False
        except http1.BadMessage as error:
            await self._refuse(writer, error.status)
            return False
        status = _unacceptable(head)
        if status:
            await self._refuse(writer, status)
            return False
        settings = ListenerSettings.of(self._around.service, self._arn)
        exchange = _Exchange(
            self._around, head, framing=framing, client=(reader, writer), idle=idle, settings=settings
        )
        if (time.monotonic() - began) * self._around.speed > settings.keep_alive:
            exchange.stays = False
        decision = self._router.decide(self._arn, exchange.seen(), target=head.start[1])
        if isinstance(decision, Reply):
            await exchange.drain()
            await exchange.reply(decision)
            return exchange.stays
        return await exchange.forward(decision)

    async def _refuse(self, writer: asyncio.StreamWriter, status: int) -> None:
        self._router.counters.failed(Place(self._arn), status=status)
        writer.write(_page(error_reply(status), stays=False, with_body=True))
        await writer.drain()


class _Exchange:
    """One request and what becomes of it."""

    def __init__(
        self,
        around: Surroundings,
        head: http1.Head,
        *,
        framing: http1.Framing,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        idle: float,
        settings: ListenerSettings,
    ) -> None:
        """Begin with a request's head; `idle` is how long its target may be silent, real seconds."""
        self._around = around
        self._router = around.service.router
        self._head = head
        self._framing = framing
        self._reader, self._writer = client
        self._idle = idle
        self._settings = settings
        self.stays = head.keeps_alive
        peer = self._writer.get_extra_info("peername")
        self._client_ip = str(peer[0]) if peer else "127.0.0.1"
        self._client_port = int(peer[1]) if peer else 0

    def seen(self) -> HttpRequest:
        """Return what rule conditions can see of the request."""
        method, target, _ = self._head.start
        path, _, query = target.partition("?")
        pairs = [(key, value) for key, _, value in (part.partition("=") for part in query.split("&") if part)]
        return HttpRequest(
            host=self._head.fields.get("host", ""),
            path=path,
            method=method,
            query=pairs,
            headers=self._head.fields,
            source_ip=self._client_ip,
            repeated=self._head.repeated,
        )

    async def drain(self) -> None:
        """Read the request's body to its end; a client that stops sending is not waited for for ever."""
        try:
            async with asyncio.timeout(self._idle):
                await http1.pass_on(self._reader, http1.Nowhere(), self._framing)
        except TimeoutError:
            self.stays = False
        else:
            self._framing = http1.EMPTY

    async def reply(self, reply: Reply) -> None:
        """Answer in the load balancer's own name."""
        reply = replace(reply, headers=self._settings.on_response(reply.headers, own=True))
        self._writer.write(_page(reply, stays=self.stays, with_body=self._head.start[0] != "HEAD"))
        await self._writer.drain()

    async def forward(self, decision: Forward) -> bool:
        """Carry the request to its target; tell whether the client's connection stays."""
        self._router.begin(decision)
        try:
            upstream = await self._around.pool.acquire((decision.group_arn, decision.ip, decision.port))
        except OSError as error:
            # TimeoutError is an OSError: a target that does not accept is 504, one that refuses 502.
            status = 504 if isinstance(error, TimeoutError) else 502
            return await self._fail(decision, status, drain=True, connected=False)
        reusable = False
        sending: asyncio.Task[None] | None = None
        try:
            upstream.writer.write(http1.render(self._start(decision), self._headers(decision)))
            if not self._framing.is_empty:
                if self._head.fields.get("expect", "").lower() == "100-continue":
                    self._writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                sending = asyncio.create_task(http1.pass_on(self._reader, upstream.writer, self._framing))
            started = time.perf_counter()
            response = await self._response_head(decision, upstream, sending=sending)
            if response is None:
                return self.stays
            seconds = (time.perf_counter() - started) * self._around.speed
            self._count(decision, response.status, seconds)
            if response.status == 101:
                await self._tunnel(response, upstream)
                return False
            framing = await self._pass_response(decision, response, upstream)
            self.stays = self.stays and not framing.ends_with_connection
            if sending is not None:
                # A target may answer before it has read everything; then neither side can go on.
                if not sending.done():
                    self.stays = False
                else:
                    sending.result()
            reusable = self.stays and response.keeps_alive and not framing.ends_with_connection
            return self.stays
        finally:
            if sending is not None and not sending.done():
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
            elif sending is not None and not sending.cancelled():
                sending.exception()
            self._around.pool.release(upstream, reusable=reusable)

    def _count(self, decision: Forward, status: int, seconds: float) -> None:
        """Count the target's answer, or 460 when the client left before it."""
        left = self._reader.at_eof()
        self._router.finish(decision, status=460 if left else status, seconds=seconds, by_target=not left)

    async def _response_head(
        self, decision: Forward, upstream: Upstream, *, sending: asyncio.Task[None] | None
    ) -> http1.Head | None:
        """Return the final response's head, or answer 408, 502 or 504 and return None.

        `sending` carries the request's body, None when there is none.
        """
        try:
            async with asyncio.timeout(self._idle):
                response = await http1.read_head(upstream.reader)
                while response is not None and response.status < 200 and response.status != 101:
                    self._writer.write(http1.render(response.start, response.headers))
                    response = await http1.read_head(upstream.reader)
                if response is not None:
                    http1.response_framing(response, method=self._head.start[0])
        except TimeoutError:
            # Everything that came of an unfinished body is at the target: the client is the slow one.
            waits = sending is not None and not sending.done()
            is_client = waits and upstream.writer.transport.get_write_buffer_size() == 0
            await self._fail(decision, 408 if is_client else 504, drain=False)
            return None
        except _BROKEN:
            response = None
        if response is None:
            await self._fail(decision, 502, drain=False)
        return response

    async def _pass_response(
        self, decision: Forward, response: http1.Head, upstream: Upstream
    ) -> http1.Framing:
        framing = http1.response_framing(response, method=self._head.start[0])
        # Chunks are HTTP/1.1: an older client gets the bare body, and its end by the connection's.
        unchunked = framing.chunked and self._head.version == "HTTP/1.0"
        stays = self.stays and not (framing.ends_with_connection or unchunked)
        dropped = http1.HOP_BY_HOP | ({"transfer-encoding"} if unchunked else set())
        headers = [item for item in response.headers if item[0].lower() not in dropped]
        if "date" not in response.fields:
            headers.insert(0, ("Date", formatdate(usegmt=True)))
        headers = list(self._settings.on_response(headers))
        headers += [("Set-Cookie", cookie) for cookie in decision.set_cookies]
        name, cookie = decision.app_cookie
        set_by_target = [value for key, value in headers if key.lower() == "set-cookie"]
        if name and any(value.startswith(f"{name}=") for value in set_by_target):
            headers.append(("Set-Cookie", cookie))
        headers.append(("Connection", "keep-alive" if stays else "close"))
        start = "HTTP/1.1", response.start[1], response.start[2]
        self.stays = stays
        await http1.pass_on(
            upstream.reader,
            self._writer,
            framing,
            before=http1.render(start, headers),
            bare=unchunked,
        )
        return framing

    async def _tunnel(self, response: http1.Head, upstream: Upstream) -> None:
        """Carry bytes both ways until either side ends."""
        self._writer.write(http1.render(response.start, response.headers))
        ways = [
            asyncio.create_task(http1.pass_on(upstream.reader, self._writer, http1.Framing())),
            asyncio.create_task(http1.pass_on(self._reader, upstream.writer, http1.Framing())),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _fail(self, decision: Forward, status: int, *, drain: bool, connected: bool = True) -> bool:
        """Answer 408, 502 or 504; the client's connection stays only when its body was read to the end."""
        self._router.finish(decision, status=status, seconds=0.0, by_target=False, connected=connected)
        if drain and "expect" not in self._head.fields:
            await self.drain()
        self.stays = self.stays and self._framing.is_empty
        await self.reply(error_reply(status))
        return self.stays

    def _start(self, decision: Forward) -> tuple[str, str, str]:
        return self._head.start[0], decision.target, "HTTP/1.1"

    def _headers(self, decision: Forward) -> http1.Headers:
        """Return the headers that the target gets."""
        settings = self._settings
        mode = settings.attributes["routing.http.xff_header_processing.mode"]
        dropped = {"host", "expect", "x-forwarded-proto", "x-forwarded-port", "x-amzn-trace-id"}
        if mode != "preserve":
            dropped.add("x-forwarded-for")
        upgrades = self._head.upgrades
        headers = [("Host", decision.host)]
        for name, value in self._head.headers:
            lower = name.lower()
            if settings.drops(name):
                continue
            if lower not in dropped and (lower not in http1.HOP_BY_HOP or (upgrades and lower == "upgrade")):
                headers.append((name, value))
        if mode == "append":
            own = self._client_ip
            if settings.attributes["routing.http.xff_client_port.enabled"] == "true":
                own = f"{own}:{self._client_port}"
            before = self._head.fields.get("x-forwarded-for")
            headers.append(("X-Forwarded-For", f"{before}, {own}" if before else own))
        headers += [
            ("X-Forwarded-Proto", settings.protocol.lower()),
            ("X-Forwarded-Port", str(settings.port)),
            ("X-Amzn-Trace-Id", self._trace()),
            *settings.on_request(self._writer.get_extra_info("cipher")),
            ("Connection", "Upgrade" if upgrades else "keep-alive"),
        ]
        return headers

    def _trace(self) -> str:
        """Return the trace id: Root made here, or Self put before the client's own fields."""
        fresh = f"1-{int(time.time()):08x}-{self._around.rng.getrandbits(96):024x}"
        given = self._head.fields.get("x-amzn-trace-id")
        return f"Self={fresh};{given}" if given and "Root=" in given else f"Root={fresh}"


def _unacceptable(head: http1.Head) -> int:
    """Return the status that refuses a request before any rule, 0 when it is acceptable."""
    if len(head.start[1]) > MAX_TARGET:
        return 414
    if head.start[0] == "TRACE":
        return 405
    if any(len(name) + len(value) > MAX_HEADER for name, value in head.headers):
        return 400
    if head.version == "HTTP/1.1" and "host" not in head.fields:
        return 400
    if head.fields.get("x-forwarded-for", "").count(",") >= MAX_FORWARDED:
        return 463
    return 0


def _page(reply: Reply, *, stays: bool, with_body: bool) -> bytes:
    headers = [
        *reply.headers,
        ("Date", formatdate(usegmt=True)),
        ("Content-Length", str(len(reply.body))),
        ("Connection", "keep-alive" if stays else "close"),
    ]
    start = "HTTP/1.1", str(reply.status), phrase(reply.status)
    return http1.render(start, headers) + (reply.body if with_body else b"")
