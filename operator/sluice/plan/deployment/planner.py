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
from dataclasses import dataclass, field
from typing import Any

from sluice.model.actions import Action, Note, Ref
from sluice.model.binding import Priority
from sluice.model.desired import Desired, Revision
from sluice.model.observed import Observed, Structure
from sluice.plan.deployment import motion, publish, retire, slots, summary, target, verbs
from sluice.plan.deployment import service as ecs
from sluice.plan.deployment.anchor import anchors
from sluice.plan.deployment.percentages import deployment_configuration
from sluice.plan.deployment.progress import (
    Progress,
    balancers_rolled_back,
    evaluate,
    rolled_back,
    stopped_reasons,
)
from sluice.plan.deployment.register import Registration, register
from sluice.plan.deployment.service import Difference
from sluice.plan.deployment.state import Slot, State
from sluice.plan.deployment.summary import Verdict
from sluice.plan.deployment.targets import attached, target_groups


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


@dataclass(slots=True)
class _Pass:
    """What the steps of one plan hand to each other."""

    desired: Desired
    observed: Observed
    now: float
    state: State
    slot: Slot
    service: Structure | None
    actions: list[Action] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    wakes: list[float] = field(default_factory=list)
    verdict: Verdict | None = None
    completed: bool = False

    @property
    def rejected(self) -> bool:
        """The effective revision itself is rejected, so it is left as it is."""
        rejected = self.state.rejected
        return bool(rejected and rejected.revision == self.desired.revision.name)

    @property
    def still(self) -> bool:
        """No new ECS deployment may start."""
        return self.desired.paused or self.rejected


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
    chosen = slots.choose(desired, state, observed)
    before = state.slot.revision if state.slot else ""
    work = _Pass(
        desired=desired,
        observed=observed,
        now=now,
        state=dataclasses.replace(
            state, retiring=slots.remaining(chosen.retiring, observed.services), slot=chosen.slot
        ),
        slot=chosen.slot,
        service=chosen.service,
        notes=list(chosen.notes),
    )
    work.state = motion.clock(desired, work.state, now=now)
    if work.service is None and work.still:
        work.verdict = Verdict(ready=False, reason="Paused", message="nothing is created while paused")
    else:
        _run(work)
    _publish(work, routes)
    return _conclude(work, kept=before)


def _run(work: _Pass) -> None:
    """Steps 2 to 7."""
    registration = register(work.desired, work.state, work.observed, now=work.now)
    work.state = dataclasses.replace(
        work.state, definitions=registration.definitions, registering=registration.registering
    )
    targets = target_groups(work.desired, work.state, work.observed)
    hung = anchors(work.desired, work.state, work.observed, targets)
    if registration.action:
        work.actions.append(registration.action)
    work.actions += [*targets.actions, *hung.actions]
    work.notes += [
        Note(type="Normal", reason="DriftRepaired", message=f"target group: {text}")
        for text in targets.repaired
    ]
    work.state = dataclasses.replace(work.state, target_groups=targets.groups, anchors=hung.anchors)
    if registration.arn is None:
        _wait_for_definition(work, registration)
        return
    balancers = attached(work.desired, targets)
    if work.service is None:
        _create(work, registration.arn, balancers)
    else:
        _update(work, work.service, registration.arn, balancers)


def _wait_for_definition(work: _Pass, registration: Registration) -> None:
    if registration.wait_until is not None:
        work.wakes.append(registration.wait_until)
    work.verdict = Verdict(
        ready=False,
        reason="RollingOut",
        message="waiting until AWS's list would show a task definition whose registration was not answered",
    )


def _body(
    work: _Pass, arn: str | Ref, balancers: list[dict[str, Any]], *, count: int | None, tasks: int
) -> dict[str, Any]:
    return ecs.update_body(
        work.desired,
        task_definition=arn,
        load_balancers=balancers,
        deployment_configuration=deployment_configuration(work.desired.strategy, tasks),
        count=count,
    )


