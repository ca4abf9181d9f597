"""GetMetricData, GetMetricStatistics, ListMetrics: what was measured.

Sources: botocore's operations: 500 queries and 100,800 points a GetMetricData call, newest first; 1,440
points a GetMetricStatistics call, in no promised order; 500 metrics a ListMetrics page, none that was
silent for two weeks. What a client sees at once here takes AWS minutes for a new metric.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sluice_sandbox.aws.cloudwatch import labels, math_evaluation, queries, statistics
from sluice_sandbox.aws.cloudwatch.desk import Desk
from sluice_sandbox.aws.cloudwatch.math_evaluation import Points
from sluice_sandbox.aws.cloudwatch.paging import page, read_token, token
from sluice_sandbox.aws.cloudwatch.queries import FINE_PERIODS, Computation, key_of
from sluice_sandbox.aws.cloudwatch.refusals import (
    invalid_combination,
    invalid_value,
    missing_parameter,
    not_modelled,
    validation_error,
)
from sluice_sandbox.aws.cloudwatch.series import Series
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

MAX_QUERIES = 500
MAX_POINTS = 100_800
MAX_STATISTICS_POINTS = 1_440
METRICS_PAGE = 500
LISTED_SECONDS = 14 * 86_400
RECENT_SECONDS = 3 * 3_600


class MetricDataCalls:
    """The handlers that read metrics."""

    def __init__(self, desk: Desk) -> None:
        """Read the desk's books."""
        self._desk = desk

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""
        return {
            "GetMetricData": self.data,
            "GetMetricStatistics": self.statistics,
            "ListMetrics": self.metrics,
        }

    # ----------------------------------------------------------- GetMetricData

    def data(self, caller: Caller, params: Params) -> Response:
        """Return the results of up to 500 queries, by pages of data points."""
        _check_span(params, refuse=validation_error)
        given = params["MetricDataQueries"]
        _check_queries(given)
        most = params.get("MaxDatapoints", MAX_POINTS)
        if not 1 <= most <= MAX_POINTS:
            raise validation_error(f"The parameter MaxDatapoints must be from 1 to {MAX_POINTS}.")
        self._desk.flush()
        computation = Computation(
            metrics=self._desk.region(caller).metrics,
            queries=given,
            start=params["StartTime"],
            end=params["EndTime"],
        )
        found = [
            (query, points)
            for query in given
            for points in _computed(computation, query)
            if query.get("ReturnData", True)
        ]
        newest_first = params.get("ScanBy", "TimestampDescending") == "TimestampDescending"
        return _paged(found, newest_first=newest_first, start=read_token(params.get("NextToken")), size=most)

    # ----------------------------------------------------- GetMetricStatistics

    def statistics(self, caller: Caller, params: Params) -> Response:
        """Return up to 1,440 data points of one metric."""
        plain, extended = params.get("Statistics"), params.get("ExtendedStatistics")
        if not plain and not extended:
            raise missing_parameter("Must specify either Statistics or ExtendedStatistics")
        if plain and extended:
            raise invalid_combination(
                "The parameters Statistics and ExtendedStatistics are mutually exclusive and you have "
                "specified both."
            )
        _check_span(params, refuse=invalid_value)
        period = params["Period"]
        if period not in FINE_PERIODS and period % 60:
            raise invalid_value("The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60.")
        for name in extended or ():
            if not statistics.is_extended(name):
                raise invalid_value(f"The value {name} for parameter ExtendedStatistics is not supported.")
        points = math.ceil((params["EndTime"] - params["StartTime"]) / period)
        if points > MAX_STATISTICS_POINTS:
            raise invalid_combination(
                f"You have requested up to {points} datapoints, which exceeds the limit of "
                f"{MAX_STATISTICS_POINTS}. You may reduce the datapoints requested by increasing Period, or "
                "decreasing the time range."
            )
        self._desk.flush()
        series = self._desk.region(caller).metrics.get(key_of(params))
        shown = _datapoints(series, params, plain or [], extended or []) if series is not None else []
        return {"Label": params["MetricName"], "Datapoints": shown}

    # ------------------------------------------------------------- ListMetrics

    def metrics(self, caller: Caller, params: Params) -> Response:
        """Return the metrics that the filters leave."""
        if params.get("IncludeLinkedAccounts") or "OwningAccount" in params:
            raise not_modelled("cross-account observability")
        self._desk.flush()
        within = RECENT_SECONDS if "RecentlyActive" in params else LISTED_SECONDS
        oldest = self._desk.now() - within
        found = sorted(
            (
                series
                for series in self._desk.region(caller).metrics.values()
                if series.newest >= oldest and _listed(series, params)
            ),
            key=lambda series: series.key,
        )
        chosen, following = page(found, params, size=METRICS_PAGE)
        return {"Metrics": [shown_metric(series) for series in chosen], **following}


