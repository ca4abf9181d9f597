"""Target groups: their settings with AWS's defaults, what they refuse, and who uses them.

Sources: botocore's CreateTargetGroup and ModifyTargetGroup (defaults per protocol and target type,
ranges, idempotence), DeleteTargetGroup. Wordings: "Target group '...' is currently in use by a
listener or a rule" and "You cannot describe more than '20' target groups at a time" (public
reports), "Health check timeout '..' must be smaller than the interval '..'" (moto's tests), the
"exists, but with different settings" of load balancers; the others from memory.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from sluice_sandbox.aws.elbv2 import attributes
from sluice_sandbox.aws.elbv2.desk import Desk, invalid_configuration, validation_error
from sluice_sandbox.aws.elbv2.load_balancers import check_name
from sluice_sandbox.aws.elbv2.paging import page
from sluice_sandbox.aws.elbv2.state import TargetGroup
from sluice_sandbox.aws.elbv2.tags import new_tags
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

MAX_DESCRIBED = 20
_WEB = ("HTTP", "HTTPS")
_UNSUPPORTED = ("GENEVE",)
_HEALTH = (
    "HealthCheckProtocol",
    "HealthCheckPort",
    "HealthCheckEnabled",
    "HealthCheckPath",
    "HealthCheckIntervalSeconds",
    "HealthCheckTimeoutSeconds",
    "HealthyThresholdCount",
    "UnhealthyThresholdCount",
    "Matcher",
)

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
            attributes=attributes.defaults(attributes.TARGET_GROUP),
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
        given = {member: params[member] for member in _HEALTH if params.get(member) is not None}
        if given.get("HealthCheckEnabled") is False and group.settings["TargetType"] != "lambda":
            raise validation_error(
                f"Health check enabled must be true for target groups with target type "
                f"'{group.settings['TargetType']}'"
            )
        changed = group.settings | given
        _check_health(changed)
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
        wanted = attributes.changes("Target group", attributes.TARGET_GROUP, params["Attributes"])
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
        if version is not None and (protocol not in _WEB or version not in ("GRPC", "HTTP1", "HTTP2")):
            raise validation_error(
                f"Protocol version '{version}' is not supported with protocol '{protocol}'"
            )
        settings: dict[str, Any] = {"TargetType": kind}
        if kind != "lambda":
            settings |= {"Protocol": protocol, "Port": params["Port"], "VpcId": params["VpcId"]}
        if protocol in _WEB:
            settings["ProtocolVersion"] = version or "HTTP1"
        settings["IpAddressType"] = params.get("IpAddressType") or "ipv4"
        if params.get("TargetControlPort") is not None:
            settings["TargetControlPort"] = params["TargetControlPort"]
        settings |= _health(params, kind=kind, protocol=protocol, version=version)
        _check_health(settings)
        return settings


def _check_place(params: Params, kind: str) -> None:
    """Refuse a group without protocol, port or VPC, and a Lambda one with any of them."""
    for member, noun in (("Protocol", "protocol"), ("Port", "port"), ("VpcId", "VPC ID")):
        if kind == "lambda" and params.get(member) is not None:
            raise validation_error(
                f"The {noun} cannot be specified for target groups with target type 'lambda'"
            )
        if kind != "lambda" and params.get(member) is None:
            raise validation_error(f"A {noun} must be specified")


def _health(params: Params, *, kind: str, protocol: str | None, version: str | None) -> dict[str, Any]:
    """Return the health-check members with the defaults that botocore documents."""
    is_lambda = kind == "lambda"
    enabled = params.get("HealthCheckEnabled")
    if enabled is False and not is_lambda:
        raise validation_error(
            f"Health check enabled must be true for target groups with target type '{kind}'"
        )
    settings: dict[str, Any] = {
        "HealthCheckEnabled": not is_lambda if enabled is None else enabled,
        "HealthCheckIntervalSeconds": params.get("HealthCheckIntervalSeconds") or (35 if is_lambda else 30),
        "HealthyThresholdCount": params.get("HealthyThresholdCount") or 5,
        "UnhealthyThresholdCount": params.get("UnhealthyThresholdCount") or (5 if is_lambda else 2),
    }
    check_protocol = params.get("HealthCheckProtocol") or ("HTTP" if protocol in _WEB else "TCP")
    if not is_lambda:
        settings["HealthCheckProtocol"] = check_protocol
        settings["HealthCheckPort"] = params.get("HealthCheckPort") or "traffic-port"
    # 5 s behind an Application Load Balancer ("Health checks for Application Load Balancer target
    # groups"); botocore's text (6 and 10 s) gives the figures of Network Load Balancers.
    default_timeout = 30 if is_lambda else 5 if protocol in _WEB else 10
    if protocol not in _WEB and check_protocol == "HTTP":
        default_timeout = 6
    settings["HealthCheckTimeoutSeconds"] = params.get("HealthCheckTimeoutSeconds") or default_timeout
    if is_lambda or check_protocol in _WEB:
        is_grpc = version == "GRPC"
        settings["HealthCheckPath"] = params.get("HealthCheckPath") or (
            "/AWS.ALB/healthcheck" if is_grpc else "/"
        )
        network_codes = "200-399"
        default = (
            {"GrpcCode": "12"} if is_grpc else {"HttpCode": "200" if protocol in _WEB else network_codes}
        )
        settings["Matcher"] = params.get("Matcher") or ({"HttpCode": "200"} if is_lambda else default)
    elif params.get("HealthCheckPath") or params.get("Matcher"):
        raise validation_error(
            f"Health check path and matcher are not supported with protocol '{check_protocol}'"
        )
    return settings


def _check_health(settings: Mapping[str, Any]) -> None:
    """Refuse health checks that contradict themselves; also after a modification."""
    protocol = settings.get("Protocol")
    check_protocol = settings.get("HealthCheckProtocol")
    if check_protocol not in (None, "HTTP", "HTTPS", "TCP"):
        raise validation_error(f"Health check protocol '{check_protocol}' must be one of 'HTTP, HTTPS, TCP'")
    if protocol in _WEB and check_protocol == "TCP":
        raise invalid_configuration(
            f"Health check protocol 'TCP' is not supported for target groups with protocol '{protocol}'"
        )
    interval, timeout = settings["HealthCheckIntervalSeconds"], settings["HealthCheckTimeoutSeconds"]
    is_web = protocol in _WEB
    if timeout > interval or (is_web and timeout == interval):
        relation = "smaller than" if is_web else "smaller than or equal to"
        raise validation_error(
            f"Health check timeout '{timeout}' must be {relation} the interval '{interval}'"
        )
    port = settings.get("HealthCheckPort")
    if port not in (None, "traffic-port") and not (port.isdigit() and 1 <= int(port) <= 65535):
        raise validation_error(f"Health check port '{port}' must be 'traffic-port' or between 1 and 65535")
    path = settings.get("HealthCheckPath")
    if path is not None and not path.startswith("/"):
        raise validation_error(f"Health check path '{path}' must begin with a '/' character")
    matcher = settings.get("Matcher") or {}
    if "GrpcCode" in matcher and settings.get("ProtocolVersion") != "GRPC":
        raise validation_error("gRPC codes can only be matched by target groups with protocol version 'GRPC'")
    if "HttpCode" in matcher:
        low, high = (200, 499) if protocol in (*_WEB, None) else (200, 599)
        codes(matcher["HttpCode"], low=low, high=high, noun="HTTP")
    if "GrpcCode" in matcher:
        codes(matcher["GrpcCode"], low=0, high=99, noun="gRPC")


def codes(text: str, *, low: int, high: int, noun: str) -> list[tuple[int, int]]:
    """Return the inclusive ranges of a matcher ("200,202" or "200-299"), or refuse it."""
    ranges = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d{1,3})(?:-(\d{1,3}))?\s*", part)
        first = int(found.group(1)) if found else -1
        last = int(found.group(2) or first) if found else -1
        if not low <= first <= last <= high:
            raise validation_error(f"{noun} code '{text}' must be values or ranges between {low} and {high}")
        ranges.append((first, last))
    return ranges


def shown(group: TargetGroup) -> dict[str, Any]:
    """Return a target group in the API's shape."""
    return {
        "TargetGroupArn": group.arn,
        "TargetGroupName": group.name,
        **group.settings,
        "LoadBalancerArns": group.load_balancer_arns,
    }
