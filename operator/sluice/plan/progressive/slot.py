"""One slot's ECS service against its order: created, emptied before it changes revision, repaired, scaled.

| the service | order | what happens |
|---|---|---|
| is not there | some tasks of a revision | CreateService |
| runs the revision | any count | what differs is repaired, field by field; the count follows |
| runs another one, has tasks | another revision | desiredCount 0, and wait until the tasks are gone |
| is live, and runs another one | its revision | ECS replaces the tasks in place: never emptied |
| runs another one, is empty | another revision | the revision's tag, then UpdateService with the count |

A revision is given only to an empty slot, so no two revisions ever serve from one target group, and a
restart of equal settings needs no forced deployment. The machine orders it only on a slot without weight.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sluice.model.actions import Action, Ref
from sluice.model.desired import Desired
from sluice.model.observed import Structure
from sluice.model.ownership import REVISION
from sluice.model.rollout import SlotOrder
from sluice.plan.deployment import service as ecs
from sluice.plan.deployment.percentages import NO_ALARMS
from sluice.plan.deployment.state import Slot

CONFIGURATION: Final[Mapping[str, Any]] = {
    "alarms": NO_ALARMS,  # of a rolling Deployment that has become progressive, which has gates of its own
    # No rollback by ECS: in slots it could quietly put the revision before last back.
    "deploymentCircuitBreaker": {"enable": True, "rollback": False},
    "maximumPercent": 200,
    "minimumHealthyPercent": 100,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotPlan:
    """What becomes of a slot in this pass."""

    slot: Slot
    actions: tuple[Action, ...] = ()
    repaired: tuple[str, ...] = ()
    """Differences that nobody ordered: drift, for events."""
    message: str = ""
    """What it waits for."""


def body_of(
    desired: Desired, arn: str | Ref, *, balancers: list[dict[str, Any]] | None, count: int | None
) -> dict[str, Any]:
    """Return UpdateService's members of a slot; `balancers` None leaves them out of the comparison."""
    body = ecs.update_body(
        desired,
        task_definition=arn,
        load_balancers=balancers or [],
        deployment_configuration=CONFIGURATION,
        count=count,
    )
    if balancers is None:
        body.pop("loadBalancers", None)
    return body


def create(
    desired: Desired,
    slot: Slot,
    order: SlotOrder,
    arn: str | Ref,
    balancers: list[dict[str, Any]],
    attempt: str,
) -> SlotPlan:
    """Plan CreateService for a slot that has no service."""
    count = order.count if order.count is not None else 1
    body = body_of(desired, arn, balancers=balancers, count=None)
    action = ecs.create(desired, slot, body, count=count, attempt=attempt)
    return SlotPlan(
        slot=dataclasses.replace(slot, revision=""),
        actions=(action,),
        message=f"ECS service {slot.service_name} is created for revision {desired.revision.name}",
    )


def follow(
    desired: Desired,
    slot: Slot,
    service: Structure,
    order: SlotOrder,
    *,
    arn: str | Ref,
    balancers: list[dict[str, Any]],
    live: bool = False,
) -> SlotPlan:
    """Plan what a slot's service lacks; `desired.revision` is the one that it shall run.

    The `live` slot is never emptied, whatever it was given last (a rolling deployment that had not ended
    when the strategy changed): ECS replaces its tasks one by one.
    """
    name = desired.revision.name
    body = body_of(desired, arn, balancers=balancers, count=order.count)
    found = ecs.differences(service, body)
    changed = any(entry.of_revision for entry in found)
    tagged = ecs.tags_of(service).get(REVISION) == name
    if tagged and not changed:
        slot = dataclasses.replace(slot, revision=name)
    if slot.revision == name or live:
        return _keep(desired, slot, service, found, body)
    tasks = int(service.get("runningCount", 0)) + int(service.get("pendingCount", 0))
    wanted = int(service.get("desiredCount", 0))
    if tasks or wanted:
        return _empty(slot, name, tasks=tasks, wanted=wanted)
    tags = tuple(ecs.tag_actions(desired, slot, service))
    update = (ecs.update(slot, body, found, force=False, reason=f"revision {name}"),) if found else ()
    return SlotPlan(slot=slot, actions=(*tags, *update), message=f"slot {slot.name} gets revision {name}")


def only_count(slot: Slot, service: Structure, order: SlotOrder) -> SlotPlan:
    """Follow an order's count where the revision's body is not known or is to be left alone."""
    if order.count is None or order.count == int(service.get("desiredCount", 0)):
        return SlotPlan(slot=slot)
    return SlotPlan(slot=slot, actions=(_count(slot, service, order.count, order.reason),))


def _keep(
    desired: Desired,
    slot: Slot,
    service: Structure,
    found: tuple[ecs.Difference, ...],
    body: Mapping[str, Any],
) -> SlotPlan:
    tags = tuple(ecs.tag_actions(desired, slot, service))
    drift = tuple(entry.text for entry in found if entry.member != "desiredCount")
    update = (ecs.update(slot, body, found, force=_given_up(service, body)),) if found else ()
    return SlotPlan(slot=slot, actions=(*tags, *update), repaired=drift)


def _given_up(service: Structure, body: Mapping[str, Any]) -> bool:
    """Tell whether an empty slot is to run again what ECS's circuit breaker gave up (a retry).

    The deployment stays FAILED, and would be read as failed again, until another one takes its place.
    """
    left = int(service.get("runningCount", 0)) + int(service.get("pendingCount", 0))
    empty = not left and not int(service.get("desiredCount", 0))
    return empty and bool(body.get("desiredCount")) and ecs.primary(service).get("rolloutState") == "FAILED"


def _empty(slot: Slot, name: str, *, tasks: int, wanted: int) -> SlotPlan:
    action = Action(
        service="ecs",
        operation="UpdateService",
        params={"cluster": slot.cluster, "service": slot.service_name, "desiredCount": 0},
        subject=f"ECS service {slot.service_name} in cluster {slot.cluster}",
        reason=f"slot {slot.name} is emptied before it gets revision {name}",
        outputs={ecs.output_name(slot): "service"},
    )
    return SlotPlan(
        slot=slot,
        actions=(action,) if wanted else (),
        message=f"{tasks} tasks of slot {slot.name} stop before it gets revision {name}",
    )


def _count(slot: Slot, service: Structure, count: int, reason: str) -> Action:
    text = f"desiredCount {service.get('desiredCount')} → {count}"
    return Action(
        service="ecs",
        operation="UpdateService",
        params={"cluster": slot.cluster, "service": slot.service_name, "desiredCount": count},
        subject=f"ECS service {slot.service_name} in cluster {slot.cluster}",
        reason=f"{text}: {reason}" if reason else text,
        outputs={ecs.output_name(slot): "service"},
    )
