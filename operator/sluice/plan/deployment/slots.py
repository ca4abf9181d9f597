"""Which ECS service is the slot's, which are on their way out, and what names are still taken.

A service's name is fixed by (slot, ordinal). The next ordinal is used when a create-only setting or the
cluster changed, when the name is still taken by a DRAINING service (it keeps its name and cannot be
brought back), and when a lost status makes us find what is there. Ordinals go round from 1 to SEARCHED,
so that after any number of replacements a lost status is found again by looking at these few names.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sluice.model.actions import Note
from sluice.model.desired import Desired
from sluice.model.keys import Key
from sluice.model.names import service_name
from sluice.model.observed import Observed, ServiceId, Structure
from sluice.plan.deployment import adoption
from sluice.plan.deployment import service as ecs
from sluice.plan.deployment.progress import epoch
from sluice.plan.deployment.state import Slot, State

SEARCHED: Final = 5  # ordinals there are, and that are looked for when the status was lost


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """The slot of this pass."""

    slot: Slot
    service: Structure | None
    """Its service, None when it has to be created."""
    retiring: tuple[Slot, ...]
    notes: tuple[Note, ...] = ()


NAMES: Final[tuple[str, ...]] = ("a", "b")
"""The slots of a Deployment; a rolling one has one of them."""


def candidates(
    installation: str, desired: Desired, state: State, *, lost: bool, clusters: Sequence[str] = ()
) -> tuple[ServiceId, ...]:
    """Return the services to look at: the known ones, or the likely names when the status was lost.

    `clusters` are where it may have been then, beside the spec's: it may have moved since. And the one to
    take over, as long as there is no slot.
    """
    known = [ServiceId(slot.cluster, slot.service_name) for slot in (*state.slots, *state.retiring)]
    if lost and not known:
        known = likely(installation, desired.key, clusters=(desired.cluster, *clusters))
    adopted = adoption.place(desired)
    if adopted and state.slot is None and adopted not in known:
        known.append(adopted)
    return tuple(known)


def choose(desired: Desired, state: State, observed: Observed) -> Slots:
    """Return the slot and what is retiring; raises Refused on a service that is not ours."""
    slot, retiring = state.slot, state.retiring
    if slot is None:
        slot, retiring = find(desired, observed, *NAMES)
    return examine(desired, slot, retiring, observed)


def examine(desired: Desired, slot: Slot, retiring: tuple[Slot, ...], observed: Observed) -> Slots:
    """Return what has become of a slot's service; raises Refused on one that is not ours."""
    service = observed.services.get(ServiceId(slot.cluster, slot.service_name))
    if service is None:
        if not slot.service_arn and slot.cluster != desired.cluster:
            return Slots(slot=numbered(desired, slot.name, slot.ordinal), service=None, retiring=retiring)
        notes = (
            (_deleted(slot, "was deleted by somebody else and is created again"),) if slot.service_arn else ()
        )
        return Slots(slot=_bare(slot), service=None, retiring=retiring, notes=notes)
    if service.get("status") == "DRAINING":
        # Deleted by hand, or by a deletion that a restored object undid: its name stays taken.
        note = _deleted(slot, "is being deleted; its successor is created")
        return Slots(
            slot=numbered(desired, slot.name, _next(slot, retiring)),
            service=None,
            retiring=retiring,
            notes=(note,),
        )
    ecs.check_ours(desired, service)
    why = ecs.replaced_by(desired, slot, service)
    if why and not desired.paused:
        note = Note(
            type="Normal",
            reason="ServiceReplaced",
            message=f"ECS service {slot.service_name} is replaced: {why}",
        )
        return Slots(
            slot=numbered(desired, slot.name, _next(slot, retiring)),
            service=None,
            retiring=(*retiring, seen(slot, service)),
            notes=(note,),
        )
    return Slots(slot=seen(slot, service), service=service, retiring=retiring)


def _deleted(slot: Slot, what: str) -> Note:
    return Note(type="Warning", reason="ServiceReplaced", message=f"ECS service {slot.service_name} {what}")


def seen(slot: Slot, service: Structure) -> Slot:
    """Return the slot with what DescribeServices told; `revision` is decided elsewhere."""
    providers = [entry["capacityProvider"] for entry in service.get("capacityProviderStrategy") or ()]
    return dataclasses.replace(
        slot,
        service_arn=service.get("serviceArn", ""),
        task_definition=service.get("taskDefinition", ""),
        desired=int(service.get("desiredCount", 0)),
        running=int(service.get("runningCount", 0)),
        deployment_id=str(ecs.primary(service).get("id", "")),
        launch_type=",".join(providers) or str(service.get("launchType", "")),
    )


