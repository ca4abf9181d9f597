"""What the API reference says of target groups, targets and pages: refusals and what is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from elb_world import Elb

from sluice_sandbox.aws.elbv2.desk import Elbv2Settings, Quotas
from sluice_sandbox.aws.estate import VPC_ID

UNKNOWN_BALANCER = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/none/0123456789abcde"

GROUPS_REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "alb-over-http": ({"TargetType": "alb"}, "ValidationError"),
    "alb-checked-by-tcp": (
        {"TargetType": "alb", "Protocol": "TCP", "HealthCheckProtocol": "TCP"},
        "InvalidConfigurationRequest",
    ),
    "lambda-check-port": (
        {"TargetType": "lambda", "Protocol": None, "Port": None, "VpcId": None, "HealthCheckPort": "80"},
        "ValidationError",
    ),
    "lambda-port": ({"TargetType": "lambda", "Protocol": None, "VpcId": None}, "ValidationError"),
    "geneve": ({"Protocol": "GENEVE", "Port": 6081}, "OperationNotPermitted"),
    "both-matchers": (
        {"ProtocolVersion": "GRPC", "Matcher": {"HttpCode": "200", "GrpcCode": "0"}},
        "ValidationError",
    ),
    "http-codes-for-grpc": ({"ProtocolVersion": "GRPC", "Matcher": {"HttpCode": "200"}}, "ValidationError"),
    "grpc-codes-for-http": ({"Matcher": {"GrpcCode": "0"}}, "ValidationError"),
    "code-500-for-http": ({"Matcher": {"HttpCode": "500"}}, "ValidationError"),
    "path-for-tcp": ({"Protocol": "TCP", "HealthCheckPath": "/"}, "ValidationError"),
    "tcp-check-for-http": ({"HealthCheckProtocol": "TCP"}, "InvalidConfigurationRequest"),
    "udp-check": ({"Protocol": "UDP", "HealthCheckProtocol": "UDP"}, "ValidationError"),
    "no-slash": ({"HealthCheckPath": "health"}, "ValidationError"),
    "timeout": ({"HealthCheckTimeoutSeconds": 30}, "ValidationError"),
    "check-port": ({"HealthCheckPort": "70000"}, "ValidationError"),
    "checks-off": ({"HealthCheckEnabled": False}, "ValidationError"),
    "version-for-tcp": ({"Protocol": "TCP", "ProtocolVersion": "HTTP2"}, "ValidationError"),
    "no-vpc": ({"VpcId": None}, "ValidationError"),
    "unknown-vpc": ({"VpcId": "vpc-0"}, "ValidationError"),
}


@pytest.mark.parametrize("name", GROUPS_REFUSED)
def test_target_groups_that_cannot_be(elb: Elb, name: str) -> None:
    """CreateTargetGroup refuses what contradicts itself and creates nothing."""
    params, code = GROUPS_REFUSED[name]
    wanted = {"Name": "app", "Protocol": "HTTP", "Port": 80, "VpcId": VPC_ID, "TargetType": "ip"} | params
    refused = elb.refusal(
        "CreateTargetGroup", **{key: item for key, item in wanted.items() if item is not None}
    )
    assert refused.code == code
    assert elb.call("DescribeTargetGroups")["TargetGroups"] == []


def test_a_health_check_changes_its_protocol_with_what_belongs_to_it(elb: Elb) -> None:
    """TCP checks have no path; HTTP checks of a TCP group begin with / and 200-399."""
    arn = elb.group(Protocol="TCP")
    [web] = elb.call("ModifyTargetGroup", TargetGroupArn=arn, HealthCheckProtocol="HTTP")["TargetGroups"]
    assert (web["HealthCheckPath"], web["Matcher"]) == ("/", {"HttpCode": "200-399"})
    [tcp] = elb.call("ModifyTargetGroup", TargetGroupArn=arn, HealthCheckProtocol="TCP")["TargetGroups"]
    assert not {"HealthCheckPath", "Matcher"} & set(tcp)
    refused = elb.refusal("ModifyTargetGroup", TargetGroupArn=arn, HealthCheckPath="/up")
    assert refused.code == "ValidationError"


def test_each_kind_of_target_group_has_attributes_of_its_own(elb: Elb) -> None:
    """HTTP, TCP, UDP and Lambda groups show theirs, with the defaults of the reference."""
    web = elb.attributes("TargetGroup", TargetGroupArn=elb.group("web"))
    tcp = elb.attributes("TargetGroup", TargetGroupArn=elb.group("tcp", Protocol="TCP"))
    udp = elb.attributes(
        "TargetGroup", TargetGroupArn=elb.group("udp", Protocol="UDP", TargetType="instance")
    )
    made = elb.call("CreateTargetGroup", Name="fn", TargetType="lambda")["TargetGroups"][0]["TargetGroupArn"]
    function = elb.attributes("TargetGroup", TargetGroupArn=made)
    assert web["load_balancing.algorithm.type"] == "round_robin"
    assert "proxy_protocol_v2.enabled" not in web
    assert tcp["stickiness.type"] == "source_ip"
    assert (tcp["preserve_client_ip.enabled"], udp["preserve_client_ip.enabled"]) == ("false", "true")
    assert tcp["deregistration_delay.connection_termination.enabled"] == "false"
    assert udp["deregistration_delay.connection_termination.enabled"] == "true"
    assert function["lambda.multi_value_headers.enabled"] == "false"
    assert "deregistration_delay.timeout_seconds" not in function


GROUP_ATTRIBUTES: dict[str, tuple[dict[str, Any], dict[str, str], str]] = {
    "delay": ({}, {"deregistration_delay.timeout_seconds": "3601"}, "ValidationError"),
    "slow-start": ({}, {"slow_start.duration_seconds": "29"}, "ValidationError"),
    "algorithm": ({}, {"load_balancing.algorithm.type": "random"}, "ValidationError"),
    "unknown": ({}, {"nonsense": "1"}, "InvalidConfigurationRequest"),
    "network-only": ({}, {"proxy_protocol_v2.enabled": "true"}, "InvalidConfigurationRequest"),
    "web-only": (
        {"Protocol": "TCP"},
        {"load_balancing.algorithm.type": "round_robin"},
        "InvalidConfigurationRequest",
    ),
    "anomalies": (
        {},
        {"load_balancing.algorithm.anomaly_mitigation": "on"},
        "InvalidConfigurationRequest",
    ),
    "slow-start-with-random": (
        {},
        {"slow_start.duration_seconds": "30", "load_balancing.algorithm.type": "weighted_random"},
        "InvalidConfigurationRequest",
    ),
    "app-cookie-without-name": (
        {},
        {"stickiness.enabled": "true", "stickiness.type": "app_cookie"},
        "InvalidConfigurationRequest",
    ),
    "reserved-cookie": ({}, {"stickiness.app_cookie.cookie_name": "AWSALBX"}, "ValidationError"),
    "client-ip-of-udp": (
        {"Protocol": "UDP", "TargetType": "instance"},
        {"preserve_client_ip.enabled": "false"},
        "ValidationError",
    ),
    "draining-interval": (
        {"Protocol": "TCP"},
        {"target_health_state.unhealthy.draining_interval_seconds": "10"},
        "InvalidConfigurationRequest",
    ),
    "health-share": (
        {},
        {"target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "101"},
        "ValidationError",
    ),
}


@pytest.mark.parametrize("name", GROUP_ATTRIBUTES)
def test_attributes_of_target_groups_out_of_range(elb: Elb, name: str) -> None:
    """Unknown keys, values out of range and contradictions change nothing."""
    params, attributes, code = GROUP_ATTRIBUTES[name]
    arn = elb.group(**params)
    before = elb.attributes("TargetGroup", TargetGroupArn=arn)
    wanted = [{"Key": key, "Value": value} for key, value in attributes.items()]
    assert elb.refusal("ModifyTargetGroupAttributes", TargetGroupArn=arn, Attributes=wanted).code == code
    assert elb.attributes("TargetGroup", TargetGroupArn=arn) == before


BALANCER_TARGET = {"TargetType": "alb", "Protocol": "TCP"}
TARGETS_REFUSED: dict[str, tuple[dict[str, Any], list[dict[str, Any]], str]] = {
    "none": ({}, [], "ValidationError"),
    "public": ({}, [{"Id": "8.8.8.8"}], "InvalidTarget"),
    "public-all": ({}, [{"Id": "8.8.8.8", "AvailabilityZone": "all"}], "InvalidTarget"),
    "outside-the-vpc": ({}, [{"Id": "10.99.0.1"}], "InvalidTarget"),
    "name": ({}, [{"Id": "i-0a1b2c3d"}], "ValidationError"),
    "ipv6-in-ipv4": ({}, [{"Id": "fd00::1"}], "ValidationError"),
    "address-for-instance": ({"TargetType": "instance"}, [{"Id": "10.42.0.1"}], "ValidationError"),
    "zone-for-instance": (
        {"TargetType": "instance"},
        [{"Id": "i-0a1b2c3d", "AvailabilityZone": "eu-west-1a"}],
        "ValidationError",
    ),
    "unknown-balancer": (BALANCER_TARGET, [{"Id": UNKNOWN_BALANCER}], "InvalidTarget"),
    "server-id-for-http": (
        {},
        [{"Id": "10.42.0.1", "QuicServerId": "0x0123456789abcdef"}],
        "ValidationError",
    ),
    "quic-without-server-id": ({"Protocol": "QUIC"}, [{"Id": "10.42.0.1"}], "ValidationError"),
    "bad-server-id": (
        {"Protocol": "QUIC"},
        [{"Id": "10.42.0.1", "QuicServerId": "0xABCDEF0123456789"}],
        "ValidationError",
    ),
}


@pytest.mark.parametrize("name", TARGETS_REFUSED)
def test_targets_that_cannot_be(elb: Elb, name: str) -> None:
    """RegisterTargets refuses and registers nothing, not even the good ones beside."""
    params, targets, code = TARGETS_REFUSED[name]
    group = elb.group(**params)
    assert elb.refusal("RegisterTargets", TargetGroupArn=group, Targets=targets).code == code
    assert elb.call("DescribeTargetHealth", TargetGroupArn=group)["TargetHealthDescriptions"] == []


def test_an_address_outside_the_vpc_needs_a_zone(elb: Elb) -> None:
    """With `all` a private address outside the VPC is a target like any other."""
    group = elb.group()
    target = {"Id": "10.99.0.1", "AvailabilityZone": "all"}
    elb.call("RegisterTargets", TargetGroupArn=group, Targets=[target])
    [shown] = elb.call("DescribeTargetHealth", TargetGroupArn=group)["TargetHealthDescriptions"]
    assert shown["Target"] == target | {"Port": 8080}


def test_lambda_and_load_balancer_groups_have_one_target(elb: Elb) -> None:
    """Register a single Lambda function (or load balancer) as a target."""
    made = elb.call("CreateTargetGroup", Name="fn", TargetType="lambda")["TargetGroups"][0]["TargetGroupArn"]
    functions = [{"Id": f"arn:aws:lambda:eu-west-1:111122223333:function:{name}"} for name in "ab"]
    elb.call("RegisterTargets", TargetGroupArn=made, Targets=functions[:1])
    elb.call("RegisterTargets", TargetGroupArn=made, Targets=functions[:1])
    assert elb.refusal("RegisterTargets", TargetGroupArn=made, Targets=functions[1:]).code == "TooManyTargets"


def test_anomalies_are_shown_to_those_who_ask(elb: Elb) -> None:
    """Include=AnomalyDetection adds the result, All the override as well; without, neither is there."""
    group = elb.group()
    elb.serve(group)
    elb.target(group, "10.42.0.9")
    elb.clock.advance(5)

    def shown(**params: Any) -> dict[str, Any]:
        answer = elb.call("DescribeTargetHealth", TargetGroupArn=group, **params)
        return dict(answer["TargetHealthDescriptions"][0])

    assert not {"AnomalyDetection", "AdministrativeOverride"} & set(shown())
    assert shown(Include=["AnomalyDetection"])["AnomalyDetection"] == {
        "Result": "normal",
        "MitigationInEffect": "no",
    }
    assert shown(Include=["All"])["AdministrativeOverride"]["State"] == "no_override"
    refused = elb.refusal("DescribeTargetHealth", TargetGroupArn=group, Include=["Everything"])
    assert refused.code == "ValidationError"


def test_how_often_a_target_can_be_registered() -> None:
    """One port more of an address than the quota is TooManyRegistrationsForTargetId."""
    elb = Elb(Elbv2Settings(quotas=Quotas(registrations_per_target=3)))
    group = elb.group()
    ports = [{"Id": "10.42.0.1", "Port": 9000 + number} for number in range(4)]
    elb.call("RegisterTargets", TargetGroupArn=group, Targets=ports[:3])
    elb.call("RegisterTargets", TargetGroupArn=group, Targets=ports[:1])
    refused = elb.refusal("RegisterTargets", TargetGroupArn=group, Targets=ports[3:])
    assert refused.code == "TooManyRegistrationsForTargetId"


LIMITS = (
    "application-load-balancers",
    "condition-values-per-alb-rule",
    "condition-wildcards-per-alb-rule",
    "gateway-load-balancers",
    "gateway-load-balancers-per-vpc",
    "geneve-target-groups",
    "listeners-per-application-load-balancer",
    "listeners-per-network-load-balancer",
    "network-load-balancers",
    "rules-per-application-load-balancer",
    "target-groups",
    "target-groups-per-action-on-application-load-balancer",
    "target-groups-per-action-on-network-load-balancer",
    "target-groups-per-application-load-balancer",
    "targets-per-application-load-balancer",
    "targets-per-availability-zone-per-gateway-load-balancer",
    "targets-per-availability-zone-per-network-load-balancer",
    "targets-per-network-load-balancer",
)
"""The possible names of a Limit as the API reference lists them."""


def test_the_limits_of_an_account_have_the_names_of_the_reference(elb: Elb) -> None:
    """Every name that the reference of `Limit` lists, each with a number."""
    shown = {item["Name"]: int(item["Max"]) for item in elb.call("DescribeAccountLimits")["Limits"]}
    assert set(LIMITS) <= set(shown)
    assert shown["target-groups-per-action-on-application-load-balancer"] == 5
    assert shown["rules-per-application-load-balancer"] == 100


def test_security_policies_of_a_kind(elb: Elb) -> None:
    """LoadBalancerType filters; there is no policy for gateway load balancers."""
    policies = elb.call("DescribeSSLPolicies", LoadBalancerType="application")["SslPolicies"]
    names = [item["Name"] for item in policies]
    assert {
        "ELBSecurityPolicy-TLS13-1-2-2021-06",
        "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09",
        "ELBSecurityPolicy-TLS13-1-2-Res-FIPS-2023-04",
    } <= set(names)
    assert len(names) == len(set(names))
    assert elb.call("DescribeSSLPolicies", LoadBalancerType="gateway")["SslPolicies"] == []


PAGED: dict[str, tuple[str, Callable[[Elb], list[str]], str]] = {
    "DescribeLoadBalancers": (
        "LoadBalancers",
        lambda elb: [elb.load_balancer(f"lb{number}") for number in range(5)],
        "LoadBalancerArn",
    ),
    "DescribeTargetGroups": (
        "TargetGroups",
        lambda elb: [elb.group(f"tg{number}") for number in range(5)],
        "TargetGroupArn",
    ),
    "DescribeSSLPolicies": ("SslPolicies", lambda _: [], "Name"),
    "DescribeAccountLimits": ("Limits", lambda _: [], "Name"),
}


@pytest.mark.parametrize("operation", PAGED)
def test_pages_hold_everything_once(elb: Elb, operation: str) -> None:
    """Following NextMarker gives what one call gives, in the same order; a foreign marker is refused."""
    member, prepare, key = PAGED[operation]
    prepare(elb)
    whole = [item[key] for item in elb.call(operation)[member]]
    paged, marker = [], None
    while True:
        answer = elb.call(operation, PageSize=2, **({"Marker": marker} if marker else {}))
        assert len(answer[member]) <= 2
        paged += [item[key] for item in answer[member]]
        marker = answer.get("NextMarker")
        if marker is None:
            break
    assert paged == whole
    assert len(whole) >= 5
    assert elb.refusal(operation, Marker="nonsense").code == "ValidationError"
