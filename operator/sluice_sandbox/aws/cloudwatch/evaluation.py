"""How an alarm's state follows from its data points: M out of N, and missing data. Pure.

Source: "Evaluating an alarm" and "Configuring how CloudWatch alarms treat missing data" of the user guide
(awsdocs/amazon-cloudwatch-user-guide, AlarmThatSendsEmail): more data points than N are looked at (the
evaluation range); when at least N of them exist the newest N decide and missing ones do not matter;
otherwise all that exist decide, with missing ones filled in as the alarm says. With `missing`, data
points that are all breaching raise the alarm once the oldest is M periods old. The size of the range
is not documented; its example looks at 5 for N = 3, so it is N + 2 here, and at least a minute more than
N periods, so that quick alarms find samples kept by the minute. Reasons follow AWS's wording as
public posts quote it.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sluice_sandbox.aws.cloudwatch.state import ALARM, INSUFFICIENT_DATA, OK

EXTRA_PERIODS = 2
_MINUTE = 60
MAX_REASON_DATA = 4_000
"""botocore: StateReasonData."""

_COMPARISONS: Mapping[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}
_FILLED = {"breaching": "Breaching", "notBreaching": "NonBreaching"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What of an alarm decides."""

    periods: int
    to_alarm: int
    threshold: float
    comparison: str
    missing: str

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> Settings:
        """Read them from an alarm's request."""
        periods = spec["EvaluationPeriods"]
        return cls(
            periods=periods,
            to_alarm=spec.get("DatapointsToAlarm", periods),
            threshold=spec["Threshold"],
            comparison=spec["ComparisonOperator"],
            missing=spec.get("TreatMissingData", "missing"),
        )

    def breaches(self, value: float) -> bool:
        """Tell whether a value breaches the threshold."""
        return _COMPARISONS[self.comparison][0](value, self.threshold)


