"""The functions of metric math.

Source: "Functions supported for metric math" of the user guide. What needs anomaly detection, Contributor
Insights, service quotas or Lambda is refused by name.
"""

from __future__ import annotations

import itertools
import math
import statistics as python_statistics
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from sluice_sandbox.aws.cloudwatch.math_evaluation import Points, Surroundings, Value, as_list, evaluate
from sluice_sandbox.aws.cloudwatch.math_syntax import Call, Name, Number, Text, Tree
from sluice_sandbox.aws.cloudwatch.refusals import not_modelled

Aggregate = Callable[[Sequence[float]], float]
Each = Callable[[Points], dict[float, float]]

_NOT_MODELLED = frozenset(
    {"ANOMALY_DETECTION_BAND", "INSIGHT_RULE_METRIC", "SERVICE_QUOTA", "LAMBDA", "DB_PERF_INSIGHTS"}
)
_AGGREGATES: Mapping[str, Aggregate] = {
    "AVG": lambda values: sum(values) / len(values),
    "MAX": max,
    "MIN": min,
    "SUM": math.fsum,
    "STDDEV": python_statistics.pstdev,
    "DATAPOINT_COUNT": lambda values: float(len(values)),
}


def _pointwise(function: Callable[[float], float]) -> Each:
    def apply(points: Points) -> dict[float, float]:
        results = {at: function(value) for at, value in points.values.items()}
        return {at: value for at, value in results.items() if not math.isnan(value)}

    return apply


def _pairwise(function: Callable[[float, float, float], float]) -> Each:
    """Build from (value, value before, seconds between); the first point has no result."""

    def apply(points: Points) -> dict[float, float]:
        times = sorted(points.values)
        return {
            at: function(points.values[at], points.values[before], at - before)
            for before, at in itertools.pairwise(times)
        }

    return apply


def _running_sum(points: Points) -> dict[float, float]:
    total, values = 0.0, {}
    for at in sorted(points.values):
        total += points.values[at]
        values[at] = total
    return values


_EACH: Mapping[str, Each] = {
    "ABS": _pointwise(abs),
    "CEIL": _pointwise(lambda value: float(math.ceil(value))),
    "FLOOR": _pointwise(lambda value: float(math.floor(value))),
    "LOG": _pointwise(lambda value: math.log(value) if value > 0 else math.nan),
    "LOG10": _pointwise(lambda value: math.log10(value) if value > 0 else math.nan),
    "DIFF": _pairwise(lambda value, before, _: value - before),
    "DIFF_TIME": _pairwise(lambda _value, _before, seconds: seconds),
    "RATE": _pairwise(lambda value, before, seconds: (value - before) / seconds),
    "RUNNING_SUM": _running_sum,
}
_CALENDAR: Mapping[str, Callable[[datetime], float]] = {
    "MINUTE": lambda moment: float(moment.minute),
    "HOUR": lambda moment: float(moment.hour),
    "DAY": lambda moment: float(moment.isoweekday()),
    "DATE": lambda moment: float(moment.day),
    "MONTH": lambda moment: float(moment.month),
    "YEAR": lambda moment: float(moment.year),
    "EPOCH": lambda moment: moment.timestamp(),
}


def call(tree: Call, around: Surroundings) -> Value:
    """Return what a function gives; raises ValidationError for an unknown one or wrong arguments."""
    name = tree.function
    if name in _NOT_MODELLED:
        raise not_modelled(f"the metric math function {name}")
    if name in _AGGREGATES:
        return _aggregate(tree, around)
    if name in _EACH:
        return _each(_EACH[name], _only(tree, around))
    if name in _CALENDAR:
        series = _single(tree, around)
        clock = _CALENDAR[name]
        return series.like({at: clock(datetime.fromtimestamp(at, UTC)) for at in around.times()})
    special = _SPECIAL.get(name)
    if special is None:
        raise around.wrong(f"Unknown function '{name}'")
    return special(tree, around)


