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

from sluice_sandbox.aws.elbv2 import attributes, subnets
from sluice_sandbox.aws.elbv2.attribute_tables import of_load_balancer
from sluice_sandbox.aws.elbv2.capacity import no_ipam
from sluice_sandbox.aws.elbv2.desk import Desk, check_arns, invalid_configuration, validation_error
from sluice_sandbox.aws.elbv2.paging import page
from sluice_sandbox.aws.elbv2.state import LoadBalancer
from sluice_sandbox.aws.elbv2.tags import new_tags
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

MAX_NAME = 32
MAX_DESCRIBED = 20
_ZONE_IDS = {"application": "Z32O12XQLNTSW2", "network": "Z2IFOLAFXWLO4F"}
"""Hosted zone ids of eu-west-1 (AWS's endpoint table); other regions show the same ones."""

_PRIVATE_LINK = "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic"
_IPV6 = ("EnablePrefixForIpv6SourceNat",)
_KEPT = (*_IPV6, "CustomerOwnedIpv4Pool")
"""Members that are kept and shown, and change nothing here."""

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
        pool = (params.get("IpamPools") or {}).get("Ipv4IpamPoolId")
        if pool:
            raise no_ipam(pool)
        wanted = self._new(caller, params, kind=kind)
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
            check_arns(arns, "load balancer")
            missing = [arn for arn in arns if arn not in region.load_balancers]
            if missing:
                raise AwsError("LoadBalancerNotFound", f"Load balancers '[{', '.join(missing)}]' not found")
            chosen = [region.load_balancers[arn] for arn in dict.fromkeys(arns)]
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
        for group in region.target_groups.values():
            if any(target.id == found.arn for target in group.targets.values()):
                raise AwsError(
                    "ResourceInUse",
                    f"Load balancer '{found.arn}' is currently registered in target group '{group.arn}'",
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
        table = of_load_balancer(found.kind, scheme=found.scheme)
        merged = found.attributes | attributes.changes("Load balancer", table, params["Attributes"])
        attributes.check_load_balancer(merged)
        found.attributes = merged
        self._desk.changed()
        return {"Attributes": attributes.shown(found.attributes)}

    def set_subnets(self, caller: Caller, params: Params) -> Response:
        """Replace the subnets."""
        found = self._desk.region(caller).load_balancer(params["LoadBalancerArn"])
        views = subnets.chosen(self._desk, caller, params, kind=found.kind)
        if views[0].vpc_id != found.vpc_id:
            raise invalid_configuration("The subnets must belong to the VPC of the load balancer")
        kept = {zone["SubnetId"] for zone in found.zones}
        if found.kind == "network" and not kept <= {view.subnet_id for view in views}:
            raise invalid_configuration(
                "Subnets cannot be removed from a network load balancer: name all that are enabled"
            )
        address_type = params.get("IpAddressType") or found.ip_address_type
        subnets.check_address_type(address_type, kind=found.kind, scheme=found.scheme)
        found.zones = subnets.zones(views, params, kind=found.kind, scheme=found.scheme)
        found.ip_address_type = address_type
        found.extras |= {key: params[key] for key in _IPV6 if params.get(key)}
        for group in list(self._desk.region(caller).target_groups.values()):
            if found.arn in group.load_balancer_arns:
                self._on_use(group.arn)
        self._desk.changed()
        shown = {"AvailabilityZones": found.zones, "IpAddressType": found.ip_address_type}
        return shown | {key: found.extras[key] for key in _IPV6 if key in found.extras}

    def set_security_groups(self, caller: Caller, params: Params) -> Response:
        """Replace the security groups."""
        found = self._desk.region(caller).load_balancer(params["LoadBalancerArn"])
        given = params["SecurityGroups"]
        if found.kind == "network" and not found.security_groups:
            raise invalid_configuration(
                f"You cannot set security groups on load balancer '{found.arn}': "
                "it was created without security groups"
            )
        if not given:
            raise validation_error("At least one security group must be specified")
        enforce = params.get(_PRIVATE_LINK)
        if enforce and found.kind != "network":
            raise invalid_configuration(f"'{_PRIVATE_LINK}' is only supported by network load balancers")
        found.security_groups = subnets.security_groups(self._desk, caller, given, vpc_id=found.vpc_id)
        answer: Response = {"SecurityGroupIds": found.security_groups}
        if found.kind == "network":
            found.extras[_PRIVATE_LINK] = enforce or found.extras.get(_PRIVATE_LINK) or "on"
            answer[_PRIVATE_LINK] = found.extras[_PRIVATE_LINK]
        return answer

    def set_ip_address_type(self, caller: Caller, params: Params) -> Response:
        """Replace the address type; an internal load balancer stays on ipv4."""
        found = self._desk.region(caller).load_balancer(params["LoadBalancerArn"])
        wanted = params["IpAddressType"]
        subnets.check_address_type(wanted, kind=found.kind, scheme=found.scheme)
        found.ip_address_type = wanted
        return {"IpAddressType": wanted}

    def _new(self, caller: Caller, params: Params, *, kind: str) -> LoadBalancer:
        """Return the load balancer that a call describes, without name, ARN and DNS name, or refuse it."""
        views = subnets.chosen(self._desk, caller, params, kind=kind)
        vpc_id = views[0].vpc_id
        scheme = params.get("Scheme") or "internet-facing"
        address_type = params.get("IpAddressType") or "ipv4"
        subnets.check_address_type(address_type, kind=kind, scheme=scheme)
        given = params.get("SecurityGroups") or []
        if not given and kind == "application":
            # "the default security group for the VPC" (application load balancers' guide).
            default = self._desk.estate.default_security_group(caller, vpc_id)
            given = [default] if default is not None else []
        groups = subnets.security_groups(self._desk, caller, given, vpc_id=vpc_id)
        extras = {key: params[key] for key in _KEPT if params.get(key)}
        if kind == "network" and groups:
            extras[_PRIVATE_LINK] = "on"
        return LoadBalancer(
            arn="",
            name=params["Name"],
            dns_name="",
            scheme=scheme,
            kind=kind,
            vpc_id=vpc_id,
            created=self._desk.clock.now(),
            active_at=self._desk.clock.now() + self._desk.settings.pace.provisioning,
            ip_address_type=address_type,
            zones=subnets.zones(views, params, kind=kind, scheme=scheme),
            security_groups=groups,
            attributes=attributes.defaults(of_load_balancer(kind, scheme=scheme)),
            tags=new_tags(params),
            extras=extras,
        )

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
            **item.extras,
        }

    def _check_quota(self, caller: Caller, kind: str) -> None:
        quotas = self._desk.settings.quotas
        limit = quotas.application_load_balancers if kind == "application" else quotas.network_load_balancers
        present = self._desk.region(caller).load_balancers.values()
        if sum(item.kind == kind for item in present) >= limit:
            raise AwsError(
                "TooManyLoadBalancers", f"The maximum number of load balancers '{limit}' has been reached"
            )


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


def _settings(item: LoadBalancer) -> tuple[Any, ...]:
    """Return what must be equal for a second create to succeed; tags do not count (from memory)."""
    zones = tuple((zone["SubnetId"], str(zone["LoadBalancerAddresses"])) for zone in item.zones)
    return item.scheme, item.kind, item.ip_address_type, zones, frozenset(item.security_groups)
