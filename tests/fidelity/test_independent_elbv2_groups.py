"""Target groups and their targets: settings, health checks, attributes, who uses them, health."""

from __future__ import annotations

from typing import Any

import pytest

from fidelity.outsider import ACCOUNT, REGION, Outsider, forward, fresh, refused, until


def told(aws: Outsider, group: str) -> dict[str, Any]:
    """Describe a target group."""
    found: dict[str, Any] = aws.elb.describe_target_groups(TargetGroupArns=[group])["TargetGroups"][0]
    return found


def test_group_answers_every_member(aws: Outsider) -> None:
    """A new group has AWS's health check and no load balancer."""
    name = fresh("tg")
    made = aws.elb.create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=aws.vpc, TargetType="ip")[
        "TargetGroups"
    ][0]
    prefix = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup/{name}/"
    assert made["TargetGroupArn"].startswith(prefix)
    assert len(made["TargetGroupArn"].removeprefix(prefix)) == 16
    wanted = {
        "TargetGroupName": name,
        "Protocol": "HTTP",
        "Port": 80,
        "VpcId": aws.vpc,
        "HealthCheckProtocol": "HTTP",
        "HealthCheckPort": "traffic-port",
        "HealthCheckEnabled": True,
        "HealthCheckIntervalSeconds": 30,
        "HealthCheckTimeoutSeconds": 5,
        "HealthyThresholdCount": 5,
        "UnhealthyThresholdCount": 2,
        "HealthCheckPath": "/",
        "Matcher": {"HttpCode": "200"},
        "LoadBalancerArns": [],
        "TargetType": "ip",
        "ProtocolVersion": "HTTP1",
        "IpAddressType": "ipv4",
    }
    assert {key: made.get(key) for key in wanted} == wanted


def test_group_defaults_to_instances(aws: Outsider) -> None:
    """Without a target type it is instance."""
    assert told(aws, aws.group(TargetType=None))["TargetType"] == "instance"


@pytest.mark.parametrize(("version", "code"), [("HTTP2", {"HttpCode": "200"}), ("GRPC", {"GrpcCode": "12"})])
def test_group_keeps_its_protocol_version(aws: Outsider, version: str, code: dict[str, str]) -> None:
    """HTTP/2 and gRPC are kept with their matcher's default."""
    found = told(aws, aws.group(ProtocolVersion=version))
    assert found["ProtocolVersion"] == version
    assert found["Matcher"] == code


def test_group_keeps_its_matcher(aws: Outsider) -> None:
    """Status codes of the health check are kept as they were written."""
    found = told(
        aws, aws.group(Matcher={"HttpCode": "200-299,301"}, HealthCheckPath="/ready", HealthCheckPort="81")
    )
    assert found["Matcher"] == {"HttpCode": "200-299,301"}
    assert (found["HealthCheckPath"], found["HealthCheckPort"]) == ("/ready", "81")


def test_same_group_again_is_idempotent(aws: Outsider) -> None:
    """The same name with the same settings answers the one that exists."""
    name = fresh("tg")
    assert aws.group(Name=name) == aws.group(Name=name)


def test_same_group_name_with_other_settings(aws: Outsider) -> None:
    """The same name with other settings is taken."""
    name = fresh("tg")
    aws.group(Name=name)
    says = f"A target group with the same name '{name}' exists, but with different settings"
    with refused("DuplicateTargetGroupName", says=says):
        aws.group(Name=name, Port=81)


@pytest.mark.parametrize(
    "change",
    [
        {"Port": 70000},
        {"Port": None},
        {"Protocol": None},
        {"Protocol": "FTP"},
        {"VpcId": None},
        {"VpcId": "vpc-00000000"},
        {"Name": "x" * 33},
        {"Name": "-tg"},
        {"Name": "t_g"},
        {"TargetType": "robot"},
        {"HealthCheckIntervalSeconds": 301},
        {"HealthCheckTimeoutSeconds": 121},
        {"HealthCheckTimeoutSeconds": 5, "HealthCheckIntervalSeconds": 5},
        {"UnhealthyThresholdCount": 11},
        {"HealthCheckPath": "ready"},
        {"HealthCheckPort": "70000"},
        {"Matcher": {"HttpCode": "600"}},
        {"ProtocolVersion": "HTTP9"},
    ],
    ids=str,
)
def test_create_group_refuses(aws: Outsider, change: dict[str, Any]) -> None:
    """Ports, names, types and health checks have ranges."""
    with refused("ValidationError", "InvalidConfigurationRequest"):
        aws.group(**change)