@dataclass(frozen=True, slots=True)
class Datapoint:
    """One period: when it began and its value, None when it is missing."""

    at: float
    value: float | None
    samples: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A state with its reason; `state` is None where the present one is kept."""

    state: str | None
    reason: str
    evaluated: tuple[Datapoint, ...]


def evaluation_range(periods: int, period: int) -> int:
    """Return how many data points are looked at for `periods` of `period` seconds."""
    return periods + max(EXTRA_PERIODS, _MINUTE // period)


def evaluate(settings: Settings, datapoints: Sequence[Datapoint], *, present: str) -> Outcome:
    """Return the state that the evaluation range calls for; `datapoints` are oldest first."""
    real = [item for item in datapoints if item.value is not None]
    if len(real) >= settings.periods:
        chosen = real[-settings.periods :]
        state = ALARM if _breaching(settings, chosen) >= settings.to_alarm else OK
        return _told(settings, chosen, filled=0, state=state, present=present)
    filled = settings.periods - len(real)
    breaching = _breaching(settings, real)
    if settings.missing == "breaching":
        state = ALARM if breaching + filled >= settings.to_alarm else OK
        return _told(settings, real, filled=filled, state=state, present=present)
    if breaching >= settings.to_alarm:
        return _told(settings, real, filled=0, state=ALARM, present=present)
    if settings.missing == "notBreaching" or breaching < len(real):
        return _told(settings, real, filled=filled, state=OK, present=present)
    return _unknown(settings, datapoints, real, filled=filled, present=present)


def _unknown(
    settings: Settings,
    datapoints: Sequence[Datapoint],
    real: Sequence[Datapoint],
    *,
    filled: int,
    present: str,
) -> Outcome:
    """Decide where nothing contradicts an alarm and too little calls for one."""
    noun = "datapoint was" if filled == 1 else "datapoints were"
    reason = f"Insufficient Data: {filled} {noun} unknown."
    if settings.missing == "ignore":
        return Outcome(state=None, reason=reason, evaluated=tuple(real))
    oldest = datapoints.index(real[0]) if real else 0
    if real and len(datapoints) - oldest >= settings.to_alarm:
        return _told(settings, real, filled=0, state=ALARM, present=present)
    return Outcome(state=INSUFFICIENT_DATA, reason=reason, evaluated=tuple(real))


def _breaching(settings: Settings, chosen: Sequence[Datapoint]) -> int:
    return sum(1 for item in chosen if item.value is not None and settings.breaches(item.value))


def _told(settings: Settings, real: Sequence[Datapoint], *, filled: int, state: str, present: str) -> Outcome:
    return Outcome(
        state=state,
        reason=_reason(settings, real, filled=filled, state=state, present=present),
        evaluated=tuple(real),
    )


def _reason(settings: Settings, real: Sequence[Datapoint], *, filled: int, state: str, present: str) -> str:
    treated = _treated(settings, filled)
    if not real:
        noun = "period" if filled == 1 else "periods"
        return f"Threshold Crossed: no datapoints were received for {filled} {noun} and {treated}."
    raises = state == ALARM
    counted = [item for item in real if settings.breaches(item.value or 0.0) is raises] or list(real)
    count = len(counted)
    listed = ", ".join(f"{item.value} ({_stamp(item.at)})" for item in reversed(counted))
    verb = "was" if count == 1 else "were"
    negation = "" if raises else "not "
    needed = settings.to_alarm if raises else settings.periods - settings.to_alarm + 1
    minimum = "datapoint" if needed == 1 else "datapoints"
    tail = f" and {treated}" if treated else ""
    return (
        f"Threshold Crossed: {count} out of the last {settings.periods} datapoints [{listed}] {verb} "
        f"{negation}{_COMPARISONS[settings.comparison][1]} the threshold ({settings.threshold}){tail} "
        f"(minimum {needed} {minimum} for {_transition(state, present)} transition)."
    )


def _treated(settings: Settings, filled: int) -> str:
    word = _FILLED.get(settings.missing)
    if not filled or word is None:
        return ""
    noun = "missing datapoint was" if filled == 1 else "missing datapoints were"
    return f"{filled} {noun} treated as [{word}]"


def _transition(state: str, present: str) -> str:
    if state == ALARM:
        return "OK -> ALARM"
    return "ALARM -> OK" if present in (ALARM, OK) else f"{present} -> OK"


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%d/%m/%y %H:%M:%S")


def timestamp(at: float) -> str:
    """Return a time as StateReasonData and events spell it: 2026-01-02T03:04:05.000+0000."""
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"


def reason_data(spec: Mapping[str, Any], outcome: Outcome, *, now: float) -> str:
    """Return StateReasonData: what was looked at, newest first."""
    newest_first = list(reversed(outcome.evaluated))
    data: dict[str, Any] = {
        "version": "1.0",
        "queryDate": timestamp(now),
        "startDate": timestamp(outcome.evaluated[0].at) if outcome.evaluated else None,
        "unit": spec.get("Unit"),
        "statistic": spec.get("Statistic", spec.get("ExtendedStatistic")),
        "period": spec.get("Period")
        or max(
            (item["MetricStat"]["Period"] for item in spec.get("Metrics", ()) if "MetricStat" in item),
            default=60,
        ),
        "recentDatapoints": [item.value for item in outcome.evaluated],
        "threshold": spec["Threshold"],
        "evaluatedDatapoints": [
            {"timestamp": timestamp(item.at), "sampleCount": item.samples, "value": item.value}
            for item in newest_first
        ],
    }
    text = _dense(data)
    while len(text) > MAX_REASON_DATA and data["evaluatedDatapoints"]:
        data["evaluatedDatapoints"].pop()
        text = _dense(data)
    return text


def _dense(data: Mapping[str, Any]) -> str:
    return json.dumps({key: value for key, value in data.items() if value is not None}, separators=(",", ":"))
