"""Metric data queries: what a MetricStat and an Expression mean, for GetMetricData and for alarms.

A query set is checked once (`check`), then computed for as many stretches of time as wanted
(`Computation`). Sources: botocore's MetricDataQuery and MetricStat, "Using metric math" of the user guide.
Refusals are ValidationError; where AWS's wording is not public it is from memory.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sluice_sandbox.aws.cloudwatch import math_evaluation, math_syntax, statistics
from sluice_sandbox.aws.cloudwatch.math_evaluation import Points, Value
from sluice_sandbox.aws.cloudwatch.refusals import not_modelled, validation_error
from sluice_sandbox.aws.cloudwatch.series import MetricKey, Series, metric_key

Queries = Sequence[Mapping[str, Any]]

_ID = re.compile(r"[a-z][A-Za-z0-9_]*")
FINE_PERIODS = (1, 5, 10, 20, 30)


def check(queries: Queries, *, where: str = "MetricDataQueries") -> None:
    """Refuse queries that GetMetricData and PutMetricAlarm would refuse.

    Unique ids, exactly one of MetricStat and Expression, valid statistic and period, a syntax that
    can be read, and no reference to what is not there or to itself.
    """
    ids = [query["Id"] for query in queries]
    for index, query in enumerate(queries, 1):
        path = f"{where}.member.{index}"
        if _ID.fullmatch(query["Id"]) is None:
            raise validation_error(
                f"The value {query['Id']} for parameter {path}.Id is not matching the expected pattern "
                "^[a-z][a-zA-Z0-9_]*$."
            )
        if ids.count(query["Id"]) > 1:
            raise validation_error(f"The values for parameter id in {where} are not unique.")
        if ("MetricStat" in query) == ("Expression" in query):
            raise validation_error(
                f"Exactly one of the parameters {path}.MetricStat and {path}.Expression must be specified."
            )
        if "MetricStat" in query:
            _check_stat(f"{path}.MetricStat", query["MetricStat"])
        if "Period" in query:
            check_period(f"{path}.Period", query["Period"])
    _check_references(queries)


def check_period(where: str, period: int) -> None:
    """Refuse a period other than 1, 5, 10, 20, 30 or a multiple of 60 (botocore: MetricStat.Period)."""
    if period not in FINE_PERIODS and period % 60:
        raise validation_error(
            f"The parameter {where} must be 1, 5, 10, 20, 30 or a multiple of 60; it is {period}."
        )


def _check_stat(where: str, stat: Mapping[str, Any]) -> None:
    metric = stat["Metric"]
    for member in ("Namespace", "MetricName"):
        if member not in metric:
            raise validation_error(f"The parameter {where}.Metric.{member} is required.")
    check_period(f"{where}.Period", stat["Period"])
    name = stat["Stat"]
    if not statistics.is_plain(name) and not statistics.is_extended(name):
        raise validation_error(f"The value {name} for parameter {where}.Stat is not supported.")


def _check_references(queries: Queries) -> None:
    parsed = {
        query["Id"]: math_syntax.parse(query["Id"], query["Expression"])
        for query in queries
        if "Expression" in query
    }
    ids = {query["Id"] for query in queries}
    needs = {name: math_syntax.names(tree) for name, tree in parsed.items()}
    for name, used in needs.items():
        for other in sorted(used - ids):
            raise validation_error(f"Error in expression '{name}' [Unresolved identifier: '{other}']")
    for name, used in needs.items():
        seen, waiting = set(), list(used)
        while waiting:
            other = waiting.pop()
            if other == name:
                raise validation_error(f"Error in expression '{name}' [Circular reference detected]")
            if other not in seen:
                seen.add(other)
                waiting += needs.get(other, ())


def key_of(metric: Mapping[str, Any]) -> MetricKey:
    """Return the key of a Metric structure."""
    return metric_key(
        metric["Namespace"],
        metric["MetricName"],
        ((item["Name"], item["Value"]) for item in metric.get("Dimensions", ())),
    )


def watched(queries: Queries) -> list[MetricKey]:
    """Return the metrics that the queries read."""
    return [key_of(query["MetricStat"]["Metric"]) for query in queries if "MetricStat" in query]


@dataclass(slots=True, kw_only=True)
class Computation:
    """The queries over one stretch of time; each result is computed once.

    Points begin at `start` and follow each other by the query's period; `end` is exclusive.
    """

    metrics: Mapping[MetricKey, Series]
    queries: Queries
    start: float
    end: float
    align: bool = True
    """Round `start` down to a minute, or to a period below one (GetMetricData, StartTime)."""
    _done: dict[str, Value] = field(default_factory=dict)

    def value(self, name: str) -> Value:
        """Return what the query `name` gives: one time series, several, or a number."""
        if name not in self._done:
            query = next(item for item in self.queries if item["Id"] == name)
            if "MetricStat" in query:
                self._done[name] = self._metric(query)
            else:
                self._done[name] = self._expression(query)
        return self._done[name]

    def _metric(self, query: Mapping[str, Any]) -> Points:
        stat = query["MetricStat"]
        period = stat["Period"]
        series = self.metrics.get(key_of(stat["Metric"]))
        points = Points(
            label=query.get("Label") or stat["Metric"]["MetricName"], period=period, id=query["Id"]
        )
        if series is not None:
            points.values = self.points(series, stat["Stat"], period=period, unit=stat.get("Unit", ""))
        return points

    def points(self, series: Series, stat: str, *, period: int, unit: str = "") -> dict[float, float]:
        """Return a statistic by period, by the time each period begins at."""
        found: dict[float, float] = {}
        at = self.start
        if self.align:
            step = min(period, 60)
            at = at // step * step
        while at < self.end:
            bucket = series.over(at, at + period, unit=unit, fine=period < 60)
            if bucket is not None and bucket.count:
                value = statistics.value(bucket, stat)
                if value is not None:
                    found[at] = value
            at += period
        return found

    def _expression(self, query: Mapping[str, Any]) -> Value:
        text = query["Expression"]
        if text.lstrip().upper().startswith("SELECT"):
            raise not_modelled("Metrics Insights queries", "Name the metrics by MetricStat or SEARCH.")
        tree = math_syntax.parse(query["Id"], text)
        return math_evaluation.evaluate(
            tree,
            math_evaluation.Surroundings(
                expression=query["Id"],
                resolve=self.value,
                metrics=lambda: [
                    points
                    for item in self.queries
                    if "MetricStat" in item
                    for points in math_evaluation.as_list(self.value(item["Id"]))
                ],
                search=self._search,
                grid=self._grid(query),
            ),
        )

    def _search(self, pattern: str, stat: str, period: int) -> list[Points]:
        from sluice_sandbox.aws.cloudwatch import search  # noqa: PLC0415 - only expressions with SEARCH need it

        found = []
        for series in search.matching(self.metrics.values(), pattern):
            points = Points(label=search.label(series), period=period, id="")
            points.values = self.points(series, stat, period=period)
            found.append(points)
        return found

    def _grid(self, query: Mapping[str, Any]) -> tuple[float, float, int]:
        periods = [item["MetricStat"]["Period"] for item in self.queries if "MetricStat" in item]
        period = query.get("Period") or max(periods, default=60)
        start = self.start // min(period, 60) * min(period, 60) if self.align else self.start
        return start, self.end, period
