"""What gates may connect to, and for how long, over real sockets on loopback."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sluice.analysis import connections
from sluice.analysis.http import HttpClient, NoReply
from unit.analysis.scenes import Secrets, said, server

ADDRESSES = {
    "169.254.169.254": True,
    "169.254.170.23": True,
    "::ffff:169.254.169.254": True,
    "fd00:ec2::254": True,
    "fd00:ec2::23": True,
    "fe80::1%eth0": True,
    "127.0.0.1": False,
    "10.0.3.7": False,
    "52.94.5.1": False,
    "2600::1": False,
}


@pytest.mark.parametrize(("address", "refused"), ADDRESSES.items())
def test_link_local_addresses_are_refused(address: str, *, refused: bool) -> None:
    """They hand out the machine's and the pod's credentials; everything else may be a provider."""
    assert connections.refused(address) is refused


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_refused_address_hears_nothing(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decided by where the connection came to: no name leads around it, and no request is sent."""
    loopback = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
    monkeypatch.setattr(connections, "_REFUSED", loopback)
    with server(said("secret")) as (address, received):
        url = address.replace("127.0.0.1", host) + "/latest/meta-data"
        with pytest.raises(NoReply, match="which gates may not ask"):
            _client().send("shop", "GET", url, timeout=5)
    assert received == []


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\n\r\n"], ids=["header", "body"])
def test_a_server_that_trickles_is_left_when_the_time_is_over(head: bytes) -> None:
    """Each byte would begin urllib3's timeout anew: a thread of all namespaces' gates would be held."""
    with trickling(head) as port:
        began = time.monotonic()
        with pytest.raises(NoReply, match="no answer in time"):
            _client().send("shop", "GET", f"http://127.0.0.1:{port}/", timeout=0.5)
    assert time.monotonic() - began < 5


def _client() -> HttpClient:
    return HttpClient(Secrets())  # type: ignore[arg-type]  # only secret() is used


@contextmanager
def trickling(head: bytes) -> Iterator[int]:
    """Listen on loopback, and answer one client with `head` and then a byte now and then."""
    ended = threading.Event()
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        client, _ = listening.accept()
        with client:
            client.recv(4096)
            try:
                client.sendall(head)
                while not ended.wait(0.05):
                    client.sendall(b"x")
            except OSError:
                return  # it hung up, as it should

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        ended.set()
        thread.join(5)
        listening.close()
