"""Actions of rules: what AWS refuses, and how it completes what it keeps.

Sources: botocore's shapes Action, ForwardActionConfig (weights 0 to 999), TargetGroupStickinessConfig
(1 to 604800 seconds), RedirectActionConfig, FixedResponseActionConfig. Wordings: "Target group
stickiness duration must be between 1 and 604800 seconds" (app-sre/qontract-reconcile#2089), "The
following target groups cannot be associated with more than one load balancer" (kubernetes-sigs/
aws-load-balancer-controller#4528), the others from memory.

AWS shows a forward action to one group with both TargetGroupArn and ForwardConfig, and to several
groups with ForwardConfig alone (hashicorp/terraform-provider-aws reads it so); a missing weight is 1.
"""

from __future__ import annotations

from typing import Any

from sluice_sandbox.aws.elbv2 import authentication
from sluice_sandbox.aws.elbv2.desk import Quotas, invalid_configuration, validation_error
from sluice_sandbox.aws.elbv2.state import LoadBalancer, Region, TargetGroup
from sluice_sandbox.aws.errors import AwsError

MAX_WEIGHT = 999
MAX_STICKINESS_SECONDS = 604_800
FINAL = ("forward", "redirect", "fixed-response")
_CONFIG = {
    "redirect": "RedirectConfig",
    "fixed-response": "FixedResponseConfig",
    "authenticate-oidc": "AuthenticateOidcConfig",
    "authenticate-cognito": "AuthenticateCognitoConfig",
    "jwt-validation": "JwtValidationConfig",
}
_CONTENT_TYPES = ("text/html", "application/json", "application/javascript", "text/css", "text/plain")
_PROTOCOLS = {
    "application": ("HTTP", "HTTPS"),
    "network": ("TCP", "TLS", "UDP", "TCP_UDP", "QUIC", "TCP_QUIC"),
}

Actions = list[dict[str, Any]]


def target_group_arns(actions: Actions) -> list[str]:
    """Return the target groups that completed actions forward to."""
    return [
        entry["TargetGroupArn"]
        for action in actions
        if action["Type"] == "forward"
        for entry in action["ForwardConfig"]["TargetGroups"]
    ]


def complete(
    actions: Actions,
    *,
    region: Region,
    load_balancer: LoadBalancer,
    protocol: str,
    quotas: Quotas,
    before: Actions | None = None,
) -> Actions:
    """Return the actions as DescribeRules gives them back, or refuse them.

    `protocol` is the listener's; `before` are the rule's present actions, None at its creation. Groups
    are checked to exist, to fit the load balancer's protocols and VPC and to belong to no other load
    balancer.
    """
    if not actions:
        raise validation_error("At least one action must be specified")
    if len(actions) > quotas.actions_per_rule:
        raise AwsError("TooManyActions", f"A rule can only have '{quotas.actions_per_rule}' actions")
    finals = [action for action in actions if action["Type"] in FINAL]
    if len(finals) != 1:
        raise AwsError(
            "InvalidLoadBalancerAction",
            "An action list must contain exactly one of 'forward', 'redirect' and 'fixed-response'",
        )
    if len(actions) > 1:
        _check_orders(actions, protocol)
    for action in actions:
        _check_members(action)
    completed = []
    for action in sorted(actions, key=lambda item: item.get("Order") or 0):
        if action["Type"] == "forward":
            done = _forward(action, region=region, load_balancer=load_balancer, quotas=quotas)
        else:
            done = _other(action, load_balancer, protocol=protocol, before=before)
        if action.get("Order") is not None:
            done["Order"] = action["Order"]
        completed.append(done)
    return completed


def _check_members(action: dict[str, Any]) -> None:
    """Refuse a member that belongs to another type of action: "Specify only when Type is ..."."""
    kind = action["Type"]
    own = {_CONFIG[kind]} if kind in _CONFIG else {"ForwardConfig", "TargetGroupArn"}
    for member in ("ForwardConfig", "TargetGroupArn", *_CONFIG.values()):
        if member not in own and action.get(member):
            raise validation_error(f"'{member}' cannot be specified for an action of type '{kind}'")


