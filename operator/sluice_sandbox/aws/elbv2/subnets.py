"""Where a load balancer has its nodes: subnets, their zones, and the security groups before it.

Sources: botocore's Subnets, SubnetMappings, SecurityGroups of CreateLoadBalancer, SetSubnets and
SetSecurityGroups ("You can specify only one subnet per Availability Zone", "either subnets or subnet
mappings, but not both", two zones for an application load balancer, Elastic IP addresses only for an
internet-facing network load balancer and private addresses only for an internal one). Wordings from
memory. No Elastic IP address exists here, so an allocation is only checked by its form.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from sluice_sandbox.aws.elbv2.desk import Desk, invalid_configuration, validation_error
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.ports import SubnetView
from sluice_sandbox.aws.service import Caller, Params

MAX_SECURITY_GROUPS = 5
_ADDRESSES = ("AllocationId", "PrivateIPv4Address", "IPv6Address")


def chosen(desk: Desk, caller: Caller, params: Params, *, kind: str) -> list[SubnetView]:
    """Return the subnets that a call names, each in a zone of its own, or refuse them."""
    plain, mapped = params.get("Subnets") or [], params.get("SubnetMappings") or []
    if plain and mapped:
        raise validation_error("You must specify either subnets or subnet mappings, but not both")
    ids = list(dict.fromkeys(plain or [item.get("SubnetId") or "" for item in mapped]))
    if not ids:
        raise validation_error("At least one subnet must be specified")
    found = {subnet_id: desk.estate.subnet(caller, subnet_id) for subnet_id in ids}
    missing = [subnet_id for subnet_id, view in found.items() if view is None]
    if missing:
        quoted = ", ".join(f"'{subnet_id}'" for subnet_id in missing)
        raise AwsError("SubnetNotFound", f"The subnet ID {quoted} does not exist")
    views = [view for view in found.values() if view is not None]
    if len({view.vpc_id for view in views}) > 1:
        raise invalid_configuration("All subnets must belong to the same VPC")
    if len({view.availability_zone for view in views}) < len(views):
        raise invalid_configuration(
            "A load balancer cannot be attached to multiple subnets in the same Availability Zone"
        )
    if kind == "application" and len(views) < 2:
        raise validation_error("At least two subnets in two different Availability Zones must be specified")
    return views


def zones(views: list[SubnetView], params: Params, *, kind: str, scheme: str) -> list[dict[str, Any]]:
    """Return `AvailabilityZones` with the addresses that subnet mappings ask for, or refuse those."""
    mapped = {item.get("SubnetId"): item for item in params.get("SubnetMappings") or []}
    shown = []
    for view in sorted(views, key=lambda item: item.availability_zone):
        given = {key: value for key, value in mapped.get(view.subnet_id, {}).items() if key in _ADDRESSES}
        if given:
            _check_addresses(given, view, kind=kind, scheme=scheme)
        shown.append(
            {
                "ZoneName": view.availability_zone,
                "SubnetId": view.subnet_id,
                "LoadBalancerAddresses": [given] if given else [],
            }
        )
    return shown


def _check_addresses(given: dict[str, str], view: SubnetView, *, kind: str, scheme: str) -> None:
    if kind != "network":
        raise invalid_configuration("Addresses of subnets can only be specified for network load balancers")
    allocation = given.get("AllocationId")
    if allocation is not None:
        if scheme != "internet-facing":
            raise invalid_configuration(
                "Elastic IP addresses can only be specified for internet-facing load balancers"
            )
        if not re.fullmatch(r"eipalloc-[0-9a-f]{8,17}", allocation):
            raise AwsError("AllocationIdNotFound", f"The allocation ID '{allocation}' does not exist")
    private = given.get("PrivateIPv4Address")
    if private is not None:
        if scheme != "internal":
            raise invalid_configuration(
                "Private IPv4 addresses can only be specified for internal load balancers"
            )
        if not _within(private, view.cidr):
            raise invalid_configuration(
                f"The private IPv4 address '{private}' is not in the range of subnet '{view.subnet_id}'"
            )


def _within(address: str, block: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(block)
    except ValueError:
        return False


def security_groups(desk: Desk, caller: Caller, ids: list[str], *, vpc_id: str) -> list[str]:
    """Return security groups that exist in the load balancer's VPC, or refuse them."""
    unique = list(dict.fromkeys(ids))
    if len(unique) > MAX_SECURITY_GROUPS:
        raise invalid_configuration(
            f"A load balancer cannot have more than '{MAX_SECURITY_GROUPS}' security groups"
        )
    for group_id in unique:
        vpc = desk.estate.security_group_vpc(caller, group_id)
        if vpc is None:
            raise AwsError("InvalidSecurityGroup", f"The security group '{group_id}' does not exist")
        if vpc != vpc_id:
            raise invalid_configuration(
                f"One or more security groups are invalid: '{group_id}' is not in VPC '{vpc_id}'"
            )
    return unique


def check_address_type(wanted: str, *, kind: str, scheme: str) -> None:
    """Refuse an IP address type that this load balancer cannot have."""
    if scheme == "internal" and wanted != "ipv4":
        raise invalid_configuration(f"Internal load balancers do not support the IP address type '{wanted}'")
    if kind == "network" and wanted == "dualstack-without-public-ipv4":
        raise invalid_configuration(f"Network load balancers do not support the IP address type '{wanted}'")