def _only(tree: Call, around: Surroundings) -> Value:
    if len(tree.arguments) != 1:
        raise around.wrong(f"{tree.function} takes one argument")
    return evaluate(tree.arguments[0], around)


def _single(tree: Call, around: Surroundings) -> Points:
    value = _only(tree, around)
    if not isinstance(value, Points):
        raise around.wrong(f"{tree.function} takes a time series")
    return value


def _array(tree: Tree, around: Surroundings) -> list[Points]:
    value = evaluate(tree, around)
    if isinstance(value, float):
        raise around.wrong("A time series is needed where a number is")
    return as_list(value)


def _scalar(tree: Tree, around: Surroundings) -> float:
    value = evaluate(tree, around)
    if not isinstance(value, float):
        raise around.wrong("A number is needed where a time series is")
    return value


def _each(function: Each, value: Value) -> Value:
    if isinstance(value, float):
        return function(Points("", 1, "", {0.0: value})).get(0.0, 0.0)
    if isinstance(value, Points):
        return value.like(function(value))
    return [item.like(function(item)) for item in value]


def _aggregate(tree: Call, around: Surroundings) -> Value:
    value = _only(tree, around)
    function = _AGGREGATES[tree.function]
    if isinstance(value, float):
        return function([value])
    if isinstance(value, Points):
        return function(list(value.values.values())) if value.values else 0.0
    if not value:
        return Points(tree.function, around.grid[2])
    times = sorted(set().union(*(item.values for item in value)))
    # AVG counts a missing value as 0 (user guide); the others take what is there.
    missing = tree.function == "AVG"
    return Points(
        label=tree.function,
        period=value[0].period,
        values={
            at: function([item.values.get(at, 0.0) for item in value if missing or at in item.values])
            for at in times
        },
    )


def _metrics(tree: Call, around: Surroundings) -> Value:
    part = ""
    if tree.arguments:
        first = tree.arguments[0]
        if len(tree.arguments) > 1 or not isinstance(first, Text):
            raise around.wrong("METRICS takes a string or nothing")
        part = first.value
    return [points for points in around.metrics() if part in points.id]


def _period(tree: Call, around: Surroundings) -> Value:
    return float(_single(tree, around).period)


def _fill(tree: Call, around: Surroundings) -> Value:
    if len(tree.arguments) != 2:
        raise around.wrong("FILL takes a time series and a filler")
    value = evaluate(tree.arguments[0], around)
    if isinstance(value, float):
        raise around.wrong("FILL takes a time series")
    filler = tree.arguments[1]
    if isinstance(filler, Name) and filler.value in {"REPEAT", "LINEAR"}:
        fill = _repeat if filler.value == "REPEAT" else _linear

        def one(points: Points) -> Points:
            return points.like(fill(points, around.times()))
    else:
        with_value = evaluate(filler, around)
        if isinstance(with_value, list):
            raise around.wrong("FILL cannot fill from an array of time series")

        def one(points: Points) -> Points:
            values = {}
            for at in sorted({*around.times(), *points.values}):
                other = with_value.values.get(at) if isinstance(with_value, Points) else with_value
                found = points.values.get(at, other)
                if found is not None and not math.isnan(found):
                    values[at] = found
            return points.like(values)

    return [one(item) for item in value] if isinstance(value, list) else one(value)


def _repeat(points: Points, times: Sequence[float]) -> dict[float, float]:
    values: dict[float, float] = {}
    last: float | None = None
    for at in sorted({*times, *points.values}):
        last = points.values.get(at, last)
        if last is not None:
            values[at] = last
    return values


def _linear(points: Points, times: Sequence[float]) -> dict[float, float]:
    values = dict(points.values)
    known = sorted(points.values)
    for at in times:
        before = max((known_at for known_at in known if known_at < at), default=None)
        after = min((known_at for known_at in known if known_at > at), default=None)
        if at not in values and before is not None and after is not None:
            share = (at - before) / (after - before)
            values[at] = points.values[before] + share * (points.values[after] - points.values[before])
    return dict(sorted(values.items()))


