"""PutMetricData, and the door by which the stand-in's own services publish.

Rules are those of botocore's PutMetricData: 1,000 metrics a request, 150 values a metric, values
between -2^360 and 2^360, times from two weeks ago to two hours ahead, 30 dimensions. The refusals'
texts follow the service's as public clients' tests repeat them (moto's among them), else from memory.
Nothing of a refused request is kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sluice_sandbox.aws.cloudwatch.desk import Desk
from sluice_sandbox.aws.cloudwatch.refusals import (
    invalid_combination,
    invalid_value,
    missing_parameter,
    validation_error,
)
from sluice_sandbox.aws.cloudwatch.series import MetricKey, metric_key
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

MAX_METRICS = 1_000
MAX_VALUES = 150
MAX_ENTITIES = 2
MAX_MAGNITUDE = 2.0**360
OLDEST = 14 * 86400
AHEAD = 2 * 3600


class Intake:
    """PutMetricData and the port `Metrics`."""

    def __init__(self, desk: Desk) -> None:
        """Work on the desk's books."""
        self._desk = desk

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""
        return {"PutMetricData": self.put}

    def put(self, caller: Caller, params: Params) -> Response:
        """Add samples of up to 1,000 metrics, all or none."""
        namespace = params["Namespace"]
        _check_namespace(namespace)
        data = list(enumerate_data(params))
        if not data:
            raise missing_parameter("The parameter MetricData is required.")
        if len(data) > MAX_METRICS:
            raise validation_error(
                f"The collection MetricData must not have a size greater than {MAX_METRICS}."
            )
        now = self._desk.now()
        for where, datum in data:
            check_datum(where, datum, now=now)
        for _, datum in data:
            self._add(caller, namespace, datum, now=now)
        for key in dict.fromkeys(_key(namespace, datum) for _, datum in data):
            self._desk.sampled(caller, key)
        return {}

    def _add(self, caller: Caller, namespace: str, datum: Mapping[str, Any], *, now: float) -> None:
        series = self._desk.series(caller, _key(namespace, datum), list(datum.get("Dimensions", ())))
        at = datum.get("Timestamp", now)
        unit = datum.get("Unit", "None")
        fine = datum.get("StorageResolution", 60) < 60
        for bucket in [series.bucket(at, unit)] + ([series.bucket(at, unit, fine=True)] if fine else []):
            if "StatisticValues" in datum:
                given = datum["StatisticValues"]
                bucket.add_set(
                    count=given["SampleCount"],
                    total=given["Sum"],
                    low=given["Minimum"],
                    high=given["Maximum"],
                )
            elif datum.get("Values"):
                values = datum["Values"]
                for value, times in zip(values, datum.get("Counts") or [1.0] * len(values), strict=True):
                    bucket.add(float(value), float(times))
            else:
                bucket.add(float(datum["Value"]), 1.0)
        series.touched(at, now)

    # The port `Metrics`.

    def publish(
        self,
        caller: Caller,
        *,
        namespace: str,
        metric: str,
        dimensions: Mapping[str, str],
        values: Sequence[float],
        counts: Sequence[float] = (),
        unit: str = "None",
        at: float | None = None,
    ) -> None:
        """Add samples for a service; see `ports.Metrics`."""
        now = self._desk.now()
        key = metric_key(namespace, metric, dimensions.items())
        shown = [{"Name": name, "Value": value} for name, value in dimensions.items()]
        series = self._desk.series(caller, key, shown)
        moment = now if at is None else at
        bucket = series.bucket(moment, unit)
        for value, times in zip(values, counts or [1.0] * len(values), strict=False):
            bucket.add(float(value), float(times))
        series.touched(moment, now)
        self._desk.sampled(caller, key)

    def on_flush(self, callback: Callable[[], None]) -> None:
        """Call back before metrics are read; see `ports.Metrics`."""
        self._desk.on_flush(callback)


def enumerate_data(params: Params) -> list[tuple[str, dict[str, Any]]]:
    """Return every datum of a request with the path that refusals name."""
    entities = params.get("EntityMetricData", ())
    if len(entities) > MAX_ENTITIES:
        raise validation_error(
            f"The collection EntityMetricData must not have a size greater than {MAX_ENTITIES}."
        )
    found = [
        (f"MetricData.member.{index}", datum) for index, datum in enumerate(params.get("MetricData", ()), 1)
    ]
    for outer, entity in enumerate(entities, 1):
        found += [
            (f"EntityMetricData.member.{outer}.MetricData.member.{index}", datum)
            for index, datum in enumerate(entity.get("MetricData", ()), 1)
        ]
    return found


