"""What each service refuses beside the well-known: values out of range, contradictions, limits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fidelity.outsider import Outsider, forward, fresh, refused
from fidelity.test_independent_ecr import manifest
from fidelity.test_independent_elbv2_routing import CERTIFICATE, FIXED, listen, path, route

Make = Callable[[Outsider], Any]


def condition(field: str, member: str, **config: Any) -> dict[str, Any]:
    """Answer a condition with its config."""
    return {"Field": field, member: config}


def text(name: str, *values: str) -> dict[str, Any]:
    """Answer a condition on a header."""
    return condition("http-header", "HttpHeaderConfig", HttpHeaderName=name, Values=list(values))


def paths(*values: str, member: str = "Values") -> list[dict[str, Any]]:
    """Answer one condition on paths."""
    return [condition("path-pattern", "PathPatternConfig", **{member: list(values)})]


def source(value: str) -> list[dict[str, Any]]:
    """Answer a condition on the client's address."""
    return [condition("source-ip", "SourceIpConfig", Values=[value])]


def redirect(**config: str) -> list[dict[str, Any]]:
    """Answer a redirect."""
    return [{"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301"} | config}]


ENDPOINTS = ("Issuer", "AuthorizationEndpoint", "TokenEndpoint", "UserInfoEndpoint")
RULES: dict[str, dict[str, Any]] = {
    "two paths": {"Conditions": path() + path()},
    "six values": {"Conditions": paths(*(f"/{number}" for number in range(6)))},
    "six values over three conditions": {
        "Conditions": [text("a", "1", "2"), text("b", "1", "2"), text("c", "1", "2")]
    },
    "six wildcards": {"Conditions": paths("/*a*b*", "/*c*d*e*")},
    "a path of 129": {"Conditions": paths("/" + "a" * 128)},
    "a path with a space": {"Conditions": paths("/a b")},
    "values and expressions": {
        "Conditions": [condition("path-pattern", "PathPatternConfig", Values=["/a"], RegexValues=["^/a"])]
    },
    "an expression that is none": {"Conditions": paths("([", member="RegexValues")},
    "a host with a space": {"Conditions": [condition("host-header", "HostHeaderConfig", Values=["a b.com"])]},
    "the host as a header": {"Conditions": [text("Host", "a")]},
    "a header name of 41": {"Conditions": [text("a" * 41, "a")]},
    "a config of another field": {
        "Conditions": [condition("host-header", "PathPatternConfig", Values=["/a"])]
    },
    "a field of nobody": {"Conditions": [{"Field": "cookie", "Values": ["a"]}]},
    "a method in small letters": {
        "Conditions": [condition("http-request-method", "HttpRequestMethodConfig", Values=["get"])]
    },
    "an address without a mask": {"Conditions": source("10.0.0.1")},
    "a mask of 33": {"Conditions": source("10.0.0.0/33")},
    "the broadcast address": {"Conditions": source("255.255.255.255/32")},
    "two last actions": {"Actions": [FIXED, FIXED]},
    "a redirect to itself": {"Actions": redirect()},
    "a redirect to port 0": {"Actions": redirect(Protocol="HTTPS", Port="0")},
    "a redirect to no path": {"Actions": redirect(Protocol="HTTPS", Path="nope")},
    "signing in without TLS": {
        "Actions": [
            {
                "Type": "authenticate-oidc",
                "Order": 1,
                "AuthenticateOidcConfig": dict.fromkeys(ENDPOINTS, "https://example.com/")
                | {"ClientId": "c", "ClientSecret": "s"},
            },
            FIXED | {"Order": 2},
        ]
    },
    "a body of 1,025": {
        "Actions": [
            {
                "Type": "fixed-response",
                "FixedResponseConfig": {"StatusCode": "200", "MessageBody": "x" * 1025},
            }
        ]
    },
    "one transform twice": {
        "Transforms": [
            {"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": [{"Regex": "a", "Replace": "b"}]}}
        ]
        * 2
    },
}


