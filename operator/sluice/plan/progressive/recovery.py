"""After a lost status: which slot is live is read from the rules, before any weight is written.

Services are found by name and proved by tags, revisions by the service's tag. The slot to which
production rules give the most weight is live; without any weight the one with more running tasks.
Task definitions are those that the family's list shows, so that the slot that does not run what the spec
asks for is not given a second one of equal content.
"""

from __future__ import annotations

import dataclasses

from sluice.model.desired import Desired
from sluice.model.observed import ServiceId
from sluice.model.ownership import REVISION
from sluice.plan.deployment import service as ecs
from sluice.plan.deployment import slots as services
from sluice.plan.deployment.anchor import is_anchor
from sluice.plan.deployment.state import Live, Slot, State, TargetGroup
from sluice.plan.deployment.targets import wanted
from sluice.plan.progressive.facts import weighted
from sluice.plan.progressive.look import Look


def recovered(desired: Desired, state: State, look: Look, *, now: float) -> State:
    """Return the state with what AWS itself shows of a Deployment whose status is lost."""
    found: list[Slot] = []
    groups: list[TargetGroup] = []
    retiring: list[Slot] = []
    for name in services.NAMES:
        slot, older = services.find(desired, look.observed, name)
        retiring += older
        service = look.observed.services.get(ServiceId(slot.cluster, slot.service_name))
        if service:
            revision = ecs.tags_of(service).get(REVISION, "")
            found.append(dataclasses.replace(services.seen(slot, service), revision=revision))
        for group, _, _ in wanted(desired, state, slot=name):
            seen = look.observed.target_groups.get(group.name)
            if seen:
                groups.append(dataclasses.replace(group, arn=seen["TargetGroupArn"]))
    if not found:
        return state
    weights = {slot.name: _weight(desired, look, groups, slot.name) for slot in found}
    live = max(found, key=lambda slot: (weights[slot.name], slot.running, slot.name == "a"))
    rest = tuple(slot for slot in found if slot is not live)
    known = Live(
        slot=live.name, revision=live.revision, task_definition=live.task_definition, since=float(int(now))
    )
    return dataclasses.replace(
        state,
        slot=live,
        others=rest,
        retiring=tuple(retiring),
        live=known if live.revision else None,
        target_groups=tuple(groups),
        # The list is newest first, the state oldest first.
        definitions=tuple(reversed(tuple(look.observed.definitions.items()))),
    )


def _weight(desired: Desired, look: Look, groups: list[TargetGroup], slot: str) -> int:
    arns = {group.arn for group in groups if group.slot == slot}
    return sum(
        weight
        for rules in (look.proof or {}).values()
        for rule in rules
        if not is_anchor(rule, desired.installation, desired.key)
        for arn, weight in weighted(rule).items()
        if arn in arns
    )