def check_datum(where: str, datum: Mapping[str, Any], *, now: float) -> None:
    """Refuse what CloudWatch would not store."""
    _check_dimensions(where, datum.get("Dimensions", ()))
    given = [name for name in ("Value", "Values", "StatisticValues") if name in datum]
    if not given:
        raise missing_parameter(
            f"At least one of the parameters {where}.Value, {where}.Values or "
            f"{where}.StatisticValues must be specified."
        )
    if len(given) > 1:
        refuse = invalid_combination if "StatisticValues" in given else invalid_value
        raise refuse(
            f"The parameters {where}.{given[0]} and {where}.{given[1]} are mutually exclusive and you "
            "have specified both."
        )
    _check_values(where, datum)
    _check_statistic_set(where, datum.get("StatisticValues"))
    resolution = datum.get("StorageResolution", 60)
    if resolution not in (1, 60):
        raise invalid_value(f"The parameter {where}.StorageResolution must be either 1 or 60.")
    at = datum.get("Timestamp", now)
    if not now - OLDEST <= at <= now + AHEAD:
        raise invalid_value(
            f"The parameter {where}.Timestamp must specify a time no more than two weeks in the past and "
            "no more than two hours in the future."
        )


def _check_values(where: str, datum: Mapping[str, Any]) -> None:
    if "Value" in datum:
        check_number(f"{where}.Value", datum["Value"])
        return
    values, counts = datum.get("Values"), datum.get("Counts")
    if values is None:
        if counts is not None:
            raise invalid_combination(f"The parameter {where}.Counts requires {where}.Values.")
        return
    if not values:
        raise missing_parameter(f"The parameter {where}.Values must not be empty.")
    if len(values) > MAX_VALUES:
        raise invalid_value(f"The collection {where}.Values must not have a size greater than {MAX_VALUES}.")
    if counts is not None and len(counts) != len(values):
        raise invalid_value(f"The parameters {where}.Values and {where}.Counts must be of the same size.")
    for value in values:
        check_number(f"{where}.Values", value)
    for value in counts or ():
        check_number(f"{where}.Counts", value)
        if value < 0:
            raise invalid_value(f"The value {value} for parameter {where}.Counts is invalid.")


def _check_statistic_set(where: str, given: Mapping[str, float] | None) -> None:
    if given is None:
        return
    for name in ("SampleCount", "Sum", "Minimum", "Maximum"):
        check_number(f"{where}.StatisticValues.{name}", given[name])
    if given["SampleCount"] <= 0:
        raise invalid_value(
            f"The value {given['SampleCount']} for parameter {where}.StatisticValues.SampleCount is invalid."
        )
    if given["Maximum"] < given["Minimum"]:
        raise invalid_value(
            f"The parameter {where}.StatisticValues.Maximum must be greater than "
            f"{where}.StatisticValues.Minimum."
        )


def check_number(where: str, value: float) -> None:
    """Refuse NaN, infinities and what is too large (botocore: MetricDatum.Value)."""
    if math.isnan(value) or math.isinf(value):
        shown = "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
        raise invalid_value(f"The value {shown} for parameter {where} is invalid.")
    if abs(value) > MAX_MAGNITUDE:
        raise invalid_value(f"The value {value} for parameter {where} is invalid.")


def _check_namespace(namespace: str) -> None:
    if namespace.startswith("AWS/"):
        raise invalid_value("The value AWS/ for parameter Namespace is invalid.")
    if not namespace.isprintable() or not namespace.isascii() or not namespace.strip():
        raise invalid_value(f"The value {namespace} for parameter Namespace is invalid.")


def _check_dimensions(where: str, dimensions: Sequence[Mapping[str, str]]) -> None:
    names: set[str] = set()
    for index, dimension in enumerate(dimensions, 1):
        path = f"{where}.Dimensions.member.{index}"
        for member in ("Name", "Value"):
            text = dimension[member]
            if not text.strip() or not text.isascii() or not text.isprintable():
                raise invalid_value(f"The value {text!r} for parameter {path}.{member} is invalid.")
        if dimension["Name"].startswith(":"):
            raise invalid_value(f"The parameter {path}.Name must not start with a colon.")
        if dimension["Name"] in names:
            raise invalid_value(
                f"The dimension '{dimension['Name']}' of {where} was specified more than once."
            )
        names.add(dimension["Name"])


def _key(namespace: str, datum: Mapping[str, Any]) -> MetricKey:
    dimensions = ((item["Name"], item["Value"]) for item in datum.get("Dimensions", ()))
    return metric_key(namespace, datum["MetricName"], dimensions)
