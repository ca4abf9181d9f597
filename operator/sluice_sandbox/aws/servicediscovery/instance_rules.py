"""Which attributes an instance must and must not have.

Source: botocore, RegisterInstanceRequest.Attributes, whose sentences are the rules here one by one.
Texts of the refusals are from memory unless the source is named.
"""

from __future__ import annotations

import ipaddress
import re

from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.servicediscovery.refusals import invalid_input
from sluice_sandbox.aws.servicediscovery.state import HEALTHY, UNHEALTHY, DiscoveryService

ALIAS = "AWS_ALIAS_DNS_NAME"
CNAME = "AWS_INSTANCE_CNAME"
EC2_INSTANCE = "AWS_EC2_INSTANCE_ID"
INIT_HEALTH = "AWS_INIT_HEALTH_STATUS"
IPV4 = "AWS_INSTANCE_IPV4"
IPV6 = "AWS_INSTANCE_IPV6"
PORT = "AWS_INSTANCE_PORT"
RESERVED = frozenset({ALIAS, CNAME, EC2_INSTANCE, INIT_HEALTH, IPV4, IPV6, PORT})

MAX_CUSTOM = 30
MAX_CHARACTERS = 5_000
MAX_LABEL = 63

_LOAD_BALANCER = re.compile(
    r"[a-z0-9.-]+\.(elb\.[a-z0-9-]+|[a-z0-9-]+\.elb)\.amazonaws\.com(\.cn)?\.?", re.IGNORECASE
)
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_REQUIRED = {"A": IPV4, "AAAA": IPV6, "CNAME": CNAME}


def check(service: DiscoveryService, instance_id: str, attributes: dict[str, str]) -> None:
    """Refuse what the service's records and checks cannot be made of (InvalidInput)."""
    if "SRV" in service.record_types and not _has_labels(instance_id):
        raise invalid_input(f"InstanceId '{instance_id}' cannot be a part of an SRV record's host name.")
    _check_size(attributes)
    _check_values(attributes)
    if EC2_INSTANCE in attributes:
        _check_ec2_instance(service, attributes)
    elif ALIAS in attributes:
        _check_alias(service, attributes)
    else:
        _check_records(service, attributes)


def _check_size(attributes: dict[str, str]) -> None:
    custom = [key for key in attributes if key not in RESERVED]
    if len(custom) > MAX_CUSTOM:
        raise invalid_input(f"An instance can have up to {MAX_CUSTOM} custom attributes, not {len(custom)}.")
    if sum(len(key) + len(value) for key, value in attributes.items()) > MAX_CHARACTERS:
        raise invalid_input(
            f"The total size of all provided attributes must not exceed {MAX_CHARACTERS} characters."
        )


def _check_values(attributes: dict[str, str]) -> None:
    for key, kind in ((IPV4, ipaddress.IPv4Address), (IPV6, ipaddress.IPv6Address)):
        if key in attributes:
            try:
                kind(attributes[key])
            except ValueError:
                raise invalid_input(f"Invalid value '{attributes[key]}' for attribute {key}.") from None
    port = attributes.get(PORT)
    if port is not None and not (port.isascii() and port.isdigit() and 0 < int(port) <= 65_535):
        raise invalid_input(f"Invalid value '{port}' for attribute {PORT}.")
    if CNAME in attributes and not _is_domain(attributes[CNAME]):
        raise invalid_input(f"Invalid value '{attributes[CNAME]}' for attribute {CNAME}.")
    if attributes.get(INIT_HEALTH, HEALTHY) not in {HEALTHY, UNHEALTHY}:
        raise invalid_input(f"Attribute {INIT_HEALTH} must be {HEALTHY} or {UNHEALTHY}.")


def _check_ec2_instance(service: DiscoveryService, attributes: dict[str, str]) -> None:
    if service.dns is not None:
        raise invalid_input(f"Attribute {EC2_INSTANCE} can be specified for services of HTTP only.")
    if set(attributes) - {EC2_INSTANCE, INIT_HEALTH}:
        raise invalid_input(f"With {EC2_INSTANCE} only {INIT_HEALTH} can be specified.")
    # The sandbox runs no EC2 instances whose address could be filled in.
    raise AwsError(
        "UnsupportedOperation",
        f"The sandbox does not model instances registered by {EC2_INSTANCE}.",
        status=501,
    )


def _check_alias(service: DiscoveryService, attributes: dict[str, str]) -> None:
    if not service.record_types & {"A", "AAAA"}:
        raise invalid_input(f"{ALIAS} needs a service with settings for an A or AAAA record.")
    if service.policy != "WEIGHTED":
        raise invalid_input(f"{ALIAS} needs a service whose RoutingPolicy is WEIGHTED.")
    besides = sorted(set(attributes) & {IPV4, IPV6, PORT, CNAME})
    if besides:
        raise invalid_input(f"{', '.join(besides)} cannot be specified together with {ALIAS}.")
    if _LOAD_BALANCER.fullmatch(attributes[ALIAS]) is None:
        raise invalid_input(f"{ALIAS} '{attributes[ALIAS]}' is not the DNS name of a load balancer.")


def _check_records(service: DiscoveryService, attributes: dict[str, str]) -> None:
    types = service.record_types
    missing = [
        _REQUIRED[kind] for kind in sorted(types & _REQUIRED.keys()) if _REQUIRED[kind] not in attributes
    ]
    if missing:
        raise invalid_input(f"Missing required attributes: {', '.join(missing)}.")
    if "SRV" in types and PORT not in attributes:
        raise invalid_input(f"Missing required attributes: {PORT}.")
    if "SRV" in types and not attributes.keys() & {IPV4, IPV6}:
        raise invalid_input(f"A service with an SRV record needs {IPV4}, {IPV6}, or both.")
    if service.health_check is not None and PORT not in attributes:
        raise invalid_input(f"A service with a Route 53 health check needs {PORT}.")


def _is_domain(name: str) -> bool:
    labels = name.removesuffix(".").split(".")
    return len(name) <= 255 and all(_LABEL.fullmatch(label) for label in labels)


def _has_labels(name: str) -> bool:
    return all(0 < len(label) <= MAX_LABEL for label in name.split("."))
