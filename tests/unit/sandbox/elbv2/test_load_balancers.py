"""CreateLoadBalancer and its neighbours: request and answer, or refusal."""

from __future__ import annotations

from typing import Any

import pytest
from elb_world import Elb

from sluice_sandbox.aws.elbv2.desk import Elbv2Settings, Quotas
from sluice_sandbox.aws.estate import SECURITY_GROUP_ID, SUBNET_IDS, VPC_ID
from sluice_sandbox.aws.service import Caller

UNKNOWN = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/none/0123456789abcdef"


def test_a_new_load_balancer_has_the_defaults_of_aws(elb: Elb) -> None:
    """Scheme, type, address type, VPC, zones and DNS name are filled in."""
    made = elb.call("CreateLoadBalancer", Name="web", Subnets=list(SUBNET_IDS))["LoadBalancers"][0]
    assert (made["Scheme"], made["Type"], made["IpAddressType"]) == ("internet-facing", "application", "ipv4")
    assert made["VpcId"] == VPC_ID
    assert [zone["ZoneName"] for zone in made["AvailabilityZones"]] == [
        "eu-west-1a",
        "eu-west-1b",
        "eu-west-1c",
    ]
    assert made["DNSName"].startswith("web-")
    assert made["DNSName"].endswith(".eu-west-1.elb.amazonaws.com")
    assert ":loadbalancer/app/web/" in made["LoadBalancerArn"]


def test_it_is_provisioning_before_it_is_active(elb: Elb) -> None:
    """The state moves with time, not with calls."""
    arn = elb.load_balancer()
    states = []
    for seconds in (0, 1.9, 0.2):
        elb.clock.advance(seconds)
        described = elb.call("DescribeLoadBalancers", LoadBalancerArns=[arn])["LoadBalancers"][0]
        states.append(described["State"]["Code"])
    assert states == ["provisioning", "provisioning", "active"]


def test_the_same_create_again_returns_the_same_load_balancer(elb: Elb) -> None:
    """CreateLoadBalancer is idempotent, whatever the order of the subnets."""
    first = elb.load_balancer()
    assert elb.load_balancer(Subnets=list(reversed(SUBNET_IDS))) == first
    assert len(elb.call("DescribeLoadBalancers")["LoadBalancers"]) == 1


@pytest.mark.parametrize(
    ("params", "code", "text"),
    [
        pytest.param({"Name": "n" * 33}, "ValidationError", "longer than '32'", id="long-name"),
        pytest.param({"Name": "a_b"}, "ValidationError", "alphanumeric", id="underscore"),
        pytest.param({"Name": "-a"}, "ValidationError", "begin or end", id="leading-hyphen"),
        pytest.param({"Name": "internal-a"}, "ValidationError", "internal-", id="reserved-prefix"),
        pytest.param({"Subnets": []}, "ValidationError", "subnet", id="no-subnet"),
        pytest.param({"Subnets": [SUBNET_IDS[0]]}, "ValidationError", "two subnets", id="one-subnet"),
        pytest.param(
            {"Subnets": [SUBNET_IDS[0], "subnet-0"]}, "SubnetNotFound", "subnet-0", id="unknown-subnet"
        ),
        pytest.param({"SecurityGroups": ["sg-0"]}, "InvalidSecurityGroup", "sg-0", id="unknown-group"),
        pytest.param({"Type": "gateway"}, "OperationNotPermitted", "not modelled", id="gateway"),
        pytest.param({"Name": "web"}, "DuplicateLoadBalancerName", "different settings", id="other-settings"),
        pytest.param(
            {"Tags": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]},
            "DuplicateTagKeys",
            "a",
            id="tags",
        ),
    ],
)
def test_create_refuses(elb: Elb, params: dict[str, Any], code: str, text: str) -> None:
    """Each rule of CreateLoadBalancer has its code and says what is wrong."""
    elb.load_balancer("web", Scheme="internal")
    refusal = elb.refusal("CreateLoadBalancer", **({"Name": "new", "Subnets": list(SUBNET_IDS[:2])} | params))
    assert refusal.code == code
    assert text in refusal.message


def test_describe_names_what_it_does_not_find(elb: Elb) -> None:
    """Unknown names and ARNs are LoadBalancerNotFound, also beside known ones."""
    elb.load_balancer("web")
    assert elb.refusal("DescribeLoadBalancers", Names=["web", "none"]).code == "LoadBalancerNotFound"
    assert elb.refusal("DescribeLoadBalancers", LoadBalancerArns=[UNKNOWN]).code == "LoadBalancerNotFound"


