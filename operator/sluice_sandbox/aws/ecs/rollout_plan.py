"""Which tasks a service starts and stops next: pure, from counts and states alone.

| situation                                   | what happens                                          |
|---------------------------------------------|-------------------------------------------------------|
| too few of the PRIMARY's, room below max    | start as many as fit                                  |
| old ones not healthy yet, or unhealthy      | stop: they carry nothing                              |
| more healthy than max(min, desired)         | stop old ones, the surplus                            |
| no room below max                           | stop old ones down to min, then there is room         |
| PRIMARY's unhealthy, deployment in progress | stop: the replacement counts as the next attempt      |
| PRIMARY's unhealthy, at rest                | start the replacement first, stop once it is settled  |
| more of the PRIMARY's than desired          | stop unhealthy, starting, then the newest healthy ones|
| protected                                   | never stopped for scale-in or by a deployment         |

min is ceil(desired x minimumHealthyPercent), max is floor(desired x maximumPercent): botocore,
DeploymentConfiguration. "Replacement first": the same page, since 2023. Which healthy ones go first
in a scale-in is from memory (zones balanced, then newest).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

STARTING, RUNNING, HEALTHY, UNHEALTHY = "starting", "running", "healthy", "unhealthy"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFact:
    """One task that is wanted (desiredStatus RUNNING)."""

    arn: str
    primary: bool
    state: str
    """STARTING before RUNNING, RUNNING until its checks pass, HEALTHY, UNHEALTHY after grace."""
    protected: bool = False
    zone: str = ""
    created: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How many tasks there must and may be."""

    desired: int
    minimum: int
    maximum: int

    @classmethod
    def of(cls, desired: int, *, minimum_percent: int, maximum_percent: int) -> Bounds:
        """Round as ECS does: the minimum up, the maximum down."""
        return cls(
            desired=desired,
            minimum=math.ceil(desired * minimum_percent / 100),
            maximum=math.floor(desired * maximum_percent / 100),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do now."""

    start: int
    stop: tuple[str, ...]
    blocked: bool
    """Neither can anything start nor stop, though tasks are missing: the percentages forbid it."""


def plan(tasks: Sequence[TaskFact], bounds: Bounds, *, launching: bool, replace_first: bool) -> Plan:
    """Decide; `launching` is False for a FAILED deployment, `replace_first` True at rest."""
    primary = [task for task in tasks if task.primary]
    old = [task for task in tasks if not task.primary]
    usable = [task for task in primary if task.state != UNHEALTHY]
    room = max(0, bounds.maximum - len(tasks))
    want = max(0, bounds.desired - len(usable)) if launching else 0
    healthy = sum(task.state == HEALTHY for task in tasks)

    stop = [t for t in old if not t.protected and (t.state != HEALTHY) and (launching or bounds.desired == 0)]
    missing = max(0, want - room - len(stop))
    old_healthy = _oldest_first([t for t in old if t.state == HEALTHY and not t.protected])
    spare = max(0, healthy - bounds.minimum)
    surplus = max(0, healthy - max(bounds.minimum, bounds.desired))
    stop_old = old_healthy[: min(len(old_healthy), max(surplus, min(missing, spare)))]
    stop += stop_old
    stop += _from_primary(
        primary,
        bounds,
        spare=max(0, spare - len(stop_old)),
        missing=max(0, missing - len(stop_old)),
        replace_first=replace_first,
    )
    start = min(want, room)
    moving = any(task.state in {STARTING, RUNNING} for task in tasks)
    return Plan(
        start=start,
        stop=tuple(dict.fromkeys(task.arn for task in stop)),
        blocked=want > 0 and start == 0 and not stop and not moving,
    )


def _from_primary(
    primary: list[TaskFact], bounds: Bounds, *, spare: int, missing: int, replace_first: bool
) -> list[TaskFact]:
    unhealthy = _oldest_first([task for task in primary if task.state == UNHEALTHY])
    if replace_first:
        settled = sum(task.state == HEALTHY for task in primary)
        enough = max(0, settled + len(unhealthy) - bounds.desired)
        stop = unhealthy[: min(len(unhealthy), max(enough, missing))]
    else:
        stop = list(unhealthy)
    excess = len(primary) - len(stop) - bounds.desired
    if replace_first:
        # Unhealthy ones that wait for their replacement are not an excess.
        excess -= len(unhealthy) - len(stop)
    for state in (STARTING, RUNNING):
        for task in _newest_first([t for t in primary if t.state == state and not t.protected]):
            if excess > 0:
                stop.append(task)
                excess -= 1
    candidates = [t for t in primary if t.state == HEALTHY and not t.protected]
    zones = Counter(task.zone for task in primary if task.state == HEALTHY)
    for _ in range(min(max(0, excess), spare, len(candidates))):
        victim = max(candidates, key=lambda t: (zones[t.zone], t.created, t.arn))
        zones[victim.zone] -= 1
        candidates.remove(victim)
        stop.append(victim)
    return stop


def _oldest_first(tasks: list[TaskFact]) -> list[TaskFact]:
    return sorted(tasks, key=lambda task: (task.created, task.arn))


def _newest_first(tasks: list[TaskFact]) -> list[TaskFact]:
    return sorted(tasks, key=lambda task: (task.created, task.arn), reverse=True)


def breaker_threshold(desired: int, configuration: dict[str, object] | None = None) -> int:
    """Return how many failed tasks fail a deployment.

    botocore, ThresholdConfiguration (BOUNDED_PERCENT 50 is the default: half the desired count,
    rounded up, from 3 to 200: ServiceDeploymentCircuitBreaker.threshold).
    """
    kind = (configuration or {}).get("type", "BOUNDED_PERCENT")
    value = (configuration or {}).get("value", 50)
    if not isinstance(value, int):
        raise TypeError(f"threshold value must be an integer, not {value!r}")
    if kind == "COUNT":
        return max(1, value)
    part = max(1, math.ceil(desired * value / 100))
    return part if kind == "UNBOUNDED_PERCENT" else min(max(3, part), 200)
