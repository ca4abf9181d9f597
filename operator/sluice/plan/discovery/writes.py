"""The AWS writes of discovery as plan actions: servicediscovery's and ECS's UpdateTaskProtection.

Outputs are named by what they tell about; `planner.absorb` reads them:

| output             | holds                                                             |
|--------------------|-------------------------------------------------------------------|
| `operation:<name>` | OperationId of what was asked for instance `<name>` (short id),   |
|                    | `namespace` or `service`                                          |
| `health:<name>`    | true: the custom health was accepted                              |
| `service-id`, `service-arn` | of the service that was made                             |
| `refused:<task>`   | ARNs of tasks that ECS does not protect, of a call with this one  |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sluice.model.actions import Action
from sluice.model.binding import Priority
from sluice.model.discovery import DiscoveryIntent, DnsRecord, NamespaceFacts, SeenTask, ServiceFacts
from sluice.model.keys import SERVICE_ROUTE, Key
from sluice.model.names import short_hash
from sluice.model.ownership import INSTALLATION, KIND, ROLE, owner_tags, to_elb
from sluice.plan.discovery.entries import INITIAL_HEALTH, Entry
from sluice.plan.discovery.memory import Pending, short

SERVICE_ROLE: Final = "discovery-service"
NAMESPACE_ROLE: Final = "discovery-namespace"
PROTECTION_MINUTES: Final = 60
"""How long ECS keeps off a task; a Sluice that is gone for good holds deployments up for that long."""
TASKS_A_CALL: Final = 10  # ECS: UpdateTaskProtection, tasks
_CREATE: Final = {
    "HTTP": "CreateHttpNamespace",
    "DNS_PRIVATE": "CreatePrivateDnsNamespace",
    "DNS_PUBLIC": "CreatePublicDnsNamespace",
}
REFUSED: Final = "refused:"
_ANSWERED: Final = "`true`"
"""JMESPath for "there was an answer": UpdateInstanceCustomHealthStatus has an empty one."""


def namespace_tags(installation: str) -> dict[str, str]:
    """Return the tags of a namespace: the installation's, because its routes share it."""
    return {INSTALLATION: installation, KIND: SERVICE_ROUTE, ROLE: NAMESPACE_ROLE}


def create_namespace(intent: DiscoveryIntent, *, installation: str, makes: int, vpc: str) -> Action:
    """Return the creation of a namespace: the same request from every route that needs it first."""
    wish = intent.namespace
    assert wish.create  # noqa: S101 - only what may be created is created
    identity = short_hash(installation, wish.create, wish.name, vpc, length=32)
    params: dict[str, Any] = {
        "Name": wish.name,
        "CreatorRequestId": f"sluice-{identity}-{makes}",
        "Tags": to_elb(namespace_tags(installation)),
    }
    return Action(
        service="servicediscovery",
        operation=_CREATE[wish.create],
        params=params | ({"Vpc": vpc} if wish.create == "DNS_PRIVATE" else {}),
        subject=f"Cloud Map namespace {wish.name}",
        reason="the route's discovery asks for it, and it does not exist",
        outputs={"operation:namespace": "OperationId"},
    )


def delete_namespace(namespace: NamespaceFacts) -> Action:
    """Return the deletion of a namespace that Sluice made and that is empty."""
    return Action(
        service="servicediscovery",
        operation="DeleteNamespace",
        params={"Id": namespace.id},
        subject=f"Cloud Map namespace {namespace.name}",
        reason="Sluice made it and nothing is left in it",
        outputs={"operation:namespace": "OperationId"},
        already=frozenset({"NamespaceNotFound", "ResourceInUse", "DuplicateRequest"}),
        priority=Priority.GARBAGE,
    )


def create_service(
    key: Key, intent: DiscoveryIntent, namespace: NamespaceFacts, *, installation: str, makes: int
) -> Action:
    """Return the creation of the Cloud Map service; the same request again returns the same one.

    Custom health cannot be added later (botocore: HealthCheckCustomConfig), so it is there from the start
    in every mode that registers tasks.
    """
    identity = short_hash(installation, key.namespace, key.name, namespace.id, intent.service, length=32)
    params: dict[str, Any] = {
        "Name": intent.service,
        "NamespaceId": namespace.id,
        "CreatorRequestId": f"sluice-{identity}-{makes}",
        "Description": f"ServiceRoute {key.namespace}/{key.name}, kept by Sluice",
        "Tags": to_elb(owner_tags(installation, key, role=SERVICE_ROLE)),
    }
    if intent.records:
        params["DnsConfig"] = {
            "RoutingPolicy": intent.routing,
            "DnsRecords": dns_records(intent.records),
        }
    elif namespace.type != "HTTP":
        params["Type"] = "HTTP"  # instances that only the API finds
    if intent.mode != "Alias":
        params["HealthCheckCustomConfig"] = {"FailureThreshold": 1}
    return Action(
        service="servicediscovery",
        operation="CreateService",
        params=params,
        subject=f"Cloud Map service {intent.service} in namespace {namespace.name}",
        reason="the route's discovery asks for it, and it does not exist",
        outputs={"service-id": "Service.Id", "service-arn": "Service.Arn"},
    )