@pytest.mark.parametrize("name", RULES)
def test_rule_refused(aws: Outsider, name: str) -> None:
    """CreateRule refuses what no listener could serve."""
    with refused("ValidationError", "InvalidLoadBalancerAction", "TooManyActions"):
        route(aws, **RULES[name])


def group_attributes(**attributes: str) -> Make:
    """Answer a change of a new group's attributes."""
    items = [{"Key": key.replace("__", "."), "Value": value} for key, value in attributes.items()]
    return lambda aws: aws.elb.modify_target_group_attributes(TargetGroupArn=aws.group(), Attributes=items)


def slow_start_of_the_least_busy(aws: Outsider) -> None:
    """Ask for slow start beside least outstanding requests."""
    group = aws.group()
    for key, value in (
        ("load_balancing.algorithm.type", "least_outstanding_requests"),
        ("slow_start.duration_seconds", "30"),
    ):
        aws.elb.modify_target_group_attributes(
            TargetGroupArn=group, Attributes=[{"Key": key, "Value": value}]
        )


def alarm(**members: Any) -> Make:
    """Answer a new alarm with these members; None takes one away."""

    def make(aws: Outsider) -> None:
        wish: dict[str, Any] = {
            "AlarmName": fresh("alarm"),
            "Namespace": "Shop",
            "MetricName": "Errors",
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 1,
            "ComparisonOperator": "GreaterThanThreshold",
        } | members
        given = {key: value for key, value in wish.items() if value is not None}
        aws("cloudwatch").put_metric_alarm(**given)

    return make


def datum(**members: Any) -> Make:
    """Answer a put of one datum."""
    return lambda aws: aws("cloudwatch").put_metric_data(
        Namespace="Shop", MetricData=[{"MetricName": "m"} | members]
    )


def ago(**span: float) -> datetime:
    """Answer a time before now."""
    return datetime.now(UTC) - timedelta(**span)


def tracking(**config: Any) -> Make:
    """Answer a target-tracking policy on a new target."""

    def make(aws: Outsider) -> None:
        name = aws.service()["serviceName"]
        dimension = {
            "ServiceNamespace": "ecs",
            "ScalableDimension": "ecs:service:DesiredCount",
            "ResourceId": f"service/{aws.cluster}/{name}",
        }
        scaling = aws("application-autoscaling")
        scaling.register_scalable_target(**dimension, MinCapacity=0, MaxCapacity=2)
        scaling.put_scaling_policy(
            **dimension,
            PolicyName="p",
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration={"TargetValue": 50.0} | config,
        )

    return make


def tagged_twice(aws: Outsider) -> None:
    """Push two images under one tag that may not move, beside one that may."""
    ecr, name = aws("ecr"), fresh("repo")
    ecr.create_repository(
        repositoryName=name,
        imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=[{"filterType": "WILDCARD", "filter": "dev-*"}],
    )
    for tag in ("dev-1", "v1"):
        for _ in range(2):
            ecr.put_image(repositoryName=name, imageManifest=manifest(fresh("layer")), imageTag=tag)


def pushed(image: str) -> Make:
    """Answer a push of this manifest."""

    def make(aws: Outsider) -> None:
        name = fresh("repo")
        aws("ecr").create_repository(repositoryName=name)
        aws("ecr").put_image(repositoryName=name, imageManifest=image, imageTag="v1")

    return make


