"""The rules through which ECS shifts traffic: what it reads of them, and the weights it writes.

ECS overwrites the forward action with a weighted one over its two target groups and does not ask what
stood there before (go-to-k/cdk-real-drift#1730, aws/containers-roadmap#2853). Other actions of the
rule (authentication) and the stickiness of the forward stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy

from sluice_sandbox.aws.elbv2 import actions
from sluice_sandbox.aws.elbv2.desk import Desk
from sluice_sandbox.aws.elbv2.rules import RuleHandlers
from sluice_sandbox.aws.elbv2.state import Region, Rule
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.ports import TrafficRuleView
from sluice_sandbox.aws.service import Caller


class EcsRules:
    """The port `TrafficRules`. An ARN names a rule, or a listener and thereby its default rule."""

    def __init__(self, desk: Desk, rules: RuleHandlers) -> None:
        """Work on the desk's books; `rules` follows which target groups are in use."""
        self._desk = desk
        self._rules = rules

    def rule(self, caller: Caller, arn: str) -> TrafficRuleView | None:
        """Return the rule; see `ports.TrafficRules`."""
        region = self._desk.region(caller)
        found = _find(region, arn)
        if found is None:
            return None
        weights: dict[str, int] = {}
        for action in found.actions:
            for entry in (action.get("ForwardConfig") or {}).get("TargetGroups") or ():
                weights[entry["TargetGroupArn"]] = entry["Weight"]
        balancer = region.listener_of(found).load_balancer_arn
        return TrafficRuleView(arn=arn, load_balancer_arn=balancer, weights=weights)

    def set_weights(self, caller: Caller, arn: str, weights: Mapping[str, int]) -> str:
        """Forward by these weights; return the refusal's text, '' when done."""
        region = self._desk.region(caller)
        found = _find(region, arn)
        if found is None:
            return f"Listener rule '{arn}' not found"
        groups = [{"TargetGroupArn": group, "Weight": weight} for group, weight in weights.items()]
        wanted = []
        for action in found.actions:
            if action["Type"] != "forward":
                wanted.append(deepcopy(action))
                continue
            sticky = (action.get("ForwardConfig") or {}).get("TargetGroupStickinessConfig")
            config = {"TargetGroups": groups} | ({"TargetGroupStickinessConfig": sticky} if sticky else {})
            kept = {key: value for key, value in action.items() if key == "Order"}
            wanted.append(kept | {"Type": "forward", "ForwardConfig": config})
        listener = region.listener_of(found)
        try:
            completed = actions.complete(
                wanted,
                region=region,
                load_balancer=region.load_balancers[listener.load_balancer_arn],
                protocol=listener.protocol,
                quotas=self._desk.settings.quotas,
                before=found.actions,
            )
            if completed == found.actions:
                return ""
            self._rules.replace_actions(region, found, completed)
        except AwsError as error:
            return error.message
        self._desk.changed()
        return ""


def _find(region: Region, arn: str) -> Rule | None:
    listener = region.listeners.get(arn)
    return region.rules.get(listener.default_rule_arn if listener is not None else arn)
