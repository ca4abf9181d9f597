"""The Route 53 records that Cloud Map makes of an instance.

Source: botocore, DnsRecord.Type and RoutingPolicy. All records of a service have the same weight; the
hosted zone of load balancers behind alias records is Elastic Load Balancing's own (one for all, here).
"""

from __future__ import annotations

from collections.abc import Iterable

from sluice_sandbox.aws.servicediscovery import instance_rules as attribute
from sluice_sandbox.aws.servicediscovery.state import DiscoveryService, Instance, Namespace
from sluice_sandbox.aws.servicediscovery.zones import RecordSet

LOAD_BALANCER_ZONE = "Z32O12XQLNTSW2"
"""Application Load Balancers of eu-west-1 (general reference, "Elastic Load Balancing endpoints")."""
_VALUE = {"A": attribute.IPV4, "AAAA": attribute.IPV6, "CNAME": attribute.CNAME}


def domain(service: DiscoveryService, namespace: Namespace) -> str:
    """Return the DNS name of a service, without the last dot."""
    return f"{service.name}.{namespace.name}"


def host(instance_id: str, service: DiscoveryService, namespace: Namespace) -> str:
    """Return the host name that SRV records of an instance point to."""
    return f"{instance_id}.{domain(service, namespace)}"


def records(service: DiscoveryService, namespace: Namespace, instance: Instance) -> list[RecordSet]:
    """Return the records of one instance in Route 53's shape."""
    if service.dns is None or not namespace.hosted_zone_id:
        return []
    return list(_records(service, namespace, instance))


def _records(service: DiscoveryService, namespace: Namespace, instance: Instance) -> Iterable[RecordSet]:
    name = domain(service, namespace) + "."
    routing: RecordSet = {"SetIdentifier": instance.id}
    routing |= {"MultiValueAnswer": True} if service.policy == "MULTIVALUE" else {"Weight": 1}
    target = instance.attributes.get(attribute.ALIAS)
    for kind in sorted(service.record_types):
        record: RecordSet = {"Name": name, "Type": kind, **routing}
        if target:
            yield record | {
                "AliasTarget": {
                    "HostedZoneId": LOAD_BALANCER_ZONE,
                    "DNSName": f"{target.removesuffix('.')}.",
                    "EvaluateTargetHealth": True,
                }
            }
            continue
        ttl = service.ttl(kind)
        if kind == "SRV":
            where = host(instance.id, service, namespace)
            value = f"1 1 {instance.attributes[attribute.PORT]} {where}"
            yield from _addresses(where, ttl, instance)
        else:
            value = instance.attributes[_VALUE[kind]]
        yield record | {"TTL": ttl, "ResourceRecords": [{"Value": value}]}


def _addresses(where: str, ttl: int, instance: Instance) -> Iterable[RecordSet]:
    for kind in ("A", "AAAA"):
        value = instance.attributes.get(_VALUE[kind])
        if value:
            yield {"Name": f"{where}.", "Type": kind, "TTL": ttl, "ResourceRecords": [{"Value": value}]}
