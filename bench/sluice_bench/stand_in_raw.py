"""Pre-signed calls over plain sockets: a client that costs so little that the server is what is measured.

boto3 makes and signs a request once; its bytes are then sent again and again, over one or more connections
that a single thread watches, one call under way on each.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from sluice_bench.operator_process import BenchFailed

_END = b"\r\n\r\n"
_TIMEOUT = 120.0


class _Captured(Exception):  # noqa: N818 - carries a request past boto3's sending, is no error
    def __init__(self, request: Any) -> None:  # noqa: ANN401 - botocore has no types
        self.request = request


def capture(client: Any, operation: str, **params: Any) -> bytes:  # noqa: ANN401 - boto3 has no types
    """Return the bytes of the HTTP request that boto3 would send."""

    def stop(request: Any, **_: Any) -> None:  # noqa: ANN401 - likewise
        raise _Captured(request)

    client.meta.events.register_first("before-send", stop)
    try:
        getattr(client, operation)(**params)
    except _Captured as caught:
        return _bytes(caught.request)
    finally:
        client.meta.events.unregister("before-send", stop)
    raise BenchFailed(f"boto3 did not send {operation}")


def _bytes(request: Any) -> bytes:  # noqa: ANN401 - botocore has no types
    url = urlsplit(request.url)
    body = request.body or b""
    body = body.encode() if isinstance(body, str) else bytes(body)
    headers = {name: _text(value) for name, value in request.headers.items()}
    headers |= {"Host": url.netloc, "Content-Length": str(len(body))}
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    lines = [f"{request.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + _END + body


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def renamed(request: bytes, old: str, new: str) -> bytes:
    """Return a request with a name replaced by one of the same length; signatures are not verified."""
    if len(old) != len(new):
        raise ValueError(f"{new} must be as long as {old}: the length of the body is signed and told")
    return request.replace(old.encode(), new.encode())


@dataclass(slots=True)
class _Line:
    """One connection with the answer that is arriving on it."""

    stream: socket.socket
    began: float = 0.0
    data: bytearray = field(default_factory=bytearray)
    whole: int = 0
    """Bytes of the whole answer, 0 while its head is not there."""
    ends: bool = False
    """The server said that it closes the connection after this answer."""


def replay(
    url: str, requests: Iterable[bytes], *, connections: int = 1, expect: int = 200
) -> tuple[float, list[float]]:
    """Send `requests`; return wall seconds of all and of each; raises BenchFailed on another status."""
    address = urlsplit(url)
    place = (str(address.hostname), int(address.port or 80))
    left = iter(requests)
    seconds: list[float] = []
    began = time.perf_counter()
    with selectors.DefaultSelector() as selector:

        def send(line: _Line) -> bool:
            request = next(left, None)
            if request is None or line.ends:
                selector.unregister(line.stream)
                line.stream.close()
            if request is None:
                return False
            if line.ends:
                line.stream = _connected(place)
                selector.register(line.stream, selectors.EVENT_READ, line)
            line.data.clear()
            line.whole, line.ends, line.began = 0, False, time.perf_counter()
            line.stream.sendall(request)
            return True

        busy = 0
        for _ in range(connections):
            line = _Line(_connected(place))
            selector.register(line.stream, selectors.EVENT_READ, line)
            busy += send(line)
        while busy:
            ready = selector.select(_TIMEOUT)
            if not ready:
                raise BenchFailed(f"no answer for {_TIMEOUT:g} s")
            for key, _ in ready:
                if _received(key.data, expect=expect):
                    seconds.append(time.perf_counter() - key.data.began)
                    busy -= not send(key.data)
    return time.perf_counter() - began, seconds


def _connected(place: tuple[str, int]) -> socket.socket:
    stream = socket.create_connection(place, timeout=_TIMEOUT)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return stream


def _received(line: _Line, *, expect: int) -> bool:
    """Take what has arrived; tell whether the answer is whole."""
    found = line.stream.recv(1 << 20)
    if not found:
        raise BenchFailed("the server ended the connection")
    line.data += found
    if not line.whole:
        end = line.data.find(_END)
        if end < 0:
            return False
        head = bytes(line.data[:end]).decode("latin-1").lower()
        length = next(
            row.partition(":")[2] for row in head.split("\r\n") if row.startswith("content-length:")
        )
        line.ends = "\r\nconnection: close" in head
        line.whole = end + len(_END) + int(length)
    if len(line.data) < line.whole:
        return False
    status = int(line.data.split(b" ", 2)[1])
    if status != expect:
        raise BenchFailed(f"answered {status}: {bytes(line.data[:600]).decode(errors='replace')}")
    return True
