"""The lifecycle of a native deployment as a list of stops: pure, from its configuration alone.

Order and meaning of the stages: botocore, ServiceDeployment.lifecycleStage and
DeploymentLifecycleHook.lifecycleStages. PRE_PRODUCTION_TRAFFIC_SHIFT comes before every traffic step.
A first deployment has no traffic to share and nothing to run beside, so it takes all of it in one step and
does not bake (from memory: bake time is that of two revisions running simultaneously).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NATIVE = frozenset({"BLUE_GREEN", "LINEAR", "CANARY"})
"""Strategies that run two revisions side by side and shift traffic between them."""

RECONCILE, PRE_SCALE, SCALE, POST_SCALE = "RECONCILE_SERVICE", "PRE_SCALE_UP", "SCALE_UP", "POST_SCALE_UP"
TEST_SHIFT, POST_TEST = "TEST_TRAFFIC_SHIFT", "POST_TEST_TRAFFIC_SHIFT"
PRE_SHIFT, SHIFT = "PRE_PRODUCTION_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT"
POST_SHIFT, BAKE, CLEAN_UP = "POST_PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME", "CLEAN_UP"

LINEAR_DEFAULTS = {"stepPercent": 10.0, "stepBakeTimeInMinutes": 6}
CANARY_DEFAULTS = {"canaryPercent": 5.0, "canaryBakeTimeInMinutes": 10}
"""botocore, LinearConfiguration and CanaryConfiguration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """One stop on the way of a deployment."""

    stage: str
    percent: float = 0.0
    """Of SHIFT: the share of production traffic of the new revision once it is reached."""
    bake_minutes: float = 0.0
    """How long to stay, whatever else is done by then."""


def is_native(configuration: Mapping[str, Any]) -> bool:
    """Tell whether a deploymentConfiguration asks for one of the native strategies."""
    return configuration.get("strategy") in NATIVE


def path(configuration: Mapping[str, Any], *, sources: int) -> tuple[Stop, ...]:
    """Return all stops of a deployment that replaces `sources` active revisions."""
    stops = [Stop(stage=RECONCILE)] if sources > 1 else []
    stops += [Stop(stage=stage) for stage in (PRE_SCALE, SCALE, POST_SCALE, TEST_SHIFT, POST_TEST)]
    for percent, minutes in steps(configuration) if sources else [(100.0, 0.0)]:
        stops.append(Stop(stage=PRE_SHIFT))
        stops.append(Stop(stage=SHIFT, percent=percent, bake_minutes=minutes))
    bake = float(configuration.get("bakeTimeInMinutes") or 0) if sources else 0.0
    stops += [Stop(stage=POST_SHIFT), Stop(stage=BAKE, bake_minutes=bake), Stop(stage=CLEAN_UP)]
    return tuple(stops)


def steps(configuration: Mapping[str, Any]) -> list[tuple[float, float]]:
    """Return the traffic steps as (percent of the new revision, minutes to wait there).

    No wait follows 100 percent: what comes then is the bake time (botocore, LinearConfiguration).
    """
    strategy = configuration.get("strategy")
    if strategy == "LINEAR":
        chosen = LINEAR_DEFAULTS | dict(configuration.get("linearConfiguration") or {})
        return _linear(float(chosen["stepPercent"]), float(chosen["stepBakeTimeInMinutes"]))
    if strategy == "CANARY":
        chosen = CANARY_DEFAULTS | dict(configuration.get("canaryConfiguration") or {})
        percent = float(chosen["canaryPercent"])
        first = [(percent, float(chosen["canaryBakeTimeInMinutes"]))] if percent < 100 else []
        return [*first, (100.0, 0.0)]
    return [(100.0, 0.0)]


def _linear(percent: float, minutes: float) -> list[tuple[float, float]]:
    found = []
    at = percent
    while at < 100:
        found.append((at, minutes))
        at = round(at + percent, 1)
    return [*found, (100.0, 0.0)]
