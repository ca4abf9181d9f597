"""Runs passes: takes a key, calls its controller, and turns what came of it into "when again".

| outcome of a pass         | when again                                                              |
|---------------------------|-------------------------------------------------------------------------|
| Result                    | at `wake_at`, at the latest at the drift interval; `urgent` keys at once |
| Refused                   | the drift interval: a new generation comes by itself, but what is        |
|                           | missing (a ConfigMap, a label of the namespace) may appear              |
| Deferred                  | when the budget has a token                                             |
| WriteConflict             | in 0.1 s, then slower; after some in a row the object is read again     |
| AwsFailure                | back-off; denied, rejected and quota not before half a minute, but for   |
|                           | rollbacks                                                               |
| LeadershipLost            | in a second, should the Lease be renewed after all                      |
| WriteWithheld (dry run)   | the drift interval                                                      |
| any other error of ours   | back-off                                                                |
| an unexpected exception   | back-off, with its trace in the log                                     |

The controller has put into conditions whatever a person should know; the worker decides only when. A
pass is a plain function call, so simulation runs `Reconciler.run_one` by itself, without threads.
"""

from __future__ import annotations

import itertools
import random
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from sluice.apply.errors import ApplyFailed
from sluice.aws.errors import WriteWithheld
from sluice.model.errors import AwsFailure, Deferred, LeadershipLost, Refused, SluiceError, WriteConflict
from sluice.model.keys import Key, Kind
from sluice.ports import Clock, Controller, Object, Result
from sluice.runtime.queue import Lane, Work, WorkQueue
from sluice.telemetry import tracing
from sluice.telemetry.log import logger
from sluice.telemetry.metrics import RuntimeMetrics

CONFLICT_FIRST: Final = 0.1
CONFLICT_LIMIT: Final = 30.0
CONFLICTS_BEFORE_READ: Final = 3
SLOW_KINDS: Final = frozenset({"denied", "rejected", "quota"})
SLOW_SECONDS: Final = 30.0
_NO_FAILURES: Final = frozenset({"ok", "conflict", "deferred", "refused", "withheld"})
"""Outcomes of a pass that did what it should: waiting and refusing are told elsewhere."""
_LANE_NAMES: Final = {lane: lane.name.lower() for lane in Lane}

# Unique enough across replicas and restarts, without the system call of a random number in each pass.
_PROCESS: Final = uuid.uuid4().hex[:5]
_passes = itertools.count(1)

_log = logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cadence:
    """How often an object at rest is looked at."""

    drift_interval: float = 60.0
    """Seconds; each wait is between 0.8 and 1 of it, so that objects spread out."""
    stretch: Callable[[Key], float] = lambda _key: 1.0
    """By how much longer this object may wait at the moment: 1 or more (`aws_events.flow`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the reconciler reads and writes beside the queue."""

    peek: Callable[[Key], Object | None]
    """The object for the log's context; never raises."""
    refresh: Callable[[Key], object]
    """Reads the object from the API server into the store."""
    report: Callable[[Object, str, str], None] = lambda _obj, _reason, _message: None
    """Tells people of a failure that no controller could put into conditions: (object, reason, message)."""
    passed: Callable[[Key], None] = lambda _key: None
    """Hears of each pass that ended well."""