def _if(tree: Call, around: Surroundings) -> Value:
    if len(tree.arguments) not in (2, 3):
        raise around.wrong("IF takes a condition and one or two values")
    condition, *branches = (evaluate(item, around) for item in tree.arguments)
    if any(isinstance(item, list) for item in (condition, *branches)):
        raise around.wrong("IF takes numbers and single time series")
    yes, no = branches[0], branches[1] if len(branches) == 2 else Points("", around.grid[2])
    if isinstance(condition, float):
        return yes if condition else no
    if isinstance(condition, list):
        raise TypeError("refused above")
    values = {}
    for at, holds in condition.values.items():
        branch = yes if holds else no
        if isinstance(branch, Points):
            found = branch.values.get(at, 0.0 if holds else None)
        else:
            found = branch if isinstance(branch, float) else None
        if found is not None and not math.isnan(found):
            values[at] = found
    return condition.like(values)


def _time_series(tree: Call, around: Surroundings) -> Value:
    if len(tree.arguments) != 1:
        raise around.wrong("TIME_SERIES takes one number")
    number = _scalar(tree.arguments[0], around)
    times = [] if math.isnan(number) else around.times()
    return Points("TIME_SERIES", around.grid[2], values=dict.fromkeys(times, number))


def _metric_count(tree: Call, around: Surroundings) -> Value:
    return float(len(as_list(_only(tree, around))))


def _remove_empty(tree: Call, around: Surroundings) -> Value:
    return [item for item in as_list(_only(tree, around)) if item.values]


def _first(tree: Call, around: Surroundings) -> Value:
    series = as_list(_only(tree, around))
    if not series:
        return Points(tree.function, around.grid[2])
    return series[0] if tree.function == "FIRST" else series[-1]


def _slice(tree: Call, around: Surroundings) -> Value:
    if len(tree.arguments) not in (2, 3):
        raise around.wrong("SLICE takes an array and one or two numbers")
    start, *end = (int(_scalar(item, around)) for item in tree.arguments[1:])
    return _array(tree.arguments[0], around)[start : end[0] if end else None]


def _sort(tree: Call, around: Surroundings) -> Value:
    arguments = tree.arguments
    if (
        len(arguments) not in (3, 4)
        or not isinstance(arguments[1], Name)
        or arguments[1].value not in {"AVG", "MIN", "MAX", "SUM"}
        or not isinstance(arguments[2], Name)
        or arguments[2].value not in {"ASC", "DESC"}
    ):
        raise around.wrong("SORT takes an array, AVG, MIN, MAX or SUM, ASC or DESC, and a number")
    function = _AGGREGATES[arguments[1].value]
    found = sorted(
        _array(arguments[0], around),
        key=lambda item: function(list(item.values.values())) if item.values else 0.0,
        reverse=arguments[2].value == "DESC",
    )
    return found[: int(_scalar(arguments[3], around))] if len(arguments) == 4 else found


def _search(tree: Call, around: Surroundings) -> Value:
    arguments = tree.arguments
    if (
        len(arguments) not in (2, 3)
        or not isinstance(arguments[0], Text)
        or not isinstance(arguments[1], Text)
        or (len(arguments) == 3 and not isinstance(arguments[2], Number))
    ):
        raise around.wrong("SEARCH takes a search expression, a statistic and a period")
    last = arguments[2] if len(arguments) == 3 else None
    period = int(last.value) if isinstance(last, Number) else around.grid[2]
    return around.search(arguments[0].value, arguments[1].value, period)


_SPECIAL: Mapping[str, Callable[[Call, Surroundings], Value]] = {
    "METRICS": _metrics,
    "PERIOD": _period,
    "FILL": _fill,
    "IF": _if,
    "TIME_SERIES": _time_series,
    "METRIC_COUNT": _metric_count,
    "REMOVE_EMPTY": _remove_empty,
    "FIRST": _first,
    "LAST": _first,
    "SLICE": _slice,
    "SORT": _sort,
    "SEARCH": _search,
}
