"""When alarms are evaluated: soon after data came, and on a tick of the clock while alarms exist.

One tick looks at all alarms; one whose data and window did not move costs a comparison. Nothing ticks
while there is no alarm. The window slides by the minute (botocore: PutMetricAlarm, EvaluationWindow). AWS
waits until a period is over; here the present, unfinished one counts as soon as it has data, except
where it might still mend: a sum or a count that is too low so far says nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sluice_sandbox.aws.cloudwatch import evaluation, math_evaluation, queries, statistics
from sluice_sandbox.aws.cloudwatch.desk import Desk
from sluice_sandbox.aws.cloudwatch.evaluation import Datapoint, Settings
from sluice_sandbox.aws.cloudwatch.series import MetricKey
from sluice_sandbox.aws.cloudwatch.state import METRIC_ALARM, Alarm, Region
from sluice_sandbox.aws.cloudwatch.transitions import Transitions
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Caller

_GROWING = {"Sum", "SampleCount"}


class Evaluator:
    """Evaluates metric alarms; composite ones follow their children (`composite`)."""

    def __init__(self, desk: Desk, transitions: Transitions) -> None:
        """Evaluate the desk's alarms and hand their changes to `transitions`."""
        self._desk = desk
        self._transitions = transitions
        self._ticking = False
        self._due: dict[tuple[str, str, str], None] = {}
        """Alarms to look at soon: account, region, name."""
        self._watchers: dict[tuple[str, str, MetricKey], set[str]] = {}
        self._watching: dict[tuple[str, str, str], list[MetricKey]] = {}
        desk.on_sample(self._sampled)

    # ------------------------------------------------------------------- when

    def put(self, caller: Caller, alarm: Alarm) -> None:
        """Look at a new or changed alarm after a moment, and from then on."""
        self._watch(caller, alarm)
        self._soon(caller, alarm.name, self._desk.settings.first_evaluation_seconds)

    def forget(self, caller: Caller, name: str) -> None:
        """Stop watching metrics for an alarm."""
        place = (caller.account, caller.region)
        for key in self._watching.pop((*place, name), ()):
            names = self._watchers.get((*place, key), set())
            names.discard(name)
            if not names:
                self._watchers.pop((*place, key), None)

    def rebuild(self) -> None:
        """Watch what the books say: they were exchanged."""
        self._watchers.clear()
        self._watching.clear()
        for (account, region), books in self._desk.state.regions.items():
            caller = Caller(account=account, region=region)
            for alarm in books.alarms.values():
                if alarm.kind == METRIC_ALARM:
                    self._watch(caller, alarm)

    def take_note(self, caller: Caller, alarm: Alarm) -> None:
        """Remember the data as it is: only other data, or the clock, changes what was set by hand."""
        window = _Window(self._desk.region(caller), alarm.spec, now=self._desk.now())
        alarm.seen = window.fingerprint()

    def _watch(self, caller: Caller, alarm: Alarm) -> None:
        self.forget(caller, alarm.name)
        place = (caller.account, caller.region)
        keys = queries.watched(as_queries(alarm.spec))
        self._watching[(*place, alarm.name)] = keys
        for key in keys:
            self._watchers.setdefault((*place, key), set()).add(alarm.name)
        self._start()

    def _sampled(self, caller: Caller, key: MetricKey) -> None:
        for name in self._watchers.get((caller.account, caller.region, key), ()):
            self._soon(caller, name, self._desk.settings.reaction_seconds)

    def _soon(self, caller: Caller, name: str, seconds: float) -> None:
        key = (caller.account, caller.region, name)
        if key in self._due:
            return
        self._due[key] = None

        def look() -> None:
            self._due.pop(key, None)
            alarm = self._desk.region(caller).alarms.get(name)
            if alarm is not None:
                self._desk.flush()
                self.evaluate(caller, alarm)

        self._desk.clock.call_later(seconds, look)

    def _start(self) -> None:
        if not self._ticking:
            self._ticking = True
            self._desk.clock.call_later(self._desk.settings.tick_seconds, self._tick)

    def _tick(self) -> None:
        self._ticking = False
        places = [
            (Caller(account=account, region=region), books)
            for (account, region), books in self._desk.state.regions.items()
            if any(alarm.kind == METRIC_ALARM for alarm in books.alarms.values())
        ]
        if not places:
            return
        self._desk.flush()
        now = self._desk.now()
        for caller, books in places:
            for alarm in list(books.alarms.values()):
                if alarm.kind == METRIC_ALARM and now >= max(
                    alarm.held_until, alarm.configured_at + self._first()
                ):
                    self.evaluate(caller, alarm)
        self._start()

    def _first(self) -> float:
        return self._desk.settings.first_evaluation_seconds

    # ------------------------------------------------------------------- what

    def evaluate(self, caller: Caller, alarm: Alarm) -> None:
        """Set the alarm to what its data points call for."""
        books = self._desk.region(caller)
        window = _Window(books, alarm.spec, now=self._desk.now())
        seen = window.fingerprint()
        if seen == alarm.seen and not alarm.held_until:
            self._transitions.repeat(caller, alarm)
            return
        if alarm.held_until > self._desk.now() and seen[1:] == alarm.seen[1:]:
            return
        if self._warming_up(alarm, window):
            return
        alarm.seen, alarm.held_until = seen, 0.0
        alarm.fault = ""
        try:
            datapoints = window.datapoints()
        except AwsError as error:
            # What it gives depends on the data: a number where a series is needed. The state stays
            # (botocore: EvaluationState, EVALUATION_ERROR).
            alarm.fault = error.message
            return
        outcome = evaluation.evaluate(Settings.of(alarm.spec), datapoints, present=alarm.state)
        if outcome.evaluated:
            alarm.value = outcome.evaluated[-1].value
        first = alarm.reason.startswith("Unchecked")
        if outcome.state is None or (outcome.state == alarm.state and not first):
            self._transitions.repeat(caller, alarm)
            return
        self._transitions.set(
            caller,
            alarm,
            state=outcome.state,
            reason=outcome.reason,
            reason_data=evaluation.reason_data(alarm.spec, outcome, now=self._desk.now()),
        )

    def _warming_up(self, alarm: Alarm, window: _Window) -> bool:
        """Tell whether evaluation waits for the warm-up, or for data to fill the periods (botocore)."""
        warm_up = alarm.spec.get("WarmUpConfiguration")
        if warm_up is None or alarm.warmed_up:
            return False
        over = alarm.created_at + 60 * warm_up["WarmUpPeriodDurationInMinutes"]
        if self._desk.now() >= over:
            alarm.warmed_up = True
        elif not warm_up.get("OnlyStartEvaluatingAfterWarmUpPeriodEnds", False):
            real = [item for item in window.datapoints() if item.value is not None]
            alarm.warmed_up = len(real) >= alarm.spec["EvaluationPeriods"]
        return not alarm.warmed_up


