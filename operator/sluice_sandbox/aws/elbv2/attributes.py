"""Attributes of load balancers, listeners and target groups: names, defaults and what is accepted.

Source: the Key documentation of botocore's shapes LoadBalancerAttribute, ListenerAttribute and
TargetGroupAttribute, whose defaults and ranges are copied here. Wordings: "... must be between
'0-3600' inclusive" and the stickiness texts as public clients repeat them (moto's tests); the other
texts are from memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sluice_sandbox.aws.elbv2.desk import invalid_configuration, validation_error

BOOLEAN = ("true", "false")
NO_DEFAULT = "\0"
"""Marks an attribute that is only listed once it was set."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute: its default, and either its choices or its integer range."""

    default: str
    choices: tuple[str, ...] = ()
    low: int | None = None
    high: int | None = None

    def problem(self, key: str, value: str) -> str:
        """Return why `value` is refused, '' when it is accepted."""
        if self.choices and value in self.choices:
            return ""
        if self.low is not None:
            if re.fullmatch(r"-?\d+", value) and self.low <= int(value) <= (self.high or self.low):
                return ""
            return f"'{key}' value '{value}' must be between '{self.low}-{self.high}' inclusive"
        if self.choices:
            return f"'{key}' value '{value}' must be one of [{', '.join(self.choices)}]"
        return ""


def _flag(default: str = "false") -> Attribute:
    return Attribute(default, BOOLEAN)


LOAD_BALANCER: Mapping[str, Attribute] = {
    "access_logs.s3.enabled": _flag(),
    "access_logs.s3.bucket": Attribute(""),
    "access_logs.s3.prefix": Attribute(""),
    "client_keep_alive.seconds": Attribute("3600", low=60, high=604800),
    "connection_logs.s3.enabled": _flag(),
    "connection_logs.s3.bucket": Attribute(""),
    "connection_logs.s3.prefix": Attribute(""),
    "deletion_protection.enabled": _flag(),
    "health_check_logs.s3.enabled": _flag(),
    "health_check_logs.s3.bucket": Attribute(""),
    "health_check_logs.s3.prefix": Attribute(""),
    "idle_timeout.timeout_seconds": Attribute("60", low=1, high=4000),
    "ipv6.deny_all_igw_traffic": _flag(),
    "load_balancing.cross_zone.enabled": Attribute("true", ("true",)),
    "routing.http.desync_mitigation_mode": Attribute("defensive", ("monitor", "defensive", "strictest")),
    "routing.http.drop_invalid_header_fields.enabled": _flag(),
    "routing.http.preserve_host_header.enabled": _flag(),
    "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": _flag(),
    "routing.http.xff_client_port.enabled": _flag(),
    "routing.http.xff_header_processing.mode": Attribute("append", ("append", "preserve", "remove")),
    "routing.http2.enabled": _flag("true"),
    "waf.fail_open.enabled": _flag(),
    "zonal_shift.config.enabled": _flag(),
}

TARGET_GROUP: Mapping[str, Attribute] = {
    "deregistration_delay.timeout_seconds": Attribute("300", low=0, high=3600),
    "load_balancing.algorithm.anomaly_mitigation": Attribute("off", ("on", "off")),
    "load_balancing.algorithm.type": Attribute(
        "round_robin", ("round_robin", "least_outstanding_requests", "weighted_random")
    ),
    "load_balancing.cross_zone.enabled": Attribute(
        "use_load_balancer_configuration", ("true", "false", "use_load_balancer_configuration")
    ),
    "slow_start.duration_seconds": Attribute("0", ("0",), low=30, high=900),
    "stickiness.app_cookie.cookie_name": Attribute(""),
    "stickiness.app_cookie.duration_seconds": Attribute("86400", low=1, high=604800),
    "stickiness.enabled": _flag(),
    "stickiness.lb_cookie.duration_seconds": Attribute("86400", low=1, high=604800),
    "stickiness.type": Attribute("lb_cookie", ("lb_cookie", "app_cookie")),
    "target_group_health.dns_failover.minimum_healthy_targets.count": Attribute(
        "1", ("off",), low=1, high=1000
    ),
    "target_group_health.dns_failover.minimum_healthy_targets.percentage": Attribute(
        "off", ("off",), low=1, high=100
    ),
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": Attribute(
        "1", low=1, high=1000
    ),
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": Attribute(
        "off", ("off",), low=1, high=100
    ),
}

_HEADER = Attribute(NO_DEFAULT)
LISTENER: Mapping[str, Attribute] = {
    "routing.http.response.server.enabled": _flag("true"),
    **{
        f"routing.http.response.{name}.header_value": _HEADER
        for name in (
            "access_control_allow_credentials",
            "access_control_allow_headers",
            "access_control_allow_methods",
            "access_control_allow_origin",
            "access_control_expose_headers",
            "access_control_max_age",
            "content_security_policy",
            "strict_transport_security",
            "x_content_type_options",
            "x_frame_options",
        )
    },
    **{
        f"routing.http.request.{name}.header_name": _HEADER
        for name in (
            "x_amzn_mtls_clientcert",
            "x_amzn_mtls_clientcert_issuer",
            "x_amzn_mtls_clientcert_leaf",
            "x_amzn_mtls_clientcert_serial_number",
            "x_amzn_mtls_clientcert_subject",
            "x_amzn_mtls_clientcert_validity",
            "x_amzn_tls_cipher_suite",
            "x_amzn_tls_version",
        )
    },
}

_RESERVED_COOKIES = ("AWSALB", "AWSALBAPP", "AWSALBTG")


def defaults(table: Mapping[str, Attribute]) -> dict[str, str]:
    """Return the attributes a new resource shows."""
    return {key: item.default for key, item in table.items() if item.default != NO_DEFAULT}


def changes(noun: str, table: Mapping[str, Attribute], given: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the attributes to set, or refuse the whole call: nothing is applied by halves.

    An unknown key is InvalidConfigurationRequest, a value out of range ValidationError, a key named
    twice ValidationError.
    """
    wanted: dict[str, str] = {}
    for item in given:
        key, value = item.get("Key", ""), item.get("Value", "")
        if key not in table:
            raise invalid_configuration(f"{noun} attribute key '{key}' is not recognized")
        if key in wanted:
            raise validation_error(f"{noun} attribute key '{key}' was specified more than once")
        problem = table[key].problem(key, value)
        if problem:
            raise validation_error(problem)
        wanted[key] = value
    return wanted


def check_target_group(current: Mapping[str, str]) -> None:
    """Refuse combinations of target group attributes that contradict each other."""
    name = current["stickiness.app_cookie.cookie_name"]
    if any(name.upper().startswith(reserved) for reserved in _RESERVED_COOKIES):
        raise validation_error(f"The application cookie name '{name}' is reserved")
    is_app_cookie = current["stickiness.enabled"] == "true" and current["stickiness.type"] == "app_cookie"
    if is_app_cookie and not name:
        raise invalid_configuration(
            "You must set an application cookie name to enable stickiness of type 'app_cookie'"
        )
    if (
        current["slow_start.duration_seconds"] != "0"
        and current["load_balancing.algorithm.type"] != "round_robin"
    ):
        raise invalid_configuration(
            "You cannot use slow start mode with the "
            f"'{current['load_balancing.algorithm.type']}' routing algorithm"
        )


def shown(attributes: Mapping[str, str]) -> list[dict[str, str]]:
    """Return attributes in the API's shape, ordered by key."""
    return [{"Key": key, "Value": attributes[key]} for key in sorted(attributes)]
