"""Older copies of a service's state, for reads that miss the latest writes.

AWS is eventually consistent: a read shortly after a write may not show it. While a stale-read fault
is active, a deep copy of the service's state is kept from before each write; a stale read is answered
from the copy that was current `seconds` ago. Nothing is kept when no such fault is active.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sluice_sandbox.aws.service import Service

MAX_COPIES = 200
"""Copies kept per service: a storm of writes under the fault must not eat the memory."""


@dataclass(slots=True)
class History:
    """Copies by service name: (world time of the write, state before it), oldest first."""

    _copies: dict[str, deque[tuple[float, Any]]] = field(default_factory=dict)

    def before_write(self, service: Service, *, now: float, horizon: float) -> None:
        """Keep a copy from before a write, and forget those older than `horizon` seconds."""
        copies = self._copies.setdefault(service.name, deque(maxlen=MAX_COPIES))
        while copies and copies[0][0] < now - horizon:
            copies.popleft()
        copies.append((now, copy.deepcopy(service.state)))

    @contextmanager
    def as_of(self, service: Service, moment: float) -> Iterator[None]:
        """Let `service` answer from what it was at `moment`; live state when nothing was written since."""
        older = next((state for at, state in self._copies.get(service.name, ()) if at > moment), None)
        if older is None:
            yield
            return
        live, service.state = service.state, older
        try:
            yield
        finally:
            service.state = live

    def clear(self) -> None:
        """Forget all copies."""
        self._copies.clear()
