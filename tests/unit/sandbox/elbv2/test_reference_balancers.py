"""What the API reference says of load balancers, sentence by sentence: refusals and what is kept."""

from __future__ import annotations

from typing import Any

import botocore.loaders
import pytest
from elb_world import NOT_FOUND, Elb

from sluice_sandbox.aws.estate import SECURITY_GROUP_ID, SUBNET_IDS

SUBNETS = list(SUBNET_IDS)


def test_every_operation_of_the_model_is_answered(elb: Elb) -> None:
    """All 51 operations of botocore's model have a handler."""
    model = botocore.loaders.Loader().load_service_model("elbv2", "service-2")
    assert set(elb.service.operations()) == set(model["operations"])


CREATE_REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "internal-dualstack": (
        {"Scheme": "internal", "IpAddressType": "dualstack"},
        "InvalidConfigurationRequest",
    ),
    "network-without-ipv4": (
        {"Type": "network", "IpAddressType": "dualstack-without-public-ipv4"},
        "InvalidConfigurationRequest",
    ),
    "elastic-ip-on-application": (
        {
            "Subnets": [],
            "SubnetMappings": [{"SubnetId": item, "AllocationId": "eipalloc-0a1b2c3d"} for item in SUBNETS],
        },
        "InvalidConfigurationRequest",
    ),
    "elastic-ip-on-internal": (
        {
            "Subnets": [],
            "Type": "network",
            "Scheme": "internal",
            "SubnetMappings": [{"SubnetId": SUBNETS[0], "AllocationId": "eipalloc-0a1b2c3d"}],
        },
        "InvalidConfigurationRequest",
    ),
    "no-allocation": (
        {
            "Subnets": [],
            "Type": "network",
            "SubnetMappings": [{"SubnetId": SUBNETS[0], "AllocationId": "none"}],
        },
        "AllocationIdNotFound",
    ),
    "private-address-outside": (
        {
            "Subnets": [],
            "Type": "network",
            "Scheme": "internal",
            "SubnetMappings": [{"SubnetId": SUBNETS[0], "PrivateIPv4Address": "10.99.0.1"}],
        },
        "InvalidConfigurationRequest",
    ),
    "mapping-without-subnet": ({"Subnets": [], "SubnetMappings": [{}]}, "SubnetNotFound"),
    "both-forms": ({"SubnetMappings": [{"SubnetId": SUBNETS[0]}]}, "ValidationError"),
    "six-security-groups": (
        {"SecurityGroups": [f"sg-{number}" for number in range(6)]},
        "InvalidConfigurationRequest",
    ),
    "ipam": ({"IpamPools": {"Ipv4IpamPoolId": "ipam-pool-1"}}, "InvalidConfigurationRequest"),
    "reserved-tag": ({"Tags": [{"Key": "aws:x", "Value": "y"}]}, "ValidationError"),
    "tag-twice": ({"Tags": [{"Key": "x", "Value": "y"}, {"Key": "x", "Value": "z"}]}, "DuplicateTagKeys"),
}


@pytest.mark.parametrize("name", CREATE_REFUSED)
def test_load_balancers_that_cannot_be(elb: Elb, name: str) -> None:
    """CreateLoadBalancer refuses with the code of its own errors and creates nothing."""
    params, code = CREATE_REFUSED[name]
    assert elb.refusal("CreateLoadBalancer", **{"Name": "web", "Subnets": SUBNETS} | params).code == code
    assert elb.call("DescribeLoadBalancers")["LoadBalancers"] == []