def _check_orders(actions: Actions, protocol: str) -> None:
    orders = [action.get("Order") for action in actions]
    if None in orders:
        raise validation_error("An order must be specified for every action when there are several")
    if len(set(orders)) < len(orders):
        raise validation_error("Each action must have a different order")
    if sum(action["Type"] in authentication.KINDS for action in actions) > 1:
        raise AwsError(
            "InvalidLoadBalancerAction", "A rule can only have one action that authenticates or validates"
        )
    last = max(actions, key=lambda action: action["Order"])
    if last["Type"] not in FINAL:
        raise AwsError("InvalidLoadBalancerAction", f"The action '{last['Type']}' cannot be the last action")
    if protocol != "HTTPS" and any(action["Type"] in authentication.KINDS for action in actions):
        raise AwsError(
            "InvalidLoadBalancerAction", "Authenticate actions are only supported on HTTPS listeners"
        )


def _other(
    action: dict[str, Any], load_balancer: LoadBalancer, *, protocol: str, before: Actions | None
) -> dict[str, Any]:
    kind = action["Type"]
    member = _CONFIG[kind]
    config = action.get(member)
    if config is None:
        raise validation_error(f"A '{member}' must be specified for an action of type '{kind}'")
    if load_balancer.kind != "application":
        raise AwsError(
            "InvalidLoadBalancerAction", f"Action '{kind}' is not supported by network load balancers"
        )
    if kind in authentication.KINDS:
        present = [item[member] for item in before or () if item["Type"] == kind]
        config = authentication.complete(kind, config, before=present[0] if present else None)
    if kind == "redirect":
        config = _redirect(config, listener_protocol=protocol)
    if kind == "fixed-response" and config.get("ContentType", "text/plain") not in _CONTENT_TYPES:
        quoted = ", ".join(f"'{item}'" for item in _CONTENT_TYPES)
        raise AwsError("InvalidLoadBalancerAction", f"The ContentType must be one of: {quoted}")
    return {"Type": kind, member: config}


def _redirect(config: dict[str, Any], *, listener_protocol: str) -> dict[str, Any]:
    """Complete a redirect with its reserved keywords; refuse one that would loop."""
    completed = {
        "Protocol": config.get("Protocol") or "#{protocol}",
        "Port": config.get("Port") or "#{port}",
        "Host": config.get("Host") or "#{host}",
        "Path": config.get("Path") or "/#{path}",
        "Query": "#{query}" if config.get("Query") is None else config["Query"],
        "StatusCode": config["StatusCode"],
    }
    if completed["Protocol"] not in ("HTTP", "HTTPS", "#{protocol}"):
        raise validation_error(
            f"Redirect protocol '{completed['Protocol']}' must be HTTP, HTTPS or #{{protocol}}"
        )
    if listener_protocol == "HTTPS" and completed["Protocol"] == "HTTP":
        raise AwsError("InvalidLoadBalancerAction", "You cannot redirect HTTPS to HTTP")
    port = completed["Port"]
    if port != "#{port}" and not (port.isdigit() and 1 <= int(port) <= 65535):
        raise validation_error(f"Redirect port '{port}' must be between 1 and 65535 or #{{port}}")
    if not completed["Path"].startswith("/"):
        raise validation_error("The path of a redirect must start with '/'")
    unchanged = ("#{protocol}", "#{port}", "#{host}", "/#{path}")
    if tuple(completed[key] for key in ("Protocol", "Port", "Host", "Path")) == unchanged:
        raise AwsError(
            "InvalidLoadBalancerAction", "The redirect configuration is not valid because it creates a loop"
        )
    return completed


