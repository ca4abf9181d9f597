"""The life of an operator process: what starts after what, what ends it, and how it goes.

Start: probes answer, the watch begins, every object that exists is in the store (barrier), the Lease is
taken and no write of its last holder can be under way, then the workers start. A standby stops before the
last two and is ready all the same.

End: on SIGTERM nothing more is taken from the queue, passes in progress finish within their time, the
Lease is released only if they did, exit code 0; a second signal ends at once. A lost Lease ends at once
with code 1 (the guard has stopped the writes already). A watch that ended is a graceful end with code 1.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Final, Protocol

from sluice.model.errors import Retryable
from sluice.model.keys import Key
from sluice.runtime.health import HealthServer
from sluice.runtime.intake import Sweep
from sluice.runtime.lease import Elector
from sluice.runtime.queue import WorkQueue
from sluice.runtime.recorder import EventRecorder
from sluice.runtime.store import ObjectStore
from sluice.runtime.worker import WorkerPool
from sluice.telemetry.log import logger
from sluice.telemetry.metrics import RuntimeMetrics

DRAIN_SECONDS: Final = 20.0
DUTY_SECONDS: Final = 3.0
BARRIER_SECONDS: Final = 60.0
SWEEP_SECONDS: Final = 600.0
_POLL: Final = 0.02

_log = logger(__name__)


class Watch(Protocol):
    """What delivers events. `kopf_glue.Informer`."""

    def start(self) -> None:
        """Begin to watch."""

    def stop(self, timeout: float) -> None:
        """End the watch."""


class Duty(Protocol):
    """Threads that run while this replica leads: `notify.notifier`, `aws_events.receiver`."""

    def start(self) -> None:
        """Begin; called once, before the workers start."""

    def stop(self, timeout: float) -> None:
        """End within some `timeout` seconds, after the last pass and before the Lease is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The pieces of a process, made by `sluice.app`."""

    store: ObjectStore
    queue: WorkQueue
    sweep: Sweep
    pool: WorkerPool
    elector: Elector | None
    """None: one replica by configuration, no Lease."""
    recorder: EventRecorder
    health: HealthServer
    metrics: RuntimeMetrics
    duties: Sequence[Duty] = ()
    """What a leader does beside its passes: telling and listening."""


class Life:
    """How far the process is and why it ends. Made before the parts that ask or tell."""

    def __init__(self) -> None:
        """Nothing has started and nothing ends yet."""
        self._event = threading.Event()
        self._lock = threading.Lock()
        self.synced = False
        """Every object that existed at the start is in the store."""
        self.working = False
        """The workers run: this replica leads."""
        self.reason = ""
        self.code = 0
        self.at_once = False

    def end(self, reason: str, *, code: int, at_once: bool = False) -> None:
        """End the process with `code`; the first reason stays. `at_once` lets no pass finish."""
        with self._lock:
            if not self._event.is_set():
                self.reason, self.code = reason, code
            self.at_once = self.at_once or at_once
            self._event.set()

    def ending(self) -> bool:
        """Tell whether the process ends."""
        return self._event.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end; tell whether it has begun."""
        return self._event.wait(timeout)


