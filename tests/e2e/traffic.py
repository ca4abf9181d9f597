"""Clients of the load balancer: open-loop requests in a thread, and a WebSocket that talks all the time."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit

import urllib3

from e2e.waiting import until
from sluice_sandbox.dataplane import load, websocket
from sluice_sandbox.dataplane.load_report import Report, SecondReport

_LONGEST_S = 1_800.0


class Load:
    """Requests at a rate from `with` to its end; then `report` has what became of each."""

    def __init__(self, url: str, *, host: str, rate: float) -> None:
        """Aim at a listener's URL with a Host header."""
        self._plan = load.Plan(url=url, host=host, rate=rate, duration_seconds=_LONGEST_S)
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._work, name=f"load {url}", daemon=True)
        self._seconds: list[SecondReport] = []
        self.images: dict[str, float] = {}
        """When each image answered first (monotonic seconds), known here once that second is over."""
        self.report = Report(url=url, rate=rate)

    def __enter__(self) -> Self:
        """Start; the first second is over when this returns."""
        self._thread.start()
        until(lambda: self._seconds, "a second of load is over")
        return self

    def __exit__(self, *_: object) -> None:
        """Stop and wait for the answers under way."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)
        assert not self._thread.is_alive()

    def _work(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            self.report = runner.run(load.run(self._plan, on_second=self._heard, stop=self._stop))

    def _heard(self, second: SecondReport) -> None:
        self._seconds.append(second)
        for image, at in second.first_heard.items():
            self.images[image] = min(at, self.images.get(image, at))

    def share(self, image: str, *, seconds: int = 3) -> float:
        """Return the share of the answers that come from that image in the next seconds."""
        begin = len(self._seconds) + 1  # the second under way is older than this call
        until(lambda: len(self._seconds) >= begin + seconds, f"{seconds} s of answers")
        counted = self._seconds[begin : begin + seconds]
        return sum(item.images[image] for item in counted) / sum(item.images.total() for item in counted)

    def wait_for_image(self, image: str) -> None:
        """Wait until an answer came from that image."""
        until(lambda: image in self.images, f"{image} answers")

    @property
    def failures(self) -> dict[str, int]:
        """Every answer that is not 2xx and every request without an answer, by what it was; {} is good."""
        figures = self.report.to_json()
        found: dict[str, int] = dict(figures["connectionErrors"])
        found |= {code: count for code, count in figures["statusCodes"].items() if not code.startswith("2")}
        return found | ({"not sent": figures["notSent"]} if figures["notSent"] else {})

    @property
    def unexcused(self) -> dict[str, int]:
        """What a candidate may never cause: failures of the load balancer or of no answer; {} is good."""
        figures = self.report.to_json()
        found: dict[str, int] = dict(figures["connectionErrors"])
        odd = {code: count for code, count in figures["statusCodes"].items() if code not in ("200", "500")}
        return found | odd | ({"not sent": figures["notSent"]} if figures["notSent"] else {})

    @property
    def failed_by(self) -> dict[str, int]:
        """Answers of 500 and above by the image that gave them, `load balancer` for its own."""
        return dict(self.report.to_json()["failuresBy"])

    @property
    def sent(self) -> int:
        """How many requests were sent."""
        return self.report.sent


class Talk:
    """A WebSocket through the load balancer that says something every 50 ms until the task says goodbye."""

    def __init__(self, url: str, *, host: str) -> None:
        """Connect and begin."""
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname, parts.port), timeout=20)
        request = (
            f"GET /talk HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Key: c2x1aWNlLWUyZS10ZXN0IQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        self._socket.sendall(request.encode())
        self._stream = self._socket.makefile("rb")
        self.status = int(self._stream.readline().split()[1])
        while self._stream.readline().strip():
            """The rest of the head says nothing that matters here."""
        self.echoes = 0
        self.last_echo = 0.0
        """Monotonic seconds."""
        self.goodbye: int | None = None
        """The status of the close frame (RFC 6455 section 7.4), once it came."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="talk", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        """Go on talking."""
        return self

    def __exit__(self, *_: object) -> None:
        """Hang up."""
        self._stop.set()
        self._thread.join(30)
        self._stream.close()
        self._socket.close()

    @property
    def alive(self) -> bool:
        """Whether it still talks."""
        return self._thread.is_alive()

    def _work(self) -> None:
        with suppress(OSError):
            while not self._stop.wait(0.05):
                text = f"hello {self.echoes}".encode()
                self._socket.sendall(websocket.frame(0x1, text, mask=b"abcd"))
                if self._read() != text:
                    return
                self.echoes += 1
                self.last_echo = time.monotonic()

    def _read(self) -> bytes:
        """Return the payload of the next frame, b'' at the end."""
        head = self._stream.read(2)
        if len(head) < 2:
            return b""
        payload = self._stream.read(head[1] & 0x7F)
        if head[0] & 0x0F == websocket.CLOSE:
            self.goodbye = int.from_bytes(payload[:2], "big")
            return b""
        return payload


class Sticky:
    """Clients with a cookie jar each, who ask over and over on connections that stay open."""

    def __init__(self, url: str, *, host: str, clients: int) -> None:
        """Aim at a listener's URL with a Host header."""
        self._url, self._host = url, host
        self._stop = threading.Event()
        self.images: list[list[str]] = [[] for _ in range(clients)]
        """The image of each answer, by client."""
        self.failures: list[str] = []
        self._threads = [
            threading.Thread(target=self._work, args=(seen,), name="sticky", daemon=True)
            for seen in self.images
        ]

    def __enter__(self) -> Self:
        """Begin; each client has an answer when this returns."""
        for thread in self._threads:
            thread.start()
        until(lambda: all(self.images), "each client has an answer")
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _work(self, seen: list[str]) -> None:
        cookies: dict[str, str] = {}
        with urllib3.PoolManager(num_pools=1) as pool:
            while not self._stop.wait(0.1):
                headers = {"Host": self._host}
                if cookies:
                    headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
                try:
                    answer = pool.request("GET", self._url, headers=headers, timeout=10, retries=False)
                except urllib3.exceptions.HTTPError as error:
                    self.failures.append(str(error))
                    continue
                if answer.status != 200:
                    self.failures.append(f"{answer.status}")
                    continue
                for line in answer.headers.getlist("Set-Cookie"):
                    name, _, value = line.partition(";")[0].partition("=")
                    cookies[name] = value
                seen.append(str(answer.json()["image"]))