def test_addresses_of_a_network_load_balancer_are_kept(elb: Elb) -> None:
    """One Elastic IP a subnet, shown in its zone; another one is other settings."""
    mappings = [{"SubnetId": SUBNETS[0], "AllocationId": "eipalloc-0a1b2c3d"}]
    made = elb.call("CreateLoadBalancer", Name="net", Type="network", SubnetMappings=mappings)
    [zone] = made["LoadBalancers"][0]["AvailabilityZones"]
    assert zone["LoadBalancerAddresses"] == [{"AllocationId": "eipalloc-0a1b2c3d"}]
    assert elb.call("CreateLoadBalancer", Name="net", Type="network", SubnetMappings=mappings) == made
    refused = elb.refusal(
        "CreateLoadBalancer",
        Name="net",
        Type="network",
        SubnetMappings=[{"SubnetId": SUBNETS[0], "AllocationId": "eipalloc-0a1b2c3e"}],
    )
    assert refused.code == "DuplicateLoadBalancerName"


def test_each_kind_of_load_balancer_has_attributes_of_its_own(elb: Elb) -> None:
    """Cross-zone is on for application and off for network; an internal one denies gateway traffic."""
    web, net = elb.load_balancer(), elb.load_balancer("net", Type="network", Scheme="internal")
    application = elb.attributes("LoadBalancer", LoadBalancerArn=web)
    network = elb.attributes("LoadBalancer", LoadBalancerArn=net)
    assert application["load_balancing.cross_zone.enabled"] == "true"
    assert application["ipv6.deny_all_igw_traffic"] == "false"
    assert network["load_balancing.cross_zone.enabled"] == "false"
    assert network["ipv6.deny_all_igw_traffic"] == "true"
    assert network["dns_record.client_routing_policy"] == "any_availability_zone"
    assert "idle_timeout.timeout_seconds" not in network


BALANCER_ATTRIBUTES: dict[str, tuple[str, str, str, str]] = {
    "unknown": ("application", "nonsense.key", "1", "InvalidConfigurationRequest"),
    "of-the-other-kind": ("network", "idle_timeout.timeout_seconds", "60", "InvalidConfigurationRequest"),
    "idle-low": ("application", "idle_timeout.timeout_seconds", "0", "ValidationError"),
    "idle-high": ("application", "idle_timeout.timeout_seconds", "4001", "ValidationError"),
    "idle-word": ("application", "idle_timeout.timeout_seconds", "soon", "ValidationError"),
    "keep-alive": ("application", "client_keep_alive.seconds", "59", "ValidationError"),
    "cross-zone-fixed": ("application", "load_balancing.cross_zone.enabled", "false", "ValidationError"),
    "desync": ("application", "routing.http.desync_mitigation_mode", "off", "ValidationError"),
    "log-without-bucket": ("application", "access_logs.s3.enabled", "true", "InvalidConfigurationRequest"),
    "secondary-addresses": ("network", "secondary_ips.auto_assigned.per_subnet", "8", "ValidationError"),
    "routing-policy": ("network", "dns_record.client_routing_policy", "nearest", "ValidationError"),
}


@pytest.mark.parametrize("name", BALANCER_ATTRIBUTES)
def test_attributes_of_load_balancers_out_of_range(elb: Elb, name: str) -> None:
    """The whole call is refused; what was good in it is not applied either."""
    kind, key, value, code = BALANCER_ATTRIBUTES[name]
    arn = elb.load_balancer(Type=kind)
    before = elb.attributes("LoadBalancer", LoadBalancerArn=arn)
    wanted = [{"Key": "deletion_protection.enabled", "Value": "true"}, {"Key": key, "Value": value}]
    refused = elb.refusal("ModifyLoadBalancerAttributes", LoadBalancerArn=arn, Attributes=wanted)
    assert refused.code == code
    assert elb.attributes("LoadBalancer", LoadBalancerArn=arn) == before


def test_security_groups_of_network_load_balancers_are_a_choice_at_creation(elb: Elb) -> None:
    """Without any at creation none can be set; with one, PrivateLink enforcement is shown and kept."""
    bare = elb.load_balancer("bare", Type="network", SecurityGroups=[])
    call = {"SecurityGroups": [SECURITY_GROUP_ID]}
    assert (
        elb.refusal("SetSecurityGroups", LoadBalancerArn=bare, **call).code == "InvalidConfigurationRequest"
    )
    member = "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic"
    guarded = elb.load_balancer("guarded", Type="network")
    answer = elb.call("SetSecurityGroups", LoadBalancerArn=guarded, **call, **{member: "off"})
    assert answer == {"SecurityGroupIds": [SECURITY_GROUP_ID], member: "off"}
    shown = elb.call("DescribeLoadBalancers", LoadBalancerArns=[guarded])["LoadBalancers"][0]
    assert shown[member] == "off"


