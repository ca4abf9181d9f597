"""Targets: registering, deregistering and their health, for the API and for ECS.

Sources: botocore's RegisterTargets, DeregisterTargets ("If the specified target does not exist, the
action returns successfully"), DescribeTargetHealth, shape TargetDescription (addresses of the VPC,
RFC 1918 and RFC 6598 only). A target's identity is its id and port. Wordings from memory.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from sluice_sandbox.aws.elbv2.desk import Desk, validation_error
from sluice_sandbox.aws.elbv2.health import NOT_REGISTERED, HealthChecker
from sluice_sandbox.aws.elbv2.rules import too_many_targets
from sluice_sandbox.aws.elbv2.state import Region, Target, TargetGroup
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.ports import TargetGroupView, TargetHealth
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

MAX_IN_CALL = 1000
_PRIVATE = [
    ipaddress.ip_network(block)
    for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
]
_ID_FORMS = {
    "instance": re.compile(r"i-[0-9a-f]{8,17}"),
    "lambda": re.compile(r"arn:aws[a-z-]*:lambda:.+"),
    "alb": re.compile(r"arn:aws[a-z-]*:elasticloadbalancing:.+:loadbalancer/app/.+"),
}


class TargetHandlers:
    """The operations on targets, and the `TargetGroups` port that ECS uses."""

    def __init__(self, desk: Desk, *, health: HealthChecker) -> None:
        """Work on the desk's books; `health` owns the states of targets."""
        self._desk = desk
        self._health = health

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""
        return {
            "RegisterTargets": self.register_targets,
            "DeregisterTargets": self.deregister_targets,
            "DescribeTargetHealth": self.describe_health,
        }

    def register_targets(self, caller: Caller, params: Params) -> Response:
        """Register targets; all are checked before one is registered."""
        region = self._desk.region(caller)
        group = region.target_group(params["TargetGroupArn"])
        given = params["Targets"]
        if not given:
            raise validation_error("At least one target must be specified")
        wanted = []
        for item in given:
            _check_id(group, item)
            zone = item.get("AvailabilityZone") or self._zone(caller, region, item["Id"])
            wanted.append((item["Id"], self._port(group, item), zone))
        self._check_quota(region, group, wanted)
        for target_id, port, zone in wanted:
            self._health.register(group, target_id=target_id, port=port, zone=zone)
        return {}

    def deregister_targets(self, caller: Caller, params: Params) -> Response:
        """Drain targets. Without a port, the group's own port is meant."""
        group = self._desk.region(caller).target_group(params["TargetGroupArn"])
        for item in params["Targets"]:
            self._health.deregister(group, target_id=item["Id"], port=self._port(group, item))
        return {}

    def describe_health(self, caller: Caller, params: Params) -> Response:
        """Return the health of all targets or of those named; an unknown one is unused."""
        group = self._desk.region(caller).target_group(params["TargetGroupArn"])
        asked = params.get("Targets")
        if not asked:
            return {"TargetHealthDescriptions": [_shown(group, target) for target in group.targets.values()]}
        answers = []
        for item in asked:
            port = self._port(group, item)
            target = group.targets.get((item["Id"], port))
            if target is None:
                reason, description = NOT_REGISTERED
                target = Target(
                    id=item["Id"], port=port, zone="", state="unused", reason=reason, description=description
                )
            answers.append(_shown(group, target))
        return {"TargetHealthDescriptions": answers}

    def group(self, caller: Caller, arn: str) -> TargetGroupView | None:
        """Return what ECS checks of a target group; see `ports.TargetGroups`."""
        group = self._desk.region(caller).target_groups.get(arn)
        if group is None:
            return None
        return TargetGroupView(
            arn=arn,
            name=group.name,
            target_type=group.settings["TargetType"],
            vpc_id=group.settings.get("VpcId", ""),
            port=group.settings.get("Port", 0),
            load_balancer_arns=tuple(group.load_balancer_arns),
            deregistration_delay_seconds=group.deregistration_delay,
        )

    def register(self, caller: Caller, arn: str, *, ip: str, port: int, zone: str) -> None:
        """Register one IP target for ECS."""
        group = self._desk.region(caller).target_groups.get(arn)
        if group is not None:
            self._health.register(group, target_id=ip, port=port, zone=zone)

    def deregister(self, caller: Caller, arn: str, *, ip: str, port: int) -> None:
        """Start draining one target for ECS."""
        group = self._desk.region(caller).target_groups.get(arn)
        if group is not None:
            self._health.deregister(group, target_id=ip, port=port)

    def health(self, caller: Caller, arn: str, *, ip: str, port: int) -> TargetHealth | None:
        """Return one target's health, None when it is not registered (any more)."""
        group = self._desk.region(caller).target_groups.get(arn)
        target = group.targets.get((ip, port)) if group is not None else None
        if target is None:
            return None
        return TargetHealth(state=target.state, reason=target.reason, description=target.description)

    def _port(self, group: TargetGroup, item: Mapping[str, Any]) -> int:
        return int(item.get("Port") or group.settings.get("Port") or 0)

    def _zone(self, caller: Caller, region: Region, target_id: str) -> str:
        """Find the zone of an address in the load balancers' subnets, '' when it is in none."""
        try:
            address = ipaddress.ip_address(target_id)
        except ValueError:
            return ""
        for load_balancer in region.load_balancers.values():
            for zone in load_balancer.zones:
                subnet = self._desk.estate.subnet(caller, zone["SubnetId"])
                if subnet is not None and address in ipaddress.ip_network(subnet.cidr):
                    return subnet.availability_zone
        return ""

    def _check_quota(self, region: Region, group: TargetGroup, wanted: list[tuple[str, int, str]]) -> None:
        limit = self._desk.settings.quotas.targets_per_load_balancer
        count = len({*group.targets, *((target_id, port) for target_id, port, _ in wanted)})
        for arn in group.load_balancer_arns:
            count += sum(
                len(other.targets)
                for other in region.target_groups.values()
                if other is not group and arn in other.load_balancer_arns
            )
        if count > limit:
            raise too_many_targets(limit)


def _check_id(group: TargetGroup, item: Mapping[str, Any]) -> None:
    kind, target_id = group.settings["TargetType"], item["Id"]
    form = _ID_FORMS.get(kind)
    if form is not None:
        if not form.fullmatch(target_id):
            raise validation_error(f"The target ID '{target_id}' is not valid for target type '{kind}'")
        return
    try:
        address = ipaddress.ip_address(target_id)
    except ValueError:
        raise validation_error(f"The IP address '{target_id}' is not a valid IPv4 address") from None
    if address.version == 4 and not any(address in block for block in _PRIVATE):
        raise AwsError(
            "InvalidTarget", f"The IP address '{target_id}' is not within a valid range for target groups"
        )


def _shown(group: TargetGroup, target: Target) -> dict[str, Any]:
    description: dict[str, Any] = {"Id": target.id}
    if group.settings["TargetType"] != "lambda":
        description["Port"] = target.port
    if target.zone:
        description["AvailabilityZone"] = target.zone
    health = {"State": target.state}
    if target.reason:
        health |= {"Reason": target.reason, "Description": target.description}
    check_port = group.settings.get("HealthCheckPort", "traffic-port")
    answer: dict[str, Any] = {"Target": description, "TargetHealth": health}
    if group.settings["TargetType"] != "lambda":
        answer["HealthCheckPort"] = str(target.port) if check_port == "traffic-port" else check_port
    return answer
