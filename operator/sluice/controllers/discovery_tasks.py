"""From ECS's own words to the tasks and slots that discovery decides on. Pure.

What a task's port is called is read from its own task definition, because a spec that has moved on says
nothing about the tasks of the revision before. Sources: botocore's Task, Container, TaskDefinition, Service.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sluice.model.discovery import SeenTask, SlotWish
from sluice.model.ownership import REVISION, from_ecs
from sluice.plan.deployment.progress import epoch
from sluice.plan.deployment.service import primary

Structure = Mapping[str, Any]
FINE: Final = frozenset({"healthy", "unused"})
"""States of targets that say nothing against a task: `unused` is a target group that no rule names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotSeen:
    """One ECS service of a Deployment, as far as it was read."""

    name: str
    """Its slot."""
    service: Structure
    tasks: Sequence[Structure]
    definitions: Mapping[str, Structure]
    """Task definitions by ARN."""
    protected: Mapping[str, float]
    """Task ARN → until when, epoch seconds."""
    targets: Mapping[str, Mapping[str, str]]
    """Target group ARN → address → state."""


def wish_of(name: str, service: Structure) -> SlotWish:
    """Return what ECS is to keep of a slot's tasks (defaults: 100 and 200 percent, CreateService)."""
    desired = int(service.get("desiredCount", 0))
    limits = service.get("deploymentConfiguration") or {}
    return SlotWish(
        slot=name,
        desired=desired,
        revision=_revision(service, ""),
        minimum_healthy=math.ceil(desired * int(limits.get("minimumHealthyPercent", 100)) / 100),
        maximum=desired * int(limits.get("maximumPercent", 200)) // 100,
        deployment=str(primary(service).get("id", "")),
    )


def tasks_of(seen: SlotSeen, *, ports: Sequence[str], backend: str) -> Iterable[SeenTask]:
    """Return the slot's tasks; the first of `ports` (names or numbers) that a container has is theirs."""
    for task in seen.tasks:
        definition = seen.definitions.get(str(task.get("taskDefinitionArn")), {})
        ipv4, ipv6 = addresses(task)
        arn = str(task["taskArn"])
        yield SeenTask(
            id=arn.rsplit("/", 1)[-1],
            arn=arn,
            cluster=str(task.get("clusterArn", "")),
            slot=seen.name,
            revision=_revision(task, _revision(seen.service, ""), service=seen.service),
            ipv4=ipv4,
            ipv6=ipv6,
            port=port_of(task, definition, ports),
            zone=str(task.get("availabilityZone", "")),
            running=is_running(task),
            healthy=is_healthy(task, definition, seen.targets),
            started_at=epoch(task.get("startedAt")) or 0.0,
            protected_until=seen.protected.get(arn, 0.0),
            deployment=str(task.get("startedBy", "")),
            backend=backend,
        )


def is_running(task: Structure) -> bool:
    """Tell whether a task runs and is to go on running."""
    return task.get("lastStatus") == "RUNNING" and task.get("desiredStatus") == "RUNNING"


def is_healthy(task: Structure, definition: Structure, targets: Mapping[str, Mapping[str, str]]) -> bool:
    """Tell whether requests may go to a task: its containers and its targets say so.

    healthStatus is UNKNOWN where no container has a check, and also before the first check has ended
    (botocore, Task.healthStatus); the definition tells the two apart.
    """
    if not is_running(task):
        return False
    checked = any(container.get("healthCheck") for container in definition.get("containerDefinitions", ()))
    health = task.get("healthStatus", "UNKNOWN")
    if health == "UNHEALTHY" or (checked and health != "HEALTHY"):
        return False
    known = set(addresses(task))
    states = [
        next((state for address, state in group.items() if address in known), "missing")
        for group in targets.values()
    ]
    return all(state in FINE for state in states)


def addresses(task: Structure) -> tuple[str, str]:
    """Return IPv4 and IPv6 address of a task's network interface, '' for what it has not."""
    found = [
        interface
        for container in task.get("containers", ())
        for interface in container.get("networkInterfaces") or ()
    ]
    ipv4 = next((i["privateIpv4Address"] for i in found if i.get("privateIpv4Address")), "")
    ipv6 = next((i["ipv6Address"] for i in found if i.get("ipv6Address")), "")
    if not ipv4:  # containers may still be pulled while the interface is attached
        details = (
            detail
            for attachment in task.get("attachments", ())
            if attachment.get("type") == "ElasticNetworkInterface"
            for detail in attachment.get("details", ())
        )
        ipv4 = next((str(d["value"]) for d in details if d.get("name") == "privateIPv4Address"), "")
    return ipv4, ipv6


def port_of(task: Structure, definition: Structure, ports: Sequence[str]) -> int:
    """Return the port at which a task is reached; 0 where it has none of that name or number.

    In awsvpc a container's port is the task's; where the host's port differs, the binding tells it.
    """
    mappings = [
        mapping
        for container in definition.get("containerDefinitions", ())
        for mapping in container.get("portMappings") or ()
    ]
    for wanted in filter(None, ports):
        number = next(
            (
                int(mapping["containerPort"])
                for mapping in mappings
                if "containerPort" in mapping
                and wanted in (mapping.get("name"), str(mapping["containerPort"]))
            ),
            0,
        )
        if number:
            bindings = (b for c in task.get("containers", ()) for b in c.get("networkBindings") or ())
            return next((int(b["hostPort"]) for b in bindings if b.get("containerPort") == number), number)
    return 0


def _revision(thing: Structure, otherwise: str, *, service: Structure | None = None) -> str:
    """Return the revision that a service or task is tagged with.

    A task whose service does not hand its tags on has its service's where it runs that one's definition.
    """
    tagged = from_ecs(thing.get("tags") or ()).get(REVISION, "")
    if tagged:
        return tagged
    definition = str(thing.get("taskDefinitionArn") or thing.get("taskDefinition") or "")
    if otherwise and service is not None and definition == service.get("taskDefinition"):
        return otherwise
    return definition.rsplit("/", 1)[-1]
