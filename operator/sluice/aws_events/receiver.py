"""The leader's thread at the queue: receive, wake, delete; back off and say so once when it cannot.

| message | what is done |
|---|---|
| names a service of a Deployment | what is cached of it is dropped, the Deployment is woken, deleted |
| names anybody else's service, or is another event | deleted: the queue is Sluice's own |
| no event of EventBridge at all | deleted, counted, told once a minute: it would come back for ever |
| received while this process ends | left: the next leader gets it |

First woken, then deleted: a crash in between delivers it again, and a wake too many is a look too many. An
event may be late, double or out of order; what it says is never believed, only looked up. A key that was
woken is woken again at the earliest a second later, so a service that starts a hundred tasks costs a pass
a second.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from sluice.aws_events.flow import Flow
from sluice.aws_events.happening import Happening, Malformed, Place, read
from sluice.aws_events.metrics import AwsEventMetrics
from sluice.aws_events.services import KnownServices
from sluice.aws_events.sqs import Message
from sluice.model.binding import Binding
from sluice.model.errors import AwsFailure
from sluice.model.keys import Key
from sluice.ports import Clock
from sluice.telemetry.log import logger

GAP: Final = 1.0
"""Seconds between two wakes of one key."""
BACKOFF_FIRST: Final = 1.0
BACKOFF_LIMIT: Final = 60.0
_REMEMBERED: Final = 10_000
_TOLD_AGAIN: Final = 60.0

_log = logger(__name__)


class Queue(Protocol):
    """`sqs.SqsQueue`."""

    def receive(self) -> Sequence[Message]:
        """Wait for messages; raises AwsFailure."""

    def delete(self, messages: Sequence[Message]) -> int:
        """Delete them; return how many were refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """What is done about an event."""

    forget: Callable[[Binding, Sequence[str]], None]
    """Drops what is cached of services, by name."""
    bindings: Callable[[Place], Iterable[Binding]]
    """Under which bindings an account and Region are looked at."""
    wake: Callable[[Key, float], None]
    """Looks at a Deployment, and at whatever follows its tasks, in that many seconds."""
    resume: Callable[[Place], None]
    """Looks at the objects of a place as often as without events: they flow no more."""


class Receiver:
    """See the module. `step` is the thread's step, for tests."""

    def __init__(
        self,
        queue: Queue,
        *,
        services: KnownServices,
        flow: Flow,
        reaction: Reaction,
        clock: Clock,
        metrics: AwsEventMetrics,
        rng: random.Random | None = None,
    ) -> None:
        """Read `queue` once it is started."""
        self._queue = queue
        self._services = services
        self._flow = flow
        self._reaction = reaction
        self._clock = clock
        self._metrics = metrics
        self._rng = rng or random.Random()  # noqa: S311 - jitter, no secret
        self._woken: dict[Key, float] = {}
        self._failures = 0
        self._flowing: frozenset[Place] = frozenset()
        self._told_at: float | None = None
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, name="aws-events", daemon=True)

    def start(self) -> None:
        """Begin: this replica leads from now on."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Take nothing more. A long poll may outlast `timeout`; what it brings is left for the next one."""
        del timeout
        self._ending.set()

    def step(self) -> float:
        """Look into the queue once; return for how many seconds to wait before the next look."""
        try:
            messages = self._queue.receive()
        except AwsFailure as failure:
            delay = self._failed(failure)
        else:
            delay = 0.0
            self._metrics.received.labels("ok").inc()
            self._recovered()
            if messages and not self._ending.is_set():
                self._take(messages)
        self._resume_what_stopped()
        return delay

    def _work(self) -> None:
        while not self._ending.is_set():
            try:
                delay = self.step()
            except Exception:  # noqa: BLE001 - a defect must not end the thread; the messages come again
                _log.exception("aws_events_crashed")
                delay = BACKOFF_LIMIT
            if delay:
                self._ending.wait(delay)

    # Messages

    def _take(self, messages: Sequence[Message]) -> None:
        now = self._clock.now()
        woken: set[Key] = set()
        outdated: dict[Place, set[str]] = {}
        for message in messages:
            try:
                happening = read(message.body)
            except Malformed as error:
                self._metrics.messages.labels("malformed").inc()
                self._tell_malformed(error)
                continue
            if happening.what == "unknown":
                self._metrics.messages.labels("unknown").inc()
                continue
            self._flow.heard(happening.place)
            keys = self._services.owners(happening)
            self._metrics.messages.labels(happening.what if keys else "foreign").inc()
            if keys:
                woken |= keys
                outdated.setdefault(happening.place, set()).update(name for _, name in happening.services)
                self._late(happening, now)
        for place, names in outdated.items():
            for binding in self._reaction.bindings(place):
                self._reaction.forget(binding, sorted(names))
        for key in sorted(woken):
            self._wake(key)
        self._delete(messages)

    def _late(self, happening: Happening, now: float) -> None:
        if happening.at is not None:
            self._metrics.lag.observe(max(0.0, now - happening.at))

    def _wake(self, key: Key) -> None:
        now = self._clock.monotonic()
        last = self._woken.get(key, now - GAP)
        # A wake that is still to come covers this event, too; asked for again, should a run have dropped it.
        due = last if last > now else max(now, last + GAP)
        if due > last:
            self._woken.pop(key, None)
            self._woken[key] = due
            if len(self._woken) > _REMEMBERED:
                del self._woken[next(iter(self._woken))]
        self._reaction.wake(key, due - now)

    def _delete(self, messages: Sequence[Message]) -> None:
        try:
            refused = self._queue.delete(messages)
        except AwsFailure as failure:
            _log.warning("aws_events_not_deleted", detail=str(failure), messages=len(messages))
        else:
            if refused:
                _log.warning("aws_events_not_deleted", detail="refused by SQS", messages=refused)

    def _tell_malformed(self, error: Malformed) -> None:
        now = self._clock.monotonic()
        if self._told_at is None or now - self._told_at >= _TOLD_AGAIN:
            self._told_at = now
            _log.warning("aws_event_malformed", detail=str(error))

    # The queue's own state

    def _failed(self, failure: AwsFailure) -> float:
        self._metrics.received.labels(failure.kind).inc()
        self._failures += 1
        self._flow.readable(yes=False)
        if self._failures == 1:
            _log.warning("aws_events_unreadable", kind=failure.kind, detail=str(failure))
        limit: float = min(BACKOFF_LIMIT, BACKOFF_FIRST * 2 ** min(self._failures - 1, 16))
        return limit * self._rng.uniform(0.5, 1.0)

    def _recovered(self) -> None:
        if self._failures:
            _log.info("aws_events_readable", failures=self._failures)
        self._failures = 0
        self._flow.readable(yes=True)

    def _resume_what_stopped(self) -> None:
        flowing = frozenset(place for place, yes in self._flow.flowing().items() if yes)
        for place in sorted(self._flowing - flowing):
            _log.info("aws_events_stopped", account=place.account, region=place.region)
            self._reaction.resume(place)
        for place in sorted(flowing - self._flowing):
            _log.info("aws_events_flow", account=place.account, region=place.region)
        self._flowing = flowing