def test_modify_group_changes_the_health_check(aws: Outsider) -> None:
    """The health check can be changed; what isn't named stays."""
    group = aws.group()
    made = aws.elb.modify_target_group(
        TargetGroupArn=group, HealthCheckPath="/live", Matcher={"HttpCode": "204"}
    )
    assert made["TargetGroups"][0]["HealthCheckPath"] == "/live"
    found = told(aws, group)
    assert found["Matcher"] == {"HttpCode": "204"}
    assert found["HealthCheckIntervalSeconds"] == 5


def test_group_attributes_have_defaults(aws: Outsider) -> None:
    """Attributes of a new group are AWS's."""
    found = attributes(aws, aws.group())
    wanted = {
        "deregistration_delay.timeout_seconds": "300",
        "stickiness.enabled": "false",
        "stickiness.type": "lb_cookie",
        "stickiness.lb_cookie.duration_seconds": "86400",
        "slow_start.duration_seconds": "0",
        "load_balancing.algorithm.type": "round_robin",
        "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
        "target_group_health.dns_failover.minimum_healthy_targets.count": "1",
        "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "1",
    }
    assert {key: found.get(key) for key in wanted} == wanted


def attributes(aws: Outsider, group: str) -> dict[str, str]:
    """Answer a group's attributes."""
    found = aws.elb.describe_target_group_attributes(TargetGroupArn=group)["Attributes"]
    return {each["Key"]: each["Value"] for each in found}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("deregistration_delay.timeout_seconds", "3601"),
        ("deregistration_delay.timeout_seconds", "-1"),
        ("slow_start.duration_seconds", "29"),
        ("slow_start.duration_seconds", "901"),
        ("stickiness.lb_cookie.duration_seconds", "604801"),
        ("stickiness.lb_cookie.duration_seconds", "0"),
        ("stickiness.type", "biscuit"),
        ("load_balancing.algorithm.type", "psychic"),
        ("no.such.attribute", "1"),
    ],
)
def test_group_attribute_refused(aws: Outsider, key: str, value: str) -> None:
    """Unknown keys and values out of range are refused, and nothing changes."""
    group = aws.group()
    before = attributes(aws, group)
    with refused("ValidationError", "InvalidConfigurationRequest"):
        aws.elb.modify_target_group_attributes(
            TargetGroupArn=group, Attributes=[{"Key": key, "Value": value}]
        )
    assert attributes(aws, group) == before


def test_group_attributes_change(aws: Outsider) -> None:
    """Attributes are answered as changed."""
    group = aws.group()
    aws.elb.modify_target_group_attributes(
        TargetGroupArn=group,
        Attributes=[
            {"Key": "deregistration_delay.timeout_seconds", "Value": "0"},
            {"Key": "slow_start.duration_seconds", "Value": "30"},
        ],
    )
    found = attributes(aws, group)
    assert found["deregistration_delay.timeout_seconds"] == "0"
    assert found["slow_start.duration_seconds"] == "30"


def test_groups_page_and_filter(aws: Outsider) -> None:
    """Groups are found by name, by load balancer, and page by page."""
    made = {aws.group() for _ in range(3)}
    first = aws.elb.describe_target_groups(PageSize=1)
    assert len(first["TargetGroups"]) == 1
    assert first["NextMarker"]
    pages = aws.elb.get_paginator("describe_target_groups").paginate(PaginationConfig={"PageSize": 2})
    arns = [each["TargetGroupArn"] for page in pages for each in page["TargetGroups"]]
    assert made <= set(arns)
    assert len(arns) == len(set(arns))
    used = aws.attached()
    of_balancer = aws.elb.describe_target_groups(
        LoadBalancerArn=aws.balancer["LoadBalancerArn"], PageSize=400
    )
    found = {each["TargetGroupArn"] for each in of_balancer["TargetGroups"]}
    assert used in found
    assert not made & found


def test_unknown_group(aws: Outsider) -> None:
    """A group that isn't there is TargetGroupNotFound."""
    arn = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup/none/0123456789abcdef"
    with refused("TargetGroupNotFound", says="One or more target groups not found"):
        aws.elb.describe_target_groups(TargetGroupArns=[arn])
    with refused("TargetGroupNotFound"):
        aws.elb.describe_target_groups(Names=["nobody"])


