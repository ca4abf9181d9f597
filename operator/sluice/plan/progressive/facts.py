"""Condenses what was seen into the machine's `Situation`.

A slot "runs a revision" only when nothing of the revision differs, its tag says so, and no task of
another ECS deployment is left (rollout.md §3.3). "Carries weight" is read from the rules themselves,
never from status (§7 point 3); whether names may still answer with a slot is told by the routes, which
see it in Cloud Map's own answers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

from sluice.model.conditions import READY, STALLED
from sluice.model.desired import Desired
from sluice.model.observed import ServiceId, Structure
from sluice.model.ownership import REVISION
from sluice.model.situation import RouteFacts, SlotFacts, TrafficFacts, Unjudged
from sluice.model.traffic import Traffic, acknowledged
from sluice.plan.deployment import discovery
from sluice.plan.deployment import service as ecs
from sluice.plan.deployment.anchor import is_anchor
from sluice.plan.deployment.progress import epoch, stopped_reasons
from sluice.plan.deployment.slots import NAMES
from sluice.plan.deployment.state import Slot, State, TargetGroup
from sluice.plan.parents import backend_ports
from sluice.plan.progressive.look import Look
from sluice.plan.progressive.memory import motion_of
from sluice.plan.progressive.slot import body_of

DEREGISTRATION_DELAY: Final = 300.0  # elbv2 default of deregistration_delay.timeout_seconds
CRASHES: Final = 3
"""Stopped tasks of one revision, since its slot got it, that make a crash loop."""
_CRASH_CODES: Final = frozenset({"EssentialContainerExited", "TaskFailedToStart"})


def slot_facts(
    desired: Desired,
    state: State,
    look: Look,
    routes: Sequence[Structure] = (),
    *,
    settles_at: float = 0.0,
) -> Mapping[str, SlotFacts]:
    """Return what is known of both slots; `routes` are the raw ones that refer to the Deployment.

    `settles_at` (epoch seconds) is when calls without an answer are over.
    """
    known = {slot.name: slot for slot in state.slots}
    listings = discovery.listings(routes, desired.key.name)
    return {
        name: dataclasses.replace(
            _slot(desired, state, look, name, known.get(name)),
            listed="; ".join(discovery.holders(listings, state.traffic, slot=name)),
            fewest=known[name].may_shrink_to if name in known else None,
            settles_at=settles_at,
        )
        for name in NAMES
    }


def _slot(desired: Desired, state: State, look: Look, name: str, slot: Slot | None) -> SlotFacts:
    groups = groups_of(state, name)
    if look.blind and slot is not None:
        return _unseen(look, slot, groups)
    carrier = carrier_of(desired, look, groups)
    carries = None if carrier is None else bool(carrier)
    service = (
        look.observed.services.get(ServiceId(slot.cluster, slot.service_name)) if slot is not None else None
    )
    if slot is None or not service or service.get("status") != "ACTIVE":
        return SlotFacts(
            name=name,
            carries_weight=carries,
            carrier=carrier or "",
            healthy=0,
            drain_seconds=drain_seconds(look, groups),
        )
    failing, failed = failures(slot, service, look.stopped.get(name, ()), since=_since(state, name))
    running = int(service.get("runningCount", 0))
    return SlotFacts(
        name=name,
        exists=True,
        revision=slot.revision if runs(desired, slot, service, look) else "",
        desired=int(service.get("desiredCount", 0)),
        running=running,
        current=_current(service),
        tasks=running + int(service.get("pendingCount", 0)),
        healthy=healthy(look, groups, service, slot=name),
        unused=_unused(look, groups, service),
        unjudged=_unjudged(look, groups),
        images=look.images.get(name, ()),
        zones=zones(look, groups, service),
        failing=failing,
        failed=failed,
        carries_weight=carries,
        carrier=carrier or "",
        drain_seconds=drain_seconds(look, groups),
    )


def _unseen(look: Look, slot: Slot, groups: Sequence[TargetGroup]) -> SlotFacts:
    """Return what target health alone tells of a slot: enough to go back by, never to go forward."""
    counts = [len(look.observed.healthy.get(group.arn, ())) for group in groups]
    read = bool(groups) and all(group.arn in look.health_read for group in groups)
    used = [group.arn for group in groups if group.arn not in look.unused]
    return SlotFacts(
        name=slot.name,
        exists=True,
        desired=slot.desired,
        running=slot.running,
        tasks=max(1, slot.desired, slot.running),
        healthy=min(counts) if read else None,
        unused=len(used) < len(groups) and all(look.observed.healthy.get(arn) for arn in used),
        unjudged=_unjudged(look, groups),
        drain_seconds=drain_seconds(look, groups),
    )


def images(tasks: Sequence[Structure], *, definition: str, containers: AbstractSet[str]) -> tuple[str, ...]:
    """Return `<container>@<digest>` of the tasks that run a definition, sorted, each once.

    Only of `containers`, the revision's: AWS puts others into tasks (GuardDuty's agent, whose name ends
    at random, Service Connect's proxy, a pause container; from memory) and updates them when it likes.
    Source: botocore, ecs, Container.imageDigest; absent while the image is not pulled.
    """
    found = {
        f"{container.get('name', '')}@{container['imageDigest']}"
        for task in tasks
        if task.get("lastStatus") == "RUNNING" and task.get("taskDefinitionArn") == definition
        for container in task.get("containers") or ()
        if container.get("imageDigest") and container.get("name") in containers
    }
    return tuple(sorted(found))


def groups_of(state: State, slot: str) -> tuple[TargetGroup, ...]:
    """Return the target groups of a slot that exist."""
    return tuple(group for group in state.target_groups if group.slot == slot and group.arn)


def runs(desired: Desired, slot: Slot, service: Structure, look: Look) -> bool:
    """Tell whether a service runs `slot.revision` completely."""
    revision = look.revisions.get(slot.revision)
    if revision is None:
        return False
    if ecs.tags_of(service).get(REVISION) != slot.revision:
        return False
    wish = dataclasses.replace(desired, revision=revision, cluster=slot.cluster)
    body = body_of(wish, slot.task_definition, balancers=None, count=None)
    if any(entry.of_revision for entry in ecs.differences(service, body)):
        return False
    return all(
        deployment.get("status") == "PRIMARY"
        or not (int(deployment.get("runningCount", 0)) + int(deployment.get("pendingCount", 0)))
        for deployment in service.get("deployments") or ()
    )


def _current(service: Structure) -> int | None:
    """Return the running tasks of the newest definition: ECS keeps older ones while those do not start.

    The service's own word, not the status's: that has what somebody's hand put there until it was repaired.
    """
    deployments = service.get("deployments") or ()
    of_it = [entry for entry in deployments if entry.get("taskDefinition") == service.get("taskDefinition")]
    return sum(int(entry.get("runningCount", 0)) for entry in of_it) if deployments else None


def healthy(look: Look, groups: Sequence[TargetGroup], service: Structure, *, slot: str = "") -> int | None:
    """Return how many running tasks are healthy in every target group; None when not read.

    Without a group the containers' own checks count where names lead to the tasks, else running is enough.
    """
    running = int(service.get("runningCount", 0))
    attached = {entry.get("targetGroupArn") for entry in service.get("loadBalancers") or ()}
    arns = [group.arn for group in groups if group.arn in attached]
    if not arns and running and slot in look.checked:
        return min(running, look.well[slot]) if slot in look.well else None
    if not arns or not running:
        return running
    if not all(arn in look.health_read for arn in arns):
        return None
    return min(running, *(len(look.observed.healthy.get(arn, ())) for arn in arns))


def _unused(look: Look, groups: Sequence[TargetGroup], service: Structure) -> bool:
    """Tell whether only targets that nobody checks are missing: another group's may be to blame."""
    used = [group for group in groups if group.arn not in look.unused]
    attached = {entry.get("targetGroupArn") for entry in service.get("loadBalancers") or ()}
    others = any(group.arn in attached for group in used)
    return len(used) < len(groups) and not (others and healthy(look, used, service) == 0)


