"""Where state-change events go: moto's EventBridge, or a short memory when there is no moto.

Events are a by-product: emitting one never raises into the service that changed, and never makes the
loop wait for moto.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sluice_sandbox.aws.clock import Clock
from sluice_sandbox.aws.service import Caller

if TYPE_CHECKING:
    from sluice_sandbox.aws.moto_bridge import MotoBridge

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One state change, before EventBridge dresses it."""

    number: int
    time: float
    account: str
    region: str
    source: str
    detail_type: str
    detail: Mapping[str, object]
    resources: tuple[str, ...]


class RememberingEmitter:
    """Keeps the newest events for tests and the control API."""

    def __init__(self, clock: Clock) -> None:
        """Stamp events with `clock`'s time."""
        self.recent: deque[Event] = deque(maxlen=1_000)
        self._clock = clock
        self._count = 0

    def emit(
        self,
        caller: Caller,
        *,
        source: str,
        detail_type: str,
        detail: Mapping[str, object],
        resources: Sequence[str] = (),
    ) -> None:
        """Publish one event; never raises, never blocks."""
        self._count += 1
        event = Event(
            number=self._count,
            time=self._clock.now(),
            account=caller.account,
            region=caller.region,
            source=source,
            detail_type=detail_type,
            detail=detail,
            resources=tuple(resources),
        )
        self.recent.append(event)
        self.publish(event)

    def publish(self, event: Event) -> None:
        """Pass the event on; remembering is all there is to do here."""


class MotoEmitter(RememberingEmitter):
    """Also hands the events to moto's EventBridge rules, in moto's own thread."""

    def __init__(self, clock: Clock, moto: MotoBridge) -> None:
        """Publish through `moto`."""
        super().__init__(clock)
        self._moto = moto

    def publish(self, event: Event) -> None:
        """Deliver in moto's thread.

        Nothing can be subscribed before a client has used EventBridge, so until then the event
        is only remembered and moto's `events` is not even imported.
        """
        if not self._moto.used("events"):
            return
        from sluice_sandbox.aws import moto_events  # noqa: PLC0415 - it needs Event from here

        try:
            self._moto.submit(lambda: moto_events.deliver(event)).add_done_callback(_report)
        except RuntimeError:
            _log.warning("moto has ended; a %s event was dropped", event.source)


def _report(done: Future[int]) -> None:
    error = None if done.cancelled() else done.exception()
    if error is not None:
        _log.error("an event was not delivered", exc_info=error)
