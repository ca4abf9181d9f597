"""Clients that know a name alone: they resolve it, keep the answer for its TTL, and call who is in it.

Each has a cache of its own, begun at its own moment, so that together they hold every answer that a client
could hold. A call is a connection of its own: a task that is gone refuses it, and nobody tries again.
"""

from __future__ import annotations

import dataclasses
import http.client
import json
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from sluice_sandbox.dns.client import DnsFailed, ask

_CALL_TIMEOUT_S = 5.0
_LATEST_S = 2.0


@dataclass(slots=True)
class Seen:
    """What all of them saw."""

    resolved: int = 0
    """Questions asked of DNS."""
    empty: int = 0
    """Of these, answered with no address, or not at all."""
    calls: int = 0
    dead: int = 0
    """Calls to an address where nobody answered, or not with 200."""
    images: Counter[str] = field(default_factory=Counter)
    first: list[str] = field(default_factory=list)
    """The first few that went wrong, for a person."""


class Callers:
    """`clients` of a name, from `start` to `stop`."""

    def __init__(
        self, resolver: tuple[str, int], name: str, *, port: int, path: str = "/", clients: int, every: float
    ) -> None:
        """Call `name` at `port` every `every` seconds each, once started."""
        self._resolver, self._name, self._port, self._path = resolver, name, port, path
        self._every = every
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._seen = Seen()
        self._heard: dict[str, float] = {}
        self._threads = [
            threading.Thread(
                target=self._work, args=(number / clients,), name=f"caller {number}", daemon=True
            )
            for number in range(clients)
        ]

    def start(self) -> Callers:
        """Begin."""
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> Seen:
        """End, and return what was seen."""
        self._stop.set()
        for thread in self._threads:
            thread.join(_CALL_TIMEOUT_S * 3)
        return self._seen

    def seen(self) -> Seen:
        """Return what was seen so far."""
        with self._lock:
            return dataclasses.replace(
                self._seen, images=Counter(self._seen.images), first=list(self._seen.first)
            )

    def latest(self) -> frozenset[str]:
        """Return the images that have answered within the last two seconds."""
        since = time.monotonic() - _LATEST_S
        with self._lock:
            return frozenset(image for image, at in self._heard.items() if at >= since)

    def _work(self, phase: float) -> None:
        addresses: list[str] = []
        fresh_until = 0.0
        self._stop.wait(phase)
        while not self._stop.wait(self._every):
            if time.monotonic() >= fresh_until:
                # Counted from before the question: nobody keeps an answer for longer than its TTL.
                asked = time.monotonic()
                addresses, ttl = self._resolve()
                fresh_until = asked + ttl
            if addresses:
                self._call(random.SystemRandom().choice(addresses))

    def _resolve(self) -> tuple[list[str], float]:
        try:
            reply = ask(self._resolver, self._name)
        except DnsFailed as failure:
            found, ttl, why = [], 0, str(failure)
        else:
            found = [str(record.value) for record in reply.records if record.kind == "A"]
            ttl, why = reply.ttl, f"code {reply.code}, no address"
        with self._lock:
            self._seen.resolved += 1
            if not found:
                self._seen.empty += 1
                self._note(f"{self._name}: {why}")
        return found, ttl

    def _call(self, address: str) -> None:
        connection = http.client.HTTPConnection(address, self._port, timeout=_CALL_TIMEOUT_S)
        try:
            connection.request("GET", self._path, headers={"Host": self._name, "Connection": "close"})
            answer = connection.getresponse()
            text = answer.read()
            image = str(json.loads(text)["image"]) if answer.status == 200 else ""
            why = f"{address}: status {answer.status}"
        except (OSError, http.client.HTTPException, ValueError, KeyError) as failure:
            image, why = "", f"{address}: {failure}"
        finally:
            connection.close()
        with self._lock:
            self._seen.calls += 1
            if image:
                self._seen.images[image] += 1
                self._heard[image] = time.monotonic()
            else:
                self._seen.dead += 1
                self._note(why)

    def _note(self, text: str) -> None:
        if len(self._seen.first) < 5:
            self._seen.first.append(text)
