"""Takes a Deployment out of AWS without a dropped request, and leaves nothing of ours behind.

| order | why |
|---|---|
| wait while any rule refers to our target groups | its requests would have nowhere to go (InUse) |
| wait while names answer with our tasks | clients would call dead addresses (InUse); the routes let go |
| anchors | nothing else holds the groups on the load balancer |
| services, then wait until they are gone | tasks drain as in a scale to 0 |
| target groups, task definitions | a group in use cannot go; an INACTIVE definition is no litter |
| ControllerRevisions, finalizer | last, so that every step before can be done again |

Whether rules refer to the groups is asked of AWS itself (rollout.md §7 point 3); whether names do, of the
routes, which see it in Cloud Map's answers. An open intent, whose
call may still come to light, is waited for 30 seconds. Nothing without our tags is touched.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sluice.model import ownership
from sluice.model.actions import Action
from sluice.model.binding import Priority
from sluice.model.keys import GROUP, Key
from sluice.model.observed import Observed, ServiceId, Structure
from sluice.plan.deployment import anchor, retire, targets
from sluice.plan.deployment import service as ecs
from sluice.plan.deployment.anchor import is_anchor, referenced
from sluice.plan.deployment.register import STALE_READS
from sluice.plan.deployment.slots import seen
from sluice.plan.deployment.state import Slot, State, TargetGroup
from sluice.plan.deployment.summary import Verdict

_REASON: Final = "the Deployment was deleted"
_DEFINITIONS_A_PASS: Final = 10
_POLL: Final = 2.0
_IN_USE_POLL: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Remains:
    """What is left of a Deployment in AWS."""

    key: Key
    installation: str
    observed: Observed
    """Services, target groups and rules of every listener of their load balancers."""
    defaults: Mapping[str, Sequence[Structure]] = field(default_factory=dict)
    """Listener ARN → its default actions."""
    definitions: tuple[str, ...] = ()
    """ARNs of ACTIVE task definitions of ours."""
    listed: tuple[str, ...] = ()
    """ServiceRoutes whose names may still answer with our tasks, in words."""

    def ours(self, tags: Mapping[str, str]) -> bool:
        """Tell whether tags prove that this Deployment owns something."""
        return ownership.ownership(tags, self.installation, self.key) == "ours"

    @property
    def services(self) -> dict[ServiceId, Structure]:
        """Return our services that are not gone.

        A DRAINING one under our name counts whatever its tags: it is only waited for, and
        DeleteService answers without tags.
        """
        return {
            place: service
            for place, service in self.observed.services.items()
            if service and (service.get("status") == "DRAINING" or self.ours(ecs.tags_of(service)))
        }

    @property
    def groups(self) -> dict[str, Structure]:
        """Return our target groups by name."""
        return {
            name: group
            for name, group in self.observed.target_groups.items()
            if group and self.ours(group.get("Tags", {}))
        }

    @property
    def anchors(self) -> list[Structure]:
        """Return our anchor rules."""
        return [
            rule
            for rules in self.observed.rules.values()
            for rule in rules
            if is_anchor(rule, self.installation, self.key)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """One pass of a deletion."""

    actions: tuple[Action, ...] = ()
    verdict: Verdict
    wake_at: float | None = None
    finished: bool = False
    """Nothing is left: revisions and finalizer may go."""


def remove(remains: Remains, state: State, *, requested_at: float, now: float) -> Removal:
    """Plan the next steps of a deletion that was requested at `requested_at`."""
    users = _users(remains)
    if users:
        return Removal(
            verdict=Verdict(
                ready=False,
                reason="InUse",
                message=f"{users[0]} still sends to this Deployment's target groups; "
                "delete the ServiceRoute or its backendRef first",
            ),
            wake_at=now + _IN_USE_POLL,
        )
    if remains.listed and remains.services:
        return Removal(
            verdict=Verdict(
                ready=False,
                reason="InUse",
                message=f"{remains.listed[0]}: entries of this Deployment's tasks are still in Cloud Map and "
                "leave by themselves; where AWS denies that, take discovery out of the ServiceRoute",
            ),
            wake_at=now + _IN_USE_POLL,
        )
    actions = [anchor.delete(rule, reason=_REASON) for rule in remains.anchors]
    services = remains.services
    for place, service in sorted(services.items()):
        if service.get("status") == "ACTIVE":
            slot = Slot(cluster=place.cluster, service_name=place.name)
            actions.append(ecs.delete(slot, reason=_REASON))
    if services or actions:
        names = ", ".join(place.name for place in sorted(services)) or "none"
        return Removal(
            actions=tuple(actions),
            verdict=_deleting(f"tasks of ECS service {names} stop"),
            wake_at=now + _POLL,
        )
    waits_for, until = _open_intents(remains, state), requested_at + STALE_READS
    if not waits_for and state.slot and state.rollout:  # made a moment ago, and not seen since
        waits_for = f"ECS service {state.slot.service_name}"
        until = state.rollout.started_at + STALE_READS
    if waits_for and now < until:
        return Removal(verdict=_deleting(f"waiting whether {waits_for} comes to light"), wake_at=until)
    actions += [
        targets.delete(name, group["TargetGroupArn"], reason=_REASON)
        for name, group in sorted(remains.groups.items())
    ]
    actions += [
        retire.deregister(arn, reason=_REASON, priority=Priority.ROLLOUT)
        for arn in remains.definitions[:_DEFINITIONS_A_PASS]
    ]
    return Removal(
        actions=tuple(actions),
        verdict=_deleting("target groups and task definitions go"),
        wake_at=now if actions else None,
        finished=not actions,
    )


def learn(remains: Remains, state: State) -> State:
    """Return the state with the ARNs that came to light, so that no intent stays open for nothing."""
    slot, rollout = state.slot, state.rollout
    if slot:
        service = remains.observed.services.get(ServiceId(slot.cluster, slot.service_name))
        slot = seen(slot, service) if service else slot
        rollout = None if service else rollout
    others = tuple(
        seen(other, service)
        if (service := remains.observed.services.get(ServiceId(other.cluster, other.service_name)))
        else other
        for other in state.others
    )
    found = {
        (arn, rule["RuleArn"])
        for arn, rules in remains.observed.rules.items()
        for rule in rules
        if is_anchor(rule, remains.installation, remains.key)
    }
    by_listener = dict(sorted(found))
    known = {group.name for group in state.target_groups}
    return dataclasses.replace(
        state,
        slot=slot,
        others=others,
        rollout=rollout,
        target_groups=(
            *(
                dataclasses.replace(group, arn=remains.groups[group.name]["TargetGroupArn"])
                if group.name in remains.groups
                else group
                for group in state.target_groups
            ),
            # Found through a service, because the status was lost: it must outlast the service.
            *(_group(name, group) for name, group in sorted(remains.groups.items()) if name not in known),
        ),
        anchors=tuple(
            dataclasses.replace(anchor, rule_arn=by_listener[anchor.listener_arn])
            if not anchor.rule_arn and anchor.listener_arn in by_listener
            else anchor
            for anchor in state.anchors
        ),
        registering=None if remains.definitions else state.registering,
    )


def _group(name: str, seen: Structure) -> TargetGroup:
    number = int(seen.get("Port") or 0)
    return TargetGroup(
        port=str(number),
        container_port=number,
        load_balancer_arn=next(iter(seen.get("LoadBalancerArns") or ()), ""),
        name=name,
        arn=seen["TargetGroupArn"],
    )


def retain(remains: Remains) -> Removal:
    """Plan deletionPolicy Retain: everything stays, our tags go."""
    actions: list[Action] = []
    for place, service in sorted(remains.services.items()):
        actions.append(_untag(service["serviceArn"], ecs.tags_of(service), f"ECS service {place.name}"))
    actions += [
        _untag(arn, dict.fromkeys(_definition_tags(), ""), f"task definition {arn.rpartition('/')[2]}")
        for arn in remains.definitions[:_DEFINITIONS_A_PASS]
    ]
    balanced = [
        (group["TargetGroupArn"], group.get("Tags", {})) for _, group in sorted(remains.groups.items())
    ]
    balanced += [(rule["RuleArn"], rule.get("Tags", {})) for rule in remains.anchors]
    actions += [
        Action(
            service="elbv2",
            operation="RemoveTags",
            params={"ResourceArns": [arn], "TagKeys": _own(tags)},
            subject=arn,
            reason="deletionPolicy Retain",
            already=frozenset({"TargetGroupNotFound", "RuleNotFound"}),
        )
        for arn, tags in balanced
    ]
    return Removal(
        actions=tuple(actions),
        verdict=_deleting("everything stays in AWS, only the sluice.dev tags go"),
        finished=not actions,
    )


def _users(remains: Remains) -> list[str]:
    arns = frozenset(group["TargetGroupArn"] for group in remains.groups.values())
    if not arns:
        return []
    found = [
        f"listener rule {rule['RuleArn']}"
        for rules in remains.observed.rules.values()
        for rule in rules
        if not is_anchor(rule, remains.installation, remains.key)
        and referenced(arns, rule.get("Actions") or ())
    ]
    found += [
        f"the default action of listener {listener}"
        for listener, actions in remains.defaults.items()
        if referenced(arns, actions)
    ]
    return sorted(found)


def _open_intents(remains: Remains, state: State) -> str:
    if state.registering:
        return f"a task definition of {state.registering.family}"
    for slot in state.slots:
        if slot.service_name and not slot.service_arn:
            return f"ECS service {slot.service_name}"
    for group in state.target_groups:
        if not group.arn and group.name not in remains.groups:
            return f"target group {group.name}"
    for hung in state.anchors:
        if not hung.rule_arn:
            return f"an anchor rule on {hung.listener_arn}"
    return ""


def _untag(arn: str, tags: Mapping[str, Any], subject: str) -> Action:
    return Action(
        service="ecs",
        operation="UntagResource",
        params={"resourceArn": arn, "tagKeys": _own(tags)},
        subject=subject,
        reason="deletionPolicy Retain",
    )


def _own(tags: Mapping[str, Any]) -> list[str]:
    return sorted(key for key in tags if key.startswith(f"{GROUP}/"))


def _definition_tags() -> tuple[str, ...]:
    return (
        ownership.INSTALLATION,
        ownership.KIND,
        ownership.NAMESPACE,
        ownership.NAME,
        ownership.ROLE,
        ownership.UID,
        ownership.DEFINITION_HASH,
    )


def _deleting(text: str) -> Verdict:
    return Verdict(ready=False, reason="Deleting", message=text)
