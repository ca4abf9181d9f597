"""Instances of Cloud Map as Sluice registers them: ids, attributes, and whose an instance is.

An instance has no tags, so two attributes prove that it is ours; nothing without them is ever written.
Keys and limits: botocore, RegisterInstance (Attributes, InstanceId).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from sluice.model.discovery import (
    INSTALLATION_ATTRIBUTE,
    REVISION_ATTRIBUTE,
    ROUTE_ATTRIBUTE,
    SLOT_ATTRIBUTE,
    ZONE_ATTRIBUTE,
    AliasTarget,
    DiscoveryIntent,
    DnsRecord,
    Instance,
    SeenTask,
)
from sluice.model.keys import Key
from sluice.plan.discovery.memory import INSTANCE_PREFIX

ALIAS: Final = "AWS_ALIAS_DNS_NAME"
INITIAL_HEALTH: Final = "AWS_INIT_HEALTH_STATUS"
IPV4: Final = "AWS_INSTANCE_IPV4"
IPV6: Final = "AWS_INSTANCE_IPV6"
PORT: Final = "AWS_INSTANCE_PORT"
ECS_SERVICE: Final = "ECS_SERVICE_NAME"
"""An attribute of the instances that ECS registers (ECS guide, "Service discovery")."""
MAX_CHARACTERS: Final = 5_000
"""Keys and values of an instance together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An instance that a name is to answer with."""

    id: str
    attributes: Mapping[str, str]
    """Without the initial health."""
    healthy: bool = True
    task: SeenTask | None = None
    """None for a load balancer."""


def instance_id(task_id: str) -> str:
    """Return the instance id of a task."""
    return INSTANCE_PREFIX + task_id


def task_entry(task: SeenTask, intent: DiscoveryIntent, *, installation: str, key: Key) -> Entry:
    """Return the entry of a task; what is ours wins over attributes of the spec."""
    own = {
        IPV4: task.ipv4,
        IPV6: task.ipv6,
        PORT: str(task.port) if task.port else "",
        ZONE_ATTRIBUTE: task.zone,
        REVISION_ATTRIBUTE: task.revision,
        SLOT_ATTRIBUTE: task.slot,
    }
    present = {name: value for name, value in own.items() if value}
    attributes = {**intent.attributes, **present, **owner(installation, key)}
    return Entry(id=instance_id(task.id), attributes=attributes, healthy=task.healthy, task=task)


def alias_entry(target: AliasTarget, intent: DiscoveryIntent, *, installation: str, key: Key) -> Entry:
    """Return the entry of a load balancer, which may have no AWS_INSTANCE_* attribute."""
    attributes = {**intent.attributes, ALIAS: target.dns_name, **owner(installation, key)}
    return Entry(id=f"{INSTANCE_PREFIX}lb-{target.name}", attributes=attributes)


def owner(installation: str, key: Key) -> dict[str, str]:
    """Return the attributes that prove that an instance is the route's."""
    return {INSTALLATION_ATTRIBUTE: installation, ROUTE_ATTRIBUTE: f"{key.namespace}/{key.name}"}


def is_ours(instance: Instance, *, installation: str, key: Key) -> bool:
    """Tell whether the route registered an instance."""
    return owner(installation, key).items() <= instance.attributes.items()


def is_claimed(instance: Instance) -> bool:
    """Tell whether some route of some installation registered an instance."""
    return INSTALLATION_ATTRIBUTE in instance.attributes or ROUTE_ATTRIBUTE in instance.attributes


def is_alias(instance: Instance) -> bool:
    """Tell whether an instance is a load balancer."""
    return ALIAS in instance.attributes


def differences(instance: Instance, entry: Entry) -> tuple[str, ...]:
    """Return the attributes that differ, sorted; the initial health says nothing about now."""
    seen = {name: value for name, value in instance.attributes.items() if name != INITIAL_HEALTH}
    names = seen.keys() | entry.attributes.keys()
    return tuple(sorted(name for name in names if seen.get(name) != entry.attributes.get(name)))


def lacking(task: SeenTask, records: Iterable[DnsRecord]) -> str:
    """Return what a task lacks to be registered in a service with `records`, '' where nothing.

    A record needs its attribute (botocore: RegisterInstance, AWS_INSTANCE_IPV4 …). Without DNS an address
    is what clients look for all the same.
    """
    types = {record.type for record in records}
    if "A" in types and not task.ipv4:
        return "an IPv4 address"
    if "AAAA" in types and not task.ipv6:
        return "an IPv6 address"
    if "SRV" in types and not task.port:
        return "a port"
    return "" if task.ipv4 or task.ipv6 else "an address"


def too_long(entry: Entry) -> bool:
    """Tell whether AWS would refuse the entry's attributes for their length."""
    return sum(len(name) + len(value) for name, value in entry.attributes.items()) > MAX_CHARACTERS