class Reconciler:
    """Runs one pass at a time for whoever calls; thread-safe."""

    def __init__(
        self,
        queue: WorkQueue,
        controllers: Mapping[Kind, Controller],
        *,
        clock: Clock,
        sources: Sources,
        metrics: RuntimeMetrics,
        cadence: Cadence | None = None,
        rng: random.Random | None = None,
    ) -> None:
        """Take keys from `queue` and hand them to the controller of their kind."""
        self._queue = queue
        self._controllers = controllers
        self._clock = clock
        self._sources = sources
        self._metrics = metrics
        self._cadence = cadence or Cadence()
        self._rng = rng or random.Random()  # noqa: S311 - jitter, no secret
        self._conflicts: dict[Key, int] = {}

    def run_one(self, *, block: bool = True) -> bool:
        """Run the next key's pass; False when the queue is closed or, unblocked, nothing is due."""
        work = self._queue.get(block=block)
        if work is None:
            return False
        try:
            self._run(work)
        finally:
            self._queue.done(work.key)
        return True

    def _run(self, work: Work) -> None:
        key = work.key
        obj = self._sources.peek(key)
        started = self._clock.monotonic()
        self._metrics.wait_seconds.labels(_LANE_NAMES[work.lane]).observe(work.waited)
        context = _context(key, obj)
        with (
            structlog.contextvars.bound_contextvars(**context),
            tracing.span("reconcile", begin=lambda: _attributes(work, context)) as span,
        ):
            if span.recording and "rollout_id" in context:
                tracing.link(context.get("uid", ""), context["rollout_id"])
            outcome = self._outcome(work, obj)
            if outcome not in _NO_FAILURES:
                span.failed(outcome)
            if span.recording:
                span.put({tracing.OUTCOME: outcome})
            seconds = self._clock.monotonic() - started
            _log.debug("pass", outcome=outcome, lane=_LANE_NAMES[work.lane], seconds=round(seconds, 4))
        structlog.contextvars.unbind_contextvars("rollout_id")  # bound in the middle of the pass it begins in
        self._metrics.passes.labels(key.kind, outcome).inc()
        self._metrics.pass_seconds.labels(key.kind, _LANE_NAMES[work.lane]).observe(seconds)
        if outcome == "ok":
            self._sources.passed(key)

    def _outcome(self, work: Work, obj: Object | None) -> str:
        """Run the pass, see to its key's next one, and return the outcome's name."""
        key = work.key
        try:
            result = self._controllers[key.kind].reconcile(key)
        except SluiceError as error:
            return self._failed(work, error.cause if isinstance(error, ApplyFailed) else error)
        except Exception:  # noqa: BLE001 - one object's defect must not end the thread that serves all
            delay = self._queue.retry(key, work.lane)
            _log.exception("pass_crashed", retry_seconds=round(delay, 1))
            self._report(obj, "InternalError", "a defect of Sluice stopped the pass; see the operator's log")
            return "error"
        self._succeeded(work, result, gone=obj is None)
        return "ok"

    def _succeeded(self, work: Work, result: Result, *, gone: bool) -> None:
        key = work.key
        self._conflicts.pop(key, None)
        self._queue.forget(key)
        lane = Lane.ROLLBACK if result.rollback else Lane.USER
        for other in result.urgent:
            self._queue.add(other, lane)
        if result.wake_at is not None:
            self._queue.add_after(key, min(result.wake_at - self._clock.now(), self._drift()), lane)
        elif not gone:
            self._queue.add_after(key, self._drift() * self._cadence.stretch(key), Lane.RESYNC)

    def _failed(self, work: Work, error: SluiceError) -> str:
        key, lane = work.key, work.lane
        match error:
            case WriteConflict():
                self._conflicted(key, lane, error)
                return "conflict"
            case Deferred():
                wait = max(error.until - self._clock.now(), 0.01)
                self._queue.add_after(key, wait * self._rng.uniform(1.0, 1.05), lane)
                return "deferred"
            case Refused() | WriteWithheld():
                self._queue.forget(key)
                self._queue.add_after(key, self._drift(), Lane.RESYNC)
                _log.info("refused", detail=str(error))
                return "refused" if isinstance(error, Refused) else "withheld"
            case LeadershipLost():
                self._queue.add_after(key, 1.0, lane)
                _log.warning("write_withheld_by_lease", detail=str(error))
                return "leadership"
            case AwsFailure():
                slow = SLOW_SECONDS if error.kind in SLOW_KINDS and lane is not Lane.ROLLBACK else 0.0
                delay = self._queue.retry(key, lane, at_least=slow)
                _log.warning("aws_failed", kind=error.kind, detail=str(error), retry_seconds=round(delay, 1))
                return error.kind
            case _:
                delay = self._queue.retry(key, lane)
                _log.warning("pass_failed", detail=str(error), retry_seconds=round(delay, 1))
                self._report(self._sources.peek(key), "ReconcileFailed", str(error))
                return "retry"

    def _conflicted(self, key: Key, lane: Lane, error: WriteConflict) -> None:
        count = self._conflicts.get(key, 0) + 1
        self._conflicts[key] = count
        delay = min(CONFLICT_LIMIT, CONFLICT_FIRST * 2 ** min(count - 1, 16))
        _log.debug("write_conflict", detail=str(error), retry_seconds=delay)
        if count >= CONFLICTS_BEFORE_READ:  # the watch should have brought the newer version by now
            try:
                self._sources.refresh(key)
            except SluiceError as failed:
                _log.warning("refresh_failed", detail=str(failed))
            if self._sources.peek(key) is None:
                self._conflicts.pop(key, None)
        self._queue.add_after(key, delay * self._rng.uniform(0.5, 1.0), lane)

    def _report(self, obj: Object | None, reason: str, message: str) -> None:
        if obj is not None:
            self._sources.report(obj, reason, message)

    def _drift(self) -> float:
        return self._cadence.drift_interval * self._rng.uniform(0.8, 1.0)


class WorkerPool:
    """The threads around a Reconciler."""

    def __init__(self, reconciler: Reconciler, queue: WorkQueue, *, size: int) -> None:
        """Make `size` threads, started by `start`."""
        self._queue = queue
        self._threads = [
            threading.Thread(target=_work, args=(reconciler,), name=f"worker-{number}", daemon=True)
            for number in range(size)
        ]

    def start(self) -> None:
        """Begin to run passes."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float) -> bool:
        """Hand out no more keys and wait for the passes in progress; False when some did not end."""
        self._queue.close()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def alive(self) -> int:
        """Return how many threads run; fewer than started is a defect that a restart heals."""
        return sum(thread.is_alive() for thread in self._threads)


def _work(reconciler: Reconciler) -> None:
    while reconciler.run_one():
        pass


def _context(key: Key, obj: Object | None) -> dict[str, str]:
    context = {
        "kind": key.kind,
        "namespace": key.namespace,
        "name": key.name,
        "reconcile_id": f"{_PROCESS}{next(_passes):07x}",
    }
    if obj is not None:
        context["uid"] = str(obj["metadata"].get("uid", ""))
        rollout = (obj.get("status") or {}).get("rollout") or {}
        if rollout.get("id"):
            context["rollout_id"] = str(rollout["id"])
    return context


def _attributes(work: Work, context: Mapping[str, str]) -> dict[str, str | float]:
    """Return what a pass's span begins with; sampling looks at the lane."""
    return {
        tracing.NAMESPACE: work.key.namespace,
        tracing.OBJECT_KIND: work.key.kind,
        tracing.OBJECT_NAME: work.key.name,
        tracing.OBJECT_UID: context.get("uid", ""),
        tracing.RECONCILE_ID: context["reconcile_id"],
        tracing.LANE: _LANE_NAMES[work.lane],
        tracing.WAITED: round(work.waited, 4),
    }