def _unjudged(look: Look, groups: Sequence[TargetGroup]) -> Unjudged:
    if not any(group.arn in look.unjudged for group in groups):
        return ""
    bad = [
        group.arn
        for group in groups
        if group.arn in look.health_read and not look.observed.healthy.get(group.arn)
    ]
    return "all" if bad and all(look.unjudged.get(arn) == "all" for arn in bad) else "some"


def zones(look: Look, groups: Sequence[TargetGroup], service: Structure) -> int:
    """Return how many zones need a target each: those of the subnets, where cross-zone is off."""
    if not any(_attribute(look, group, "load_balancing.cross_zone.enabled") == "false" for group in groups):
        return 0
    network = service.get("networkConfiguration", {}).get("awsvpcConfiguration", {})
    return len(network.get("subnets") or ())


def drain_seconds(look: Look, groups: Sequence[TargetGroup]) -> float:
    """Return the longest deregistration delay of a slot's groups."""
    values = [
        _attribute(look, group, "deregistration_delay.timeout_seconds") or str(DEREGISTRATION_DELAY)
        for group in groups
    ]
    return max((float(value) for value in values), default=0.0)


def _attribute(look: Look, group: TargetGroup, name: str) -> str:
    seen = look.observed.target_groups.get(group.name) or {}
    return str(seen.get("Attributes", {}).get(name, ""))