def _create(work: _Pass, arn: str | Ref, balancers: list[dict[str, Any]]) -> None:
    work.state = motion.start(work.desired, work.state, work.slot, (), exists=False, now=work.now)
    rollout = work.state.rollout
    count = work.desired.replicas
    if count is None:
        count = max([slot.desired for slot in work.state.retiring], default=0) or 1
    body = _body(work, arn, balancers, count=None, tasks=count)
    attempt = rollout.id if rollout else ""
    work.actions.append(ecs.create(work.desired, work.slot, body, count=count, attempt=attempt))
    work.verdict = Verdict(
        ready=False,
        reason="RollingOut",
        message=f"ECS service {work.slot.service_name} is created for revision {work.desired.revision.name}",
    )


def _update(work: _Pass, service: Structure, arn: str | Ref, balancers: list[dict[str, Any]]) -> None:
    desired = work.desired
    tasks = desired.replicas if desired.replicas is not None else int(service.get("desiredCount", 0))
    body = _body(work, arn, balancers, count=desired.replicas, tasks=tasks)
    found = ecs.differences(service, body)
    if _fell_back(work, found, arn):
        return
    if not motion.settled(desired, work.state, work.slot, found):
        drifted = work.slot.revision == desired.revision.name and work.state.rollout is None
        if not drifted and not work.still:
            work.state = motion.start(desired, work.state, work.slot, found, exists=True, now=work.now)
            move = motion.recreate(desired, work.state, service)
            work.state = move.state
            if move.step != "go":
                _stop_old(work, service, move.step == "scale-down")
                return
    elif work.slot.revision != desired.revision.name:
        work.slot = dataclasses.replace(work.slot, revision=desired.revision.name)
        work.state = dataclasses.replace(work.state, slot=work.slot)
    found = _with_count(work, service, found, body)
    refused = _balancers_refused(work, found, balancers)
    if refused:
        found = tuple(entry for entry in found if entry.member != "loadBalancers")
    _send(work, service, found, body)
    _judge(work, service, found)
    if refused and work.verdict and work.verdict.ready:
        work.verdict = Verdict(ready=False, reason="RolledBack", message=refused)


def _balancers_refused(work: _Pass, found: tuple[Difference, ...], balancers: list[dict[str, Any]]) -> str:
    """Return why the target groups are not attached again, '' when they may be."""
    settled = work.slot.revision == work.desired.revision.name and work.state.rollout is None
    if not settled or not any(entry.member == "loadBalancers" for entry in found):
        return ""
    ended = balancers_rolled_back(work.observed.deployments, balancers)
    if ended is None:
        return ""
    why = str(ended.get("statusReason") or "its tasks did not become healthy targets")
    return (
        f"ECS detached the target groups of the ServiceRoutes again: {why}; fix the health check or the "
        "image (a new revision is tried at once)"
    )


def _with_count(
    work: _Pass, service: Structure, found: tuple[Difference, ...], body: dict[str, Any]
) -> tuple[Difference, ...]:
    """Bring back the tasks that a Recreate took away, where the spec does not own the count."""
    rollout = work.state.rollout
    if (
        work.desired.replicas is None
        and rollout
        and rollout.replicas
        and not int(service.get("desiredCount", 0))
    ):
        body["desiredCount"] = rollout.replicas
        return (*found, Difference(member="desiredCount", text=f"desiredCount 0 → {rollout.replicas}"))
    return found


