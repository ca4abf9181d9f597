"""What is logged, as it leaves the process, for a while."""

from __future__ import annotations

import contextlib
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import structlog

from sluice.telemetry.log import configure


class Captured:
    """The log so far."""

    def __init__(self, target: io.StringIO) -> None:
        """Read `target`."""
        self._target = target

    @property
    def text(self) -> str:
        """Everything, as it was written."""
        return self._target.getvalue()

    def lines(self, event: str = "") -> list[dict[str, Any]]:
        """Return the lines, parsed; those of one event when it is given."""
        found = [json.loads(line) for line in self.text.splitlines()]
        return [line for line in found if not event or line["event"] == event]


@contextlib.contextmanager
def captured() -> Iterator[Captured]:
    """Log all there is to log into memory; what was configured before comes back.

    No logger remembers this configuration, as in production each does: the next test has its own.
    """
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    target = io.StringIO()
    configure(level="debug", stream=target)
    structlog.configure(cache_logger_on_first_use=False)
    try:
        yield Captured(target)
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.reset_defaults()
