"""`spec.strategy`: how a new revision takes over."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from sluice.api.v1alpha1.progressive_spec import ProgressiveSpec
from sluice.api.v1alpha1.schema import Cel, IntOrString, Schema, Typed, ecs_shape, rules

_COUNT: Final = rules(
    Cel(
        rule="type(self) == int ? self >= 0 && self <= 10000 : self.matches('^[0-9]{1,4}%$')",
        message="a number of tasks (2) or a percentage (50%), not negative",
    )
)
SurgeAmount = Annotated[IntOrString, Schema({"maxLength": 5}), _COUNT]
TOGETHER: Final = "type Progressive and progressive go together; add the one that is missing or remove both"


class RollingUpdate(Typed):
    """How ECS replaces tasks, as in a Kubernetes Deployment."""

    max_surge: SurgeAmount | None = None
    """Tasks beyond replicas during a deployment (number, or percent rounded up): maximumPercent.
    Absent: 100%."""
    max_unavailable: SurgeAmount | None = None
    """Tasks below replicas during a deployment (number, or percent rounded down):
    minimumHealthyPercent. Absent: 0."""
    deployment_circuit_breaker: Annotated[dict[str, Any], ecs_shape("DeploymentCircuitBreaker")] | None = None
    """When ECS gives a deployment up and whether it rolls back; absent: enable and rollback."""
    alarms: Annotated[dict[str, Any], ecs_shape("DeploymentAlarms")] | None = None
    """CloudWatch alarms by which ECS gives a deployment up (alarmNames, enable, rollback); absent: none."""
    cel = (
        Cel(
            rule="!has(self.maxSurge) || !has(self.maxUnavailable) || !(string(self.maxSurge) in ['0', "
            "'0%'] && "
            "string(self.maxUnavailable) in ['0', '0%'])",
            message="maxSurge and maxUnavailable can't both be 0: no task could be replaced; raise one",
        ),
    )


class Strategy(Typed):
    """How a new revision takes over."""

    type: Literal["RollingUpdate", "Recreate", "Progressive"] = "RollingUpdate"
    """RollingUpdate (ECS replaces tasks step by step; when absent), Recreate (all old tasks go first) or
    Progressive (a candidate beside what is live gets the requests step by step)."""
    rolling_update: RollingUpdate | None = None
    """Settings of RollingUpdate."""
    progressive: ProgressiveSpec | None = None
    """Settings of Progressive."""
    cel = (
        Cel(
            rule="!has(self.rollingUpdate) || !has(self.type) || self.type == 'RollingUpdate'",
            message="rollingUpdate goes with type RollingUpdate only; remove it",
            field_path=".rollingUpdate",
        ),
        Cel(
            rule="has(self.progressive) == (has(self.type) && self.type == 'Progressive')",
            message=TOGETHER,
        ),
    )
