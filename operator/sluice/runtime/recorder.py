"""Kubernetes Events: one line of history for each decision that a person would ask about.

The rules are client-go's (k8s.io/client-go/tools/record/events_cache.go): an Event that repeats within ten
minutes grows its count instead of being posted again, and each object has 25 Events at once and one more
every five minutes. Whoever records never waits: a bounded queue feeds one thread, and what does not fit or
cannot be sent is counted and dropped. Events tell, conditions keep.
"""

from __future__ import annotations

import datetime as dt
import queue
import threading
import uuid
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final

from sluice.model.conditions import timestamp
from sluice.model.names import short_hash
from sluice.ports import Clock, Object
from sluice.runtime.apiserver import MERGE_PATCH, ApiServer, KubernetesFailure, Request
from sluice.telemetry.log import logger
from sluice.telemetry.metrics import RuntimeMetrics

WINDOW: Final = 600.0
BURST: Final = 25.0
REFILL: Final = 1 / 300.0
_WAITING: Final = 1000
_REMEMBERED: Final = 4096
_MESSAGE_MAX: Final = 1024  # core/v1 Event validation: message may have at most 1024 characters
_COMPONENT: Final = "sluice"

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Recorded:
    """An Event on its way: the members of the object and of the decision that it needs."""

    reference: tuple[tuple[str, str], ...]
    type: str
    reason: str
    message: str
    at: float

    @property
    def namespace(self) -> str:
        """Return the namespace of object and Event."""
        return dict(self.reference).get("namespace", "default")


@dataclass(slots=True)
class _Posted:
    name: str
    count: int
    at: float


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class EventRecorder:
    """`ports.Recorder`. `drain_one` is the thread's step, for tests."""

    def __init__(
        self, server: ApiServer, *, clock: Clock, metrics: RuntimeMetrics, reporter: str = _COMPONENT
    ) -> None:
        """Send through `server`; `reporter` names this replica in each Event."""
        self._server = server
        self._clock = clock
        self._metrics = metrics
        self._reporter = reporter
        self._queue: queue.Queue[Recorded | None] = queue.Queue(_WAITING)
        self._posted: OrderedDict[tuple[object, ...], _Posted] = OrderedDict()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._thread = threading.Thread(target=self._work, name="events", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Send what waits, at most for `timeout` seconds."""
        if self._thread.ident is None:
            return
        try:
            self._queue.put(None, timeout=timeout)
        except queue.Full:
            return
        self._thread.join(timeout)

    def event(self, obj: Object, *, type_: str, reason: str, message: str) -> None:
        """Record an Event about `obj`; never raises and never blocks."""
        metadata = obj.get("metadata") or {}
        reference = {
            "apiVersion": obj.get("apiVersion"),
            "kind": obj.get("kind"),
            "namespace": metadata.get("namespace"),
            "name": metadata.get("name"),
            "uid": metadata.get("uid"),
        }
        members = tuple((name, str(value)) for name, value in reference.items() if value)
        text = message if len(message) <= _MESSAGE_MAX else message[: _MESSAGE_MAX - 1] + "…"
        try:
            self._queue.put_nowait(Recorded(members, type_, reason, text, self._clock.now()))
        except queue.Full:
            self._metrics.events.labels("dropped").inc()

    def drain_one(self) -> bool:
        """Send one waiting Event without blocking; False when there is none."""
        try:
            recorded = self._queue.get_nowait()
        except queue.Empty:
            return False
        if recorded is not None:
            self._send(recorded)
        return True

    def _work(self) -> None:
        while (recorded := self._queue.get()) is not None:
            try:
                self._send(recorded)
            except Exception:  # noqa: BLE001 - telling must never stop doing
                _log.exception("event_crashed")

    def _send(self, recorded: Recorded) -> None:
        if not self._allowed(dict(recorded.reference).get("uid", ""), recorded.at):
            self._metrics.events.labels("limited").inc()
            return
        try:
            self._post_or_count(recorded)
        except KubernetesFailure as failure:
            self._metrics.events.labels("failed").inc()
            _log.debug("event_not_sent", detail=str(failure), reason=recorded.reason)
        else:
            self._metrics.events.labels("sent").inc()

    def _post_or_count(self, recorded: Recorded) -> None:
        key = (recorded.reference, recorded.type, recorded.reason, recorded.message)
        known = self._posted.get(key)
        if known and recorded.at - known.at < WINDOW:
            try:
                self._count(recorded, known)
            except KubernetesFailure as failure:
                if failure.code != 404:  # 404: its time to live is over, post it again
                    raise
            else:
                return
        self._posted[key] = _Posted(self._post(recorded), 1, recorded.at)
        self._posted.move_to_end(key)
        while len(self._posted) > _REMEMBERED:
            self._posted.popitem(last=False)

    def _count(self, recorded: Recorded, known: _Posted) -> None:
        self._server.send(
            Request(
                method="PATCH",
                path=f"{_path(recorded.namespace)}/{known.name}",
                resource="events",
                body={"count": known.count + 1, "lastTimestamp": timestamp(recorded.at)},
                content_type=MERGE_PATCH,
            )
        )
        known.count += 1
        known.at = recorded.at

    def _post(self, recorded: Recorded) -> str:
        about = dict(recorded.reference)
        moment = timestamp(recorded.at)
        name = f"{about.get('name', 'unknown')[:200]}.{short_hash(uuid.uuid4().hex, length=16)}"
        body: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": recorded.namespace},
            "involvedObject": about,
            "type": recorded.type,
            "reason": recorded.reason,
            "message": recorded.message,
            "count": 1,
            "firstTimestamp": moment,
            "lastTimestamp": moment,
            "eventTime": dt.datetime.fromtimestamp(recorded.at, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "action": recorded.reason,
            "source": {"component": _COMPONENT},
            "reportingComponent": "sluice.dev/operator",
            "reportingInstance": self._reporter,
        }
        self._server.send(
            Request(method="POST", path=_path(recorded.namespace), resource="events", body=body)
        )
        return name

    def _allowed(self, uid: str, now: float) -> bool:
        bucket = self._buckets.get(uid)
        if bucket is None:
            bucket = self._buckets[uid] = _Bucket(BURST, now)
            while len(self._buckets) > _REMEMBERED:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(uid)
        bucket.tokens = min(BURST, bucket.tokens + max(0.0, now - bucket.at) * REFILL)
        bucket.at = now
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True


def _path(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/events"