class OperatorProcess:
    """Runs the parts until the end begins. `run` belongs to the main thread."""

    def __init__(self, parts: Parts, watch: Watch, life: Life) -> None:
        """Own nothing yet; `run` starts everything."""
        self._parts = parts
        self._watch = watch
        self._life = life
        self._led = threading.Event()
        self._elector_thread: threading.Thread | None = None

    def run(self) -> int:
        """Run until SIGTERM, SIGINT or a fatal end; return the exit code."""
        parts = self._parts
        self._catch_signals()
        parts.health.start()
        parts.recorder.start()
        self._watch.start()
        started = time.monotonic()
        if self._fill():
            _log.info(
                "store_complete",
                objects=len(parts.store.snapshot()),
                seconds=round(time.monotonic() - started, 3),
            )
            # What was loaded lives as long as the process: never again the garbage collector's business.
            gc.collect()
            gc.freeze()
            self._life.synced = True
            threading.Thread(target=self._sweep, name="sweep", daemon=True).start()
            if self._lead():
                parts.metrics.leader.set(1)
                for duty in parts.duties:
                    duty.start()
                parts.queue.open()
                parts.pool.start()
                self._life.working = True
                _log.info("workers_started", seconds=round(time.monotonic() - started, 3))
            self._life.wait()
        return self._end()

    # Starting

    def _fill(self) -> bool:
        """Wait until the store has what the API server has; False when the end began instead."""
        deadline = time.monotonic() + BARRIER_SECONDS
        missing = None
        while not self._life.ending():
            try:
                missing = self._parts.sweep.missing() if missing is None else missing
            except Retryable as error:
                _log.warning("list_failed", detail=str(error))
                self._life.wait(1.0)
                continue
            missing = [key for key in missing if self._parts.store.peek(key) is None]
            if not missing:
                return True
            if time.monotonic() > deadline:
                self._read(missing)
                return not self._life.ending()
            self._life.wait(_POLL)
        return False

    def _read(self, missing: Sequence[Key]) -> None:
        _log.warning("watch_incomplete", missing=len(missing))
        try:
            self._parts.sweep.run()
        except Retryable as error:
            self._life.end(f"the custom resources could not be read: {error}", code=1)

    def _lead(self) -> bool:
        """Wait until this replica may write; False when the end began instead."""
        elector = self._parts.elector
        if elector is None:
            return not self._life.ending()
        self._elector_thread = threading.Thread(
            target=elector.run,
            kwargs={"on_lead": self._led.set, "on_loss": self._lost},
            name="lease",
            daemon=True,
        )
        self._elector_thread.start()
        while not self._led.is_set():
            if self._life.wait(_POLL):
                return False
        return not self._life.wait(elector.settles_in)

    def _lost(self, reason: str) -> None:
        self._parts.metrics.leader.set(0)
        self._life.end(reason, code=1, at_once=True)

    def _sweep(self) -> None:
        while not self._life.wait(SWEEP_SECONDS):
            try:
                repaired = self._parts.sweep.run()
            except Retryable as error:
                _log.warning("sweep_failed", detail=str(error))
                continue
            self._parts.metrics.compared(time.time())
            if repaired:
                self._parts.metrics.swept.inc(repaired)
                _log.warning("sweep_repaired", objects=repaired)

    # Ending

    def _end(self) -> int:
        life, parts = self._life, self._parts
        _log.info("ending", reason=life.reason, code=life.code)
        if life.at_once:
            return self._exit_at_once(life.code)
        drained = parts.pool.stop(DRAIN_SECONDS) if self._life.working else True
        if not drained:
            _log.warning("passes_unfinished", running=parts.queue.running(), seconds=DRAIN_SECONDS)
        for duty in parts.duties if life.working else ():
            duty.stop(DUTY_SECONDS)
        self._give_up_lease(drained=drained)
        parts.metrics.leader.set(0)
        self._watch.stop(5.0)
        parts.recorder.stop(2.0)
        parts.health.stop()
        _log.info("ended", code=life.code)
        return life.code if drained else self._exit_at_once(life.code)

    def _give_up_lease(self, *, drained: bool) -> None:
        elector = self._parts.elector
        if elector is None or self._elector_thread is None:
            return
        elector.stop()
        self._elector_thread.join(5.0)
        if drained and not self._elector_thread.is_alive():
            elector.release()

    def _exit_at_once(self, code: int) -> int:
        """Leave without waiting for threads: a pass in progress must not hold the process."""
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

    def _catch_signals(self) -> None:
        def caught(number: int, _frame: FrameType | None) -> None:
            if self._life.ending():
                os._exit(128 + number)
            self._life.end(signal.Signals(number).name, code=0)

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, caught)


def serving(check: Callable[[], bool], otherwise: str) -> Callable[[], str]:
    """Return a health check from a yes-or-no question."""
    return lambda: "" if check() else otherwise
