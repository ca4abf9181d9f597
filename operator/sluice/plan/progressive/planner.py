"""Plans one pass over a progressive Deployment: the machine's decision becomes AWS calls and a status.

1. both slots: their services, found, replaced or missing      4. anchors over both slots' groups
2. the definition of each slot's revision                      5. each slot's service follows its order
3. each slot's target groups                                   6. traffic, status, history

While the spec cannot be followed (`Desired.hold`) only traffic is decided, and no AWS call is planned.
While a rollback's rules are not verified nothing else is written (rollout.md §5: its first AWS calls are
the rule writes, and those are the routes'), unless routes have no target group to write; only an undo may
first bring a shrunk standby back.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sluice.model.actions import Action, Note, Ref
from sluice.model.binding import Priority
from sluice.model.conditions import RECONCILING_REASONS, timestamp
from sluice.model.desired import Backend, Desired, Revision
from sluice.model.observed import ServiceId, Structure
from sluice.model.rollout import Decision, Finished, Rollout, SlotOrder
from sluice.model.traffic import Traffic
from sluice.plan.deployment import discovery, history, publish, retire, summary
from sluice.plan.deployment import slots as services
from sluice.plan.deployment.anchor import anchors
from sluice.plan.deployment.planner import DeploymentPlan
from sluice.plan.deployment.register import register
from sluice.plan.deployment.state import Rollout as Moving
from sluice.plan.deployment.state import Slot, State, TargetGroup
from sluice.plan.deployment.summary import Verdict
from sluice.plan.deployment.targets import Targets, attached, target_groups
from sluice.plan.progressive import replaced
from sluice.plan.progressive import slot as slot_plan
from sluice.plan.progressive.facts import groups_of, healthy
from sluice.plan.progressive.look import Look
from sluice.plan.progressive.memory import with_motion
from sluice.plan.progressive.publish import compose, unpublished


@dataclass(slots=True)
class _Work:
    desired: Desired
    look: Look
    decision: Decision
    now: float
    state: State
    slots: dict[str, Slot]
    found: dict[str, Structure | None]
    actions: list[Action] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    wakes: list[float] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    def wish(self, name: str, revision: Revision) -> Desired:
        """Return the wish as slot `name` sees it: its own revision, in its own cluster."""
        known = self.slots.get(name)
        cluster = known.cluster if known and known.service_arn else self.desired.cluster
        return dataclasses.replace(self.desired, revision=revision, cluster=cluster)


def plan(
    desired: Desired,
    look: Look,
    state: State,
    decision: Decision,
    *,
    now: float,
    routes: Sequence[Mapping[str, Any]] = (),
    steps: Sequence[str] = (),
) -> DeploymentPlan:
    """Return the plan of one pass; raises Refused where only a person can help."""
    work = _Work(
        desired=desired,
        look=look,
        decision=decision,
        now=now,
        state=state,
        slots={slot.name: slot for slot in state.slots},
        found={},
    )
    orders = {order.slot: order for order in decision.slots}
    if desired.hold:
        work.found = {
            slot.name: look.observed.services.get(ServiceId(slot.cluster, slot.service_name))
            for slot in state.slots
        }
    else:
        retiring = state.retiring
        for name in services.NAMES:
            retiring = _examine(work, name, orders.get(name), retiring)
        retiring, let_go = services.remaining(desired, retiring, look.observed.services)
        work.notes += let_go
        work.state = dataclasses.replace(work.state, retiring=retiring)
        if decision.traffic.rollback and _rules_first(work):
            _remember(work)
        else:
            _run(work, orders)
            _retire(work, routes, orders)
    _publish(work, routes)
    return _conclude(work, steps=steps, before=state)


def _retire(work: _Work, routes: Sequence[Mapping[str, Any]], orders: Mapping[str, SlotOrder]) -> None:
    """Delete services that were replaced, but for those that requests may still need."""
    listings = discovery.listings(routes, work.desired.key.name)
    order = orders.get(replaced.serving(work.state))
    needed = replaced.needed(
        work.look, work.state, work.found, listings, count=order.count if order else None
    )
    going = tuple(slot for slot in work.state.retiring if slot not in needed)
    work.actions += retire.retire(going, work.look.observed, successor="another service of its slot")
    work.messages += [
        f"replaced ECS service {slot.service_name} stays until its successor serves in its place"
        for slot in needed
    ]


def _rules_first(work: _Work) -> bool:
    """Tell whether rules have to be written; where only names lead here, slots are looked after meanwhile.

    So they are where routes can't write or prove the way back: a slot that is to get requests has no target
    group that they are told of by this pass where one of them asks for it (somebody deleted it, or the route
    got another load balancer), and gets one by nothing but that. Not by the one before: they were told of the
    candidate alone while it had everything.
    """
    rollout = work.decision.motion.rollout
    if rollout is None or rollout.stage != "RollingBack":
        return False
    traffic = _traffic(work)
    told = {target.target_group_arn for target in traffic.targets} if traffic else set()
    seen = work.look.observed.target_groups
    there = [
        group
        for group in work.state.target_groups
        if group.arn in told and seen.get(group.name, {}) is not None
    ]
    slots = work.decision.traffic.weights
    return {group.slot for group in there}.issuperset(slots) and all(
        any(group.slot == slot and _serves(group, backend) for group in there)
        for backend in work.desired.backends
        for slot in slots
    )


def _serves(group: TargetGroup, backend: Backend) -> bool:
    """Tell whether a target group is for what a route asks for."""
    ports = ("", group.port, str(group.container_port))
    return group.load_balancer_arn == backend.load_balancer_arn and backend.port in ports


def _examine(work: _Work, name: str, order: SlotOrder | None, retiring: tuple[Slot, ...]) -> tuple[Slot, ...]:
    """Find the slot's service; return what is retiring."""
    known = work.slots.get(name)
    revision = _revision(work, name, order)
    if known is None and revision is None:
        return retiring  # nothing is ordered of it
    wish = work.wish(name, revision or work.desired.revision)
    if known is None:
        known, older = services.find(wish, work.look.observed, name)
        retiring = (*retiring, *older)
    if known.service_arn:
        wish = dataclasses.replace(wish, cluster=known.cluster)
    seen = services.examine(wish, known, retiring, work.look.observed)
    work.slots[name], work.found[name] = seen.slot, seen.service
    work.notes += seen.notes
    return seen.retiring


