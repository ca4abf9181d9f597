"""Hears of every status that changes, decides who is told, and keeps the outbox on its shelf.

Only a leader tells. Whoever changes a status, a worker usually, hands the news to a bounded queue and goes
on: everything that may wait (a namespace's labels, the shelf, the sinks) waits in threads of its own.

Taking over: the outbox is loaded, then every object's status is read for moments that the leader before did
not live to tell. From then on each change is compared with what was there before it. What is heard of
meanwhile stands in the queue; ids make sure that nothing is told twice by this process.

The shelf is written at most every `SAVE` seconds while there is news, sooner where drift was told, because no
status says that. A conflict means that another leader wrote: its document is merged and ours written again.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sluice.model.errors import Retryable, WriteConflict
from sluice.model.keys import Key
from sluice.notify.audience import ANNOTATION, Audience
from sluice.notify.courier import Courier
from sluice.notify.metrics import NotificationMetrics
from sluice.notify.moment import Moment
from sluice.notify.moments import drift, moments, news
from sluice.notify.outbox import Outbox
from sluice.notify.shelf import Shelf
from sluice.ports import Clock, Object, Recorder
from sluice.telemetry.log import logger

SAVE: Final = 5.0
SAVE_SOON: Final = 1.0
SMALL: Final = 50_000
"""Bytes of a document that is written every `SAVE` seconds; longer ones are written more seldom."""
RETRY_LIMIT: Final = 60.0
TIDY: Final = 3600.0
"""Seconds between two looks for standing moments of objects that are gone: nothing tells of their end."""
DRIFT_REASONS: Final = frozenset({"DriftFound", "DriftRepaired"})
_WAITING: Final = 10_000
_TICK: Final = 1.0
_WARNED: Final = 1_000

_log = logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What one change of an object brought."""

    obj: Object
    fresh: Sequence[Moment] = ()
    over: Sequence[Moment] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the notifier works with."""

    audience: Audience
    outbox: Outbox
    shelf: Shelf
    couriers: Sequence[Courier]
    snapshot: Callable[[], Mapping[Key, Object]]
    """Every custom resource as last seen."""
    recorder: Recorder
    clock: Clock
    metrics: NotificationMetrics


class Notifier:
    """See the module. `step` is the thread's step, for tests."""

    def __init__(self, surroundings: Surroundings) -> None:
        """Tell nothing before `start`."""
        self._with = surroundings
        self._queue: queue.Queue[News] = queue.Queue(_WAITING)
        self._active = False
        self._loaded = False
        self._old: Mapping[Key, Object] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, name="notify", daemon=True)
        self._saved = -1
        self._save_at = 0.0
        self._tidy_at = 0.0
        self._failures = 0
        self._warned: dict[tuple[str, str], None] = {}

    # Heard from other threads; none of it blocks or raises

    def changed(self, before: Object | None, after: Object) -> None:
        """Take a change of an object's last seen state."""
        if not self._active:
            return
        try:
            fresh, over = news(before, after, now=self._with.clock.now())
        except Exception:  # noqa: BLE001 - a defect here must not cost the worker its pass
            _log.exception("notification_not_derived")
            return
        if fresh or over:
            self._put(News(obj=after, fresh=fresh, over=over))

    def event(self, obj: Object, *, reason: str, message: str) -> None:
        """Take an Event that is recorded: drift has no other sign."""
        if self._active and reason in DRIFT_REASONS:
            moment = drift(obj, reason=reason, message=message, now=self._with.clock.now())
            self._put(News(obj=obj, fresh=(moment,)))

    def _put(self, heard: News) -> None:
        try:
            self._queue.put_nowait(heard)
        except queue.Full:
            for moment in heard.fresh:
                self._with.metrics.told.labels("", moment.event, "dropped").inc()

    # The life of a leader

    def start(self) -> None:
        """Begin: this replica leads from now on."""
        self.listen()
        self._thread.start()

    def listen(self) -> None:
        """Take news from now on; what the statuses say already is old, should there be no outbox yet."""
        self._old = self._with.snapshot()
        self._active = True

    def stop(self, timeout: float) -> None:
        """End within some `timeout` seconds; what is not told yet is on the shelf."""
        self._active = False
        self._ending.set()
        self._with.outbox.close()
        if self._thread.ident is None:
            return
        self._thread.join(timeout)
        for courier in self._with.couriers:
            courier.stop(timeout / len(self._with.couriers))
        if self._loaded and not self._thread.is_alive():
            while not self._queue.empty():
                self._take(self._queue.get_nowait())
            self._save()

    def _work(self) -> None:
        while not self._ending.is_set() and not self._loads():
            self._ending.wait(min(RETRY_LIMIT, 2.0 ** min(self._failures, 6)))
        if self._ending.is_set():
            return
        for courier in self._with.couriers:
            courier.start()
        while not self._ending.is_set():
            try:
                self.step(timeout=_TICK)
            except Exception:  # noqa: BLE001 - the thread that tells must outlive a defect
                _log.exception("notifier_crashed")
                self._ending.wait(_TICK)

    def step(self, *, timeout: float = 0.0) -> bool:
        """Take one piece of news, waiting at most `timeout` seconds for it; write the shelf where due."""
        try:
            heard = self._queue.get(timeout=timeout) if timeout else self._queue.get_nowait()
        except queue.Empty:
            heard = None
        if heard is not None:
            self._take(heard)
        self._tidy_when_due()
        self._save_when_due()
        return heard is not None

    def load(self) -> bool:
        """Load the shelf and read what the statuses tell of; False when the shelf can't be read now."""
        return self._load()

    # Taking over

    def _loads(self) -> bool:
        try:
            return self._load()
        except Exception:  # noqa: BLE001 - the thread that tells must outlive a defect
            self._failures += 1
            _log.exception("notifier_crashed")
            return False

    def _load(self) -> bool:
        outbox, now = self._with.outbox, self._with.clock.now()
        try:
            text = self._with.shelf.load()
        except Retryable as error:
            self._failures += 1
            self._with.metrics.writes.labels("failed").inc()
            if self._failures == 1:
                _log.warning("outbox_not_read", detail=str(error))
            return False
        self._failures = 0
        known = text is not None and self._merge(text)
        if not known:
            outbox.begin(now=now)
            for obj in self._old.values():
                outbox.know(moments(obj, now=now), now=now)
        self._old = {}
        standing: set[str] = set()
        for obj in self._with.snapshot().values():
            found = moments(obj, now=now)
            standing |= {moment.id for moment in found if moment.standing}
            untold = [moment for moment in found if moment.standing or not outbox.dated_before(moment.at)]
            if untold:
                self._take(News(obj=obj, fresh=untold))
        outbox.settle_others(standing, now=now)
        self._tidy_at = now + TIDY
        self._loaded = True
        return True

    def _merge(self, text: str) -> bool:
        try:
            gone = self._with.outbox.load(text, now=self._with.clock.now())
        except ValueError as error:
            _log.warning("outbox_unreadable", detail=str(error))
            return False
        if gone:
            _log.warning("notification_sinks_gone", sinks=sorted(gone))
        return True

    # News

    def _take(self, heard: News) -> None:
        now = self._with.clock.now()
        self._with.outbox.settle((moment.id for moment in heard.over), now=now)
        if not heard.fresh:
            return
        annotation = (heard.obj["metadata"].get("annotations") or {}).get(ANNOTATION)
        for moment in heard.fresh:
            sinks = self._sinks(moment, annotation)
            if sinks is None:
                return  # the process ends; the next leader reads it in the status
            if self._with.outbox.accept(moment, sinks, now=now) and moment.event == "Drift" and sinks:
                self._save_at = min(self._save_at, now + SAVE_SOON)
        self._warn(heard.obj, annotation)

    def _sinks(self, moment: Moment, annotation: str | None) -> tuple[str, ...] | None:
        """Return who is told, None at the end; waits for the API server where a namespace's labels decide."""
        attempt = 0
        while True:
            try:
                return self._with.audience.of(moment, annotation)
            except Retryable as error:
                attempt += 1
                if attempt == 1:
                    _log.warning("namespace_not_read", namespace=moment.key.namespace, detail=str(error))
                if self._ending.wait(min(RETRY_LIMIT, 2.0**attempt / 4)):
                    return None

    def _warn(self, obj: Object, annotation: str | None) -> None:
        """Tell whoever wrote the annotation of names that mean nothing, once."""
        if not annotation:
            return
        metadata = obj["metadata"]
        told = (str(metadata.get("uid")), annotation)
        if told in self._warned:
            return
        try:
            unknown = self._with.audience.unknown(str(metadata.get("namespace", "")), annotation)
        except Retryable:
            return
        if len(self._warned) >= _WARNED:
            self._warned.clear()
        self._warned[told] = None
        if unknown:
            names = ", ".join(unknown)
            text = f"{ANNOTATION}: no notification sink of this namespace is called {names}"
            self._with.recorder.event(obj, type_="Warning", reason="NotificationIgnored", message=text)

    def _tidy_when_due(self) -> None:
        """Forget what objects that were deleted in the middle of something left standing."""
        now = self._with.clock.now()
        if now < self._tidy_at:
            return
        self._tidy_at = now + TIDY
        found = (moment for obj in self._with.snapshot().values() for moment in moments(obj, now=now))
        self._with.outbox.settle_others({moment.id for moment in found if moment.standing}, now=now)

    # The shelf

    def _save_when_due(self) -> None:
        if self._with.clock.now() >= self._save_at and self._with.outbox.version != self._saved:
            self._save()

    def _save(self) -> None:
        now, metrics = self._with.clock.now(), self._with.metrics
        text, version = self._with.outbox.document(now=now)
        # A document that is long because a sink is slow changes with each message that is delivered.
        self._save_at = now + SAVE * max(1.0, len(text) / SMALL)
        try:
            try:
                self._with.shelf.save(text)
            except WriteConflict:
                metrics.writes.labels("conflict").inc()
                theirs = self._with.shelf.load()
                if theirs is not None:
                    self._merge(theirs)
                text, version = self._with.outbox.document(now=now)
                self._with.shelf.save(text)
        except Retryable as error:
            metrics.writes.labels("failed").inc()
            self._failures += 1
            self._save_at = now + min(RETRY_LIMIT, SAVE * self._failures)
            if self._failures == 1:
                _log.warning("outbox_not_written", detail=str(error))
            return
        self._failures = 0
        self._saved = version
        metrics.writes.labels("ok").inc()


class TellingRecorder:
    """`ports.Recorder` that lets the notifier hear of what is recorded."""

    def __init__(self, recorder: Recorder, hear: Callable[..., None]) -> None:
        """Record with `recorder`, then call `hear(obj, reason=, message=)`."""
        self._recorder = recorder
        self._hear = hear

    def event(self, obj: Object, *, type_: str, reason: str, message: str) -> None:
        """Record an Event about `obj`; never raises and never blocks."""
        self._recorder.event(obj, type_=type_, reason=reason, message=message)
        self._hear(obj, reason=reason, message=message)
