"""Which target groups a route's port means, slot by slot: by its name or number, and under its other name.

A port that gets another name keeps its number, and the slot that is live keeps the old name until the
other one has taken over. The route can't wait for that: the rollout waits for the route. So a slot without a
port of that name is asked for the number that the name stands for: in the Deployment's spec; on the way
back also in the other slot, because the spec may have forgotten the name by then and nothing may hold up
a way back. Going forward, a name that the spec does not know any more means what still has it and nothing
else, so that a route which was forgotten is told before requests move.
"""

from __future__ import annotations

from collections.abc import Mapping

from sluice.model.traffic import SlotTarget, Traffic


def meant(
    traffic: Traffic | None, port: str, *, balancer: str, numbers: Mapping[str, int]
) -> tuple[SlotTarget, ...]:
    """Return the target groups behind a load balancer's ARN that `port` means.

    `numbers` are container ports by name, as the Deployment's spec has them now.
    """
    if traffic is None:
        return ()
    here = tuple(target for target in traffic.targets if target.load_balancer_arn == balancer)
    named = tuple(target for target in here if port in (target.port, str(target.container_port)))
    stands_for = {numbers[port]} if port in numbers else set[int]()
    if traffic.rollback:
        stands_for |= {target.container_port for target in named}
    found = {target.slot for target in named}
    return (*named, *(t for t in here if t.slot not in found and t.container_port in stands_for))


def lacking(traffic: Traffic, found: tuple[SlotTarget, ...]) -> tuple[str, ...]:
    """Return the slots that shall get requests and have no target group among `found`."""
    there = {target.slot for target in found}
    return tuple(sorted(slot for slot, parts in traffic.weights.items() if parts and slot not in there))
