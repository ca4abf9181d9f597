"""Plans one pass over a Deployment: the order of things, with each thing's rule in its own module.

1. slots: which service, and which are replaced        5. settle, start, scale down (Recreate)
2. task definition: known, adopted, or registered      6. create or update the service
3. target groups and their anchors                     7. judge progress; finish, fail, fall back
4. differences of the service, field by field          8. publish traffic, retire, collect

Everything that is made depends only on what stands before it, so one pass goes from nothing to a
service: later actions refer to the outputs of earlier ones. Planning again on what `absorb` makes of
the results gives no actions (fixpoint), and the status of that second plan is the pass's outcome.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sluice.model.actions import Action, Note
from sluice.model.binding import Priority
from sluice.model.desired import Desired, Revision
from sluice.model.observed import Observed
from sluice.model.rollout import Decision
from sluice.plan.deployment import (
    adoption,
    discovery,
    leftovers,
    motion,
    publish,
    registries,
    slots,
    summary,
    verbs,
)
from sluice.plan.deployment.anchor import anchors
from sluice.plan.deployment.register import Registration, register
from sluice.plan.deployment.rolling import Work, changed, create, rejection, update
from sluice.plan.deployment.state import State
from sluice.plan.deployment.summary import Verdict
from sluice.plan.deployment.targets import attached, moving_ports, target_groups


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentPlan:
    """What one pass does, and what the status says meanwhile."""

    state: State
    status: Mapping[str, Any]
    actions: tuple[Action, ...] = ()
    notes: tuple[Note, ...] = ()
    wake_at: float | None = None
    keep: Revision | None = None
    """The revision to keep as a ControllerRevision before this status is written."""
    completed: bool = False
    """A rollout ended well in this pass: old ControllerRevisions may go."""
    rollback: bool = False
    """A return to an earlier revision is in motion."""
    decision: Decision | None = None
    """What the machine of a progressive Deployment decided."""


def plan(
    desired: Desired,
    observed: Observed,
    state: State,
    *,
    now: float,
    routes: Sequence[Mapping[str, Any]] = (),
) -> DeploymentPlan:
    """Return the plan of one pass; raises Refused where only a person can help."""
    if desired.suspended:
        return _suspended(desired, observed, state, now=now, routes=routes)
    claim = adoption.claim(desired, state, observed)
    if claim:
        return _claimed(desired, state, claim, now=now)
    state = adoption.learn(desired, state, observed)
    chosen = slots.choose(desired, state, observed)
    warnings = (
        adoption.reminder(desired, state),
        *moving_ports(desired, state),
        registries.warning(desired, state, chosen.service),
    )
    desired = dataclasses.replace(desired, warnings=(*desired.warnings, *filter(None, warnings)))
    replaced = (*chosen.retiring, *state.others)
    retiring, let_go = slots.remaining(desired, replaced, observed.services)
    before = state.slot.revision if state.slot else ""
    work = Work(
        desired=desired,
        observed=observed,
        now=now,
        # A progressive Deployment's other slot carries no weight at rest: it goes like a replaced service.
        state=dataclasses.replace(state, retiring=retiring, slot=chosen.slot, others=(), progressive={}),
        slot=chosen.slot,
        service=chosen.service,
        listings=discovery.listings(routes, desired.key.name),
        notes=[*chosen.notes, *let_go],
    )
    work.state = motion.clock(desired, work.state, now=now)
    if work.service is None and work.rejected:
        work.verdict = rejection(work)
    elif work.service is None and work.still:
        work.verdict = Verdict(ready=False, reason="Paused", message="nothing is created while paused")
    else:
        _run(work)
    _publish(work, routes)
    return _conclude(work, kept=before)


def _run(work: Work) -> None:
    """Steps 2 to 7."""
    registration = register(work.desired, work.state, work.observed, now=work.now)
    work.state = dataclasses.replace(
        work.state, definitions=registration.definitions, registering=registration.registering
    )
    targets = target_groups(work.desired, work.state, work.observed, slot=work.slot.name)
    targets = targets.with_others(work.state.target_groups, slot=work.slot.name)
    spent = leftovers.collect(work.desired, work.state, work.observed, work.service)
    hung = anchors(work.desired, work.state, work.observed, targets.without(spent.names))
    if registration.action:
        work.actions.append(registration.action)
    changed(work, *(f"target group: {text}" for text in targets.repaired), *hung.repaired)
    work.actions += [*targets.actions, *hung.actions]
    work.spent = spent.names
    work.state = dataclasses.replace(work.state, target_groups=targets.groups, anchors=hung.anchors)
    if registration.arn is None:
        _wait_for_definition(work, registration)
        return
    balancers = attached(
        work.desired, targets, slot=work.slot.name, anchors=hung.anchors, service=work.service
    )
    if work.service is None:
        create(work, registration.arn, balancers)
    else:
        update(work, work.service, registration.arn, balancers)
    work.actions += spent.actions  # last: what AWS does not let us collect keeps nothing else from being done


def _wait_for_definition(work: Work, registration: Registration) -> None:
    if registration.wait_until is not None:
        work.wakes.append(registration.wait_until)
    work.verdict = Verdict(
        ready=False,
        reason="RollingOut",
        message="waiting until AWS's list would show a task definition whose registration was not answered",
    )


def _publish(work: Work, routes: Sequence[Mapping[str, Any]]) -> None:
    """Step 8: traffic and who has proved it."""
    groups = tuple(group for group in work.state.target_groups if group.name not in work.spent)
    rollout_id = verbs.current_id(work.state) or work.desired.revision.name
    traffic = publish.publish(
        work.desired, work.state, work.observed, groups, rollout_id=rollout_id, now=work.now
    )
    proofs = publish.acknowledgements(work.state, traffic, routes, work.desired.key.name)
    if publish.unpublished(dataclasses.replace(work.state, traffic=traffic), groups) and work.slot.running:
        work.wakes.append(work.now + 2)
    work.state = dataclasses.replace(work.state, traffic=traffic, routes=proofs)


def _conclude(work: Work, *, kept: str) -> DeploymentPlan:
    desired = work.desired
    verdict = work.verdict or Verdict(ready=False, reason="RollingOut", message="planning")
    state = work.state
    wakes = list(work.wakes)
    if not verdict.ready and verdict.reason != "Paused":
        soon = summary.poll_after(state, now=work.now)
        wakes += [soon] if soon is not None else []
    name = desired.revision.name
    now_given = bool(state.slot and state.slot.revision == name)
    state = dataclasses.replace(state, observed_generation=desired.generation)
    rollback = bool(desired.hold and desired.hold.reason == "RolledBack" and state.rollout)
    return DeploymentPlan(
        state=state,
        status=summary.status(desired, state, verdict, service=work.service, now=work.now),
        actions=tuple(
            dataclasses.replace(action, priority=Priority.ROLLBACK) if rollback else action
            for action in work.actions
        ),
        notes=tuple(work.notes),
        wake_at=min(wakes) if wakes else None,
        keep=desired.revision if now_given and kept != name else None,
        completed=work.completed,
        rollback=rollback,
    )


def _claimed(desired: Desired, state: State, claim: adoption.Claim, *, now: float) -> DeploymentPlan:
    """Tag a service that is taken over, and remember nothing of it before the tags are there."""
    verdict = Verdict(ready=False, reason="RollingOut", message=claim.message)
    state = dataclasses.replace(state, observed_generation=desired.generation)
    return DeploymentPlan(
        state=state,
        status=summary.status(desired, state, verdict, service=None, now=now),
        actions=claim.actions,
        notes=(claim.note,),
        wake_at=now + 1,
    )


def _suspended(
    desired: Desired,
    observed: Observed,
    state: State,
    *,
    now: float,
    routes: Sequence[Mapping[str, Any]],
) -> DeploymentPlan:
    """Hands off: say what would be done, do nothing and remember no intent."""
    would = plan(dataclasses.replace(desired, suspended=False), observed, state, now=now, routes=routes)
    notes: tuple[Note, ...] = ()
    if would.actions:
        texts = "; ".join(f"{action.operation}: {action.reason}" for action in would.actions[:3])
        more = f" and {len(would.actions) - 3} more" if len(would.actions) > 3 else ""
        verdict = Verdict(ready=False, reason="Paused", message=f"suspended; not done: {texts}{more}")
        if not any(entry["message"] == verdict.message for entry in state.conditions):
            notes = (Note(type="Warning", reason="DriftFound", message=verdict.message),)
    else:
        condition = next(entry for entry in would.status["conditions"] if entry["type"] == "Ready")
        verdict = Verdict(
            ready=condition["status"] == "True",
            reason=condition["reason"],
            message=f"suspended, nothing to do; {condition['message']}",
        )
    quiet = dataclasses.replace(state, observed_generation=desired.generation)
    unclaimed = adoption.claim(desired, state, observed) is not None
    service = None if unclaimed else slots.choose(desired, state, observed).service
    return DeploymentPlan(
        state=quiet, status=summary.status(desired, quiet, verdict, service=service, now=now), notes=notes
    )
