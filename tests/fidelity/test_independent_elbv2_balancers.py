"""Load balancers: names, settings, attributes, pages, and tags of them and of target groups."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from fidelity.outsider import ACCOUNT, REGION, Outsider, forward, fresh, refused

NOWHERE = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer/app/nowhere/0123456789abcdef"


def balancer(aws: Outsider, **members: Any) -> dict[str, Any]:
    """Create a load balancer."""
    made: dict[str, Any] = aws.elb.create_load_balancer(
        **{"Name": fresh("lb"), "Subnets": aws.subnets, "Scheme": "internal"} | members
    )["LoadBalancers"][0]
    return made


def test_balancer_answers_every_member(aws: Outsider) -> None:
    """A new load balancer is provisioning, with a name in DNS, its zones, and AWS's defaults."""
    name = fresh("lb")
    made = aws.elb.create_load_balancer(Name=name, Subnets=aws.subnets)["LoadBalancers"][0]
    prefix = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer/app/{name}/"
    assert made["LoadBalancerArn"].startswith(prefix)
    assert len(made["LoadBalancerArn"].removeprefix(prefix)) == 16
    assert made["LoadBalancerName"] == name
    assert made["Scheme"] == "internet-facing"
    assert made["Type"] == "application"
    assert made["IpAddressType"] == "ipv4"
    assert made["State"]["Code"] in {"provisioning", "active"}
    assert made["VpcId"] == aws.vpc
    assert {zone["SubnetId"] for zone in made["AvailabilityZones"]} == set(aws.subnets)
    assert {zone["ZoneName"] for zone in made["AvailabilityZones"]} == {
        f"{REGION}{letter}" for letter in "abc"
    }
    assert made["DNSName"].startswith(f"{name}-")
    assert made["DNSName"].endswith(f".{REGION}.elb.amazonaws.com")
    assert made["CanonicalHostedZoneId"]
    assert isinstance(made["CreatedTime"], datetime)
    assert len(made["SecurityGroups"]) == 1


def test_balancer_becomes_active(aws: Outsider) -> None:
    """The waiter `load_balancer_available` of boto3 ends."""
    arn = balancer(aws)["LoadBalancerArn"]
    aws.elb.get_waiter("load_balancer_available").wait(
        LoadBalancerArns=[arn], WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    assert (
        aws.elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]["State"]["Code"]
        == "active"
    )


def test_internal_name_in_dns(aws: Outsider) -> None:
    """An internal load balancer's name says so."""
    assert balancer(aws)["DNSName"].startswith("internal-")


def test_same_balancer_again_is_idempotent(aws: Outsider) -> None:
    """The same name with the same settings answers the one that exists."""
    name = fresh("lb")
    assert balancer(aws, Name=name)["LoadBalancerArn"] == balancer(aws, Name=name)["LoadBalancerArn"]
    assert len(aws.elb.describe_load_balancers(Names=[name])["LoadBalancers"]) == 1


def test_same_name_with_other_settings(aws: Outsider) -> None:
    """The same name with other settings is taken."""
    name = fresh("lb")
    balancer(aws, Name=name)
    says = f"A load balancer with the same name '{name}' exists, but with different settings"
    with refused("DuplicateLoadBalancerName", says=says):
        balancer(aws, Name=name, Scheme="internet-facing")


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        ({"Name": "x" * 33}, ["ValidationError"]),
        ({"Name": "-lb"}, ["ValidationError"]),
        ({"Name": "lb-"}, ["ValidationError"]),
        ({"Name": "internal-lb"}, ["ValidationError"]),
        ({"Name": "l_b"}, ["ValidationError"]),
        (
            {"Subnets": ["subnet-00000000000000000"] * 1},
            ["SubnetNotFound", "ValidationError", "InvalidSubnet"],
        ),
        ({"Subnets": ["subnet-0000000a", "subnet-0000000b"]}, ["SubnetNotFound", "InvalidSubnet"]),
        ({"SecurityGroups": ["sg-00000000"]}, ["InvalidSecurityGroup"]),
        ({"Scheme": "secret"}, ["ValidationError", "InvalidScheme"]),
        ({"Type": "magic"}, ["ValidationError"]),
        ({"Tags": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}, ["DuplicateTagKeys"]),
    ],
    ids=[
        "33",
        "dash first",
        "dash last",
        "internal-",
        "underscore",
        "1",
        "2",
        "group",
        "scheme",
        "type",
        "tags",
    ],
)
def test_create_balancer_refuses(aws: Outsider, change: dict[str, Any], codes: list[str]) -> None:
    """Names, subnets, groups and tags have to be right."""
    with refused(*codes):
        balancer(aws, **change)