def _fell_back(work: _Pass, found: tuple[Difference, ...], arn: str | Ref) -> bool:
    """Recognise ECS's own rollback of the effective revision, and reject the revision."""
    desired, rollout = work.desired, work.state.rollout
    name = desired.revision.name
    moving = rollout is not None and rollout.candidate == name
    given = work.slot.revision == name
    forced = moving and rollout is not None and bool(rollout.supersedes)
    if not isinstance(arn, str) or not (any(entry.of_revision for entry in found) or forced):
        return False
    since = rollout.started_at if rollout and moving else None
    ended = rolled_back(
        work.observed.deployments,
        task_definition=arn,
        given=given and not forced,
        since=since,
    )
    if ended is None:
        return False
    why = str(ended.get("statusReason") or (ended.get("rollback") or {}).get("reason") or "")
    reasons = stopped_reasons(work.observed.stopped)
    work.state, note = motion.fall_back(
        desired, work.state, work.slot, why=why, reasons=reasons, now=work.now
    )
    work.notes.append(note)
    work.wakes.append(work.now)
    work.verdict = _rejection(work)
    return True


def _rejection(work: _Pass) -> Verdict:
    hold = target.choose(work.state, wanted=work.desired.spec_revision, paused=False).hold
    if hold is None:  # the rejected revision is not the spec's any more
        return Verdict(ready=False, reason="RollingOut", message="another revision follows")
    return Verdict(ready=False, reason=hold.reason, message=hold.message)


def _stop_old(work: _Pass, service: Structure, send: bool) -> None:  # noqa: FBT001 - private, one caller
    name = work.desired.revision.name
    if send:
        work.actions.append(motion.scale_down(work.slot, name))
    left = int(service.get("runningCount", 0))
    work.verdict = Verdict(
        ready=False,
        reason="RollingOut",
        message=f"Recreate: {left} tasks of the old revision stop before revision {name} starts",
    )


def _send(work: _Pass, service: Structure, found: tuple[Difference, ...], body: Mapping[str, Any]) -> None:
    """Step 6 for a service that exists."""
    desired, rollout = work.desired, work.state.rollout
    if work.still:
        started = work.slot.revision == desired.revision.name and rollout is None and not work.rejected
        blocked = {"loadBalancers"} if started else ecs.REVISION_MEMBERS | ecs.TRIGGERING
        found = tuple(entry for entry in found if entry.member not in blocked)
    force = bool(
        rollout and rollout.supersedes and rollout.supersedes == work.slot.deployment_id and not work.still
    )
    work.actions += ecs.tag_actions(desired, work.slot, service)
    if not found and not force:
        return
    work.actions.append(ecs.update(work.slot, body, found, force=force))
    texts = ", ".join(entry.text for entry in found)
    if rollout is None and work.state.observed_generation == desired.generation:
        work.notes.append(Note(type="Normal", reason="DriftRepaired", message=texts))
    elif rollout is None:
        work.notes.append(Note(type="Normal", reason="ServiceUpdated", message=texts))


def _judge(work: _Pass, service: Structure, found: tuple[Difference, ...]) -> None:
    """Step 7: what is true of the service as it was seen."""
    desired = work.desired
    if work.slot.revision != desired.revision.name:
        name = desired.revision.name
        work.verdict = Verdict(
            ready=False,
            reason="Paused" if desired.paused else "RollingOut",
            message=f"revision {name} {'waits until the pause ends' if desired.paused else 'is rolled out'}",
        )
        if work.rejected:
            work.verdict = _rejection(work)
        return
    stopped = work.observed.stopped
    progress = evaluate(desired, service, count=desired.replicas, stopped=stopped, now=work.now)
    if progress.ready_at:
        work.wakes.append(progress.ready_at)
    if progress.state == "Failed" and not work.rejected and _final(work):
        work.state, note = motion.fail(
            desired, work.state, work.slot, progress, reasons=stopped_reasons(stopped), now=work.now
        )
        work.notes.append(note)
        work.verdict = _rejection(work)
    elif progress.state == "Complete" and not found:
        _complete(work, progress)
    else:
        work.verdict = _moving(work, progress)


def _final(work: _Pass) -> bool:
    """Whether a FAILED deployment stays as it is: nothing to roll back to, or no rollback asked for."""
    breaker = work.desired.strategy.circuit_breaker
    return work.state.live is None or not breaker.get("rollback", True)


