"""What a policy does when an alarm invokes it.

Sources: "How target tracking works", "Step scaling policies" and "Cooldown period" of the user guide: the
capacity follows the ratio of metric and target, rounded up; every target tracking policy of a target must
call for less before it is scaled in; the default cooldown of ECS services is 300 seconds.
"""

from __future__ import annotations

import math

from sluice_sandbox.aws.autoscaling import policy_rules
from sluice_sandbox.aws.autoscaling.desk import Desk
from sluice_sandbox.aws.autoscaling.scaling import Scaling, Wanted, adjusted
from sluice_sandbox.aws.autoscaling.state import Policy, Target
from sluice_sandbox.aws.service import Caller

DEFAULT_COOLDOWN = 300.0


class Execution:
    """Runs policies."""

    def __init__(self, desk: Desk, scaling: Scaling) -> None:
        """Scale through `scaling`."""
        self._desk = desk
        self._scaling = scaling

    def invoke(
        self, caller: Caller, action: str, *, alarm: str, threshold: float, value: float | None
    ) -> None:
        """Run the policy with the ARN `action`; one that is gone does nothing."""
        for target in self._desk.region(caller).targets.values():
            for policy in target.policies.values():
                if policy.arn == action:
                    self._run(caller, target, policy, alarm=alarm, threshold=threshold, value=value)
                    return

    def _run(
        self,
        caller: Caller,
        target: Target,
        policy: Policy,
        *,
        alarm: str,
        threshold: float,
        value: float | None,
    ) -> None:
        present = self._desk.services.desired_count(caller, target.cluster, target.service)
        if present is None or value is None:
            # Without data the size of the breach is unknown (botocore: SetAlarmState, StateReasonData).
            return
        if policy.kind == "StepScaling":
            wanted = self._step(target, policy, present, difference=value - threshold)
        else:
            wanted = self._tracked(caller, target, policy, present, alarm=alarm, value=value)
        if wanted is not None:
            self._scaling.by_policy(caller, target, policy, alarm=alarm, wanted=wanted)

    def _step(self, target: Target, policy: Policy, present: int, *, difference: float) -> Wanted | None:
        configuration = policy.configuration
        step = policy_rules.step_for(configuration, difference)
        if step is None:
            return None
        kind, change = configuration["AdjustmentType"], step["ScalingAdjustment"]
        out = change > present if kind == "ExactCapacity" else change > 0
        capacity = adjusted(
            self._scaling.base(target, present, out=out),
            change,
            kind=kind,
            least=configuration.get("MinAdjustmentMagnitude", 0),
        )
        return Wanted(capacity, out=out, cooldown=float(configuration.get("Cooldown", DEFAULT_COOLDOWN)))

    def _tracked(
        self, caller: Caller, target: Target, policy: Policy, present: int, *, alarm: str, value: float
    ) -> Wanted | None:
        configuration = policy.configuration
        out = "-AlarmHigh-" in alarm
        if not out and not self._all_call_for_less(caller, target, policy):
            return None
        base = self._scaling.base(target, present, out=out)
        capacity = math.ceil(base * value / configuration["TargetValue"])
        member = "ScaleOutCooldown" if out else "ScaleInCooldown"
        return Wanted(capacity, out=out, cooldown=float(configuration.get(member, DEFAULT_COOLDOWN)))

    def _all_call_for_less(self, caller: Caller, target: Target, policy: Policy) -> bool:
        for other in target.policies.values():
            if other is policy or other.kind != "TargetTrackingScaling" or len(other.alarms) < 2:
                continue
            if self._desk.alarms.alarm_state_of(caller, other.alarms[1]) != "ALARM":
                return False
        return True
