"""The namespace and the Cloud Map service: found, made, kept as the spec says, and never taken over.

| seen                                    | decided                                                          |
|-----------------------------------------|------------------------------------------------------------------|
| no namespace, `create`                  | created (asynchronous), waited for                               |
| no namespace, only referred to          | Problem: it must exist                                           |
| namespace without DNS, records wanted   | Problem; a service that is there goes on                         |
| no service                              | created with the route's tags                                    |
| a service that is not the route's       | Problem OwnershipConflict; nothing in it is touched              |
| other TTLs                              | UpdateService                                                    |
| other record types or routing           | Problem: AWS never changes them; the entries go on as they are   |
| no custom health, tasks to be registered| fine: entries leave by deregistration alone                      |
| gone, though it was there               | made again, told as drift                                        |

A namespace belongs to the installation, not to a route: several routes share it, and it goes with the
last of them, if Sluice made it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from sluice.model.actions import Action, Note
from sluice.model.discovery import DiscoveryFacts, DiscoveryIntent, DnsRecord, NamespaceFacts, ServiceFacts
from sluice.model.keys import Key
from sluice.model.ownership import INSTALLATION, NAME, NAMESPACE, ROLE, ownership
from sluice.plan.discovery import writes
from sluice.plan.discovery.entries import ECS_SERVICE
from sluice.plan.discovery.ledger import Ledger
from sluice.plan.discovery.memory import Memory
from sluice.plan.discovery.problem import Problem

LOOK_AGAIN: Final = 2.0
"""Seconds between looks at an operation of a namespace or service."""
SEEN_AGAIN: Final = 60.0
"""Seconds between looks at what somebody else has to make or give free."""
SETTLE: Final = 10.0
"""Seconds in which a namespace may still count a service that was deleted (an assumption)."""
ATTEMPTS: Final = 5
"""After so many failed deletions a namespace is left."""


@dataclass(slots=True)
class Place:
    """What was decided about the place; `usable` says whether instances can be dealt with."""

    memory: Memory
    actions: list[Action] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    problem: Problem | None = None
    usable: bool = False
    moving: bool = False
    finished: bool = False


def decide_place(
    key: Key,
    intent: DiscoveryIntent,
    facts: DiscoveryFacts,
    *,
    installation: str,
    memory: Memory,
    ledger: Ledger,
) -> Place:
    """Return what to do about namespace and service so that instances have a place."""
    place = Place(memory=memory)
    if facts.namespace is None:
        _need_namespace(place, intent, installation=installation, ledger=ledger)
        return place
    namespace = facts.namespace
    place.memory = replace(
        memory, namespace=namespace.name, namespace_id=namespace.id, namespace_arn=namespace.arn
    )
    _done(ledger, "namespace")
    if facts.service is None:
        _need_service(place, key, intent, namespace, installation=installation, ledger=ledger)
        return place
    service = facts.service
    if ownership(service.tags, installation, key) != "ours":
        place.problem = _not_ours(service, namespace)
        ledger.wakes.append(ledger.now + SEEN_AGAIN)
        return place
    place.usable = True
    place.memory = replace(
        place.memory,
        service_id=service.id,
        registry_arn=service.arn if intent.mode == "ECS" or memory.registry_arn else "",
    )
    _keep_settings(place, intent, service, ledger=ledger)
    return place


def _done(ledger: Ledger, target: str) -> None:
    """Forget what failed or is under way for something that is there."""
    ledger.failing.pop(target, None)
    pending = ledger.operations.get(target)
    if pending and pending.kind == "namespace":
        del ledger.operations[target]


def _wait(place: Place, ledger: Ledger) -> None:
    place.moving = True
    ledger.wakes.append(ledger.now + LOOK_AGAIN)


def _need_namespace(place: Place, intent: DiscoveryIntent, *, installation: str, ledger: Ledger) -> None:
    wish, memory = intent.namespace, place.memory
    if wish.create is None:
        place.problem = Problem(
            reason="InvalidSpec",
            message=f"spec.discovery.namespaceRef: Cloud Map namespace {wish.name or wish.id} does not exist "
            "in this account and region; "
            + (
                "create it, or let Sluice do so with namespaceRef.create"
                if wish.name
                else "name one that does by its id, or by its name"
            ),
        )
        ledger.wakes.append(ledger.now + SEEN_AGAIN)
        return
    _wait(place, ledger)
    if memory.namespace_id:
        text = f"namespace {memory.namespace} was deleted by somebody else; created again"
        place.notes.append(Note(type="Warning", reason="DriftRepaired", message=text))
        place.memory = memory = replace(
            memory, namespace_id="", namespace_arn="", service_id="", registry_arn="", makes=memory.makes + 1
        )
        _forget_instances(ledger)
    pending = ledger.operations.get("namespace")
    if (pending and pending.id) or ledger.waits("namespace"):
        return
    if "namespace" in ledger.failing:  # the failed request's id would give the failed operation again
        place.memory = replace(memory, makes=memory.makes + (0 if pending else 1))
    ledger.mean("namespace", "namespace")
    place.memory = replace(place.memory, namespace=wish.name)
    place.actions.append(
        writes.create_namespace(intent, installation=installation, makes=place.memory.makes, vpc=wish.vpc)
    )


def _forget_instances(ledger: Ledger) -> None:
    """Forget operations on instances of a service that no longer exists; tasks are still to be given back."""
    for target in [
        one.target for one in ledger.operations.values() if one.kind in ("register", "deregister")
    ]:
        del ledger.operations[target]
        ledger.failing.pop(target, None)


def _need_service(
    place: Place,
    key: Key,
    intent: DiscoveryIntent,
    namespace: NamespaceFacts,
    *,
    installation: str,
    ledger: Ledger,
) -> None:
    memory = place.memory
    if intent.records and namespace.type == "HTTP":
        place.problem = Problem(
            reason="InvalidSpec",
            message=f"spec.discovery.dns: namespace {namespace.name} is of type HTTP and has no DNS; "
            "remove dns, or refer to a namespace with DNS",
        )
        return
    if not intent.records and intent.mode == "Alias":
        place.problem = Problem(
            reason="InvalidSpec",
            message="spec.discovery.dns: mode Alias needs a record of type A or AAAA in a namespace with DNS",
        )
        return
    _wait(place, ledger)
    if memory.service_id:
        what = f"Cloud Map service {intent.service} of {namespace.name}"
        text = f"{what} was deleted by somebody else; created again"
        place.notes.append(Note(type="Warning", reason="DriftRepaired", message=text))
        place.memory = memory = replace(memory, service_id="", registry_arn="", makes=memory.makes + 1)
        _forget_instances(ledger)
    place.actions.append(
        writes.create_service(key, intent, namespace, installation=installation, makes=memory.makes)
    )


def _not_ours(service: ServiceFacts, namespace: NamespaceFacts) -> Problem:
    tags = service.tags
    owner = "nobody that Sluice knows"
    if INSTALLATION in tags:
        owner = f"{tags.get(NAMESPACE, '?')}/{tags.get(NAME, '?')} of installation {tags[INSTALLATION]}"
    return Problem(
        reason="OwnershipConflict",
        message=f"spec.discovery.serviceName: Cloud Map service {service.name} of namespace {namespace.name} "
        f"belongs to {owner}; choose another serviceName, or delete {service.arn}",
    )


def _keep_settings(place: Place, intent: DiscoveryIntent, service: ServiceFacts, *, ledger: Ledger) -> None:
    """Bring the TTLs to what the spec says, and tell what AWS cannot change."""
    place.problem = _unchangeable(intent, service)
    ttls = {record.type: record.ttl for record in intent.records}
    wanted = tuple(DnsRecord(type=r.type, ttl=ttls.get(r.type, r.ttl)) for r in service.records)
    if sorted(wanted, key=_type) == sorted(service.records, key=_type):
        pending = ledger.operations.get("service")
        if pending and not pending.id:
            del ledger.operations["service"]
        return
    _wait(place, ledger)
    pending = ledger.operations.get("service")
    if (pending and pending.id) or ledger.waits("service"):
        return
    ledger.mean("service", "service")
    action = writes.update_service(service, wanted)
    place.actions.append(action)
    if place.memory.settled:
        what = f"Cloud Map service {service.name}"
        text = f"{what} had other DNS settings than the spec; repaired: {action.reason}"
        place.notes.append(Note(type="Warning", reason="DriftRepaired", message=text))


def _type(record: DnsRecord) -> str:
    return record.type


def _unchangeable(intent: DiscoveryIntent, service: ServiceFacts) -> Problem | None:
    wants, has = {r.type for r in intent.records}, {r.type for r in service.records}
    told = []
    if wants != has:
        told.append(f"its DNS records are {_listed(has)}, not {_listed(wants)}")
    if wants & has and service.routing and intent.routing != service.routing:
        told.append(f"its routing policy is {service.routing}, not {intent.routing}")
    if not told:
        return None
    return Problem(
        reason="AWSRejected",
        message=f"spec.discovery.dns: AWS never changes this of Cloud Map service {service.name}: "
        f"{'; '.join(told)}; choose another serviceName for the new settings, or go back to the old ones. "
        "Until then the name goes on as it is",
    )


def _listed(types: Iterable[str]) -> str:
    return " and ".join(sorted(types)) or "none"


def remove_place(
    key: Key, facts: DiscoveryFacts, *, installation: str, memory: Memory, ledger: Ledger, empty: bool
) -> Place:
    """Return the removal of service and namespace once no entry of ours is left (`empty`)."""
    place = Place(memory=replace(memory, registry_arn=""))
    if not empty:
        place.moving = True
        return place
    if facts.service is not None and ownership(facts.service.tags, installation, key) == "ours":
        _remove_service(place, facts, ledger)
        if place.moving:
            return place
    _remove_namespace(place, facts, installation=installation, ledger=ledger)
    return place


def _remove_service(place: Place, facts: DiscoveryFacts, ledger: Ledger) -> None:
    assert facts.service is not None  # noqa: S101 - asked by the caller
    registered = facts.registered
    if registered is None:
        _wait(place, ledger)
    elif not registered:
        _wait(place, ledger)
        ledger.mean("service-deletion", "service")
        place.actions.append(writes.delete_service(facts.service))
    elif by_ecs := sum(ECS_SERVICE in instance.attributes for instance in registered.values()):
        place.moving = True
        ledger.wakes.append(ledger.now + LOOK_AGAIN)
        place.problem = Problem(
            reason="InUse",
            message=f"Cloud Map service {facts.service.name} still has {by_ecs} entries of ECS; "
            "it is deleted when the ECS service no longer registers in it",
        )
    else:
        text = (
            f"Cloud Map service {facts.service.name} stays: it has {len(registered)} instances that Sluice "
            f"did not register; delete {facts.service.arn} when they are no longer needed"
        )
        place.notes.append(Note(type="Warning", reason="ServiceLeft", message=text))


def _remove_namespace(place: Place, facts: DiscoveryFacts, *, installation: str, ledger: Ledger) -> None:
    namespace = facts.namespace
    deletion = ledger.operations.get("service")
    if deletion and deletion.kind == "service-deletion" and ledger.now - deletion.since < SETTLE:
        _wait(place, ledger)  # the namespace's count of services may be from before
        if namespace is not None and namespace.services:
            return
    if namespace is None or not is_our_namespace(namespace, installation) or namespace.services != 0:
        place.finished = True
        return
    if ledger.failures("namespace") >= ATTEMPTS:
        what = f"namespace {namespace.name} could not be deleted and stays"
        text = f"{what}: {ledger.failure}; delete {namespace.arn}"
        place.notes.append(Note(type="Warning", reason="NamespaceLeft", message=text))
        place.finished = True
        return
    _wait(place, ledger)
    pending = ledger.operations.get("namespace")
    if (pending and pending.id) or ledger.waits("namespace"):
        return
    ledger.mean("namespace-deletion", "namespace")
    place.actions.append(writes.delete_namespace(namespace))


def is_our_namespace(namespace: NamespaceFacts, installation: str) -> bool:
    """Tell whether this installation of Sluice made a namespace."""
    tags = namespace.tags
    return tags.get(INSTALLATION) == installation and tags.get(ROLE) == writes.NAMESPACE_ROLE
