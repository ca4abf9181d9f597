"""Rules: what a listener does with a request, in order of priority.

Sources: botocore's CreateRule, ModifyRule, DeleteRule, SetRulePriorities, DescribeRules, and the
shape RulePriority (1 to 50000). Wordings: "Priority '26' is currently in use"
(stelligent/mu#324, hashicorp/terraform#24239); "The maximum number of rules ..." and the texts about
default rules from memory. DescribeRules answers in order of priority, the default rule last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sluice_sandbox.aws.elbv2 import actions, conditions
from sluice_sandbox.aws.elbv2.desk import Desk, check_arns, invalid_configuration, validation_error
from sluice_sandbox.aws.elbv2.paging import page
from sluice_sandbox.aws.elbv2.state import Listener, LoadBalancer, Region, Rule, Tags
from sluice_sandbox.aws.elbv2.tags import new_tags
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

LAST = 50_001
"""Where the default rule sorts: behind every priority."""

OnUse = Callable[[str], None]
"""Told the ARN of a target group whose use by load balancers may have changed."""


class RuleHandlers:
    """The operations on rules, and what listeners need to keep their default rule."""

    def __init__(self, desk: Desk, *, on_use: OnUse) -> None:
        """Work on the desk's books; `on_use` hears of target groups gained or lost."""
        self._desk = desk
        self._on_use = on_use

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""
        return {
            "CreateRule": self.create,
            "DescribeRules": self.describe,
            "ModifyRule": self.modify,
            "DeleteRule": self.delete,
            "SetRulePriorities": self.set_priorities,
        }

    def create(self, caller: Caller, params: Params) -> Response:
        """Create a rule. There is no idempotence: the same priority again is PriorityInUse."""
        region = self._desk.region(caller)
        listener = region.listener(params["ListenerArn"])
        load_balancer = region.load_balancers[listener.load_balancer_arn]
        if load_balancer.kind == "network" and load_balancer.ip_address_type != "dualstack":
            raise invalid_configuration(
                "Rules are only supported by application load balancers and dual-stack network load balancers"
            )
        kept_conditions = self._complete_conditions(load_balancer, params["Conditions"])
        kept_transforms = conditions.complete_transforms(params.get("Transforms") or [])
        kept_actions = self._complete_actions(region, listener, params["Actions"])
        priority = params["Priority"]
        if any(region.rules[arn].priority == priority for arn in listener.rule_arns):
            raise AwsError("PriorityInUse", f"Priority '{priority}' is currently in use")
        self._check_quota(region, load_balancer)
        rule = Rule(
            arn=self._new_arn(listener),
            listener_arn=listener.arn,
            priority=priority,
            conditions=kept_conditions,
            actions=kept_actions,
            transforms=kept_transforms,
            tags=new_tags(params),
        )
        self._check_groups(region, load_balancer, kept_actions)
        self._keep(region, listener, rule)
        self._desk.changed()
        return {"Rules": [shown(rule)]}

    def describe(self, caller: Caller, params: Params) -> Response:
        """Return the rules of a listener, or the rules named, in pages."""
        region = self._desk.region(caller)
        listener_arn, arns = params.get("ListenerArn"), params.get("RuleArns") or []
        if bool(listener_arn) == bool(arns):
            raise validation_error(
                "You must specify either rule ARNs or a listener ARN"
                if not arns
                else "You cannot specify both rule ARNs and a listener ARN"
            )
        if arns:
            check_arns(arns, "listener rule")
            chosen = [region.rule(arn) for arn in dict.fromkeys(arns)]
        else:
            chosen = [region.rules[arn] for arn in region.listener(listener_arn or "").rule_arns]
        chosen.sort(key=lambda rule: (rule.listener_arn, LAST if rule.priority is None else rule.priority))
        return page(params, chosen, member="Rules", key=lambda rule: rule.arn, show=shown)

    def modify(self, caller: Caller, params: Params) -> Response:
        """Replace the properties given; the default rule changes through its listener only."""
        region = self._desk.region(caller)
        rule = region.rule(params["RuleArn"])
        if rule.priority is None:
            raise AwsError("OperationNotPermitted", f"Default rule '{rule.arn}' cannot be modified")
        if params.get("ResetTransforms") and params.get("Transforms"):
            raise validation_error("You cannot specify both Transforms and ResetTransforms")
        if all(
            params.get(member) is None
            for member in ("Conditions", "Actions", "Transforms", "ResetTransforms")
        ):
            raise validation_error("Either conditions or actions must be specified")
        listener = region.listener_of(rule)
        kept = rule.conditions
        if params.get("Conditions") is not None:
            load_balancer = region.load_balancers[listener.load_balancer_arn]
            kept = self._complete_conditions(load_balancer, params["Conditions"])
        transforms = [] if params.get("ResetTransforms") else rule.transforms
        if params.get("Transforms") is not None:
            transforms = conditions.complete_transforms(params["Transforms"])
        if params.get("Actions") is not None:
            completed = self._complete_actions(region, listener, params["Actions"], before=rule.actions)
            self.replace_actions(region, rule, completed)
        rule.conditions, rule.transforms = kept, transforms
        self._desk.changed()
        return {"Rules": [shown(rule)]}

    def delete(self, caller: Caller, params: Params) -> Response:
        """Delete a rule that is not a default rule."""
        region = self._desk.region(caller)
        rule = region.rule(params["RuleArn"])
        if rule.priority is None:
            raise AwsError("OperationNotPermitted", f"Default rule '{rule.arn}' cannot be deleted")
        self.forget(region, rule)
        self._desk.changed()
        return {}

    def set_priorities(self, caller: Caller, params: Params) -> Response:
        """Move rules; swaps are fine, as only the order after all moves must be free of conflicts."""
        region = self._desk.region(caller)
        wanted: dict[str, int] = {}
        for pair in params["RulePriorities"]:
            arn, priority = pair.get("RuleArn") or "", pair.get("Priority")
            rule = region.rule(arn)
            if rule.priority is None:
                raise AwsError(
                    "OperationNotPermitted", f"Priority of default rule '{arn}' cannot be modified"
                )
            if arn in wanted:
                raise validation_error(f"Rule '{arn}' was provided multiple times")
            if priority is None:
                raise validation_error("A priority must be specified for each rule")
            wanted[arn] = priority
        if not wanted:
            raise validation_error("At least one rule priority must be specified")
        self._check_order(region, wanted)
        for arn, priority in wanted.items():
            region.rules[arn].priority = priority
        self._desk.changed()
        return {"Rules": [shown(region.rules[arn]) for arn in wanted]}

    def make_default(self, region: Region, listener: Listener, given: actions.Actions, *, tags: Tags) -> None:
        """Make the default rule of a new listener, or refuse its actions."""
        load_balancer = region.load_balancers[listener.load_balancer_arn]
        completed = self._complete_actions(region, listener, given)
        self._check_groups(region, load_balancer, completed)
        rule = Rule(
            arn=self._new_arn(listener),
            listener_arn=listener.arn,
            priority=None,
            conditions=[],
            actions=completed,
            transforms=[],
            tags=dict(tags),
        )
        listener.default_rule_arn = rule.arn
        self._keep(region, listener, rule)

    def complete_default(
        self, region: Region, listener: Listener, given: actions.Actions, *, protocol: str = ""
    ) -> actions.Actions:
        """Return a listener's new default actions or refuse them; nothing is changed yet.

        `protocol` is the one the listener is about to have, its present one when it keeps that.
        """
        return self._complete_actions(
            region,
            listener,
            given,
            before=region.rules[listener.default_rule_arn].actions,
            protocol=protocol,
        )

    def replace_actions(self, region: Region, rule: Rule, completed: actions.Actions) -> None:
        """Put completed actions into a rule and follow which target groups it uses."""
        load_balancer = region.load_balancers[region.listener_of(rule).load_balancer_arn]
        self._check_groups(region, load_balancer, completed, besides=rule.arn)
        before = set(actions.target_group_arns(rule.actions))
        after = set(actions.target_group_arns(completed))
        rule.actions = completed
        for arn in before - after:
            region.target_groups[arn].rule_arns.pop(rule.arn, None)
        for arn in after - before:
            region.target_groups[arn].rule_arns[rule.arn] = load_balancer.arn
        for arn in sorted(before ^ after):
            self._on_use(arn)

    def forget(self, region: Region, rule: Rule) -> None:
        """Remove a rule (also a default one, with its listener) and free its target groups."""
        region.listeners[rule.listener_arn].rule_arns.remove(rule.arn)
        del region.rules[rule.arn]
        for arn in dict.fromkeys(actions.target_group_arns(rule.actions)):
            region.target_groups[arn].rule_arns.pop(rule.arn, None)
            self._on_use(arn)

    def _keep(self, region: Region, listener: Listener, rule: Rule) -> None:
        region.rules[rule.arn] = rule
        listener.rule_arns.append(rule.arn)
        for arn in dict.fromkeys(actions.target_group_arns(rule.actions)):
            region.target_groups[arn].rule_arns[rule.arn] = listener.load_balancer_arn
            self._on_use(arn)

    def _complete_conditions(
        self, load_balancer: LoadBalancer, given: list[conditions.Condition]
    ) -> list[conditions.Condition]:
        if load_balancer.kind == "network":
            return conditions.complete_network(given)
        return conditions.complete(given, quotas=self._desk.settings.quotas)

    def _complete_actions(
        self,
        region: Region,
        listener: Listener,
        given: actions.Actions,
        *,
        before: actions.Actions | None = None,
        protocol: str = "",
    ) -> actions.Actions:
        return actions.complete(
            given,
            region=region,
            load_balancer=region.load_balancers[listener.load_balancer_arn],
            protocol=protocol or listener.protocol,
            quotas=self._desk.settings.quotas,
            before=before,
        )

    def _new_arn(self, listener: Listener) -> str:
        return listener.arn.replace(":listener/", ":listener-rule/") + f"/{self._desk.hex_id()}"

    def _check_quota(self, region: Region, load_balancer: LoadBalancer) -> None:
        limit = self._desk.settings.quotas.rules_per_load_balancer
        # Default rules do not count ("not counting defaults", quotas page).
        count = sum(len(region.listeners[arn].rule_arns) - 1 for arn in load_balancer.listener_arns)
        if count >= limit:
            raise AwsError(
                "TooManyRules",
                f"The maximum number of rules on load balancer '{load_balancer.name}' has been reached",
            )

    def _check_groups(
        self, region: Region, load_balancer: LoadBalancer, completed: actions.Actions, *, besides: str = ""
    ) -> None:
        """Refuse the hundred and first target group, and the thousand and first target."""
        quotas = self._desk.settings.quotas
        used = {
            arn
            for listener_arn in load_balancer.listener_arns
            for rule_arn in region.listeners[listener_arn].rule_arns
            if rule_arn != besides
            for arn in actions.target_group_arns(region.rules[rule_arn].actions)
        } | set(actions.target_group_arns(completed))
        if len(used) > quotas.target_groups_per_load_balancer:
            raise AwsError(
                "TooManyUniqueTargetGroupsPerLoadBalancer",
                f"The maximum number of unique target groups '{quotas.target_groups_per_load_balancer}' "
                f"on load balancer '{load_balancer.name}' has been reached",
            )
        targets = sum(len(region.target_groups[arn].targets) for arn in used)
        if targets > quotas.targets_per_load_balancer:
            raise too_many_targets(quotas.targets_per_load_balancer)

    def _check_order(self, region: Region, wanted: Mapping[str, int]) -> None:
        taken: dict[tuple[str, int], str] = {}
        for arn, priority in wanted.items():
            place = region.rules[arn].listener_arn, priority
            if place in taken:
                raise validation_error(f"Priority '{priority}' was provided multiple times")
            taken[place] = arn
        for listener_arn in {place[0] for place in taken}:
            for arn in region.listeners[listener_arn].rule_arns:
                priority_now = region.rules[arn].priority
                if arn not in wanted and priority_now is not None and (listener_arn, priority_now) in taken:
                    raise AwsError("PriorityInUse", f"Priority '{priority_now}' is currently in use")


def too_many_targets(limit: int) -> AwsError:
    """Return the refusal of the thousand and first target behind one load balancer.

    Wording: kubernetes-sigs/aws-load-balancer-controller#2302.
    """
    return AwsError(
        "TooManyTargets", f"The maximum number of targets per load balancer '{limit}' has been reached"
    )


def shown(rule: Rule) -> dict[str, Any]:
    """Return a rule in the API's shape; priority is a string there, 'default' for the last."""
    return {
        "RuleArn": rule.arn,
        "Priority": "default" if rule.priority is None else str(rule.priority),
        "Conditions": rule.conditions,
        "Actions": rule.actions,
        "IsDefault": rule.priority is None,
        "Transforms": rule.transforms,
    }