def test_an_application_load_balancer_gets_the_default_security_group(elb: Elb) -> None:
    """Without any named, the VPC's own; a network load balancer then has none."""
    for kind, groups in (("application", [SECURITY_GROUP_ID]), ("network", [])):
        arn = elb.load_balancer(kind, Type=kind, SecurityGroups=[])
        [shown] = elb.call("DescribeLoadBalancers", LoadBalancerArns=[arn])["LoadBalancers"]
        assert shown["SecurityGroups"] == groups


def test_subnets_of_network_load_balancers_can_only_be_added(elb: Elb) -> None:
    """All subnets that were enabled previously must be named again."""
    net = elb.load_balancer(Type="network", Subnets=SUBNETS[:2])
    refused = elb.refusal("SetSubnets", LoadBalancerArn=net, Subnets=SUBNETS[1:])
    assert refused.code == "InvalidConfigurationRequest"
    answer = elb.call("SetSubnets", LoadBalancerArn=net, Subnets=SUBNETS)
    assert [zone["SubnetId"] for zone in answer["AvailabilityZones"]] == SUBNETS


def test_a_load_balancer_that_is_a_target_stays(elb: Elb) -> None:
    """DeleteLoadBalancer is ResourceInUse while an alb target group has it."""
    web = elb.load_balancer()
    elb.listener(web)
    group = elb.group(TargetType="alb", Protocol="TCP", Port=80)
    elb.call("RegisterTargets", TargetGroupArn=group, Targets=[{"Id": web}])
    assert elb.refusal("DeleteLoadBalancer", LoadBalancerArn=web).code == "ResourceInUse"
    elb.call("DeregisterTargets", TargetGroupArn=group, Targets=[{"Id": web}])
    elb.call("DeleteLoadBalancer", LoadBalancerArn=web)


UNKNOWN_BALANCER = (
    "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/none/0123456789abcdef"
)
NOT_THERE: dict[str, tuple[str, dict[str, Any], str]] = {
    operation: (operation, {"LoadBalancerArn": UNKNOWN_BALANCER} | more, "LoadBalancerNotFound")
    for operation, more in {
        "DescribeLoadBalancerAttributes": {},
        "ModifyLoadBalancerAttributes": {"Attributes": []},
        "SetSubnets": {"Subnets": SUBNETS},
        "SetSecurityGroups": {"SecurityGroups": [SECURITY_GROUP_ID]},
        "SetIpAddressType": {"IpAddressType": "ipv4"},
        "DescribeCapacityReservation": {},
        "ModifyCapacityReservation": {"ResetCapacityReservation": True},
        "ModifyIpPools": {},
        "CreateListener": {"Port": 80, "Protocol": "HTTP", "DefaultActions": [NOT_FOUND]},
        "DescribeListeners": {},
        "DescribeTargetGroups": {},
    }.items()
} | {
    "DescribeLoadBalancers": (
        "DescribeLoadBalancers",
        {"LoadBalancerArns": [UNKNOWN_BALANCER]},
        "LoadBalancerNotFound",
    ),
    "names": ("DescribeLoadBalancers", {"Names": ["none"]}, "LoadBalancerNotFound"),
    "no-arn": ("DescribeLoadBalancers", {"LoadBalancerArns": ["web"]}, "ValidationError"),
    "no-group-arn": ("DescribeTargetGroups", {"TargetGroupArns": ["app"]}, "ValidationError"),
    "no-rule-arn": ("DescribeRules", {"RuleArns": ["1"]}, "ValidationError"),
    "no-listener-arn": ("DescribeListeners", {"ListenerArns": ["80"]}, "ValidationError"),
    "policy": ("DescribeSSLPolicies", {"Names": ["none"]}, "SSLPolicyNotFound"),
    "resource-policy": ("GetResourcePolicy", {"ResourceArn": UNKNOWN_BALANCER}, "ResourceNotFound"),
    "tags": ("DescribeTags", {"ResourceArns": [UNKNOWN_BALANCER]}, "LoadBalancerNotFound"),
}