def shown_metric(series: Series) -> dict[str, Any]:
    """Return a Metric structure."""
    return {
        "Namespace": series.key.namespace,
        "MetricName": series.key.name,
        "Dimensions": [dict(item) for item in series.dimensions],
    }


def _check_span(params: Params, *, refuse: Any) -> None:  # noqa: ANN401 - one of refusals' functions
    start, end = params["StartTime"], params["EndTime"]
    if start == end:
        raise refuse("The parameter StartTime must not equal parameter EndTime.")
    if start > end:
        raise refuse("The parameter StartTime must be less than the parameter EndTime.")


def _check_queries(given: Sequence[Mapping[str, Any]]) -> None:
    if not given:
        raise validation_error("The parameter MetricDataQueries must not be empty.")
    if len(given) > MAX_QUERIES:
        raise validation_error(
            f"The collection MetricDataQueries must not have a size greater than {MAX_QUERIES}."
        )
    if any("AccountId" in query for query in given):
        raise not_modelled("cross-account observability")
    queries.check(given)
    if not any(query.get("ReturnData", True) for query in given):
        raise validation_error("At least one query of MetricDataQueries must return data.")


def _computed(computation: Computation, query: Mapping[str, Any]) -> list[Points]:
    """Compute a query, also one that is not returned: its faults are told either way."""
    found = math_evaluation.final(computation.value(query["Id"]), query["Id"])
    if "Expression" not in query:
        return found
    named = query.get("Label", query["Id"])
    if len(found) == 1 and not isinstance(computation.value(query["Id"]), list):
        return [Points(named, found[0].period, query["Id"], found[0].values)]
    # Several series of one expression are told apart by both labels (user guide, metric math).
    prefix = f"{named} " if named else ""
    return [Points(f"{prefix}{item.label}", item.period, query["Id"], item.values) for item in found]


def _paged(
    found: Sequence[tuple[Mapping[str, Any], Points]], *, newest_first: bool, start: int, size: int
) -> Response:
    """Return `size` data points from the `start`th on, over all results."""
    results, position = [], 0
    total = sum(len(points.values) for _, points in found)
    for query, points in found:
        times = sorted(points.values, reverse=newest_first)
        first, last = max(start - position, 0), min(start + size - position, len(times))
        chosen = times[first:last]
        position += len(times)
        if not chosen and (times or start):
            continue
        results.append(
            {
                "Id": query["Id"],
                "Label": labels.rendered(points),
                "Timestamps": chosen,
                "Values": [points.values[at] for at in chosen],
                "StatusCode": "Complete" if last == len(times) else "PartialData",
            }
        )
    answer: Response = {"MetricDataResults": results, "Messages": []}
    return answer | token(start + size) if start + size < total else answer


def _datapoints(
    series: Series, params: Params, plain: Sequence[str], extended: Sequence[str]
) -> list[dict[str, Any]]:
    period, unit = params["Period"], params.get("Unit", "")
    step = min(period, 60)
    at = params["StartTime"] // step * step
    shown = []
    while at < params["EndTime"]:
        for name in [unit] if unit else series.units(at, at + period) or [""]:
            bucket = series.over(at, at + period, unit=name, fine=period < 60)
            if bucket is None or not bucket.count:
                continue
            point: dict[str, Any] = {"Timestamp": at, "Unit": name or "None"}
            point |= {wanted: statistics.value(bucket, wanted) for wanted in plain}
            values = {wanted: statistics.value(bucket, wanted) for wanted in extended}
            known = {wanted: value for wanted, value in values.items() if value is not None}
            if extended and not known:
                continue
            shown.append(point | ({"ExtendedStatistics": known} if known else {}))
        at += period
    return shown


def _listed(series: Series, params: Params) -> bool:
    key = series.key
    if params.get("Namespace", key.namespace) != key.namespace:
        return False
    if params.get("MetricName", key.name) != key.name:
        return False
    have = dict(key.dimensions)
    return all(
        item["Name"] in have and item.get("Value", have[item["Name"]]) == have[item["Name"]]
        for item in params.get("Dimensions", ())
    )
