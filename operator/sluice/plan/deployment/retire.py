"""Ends services that were replaced, and gives back task definitions beyond the history limit.

An old service goes only after its successor carries the load: complete, and every running task's
address seen healthy in every target group that both share (rollout.md §7 point 3: AWS is asked, status
alone is no proof).
"""

from __future__ import annotations

from collections.abc import Sequence

from sluice.model.actions import Action
from sluice.model.binding import Priority
from sluice.model.desired import Desired
from sluice.model.observed import Observed, ServiceId
from sluice.plan.deployment import history
from sluice.plan.deployment import service as ecs
from sluice.plan.deployment.state import Slot, State, TargetGroup


def carries_load(
    observed: Observed, groups: Sequence[TargetGroup], *, running: int, retiring: Sequence[Slot]
) -> bool:
    """Tell whether the slot's tasks serve: seen healthy wherever they are targets.

    Tasks without an address of their own are targets by their instance and port, which nothing tells apart
    from those of the services that were replaced: as many are healthy as run in all of them.
    """
    arns = [group.arn for group in groups if group.arn]
    if not arns or not (running or observed.addresses):
        return True  # a service scaled to 0 has nothing to prove
    if observed.addresses is None:
        return False
    seen = [observed.healthy.get(arn, frozenset()) for arn in arns]
    if observed.addresses:
        return all(observed.addresses <= {target.partition(":")[0] for target in healthy} for healthy in seen)
    services = (observed.services.get(ServiceId(slot.cluster, slot.service_name)) or {} for slot in retiring)
    beside = sum(
        int(service.get("runningCount", 0)) for service in services if service.get("status") == "ACTIVE"
    )
    return all(len(healthy) >= running + beside for healthy in seen)


def retire(retiring: tuple[Slot, ...], observed: Observed, *, successor: str) -> tuple[Action, ...]:
    """Return the deletions of retiring services that are still ACTIVE."""
    actions = []
    for slot in retiring:
        service = observed.services.get(ServiceId(slot.cluster, slot.service_name))
        if service and service.get("status") == "ACTIVE":
            actions.append(ecs.delete(slot, reason=f"{successor} has replaced it"))
    return tuple(actions)


def garbage(desired: Desired, state: State) -> tuple[Action, ...]:
    """Return DeregisterTaskDefinition for definitions beyond the limit, one a pass.

    Register and Deregister share a bucket of one a second, so this waits for spare tokens
    (Priority.GARBAGE) and never takes many at once.
    """
    needed = {desired.revision.definition_hash}
    for slot in (state.slot, *state.retiring):
        if slot:
            needed.add(slot.task_definition)
    if state.live:
        needed.add(state.live.task_definition)
    return beyond_limit(desired, state.definitions, needed=frozenset(needed))


def beyond_limit(
    desired: Desired, definitions: Sequence[tuple[str, str]], *, needed: frozenset[str]
) -> tuple[Action, ...]:
    """Return DeregisterTaskDefinition for the oldest definition beyond the limit; `needed` as in history.

    One that came with an adopted service is of somebody else's family, and stays.
    """
    own = [entry for entry in definitions if entry[1].rpartition("/")[2].rpartition(":")[0] == desired.family]
    surplus = history.surplus_definitions(own, needed=needed, limit=desired.history_limit)
    return tuple(
        deregister(arn, reason="beyond spec.revisionHistoryLimit", priority=Priority.GARBAGE)
        for arn in surplus[:1]
    )


def deregister(arn: str, *, reason: str, priority: Priority) -> Action:
    """Return DeregisterTaskDefinition; running tasks are not affected (ECS API)."""
    return Action(
        service="ecs",
        operation="DeregisterTaskDefinition",
        params={"taskDefinition": arn},
        subject=f"task definition {arn.rpartition('/')[2]}",
        reason=reason,
        priority=priority,
        already=frozenset({"InvalidParameterException"}),
    )
