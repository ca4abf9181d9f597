"""What a metric math tree gives: numbers, time series, arrays of time series.

Source: "Metric math syntax and functions" of the user guide: between two time series a missing value
counts as 0 and a point whose division by zero it would be is dropped; AVG, SUM, ... of one series give
a number, of an array a series. The functions are in `math_functions`.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sluice_sandbox.aws.cloudwatch.math_syntax import Array, Call, Name, Number, Operation, Text, Tree
from sluice_sandbox.aws.cloudwatch.refusals import validation_error


@dataclass(slots=True)
class Points:
    """One time series: values by the epoch second that their period begins at."""

    label: str
    period: int
    id: str = ""
    values: dict[float, float] = field(default_factory=dict)

    def like(self, values: dict[float, float]) -> Points:
        """Return a series of this one's kind with other values."""
        return Points(self.label, self.period, self.id, values)


Value = float | Points | list[Points]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an expression can ask of its request."""

    expression: str
    """Its id, for refusals."""
    resolve: Callable[[str], Value]
    metrics: Callable[[], list[Points]]
    search: Callable[[str, str, int], list[Points]]
    grid: tuple[float, float, int]
    """Start, end (exclusive) and period of the times that FILL and TIME_SERIES run over."""

    def times(self) -> list[float]:
        """Return the times of the grid."""
        start, end, period = self.grid
        return [start + step * period for step in range(max(0, math.ceil((end - start) / period)))]

    def wrong(self, text: str) -> Exception:
        """Return the refusal of this expression."""
        return validation_error(f"Error in expression '{self.expression}': {text}")


def _divide(left: float, right: float) -> float:
    return left / right if right else math.nan


def _power(left: float, right: float) -> float:
    try:
        result = left**right
    except (OverflowError, ZeroDivisionError):
        return math.nan
    return result if isinstance(result, float) else math.nan


_PAIRS: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "neg": operator.sub,
    "*": operator.mul,
    "/": _divide,
    "^": _power,
    "==": lambda left, right: float(left == right),
    "!=": lambda left, right: float(left != right),
    "<=": lambda left, right: float(left <= right),
    ">=": lambda left, right: float(left >= right),
    "<": lambda left, right: float(left < right),
    ">": lambda left, right: float(left > right),
    "AND": lambda left, right: float(bool(left) and bool(right)),
    "OR": lambda left, right: float(bool(left) or bool(right)),
}


def as_list(value: Value) -> list[Points]:
    """Return the series of a value; a number has none."""
    if isinstance(value, Points):
        return [value]
    return value if isinstance(value, list) else []


def evaluate(tree: Tree, around: Surroundings) -> Value:
    """Return what `tree` gives; raises ValidationError for what metric math does not allow."""
    if isinstance(tree, Number):
        return tree.value
    if isinstance(tree, Name):
        if not tree.value[:1].islower():
            raise around.wrong(f"Unexpected identifier '{tree.value}'")
        return around.resolve(tree.value)
    if isinstance(tree, Text):
        raise around.wrong("A string is no time series")
    if isinstance(tree, Array):
        return [points for item in tree.items for points in _series(item, around)]
    if isinstance(tree, Operation):
        return combine(_PAIRS[tree.sign], evaluate(tree.left, around), evaluate(tree.right, around), around)
    return _call(tree, around)


def _call(tree: Call, around: Surroundings) -> Value:
    from sluice_sandbox.aws.cloudwatch import math_functions  # noqa: PLC0415 - the two need each other

    return math_functions.call(tree, around)


def _series(tree: Tree, around: Surroundings) -> list[Points]:
    value = evaluate(tree, around)
    if isinstance(value, float):
        raise around.wrong("An array holds time series, not numbers")
    return as_list(value)


def combine(pair: Callable[[float, float], float], left: Value, right: Value, around: Surroundings) -> Value:
    """Apply an operator point by point; a missing point counts as 0 beside one that is there."""
    if isinstance(left, list) and isinstance(right, list):
        raise around.wrong("An operator cannot stand between two arrays of time series")
    if isinstance(left, list):
        return [_one(pair, item, right) for item in left]
    if isinstance(right, list):
        return [_one(pair, left, item, swapped=True) for item in right]
    if isinstance(left, Points) or isinstance(right, Points):
        return _one(pair, left, right, swapped=not isinstance(left, Points))
    return pair(left, right)  # NaN for a division by zero: every point that it reaches is dropped


def _one(
    pair: Callable[[float, float], float],
    left: float | Points | list[Points],
    right: float | Points | list[Points],
    *,
    swapped: bool = False,
) -> Points:
    """Combine two of which at least one is a series; the result is named like it."""
    shape = right if swapped else left
    if not isinstance(shape, Points) or isinstance(left, list) or isinstance(right, list):
        raise TypeError("one side is a time series")
    times = set().union(*(side.values for side in (left, right) if isinstance(side, Points)))
    values = {}
    for at in sorted(times):
        result = pair(_at(left, at), _at(right, at))
        if not math.isnan(result):
            values[at] = result
    return shape.like(values)


def _at(side: float | Points, at: float) -> float:
    return side.values.get(at, 0.0) if isinstance(side, Points) else side


def final(value: Value, around_id: str) -> list[Points]:
    """Return an expression's result as series; a number alone is refused (user guide)."""
    if isinstance(value, float):
        raise validation_error(
            f"Error in expression '{around_id}': The result is a scalar; it must be a time series"
        )
    return as_list(value)
