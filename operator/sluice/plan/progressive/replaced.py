"""Which services that were replaced must still serve: deleting one ends its tasks at once.

A slot's service is replaced when a create-only setting changes. The idle slot's goes at once: no request
reaches it, and the next revision shares its target groups. But what is replaced may be what serves: a rolling
Deployment was at it when its strategy became Progressive, or a lost status was found again as two services.
That one stays until its successor runs all of its tasks, each is seen healthy in every target group of the
slot (rollout.md §7 point 3: AWS is asked), and names have settled. How many these are is what is ordered, and
no fewer than ECS was told: a successor whose count somebody took away replaces nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sluice.model.observed import Observed, ServiceId, Structure
from sluice.plan.deployment import discovery, retire
from sluice.plan.deployment.state import Slot, State, TargetGroup
from sluice.plan.progressive.facts import groups_of
from sluice.plan.progressive.look import Look


def serving(state: State) -> str:
    """Return the slot that requests reach, as far as status tells: the first one before anything was live."""
    if state.live:
        return state.live.slot
    return state.slot.name if state.slot else ""


def still_run(state: State, seen: Observed) -> tuple[Slot, ...]:
    """Return the services that were replaced where requests go, as long as they have tasks."""
    found = []
    for slot in state.retiring:
        service = seen.services.get(ServiceId(slot.cluster, slot.service_name)) or {}
        runs = service.get("status") == "ACTIVE" and int(service.get("runningCount", 0)) > 0
        if runs and slot.name == serving(state):
            found.append(slot)
    return tuple(found)


def needed(
    look: Look,
    state: State,
    successors: Mapping[str, Structure | None],
    listings: Sequence[discovery.Listing],
    *,
    count: int | None,
) -> tuple[Slot, ...]:
    """Return the retiring services that requests may still need.

    `successors` are the services by slot; `count` is how many tasks are ordered where requests go, None where
    somebody else says so in ECS.
    """
    old = still_run(state, look.observed)
    name = serving(state)
    successor = successors.get(name) or {}
    shall = max(int(successor.get("desiredCount", 0)), count or 0)
    if successor:
        goes = _carries(look, groups_of(state, name), successor, shall=shall, retiring=old)
    else:
        goes = count == 0
    return () if goes and not discovery.unsettled(listings, successor) else old


def _carries(
    look: Look, groups: Sequence[TargetGroup], service: Structure, *, shall: int, retiring: Sequence[Slot]
) -> bool:
    """Tell whether all tasks that a service shall have run, and serve wherever they are targets."""
    running = int(service.get("runningCount", 0))
    if running < shall:
        return False
    attached = {entry.get("targetGroupArn") for entry in service.get("loadBalancers") or ()}
    own = [group for group in groups if group.arn in attached]
    return retire.carries_load(look.observed, own, running=running, retiring=retiring)
