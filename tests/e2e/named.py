"""Clients of a DNS name: a standard resolver library that honours the TTL, and a call to who was answered.

Each client has a cache of its own and begins at its own moment, so that together they hold whatever answers
clients could hold. Every call is a connection of its own, and nobody tries again.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from typing import Any, Self

import dns.exception
import dns.resolver
import urllib3

from e2e.desk import Desk
from e2e.waiting import until

PORT = 8080
_EVERY_S = 0.05
_CLIENTS = 4


class NamedCalls:
    """Calls to a name from `with` to its end; then `empty`, `dead` and `images` say how that went."""

    def __init__(self, desk: Desk, name: str, *, clients: int = _CLIENTS) -> None:
        """Resolve `name` at the sandbox's resolver."""
        self._dns, self._name = desk.aws.estate["dns"], name
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.images: Counter[str] = Counter()
        self.empty: list[str] = []
        """Answers without an address."""
        self.dead: list[str] = []
        """Calls to an address at which nobody answered with 200."""
        self._heard: dict[str, float] = {}
        self._threads = [
            threading.Thread(target=self._work, args=(number / clients,), name=f"named {number}", daemon=True)
            for number in range(clients)
        ]

    def __enter__(self) -> Self:
        """Begin; somebody has answered when this returns."""
        for thread in self._threads:
            thread.start()
        until(lambda: self.images, f"{self._name} is answered")
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()

    def lately(self, *, seconds: float = 2.0) -> set[str]:
        """Return the images that answered within the last seconds."""
        since = time.monotonic() - seconds
        with self._lock:
            return {image for image, at in self._heard.items() if at >= since}

    def wait_for(self, *images: str, seconds: float = 90.0) -> None:
        """Wait until exactly these images answer."""
        until(lambda: self.lately() == set(images), f"{self._name} is {', '.join(images)}", seconds=seconds)

    def share(self, image: str, *, calls: int = 150) -> float:
        """Return the share of the next calls that an image answers."""
        with self._lock:
            before = Counter(self.images)
        until(lambda: self.images.total() >= before.total() + calls, f"{calls} calls are answered")
        with self._lock:
            counted = self.images - before
        return counted[image] / counted.total()

    def assert_unharmed(self) -> None:
        """Ask that no answer was empty and no address dead."""
        assert not self.empty, f"{len(self.empty)} empty answers: {self.empty[:3]}"
        assert not self.dead, f"{len(self.dead)} dead calls: {self.dead[:3]}"
        assert self.images.total() > 100

    def _work(self, phase: float) -> None:
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = [self._dns["host"]], self._dns["port"]
        resolver.cache, resolver.lifetime = dns.resolver.Cache(), 5
        self._stop.wait(phase)
        with urllib3.PoolManager() as pool:
            while not self._stop.wait(_EVERY_S):
                try:
                    addresses = [record.address for record in resolver.resolve(self._name, "A")]
                except dns.exception.DNSException as nothing:
                    with self._lock:
                        self.empty.append(f"{type(nothing).__name__}: {nothing}")
                    continue
                self._call(pool, random.choice(addresses))

    def _call(self, pool: urllib3.PoolManager, address: str) -> None:
        try:
            answer: Any = pool.request(
                "GET",
                f"http://{address}:{PORT}/",
                headers={"Connection": "close"},
                retries=False,
                timeout=5,
            )
            image = answer.json()["image"] if answer.status == 200 else ""
            why = f"{address}: status {answer.status}"
        except urllib3.exceptions.HTTPError as failure:
            image, why = "", f"{address}: {failure}"
        with self._lock:
            if image:
                self.images[image] += 1
                self._heard[image] = time.monotonic()
            else:
                self.dead.append(f"{time.strftime('%H:%M:%S')} {why}")
