"""Targets: registering, deregistering and their health, for the API and for ECS.

Sources: botocore's RegisterTargets, DeregisterTargets ("If the specified target does not exist, the
action returns successfully"), DescribeTargetHealth, shape TargetDescription (addresses of the VPC,
RFC 1918 and RFC 6598 only; a zone or `all` for one outside the VPC). A target's identity is its id and
port. Wordings from memory. Instances are known by the form of their id alone: there is no EC2 behind it.
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

_PRIVATE = [
    ipaddress.ip_network(block)
    for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
]
_INCLUDE = ("AnomalyDetection", "All")
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
        for item in given:
            self._check(caller, region, group, item)
        wanted = [
            (
                item["Id"],
                self._port(group, item),
                item.get("AvailabilityZone") or self._zone(caller, region, item["Id"]),
            )
            for item in given
        ]
        self._check_quota(region, group, wanted)
        for item, (target_id, port, zone) in zip(given, wanted, strict=True):
            self._health.register(
                group, target_id=target_id, port=port, zone=zone, server_id=item.get("QuicServerId") or ""
            )
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
        include = params.get("Include") or []
        for name in include:
            if name not in _INCLUDE:
                raise validation_error(f"'{name}' must be one of '{', '.join(_INCLUDE)}'")
        targets = [self._asked(group, item) for item in params.get("Targets") or []]
        return {
            "TargetHealthDescriptions": [
                _shown(group, target) | _included(group, target, include)
                for target in targets or group.targets.values()
            ]
        }

    def _asked(self, group: TargetGroup, item: Mapping[str, Any]) -> Target:
        """Return a registered target, or what an unknown one looks like."""
        port = self._port(group, item)
        found = group.targets.get((item["Id"], port))
        if found is not None:
            return found
        reason, description = NOT_REGISTERED
        return Target(
            id=item["Id"], port=port, zone="", state="unused", reason=reason, description=description
        )

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
        single = group.settings["TargetType"] in ("lambda", "alb")
        if count > (1 if single else limit):
            raise too_many_targets(1 if single else limit)
        self._check_registrations(region, group, wanted)

    def _check_registrations(
        self, region: Region, group: TargetGroup, wanted: list[tuple[str, int, str]]
    ) -> None:
        limit = self._desk.settings.quotas.registrations_per_target
        arns = group.load_balancer_arns
        used = [
            other
            for other in region.target_groups.values()
            if other is not group and set(arns) & set(other.load_balancer_arns)
        ]
        for target_id in dict.fromkeys(item[0] for item in wanted):
            ports = {key for key in group.targets if key[0] == target_id}
            ports |= {(target_id, port) for other_id, port, _ in wanted if other_id == target_id}
            count = len(ports) + sum(key[0] == target_id for other in used for key in other.targets)
            if count > limit:
                raise AwsError(
                    "TooManyRegistrationsForTargetId",
                    f"Target '{target_id}' is registered '{limit}' times with the load balancer already",
                )

    def _check(self, caller: Caller, region: Region, group: TargetGroup, item: Mapping[str, Any]) -> None:
        """Refuse a target that this group cannot have."""
        kind, target_id = group.settings["TargetType"], item["Id"]
        zone, server_id = item.get("AvailabilityZone"), item.get("QuicServerId")
        quic = group.settings.get("Protocol") in ("QUIC", "TCP_QUIC")
        if quic != bool(server_id):
            word = "must" if quic else "cannot"
            raise validation_error(f"A QUIC server ID {word} be specified for target '{target_id}'")
        if server_id and not re.fullmatch(r"0x[0-9a-f]{16}", server_id):
            raise validation_error(f"The QUIC server ID '{server_id}' is not valid")
        if zone and (kind in ("instance", "alb") or (kind == "lambda" and zone != "all")):
            raise validation_error(
                f"The Availability Zone '{zone}' cannot be specified for targets of type '{kind}'"
            )
        form = _ID_FORMS.get(kind)
        if form is not None and not form.fullmatch(target_id):
            raise validation_error(f"The target ID '{target_id}' is not valid for target type '{kind}'")
        if kind == "alb":
            _check_balancer(region, target_id, self._port(group, item))
        if kind == "ip":
            _check_address(target_id, version=group.settings["IpAddressType"])
            self._check_place(caller, group, target_id, zone=zone)

    def _check_place(self, caller: Caller, group: TargetGroup, target_id: str, *, zone: str | None) -> None:
        vpc_id = group.settings["VpcId"]
        blocks = [ipaddress.ip_network(block) for block in self._desk.estate.vpc_blocks(caller, vpc_id)]
        address = ipaddress.ip_address(target_id)
        if address.version == 4 and not zone and not any(address in block for block in blocks):
            raise AwsError(
                "InvalidTarget",
                f"The IP address '{target_id}' is not in VPC '{vpc_id}': "
                "an Availability Zone (or 'all') must be specified for it",
            )


def _check_balancer(region: Region, arn: str, port: int) -> None:
    """Refuse an application load balancer that is not there or does not listen on the port."""
    balancer = region.load_balancers.get(arn)
    if balancer is None:
        raise AwsError("InvalidTarget", f"The load balancer '{arn}' does not exist")
    if not any(region.listeners[item].port == port for item in balancer.listener_arns):
        raise AwsError("InvalidTarget", f"The load balancer '{arn}' has no listener on port '{port}'")


def _check_address(target_id: str, *, version: str) -> None:
    try:
        address = ipaddress.ip_address(target_id)
    except ValueError:
        address = None
    if address is None or f"ipv{address.version}" != version:
        noun = "IPv4" if version == "ipv4" else "IPv6"
        raise validation_error(f"The IP address '{target_id}' is not a valid {noun} address")
    if address.version == 4 and not any(address in block for block in _PRIVATE):
        raise AwsError(
            "InvalidTarget", f"The IP address '{target_id}' is not within a valid range for target groups"
        )


def _included(group: TargetGroup, target: Target, include: list[str]) -> dict[str, Any]:
    """Return what is shown only when asked for: nothing is ever found anomalous or overridden here."""
    answer: dict[str, Any] = {}
    web = group.settings.get("Protocol") in ("HTTP", "HTTPS")
    if web and target.state in ("healthy", "unhealthy") and include:
        answer["AnomalyDetection"] = {"Result": "normal", "MitigationInEffect": "no"}
    if "All" in include:
        answer["AdministrativeOverride"] = {
            "State": "no_override",
            "Reason": "AdministrativeOverride.NoOverride",
            "Description": "No override is currently active on target",
        }
    return answer


def _shown(group: TargetGroup, target: Target) -> dict[str, Any]:
    description: dict[str, Any] = {"Id": target.id}
    if target.server_id:
        description["QuicServerId"] = target.server_id
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