def _complete(work: _Pass, progress: Progress) -> None:
    desired = work.desired
    work.completed = work.state.rollout is not None
    work.state, notes = motion.finish(desired, work.state, work.slot, now=work.now)
    work.notes += notes
    successor = work.slot.service_name
    if work.state.retiring:
        proof = retire.carries_load(work.observed, work.state.target_groups, running=int(work.slot.running))
        ready_to_go = proof and not work.still
        if ready_to_go:
            work.actions += retire.retire(work.state.retiring, work.observed, successor=successor)
        names = ", ".join(slot.service_name for slot in work.state.retiring)
        what = "stops" if ready_to_go else "stays until the new tasks are healthy targets"
        work.verdict = Verdict(
            ready=False,
            reason="Draining",
            message=f"{progress.message}; replaced ECS service {names} {what}",
        )
        return
    if desired.hold:
        work.verdict = Verdict(ready=False, reason=desired.hold.reason, message=desired.hold.message)
        return
    if not work.actions:
        work.actions += retire.garbage(desired, work.state)
    reason = "Paused" if desired.paused else "Available"
    work.verdict = Verdict(ready=True, reason=reason, message=progress.message)


def _moving(work: _Pass, progress: Progress) -> Verdict:
    desired, rollout = work.desired, work.state.rollout
    if desired.hold and desired.hold.reason != "Paused":
        return Verdict(ready=False, reason=desired.hold.reason, message=desired.hold.message)
    deadline = rollout.deadline_at if rollout else None
    if deadline is not None:
        if work.now > deadline:
            limit = desired.strategy.progress_deadline_seconds
            return Verdict(
                ready=False,
                reason="ProgressDeadlineExceeded",
                message=f"{progress.message}; longer than progressDeadlineSeconds ({limit})",
            )
        work.wakes.append(deadline + 1)
    return Verdict(ready=False, reason="RollingOut", message=progress.message)


def _publish(work: _Pass, routes: Sequence[Mapping[str, Any]]) -> None:
    """Step 8: traffic and who has proved it."""
    groups = work.state.target_groups
    rollout_id = verbs.current_id(work.state) or work.desired.revision.name
    traffic = publish.publish(
        work.desired, work.state, work.observed, groups, rollout_id=rollout_id, now=work.now
    )
    proofs = publish.acknowledgements(work.state, traffic, routes, work.desired.key.name)
    if publish.unpublished(dataclasses.replace(work.state, traffic=traffic), groups) and work.slot.running:
        work.wakes.append(work.now + 2)
    work.state = dataclasses.replace(work.state, traffic=traffic, routes=proofs)


def _conclude(work: _Pass, *, kept: str) -> DeploymentPlan:
    desired = work.desired
    verdict = work.verdict or Verdict(ready=False, reason="RollingOut", message="planning")
    state = work.state
    wakes = list(work.wakes)
    if not verdict.ready and verdict.reason != "Paused":
        wakes.append(summary.poll_after(state, now=work.now))
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
    if would.actions:
        texts = "; ".join(f"{action.operation}: {action.reason}" for action in would.actions[:3])
        more = f" and {len(would.actions) - 3} more" if len(would.actions) > 3 else ""
        verdict = Verdict(ready=False, reason="Paused", message=f"suspended; not done: {texts}{more}")
    else:
        condition = next(entry for entry in would.status["conditions"] if entry["type"] == "Ready")
        verdict = Verdict(
            ready=condition["status"] == "True",
            reason=condition["reason"],
            message=f"suspended, nothing to do; {condition['message']}",
        )
    quiet = dataclasses.replace(state, observed_generation=desired.generation)
    service = slots.choose(desired, state, observed).service
    return DeploymentPlan(
        state=quiet, status=summary.status(desired, quiet, verdict, service=service, now=now)
    )
