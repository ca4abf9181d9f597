"""Target groups, their attributes and tags: request and answer, or refusal."""

from __future__ import annotations

from typing import Any

import pytest
from elb_world import Elb, forward

from sluice_sandbox.aws.estate import VPC_ID

UNKNOWN = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/none/0123456789abcdef"
DELAY = "deregistration_delay.timeout_seconds"


def test_an_http_group_has_the_defaults_of_aws(elb: Elb) -> None:
    """Health-check members are filled in for the protocol."""
    made = elb.call("CreateTargetGroup", Name="app", Protocol="HTTP", Port=80, VpcId=VPC_ID, TargetType="ip")[
        "TargetGroups"
    ][0]
    arn = made.pop("TargetGroupArn")
    assert ":targetgroup/app/" in arn
    assert made == {
        "TargetGroupName": "app",
        "TargetType": "ip",
        "Protocol": "HTTP",
        "ProtocolVersion": "HTTP1",
        "Port": 80,
        "VpcId": VPC_ID,
        "IpAddressType": "ipv4",
        "HealthCheckEnabled": True,
        "HealthCheckProtocol": "HTTP",
        "HealthCheckPort": "traffic-port",
        "HealthCheckPath": "/",
        "HealthCheckIntervalSeconds": 30,
        "HealthCheckTimeoutSeconds": 5,
        "HealthyThresholdCount": 5,
        "UnhealthyThresholdCount": 2,
        "Matcher": {"HttpCode": "200"},
        "LoadBalancerArns": [],
    }


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        pytest.param(
            {"ProtocolVersion": "GRPC"},
            {"Matcher": {"GrpcCode": "12"}, "HealthCheckPath": "/AWS.ALB/healthcheck"},
            id="grpc",
        ),
        pytest.param(
            {"Protocol": "TCP"}, {"HealthCheckProtocol": "TCP", "HealthCheckTimeoutSeconds": 10}, id="tcp"
        ),
        pytest.param(
            {"Protocol": "TCP", "HealthCheckProtocol": "HTTP"},
            {"Matcher": {"HttpCode": "200-399"}},
            id="tcp-http",
        ),
    ],
)
def test_defaults_follow_protocol_and_version(
    elb: Elb, params: dict[str, Any], expected: dict[str, Any]
) -> None:
    """What the model documents per protocol is what Describe tells."""
    arn = elb.group(**params)
    shown = elb.call("DescribeTargetGroups", TargetGroupArns=[arn])["TargetGroups"][0]
    assert {key: shown[key] for key in expected} == expected


def test_the_same_create_again_returns_the_same_group(elb: Elb) -> None:
    """CreateTargetGroup is idempotent; other settings under the name are refused."""
    first = elb.group()
    assert elb.group() == first
    refusal = elb.refusal(
        "CreateTargetGroup", Name="app", Protocol="HTTP", Port=9090, VpcId=VPC_ID, TargetType="ip"
    )
    assert refusal.code == "DuplicateTargetGroupName"
    assert refusal.message.endswith("exists, but with different settings")


