"""One thread for each sink: takes what waits, sends it, backs off. A dead sink holds up nobody but itself.

A sink that is `busy` gets the same moment again, so its order is kept, after 1 s doubling to 5 min. A moment
that is `refused` goes behind the others and is given up after `TRIES`; what waits too long expires. Every
`TRIES` times that a sink is busy for one moment it gets the next one: if it takes that, it was not the sink.
"""

from __future__ import annotations

import random
import threading
from typing import Final

from sluice.notify.metrics import NotificationMetrics
from sluice.notify.moment import Moment
from sluice.notify.outbox import PER_SINK, Outbox
from sluice.notify.sink import Sink, SinkFailure
from sluice.ports import Clock
from sluice.telemetry.log import logger

BACKOFF_FIRST: Final = 1.0
BACKOFF_LIMIT: Final = 300.0
TRIES: Final = 5
_LOOK: Final = 5.0

_log = logger(__name__)


class Courier:
    """Carries from the outbox to one sink. `step` is the thread's step, for tests."""

    def __init__(
        self,
        sink: Sink,
        outbox: Outbox,
        *,
        clock: Clock,
        metrics: NotificationMetrics,
        rng: random.Random | None = None,
    ) -> None:
        """Send what waits for `sink`."""
        self._sink = sink
        self._outbox = outbox
        self._clock = clock
        self._metrics = metrics
        self._rng = rng or random.Random()  # noqa: S311 - jitter, no secret
        self._failures = 0
        self._refusals: dict[str, int] = {}
        self._stuck = ("", 0)
        """The moment for which the sink was busy, and how many times in a row."""
        self._suspect = ""
        """The moment instead of which the sink took another one."""
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"notify-{sink.name}", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """End after the attempt that is under way, if that ends within `timeout` seconds."""
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def step(self, *, timeout: float = 0.0) -> float | None:
        """Try one moment; return for how many seconds to wait after it, None when there was none."""
        moment = self._outbox.head(self._sink.name, now=self._clock.now(), timeout=timeout)
        if moment is None:
            return None
        stuck, moment = moment, self._instead_of(moment)
        try:
            self._sink.send(moment)
        except SinkFailure as failure:
            return self._failed(moment, failure, stuck=stuck)
        except Exception as error:  # noqa: BLE001 - a defect in one sink must not end its thread
            _log.exception("notification_crashed", sink=self._sink.name, id=moment.id)
            return self._failed(moment, SinkFailure(type(error).__name__, kind="refused"), stuck=stuck)
        self._outbox.done(self._sink.name, moment)
        self._refusals.pop(moment.id, None)
        self._count(moment, "delivered")
        if self._failures:
            _log.info("notification_sink_recovered", sink=self._sink.name, failures=self._failures)
        self._failures = 0
        _log.debug("notification_delivered", sink=self._sink.name, id=moment.id)
        self._suspect = stuck.id if stuck != moment else ""
        return self._sink.pace

    def _instead_of(self, moment: Moment) -> Moment:
        """Return the next moment where the sink is said to be busy for this one again and again."""
        name, times = self._stuck
        if name != moment.id or times % TRIES or self._suspect == name:
            return moment
        return self._outbox.after(self._sink.name, moment) or moment

    def _failed(self, moment: Moment, failure: SinkFailure, *, stuck: Moment) -> float:
        sink = self._sink.name
        if failure.kind == "withheld":
            self._outbox.done(sink, moment)
            self._count(moment, "withheld")
            _log.info("notification_withheld", sink=sink, id=moment.id, detail=str(failure))
            return 0.0
        if failure.kind == "refused" or moment.id == self._suspect:
            self._suspect = ""
            return self._refused(moment, failure)
        self._count(moment, "failed")
        self._stuck = (stuck.id, self._stuck[1] + 1 if self._stuck[0] == stuck.id else 1)
        self._failures += 1
        delay = self._back_off(self._failures, at_least=failure.retry_after)
        if self._failures == 1:  # once per outage; the metric counts the rest
            _log.warning("notification_sink_failing", sink=sink, id=moment.id, detail=str(failure))
        return delay

    def _refused(self, moment: Moment, failure: SinkFailure) -> float:
        sink = self._sink.name
        if len(self._refusals) > PER_SINK:  # some expired in the outbox meanwhile
            self._refusals.clear()
        tries = self._refusals[moment.id] = self._refusals.get(moment.id, 0) + 1
        if tries >= TRIES:
            self._outbox.done(sink, moment)
            del self._refusals[moment.id]
            self._count(moment, "rejected")
            _log.warning("notification_rejected", sink=sink, id=moment.id, detail=str(failure), tries=tries)
            return 0.0
        self._outbox.behind(sink, moment)
        self._count(moment, "failed")
        return self._back_off(tries, at_least=failure.retry_after)

    def _back_off(self, count: int, *, at_least: float) -> float:
        limit: float = min(BACKOFF_LIMIT, BACKOFF_FIRST * 2 ** min(count - 1, 16))
        return max(at_least, limit * self._rng.uniform(0.5, 1.0))

    def _count(self, moment: Moment, outcome: str) -> None:
        self._metrics.told.labels(self._sink.name, moment.event, outcome).inc()

    def _work(self) -> None:
        while not self._ending.is_set():
            try:
                delay = self.step(timeout=_LOOK)
            except Exception:  # noqa: BLE001 - a defect must not end the sink's thread
                _log.exception("courier_crashed", sink=self._sink.name)
                delay = BACKOFF_LIMIT
            if delay:
                self._ending.wait(delay)