def test_pages_cover_everything_once(elb: Elb) -> None:
    """PageSize and Marker walk through all load balancers without repeats."""
    names = [f"lb-{index}" for index in range(5)]
    for name in names:
        elb.load_balancer(name)
    seen: list[str] = []
    marker: dict[str, str] = {}
    while True:
        answer = elb.call("DescribeLoadBalancers", PageSize=2, **marker)
        seen += [item["LoadBalancerName"] for item in answer["LoadBalancers"]]
        if "NextMarker" not in answer:
            break
        marker = {"Marker": answer["NextMarker"]}
    assert seen == names
    assert elb.refusal("DescribeLoadBalancers", Marker="nonsense").code == "ValidationError"


def test_delete_takes_listeners_and_frees_target_groups(elb: Elb) -> None:
    """After DeleteLoadBalancer its listeners are unknown and its groups can be deleted."""
    group = elb.group()
    listener = elb.serve(group)
    arn = elb.call("DescribeLoadBalancers")["LoadBalancers"][0]["LoadBalancerArn"]
    assert elb.refusal("DeleteTargetGroup", TargetGroupArn=group).code == "ResourceInUse"
    elb.call("DeleteLoadBalancer", LoadBalancerArn=arn)
    assert elb.refusal("DescribeListeners", ListenerArns=[listener]).code == "ListenerNotFound"
    described = elb.call("DescribeTargetGroups", TargetGroupArns=[group])["TargetGroups"][0]
    assert described["LoadBalancerArns"] == []
    elb.call("DeleteTargetGroup", TargetGroupArn=group)
    elb.call("DeleteLoadBalancer", LoadBalancerArn=arn)


def test_deletion_protection_protects(elb: Elb) -> None:
    """A protected load balancer is OperationNotPermitted to delete until the attribute is off."""
    arn = elb.load_balancer()
    key = "deletion_protection.enabled"
    elb.call("ModifyLoadBalancerAttributes", LoadBalancerArn=arn, Attributes=[{"Key": key, "Value": "true"}])
    assert elb.refusal("DeleteLoadBalancer", LoadBalancerArn=arn).code == "OperationNotPermitted"
    elb.call("ModifyLoadBalancerAttributes", LoadBalancerArn=arn, Attributes=[{"Key": key, "Value": "false"}])
    elb.call("DeleteLoadBalancer", LoadBalancerArn=arn)


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        pytest.param("idle_timeout.timeout_seconds", "4001", "ValidationError", id="range"),
        pytest.param("routing.http2.enabled", "yes", "ValidationError", id="boolean"),
        pytest.param("no.such.key", "true", "InvalidConfigurationRequest", id="unknown-key"),
    ],
)
def test_attributes_are_checked_and_nothing_is_half_done(elb: Elb, key: str, value: str, code: str) -> None:
    """One bad attribute refuses the whole call."""
    arn = elb.load_balancer()
    before = elb.call("DescribeLoadBalancerAttributes", LoadBalancerArn=arn)
    good = {"Key": "idle_timeout.timeout_seconds", "Value": "30"}
    refusal = elb.refusal(
        "ModifyLoadBalancerAttributes", LoadBalancerArn=arn, Attributes=[good, {"Key": key, "Value": value}]
    )
    assert refusal.code == code
    assert elb.call("DescribeLoadBalancerAttributes", LoadBalancerArn=arn) == before


def test_accounts_and_regions_do_not_see_each_other(elb: Elb) -> None:
    """A name is unique within one account and region only."""
    elb.load_balancer("web")
    elb.caller = Caller(account="444455556666")
    assert elb.call("DescribeLoadBalancers")["LoadBalancers"] == []
    elb.load_balancer("web")
    elb.caller = Caller(region="eu-central-1")
    assert elb.call("DescribeLoadBalancers")["LoadBalancers"] == []


def test_quotas_are_kept() -> None:
    """The load balancer beyond the quota is TooManyLoadBalancers."""
    elb = Elb(Elbv2Settings(quotas=Quotas(application_load_balancers=1)))
    elb.load_balancer("one")
    refusal = elb.refusal("CreateLoadBalancer", Name="two", Subnets=list(SUBNET_IDS))
    assert refusal.code == "TooManyLoadBalancers"
    limits = elb.call("DescribeAccountLimits")["Limits"]
    assert {"Name": "application-load-balancers", "Max": "1"} in limits


def test_subnets_and_security_groups_can_be_replaced(elb: Elb) -> None:
    """SetSubnets, SetSecurityGroups and SetIpAddressType change what Describe tells."""
    arn = elb.load_balancer()
    elb.call("SetSubnets", LoadBalancerArn=arn, Subnets=list(SUBNET_IDS[:2]))
    elb.call("SetSecurityGroups", LoadBalancerArn=arn, SecurityGroups=[SECURITY_GROUP_ID])
    elb.call("SetIpAddressType", LoadBalancerArn=arn, IpAddressType="dualstack")
    described = elb.call("DescribeLoadBalancers", Names=["web"])["LoadBalancers"][0]
    assert [zone["SubnetId"] for zone in described["AvailabilityZones"]] == list(SUBNET_IDS[:2])
    assert described["IpAddressType"] == "dualstack"