def failures(
    slot: Slot, service: Structure, stopped: Sequence[Structure], *, since: float
) -> tuple[tuple[str, ...], bool]:
    """Return why tasks of the slot's definition stop, and whether that is a crash loop or a failure.

    Counted from stopped tasks: ECS's own failedTasks starts again with each deployment.
    """
    crashed = [
        task
        for task in stopped
        if task.get("taskDefinitionArn") == slot.task_definition
        and task.get("stopCode") in _CRASH_CODES
        and (epoch(task.get("stoppedAt")) or 0.0) >= since
    ]
    primary = ecs.primary(service)
    gave_up = (
        primary.get("rolloutState") == "FAILED" and primary.get("taskDefinition") == slot.task_definition
    )
    reasons = stopped_reasons(crashed)
    if gave_up:
        reasons = (str(primary.get("rolloutStateReason") or "ECS gave the deployment up"), *reasons)
    return reasons, gave_up or len(crashed) >= CRASHES


def _since(state: State, name: str) -> float:
    rollout = motion_of(state).rollout
    if rollout and rollout.slot == name:
        return rollout.started_at
    return state.live.since if state.live else 0.0


def carrier_of(desired: Desired, look: Look, groups: Sequence[TargetGroup]) -> str | None:
    """Return the first rule, but for our anchors, that gives weight to one of the groups; None: not read."""
    if not groups:
        return ""
    if look.proof is None:
        return None
    arns = {group.arn for group in groups}
    return next(
        (
            f"{rule['RuleArn']}, priority {rule.get('Priority', '')}"
            for rules in look.proof.values()
            for rule in rules
            if not is_anchor(rule, desired.installation, desired.key) and arns & set(weighted(rule))
        ),
        "",
    )


def weighted(rule: Structure) -> Mapping[str, int]:
    """Return target group ARN → weight above 0 of a rule's forward actions."""
    found: dict[str, int] = {}
    for action in rule.get("Actions") or ():
        groups = action.get("ForwardConfig", {}).get("TargetGroups") or ()
        for group in groups:
            if weight := int(group.get("Weight", 1)):
                found[group["TargetGroupArn"]] = weight
        if not groups and action.get("TargetGroupArn"):
            found[action["TargetGroupArn"]] = 1
    return found


def traffic_facts(state: State, routes: Sequence[Structure], name: str) -> TrafficFacts:
    """Return what is published and what routes say of it."""
    told = state.traffic
    live = [route for route in routes if not route["metadata"].get("deletionTimestamp")]
    names = discovery.listings(routes, name)
    alone = {entry.route for entry in names}  # whatever refers to the Deployment otherwise does by rules
    planes = [
        _rules(route, name, told)
        for route in live
        if backend_ports(route, name) or route["metadata"]["name"] not in alone
    ]
    planes += [_names(entry, told) for entry in names if entry.wanted]
    found = tuple(sorted(planes, key=lambda entry: (entry.name, entry.plane)))
    if told is None:
        return TrafficFacts(routes=found)
    total = sum(told.weights.values())
    return TrafficFacts(
        seq=told.seq,
        weights={slot: parts * 1000 // total for slot, parts in told.weights.items() if parts},
        test=told.test,
        header=(told.header.name, told.header.value) if told.header else None,
        verify_after=told.verify_after,
        published_slots=frozenset(target.slot for target in told.targets),
        routes=found,
    )


def _names(listing: discovery.Listing, told: Traffic | None) -> RouteFacts:
    """Return what the names of a route prove."""
    return RouteFacts(
        name=listing.route,
        plane="discovery",
        proven=listing.proves(told),
        verified_at=listing.proof.verified_at if listing.proof else 0.0,
        problem=listing.problem,
        problem_reason=listing.problem_reason,
    )


def _rules(route: Structure, name: str, told: Traffic | None) -> RouteFacts:
    metadata, status = route["metadata"], route.get("status") or {}
    entries = status.get("backends") or ()
    proof = acknowledged(entries, name)
    own: Mapping[str, Any] = next((entry for entry in entries if entry.get("name") == name), {})
    trouble = _trouble(status.get("conditions") or ())
    proven = bool(
        told is not None
        and proof is not None
        and proof.proves(told, route_generation=int(metadata.get("generation", 0)))
    )
    return RouteFacts(
        name=metadata["name"],
        proven=proven,
        verified_at=proof.verified_at if proof else 0.0,
        foreign=str(own.get("foreign") or ""),
        problem=str(trouble.get("message", "")),
        problem_reason=str(trouble.get("reason", "")),
    )


def _trouble(conditions: Sequence[Structure]) -> Structure:
    """Return the condition that says why a route can't be as it should: it is stalled, or lacks a backend."""
    for entry in conditions:
        if entry["type"] == STALLED:
            return entry
    waits = {"type": READY, "status": "False", "reason": "WaitingForTargets"}
    return next((entry for entry in conditions if waits.items() <= entry.items()), {})
