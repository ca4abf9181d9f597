"""Health checks of target groups as settings: defaults, ranges and what contradicts itself.

Sources: botocore's CreateTargetGroup and ModifyTargetGroup (defaults per protocol and target type, codes
per protocol). Wordings: "Health check timeout '..' must be smaller than the interval '..'" (moto's
tests), the others from memory. What the checks then do is in `health`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sluice_sandbox.aws.elbv2.desk import invalid_configuration, validation_error
from sluice_sandbox.aws.service import Params

WEB = ("HTTP", "HTTPS")
MEMBERS = (
    "HealthCheckProtocol",
    "HealthCheckPort",
    "HealthCheckEnabled",
    "HealthCheckPath",
    "HealthCheckIntervalSeconds",
    "HealthCheckTimeoutSeconds",
    "HealthyThresholdCount",
    "UnhealthyThresholdCount",
    "Matcher",
)


def of_new(params: Params, *, kind: str, protocol: str | None, version: str | None) -> dict[str, Any]:
    """Return the health-check members with the defaults that botocore documents."""
    is_lambda = kind == "lambda"
    enabled = params.get("HealthCheckEnabled")
    if enabled is False and not is_lambda:
        raise validation_error(
            f"Health check enabled must be true for target groups with target type '{kind}'"
        )
    settings: dict[str, Any] = {
        "HealthCheckEnabled": not is_lambda if enabled is None else enabled,
        "HealthCheckIntervalSeconds": params.get("HealthCheckIntervalSeconds") or (35 if is_lambda else 30),
        "HealthyThresholdCount": params.get("HealthyThresholdCount") or 5,
        "UnhealthyThresholdCount": params.get("UnhealthyThresholdCount") or (5 if is_lambda else 2),
    }
    check_protocol = params.get("HealthCheckProtocol") or (
        "HTTP" if protocol in WEB or kind == "alb" else "TCP"
    )
    _refuse_unused(params, kind=kind, check_protocol=None if is_lambda else check_protocol)
    if not is_lambda:
        settings["HealthCheckProtocol"] = check_protocol
        settings["HealthCheckPort"] = params.get("HealthCheckPort") or "traffic-port"
    # 5 s behind an Application Load Balancer ("Health checks for Application Load Balancer target
    # groups"); botocore's text (6 and 10 s) gives the figures of Network Load Balancers.
    default_timeout = 30 if is_lambda else 5 if protocol in WEB else 10
    if protocol not in WEB and check_protocol == "HTTP":
        default_timeout = 6
    settings["HealthCheckTimeoutSeconds"] = params.get("HealthCheckTimeoutSeconds") or default_timeout
    if is_lambda or check_protocol in WEB:
        is_grpc = version == "GRPC"
        settings["HealthCheckPath"] = params.get("HealthCheckPath") or (
            "/AWS.ALB/healthcheck" if is_grpc else "/"
        )
        network_codes = "200-399"
        default = {"GrpcCode": "12"} if is_grpc else {"HttpCode": "200" if protocol in WEB else network_codes}
        settings["Matcher"] = params.get("Matcher") or ({"HttpCode": "200"} if is_lambda else default)
    return settings


def modified(settings: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with new health checks: what an other protocol of them has not, goes or comes."""
    changed = {**settings, **given}
    protocol = changed.get("HealthCheckProtocol")
    _refuse_unused(given, kind=changed["TargetType"], check_protocol=protocol)
    if protocol == "TCP":
        changed.pop("HealthCheckPath", None)
        changed.pop("Matcher", None)
    elif protocol in WEB:
        changed.setdefault("HealthCheckPath", "/")
        changed.setdefault("Matcher", {"HttpCode": "200-399"})
    return changed


def _refuse_unused(given: Mapping[str, Any], *, kind: str, check_protocol: str | None) -> None:
    """Refuse members that this kind of health check does not have."""
    unused = ("HealthCheckProtocol", "HealthCheckPort") if kind == "lambda" else ()
    if check_protocol == "TCP":
        unused = ("HealthCheckPath", "Matcher")
    found = [member for member in unused if given.get(member) is not None]
    if found:
        where = "target type 'lambda'" if kind == "lambda" else f"health check protocol '{check_protocol}'"
        raise validation_error(f"'{', '.join(found)}' cannot be specified with {where}")


def check(settings: Mapping[str, Any]) -> None:
    """Refuse health checks that contradict themselves; also after a modification."""
    protocol = settings.get("Protocol")
    check_protocol = settings.get("HealthCheckProtocol")
    if check_protocol not in (None, "HTTP", "HTTPS", "TCP"):
        raise validation_error(f"Health check protocol '{check_protocol}' must be one of 'HTTP, HTTPS, TCP'")
    if protocol in WEB and check_protocol == "TCP":
        raise invalid_configuration(
            f"Health check protocol 'TCP' is not supported for target groups with protocol '{protocol}'"
        )
    _check_times(settings)
    port = settings.get("HealthCheckPort")
    if port not in (None, "traffic-port") and not (port.isdigit() and 1 <= int(port) <= 65535):
        raise validation_error(f"Health check port '{port}' must be 'traffic-port' or between 1 and 65535")
    path = settings.get("HealthCheckPath")
    if path is not None and not path.startswith("/"):
        raise validation_error(f"Health check path '{path}' must begin with a '/' character")
    if settings["TargetType"] == "alb" and check_protocol == "TCP":
        raise invalid_configuration(
            "Health check protocol 'TCP' is not supported for target groups with target type 'alb'"
        )
    _check_matcher(settings)


def _check_times(settings: Mapping[str, Any]) -> None:
    interval, timeout = settings["HealthCheckIntervalSeconds"], settings["HealthCheckTimeoutSeconds"]
    is_web = settings.get("Protocol") in WEB
    if timeout > interval or (is_web and timeout == interval):
        relation = "smaller than" if is_web else "smaller than or equal to"
        raise validation_error(
            f"Health check timeout '{timeout}' must be {relation} the interval '{interval}'"
        )


def _check_matcher(settings: Mapping[str, Any]) -> None:
    matcher = settings.get("Matcher") or {}
    if len(matcher) > 1:
        raise validation_error("You can match either HTTP codes or gRPC codes, but not both")
    if "HttpCode" in matcher and settings.get("ProtocolVersion") == "GRPC":
        raise validation_error("HTTP codes cannot be matched with protocol version 'GRPC'")
    if "GrpcCode" in matcher and settings.get("ProtocolVersion") != "GRPC":
        raise validation_error("gRPC codes can only be matched by target groups with protocol version 'GRPC'")
    if "HttpCode" in matcher:
        low, high = (200, 499) if settings.get("Protocol") in (*WEB, None) else (200, 599)
        codes(matcher["HttpCode"], low=low, high=high, noun="HTTP")
    if "GrpcCode" in matcher:
        codes(matcher["GrpcCode"], low=0, high=99, noun="gRPC")


def codes(text: str, *, low: int, high: int, noun: str) -> list[tuple[int, int]]:
    """Return the inclusive ranges of a matcher ("200,202" or "200-299"), or refuse it."""
    ranges = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d{1,3})(?:-(\d{1,3}))?\s*", part)
        first = int(found.group(1)) if found else -1
        last = int(found.group(2) or first) if found else -1
        if not low <= first <= last <= high:
            raise validation_error(f"{noun} code '{text}' must be values or ranges between {low} and {high}")
        ranges.append((first, last))
    return ranges