def _forward(
    action: dict[str, Any], *, region: Region, load_balancer: LoadBalancer, quotas: Quotas
) -> dict[str, Any]:
    lone_arn = action.get("TargetGroupArn")
    config = action.get("ForwardConfig") or {}
    entries = config.get("TargetGroups") or []
    if not entries and not lone_arn:
        raise validation_error("A target group ARN must be specified for a forward action")
    if lone_arn and entries and [item.get("TargetGroupArn") for item in entries] != [lone_arn]:
        raise validation_error(
            "You can specify only one target group in ForwardConfig, and it must be the TargetGroupArn"
        )
    entries = entries or [{"TargetGroupArn": lone_arn}]
    arns = [item.get("TargetGroupArn") or "" for item in entries]
    _check_entries(entries, arns, quotas)
    for arn in arns:
        check_association(region.target_group(arn), load_balancer)
    weighted = [
        {"TargetGroupArn": arn, "Weight": 1 if item.get("Weight") is None else item["Weight"]}
        for arn, item in zip(arns, entries, strict=True)
    ]
    completed: dict[str, Any] = {"Type": "forward"}
    if len(weighted) == 1:
        completed["TargetGroupArn"] = arns[0]
    completed["ForwardConfig"] = {"TargetGroups": weighted}
    stickiness = config.get("TargetGroupStickinessConfig") or {}
    if load_balancer.kind == "application":
        completed["ForwardConfig"]["TargetGroupStickinessConfig"] = _stickiness(stickiness)
    elif stickiness:
        if stickiness.get("DurationSeconds") is not None:
            raise validation_error("A stickiness duration is only supported by application load balancers")
        completed["ForwardConfig"]["TargetGroupStickinessConfig"] = {
            "Enabled": bool(stickiness.get("Enabled"))
        }
    return completed


def _check_entries(entries: Actions, arns: list[str], quotas: Quotas) -> None:
    if len(entries) > quotas.target_groups_per_action:
        raise AwsError(
            "TooManyTargetGroups",
            f"An action can only forward to '{quotas.target_groups_per_action}' target groups",
        )
    if len(set(arns)) < len(arns):
        raise validation_error("Target groups in a forward action must be unique")
    for item in entries:
        weight = item.get("Weight")
        if weight is not None and not 0 <= weight <= MAX_WEIGHT:
            raise validation_error(f"Target group weight '{weight}' must be between 0 and {MAX_WEIGHT}")


def _stickiness(given: dict[str, Any]) -> dict[str, Any]:
    enabled = bool(given.get("Enabled"))
    duration = given.get("DurationSeconds")
    if enabled and duration is None:
        raise validation_error("You must specify a duration when enabling target group stickiness")
    if duration is not None and not 1 <= duration <= MAX_STICKINESS_SECONDS:
        raise validation_error("Target group stickiness duration must be between 1 and 604800 seconds")
    return {"Enabled": enabled} | ({} if duration is None else {"DurationSeconds": duration})


def check_association(group: TargetGroup, load_balancer: LoadBalancer) -> None:
    """Refuse a group that this load balancer cannot route to."""
    others = [arn for arn in group.load_balancer_arns if arn != load_balancer.arn]
    if others:
        raise AwsError(
            "TargetGroupAssociationLimit",
            "The following target groups cannot be associated with more than one load balancer: " + group.arn,
        )
    protocol = group.settings.get("Protocol")
    if protocol is not None and protocol not in _PROTOCOLS[load_balancer.kind]:
        raise AwsError(
            "IncompatibleProtocols",
            f"Target group '{group.arn}' with protocol '{protocol}' cannot be used with "
            f"{load_balancer.kind} load balancers",
        )
    vpc_id = group.settings.get("VpcId")
    if vpc_id is not None and vpc_id != load_balancer.vpc_id:
        raise invalid_configuration(
            f"Target group '{group.arn}' is in VPC '{vpc_id}', not in the VPC of the load balancer"
        )