def _revision(work: _Work, name: str, order: SlotOrder | None) -> Revision | None:
    """Return the body of what the slot shall run, or runs."""
    known = work.slots.get(name)
    wanted = (order.revision if order else None) or (known.revision if known else "")
    return work.look.revisions.get(wanted) if wanted else None


def _remember(work: _Work) -> None:
    work.state = _with_slots(work)


def _run(work: _Work, orders: Mapping[str, SlotOrder]) -> None:
    """Steps 2 to 5."""
    wishes = {
        name: work.wish(name, revision)
        for name in services.NAMES
        if (revision := _revision(work, name, orders.get(name))) is not None
    }
    arns = _definitions(work, {**wishes, **_ahead(work)})
    targets = _targets(work, wishes)
    hung = anchors(work.desired, work.state, work.look.observed, targets)
    _tell(work, *(f"target group: {text}" for text in targets.repaired), *hung.repaired)
    work.actions += [*targets.actions, *hung.actions]
    work.state = dataclasses.replace(work.state, target_groups=targets.groups, anchors=hung.anchors)
    for name, wish in wishes.items():
        order = orders.get(name)
        if order is None:
            continue
        arn = arns.get(name)
        if arn is None:
            work.messages.append(f"slot {name} waits for its task definition")
            continue
        balancers = attached(wish, targets, slot=name, anchors=hung.anchors, service=work.found.get(name))
        _serve(work, wish, order, arn, balancers)
    for name, order in orders.items():
        service = work.found.get(name)
        if service and name not in wishes:
            done = slot_plan.only_count(work.slots[name], service, order)
            work.actions += done.actions
    work.state = _with_slots(work)


def _ahead(work: _Work) -> dict[str, Desired]:
    """Return the candidate's wish before any slot has it: hooks at PreScaleUp run tasks of its definition."""
    rollout = work.decision.motion.rollout
    revision = work.look.revisions.get(rollout.candidate) if rollout else None
    if rollout is None or rollout.stage != "PreScaleUp" or revision is None:
        return {}
    return {"candidate": dataclasses.replace(work.desired, revision=revision)}