def remaining(
    desired: Desired, retiring: tuple[Slot, ...], services: Mapping[ServiceId, Structure | None]
) -> tuple[tuple[Slot, ...], tuple[Note, ...]]:
    """Return the retiring services that still exist, with fresh counts, and what to tell.

    One without our tags was given to somebody else meanwhile: it is not ours to delete.
    """
    found: list[Slot] = []
    notes: list[Note] = []
    for slot in retiring:
        key = ServiceId(slot.cluster, slot.service_name)
        service = services.get(key)
        if key not in services:
            found.append(slot)
        elif service and service.get("status") == "ACTIVE" and not ecs.ours(desired, service):
            text = "does not carry this Deployment's sluice.dev tags any more and is left alone"
            notes.append(_deleted(slot, text))
        elif service:
            found.append(seen(slot, service))
    return tuple(found), tuple(notes)


def find(desired: Desired, observed: Observed, *names: str) -> tuple[Slot, tuple[Slot, ...]]:
    """Find the service of a new object or a lost status among those that slots `names` may have.

    The newest active one of ours counts, the others are to retire; without any it is a new one of the
    first name, under an ordinal that is free.
    """
    active: list[tuple[float, Slot]] = []
    free: list[int] = []
    for name in names:
        for number in range(1, SEARCHED + 1):
            slot = numbered(desired, name, number)
            service = observed.services.get(ServiceId(slot.cluster, slot.service_name))
            if service is None:
                free += [number] if name == names[0] else []
            elif service.get("status") == "ACTIVE":
                ecs.check_ours(desired, service)
                active.append((_made(service), seen(slot, service)))
    active += _elsewhere(desired, observed, names, known={slot.service_arn for _, slot in active})
    adopted = adoption.place(desired) if NAMES[0] in names else None
    service = observed.services.get(adopted) if adopted else None
    if service and service.get("status") == "ACTIVE" and adopted not in {_place(slot) for _, slot in active}:
        ecs.check_ours(desired, service)
        slot = adoption.slot(desired)
        active.append((_made(service), seen(slot, service)))
    if active:
        ordered = [
            slot for _, slot in sorted(active, key=lambda entry: (entry[0], entry[1].name, entry[1].ordinal))
        ]
        return ordered[-1], tuple(ordered[:-1])
    return numbered(desired, names[0], free[0] if free else SEARCHED + 1), ()


def likely(installation: str, key: Key, *, clusters: Sequence[str]) -> list[ServiceId]:
    """Return what a Deployment's services may be called in these clusters, for want of a status."""
    return [
        ServiceId(cluster, service_name(installation, key, slot=name, ordinal=number))
        for cluster in dict.fromkeys(clusters)
        for name in NAMES
        for number in range(1, SEARCHED + 1)
    ]


def _elsewhere(
    desired: Desired, observed: Observed, names: Sequence[str], *, known: set[str]
) -> list[tuple[float, Slot]]:
    """Return our active services in clusters that the spec does not name any more (`candidates`).

    The same cluster may be called by its name here and by its ARN there: `known` are services found already.
    """
    found: list[tuple[float, Slot]] = []
    for place, service in sorted(observed.services.items()):
        if place.cluster == desired.cluster or not service or service.get("status") != "ACTIVE":
            continue
        likely_slots = (
            numbered(desired, name, number) for name in names for number in range(1, SEARCHED + 1)
        )
        slot = next((slot for slot in likely_slots if slot.service_name == place.name), None)
        if slot is None or service.get("serviceArn") in known or not ecs.ours(desired, service):
            continue  # given to somebody else meanwhile; in another cluster it is in nobody's way
        ecs.check_driver(service)
        known.add(str(service.get("serviceArn")))
        slot = dataclasses.replace(slot, cluster=place.cluster)
        found.append((_made(service), seen(slot, service)))
    return found


def _made(service: Structure) -> float:
    return epoch(service.get("createdAt")) or 0.0


def _place(slot: Slot) -> ServiceId:
    return ServiceId(slot.cluster, slot.service_name)


def _next(slot: Slot, retiring: tuple[Slot, ...]) -> int:
    """Return the ordinal after a slot's, skipping those of services on their way out."""
    taken = {slot.ordinal, *(other.ordinal for other in retiring)}
    for step in range(SEARCHED):
        number = (slot.ordinal + step) % SEARCHED + 1
        if number not in taken:
            return number
    return max(taken) + 1


def numbered(desired: Desired, name: str, number: int) -> Slot:
    """Return slot `name` with the service of this ordinal, of which nothing is known."""
    return Slot(
        name=name,
        ordinal=number,
        cluster=desired.cluster,
        service_name=service_name(desired.installation, desired.key, slot=name, ordinal=number),
    )


def _bare(slot: Slot) -> Slot:
    """Forget what the status knew of a service that is gone, but for the count that it had."""
    return Slot(
        name=slot.name,
        ordinal=slot.ordinal,
        cluster=slot.cluster,
        service_name=slot.service_name,
        desired=slot.desired,
    )
