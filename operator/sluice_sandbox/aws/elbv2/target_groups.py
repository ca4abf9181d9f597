"""Target groups: their settings with AWS's defaults, what they refuse, and who uses them.

Sources: botocore's CreateTargetGroup and ModifyTargetGroup (defaults per protocol and target type,
ranges, idempotence), DeleteTargetGroup. Wordings: "Target group '...' is currently in use by a
listener or a rule" and "You cannot describe more than '20' target groups at a time" (public
reports), the "exists, but with different settings" of load balancers; the others from memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sluice_sandbox.aws.elbv2 import attributes, health_settings
from sluice_sandbox.aws.elbv2.attribute_tables import of_target_group
from sluice_sandbox.aws.elbv2.desk import Desk, check_arns, validation_error
from sluice_sandbox.aws.elbv2.health_settings import WEB
from sluice_sandbox.aws.elbv2.load_balancers import check_name
from sluice_sandbox.aws.elbv2.paging import page
from sluice_sandbox.aws.elbv2.state import TargetGroup
from sluice_sandbox.aws.elbv2.tags import new_tags
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

MAX_DESCRIBED = 20
_UNSUPPORTED = ("GENEVE",)

OnGone = Callable[[str], None]
"""Told the ARN of a target group whose health checks change or end."""


class TargetGroupHandlers:
    """The operations on target groups; their targets are in `targets`."""

    def __init__(self, desk: Desk, *, on_health_change: OnGone) -> None:
        """Work on the desk's books; `on_health_change` hears of changed or deleted health checks."""
        self._desk = desk
        self._on_health_change = on_health_change

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""
        return {
            "CreateTargetGroup": self.create,
            "DescribeTargetGroups": self.describe,
            "ModifyTargetGroup": self.modify,
            "DeleteTargetGroup": self.delete,
            "DescribeTargetGroupAttributes": self.describe_attributes,
            "ModifyTargetGroupAttributes": self.modify_attributes,
        }

    def create(self, caller: Caller, params: Params) -> Response:
        """Create a group, or return the present one of that name when its settings are the same."""
        name = params["Name"]
        check_name("Target group name", name)
        settings = self._settings(caller, params)
        tags = new_tags(params)
        region = self._desk.region(caller)
        present_arn = region.target_group_names.get(name)
        if present_arn is not None:
            present = region.target_groups[present_arn]
            if present.settings != settings:
                raise AwsError(
                    "DuplicateTargetGroupName",
                    f"A target group with the same name '{name}' exists, but with different settings",
                )
            return {"TargetGroups": [shown(present)]}
        limit = self._desk.settings.quotas.target_groups
        if len(region.target_groups) >= limit:
            raise AwsError(
                "TooManyTargetGroups", f"The maximum number of target groups '{limit}' has been reached"
            )
        group = TargetGroup(
            arn=self._desk.arn(caller, f"targetgroup/{name}/{self._desk.hex_id()}"),
            name=name,
            settings=settings,
            attributes=attributes.defaults(of_target_group(settings)),
            tags=tags,
        )
        region.target_groups[group.arn] = group
        region.target_group_names[name] = group.arn
        return {"TargetGroups": [shown(group)]}

    def describe(self, caller: Caller, params: Params) -> Response:
        """Return groups by ARN, by name, of a load balancer, or all of them, in pages."""
        region = self._desk.region(caller)
        arns, names = params.get("TargetGroupArns") or [], params.get("Names") or []
        load_balancer_arn = params.get("LoadBalancerArn")
        if sum(map(bool, (arns, names, load_balancer_arn))) > 1:
            raise validation_error(
                "Target group ARNs, target group names and a load balancer ARN cannot be specified together"
            )
        if len(arns) > MAX_DESCRIBED or len(names) > MAX_DESCRIBED:
            raise validation_error(f"You cannot describe more than '{MAX_DESCRIBED}' target groups at a time")
        if arns:
            check_arns(arns, "target group")
            missing = [arn for arn in arns if arn not in region.target_groups]
            if missing:
                raise AwsError("TargetGroupNotFound", "One or more target groups not found")
            chosen = [region.target_groups[arn] for arn in dict.fromkeys(arns)]
        elif names:
            missing = [name for name in names if name not in region.target_group_names]
            if missing:
                raise AwsError("TargetGroupNotFound", "One or more target groups not found")
            chosen = [region.target_groups[region.target_group_names[name]] for name in dict.fromkeys(names)]
        elif load_balancer_arn:
            region.load_balancer(load_balancer_arn)
            chosen = [
                item for item in region.target_groups.values() if load_balancer_arn in item.load_balancer_arns
            ]
        else:
            chosen = list(region.target_groups.values())
        return page(params, chosen, member="TargetGroups", key=lambda item: item.arn, show=shown)

    def modify(self, caller: Caller, params: Params) -> Response:
        """Change health checks; protocol, port, VPC and type can never change."""
        group = self._desk.region(caller).target_group(params["TargetGroupArn"])
        given = {
            member: params[member] for member in health_settings.MEMBERS if params.get(member) is not None
        }
        if given.get("HealthCheckEnabled") is False and group.settings["TargetType"] != "lambda":
            raise validation_error(
                f"Health check enabled must be true for target groups with target type "
                f"'{group.settings['TargetType']}'"
            )
        changed = health_settings.modified(group.settings, given)
        health_settings.check(changed)
        group.settings = changed
        self._on_health_change(group.arn)
        self._desk.changed()
        return {"TargetGroups": [shown(group)]}

    def delete(self, caller: Caller, params: Params) -> Response:
        """Delete a group that no rule names; one that is not there is no error (public reports)."""
        region = self._desk.region(caller)
        group = region.target_groups.get(params["TargetGroupArn"])
        if group is None:
            return {}
        if group.rule_arns:
            raise AwsError(
                "ResourceInUse", f"Target group '{group.arn}' is currently in use by a listener or a rule"
            )
        del region.target_groups[group.arn]
        del region.target_group_names[group.name]
        self._on_health_change(group.arn)
        self._desk.changed()
        return {}

    def describe_attributes(self, caller: Caller, params: Params) -> Response:
        """Return all attributes."""
        group = self._desk.region(caller).target_group(params["TargetGroupArn"])
        return {"Attributes": attributes.shown(group.attributes)}

    def modify_attributes(self, caller: Caller, params: Params) -> Response:
        """Set some attributes, all or none."""
        group = self._desk.region(caller).target_group(params["TargetGroupArn"])
        wanted = attributes.changes("Target group", of_target_group(group.settings), params["Attributes"])
        merged = group.attributes | wanted
        attributes.check_target_group(merged)
        group.attributes = merged
        self._desk.changed()
        return {"Attributes": attributes.shown(group.attributes)}

    def _settings(self, caller: Caller, params: Params) -> dict[str, Any]:
        kind = params.get("TargetType") or "instance"
        protocol = params.get("Protocol")
        if protocol in _UNSUPPORTED:
            raise AwsError("OperationNotPermitted", f"Protocol '{protocol}' is not modelled by this stand-in")
        _check_place(params, kind)
        if kind != "lambda" and not self._desk.estate.vpc_exists(caller, params["VpcId"]):
            raise validation_error(f"The VPC ID '{params['VpcId']}' is not found")
        version = params.get("ProtocolVersion")
        if version is not None and (protocol not in WEB or version not in ("GRPC", "HTTP1", "HTTP2")):
            raise validation_error(
                f"Protocol version '{version}' is not supported with protocol '{protocol}'"
            )
        settings: dict[str, Any] = {"TargetType": kind}
        if kind != "lambda":
            settings |= {"Protocol": protocol, "Port": params["Port"], "VpcId": params["VpcId"]}
        if protocol in WEB:
            settings["ProtocolVersion"] = version or "HTTP1"
        settings["IpAddressType"] = params.get("IpAddressType") or "ipv4"
        if params.get("TargetControlPort") is not None:
            settings["TargetControlPort"] = params["TargetControlPort"]
        settings |= health_settings.of_new(params, kind=kind, protocol=protocol, version=version)
        health_settings.check(settings)
        return settings


def _check_place(params: Params, kind: str) -> None:
    """Refuse a group without protocol, port or VPC, and a Lambda one with any of them."""
    if kind == "alb" and params.get("Protocol") not in (None, "TCP", "TLS"):
        raise validation_error(
            f"Protocol '{params['Protocol']}' is not supported for target groups with target type 'alb'"
        )
    for member, noun in (("Protocol", "protocol"), ("Port", "port"), ("VpcId", "VPC ID")):
        if kind == "lambda" and params.get(member) is not None:
            raise validation_error(
                f"The {noun} cannot be specified for target groups with target type 'lambda'"
            )
        if kind != "lambda" and params.get(member) is None:
            raise validation_error(f"A {noun} must be specified")


def shown(group: TargetGroup) -> dict[str, Any]:
    """Return a target group in the API's shape."""
    return {
        "TargetGroupArn": group.arn,
        "TargetGroupName": group.name,
        **group.settings,
        "LoadBalancerArns": group.load_balancer_arns,
    }
