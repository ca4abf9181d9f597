"""The connections that a gate may open: never to the machine's own services, and never for longer than said.

A URL in a spec is written by whoever may write Deployments, and is opened by the operator, which stands
where they do not. Link-local addresses hand out the credentials of the machine and of the pod to whoever
asks (EC2 user guide, "Use the Instance Metadata Service"; EKS user guide, "EKS Pod Identity"): they
are refused by the address that was really connected to, so no name and no redirect leads there.

urllib3's timeout begins anew with each piece that arrives, so a server that sends a byte now and then
could hold a thread for hours; the time here is for the whole exchange.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
from functools import partial
from typing import Any, Final, Self

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool

_REFUSED: Final = (
    ipaddress.ip_network("169.254.0.0/16"),
    ipaddress.ip_network("fe80::/10"),
    ipaddress.ip_network("fd00:ec2::/32"),  # the same services over IPv6
)


class AddressRefused(urllib3.exceptions.HTTPError):
    """The name led to an address that gates may not ask."""


def refused(address: str) -> bool:
    """Tell whether gates may not connect to an IP address."""
    found: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return any(found in network for network in _REFUSED)


class _Checked(HTTPConnection):
    """A connection that looks where it came to before it says anything."""

    def __init__(self, *args: Any, exchange: Exchange, **options: Any) -> None:  # noqa: ANN401 - urllib3's own
        super().__init__(*args, **options)
        self._exchange = exchange

    def _new_conn(self) -> socket.socket:
        made = super()._new_conn()
        address = str(made.getpeername()[0])
        if refused(address):
            made.close()
            raise AddressRefused(f"{address} is a link-local address, which gates may not ask")
        self._exchange.opened(made)
        return made

    def connect(self) -> None:
        super().connect()
        if self.sock is not None:
            self._exchange.opened(self.sock)  # with TLS another one than before


class _CheckedTls(_Checked, HTTPSConnection):
    """The same with TLS."""


class _Pools(urllib3.PoolManager):
    def __init__(self, exchange: Exchange, **options: Any) -> None:  # noqa: ANN401 - PoolManager's own
        super().__init__(num_pools=1, **options)
        self._exchange = exchange

    def _new_pool(
        self,
        scheme: str,
        *args: Any,  # noqa: ANN401 - PoolManager's own
        **options: Any,  # noqa: ANN401 - see above
    ) -> HTTPConnectionPool:
        pool = super()._new_pool(scheme, *args, **options)
        kind = _CheckedTls if scheme == "https" else _Checked
        pool.ConnectionCls = partial(kind, exchange=self._exchange)  # type: ignore[assignment]  # it makes one
        return pool


class Exchange:
    """One question and its answer, in at most `seconds`. A context manager whose value asks."""

    def __init__(self, seconds: float, **options: Any) -> None:  # noqa: ANN401 - PoolManager's own
        """Take PoolManager's options (trust)."""
        self._pools = _Pools(self, **options)
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self.over = False
        """The time is over: what was read since is not the answer."""

    def __enter__(self) -> Self:
        """Begin: the time runs."""
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close what was opened."""
        self._timer.cancel()
        self._pools.clear()

    def request(self, method: str, url: str, **options: Any) -> urllib3.BaseHTTPResponse:  # noqa: ANN401 - see above
        """Ask; raises what PoolManager raises, and AddressRefused."""
        return self._pools.request(method, url, **options)

    def opened(self, connected: socket.socket) -> None:
        """Take note of a socket, to be shut when the time is over."""
        with self._lock:
            self._sockets.append(connected)
        if self.over:
            self._end()

    def _end(self) -> None:
        self.over = True
        with self._lock:
            opened, self._sockets = self._sockets, []
        for connected in opened:
            with contextlib.suppress(OSError):  # closed, or another one took its place (TLS)
                connected.shutdown(socket.SHUT_RDWR)
