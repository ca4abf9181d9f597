"""Dynamic labels: `${AVG}` and its like in the label of a result.

Source: "Using dynamic labels" of the CloudWatch user guide. Values over all data points that are returned;
what is not modelled of them (times and PROP) stays as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from sluice_sandbox.aws.cloudwatch.math_evaluation import Points

_KNOWN: Mapping[str, Callable[[Sequence[float]], float]] = {
    "AVG": lambda values: sum(values) / len(values),
    "DATAPOINT_COUNT": lambda values: float(len(values)),
    "FIRST": lambda values: values[0],
    "LAST": lambda values: values[-1],
    "MAX": max,
    "MIN": min,
    "SUM": sum,
}
_LAST_OF = {"FIRST_LAST_RANGE": ("FIRST", "LAST"), "MIN_MAX_RANGE": ("MIN", "MAX")}
_DYNAMIC = re.compile(r"\$\{([A-Z_]+)\}")


def rendered(points: Points) -> str:
    """Return a result's label with its dynamic parts filled in."""
    values = [points.values[at] for at in sorted(points.values)]

    def one(match: re.Match[str]) -> str:
        word = match[1]
        if not values:
            return "--" if word in _KNOWN or word in _LAST_OF else match[0]
        if word in _LAST_OF:
            return " / ".join(_number(_KNOWN[part](values)) for part in _LAST_OF[word])
        return _number(_KNOWN[word](values)) if word in _KNOWN else match[0]

    return _DYNAMIC.sub(one, points.label)


def _number(value: float) -> str:
    return f"{value:g}"
