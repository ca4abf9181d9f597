"""The record of calls: what a test, a benchmark or a curious person asks the stand-in afterwards.

Bounded: the newest calls are kept in a ring, the counts for ever (their key space is bounded by the
operations that exist). Parameters are kept as the caller sent them, before defaults.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from sluice_sandbox.aws.service import Caller
from sluice_sandbox.aws.wire.models import Value

OK = "OK"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call as the service saw it."""

    number: int
    """Counts from 1 without gaps, so a reader can tell what the ring forgot."""
    time: float
    """World time the call arrived, epoch seconds."""
    service: str
    operation: str
    account: str
    region: str
    principal: str
    params: Any
    outcome: str
    """`OK`, the error code, or `ConnectionLost` (with `took_place` telling what the caller cannot know)."""
    took_place: bool
    duration: float
    """World seconds from arrival to answer."""


class CallLog:
    """A ring of calls with counts by (service, operation, outcome)."""

    def __init__(self, capacity: int = 50_000) -> None:
        """Keep the newest `capacity` calls."""
        self._ring: deque[Call] = deque(maxlen=capacity)
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._next = 1

    def add(
        self, *, caller: Caller, service: str, operation: str, params: Value, time: float, **outcome: Value
    ) -> None:
        """Record one call of `caller`; `outcome` has the fields left of Call."""
        call = Call(
            number=self._next,
            time=time,
            service=service,
            operation=operation,
            account=caller.account,
            region=caller.region,
            principal=caller.principal,
            params=params,
            **outcome,
        )
        self._next += 1
        self._ring.append(call)
        self._counts[service, operation, call.outcome] += 1

    @property
    def total(self) -> int:
        """Calls recorded since the start or the last `clear`."""
        return self._next - 1

    def find(
        self,
        *,
        service: str = "*",
        operation: str = "*",
        outcome: str = "*",
        since: int = 0,
        mutating: bool | None = None,
    ) -> Iterator[Call]:
        """Yield the kept calls, oldest first, that match the globs and have a number above `since`."""
        for call in list(self._ring):
            if (
                call.number > since
                and fnmatchcase(call.service, service)
                and fnmatchcase(call.operation, operation)
                and fnmatchcase(call.outcome, outcome)
                and (mutating is None or mutating is not is_read(call.operation))
            ):
                yield call

    def counts(self) -> dict[tuple[str, str, str], int]:
        """Return the number of calls by (service, operation, outcome)."""
        return dict(self._counts)

    def clear(self) -> None:
        """Forget everything and count from 1 again."""
        self._ring.clear()
        self._counts.clear()
        self._next = 1


_READ_PREFIXES = ("Describe", "List", "Get", "BatchGet", "Discover", "Search", "Head", "Query", "Scan")


def is_read(operation: str) -> bool:
    """Tell by its name whether an operation changes nothing (AWS's naming convention)."""
    return operation.startswith(_READ_PREFIXES)