def update_service(service: ServiceFacts, records: Sequence[DnsRecord]) -> Action:
    """Return the change of the records' TTLs; a record that is left out would be deleted (UpdateService)."""
    wanted = {record.type: record.ttl for record in records}
    told = ", ".join(
        f"{record.type} {record.ttl} s → {wanted[record.type]} s"
        for record in service.records
        if record.ttl != wanted[record.type]
    )
    return Action(
        service="servicediscovery",
        operation="UpdateService",
        params={"Id": service.id, "Service": {"DnsConfig": {"DnsRecords": dns_records(records)}}},
        subject=f"Cloud Map service {service.name}",
        reason=f"TTL {told}",
        outputs={"operation:service": "OperationId"},
        already=frozenset({"DuplicateRequest"}),
    )


def delete_service(service: ServiceFacts) -> Action:
    """Return the deletion of a service of the route without instances."""
    return Action(
        service="servicediscovery",
        operation="DeleteService",
        params={"Id": service.id},
        subject=f"Cloud Map service {service.name}",
        reason="the route's discovery no longer uses it",
        already=frozenset({"ServiceNotFound"}),
        priority=Priority.GARBAGE,
    )


def dns_records(records: Sequence[DnsRecord]) -> list[dict[str, Any]]:
    """Return records as AWS spells them, in one order."""
    return [{"Type": record.type, "TTL": record.ttl} for record in sorted(records, key=lambda r: r.type)]


def register(
    service: ServiceFacts, entry: Entry, pending: Pending, *, custom_health: bool, reason: str, urgent: bool
) -> Action:
    """Return the registration (an upsert) of an instance.

    The creator request id is one for each intention: sent again after a lost answer it is the same
    request, meant anew after a removal by hand it is another.
    """
    health = {INITIAL_HEALTH: "HEALTHY" if entry.healthy else "UNHEALTHY"} if custom_health else {}
    identity = short_hash(entry.id, repr(sorted(entry.attributes.items())), repr(pending.since), length=32)
    return _instance(
        "RegisterInstance",
        service,
        entry.id,
        reason=reason,
        urgent=urgent,
        more={"CreatorRequestId": f"sluice-{identity}", "Attributes": {**entry.attributes, **health}},
        outputs={f"operation:{short(entry.id)}": "OperationId"},
        already=frozenset({"DuplicateRequest"}),
    )


def deregister(service: ServiceFacts, instance: str, *, reason: str, urgent: bool = False) -> Action:
    """Return the removal of an instance."""
    return _instance(
        "DeregisterInstance",
        service,
        instance,
        reason=reason,
        urgent=urgent,
        outputs={f"operation:{short(instance)}": "OperationId"},
        already=frozenset({"DuplicateRequest", "InstanceNotFound"}),
    )


def set_health(service: ServiceFacts, instance: str, *, healthy: bool, reason: str, urgent: bool) -> Action:
    """Return the wish for a custom health, which clients see about 30 seconds later."""
    return _instance(
        "UpdateInstanceCustomHealthStatus",
        service,
        instance,
        reason=reason,
        urgent=urgent,
        more={"Status": "HEALTHY" if healthy else "UNHEALTHY"},
        outputs={f"health:{short(instance)}": _ANSWERED},
        already=frozenset({"InstanceNotFound"}),
    )


def _instance(
    operation: str,
    service: ServiceFacts,
    instance: str,
    *,
    reason: str,
    urgent: bool,
    outputs: Mapping[str, str],
    already: frozenset[str],
    more: Mapping[str, Any] | None = None,
) -> Action:
    return Action(
        service="servicediscovery",
        operation=operation,
        params={"ServiceId": service.id, "InstanceId": instance, **(more or {})},
        subject=f"instance {instance} of Cloud Map service {service.name}",
        reason=reason,
        outputs=outputs,
        already=already,
        priority=Priority.ROLLBACK if urgent else Priority.ROLLOUT,
        # One instance that AWS refuses keeps no other waiting.
        independent=True,
    )


def protect(tasks: Sequence[SeenTask], *, enabled: bool, reason: str) -> list[Action]:
    """Return the calls that protect tasks or give them back, at most ten tasks of one cluster each."""
    clusters: dict[str, list[SeenTask]] = {}
    for task in tasks:
        clusters.setdefault(task.cluster, []).append(task)
    expiry = {"expiresInMinutes": PROTECTION_MINUTES} if enabled else {}
    return [
        Action(
            service="ecs",
            operation="UpdateTaskProtection",
            params={
                "cluster": cluster,
                "tasks": [task.arn for task in some],
                "protectionEnabled": enabled,
                **expiry,
            },
            subject=f"{len(some)} task{'s' if len(some) > 1 else ''} in cluster {cluster}",
            reason=reason,
            outputs={f"{REFUSED}{some[0].id}": "failures[].arn || `[]`"} if enabled else {},
            independent=not enabled,
        )
        for cluster, members in sorted(clusters.items())
        for start in range(0, len(members), TASKS_A_CALL)
        if (some := members[start : start + TASKS_A_CALL])
    ]
