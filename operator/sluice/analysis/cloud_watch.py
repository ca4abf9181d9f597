"""CloudWatch as a source: a metric's statistic, or metric math; and the parts that others share.

GetMetricData with periods of a minute: Application Load Balancers report each minute, and a shorter
period would return nothing for them (CloudWatch API, MetricStat.Period).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sluice.analysis.placeholders import fill, values
from sluice.model.rollout import MetricRequest
from sluice.model.situation import Sample
from sluice.ports import Aws, GateScene

PERIOD: Final = 60
_COUNTS: Final = frozenset({"Sum", "SampleCount"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistic:
    """One statistic of one metric over a window."""

    id: str
    namespace: str
    metric: str
    dimensions: Mapping[str, str]
    statistic: str

    def query(self, *, shown: bool = True) -> dict[str, Any]:
        """Return the MetricDataQuery."""
        return {
            "Id": self.id,
            "ReturnData": shown,
            "MetricStat": {
                "Metric": {
                    "Namespace": self.namespace,
                    "MetricName": self.metric,
                    "Dimensions": [
                        {"Name": name, "Value": value} for name, value in sorted(self.dimensions.items())
                    ],
                },
                "Period": PERIOD,
                "Stat": self.statistic,
            },
        }


def ask(
    aws: Aws, scene: GateScene, queries: Sequence[Mapping[str, Any]], *, window: tuple[float, float]
) -> dict[str, list[float]]:
    """Return the values of each query, newest first; raises what the gateway raises."""
    start = int(window[0]) // PERIOD * PERIOD
    end = -(-int(window[1] + 1) // PERIOD) * PERIOD
    found: dict[str, list[float]] = {}
    token = ""
    while True:
        params: dict[str, Any] = {
            "MetricDataQueries": list(queries),
            "StartTime": dt.datetime.fromtimestamp(start, dt.UTC),
            "EndTime": dt.datetime.fromtimestamp(end, dt.UTC),
            "ScanBy": "TimestampDescending",
        }
        answer = aws.call(
            "cloudwatch",
            "GetMetricData",
            params | ({"NextToken": token} if token else {}),
            context=scene.context,
        )
        for result in answer.get("MetricDataResults") or ():
            found.setdefault(result["Id"], []).extend(float(value) for value in result.get("Values") or ())
        token = str(answer.get("NextToken") or "")
        if not token:
            return found


def combined(statistic: str, numbers: Sequence[float]) -> float | None:
    """Return one number for a window of minutes: sums add up, of all else the worst counts; None: no data."""
    if not numbers:
        return None
    if statistic in _COUNTS:
        return sum(numbers)
    if statistic == "Minimum":
        return min(numbers)
    return sum(numbers) / len(numbers) if statistic in ("Average", "IQM") else max(numbers)


class CloudWatchSource:
    """`metrics[].cloudWatch`."""

    def __init__(self, aws: Aws) -> None:
        """Ask through `aws`."""
        self._aws = aws

    def measure(self, scene: GateScene, request: MetricRequest, *, now: float) -> Sample:
        """Return one sample; raises SluiceError or UnknownPlaceholderError."""
        query, known = request.metric.query, values(scene, request)
        if "expression" in query:
            inputs = [
                _statistic(entry, entry["id"], known).query(shown=False)
                for entry in query.get("queries") or ()
            ]
            math = {
                "Id": "sluice_result",
                "Expression": query["expression"],
                "ReturnData": True,
                "Period": PERIOD,
            }
            found = ask(self._aws, scene, [*inputs, math], window=request.window)
            numbers = found.get("sluice_result", [])
            return Sample(at=now, value=numbers[0] if numbers else None, detail=str(query["expression"]))
        wanted = _statistic(query, "value", known)
        found = ask(self._aws, scene, [wanted.query()], window=request.window)
        value = combined(wanted.statistic, found.get("value", []))
        return Sample(at=now, value=value, detail=f"{wanted.statistic} of {wanted.namespace} {wanted.metric}")


def _statistic(entry: Mapping[str, Any], name: str, known: Mapping[str, str]) -> Statistic:
    return Statistic(
        id=name,
        namespace=entry["namespace"],
        metric=entry["metricName"],
        dimensions={key: fill(value, known) for key, value in (entry.get("dimensions") or {}).items()},
        statistic=entry.get("statistic") or "Average",
    )
