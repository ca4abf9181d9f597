"""Which target groups a route's port means, slot by slot: by its name or number, and under its other name.

A port that gets another name keeps its number, and the slot that is live keeps the old name until the
other one has taken over. The route can't wait for that: the rollout waits for the route. So a slot without a
port of that name is asked for the number that the name stands for: in the Deployment's spec; on the way
back also in the other slot, because the spec may have forgotten the name by then and nothing may hold up
a way back. Going forward, a name that the spec does not know any more means what still has it and nothing
else, so that a route which was forgotten is told before requests move.

A number proves a new name only where the old one is gone: a name that stands for another number beside it
is another port, which had that number before. Its requests are nobody else's, and the route waits.
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
    found = {target.slot for target in named}
    others = tuple(target for target in here if target.slot not in found)
    same = {t for t in others if port in numbers and renamed(t, numbers[port], names=numbers)}
    for known in named if traffic.rollback else ():
        names = {target.port: target.container_port for target in here if target.slot == known.slot}
        same |= {target for target in others if renamed(target, known.container_port, names=names)}
    return (*named, *(target for target in others if target in same))


def renamed(target: SlotTarget, number: int, *, names: Mapping[str, int]) -> bool:
    """Tell whether a target group is that of a number, and its own name not that of another one."""
    return target.container_port == number and names.get(target.port, number) == number


def lacking(traffic: Traffic, found: tuple[SlotTarget, ...]) -> tuple[str, ...]:
    """Return the slots that shall get requests and have no target group among `found`."""
    there = {target.slot for target in found}
    return tuple(sorted(slot for slot, parts in traffic.weights.items() if parts and slot not in there))