@pytest.mark.parametrize("name", NOT_THERE)
def test_what_is_not_there_is_told_by_its_kind(elb: Elb, name: str) -> None:
    """Each operation has the NotFound of what it was asked for."""
    operation, params, code = NOT_THERE[name]
    refused = elb.refusal(operation, **params)
    assert (refused.code, refused.status) == (code, 400)


def test_capacity_is_reserved_and_given_back(elb: Elb) -> None:
    """Shown by zone with the decreases left; the third decrease of a day is refused."""
    arn = elb.load_balancer(Subnets=SUBNETS[:2])
    assert elb.call("DescribeCapacityReservation", LoadBalancerArn=arn) == {"DecreaseRequestsRemaining": 2}
    wanted = {"CapacityUnits": 500}
    answer = elb.call("ModifyCapacityReservation", LoadBalancerArn=arn, MinimumLoadBalancerCapacity=wanted)
    assert answer["MinimumLoadBalancerCapacity"] == wanted
    assert [zone["EffectiveCapacityUnits"] for zone in answer["CapacityReservationState"]] == [250.0, 250.0]
    assert elb.call("DescribeCapacityReservation", LoadBalancerArn=arn) == answer
    for units in (400, 300):
        elb.call(
            "ModifyCapacityReservation",
            LoadBalancerArn=arn,
            MinimumLoadBalancerCapacity={"CapacityUnits": units},
        )
    refused = elb.refusal("ModifyCapacityReservation", LoadBalancerArn=arn, ResetCapacityReservation=True)
    assert refused.code == "CapacityDecreaseRequestLimitExceeded"
    elb.clock.advance(86_400)
    elb.call("ModifyCapacityReservation", LoadBalancerArn=arn, ResetCapacityReservation=True)
    assert "MinimumLoadBalancerCapacity" not in elb.call("DescribeCapacityReservation", LoadBalancerArn=arn)


CAPACITY_REFUSED = {
    "nothing": ({}, "ValidationError"),
    "both": (
        {"ResetCapacityReservation": True, "MinimumLoadBalancerCapacity": {"CapacityUnits": 200}},
        "ValidationError",
    ),
    "too-few": ({"MinimumLoadBalancerCapacity": {"CapacityUnits": 1}}, "InvalidConfigurationRequest"),
    "too-many": ({"MinimumLoadBalancerCapacity": {"CapacityUnits": 10**6}}, "CapacityUnitsLimitExceeded"),
}


@pytest.mark.parametrize("name", CAPACITY_REFUSED)
def test_reservations_that_cannot_be(elb: Elb, name: str) -> None:
    """One of the two members, within the limits."""
    params, code = CAPACITY_REFUSED[name]
    refused = elb.refusal("ModifyCapacityReservation", LoadBalancerArn=elb.load_balancer(), **params)
    assert refused.code == code


def test_ip_pools_are_refused_as_there_is_no_ipam(elb: Elb) -> None:
    """A pool cannot exist here; taking away what was never there succeeds."""
    arn = elb.load_balancer()
    pool = {"Ipv4IpamPoolId": "ipam-pool-0a1b"}
    assert (
        elb.refusal("ModifyIpPools", LoadBalancerArn=arn, IpamPools=pool).code
        == "InvalidConfigurationRequest"
    )
    assert elb.call("ModifyIpPools", LoadBalancerArn=arn, RemoveIpamPools=["ipv4"]) == {"IpamPools": {}}
