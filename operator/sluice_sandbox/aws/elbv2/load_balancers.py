"""Load balancers: created idempotently, provisioned after a while, deleted with their listeners.

Sources: botocore's CreateLoadBalancer (names of 32 characters, two subnets in two zones,
idempotence), ModifyLoadBalancerAttributes, SetSubnets, SetSecurityGroups. Wordings: "... with the
same name ... exists, but with different settings" as public Terraform reports quote it; the others
are from memory. Only application and network load balancers exist here; a gateway load balancer is
refused, as nothing could pass through it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from sluice_sandbox.aws.elbv2 import attributes
from sluice_sandbox.aws.elbv2.desk import Desk, invalid_configuration, validation_error
from sluice_sandbox.aws.elbv2.paging import page
from sluice_sandbox.aws.elbv2.state import LoadBalancer
from sluice_sandbox.aws.elbv2.tags import new_tags
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.ports import SubnetView
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

MAX_NAME = 32
MAX_DESCRIBED = 20
_ZONE_IDS = {"application": "Z32O12XQLNTSW2", "network": "Z2IFOLAFXWLO4F"}
"""Hosted zone ids of eu-west-1 (AWS's endpoint table); other regions show the same ones."""

DeleteListener = Callable[[Caller, str], None]
OnUse = Callable[[str], None]


class LoadBalancerHandlers:
    """The operations on load balancers."""

    def __init__(self, desk: Desk, *, delete_listener: DeleteListener, on_use: OnUse) -> None:
        """Work on the desk's books; `delete_listener` removes a listener with its rules.

        `on_use` hears of target groups for which the enabled zones changed.
        """
        self._desk = desk
        self._delete_listener = delete_listener
        self._on_use = on_use

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""
        return {
            "CreateLoadBalancer": self.create,
            "DescribeLoadBalancers": self.describe,
            "DeleteLoadBalancer": self.delete,
            "DescribeLoadBalancerAttributes": self.describe_attributes,
            "ModifyLoadBalancerAttributes": self.modify_attributes,
            "SetSubnets": self.set_subnets,
            "SetSecurityGroups": self.set_security_groups,
            "SetIpAddressType": self.set_ip_address_type,
        }

    def create(self, caller: Caller, params: Params) -> Response:
        """Create one, or return the present one of that name when its settings are the same."""
        name = params["Name"]
        check_name("Load balancer name", name)
        if name.startswith("internal-"):
            raise validation_error(f"Load balancer name '{name}' cannot begin with 'internal-'")
        kind = params.get("Type") or "application"
        if kind == "gateway":
            raise AwsError(
                "OperationNotPermitted", "Gateway load balancers are not modelled by this stand-in"
            )
        subnets = self._subnets(caller, params, kind=kind)
        wanted = LoadBalancer(
            arn="",
            name=name,
            dns_name="",
            scheme=params.get("Scheme") or "internet-facing",
            kind=kind,
            vpc_id=subnets[0].vpc_id,
            created=self._desk.clock.now(),
            active_at=self._desk.clock.now() + self._desk.settings.pace.provisioning,
            ip_address_type=params.get("IpAddressType") or "ipv4",
            zones=_zones(subnets),
            security_groups=self._security_groups(
                caller, params.get("SecurityGroups") or [], subnets[0].vpc_id
            ),
            attributes=attributes.defaults(attributes.LOAD_BALANCER),
            tags=new_tags(params),
        )
        region = self._desk.region(caller)
        present_arn = region.load_balancer_names.get(name)
        if present_arn is not None:
            present = region.load_balancers[present_arn]
            if _settings(present) != _settings(wanted):
                raise AwsError(
                    "DuplicateLoadBalancerName",
                    f"A load balancer with the same name '{name}' exists, but with different settings",
                )
            return {"LoadBalancers": [self._shown(present)]}
        self._check_quota(caller, kind)
        identity = self._desk.hex_id()
        prefix = "app" if kind == "application" else "net"
        wanted.arn = self._desk.arn(caller, f"loadbalancer/{prefix}/{name}/{identity}")
        internal = "internal-" if wanted.scheme == "internal" else ""
        wanted.dns_name = (
            f"{internal}{name}-{int(identity[:8], 16) % 10**9}.{caller.region}.elb.amazonaws.com"
        )
        region.load_balancers[wanted.arn] = wanted
        region.load_balancer_names[name] = wanted.arn
        return {"LoadBalancers": [self._shown(wanted)]}

    def describe(self, caller: Caller, params: Params) -> Response:
        """Return load balancers by ARN, by name or all of them, in pages."""
        region = self._desk.region(caller)
        arns, names = params.get("LoadBalancerArns") or [], params.get("Names") or []
        if arns and names:
            raise validation_error(
                "Load balancer names and load balancer ARNs cannot be specified at the same time"
            )
        if len(arns) > MAX_DESCRIBED or len(names) > MAX_DESCRIBED:
            raise validation_error(
                f"You cannot describe more than '{MAX_DESCRIBED}' load balancers at a time"
            )
        if arns:
            chosen = [region.load_balancer(arn) for arn in dict.fromkeys(arns)]
        elif names:
            missing = [name for name in names if name not in region.load_balancer_names]
            if missing:
                raise AwsError("LoadBalancerNotFound", f"Load balancers '[{', '.join(missing)}]' not found")
            chosen = [
                region.load_balancers[region.load_balancer_names[name]] for name in dict.fromkeys(names)
            ]
        else:
            chosen = list(region.load_balancers.values())
        return page(params, chosen, member="LoadBalancers", key=lambda item: item.arn, show=self._shown)

    def delete(self, caller: Caller, params: Params) -> Response:
        """Delete one with its listeners; one that is not there is no error (botocore's text)."""
        region = self._desk.region(caller)
        found = region.load_balancers.get(params["LoadBalancerArn"])
        if found is None:
            return {}
        if found.attributes["deletion_protection.enabled"] == "true":
            raise AwsError(
                "OperationNotPermitted",
                f"Load balancer '{found.arn}' cannot be deleted because deletion protection is enabled",
            )
        for listener_arn in list(found.listener_arns):
            self._delete_listener(caller, listener_arn)
        del region.load_balancers[found.arn]
        del region.load_balancer_names[found.name]
        self._desk.changed()
        return {}

    def describe_attributes(self, caller: Caller, params: Params) -> Response:
        """Return all attributes."""
        found = self._desk.region(caller).load_balancer(params["LoadBalancerArn"])
        return {"Attributes": attributes.shown(found.attributes)}

    def modify_attributes(self, caller: Caller, params: Params) -> Response:
        """Set some attributes, all or none."""
        found = self._desk.region(caller).load_balancer(params["LoadBalancerArn"])
        found.attributes |= attributes.changes(
            "Load balancer", attributes.LOAD_BALANCER, params["Attributes"]
        )
        self._desk.changed()
        return {"Attributes": attributes.shown(found.attributes)}

    def set_subnets(self, caller: Caller, params: Params) -> Response:
        """Replace the subnets."""
        found = self._desk.region(caller).load_balancer(params["LoadBalancerArn"])
        subnets = self._subnets(caller, params, kind=found.kind)
        if subnets[0].vpc_id != found.vpc_id:
            raise invalid_configuration("The subnets must belong to the VPC of the load balancer")
        found.zones = _zones(subnets)
        found.ip_address_type = params.get("IpAddressType") or found.ip_address_type
        for group in list(self._desk.region(caller).target_groups.values()):
            if found.arn in group.load_balancer_arns:
                self._on_use(group.arn)
        self._desk.changed()
        return {"AvailabilityZones": found.zones, "IpAddressType": found.ip_address_type}

    def set_security_groups(self, caller: Caller, params: Params) -> Response:
        """Replace the security groups."""
        found = self._desk.region(caller).load_balancer(params["LoadBalancerArn"])
        found.security_groups = self._security_groups(caller, params["SecurityGroups"], found.vpc_id)
        return {"SecurityGroupIds": found.security_groups}

    def set_ip_address_type(self, caller: Caller, params: Params) -> Response:
        """Replace the address type; an internal load balancer stays on ipv4."""
        found = self._desk.region(caller).load_balancer(params["LoadBalancerArn"])
        wanted = params["IpAddressType"]
        if found.scheme == "internal" and wanted != "ipv4":
            raise invalid_configuration(
                f"Internal load balancers do not support the IP address type '{wanted}'"
            )
        found.ip_address_type = wanted
        return {"IpAddressType": wanted}

    def _shown(self, item: LoadBalancer) -> dict[str, Any]:
        return {
            "LoadBalancerArn": item.arn,
            "DNSName": item.dns_name,
            "CanonicalHostedZoneId": _ZONE_IDS[item.kind],
            "CreatedTime": item.created,
            "LoadBalancerName": item.name,
            "Scheme": item.scheme,
            "VpcId": item.vpc_id,
            "State": {"Code": "active" if self._desk.clock.now() >= item.active_at else "provisioning"},
            "Type": item.kind,
            "AvailabilityZones": item.zones,
            "SecurityGroups": item.security_groups,
            "IpAddressType": item.ip_address_type,
        }

    def _check_quota(self, caller: Caller, kind: str) -> None:
        quotas = self._desk.settings.quotas
        limit = quotas.application_load_balancers if kind == "application" else quotas.network_load_balancers
        present = self._desk.region(caller).load_balancers.values()
        if sum(item.kind == kind for item in present) >= limit:
            raise AwsError(
                "TooManyLoadBalancers", f"The maximum number of load balancers '{limit}' has been reached"
            )

    def _subnets(self, caller: Caller, params: Params, *, kind: str) -> list[SubnetView]:
        plain = params.get("Subnets") or []
        mapped = [item["SubnetId"] for item in params.get("SubnetMappings") or [] if "SubnetId" in item]
        if plain and mapped:
            raise validation_error("You must specify either subnets or subnet mappings, but not both")
        ids = list(dict.fromkeys(plain or mapped))
        if not ids:
            raise validation_error("At least one subnet must be specified")
        found = [self._desk.estate.subnet(caller, subnet_id) for subnet_id in ids]
        missing = [subnet_id for subnet_id, view in zip(ids, found, strict=True) if view is None]
        if missing:
            quoted = ", ".join(f"'{subnet_id}'" for subnet_id in missing)
            raise AwsError("SubnetNotFound", f"The subnet ID {quoted} does not exist")
        views = [view for view in found if view is not None]
        if len({view.vpc_id for view in views}) > 1:
            raise invalid_configuration("All subnets must belong to the same VPC")
        zones = [view.availability_zone for view in views]
        if len(set(zones)) < len(zones):
            raise invalid_configuration(
                "A load balancer cannot be attached to multiple subnets in the same Availability Zone"
            )
        if kind == "application" and len(views) < 2:
            raise validation_error(
                "At least two subnets in two different Availability Zones must be specified"
            )
        return views

    def _security_groups(self, caller: Caller, ids: list[str], vpc_id: str) -> list[str]:
        for group_id in ids:
            vpc = self._desk.estate.security_group_vpc(caller, group_id)
            if vpc is None:
                raise AwsError("InvalidSecurityGroup", f"The security group '{group_id}' does not exist")
            if vpc != vpc_id:
                raise invalid_configuration(
                    f"One or more security groups are invalid: '{group_id}' is not in VPC '{vpc_id}'"
                )
        return list(ids)


def check_name(noun: str, name: str) -> None:
    """Refuse what is no name of a load balancer or target group (both have the same rules)."""
    if not name:
        raise validation_error(f"{noun} cannot be empty")
    if len(name) > MAX_NAME:
        raise validation_error(f"{noun} '{name}' cannot be longer than '{MAX_NAME}' characters")
    if not re.fullmatch(r"[A-Za-z0-9-]+", name):
        raise validation_error(
            f"{noun} '{name}' can only contain characters that are alphanumeric characters and hyphens(-)"
        )
    if name.startswith("-") or name.endswith("-"):
        raise validation_error(f"{noun} '{name}' cannot begin or end with '-'")


def _zones(subnets: list[SubnetView]) -> list[dict[str, Any]]:
    ordered = sorted(subnets, key=lambda view: view.availability_zone)
    return [
        {"ZoneName": view.availability_zone, "SubnetId": view.subnet_id, "LoadBalancerAddresses": []}
        for view in ordered
    ]


def _settings(item: LoadBalancer) -> tuple[Any, ...]:
    """Return what must be equal for a second create to succeed; tags do not count (from memory)."""
    subnets = tuple(zone["SubnetId"] for zone in item.zones)
    return item.scheme, item.kind, item.ip_address_type, subnets, frozenset(item.security_groups)