REFUSED: dict[str, tuple[str, Make]] = {
    "listener: HTTPS without a certificate": (
        "CertificateNotFound|ValidationError",
        lambda aws: listen(aws, Protocol="HTTPS"),
    ),
    "listener: a policy of nobody": (
        "SSLPolicyNotFound",
        lambda aws: listen(
            aws, Protocol="HTTPS", SslPolicy="nope", Certificates=[{"CertificateArn": CERTIFICATE}]
        ),
    ),
    "listener: a certificate without TLS": (
        "ValidationError|InvalidConfigurationRequest",
        lambda aws: listen(aws, Certificates=[{"CertificateArn": CERTIFICATE}]),
    ),
    "listener: TCP of an application load balancer": (
        "ValidationError|UnsupportedProtocol",
        lambda aws: listen(aws, Protocol="TCP"),
    ),
    "listener: to a group of TCP": (
        "IncompatibleProtocols|InvalidConfigurationRequest|ValidationError",
        lambda aws: listen(
            aws, DefaultActions=[forward(aws.group(Protocol="TCP", HealthCheckTimeoutSeconds=5))]
        ),
    ),
    "group: an application cookie without a name": (
        "InvalidConfigurationRequest|ValidationError",
        group_attributes(stickiness__type="app_cookie", stickiness__enabled="true"),
    ),
    "group: a cookie of AWS's name": (
        "InvalidConfigurationRequest|ValidationError",
        group_attributes(stickiness__app_cookie__cookie_name="AWSALBfoo"),
    ),
    "group: slow start of the least busy": (
        "InvalidConfigurationRequest",
        slow_start_of_the_least_busy,
    ),
    "group: mitigation without weighted random": (
        "InvalidConfigurationRequest|ValidationError",
        group_attributes(load_balancing__algorithm__anomaly_mitigation="on"),
    ),
    "alarm: more to alarm than evaluated": ("ValidationError", alarm(DatapointsToAlarm=2)),
    "alarm: a period of 45": ("ValidationError", alarm(Period=45)),
    "alarm: longer than a week": ("ValidationError", alarm(Period=86400, EvaluationPeriods=8)),
    "alarm: two statistics": (
        "ValidationError|InvalidParameterCombination",
        alarm(ExtendedStatistic="p90"),
    ),
    "alarm: a percentile of 101": (
        "ValidationError|InvalidParameterValue",
        alarm(Statistic=None, ExtendedStatistic="p101"),
    ),
    "alarm: no threshold": ("ValidationError", alarm(Threshold=None)),
    "alarm: a metric and metrics": (
        "ValidationError|InvalidParameterCombination",
        alarm(Metrics=[{"Id": "a", "Expression": "1"}]),
    ),
    "alarm: an action that is none": ("ValidationError", alarm(AlarmActions=["nonsense"])),
    "alarm: in itself": (
        "ValidationError",
        lambda aws: aws("cloudwatch").put_composite_alarm(AlarmName="self", AlarmRule='ALARM("self")'),
    ),
    "data: a value and values": (
        "InvalidParameterCombination|InvalidParameterValue",
        datum(Value=1, Values=[1]),
    ),
    "data: no value": ("MissingParameter|InvalidParameterValue|InvalidParameterCombination", datum()),
    "data: fewer counts than values": (
        "InvalidParameterValue|InvalidParameterCombination",
        datum(Values=[1, 2], Counts=[1]),
    ),
    "data: 15 days old": ("InvalidParameterValue", datum(Value=1, Timestamp=ago(days=15))),
    "data: 3 hours ahead": ("InvalidParameterValue", datum(Value=1, Timestamp=ago(hours=-3))),
    "data: no number": ("InvalidParameterValue", datum(Value=float("nan"))),
    "data: beyond 2^360": ("InvalidParameterValue", datum(Value=2.0**361)),
    "scaling: a metric and a metric": (
        "ValidationException",
        tracking(
            PredefinedMetricSpecification={"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
            CustomizedMetricSpecification={"MetricName": "m", "Namespace": "n", "Statistic": "Average"},
        ),
    ),
    "scaling: requests without a label": (
        "ValidationException",
        tracking(PredefinedMetricSpecification={"PredefinedMetricType": "ALBRequestCountPerTarget"}),
    ),
    "scaling: a metric of another service": (
        "ValidationException",
        tracking(PredefinedMetricSpecification={"PredefinedMetricType": "DynamoDBReadCapacityUtilization"}),
    ),
    "image: a tag that may not move": ("ImageTagAlreadyExistsException", tagged_twice),
    "image: not JSON": ("InvalidParameterException", pushed("{")),
    "image: no manifest": ("InvalidParameterException", pushed("{}")),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(aws: Outsider, name: str) -> None:
    """Each wrong request is refused with one of the codes of its service."""
    codes, make = REFUSED[name]
    with refused(*codes.split("|")):
        make(aws)