def test_one_subnet_is_not_enough(aws: Outsider) -> None:
    """An application load balancer wants two zones."""
    says = "At least two subnets in two different Availability Zones must be specified"
    with refused("ValidationError", "InvalidConfigurationRequest", says=says):
        balancer(aws, Subnets=aws.subnets[:1])


def test_two_subnets_of_one_zone(aws: Outsider) -> None:
    """A zone takes one subnet."""
    second = aws("ec2").create_subnet(VpcId=aws.vpc, CidrBlock="10.61.99.0/24", AvailabilityZone=f"{REGION}a")
    subnets = [aws.subnets[0], second["Subnet"]["SubnetId"]]
    with refused("InvalidConfigurationRequest", "ValidationError"):
        balancer(aws, Subnets=subnets)


@pytest.mark.parametrize("by", ["Names", "LoadBalancerArns"])
def test_one_unknown_balancer_is_refused(aws: Outsider, by: str) -> None:
    """Asking for one that exists and one that doesn't is LoadBalancerNotFound."""
    made = balancer(aws)
    values = {
        "Names": [made["LoadBalancerName"], "nobody"],
        "LoadBalancerArns": [made["LoadBalancerArn"], NOWHERE],
    }[by]
    with refused("LoadBalancerNotFound", says="not found" if by == "LoadBalancerArns" else ""):
        aws.elb.describe_load_balancers(**{by: values})


def test_balancers_page(aws: Outsider) -> None:
    """PageSize and Marker walk through all."""
    made = {balancer(aws)["LoadBalancerArn"] for _ in range(3)}
    first = aws.elb.describe_load_balancers(PageSize=1)
    assert len(first["LoadBalancers"]) == 1
    assert first["NextMarker"]
    pages = aws.elb.get_paginator("describe_load_balancers").paginate(PaginationConfig={"PageSize": 2})
    arns = [each["LoadBalancerArn"] for page in pages for each in page["LoadBalancers"]]
    assert made <= set(arns)
    assert len(arns) == len(set(arns))


def test_balancer_attributes_have_defaults(aws: Outsider) -> None:
    """Attributes of a new application load balancer are AWS's."""
    arn = balancer(aws)["LoadBalancerArn"]
    found = {
        each["Key"]: each["Value"]
        for each in aws.elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
    }
    wanted = {
        "access_logs.s3.enabled": "false",
        "deletion_protection.enabled": "false",
        "idle_timeout.timeout_seconds": "60",
        "routing.http2.enabled": "true",
        "routing.http.drop_invalid_header_fields.enabled": "false",
        "routing.http.desync_mitigation_mode": "defensive",
        "routing.http.preserve_host_header.enabled": "false",
        "routing.http.xff_header_processing.mode": "append",
        "load_balancing.cross_zone.enabled": "true",
        "client_keep_alive.seconds": "3600",
        "waf.fail_open.enabled": "false",
    }
    assert {key: found.get(key) for key in wanted} == wanted


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("idle_timeout.timeout_seconds", "0"),
        ("idle_timeout.timeout_seconds", "4001"),
        ("idle_timeout.timeout_seconds", "long"),
        ("routing.http2.enabled", "maybe"),
        ("no.such.attribute", "1"),
    ],
)
def test_balancer_attribute_refused(aws: Outsider, key: str, value: str) -> None:
    """Unknown keys and values out of range are refused."""
    arn = aws.balancer["LoadBalancerArn"]
    with refused("ValidationError", "InvalidConfigurationRequest"):
        aws.elb.modify_load_balancer_attributes(
            LoadBalancerArn=arn, Attributes=[{"Key": key, "Value": value}]
        )


