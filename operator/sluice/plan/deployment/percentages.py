"""maxSurge and maxUnavailable as ECS's maximumPercent and minimumHealthyPercent.

Kubernetes resolves both against the count, surge rounded up and unavailable down
(k8s.io/kubernetes pkg/controller/deployment/util, ResolveFenceposts). ECS applies its percentages to
the count itself: the upper bound rounded down, the lower one up (ECS API, DeploymentConfiguration).
So the numbers here are chosen such that ECS's rounding gives Kubernetes' result.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sluice.model.desired import Strategy
from sluice.model.errors import Refused

NO_ALARMS: Final[Mapping[str, Any]] = {"alarmNames": [], "enable": False, "rollback": False}
"""How alarms are taken off: UpdateService keeps what its deploymentConfiguration leaves out."""


def resolve(value: int | str, count: int, *, up: bool) -> int:
    """Return a number of tasks: `value` itself, or `25%` of `count` rounded `up` or down."""
    if isinstance(value, int) or not value.endswith("%"):
        return int(value)
    parts = int(value.removesuffix("%")) * count
    return -(-parts // 100) if up else parts // 100


def bounds(strategy: Strategy, count: int) -> tuple[int, int]:
    """Return (minimumHealthyPercent, maximumPercent) for a service of `count` tasks (0 counts as 1).

    Both at zero tasks would be a deployment that can never move: refused when the spec says so,
    one unavailable task when only the rounding says so, as in Kubernetes.
    """
    if strategy.type == "Recreate":
        return 0, 100
    if _is_zero(strategy.max_surge) and _is_zero(strategy.max_unavailable):
        raise Refused(
            "InvalidSpec",
            "spec.strategy.rollingUpdate: maxSurge and maxUnavailable may not both be 0; "
            "allow at least one task more or one less",
        )
    count = max(1, count)
    surge = resolve(strategy.max_surge, count, up=True)
    unavailable = min(count, resolve(strategy.max_unavailable, count, up=False))
    if not surge and not unavailable:
        unavailable = 1
    least = count - unavailable
    minimum = least * 100 // count
    if -(-minimum * count // 100) < least and (surge or minimum + 1 < 100):
        minimum += 1  # above 100 tasks one percent is more than one task: err towards more healthy ones
    maximum = -(-(count + surge) * 100 // count)
    return minimum, maximum


def deployment_configuration(strategy: Strategy, count: int) -> Mapping[str, Any]:
    """Return ECS's deploymentConfiguration for `count` tasks."""
    minimum, maximum = bounds(strategy, count)
    breaker = strategy.circuit_breaker
    return {
        "alarms": strategy.alarms or NO_ALARMS,
        "deploymentCircuitBreaker": {"enable": True, "rollback": True, **breaker},
        "maximumPercent": maximum,
        "minimumHealthyPercent": minimum,
    }


def _is_zero(value: int | str) -> bool:
    return str(value).removesuffix("%") == "0"