def test_group_in_use_stays(aws: Outsider) -> None:
    """A group that a rule forwards to can't be deleted; once the rule has gone it can."""
    group = aws.group()
    rule = aws.rule(group, priority=4001)
    says = f"Target group '{group}' is currently in use by a listener or a rule"
    with refused("ResourceInUse", says=says):
        aws.elb.delete_target_group(TargetGroupArn=group)
    aws.elb.delete_rule(RuleArn=rule)
    aws.elb.delete_target_group(TargetGroupArn=group)
    with refused("TargetGroupNotFound"):
        told(aws, group)


def test_group_knows_its_balancer_by_rules(aws: Outsider) -> None:
    """A rule's forward, its change, and its end set and clear the group's load balancer."""
    first, second = aws.group(), aws.group()
    rule = aws.rule(first, priority=4002)
    arn = aws.balancer["LoadBalancerArn"]
    assert told(aws, first)["LoadBalancerArns"] == [arn]
    aws.elb.modify_rule(RuleArn=rule, Actions=[forward(second)])
    assert told(aws, first)["LoadBalancerArns"] == []
    assert told(aws, second)["LoadBalancerArns"] == [arn]
    aws.elb.delete_rule(RuleArn=rule)
    assert told(aws, second)["LoadBalancerArns"] == []


def targets(aws: Outsider, group: str) -> dict[tuple[str, int], dict[str, str]]:
    """Answer the health of a group's targets by id and port."""
    found = aws.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    return {(each["Target"]["Id"], each["Target"]["Port"]): each["TargetHealth"] for each in found}


def test_targets_are_known_by_id_and_port(aws: Outsider) -> None:
    """One address on two ports is two targets; the group's port is the default; again changes nothing."""
    group = aws.attached()
    for _ in range(2):
        aws.elb.register_targets(
            TargetGroupArn=group, Targets=[{"Id": "10.61.1.200"}, {"Id": "10.61.1.200", "Port": 81}]
        )
    assert set(targets(aws, group)) == {("10.61.1.200", 80), ("10.61.1.200", 81)}
    aws.elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": "10.61.1.200", "Port": 81}])
    assert targets(aws, group).get(("10.61.1.200", 81), {"State": "draining"})["State"] == "draining"


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "10.99.0.1", "not-an-address", "i-0123456789abcdef0", "10.61.1.999"]
)
def test_target_out_of_place(aws: Outsider, address: str) -> None:
    """An address is one of the VPC, or private from beyond with all zones; others are refused."""
    group = aws.group()
    with refused("ValidationError", "InvalidTarget"):
        aws.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": address}])


def test_unattached_target_is_unused(aws: Outsider) -> None:
    """A target whose group has no load balancer is unused, with the reason."""
    group = aws.group()
    aws.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": "10.61.1.201"}])
    (health,) = targets(aws, group).values()
    assert health["State"] == "unused"
    assert health["Reason"] == "Target.NotInUse"
    assert health["Description"] == "Target group is not configured to receive traffic from the load balancer"


def test_dead_target_is_initial_then_unhealthy(aws: Outsider) -> None:
    """A target that nobody answers for is initial while it is registered, then unhealthy with a reason."""
    group = aws.attached()
    aws.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": "10.61.1.202"}])
    health = targets(aws, group)["10.61.1.202", 80]
    assert health["State"] == "initial"
    assert health["Reason"] in {"Elb.RegistrationInProgress", "Elb.InitialHealthChecking"}
    assert health["Description"]
    done = until(
        lambda: targets(aws, group)["10.61.1.202", 80],
        lambda health: health["State"] == "unhealthy",
        within=40,
    )
    assert done["Reason"] in {"Target.Timeout", "Target.FailedHealthChecks"}
    assert done["Description"]


def test_deregistered_target_drains(aws: Outsider) -> None:
    """A target in use drains for the delay; deregistering what isn't there succeeds."""
    group = aws.attached()
    aws.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": "10.61.1.203"}])
    aws.elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": "10.61.1.203"}])
    health = targets(aws, group)["10.61.1.203", 80]
    assert health["State"] == "draining"
    assert health["Reason"] == "Target.DeregistrationInProgress"
    assert health["Description"] == "Target deregistration is in progress"
    aws.elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": "10.61.1.204"}])


def test_health_of_an_unknown_target(aws: Outsider) -> None:
    """Asked for by name, a target that isn't registered is unused."""
    group = aws.attached()
    found = aws.elb.describe_target_health(TargetGroupArn=group, Targets=[{"Id": "10.61.1.205", "Port": 80}])
    (health,) = found["TargetHealthDescriptions"]
    assert health["TargetHealth"]["State"] == "unused"
    assert health["TargetHealth"]["Reason"] == "Target.NotRegistered"
