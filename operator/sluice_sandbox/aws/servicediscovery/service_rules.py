"""What a Cloud Map service may be made of.

Source: botocore's CreateServiceRequest, DnsConfig, DnsRecord, HealthCheckConfig and ServiceChange.
Texts of the refusals are from memory unless the source is named.
"""

from __future__ import annotations

from typing import Any

from sluice_sandbox.aws.service import Params
from sluice_sandbox.aws.servicediscovery.refusals import invalid_input
from sluice_sandbox.aws.servicediscovery.state import DNS_PRIVATE, HTTP, DiscoveryService, Namespace

COMBINATIONS = (
    frozenset({"A"}),
    frozenset({"AAAA"}),
    frozenset({"A", "AAAA"}),
    frozenset({"SRV"}),
    frozenset({"CNAME"}),
)
MAX_DOMAIN = 255
Shape = dict[str, Any]


def dns_config(params: Params, namespace: Namespace) -> Shape | None:
    """Return the DnsConfig of a new service with its defaults, None for a service of HTTP."""
    config = params.get("DnsConfig")
    if config is None:
        return None
    if namespace.kind == HTTP or params.get("Type") == HTTP:
        # The text as hashicorp/terraform-provider-aws#7016 quotes it.
        raise invalid_input("When you specify an HTTP service, you can't include a DnsConfig element.")
    types = [record["Type"] for record in config["DnsRecords"]]
    if len(set(types)) != len(types) or frozenset(types) not in COMBINATIONS:
        raise invalid_input(
            f"Invalid combination of DNS records: {', '.join(types) or 'none'}. Specify A, AAAA, A and AAAA, "
            "SRV, or CNAME."
        )
    policy = config.get("RoutingPolicy") or "MULTIVALUE"
    if "CNAME" in types and policy != "WEIGHTED":
        raise invalid_input("A service with a CNAME record must specify WEIGHTED for RoutingPolicy.")
    if len(params["Name"]) + 1 + len(namespace.name) > MAX_DOMAIN:
        raise invalid_input(f"The service's DNS name must not exceed {MAX_DOMAIN} characters.")
    return {"RoutingPolicy": policy, "DnsRecords": [dict(record) for record in config["DnsRecords"]]}


def health_check(check: Shape | None, namespace: Namespace, types: frozenset[str]) -> Shape | None:
    """Return a HealthCheckConfig with its defaults, or refuse it."""
    if check is None:
        return None
    if namespace.kind == DNS_PRIVATE:
        raise invalid_input("HealthCheckConfig can be specified for public DNS and HTTP namespaces only.")
    if "CNAME" in types:
        raise invalid_input("HealthCheckConfig can't be specified for a service with a CNAME record.")
    if check["Type"] == "TCP":
        if "ResourcePath" in check:
            raise invalid_input("ResourcePath can't be specified for a health check of type TCP.")
        return dict(check)
    return {"ResourcePath": "/", **check}


def custom_health(params: Params) -> Shape | None:
    """Return the HealthCheckCustomConfig, whose threshold is always 1, or refuse it beside another check."""
    if params.get("HealthCheckCustomConfig") is None:
        return None
    if params.get("HealthCheckConfig") is not None:
        raise invalid_input(
            "You can specify either HealthCheckConfig or HealthCheckCustomConfig but not both."
        )
    return {"FailureThreshold": 1}


def changed(service: DiscoveryService, namespace: Namespace, change: Shape) -> Shape:
    """Return what UpdateService makes of a service: `dns` and `health_check`, or refuse the change.

    A configuration that the request leaves out is deleted, one that is named is changed; record types and
    the type of a health check stay (botocore: UpdateService, DnsConfig.DnsRecords, HealthCheckConfig.Type).
    """
    if namespace.kind == HTTP:
        raise invalid_input("You can't update a service that's associated with an HTTP namespace.")
    types = service.record_types
    dns = None
    if change.get("DnsConfig") is not None:
        if service.dns is None:
            raise invalid_input("When you specify an HTTP service, you can't include a DnsConfig element.")
        records = change["DnsConfig"]["DnsRecords"]
        wanted = [record["Type"] for record in records]
        if not wanted or len(set(wanted)) != len(wanted) or not set(wanted) <= types:
            raise invalid_input("The types of DNS records can't be changed by UpdateService.")
        dns = {**service.dns, "DnsRecords": [dict(record) for record in records]}
    check = change.get("HealthCheckConfig")
    if check is not None:
        if service.custom_health is not None:
            raise invalid_input(
                "You can specify either HealthCheckConfig or HealthCheckCustomConfig but not both."
            )
        if service.health_check is not None and check["Type"] != service.health_check["Type"]:
            raise invalid_input("You can't change the type of a health check.")
    return {"dns": dns, "health_check": health_check(check, namespace, types)}