@pytest.mark.parametrize(
    ("params", "code"),
    [
        pytest.param({"Name": "n" * 33}, "ValidationError", id="long-name"),
        pytest.param({"Name": "a-"}, "ValidationError", id="trailing-hyphen"),
        pytest.param({"Port": None}, "ValidationError", id="no-port"),
        pytest.param({"Protocol": None}, "ValidationError", id="no-protocol"),
        pytest.param({"VpcId": None}, "ValidationError", id="no-vpc"),
        pytest.param({"VpcId": "vpc-0"}, "ValidationError", id="unknown-vpc"),
        pytest.param({"ProtocolVersion": "HTTP3"}, "ValidationError", id="unknown-version"),
        pytest.param({"HealthCheckProtocol": "TCP"}, "InvalidConfigurationRequest", id="tcp-check-of-http"),
        pytest.param(
            {"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 5},
            "ValidationError",
            id="timeout-as-long",
        ),
        pytest.param({"HealthCheckIntervalSeconds": 5}, "ValidationError", id="default-timeout-as-long"),
        pytest.param({"Matcher": {"HttpCode": "500"}}, "ValidationError", id="matcher-range"),
        pytest.param({"Matcher": {"HttpCode": "2xx"}}, "ValidationError", id="matcher-form"),
        pytest.param({"Matcher": {"GrpcCode": "0"}}, "ValidationError", id="grpc-code-of-http"),
        pytest.param({"HealthCheckPath": "healthz"}, "ValidationError", id="relative-path"),
        pytest.param({"HealthCheckPort": "70000"}, "ValidationError", id="health-port"),
        pytest.param({"HealthCheckEnabled": False}, "ValidationError", id="checks-off"),
        pytest.param({"TargetType": "lambda"}, "ValidationError", id="lambda-with-port"),
        pytest.param({"Tags": [{"Key": "aws:x", "Value": ""}]}, "ValidationError", id="reserved-tag"),
    ],
)
def test_create_refuses(elb: Elb, params: dict[str, Any], code: str) -> None:
    """Each rule of CreateTargetGroup has its code."""
    wanted = {"Name": "app", "Protocol": "HTTP", "Port": 80, "VpcId": VPC_ID, "TargetType": "ip"} | params
    assert elb.refusal("CreateTargetGroup", **wanted).code == code
    assert elb.call("DescribeTargetGroups")["TargetGroups"] == []


def test_modify_checks_the_whole(elb: Elb) -> None:
    """A new interval must fit the present time-out; a good change is answered and kept."""
    arn = elb.group()
    assert (
        elb.refusal("ModifyTargetGroup", TargetGroupArn=arn, HealthCheckIntervalSeconds=5).code
        == "ValidationError"
    )
    elb.call(
        "ModifyTargetGroup", TargetGroupArn=arn, HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2
    )
    shown = elb.call("DescribeTargetGroups", Names=["app"])["TargetGroups"][0]
    assert (shown["HealthCheckIntervalSeconds"], shown["HealthCheckTimeoutSeconds"]) == (5, 2)


def test_a_group_in_use_stays_and_an_absent_one_is_gone_already(elb: Elb) -> None:
    """DeleteTargetGroup refuses with ResourceInUse and succeeds on what is not there."""
    arn = elb.group()
    elb.serve(arn)
    refusal = elb.refusal("DeleteTargetGroup", TargetGroupArn=arn)
    assert (refusal.code, "is currently in use by a listener or a rule" in refusal.message) == (
        "ResourceInUse",
        True,
    )
    elb.call("DeleteTargetGroup", TargetGroupArn=UNKNOWN)


def test_attributes_have_defaults_and_ranges(elb: Elb) -> None:
    """A value at the end of its range is kept, one beyond is refused."""
    arn = elb.group()
    attributes = {
        item["Key"]: item["Value"]
        for item in elb.call("DescribeTargetGroupAttributes", TargetGroupArn=arn)["Attributes"]
    }
    assert attributes[DELAY] == "300"
    assert attributes["stickiness.type"] == "lb_cookie"
    elb.call("ModifyTargetGroupAttributes", TargetGroupArn=arn, Attributes=[{"Key": DELAY, "Value": "3600"}])
    view = elb.service.group(elb.caller, arn)
    assert view is not None
    assert view.deregistration_delay_seconds == 3600


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({DELAY: "3601"}, "ValidationError", id="delay"),
        pytest.param({"slow_start.duration_seconds": "29"}, "ValidationError", id="slow-start"),
        pytest.param({"stickiness.lb_cookie.duration_seconds": "0"}, "ValidationError", id="cookie"),
        pytest.param({"stickiness.enabled": "on"}, "ValidationError", id="boolean"),
        pytest.param({"load_balancing.algorithm.type": "random"}, "ValidationError", id="algorithm"),
        pytest.param({"nonsense": "1"}, "InvalidConfigurationRequest", id="unknown"),
        pytest.param(
            {"stickiness.enabled": "true", "stickiness.type": "app_cookie"},
            "InvalidConfigurationRequest",
            id="app-cookie-without-name",
        ),
        pytest.param(
            {"stickiness.app_cookie.cookie_name": "AWSALBX"}, "ValidationError", id="reserved-cookie"
        ),
        pytest.param(
            {
                "slow_start.duration_seconds": "30",
                "load_balancing.algorithm.type": "least_outstanding_requests",
            },
            "InvalidConfigurationRequest",
            id="slow-start-with-other-algorithm",
        ),
    ],
)
def test_attributes_refuse(elb: Elb, changes: dict[str, str], code: str) -> None:
    """A refused call changes no attribute."""
    arn = elb.group()
    before = elb.call("DescribeTargetGroupAttributes", TargetGroupArn=arn)
    given = [{"Key": key, "Value": value} for key, value in changes.items()]
    assert elb.refusal("ModifyTargetGroupAttributes", TargetGroupArn=arn, Attributes=given).code == code
    assert elb.call("DescribeTargetGroupAttributes", TargetGroupArn=arn) == before