def test_deletion_protection(aws: Outsider) -> None:
    """A protected load balancer can't be deleted until it isn't protected."""
    arn = balancer(aws)["LoadBalancerArn"]
    protect = aws.elb.modify_load_balancer_attributes
    protect(LoadBalancerArn=arn, Attributes=[{"Key": "deletion_protection.enabled", "Value": "true"}])
    with refused("OperationNotPermitted", says="deletion protection"):
        aws.elb.delete_load_balancer(LoadBalancerArn=arn)
    protect(LoadBalancerArn=arn, Attributes=[{"Key": "deletion_protection.enabled", "Value": "false"}])
    aws.elb.delete_load_balancer(LoadBalancerArn=arn)


def test_delete_balancer_takes_its_listeners(aws: Outsider) -> None:
    """Its listeners and rules go with it; its groups have none any more; deleting again succeeds."""
    arn, group = balancer(aws)["LoadBalancerArn"], aws.group()
    listener = aws.elb.create_listener(
        LoadBalancerArn=arn, Protocol="HTTP", Port=8200, DefaultActions=[forward(group)]
    )["Listeners"][0]["ListenerArn"]
    assert aws.elb.describe_target_groups(TargetGroupArns=[group])["TargetGroups"][0]["LoadBalancerArns"] == [
        arn
    ]
    aws.elb.delete_load_balancer(LoadBalancerArn=arn)
    aws.elb.delete_load_balancer(LoadBalancerArn=arn)
    with refused("LoadBalancerNotFound", says="not found"):
        aws.elb.describe_load_balancers(LoadBalancerArns=[arn])
    with refused("ListenerNotFound", says="One or more listeners not found"):
        aws.elb.describe_listeners(ListenerArns=[listener])
    assert (
        aws.elb.describe_target_groups(TargetGroupArns=[group])["TargetGroups"][0]["LoadBalancerArns"] == []
    )


def test_set_security_groups_and_subnets(aws: Outsider) -> None:
    """Groups and subnets can be exchanged."""
    arn = balancer(aws)["LoadBalancerArn"]
    answer = aws.elb.set_security_groups(LoadBalancerArn=arn, SecurityGroups=[aws.security_group])
    assert answer["SecurityGroupIds"] == [aws.security_group]
    zones = aws.elb.set_subnets(LoadBalancerArn=arn, Subnets=aws.subnets[:2])["AvailabilityZones"]
    assert {zone["SubnetId"] for zone in zones} == set(aws.subnets[:2])


def tags(aws: Outsider, arn: str) -> dict[str, str]:
    """Answer a resource's tags."""
    (found,) = aws.elb.describe_tags(ResourceArns=[arn])["TagDescriptions"]
    assert found["ResourceArn"] == arn
    return {tag["Key"]: tag["Value"] for tag in found["Tags"]}


def test_tags_are_added_up_to_fifty(aws: Outsider) -> None:
    """An eleventh tag is no matter; the fifty-first is refused."""
    group = aws.group(Tags=[{"Key": f"a{n}", "Value": "v"} for n in range(10)])
    aws.elb.add_tags(ResourceArns=[group], Tags=[{"Key": f"b{n}", "Value": "v"} for n in range(40)])
    assert len(tags(aws, group)) == 50
    with refused("TooManyTags"):
        aws.elb.add_tags(ResourceArns=[group], Tags=[{"Key": "c", "Value": "v"}])


def test_tags_are_replaced_and_removed(aws: Outsider) -> None:
    """A key that is there gets the new value; removing an absent key succeeds."""
    group = aws.group(Tags=[{"Key": "a", "Value": "1"}])
    aws.elb.add_tags(ResourceArns=[group], Tags=[{"Key": "a", "Value": "2"}, {"Key": "b", "Value": "3"}])
    aws.elb.remove_tags(ResourceArns=[group], TagKeys=["b", "zzz"])
    assert tags(aws, group) == {"a": "2"}


def test_tags_of_an_unknown_resource(aws: Outsider) -> None:
    """A load balancer that isn't there has no tags to tell."""
    with refused("LoadBalancerNotFound"):
        aws.elb.describe_tags(ResourceArns=[NOWHERE])
