"""RegisterScalableTarget, DescribeScalableTargets, DeregisterScalableTarget, DescribeScalingActivities.

Sources: botocore's operations; the service-linked role of the Application Auto Scaling user guide. Only
ECS services exist here to be scaled: other namespaces are refused by name when something is registered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sluice_sandbox.aws.autoscaling import tags
from sluice_sandbox.aws.autoscaling.desk import Desk, check_describe, check_dimension, fits, page
from sluice_sandbox.aws.autoscaling.refusals import invalid, limit_exceeded, not_modelled
from sluice_sandbox.aws.autoscaling.scaling import Scaling
from sluice_sandbox.aws.autoscaling.state import DIMENSION, Target
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

MAX_TARGETS = 3_000
"""Scalable targets of ECS a region (quotas of the user guide)."""
SUSPENSIONS = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")
_ROLE = "role/aws-service-role/ecs.application-autoscaling.amazonaws.com"


class TargetCalls:
    """The handlers of scalable targets and their activities."""

    def __init__(self, desk: Desk, scaling: Scaling) -> None:
        """Work on the desk's books."""
        self._desk = desk
        self._scaling = scaling

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""
        return {
            "RegisterScalableTarget": self.register,
            "DescribeScalableTargets": self.describe,
            "DeregisterScalableTarget": self.deregister,
            "DescribeScalingActivities": self.activities,
        }

    def register(self, caller: Caller, params: Params) -> Response:
        """Register a service, or change what is given of its registration."""
        check_dimension(params)
        if params["ServiceNamespace"] != "ecs":
            raise not_modelled(f"scalable targets of {params['ServiceNamespace']}")
        region = self._desk.region(caller)
        resource = params["ResourceId"]
        target = region.targets.get(resource)
        low = params.get("MinCapacity", target.low if target else None)
        high = params.get("MaxCapacity", target.high if target else None)
        _check_capacity(low, high)
        cluster, service = resource.split("/")[1:]
        if self._desk.services.desired_count(caller, cluster, service) is None:
            raise invalid(f"ECS service doesn't exist: {resource}")
        if target is None:
            if len(region.targets) >= MAX_TARGETS:
                raise limit_exceeded(f"The limit of {MAX_TARGETS} scalable targets has been reached.")
            target = region.targets[resource] = self._new(caller, params)
        elif params.get("Tags"):
            raise invalid("Scalable target tags can only be given at its creation. Use TagResource.")
        target.low, target.high = int(low or 0), int(high or 0)
        target.role = params.get("RoleARN", target.role)
        target.suspended = target.suspended | {
            name: value for name, value in params.get("SuspendedState", {}).items() if name in SUSPENSIONS
        }
        self._fit(caller, target)
        return {"ScalableTargetARN": target.arn}

    def _new(self, caller: Caller, params: Params) -> Target:
        number = self._desk.uuid().replace("-", "")
        role = f"arn:aws:iam::{caller.account}:{_ROLE}/AWSServiceRoleForApplicationAutoScaling_ECSService"
        return Target(
            arn=f"arn:aws:application-autoscaling:{caller.region}:{caller.account}:scalable-target/{number}",
            resource=params["ResourceId"],
            low=0,
            high=0,
            role=role,
            created_at=self._desk.now(),
            suspended=dict.fromkeys(SUSPENSIONS, False),
            tags=tags.checked(params.get("Tags", {})),
        )

    def _fit(self, caller: Caller, target: Target) -> None:
        present = self._desk.services.desired_count(caller, target.cluster, target.service)
        if present is not None and present < target.low:
            self._scaling.fit(caller, target, cause=f"minimum capacity was set to {target.low}")
        elif present is not None and present > target.high:
            self._scaling.fit(caller, target, cause=f"maximum capacity was set to {target.high}")

    def describe(self, caller: Caller, params: Params) -> Response:
        """Return a page of targets."""
        check_describe(params)
        wanted = params.get("ResourceIds") or []
        found = [
            target
            for target in self._desk.region(caller).targets.values()
            if fits(params, target.resource) and (not wanted or target.resource in wanted)
        ]
        chosen, token = page(found, params, most=50)
        return {"ScalableTargets": [_shown(target) for target in chosen], **token}

    def deregister(self, caller: Caller, params: Params) -> Response:
        """Forget a target with its policies, their alarms and its schedules."""
        target = self._desk.target(caller, params, verb="found")
        for policy in target.policies.values():
            self._desk.alarms.remove_alarms(caller, policy.alarms)
        del self._desk.region(caller).targets[target.resource]
        return {}

    def activities(self, caller: Caller, params: Params) -> Response:
        """Return a page of activities, newest first, of six weeks at most (botocore)."""
        check_describe(params)
        oldest = self._desk.now() - 6 * 7 * 86_400
        found = [
            activity
            for activity in reversed(self._desk.region(caller).activities)
            if fits(params, activity["ResourceId"])
            and activity["StartTime"] >= oldest
            and ("NotScaledReasons" not in activity or params.get("IncludeNotScaledActivities", False))
        ]
        chosen, token = page(found, params, most=50)
        return {"ScalingActivities": [dict(activity) for activity in chosen], **token}


def _check_capacity(low: int | None, high: int | None) -> None:
    if low is None or high is None:
        raise invalid("MinCapacity and MaxCapacity are required when registering a new scalable target.")
    if low < 0 or high < 0:
        raise invalid("Capacity must not be negative.")
    if low > high:
        raise invalid("Maximum capacity cannot be less than minimum capacity")


def _shown(target: Target) -> dict[str, Any]:
    return {
        "ServiceNamespace": "ecs",
        "ResourceId": target.resource,
        "ScalableDimension": DIMENSION,
        "MinCapacity": target.low,
        "MaxCapacity": target.high,
        "RoleARN": target.role,
        "CreationTime": target.created_at,
        "SuspendedState": dict(target.suspended),
        "ScalableTargetARN": target.arn,
    }
