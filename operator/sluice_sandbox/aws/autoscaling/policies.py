"""PutScalingPolicy, DescribeScalingPolicies, DeleteScalingPolicy, GetPredictiveScalingForecast.

Sources: botocore's operations. Target tracking policies own their alarms; for step scaling policies the
alarms are whoever's, and are listed by their action.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sluice_sandbox.aws.autoscaling import policy_rules, tracking
from sluice_sandbox.aws.autoscaling.desk import Desk, check_describe, check_dimension, fits, page
from sluice_sandbox.aws.autoscaling.refusals import invalid, limit_exceeded, not_found, not_modelled
from sluice_sandbox.aws.autoscaling.state import DIMENSION, Policy, Target
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

MAX_POLICIES = 50


class PolicyCalls:
    """The handlers of scaling policies."""

    def __init__(self, desk: Desk) -> None:
        """Work on the desk's books."""
        self._desk = desk

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""
        return {
            "PutScalingPolicy": self.put,
            "DescribeScalingPolicies": self.describe,
            "DeleteScalingPolicy": self.delete,
            "GetPredictiveScalingForecast": self.forecast,
        }

    def put(self, caller: Caller, params: Params) -> Response:
        """Create or change a policy; a target tracking policy gets its alarms anew."""
        target = self._desk.target(caller, params)
        name = params["PolicyName"]
        policy = target.policies.get(name)
        kind = params.get("PolicyType", policy.kind if policy is not None else None)
        if kind is None:
            raise invalid("PolicyType is required when creating a scaling policy.")
        if policy is not None and policy.kind != kind:
            raise invalid(f"The type of the policy {name} cannot be changed from {policy.kind} to {kind}.")
        policy_rules.check(params, kind=kind)
        configuration = dict(params[policy_rules.CONFIGURATIONS[kind]])
        if kind == "TargetTrackingScaling":
            self._check_same_metric(target, name, configuration)
        if policy is None:
            if len(target.policies) >= MAX_POLICIES:
                raise limit_exceeded(f"A scalable target can have at most {MAX_POLICIES} scaling policies.")
            policy = self._new(caller, target, name=name, kind=kind)
        if kind == "TargetTrackingScaling":
            self._renew_alarms(caller, target, policy, configuration)
        policy.configuration = configuration
        target.policies[name] = policy
        return {"PolicyARN": policy.arn, "Alarms": self._alarms(caller, policy)}

    def _new(self, caller: Caller, target: Target, *, name: str, kind: str) -> Policy:
        return Policy(
            arn=(
                f"arn:aws:autoscaling:{caller.region}:{caller.account}:scalingPolicy:{self._desk.uuid()}:"
                f"resource/ecs/{target.resource}:policyName/{name}"
            ),
            name=name,
            kind=kind,
            configuration={},
            created_at=self._desk.now(),
        )

    def _check_same_metric(self, target: Target, name: str, configuration: Mapping[str, Any]) -> None:
        """Refuse a second target tracking policy for the same metric (user guide, considerations)."""
        members = ("PredefinedMetricSpecification", "CustomizedMetricSpecification")
        wanted = [configuration.get(member) for member in members]
        for other in target.policies.values():
            if (
                other.name != name
                and other.kind == "TargetTrackingScaling"
                and wanted == [other.configuration.get(member) for member in members]
            ):
                raise invalid(
                    "Only one TargetTrackingScaling policy for a given metric specification is allowed."
                )

    def _renew_alarms(
        self, caller: Caller, target: Target, policy: Policy, configuration: Mapping[str, Any]
    ) -> None:
        """Put the alarms of a configuration; their ids stay over a change, as AWS keeps them.

        Raises ValidationException for a customized metric that CloudWatch refuses to watch.
        """
        ids = [name[-36:] for name in policy.alarms]
        while len(ids) < 2:
            ids.append(self._desk.uuid())
        requests = tracking.alarms(
            configuration, policy_arn=policy.arn, resource=target.resource, ids=(ids[0], ids[1])
        )
        names = [request["AlarmName"] for request in requests]
        for request in requests:
            try:
                self._desk.alarms.put_alarm(caller, request)
            except AwsError as error:
                raise invalid(f"The alarms of the policy cannot be put: {error.message}") from error
        self._desk.alarms.remove_alarms(caller, [name for name in policy.alarms if name not in names])
        policy.alarms = names

    def _alarms(self, caller: Caller, policy: Policy) -> list[dict[str, str]]:
        if policy.kind == "StepScaling":
            found = self._desk.alarms.alarms_with_action(caller, policy.arn)
            return [{"AlarmName": name, "AlarmARN": arn} for name, arn in found.items()]
        arns = {name: self._desk.alarms.alarm_arn(caller, name) for name in policy.alarms}
        return [{"AlarmName": name, "AlarmARN": arn} for name, arn in arns.items() if arn is not None]

    def describe(self, caller: Caller, params: Params) -> Response:
        """Return a page of policies."""
        check_describe(params)
        names = params.get("PolicyNames") or []
        found = [
            (target, policy)
            for target in self._desk.region(caller).targets.values()
            for policy in target.policies.values()
            if fits(params, target.resource) and (not names or policy.name in names or policy.arn in names)
        ]
        chosen, token = page(found, params, most=10)
        return {"ScalingPolicies": [self._shown(caller, *item) for item in chosen], **token}

    def _shown(self, caller: Caller, target: Target, policy: Policy) -> dict[str, Any]:
        return {
            "PolicyARN": policy.arn,
            "PolicyName": policy.name,
            "ServiceNamespace": "ecs",
            "ResourceId": target.resource,
            "ScalableDimension": DIMENSION,
            "PolicyType": policy.kind,
            policy_rules.CONFIGURATIONS[policy.kind]: dict(policy.configuration),
            "Alarms": self._alarms(caller, policy),
            "CreationTime": policy.created_at,
        }

    def delete(self, caller: Caller, params: Params) -> Response:
        """Delete a policy; its own alarms go with it, those of a step scaling policy stay (botocore)."""
        check_dimension(params)
        target = self._desk.region(caller).targets.get(params["ResourceId"])
        policy = target.policies.pop(params["PolicyName"], None) if target is not None else None
        if policy is None:
            raise _no_policy(params)
        self._desk.alarms.remove_alarms(caller, policy.alarms)
        return {}

    def forecast(self, caller: Caller, params: Params) -> Response:
        """Refuse: there is no predictive scaling policy to forecast for."""
        check_dimension(params)
        target = self._desk.region(caller).targets.get(params["ResourceId"])
        if target is None or params["PolicyName"] not in target.policies:
            raise _no_policy(params)
        raise not_modelled("predictive scaling forecasts")


def _no_policy(params: Params) -> Exception:
    return not_found(
        f"No scaling policy found for service namespace: {params['ServiceNamespace']}, resource ID: "
        f"{params['ResourceId']}, scalable dimension: {params['ScalableDimension']}, policy name: "
        f"{params['PolicyName']}"
    )
