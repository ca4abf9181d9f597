"""A bounded open-loop load generator: what `sluice sandbox load`, the demo and the tests measure with.

Open loop: requests leave at their due time whatever became of those before, and latency counts from
the due time, so a stall is not hidden by the generator waiting with it. It asks the echo servers who
they are and reports, second by second, how traffic was split by image, revision and slot.

Bounds: MAX_RATE, MAX_DURATION, MAX_IN_FLIGHT; what is due beyond the last is counted as not sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from sluice_sandbox.dataplane import http1
from sluice_sandbox.dataplane.load_report import Report, SecondReport

MAX_RATE = 2_000.0
MAX_DURATION = 3_600.0
MAX_IN_FLIGHT = 1_000
_FAREWELL_S = 2.0
_BROKEN = (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, http1.BadMessage)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to send. Durations in real seconds; `rate` in requests per second.

    `host` is the Host header (and the TLS server name), the URL's own when empty. Certificates are not
    verified: those of a sandbox are self-signed. Raises ValueError for what is out of bounds.
    """

    url: str
    rate: float
    duration_seconds: float
    host: str = ""
    path: str = ""
    """Overrides the URL's path when given."""
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout_seconds: float = 10.0

    def __post_init__(self) -> None:
        """Refuse what cannot be sent or is out of bounds."""
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{self.url!r} is no http or https URL")
        if not 0 < self.rate <= MAX_RATE:
            raise ValueError(f"the rate must be above 0 and at most {MAX_RATE:.0f} requests a second")
        if not 0 < self.duration_seconds <= MAX_DURATION:
            raise ValueError(f"the duration must be above 0 and at most {MAX_DURATION:.0f} seconds")
        if self.path and not self.path.startswith("/"):
            raise ValueError(f"the path {self.path!r} must begin with '/'")


async def run(
    plan: Plan,
    *,
    on_second: Callable[[SecondReport], None] | None = None,
    stop: asyncio.Event | None = None,
) -> Report:
    """Send the plan's load and return the report.

    `on_second` is given each second's figures once all of its requests are answered; `stop` ends the
    load early. Never raises for what the other side does: that is in the report.
    """
    generator = _Generator(plan, stop or asyncio.Event())
    return await generator.run(on_second)


@dataclass(eq=False, slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    used: bool = False


class _Body:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> None:
        self.data += data

    async def drain(self) -> None:
        """Be ready at once."""


class _Generator:
    """One run."""

    def __init__(self, plan: Plan, stop: asyncio.Event) -> None:
        self._plan = plan
        self._stop = stop
        parts = urlsplit(plan.url)
        self._is_tls = parts.scheme == "https"
        self._address = parts.hostname or "", parts.port or (443 if self._is_tls else 80)
        self._server_name = (plan.host or parts.hostname or "").partition(":")[0]
        target = plan.path or parts.path or "/"
        if parts.query and not plan.path:
            target += f"?{parts.query}"
        headers = [("Host", plan.host or parts.netloc), ("User-Agent", "sluice-sandbox-load")]
        self._request = http1.render((plan.method, target, "HTTP/1.1"), [*headers, *plan.headers.items()])
        self._tls = _tls_context() if self._is_tls else None
        self._idle: list[_Connection] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._pending: Counter[int] = Counter()
        self.report = Report(url=plan.url, rate=plan.rate)

    async def run(self, on_second: Callable[[SecondReport], None] | None) -> Report:
        """Send until the end, wait for what is under way, close."""
        started = time.perf_counter()
        total = max(1, int(self._plan.rate * self._plan.duration_seconds))
        sent = 0
        told = 0
        while sent < total and not self._stop.is_set():
            now = time.perf_counter() - started
            while sent < total and sent / self._plan.rate <= now:
                self._launch(started, sent / self._plan.rate)
                sent += 1
            told = self._tell(told, int(now), on_second)
            if sent < total:
                await self._wait_until(started + sent / self._plan.rate)
        if self._tasks:
            await asyncio.wait(self._tasks)
        self.report.duration_seconds = time.perf_counter() - started
        self._tell(told, len(self.report.seconds), on_second)
        await self._close()
        return self.report

    async def _close(self) -> None:
        """Close what is open, and wait for TLS's farewell: a loop that ends before leaves open sockets."""
        for connection in self._idle:
            connection.writer.close()
        farewells = [connection.writer.wait_closed() for connection in self._idle]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL_S):
                await asyncio.gather(*farewells, return_exceptions=True)

    async def _wait_until(self, when: float) -> None:
        # At least a millisecond: several requests may leave at once, none leaves early.
        delay = max(0.001, when - time.perf_counter())
        try:
            async with asyncio.timeout(delay):
                await self._stop.wait()
        except TimeoutError:
            return

    def _tell(self, told: int, upto: int, on_second: Callable[[SecondReport], None] | None) -> int:
        """Report the seconds that are over and fully answered."""
        while told < min(upto, len(self.report.seconds)) and not self._pending[told]:
            if on_second is not None:
                on_second(self.report.seconds[told])
            told += 1
        return told

    def _launch(self, started: float, due: float) -> None:
        second = self.report.second(int(due))
        if len(self._tasks) >= MAX_IN_FLIGHT:
            second.not_sent += 1
            return
        second.sent += 1
        self._pending[int(due)] += 1
        task = asyncio.create_task(self._send(second, started + due))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, second: SecondReport, due: float) -> None:
        try:
            async with asyncio.timeout(self._plan.timeout_seconds):
                head, body = await self._exchange()
        except TimeoutError:
            second.failed("timeout")
        except ConnectionRefusedError:
            second.failed("refused")
        except _BROKEN:
            second.failed("broken")
        except OSError:
            second.failed("unreachable")
        else:
            self._record(second, head, body, seconds=time.perf_counter() - due)
        finally:
            self._pending[second.second] -= 1

    async def _exchange(self) -> tuple[http1.Head, bytes]:
        """Send one request. A kept connection that was closed meanwhile is replaced once."""
        connection = self._kept()
        if connection is not None:
            try:
                return await self._over(connection)
            except _BROKEN:
                if connection.used:
                    # Bytes of an answer came: the failure is real, not a stale connection.
                    raise
        reader, writer = await asyncio.open_connection(
            *self._address,
            ssl=self._tls,
            server_hostname=self._server_name if self._is_tls else None,
            limit=http1.MAX_HEAD,
        )
        return await self._over(_Connection(reader, writer))

    def _kept(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not (connection.reader.at_eof() or connection.writer.is_closing()):
                return connection
            connection.writer.close()
        return None

    async def _over(self, connection: _Connection) -> tuple[http1.Head, bytes]:
        connection.used = False
        is_done = False
        try:
            connection.writer.write(self._request)
            await connection.writer.drain()
            head = await http1.read_head(connection.reader)
            if head is None:
                raise ConnectionResetError("closed without an answer")
            connection.used = True
            framing = http1.response_framing(head, method=self._plan.method)
            body = _Body()
            await http1.pass_on(connection.reader, body, framing)
            is_done = head.keeps_alive and not framing.ends_with_connection
        finally:
            if is_done:
                self._idle.append(connection)
            else:
                connection.writer.close()
        return head, bytes(body.data)

    def _record(self, second: SecondReport, head: http1.Head, body: bytes, *, seconds: float) -> None:
        echo: Any = None
        if "json" in head.fields.get("content-type", ""):
            try:
                echo = json.loads(body)
            except ValueError:
                echo = None
        said = echo if isinstance(echo, dict) else {}
        second.answered(head.status, seconds=seconds, echo=said, now=time.monotonic())


def _tls_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context
