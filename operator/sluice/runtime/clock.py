"""The operator's time. Everything that waits or compares takes a `Clock`, so that simulation can turn it."""

from __future__ import annotations

import time


class SystemClock:
    """Real time; the production implementation of `ports.Clock`."""

    def now(self) -> float:
        """Return wall time, epoch seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds that never jump; comparable within this process only."""
        return time.monotonic()