def as_queries(spec: Mapping[str, Any]) -> queries.Queries:
    """Return an alarm's metrics as queries, those of a single-metric alarm too."""
    if "Metrics" in spec:
        given: queries.Queries = spec["Metrics"]
        return given
    stat = {
        "Metric": {name: spec[name] for name in ("Namespace", "MetricName", "Dimensions") if name in spec},
        "Period": spec["Period"],
        "Stat": spec.get("Statistic", spec.get("ExtendedStatistic")),
    }
    if "Unit" in spec:
        stat["Unit"] = spec["Unit"]
    return [{"Id": "m1", "MetricStat": stat, "ReturnData": True}]


class _Window:
    """The evaluation range of one alarm at one moment."""

    def __init__(self, books: Region, spec: Mapping[str, Any], *, now: float) -> None:
        self._books = books
        self._spec = spec
        self._queries = as_queries(spec)
        stats = [item["MetricStat"] for item in self._queries if "MetricStat" in item]
        self.period = max((stat["Period"] for stat in stats), default=60)
        self._stats = {stat["Stat"] for stat in stats}
        self._keys = queries.watched(self._queries)
        step = min(self.period, 60)
        self._step = step
        self.end = math.floor(now / step) * step
        self._unfinished = self._has_data(self.end, self.end + step) and not self._may_mend()
        if self._unfinished:
            self.end += step

    def fingerprint(self) -> tuple[int, ...]:
        """Return what the result depends on: the window's end, then each metric's version."""
        found = [self._books.metrics.get(key) for key in self._keys]
        return (int(self.end), *(series.version if series is not None else 0 for series in found))

    def _may_mend(self) -> bool:
        return bool(self._stats & _GROWING) and self._spec["ComparisonOperator"].startswith("LessThan")

    def _has_data(self, start: float, end: float) -> bool:
        series = (self._books.metrics.get(key) for key in self._keys)
        return any(item is not None and item.over(start, end, fine=self.period < 60) for item in series)

    def datapoints(self) -> list[Datapoint]:
        """Return the range's data points, oldest first."""
        count = evaluation.evaluation_range(self._spec["EvaluationPeriods"], self.period)
        start = self.end - count * self.period
        computation = queries.Computation(
            metrics=self._books.metrics, queries=self._queries, start=start, end=self.end, align=False
        )
        watched = next(item["Id"] for item in self._queries if item.get("ReturnData", True))
        series = math_evaluation.final(computation.value(watched), watched)
        values = series[0].values if series else {}
        times = [start + index * self.period for index in range(count)]
        points = [Datapoint(at, values.get(at), self._samples(at)) for at in times]
        return [self._weighed(point) for point in points]

    def _samples(self, at: float) -> float:
        if len(self._keys) != 1:
            return 0.0
        series = self._books.metrics.get(self._keys[0])
        bucket = series.over(at, at + self.period, fine=self.period < 60) if series is not None else None
        return bucket.count if bucket is not None else 0.0

    def _weighed(self, point: Datapoint) -> Datapoint:
        """Leave out a percentile of too few samples where the alarm says `ignore` (user guide)."""
        if self._spec.get("EvaluateLowSampleCountPercentile") != "ignore":
            return point
        share = (statistics.percentile(self._spec.get("ExtendedStatistic", "")) or 0.0) / 100
        tail = 1 - share if share >= 0.5 else share
        needed = 10 / tail if tail else math.inf
        return point if point.samples >= needed else replace(point, value=None)
