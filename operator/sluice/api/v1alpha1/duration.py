"""Durations as Go writes them (`90s`, `10m`, `1h30m`): the type of every duration in a spec.

A bare number is refused: nobody can tell seconds from minutes by looking at it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final

import durationpy
from pydantic import AfterValidator, Field

from sluice.api.v1alpha1.choice import complaint
from sluice.api.v1alpha1.schema import Cel, rules

LONGEST: Final = 14 * 86_400
"""Seconds. ECS lets a deployment wait for 14 days at most (pause lifecycle hooks), so do we."""
SHORTEST_INTERVAL: Final = 10
"""Seconds. Metrics are no fresher, and each measurement is a request to somebody."""
_PATTERN: Final = r"^([0-9]{1,6}(\.[0-9]{1,3})?(ms|s|m|h))+$"
_TOO_LONG: Final = "a duration is at most 336h (14 days)"
_TOO_SHORT: Final = "an interval is at least 10s"


def seconds(text: str) -> float:
    """Return the seconds of a duration that has the type's pattern."""
    span: timedelta = durationpy.from_str(text)
    return span.total_seconds()


def seconds_or(text: str | None, default: float) -> float:
    """Return the seconds of a duration, or the default of an absent one."""
    return default if text is None else seconds(text)


def _not_too_long(text: str) -> str:
    if seconds(text) > LONGEST:
        raise complaint(_TOO_LONG)
    return text


def _not_too_short(text: str) -> str:
    if seconds(text) < SHORTEST_INTERVAL:
        raise complaint(_TOO_SHORT)
    return text


_LIMIT: Final = Cel(rule="duration(self) <= duration('336h')", message=_TOO_LONG)
Duration = Annotated[
    str, Field(pattern=_PATTERN, max_length=32), AfterValidator(_not_too_long), rules(_LIMIT)
]
"""`10m`, `1h30m`, `0s`."""
Interval = Annotated[
    str,
    Field(pattern=_PATTERN, max_length=32),
    AfterValidator(_not_too_long),
    AfterValidator(_not_too_short),
    rules(_LIMIT, Cel(rule="duration(self) >= duration('10s')", message=_TOO_SHORT)),
]
"""How often something is measured."""