def _definitions(work: _Work, wishes: Mapping[str, Desired]) -> dict[str, str | Ref]:
    """Return the definition of each slot's revision; at most one is registered in a pass.

    Status has room for one intent: what may have been registered is settled before anything else is.
    """
    found: dict[str, str | Ref] = {}
    pending = work.state.registering
    meant = pending.definition_hash if pending else ""
    taken = False
    for name, wish in sorted(wishes.items(), key=lambda entry: entry[1].revision.definition_hash != meant):
        done = register(wish, work.state, work.look.observed, now=work.now)
        if done.registering is not None:
            if taken:
                continue
            taken = True
        registering = done.registering or (work.state.registering if taken else None)
        work.state = dataclasses.replace(work.state, definitions=done.definitions, registering=registering)
        if done.action:
            work.actions.append(done.action)
        if done.wait_until is not None:
            work.wakes.append(done.wait_until)
        if done.arn is not None:
            found[name] = done.arn
    return found


def _targets(work: _Work, wishes: Mapping[str, Desired]) -> Targets:
    """Return the groups of both slots; a slot without a wish keeps what it has."""
    merged = Targets(groups=(), arns={}, actions=())
    for name in services.NAMES:
        if name in wishes:
            merged = merged.and_of(target_groups(wishes[name], work.state, work.look.observed, slot=name))
        else:
            own = tuple(group for group in work.state.target_groups if group.slot == name)
            kept = Targets(groups=(), arns={}, actions=()).with_others(own, slot="")
            merged = merged.and_of(kept)
    return merged


def _serve(
    work: _Work, wish: Desired, order: SlotOrder, arn: str | Ref, balancers: list[dict[str, Any]]
) -> None:
    name = order.slot
    slot, service = work.slots[name], work.found.get(name)
    if service is None:
        if order.count == 0:
            return  # a service is made when it gets tasks
        rollout = work.decision.motion.rollout
        live = work.decision.motion.live
        attempt = rollout.id if rollout else str(live.since if live else "")
        done = slot_plan.create(wish, slot, order, arn, balancers, attempt)
    else:
        live = work.decision.motion.live
        done = slot_plan.follow(
            wish,
            slot,
            service,
            order,
            arn=arn,
            balancers=balancers,
            live=live is not None and live.slot == name,
        )
    work.slots[name] = done.slot
    work.actions += done.actions
    if done.message:
        work.messages.append(done.message)
        work.wakes.append(work.now + 1)
    _tell(work, *([f"slot {name}: {', '.join(done.repaired)}"] if done.repaired else []))


def _tell(work: _Work, *texts: str) -> None:
    """Tell what is different in AWS: drift, unless a spec, a route or a rollout asks for it."""
    if work.decision.motion.rollout is not None:
        return
    asked = work.state.observed_generation != work.desired.generation or any(
        not group.arn for group in work.state.target_groups
    )
    reason = "ServiceUpdated" if asked else "DriftRepaired"
    work.notes += [Note(type="Normal", reason=reason, message=text) for text in texts]


def _with_slots(work: _Work) -> State:
    live = work.decision.motion.live
    ordered = [_with_health(work, work.slots[name]) for name in sorted(work.slots)]
    first = ordered[0] if ordered else None
    main = next((slot for slot in ordered if live and slot.name == live.slot), first)
    return dataclasses.replace(
        work.state, slot=main, others=tuple(slot for slot in ordered if slot is not main)
    )


def _with_health(work: _Work, slot: Slot) -> Slot:
    """Return the slot with its healthy tasks as this pass read them; nothing where it did not."""
    service = work.found.get(slot.name)
    seen = healthy(work.look, groups_of(work.state, slot.name), service, slot=slot.name) if service else None
    return dataclasses.replace(slot, healthy=seen)


def _publish(work: _Work, routes: Sequence[Mapping[str, Any]]) -> None:
    """Step 6: traffic, and who has proved it."""
    traffic = _traffic(work)
    if unpublished(dataclasses.replace(work.state, traffic=traffic), set(work.decision.traffic.weights)):
        work.wakes.append(work.now + 2)
    proofs = publish.acknowledgements(work.state, traffic, routes, work.desired.key.name)
    work.state = dataclasses.replace(work.state, traffic=traffic, routes=proofs)


def _traffic(work: _Work) -> Traffic | None:
    motion = work.decision.motion
    newest = str(work.state.history[0].get("id", "")) if work.state.history else ""
    rollout_id = motion.rollout.id if motion.rollout else newest or work.desired.revision.name
    return compose(work.desired, work.state, work.look.observed, work.decision.traffic, rollout_id=rollout_id)


