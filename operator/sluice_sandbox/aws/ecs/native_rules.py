"""What a service's load balancers must have for a native deployment: groups, rules and a role.

Sources: botocore, AdvancedConfiguration; which members are required, hashicorp/terraform-provider-aws
(aws_ecs_service, advanced_configuration) and CloudFormation's AdvancedConfiguration; that both groups
must be behind listener rules: ECS developer guide, "Migrating from a CodeDeploy blue/green". Services
without load balancers may use these strategies too, no traffic is shifted then (the guide's "headless
service"). Wordings are from memory.
"""

from __future__ import annotations

import re
from typing import Any

from sluice_sandbox.aws.ecs.core import Core
from sluice_sandbox.aws.ecs.refusals import invalid_parameter
from sluice_sandbox.aws.ecs.stages import is_native
from sluice_sandbox.aws.ecs.traffic import pair_of
from sluice_sandbox.aws.service import Caller

_ROLE = re.compile(r"arn:[^:]+:iam::\d{12}:role/\S+")
REQUIRED = ("alternateTargetGroupArn", "productionListenerRule", "roleArn")


class NativeRules:
    """Checks advancedConfiguration."""

    def __init__(self, core: Core) -> None:
        """Ask the rules behind `core`'s ports."""
        self._core = core

    def check(self, caller: Caller, spec: dict[str, Any], *, look_up: bool) -> None:
        """Refuse what cannot be deployed; rules are looked up where `look_up` says so."""
        native = is_native(spec.get("deploymentConfiguration") or {})
        strategy = (spec.get("deploymentConfiguration") or {}).get("strategy")
        for balancer in spec.get("loadBalancers") or ():
            advanced = balancer.get("advancedConfiguration")
            if native and not advanced:
                raise invalid_parameter(
                    f"advancedConfiguration is required for each load balancer with the {strategy} "
                    "deployment strategy."
                )
            if not advanced:
                continue
            for member in REQUIRED:
                if native and not advanced.get(member):
                    raise invalid_parameter(
                        f"{member} must be specified in advancedConfiguration with the {strategy} "
                        "deployment strategy."
                    )
            role = advanced.get("roleArn")
            if role and not _ROLE.fullmatch(role):
                raise invalid_parameter("roleArn in advancedConfiguration must be the ARN of an IAM role.")
            own, alternate = pair_of(balancer)
            if own == alternate:
                raise invalid_parameter("targetGroupArn and alternateTargetGroupArn must be different.")
            if look_up:
                self._check_rules(caller, balancer)

    def _check_rules(self, caller: Caller, balancer: dict[str, Any]) -> None:
        rules = self._core.ports.traffic_rules
        if rules is None:
            return
        advanced = balancer["advancedConfiguration"]
        production, test = advanced.get("productionListenerRule"), advanced.get("testListenerRule")
        if production and production == test:
            raise invalid_parameter("productionListenerRule and testListenerRule must be different.")
        pair = pair_of(balancer)
        for member, arn in (("productionListenerRule", production), ("testListenerRule", test)):
            if not arn:
                continue
            rule = rules.rule(caller, arn)
            if rule is None:
                raise invalid_parameter(f"The {member} {arn} does not exist.")
            if not any(group in rule.weights for group in pair):
                raise invalid_parameter(
                    f"The {member} {arn} does not forward to the target group {pair[0]} or its alternate."
                )
