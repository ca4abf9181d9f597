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
from sluice.plan.deployment import discovery
from sluice.plan.deployment.state import Slot, State, TargetGroup
from sluice.plan.progressive.facts import groups_of
from sluice.plan.progressive.look import Look


def serving(state: State) -> str:
    """Return the slot that requests reach, as far as status tells: the first one before anything was live."""
    if state.live:
        return state.live.slot
    return state.slot.name if state.slot else ""


def still_run(state: State, seen: Observed) -> Mapping[Slot, int]:
    """Return the tasks of each service that was replaced where requests go, as long as it has any."""
    found: dict[Slot, int] = {}
    for slot in state.retiring:
        service = seen.services.get(ServiceId(slot.cluster, slot.service_name)) or {}
        tasks = int(service.get("runningCount", 0))
        if slot.name == serving(state) and service.get("status") == "ACTIVE" and tasks:
            found[slot] = tasks
    return found


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
    if old and (successor or count == 0):
        beside = sum(old.values())
        if not shall or _carries(look, groups_of(state, name), successor, shall=shall, beside=beside):
            return tuple(old) if discovery.unsettled(listings, successor) else ()
    return tuple(old)


def _carries(
    look: Look, groups: Sequence[TargetGroup], service: Structure, *, shall: int, beside: int
) -> bool:
    """Tell whether all tasks that a service shall have run, and serve wherever they are targets.

    Where they have no address of their own (they are targets by their instance and port) all that is healthy
    is counted, with `beside` tasks of the services that were replaced.
    """
    running = int(service.get("runningCount", 0))
    if running < shall:
        return False
    attached = {entry.get("targetGroupArn") for entry in service.get("loadBalancers") or ()}
    seen = [look.observed.healthy.get(group.arn, frozenset()) for group in groups if group.arn in attached]
    addresses = look.observed.addresses
    if addresses:
        return all(addresses <= {target.rpartition(":")[0] for target in healthy} for healthy in seen)
    return not seen or (addresses is not None and all(len(healthy) >= running + beside for healthy in seen))
