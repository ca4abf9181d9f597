"""How many requests the load balancer counted for each slot: the observed weights (rollout.md §4, §8).

One GetMetricData per account, Region and minute for all routes in motion together (five hundred queries
a call, two for a usual route), with a low priority: looking must never delay a rollout. CloudWatch is late by
a minute or so, so minutes count only when they are over for a minute; what could not be read is asked for
again with the next call. Metric: "CloudWatch metrics for your Application Load Balancer", RequestCount with
dimensions TargetGroup and LoadBalancer.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sluice.analysis.cloud_watch import PERIOD, Statistic
from sluice.analysis.load_balancer import NAMESPACE
from sluice.analysis.placeholders import dimension
from sluice.analysis.scheduler import Scheduler
from sluice.model.binding import Binding, CallContext, Priority
from sluice.model.errors import SluiceError
from sluice.model.keys import Key
from sluice.model.traffic import SlotTarget
from sluice.ports import Aws, Clock
from sluice.telemetry.log import logger

WINDOW: Final = 5
"""Minutes that are read, and of which requests are added up."""
LATE: Final = 60.0
"""Seconds that a minute must be over before its number is believed."""
_QUERIES: Final = 500  # GetMetricData, MetricDataQueries

_Place = tuple[str, str]  # load balancer, target group: CloudWatch's dimensions

_log = logger(__name__)


@dataclass(slots=True)
class _Watch:
    """One route's interest."""

    context: CallContext
    targets: Mapping[str, Sequence[SlotTarget]]


@dataclass(slots=True)
class _Counts:
    """What one account and Region counted: minute's start → requests; a place without any is not there."""

    minutes: dict[_Place, dict[float, int]] = field(default_factory=dict)
    read_at: float = 0.0


class RequestCounter:
    """`ports.RequestCounts`. Thread-safe; nothing runs while nobody watches."""

    def __init__(self, aws: Aws, *, clock: Clock, scheduler: Scheduler) -> None:
        """Ask `aws` once a minute on `scheduler`."""
        self._aws = aws
        self._clock = clock
        self._scheduler = scheduler
        self._lock = threading.Lock()
        self._watched: dict[Key, _Watch] = {}
        self._counts: dict[Binding, _Counts] = {}
        self._running: set[Binding] = set()

    def watch(self, context: CallContext, targets: Mapping[str, Sequence[SlotTarget]]) -> None:
        """Count for these backends of the route `context.key` from now on; {} ends it."""
        binding = context.binding
        with self._lock:
            if not targets:
                self._watched.pop(context.key, None)
                return
            self._watched[context.key] = _Watch(context, dict(targets))
            if binding in self._running:
                return
            self._running.add(binding)
        self._scheduler.soon(lambda: self._run(binding))

    def counted(self, key: Key, backend: str, *, since: float) -> Mapping[str, int] | None:
        """Return slot → requests of the last whole minutes after `since`; None while there is none."""
        with self._lock:
            watch = self._watched.get(key)
            counts = self._counts.get(watch.context.binding) if watch else None
            if watch is None or counts is None:
                return None
            last = counts.read_at - PERIOD - LATE
            if since > last:
                return None
            first = max(since, last - (WINDOW - 1) * PERIOD)
            found: dict[str, int] = {}
            for target in watch.targets.get(backend, ()):
                minutes = counts.minutes.get(_place(target), {})
                number = sum(count for minute, count in minutes.items() if first <= minute <= last)
                found[target.slot] = found.get(target.slot, 0) + number
            return found

    def _run(self, binding: Binding) -> None:
        with self._lock:
            watches = [watch for watch in self._watched.values() if watch.context.binding == binding]
            if not watches:
                self._running.discard(binding)
                self._counts.pop(binding, None)
                return
        places = sorted(
            {_place(t) for watch in watches for targets in watch.targets.values() for t in targets}
        )
        now = self._clock.now()
        try:
            minutes = self._read(watches[0].context, places, now=now)
        except SluiceError as error:
            _log.info("requests_not_counted", detail=str(error))
        except Exception:  # noqa: BLE001 - whatever AWS answers, the next minute is asked for
            _log.exception("requests_not_counted")
        else:
            with self._lock:
                self._counts[binding] = _Counts(minutes=minutes, read_at=now)
        self._scheduler.later(PERIOD, lambda: self._run(binding))

    def _read(
        self, context: CallContext, places: Sequence[_Place], *, now: float
    ) -> dict[_Place, dict[float, int]]:
        end = int(now) // PERIOD * PERIOD
        quiet = CallContext(binding=context.binding, priority=Priority.DRIFT, key=context.key)
        found: dict[_Place, dict[float, int]] = {}
        for batch in _chunks(places):
            names = {f"q{number}": place for number, place in enumerate(batch)}
            params: dict[str, Any] = {
                "MetricDataQueries": [_query(name, place) for name, place in names.items()],
                "StartTime": dt.datetime.fromtimestamp(end - (WINDOW + 2) * PERIOD, dt.UTC),
                "EndTime": dt.datetime.fromtimestamp(end, dt.UTC),
                "ScanBy": "TimestampDescending",
            }
            token = ""
            while True:
                more = {"NextToken": token} if token else {}
                answer = self._aws.call("cloudwatch", "GetMetricData", params | more, context=quiet)
                for result in answer.get("MetricDataResults") or ():
                    minutes = found.setdefault(names[result["Id"]], {})
                    for at, value in zip(
                        result.get("Timestamps") or (), result.get("Values") or (), strict=False
                    ):
                        minutes[at.timestamp()] = int(value)
                token = str(answer.get("NextToken") or "")
                if not token:
                    break
        return found


def _chunks(places: Sequence[_Place]) -> list[Sequence[_Place]]:
    return [places[at : at + _QUERIES] for at in range(0, len(places), _QUERIES)]


def _place(target: SlotTarget) -> _Place:
    return dimension(target.load_balancer_arn), dimension(target.target_group_arn)


def _query(name: str, place: _Place) -> dict[str, Any]:
    balancer, group = place
    return Statistic(
        id=name,
        namespace=NAMESPACE,
        metric="RequestCount",
        dimensions={"LoadBalancer": balancer, "TargetGroup": group},
        statistic="Sum",
    ).query()