def test_describe_has_limits_and_filters(elb: Elb) -> None:
    """Twenty ARNs a call, one filter at a time, unknown ones named."""
    arns = [elb.group(f"g{index}") for index in range(21)]
    too_many = elb.refusal("DescribeTargetGroups", TargetGroupArns=arns)
    assert too_many.message == "You cannot describe more than '20' target groups at a time"
    both = elb.refusal("DescribeTargetGroups", TargetGroupArns=arns[:1], Names=["g1"])
    assert both.code == "ValidationError"
    assert elb.refusal("DescribeTargetGroups", Names=["none"]).code == "TargetGroupNotFound"
    first = elb.call("DescribeTargetGroups", PageSize=15)
    rest = elb.call("DescribeTargetGroups", PageSize=15, Marker=first["NextMarker"])
    assert len(first["TargetGroups"]) + len(rest["TargetGroups"]) == 21


def test_tags_of_every_kind_of_resource(elb: Elb) -> None:
    """Load balancers, listeners, rules and groups are tagged alike; the answer keeps their order."""
    group = elb.group()
    load_balancer = elb.load_balancer()
    listener = elb.listener(load_balancer)
    rule = elb.rule(listener, 1, [forward((group, 1))])
    arns = [rule, group, listener, load_balancer]
    elb.call("AddTags", ResourceArns=arns, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    elb.call("AddTags", ResourceArns=arns, Tags=[{"Key": "a", "Value": "3"}])
    elb.call("RemoveTags", ResourceArns=arns, TagKeys=["b", "absent"])
    described = elb.call("DescribeTags", ResourceArns=arns)["TagDescriptions"]
    assert [item["ResourceArn"] for item in described] == arns
    assert all(item["Tags"] == [{"Key": "a", "Value": "3"}] for item in described)


def test_tags_have_limits(elb: Elb) -> None:
    """Fifty tags a resource, twenty ARNs a call, unknown ones by their kind's code."""
    group = elb.group()
    tags = [{"Key": f"k{index}", "Value": ""} for index in range(50)]
    elb.call("AddTags", ResourceArns=[group], Tags=tags)
    one_more = [{"Key": "more", "Value": ""}]
    assert elb.refusal("AddTags", ResourceArns=[group], Tags=one_more).code == "TooManyTags"
    assert elb.refusal("DescribeTags", ResourceArns=[group] * 21).code == "ValidationError"
    assert elb.refusal("DescribeTags", ResourceArns=[group, UNKNOWN]).code == "TargetGroupNotFound"


def test_ssl_policies_can_be_listed(elb: Elb) -> None:
    """The default policy is among them; an unknown name is SSLPolicyNotFound."""
    names = [item["Name"] for item in elb.call("DescribeSSLPolicies")["SslPolicies"]]
    assert "ELBSecurityPolicy-2016-08" in names
    assert elb.refusal("DescribeSSLPolicies", Names=["none"]).code == "SSLPolicyNotFound"
