"""Which attributes each kind of load balancer, listener and target group has, and their defaults.

Source: the Key documentation of botocore's shapes LoadBalancerAttribute, ListenerAttribute and
TargetGroupAttribute, whose names, defaults, choices and ranges are copied here. From memory: the
default of a Network Load Balancer's `preserve_client_ip.enabled` by target type, and that attributes
of another kind are refused like unknown ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sluice_sandbox.aws.elbv2.attributes import NO_DEFAULT, Attribute

BOOLEAN = ("true", "false")
Table = Mapping[str, Attribute]


def _flag(default: str = "false") -> Attribute:
    return Attribute(default, BOOLEAN)


_APPLICATION: Table = {
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

_APPLICATION_GROUP: Table = {
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
_APPLICATION_LISTENER: Table = {
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

_ANY_BALANCER = (
    "access_logs.s3.enabled",
    "access_logs.s3.bucket",
    "access_logs.s3.prefix",
    "deletion_protection.enabled",
    "ipv6.deny_all_igw_traffic",
    "zonal_shift.config.enabled",
)
_NETWORK: Table = {
    **{key: _APPLICATION[key] for key in _ANY_BALANCER},
    "dns_record.client_routing_policy": Attribute(
        "any_availability_zone",
        ("availability_zone_affinity", "partial_availability_zone_affinity", "any_availability_zone"),
    ),
    "load_balancing.cross_zone.enabled": _flag(),
    "secondary_ips.auto_assigned.per_subnet": Attribute("0", low=0, high=7),
}

_NETWORK_LISTENER: Table = {"tcp.idle_timeout.seconds": Attribute("350", low=60, high=6000)}

_ANY_GROUP = (
    "deregistration_delay.timeout_seconds",
    "load_balancing.cross_zone.enabled",
    "target_group_health.dns_failover.minimum_healthy_targets.count",
    "target_group_health.dns_failover.minimum_healthy_targets.percentage",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage",
)
_LAMBDA_GROUP: Table = {
    "lambda.multi_value_headers.enabled": _flag(),
    **{
        key: item
        for key, item in _APPLICATION_GROUP.items()
        if key.startswith(("target_group_health.", "load_balancing.cross_zone."))
    },
}


def of_load_balancer(kind: str, *, scheme: str) -> Table:
    """Return the attributes of an application or network load balancer."""
    table = _APPLICATION if kind == "application" else _NETWORK
    return {**table, "ipv6.deny_all_igw_traffic": _flag("true" if scheme == "internal" else "false")}


def of_listener(protocol: str) -> Table:
    """Return the attributes of a listener; only TCP has any among network listeners."""
    if protocol in ("HTTP", "HTTPS"):
        return _APPLICATION_LISTENER
    return _NETWORK_LISTENER if protocol in ("TCP", "TCP_UDP") else {}


def of_target_group(settings: Mapping[str, Any]) -> Table:
    """Return the attributes of a group by its target type and protocol."""
    if settings["TargetType"] == "lambda":
        return _LAMBDA_GROUP
    protocol = settings["Protocol"]
    if protocol in ("HTTP", "HTTPS"):
        return _APPLICATION_GROUP
    udp = protocol in ("UDP", "TCP_UDP")
    keeps_ip = "false" if settings["TargetType"] == "ip" and protocol in ("TCP", "TLS") else "true"
    return {
        **{key: _APPLICATION_GROUP[key] for key in _ANY_GROUP},
        "deregistration_delay.connection_termination.enabled": _flag("true" if udp else "false"),
        "preserve_client_ip.enabled": Attribute(keeps_ip, ("true",) if udp else BOOLEAN),
        "proxy_protocol_v2.enabled": _flag(),
        "stickiness.enabled": _flag(),
        "stickiness.type": Attribute("source_ip", ("source_ip",)),
        "target_health_state.unhealthy.connection_termination.enabled": Attribute(
            "false" if udp else "true", ("false",) if udp else BOOLEAN
        ),
        "target_health_state.unhealthy.draining_interval_seconds": Attribute("0", low=0, high=360000),
    }