def _conclude(work: _Work, *, steps: Sequence[str], before: State) -> DeploymentPlan:
    decision, desired = work.decision, work.desired
    state = work.state
    for done in decision.finished:
        if all(entry.get("id") != done.rollout.id for entry in state.history):
            state = dataclasses.replace(state, history=history.add(state.history, _entry(done)))
    wakes = [*work.wakes, *([decision.wake_at] if decision.wake_at is not None else [])]
    ready = decision.ready and not work.actions and not work.messages and desired.hold is None
    reason, message = decision.reason, decision.message
    if desired.hold:
        reason, message = desired.hold.reason, f"{desired.hold.message}; {decision.message}"
    elif decision.ready and not ready:
        reason = "RollingOut"
        message = "; ".join(work.messages) or f"{len(work.actions)} AWS calls bring the slots in line"
    elif work.messages and reason in RECONCILING_REASONS:
        message = "; ".join((message, *work.messages))
    state = dataclasses.replace(
        with_motion(state, decision.motion, steps=steps, wake_at=min(wakes) if wakes else None),
        observed_generation=desired.generation,
    )
    verdict = Verdict(ready=ready, reason=reason, message=message)
    live = work.found.get(decision.motion.live.slot) if decision.motion.live else None
    body = summary.status(desired, state, verdict, service=live, now=work.now)
    body["phase"] = decision.phase if ready or not decision.ready else "Progressing"
    body.update(_counts(work))
    if not ready:
        soon = summary.poll_after(_as_moving(state, work), now=work.now)
        wakes += [soon] if soon is not None else []
    if not work.actions and ready:
        work.actions += _garbage(work, state)
    rollback = decision.traffic.rollback
    return DeploymentPlan(
        state=state,
        status=body,
        actions=tuple(
            dataclasses.replace(action, priority=Priority.ROLLBACK) if rollback else action
            for action in work.actions
        ),
        notes=(*decision.notes, *work.notes),
        wake_at=min(wakes) if wakes else None,
        keep=_keep(work, before),
        completed=any(done.outcome == "Succeeded" for done in decision.finished),
        rollback=rollback,
    )


def _as_moving(state: State, work: _Work) -> State:
    """Return a state that `poll_after` reads as moving since the stage began."""
    rollout = work.decision.motion.rollout
    if rollout is None:
        return state
    moving = Moving(id=rollout.id, candidate=rollout.candidate, started_at=rollout.stage_since)
    return dataclasses.replace(state, rollout=moving)


def _keep(work: _Work, before: State) -> Revision | None:
    """Return the candidate's body, to be kept before any status names it."""
    rollout = work.decision.motion.rollout
    named = before.moving.get("candidate")
    if rollout is None or rollout.candidate == named:
        return None
    return work.look.revisions.get(rollout.candidate)


def _counts(work: _Work) -> dict[str, int]:
    rollout = work.decision.motion.rollout
    name = rollout.slot if rollout else ""
    service = work.found.get(name)
    return {"updatedReplicas": int(service.get("runningCount", 0))} if service else {}


def _garbage(work: _Work, state: State) -> tuple[Action, ...]:
    needed = set()
    motion = work.decision.motion
    names = {slot.revision for slot in state.slots} | {work.desired.revision.name}
    if motion.standby:
        names.add(motion.standby.revision)
    for name in names:
        if revision := work.look.revisions.get(name):
            needed.add(revision.definition_hash)
    needed |= {slot.task_definition for slot in state.slots}
    return retire.beyond_limit(work.desired, state.definitions, needed=frozenset(needed))


def _entry(done: Finished) -> dict[str, Any]:
    """Return the history entry of a rollout that is over."""
    rollout = done.rollout
    found = {
        "id": rollout.id,
        "revision": rollout.candidate,
        "outcome": done.outcome,
        "startedAt": timestamp(rollout.started_at),
        "durationSeconds": max(0, int(done.at - rollout.started_at)),
        "rollbackSeconds": _seconds(rollout, rollout.returned_at),
        "rollbackDiscoverySeconds": _seconds(rollout, rollout.discovered_at),
        "reason": ": ".join(text for text in (rollout.reason, rollout.message) if text),
        "by": rollout.by,
        "persons": list(rollout.persons),
        "evidence": list(rollout.evidence),
    }
    return {name: value for name, value in found.items() if value not in (None, "", [])}


def _seconds(rollout: Rollout, at: float) -> float | None:
    """Return how long after the decision a plane had gone back; None where it never had to."""
    return round(at - rollout.decided_at, 3) if rollout.decided_at and at else None
