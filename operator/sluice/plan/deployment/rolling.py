"""The ECS service of one pass: created, updated, judged; and what its rollout becomes.

Steps 4 to 7 of `planner`. `Work` is what the steps of one plan hand to each other; it lives for one
plan and nobody outside sees it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sluice.model.actions import Action, Note, Ref
from sluice.model.conditions import STALLED_REASONS
from sluice.model.desired import Desired
from sluice.model.observed import Observed, Structure
from sluice.model.ownership import REVISION
from sluice.plan.deployment import motion, publish, registries, retire, target
from sluice.plan.deployment import service as ecs
from sluice.plan.deployment.discovery import Listing, unsettled
from sluice.plan.deployment.percentages import deployment_configuration
from sluice.plan.deployment.progress import (
    ATTACHED,
    Progress,
    alarms_of,
    detached_again,
    epoch,
    evaluate,
    rolled_back,
    stopped_reasons,
    triggered,
    with_alarms,
)
from sluice.plan.deployment.service import Difference
from sluice.plan.deployment.state import Slot, State
from sluice.plan.deployment.summary import Verdict


@dataclass(slots=True)
class Work:
    """What the steps of one plan hand to each other."""

    desired: Desired
    observed: Observed
    now: float
    state: State
    slot: Slot
    service: Structure | None
    listings: tuple[Listing, ...] = ()
    """Routes that list the tasks in Cloud Map."""
    actions: list[Action] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    wakes: list[float] = field(default_factory=list)
    verdict: Verdict | None = None
    completed: bool = False
    spent: frozenset[str] = frozenset()
    """Target groups that go in this pass (`leftovers`)."""

    @property
    def rejected(self) -> bool:
        """The effective revision itself is rejected, so it is left as it is."""
        rejected = self.state.rejected
        return bool(rejected and rejected.revision == self.desired.revision.name)

    @property
    def still(self) -> bool:
        """No new ECS deployment may start."""
        return self.desired.paused or self.rejected


def _body(
    work: Work, arn: str | Ref, balancers: list[dict[str, Any]], *, count: int | None, tasks: int
) -> dict[str, Any]:
    given = registries.wanted(work.desired, work.state, work.service, work.listings)
    kept = registries.remembered(work.state, work.service, given)
    work.state = dataclasses.replace(work.state, registries=kept)
    return ecs.update_body(
        work.desired,
        task_definition=arn,
        load_balancers=balancers,
        deployment_configuration=deployment_configuration(work.desired.strategy, tasks),
        count=count,
        registries=given,
    )


def create(work: Work, arn: str | Ref, balancers: list[dict[str, Any]]) -> None:
    """Plan CreateService, and the rollout that begins with it."""
    _start(work, (), exists=False)
    rollout = work.state.rollout
    count = work.desired.replicas
    if count is None:
        before = (work.slot, *work.state.retiring)
        count = max(slot.desired for slot in before) or 1
    body = _body(work, arn, balancers, count=None, tasks=count)
    attempt = rollout.id if rollout else ""
    work.actions.append(ecs.create(work.desired, work.slot, body, count=count, attempt=attempt))
    work.verdict = Verdict(
        ready=False,
        reason="RollingOut",
        message=f"ECS service {work.slot.service_name} is created for revision {work.desired.revision.name}",
    )


def _start(work: Work, found: tuple[Difference, ...], *, exists: bool) -> None:
    """Begin a rollout to the effective revision, if it has not begun."""
    before = work.state.rollout
    work.state = motion.start(work.desired, work.state, work.slot, found, exists=exists, now=work.now)
    rollout = work.state.rollout
    # Of the first ever its end tells enough: one Event for an object that just starts.
    if rollout and rollout.source and (before is None or before.id != rollout.id):
        message = f"rollout {rollout.id} to revision {rollout.candidate} from {rollout.source}"
        work.notes.append(Note(type="Normal", reason="RolloutStarted", message=message))


def _given(work: Work, service: Structure) -> None:
    """Take note that the service has the effective revision completely.

    One that a pass created which died before any status (ADR 25) gets its rollout now; a service that is
    older was found after its status was lost.
    """
    state = work.state
    known = state.live or state.rollout or state.history or work.still or work.desired.adopt
    began = None if known else epoch(service.get("createdAt"))
    if began is not None and work.now - began < work.desired.strategy.progress_deadline_seconds:
        _start(work, (), exists=False)
    work.slot = dataclasses.replace(work.slot, revision=work.desired.revision.name)
    work.state = dataclasses.replace(work.state, slot=work.slot)


def update(work: Work, service: Structure, arn: str | Ref, balancers: list[dict[str, Any]]) -> None:
    """Plan what a service that exists lacks, and judge how far it is."""
    desired = work.desired
    tasks = desired.replicas if desired.replicas is not None else int(service.get("desiredCount", 0))
    body = _body(work, arn, balancers, count=desired.replicas, tasks=tasks)
    found = ecs.differences(service, body)
    if _fell_back(work, found, arn):
        return
    if waits := _waits_for_names(work, service, found, body):
        _hold(work, service, found, body, waits)
        return
    if not motion.settled(desired, work.state, work.slot, found):
        drifted = work.slot.revision == desired.revision.name and work.state.rollout is None
        if not drifted and not work.still:
            _start(work, found, exists=True)
            move = motion.recreate(desired, work.state, service)
            work.state = move.state
            if move.step != "go":
                _stop_old(work, service, move.step == "scale-down")
                return
    elif work.slot.revision != desired.revision.name:
        _given(work, service)
    found = _with_count(work, service, found, body)
    refused = ""
    for member in ATTACHED:
        if why := _attaching_refused(work, found, member, body.get(member) or []):
            found = tuple(entry for entry in found if entry.member != member)
            refused = refused or why
    _send(work, service, found, body)
    _judge(work, service, found)
    if refused and work.verdict and work.verdict.ready:
        work.verdict = Verdict(ready=False, reason="RolledBack", message=refused)


_WHAT = {"loadBalancers": "the target groups", "serviceRegistries": "the Cloud Map service"}


def _waits_for_names(
    work: Work, service: Structure, found: tuple[Difference, ...], body: Mapping[str, Any]
) -> str:
    """Return the routes whose names have to settle before another deployment begins, or tasks get fewer.

    A way back waits for nothing, nor does a Recreate that has begun: it means everything to go.
    """
    back = work.desired.hold is not None and work.desired.hold.reason == "RolledBack"
    if work.still or back or (work.state.rollout and work.state.rollout.recreate):
        return ""
    fewer = "desiredCount" in body and int(body["desiredCount"]) < int(service.get("desiredCount", 0))
    begins = any(entry.of_revision or entry.member in ecs.TRIGGERING for entry in found)
    begins = begins or not motion.settled(work.desired, work.state, work.slot, found)
    if not (fewer or begins):
        return ""
    return unsettled(work.listings, service)


def _hold(
    work: Work, service: Structure, found: tuple[Difference, ...], body: Mapping[str, Any], waits: str
) -> None:
    """Let nothing but more tasks happen, and say what is waited for."""
    now = int(service.get("desiredCount", 0))
    more = tuple(e for e in found if e.member == "desiredCount" and int(body["desiredCount"]) > now)
    if more:
        work.actions.append(ecs.update(work.slot, body, more, force=False))
    name = work.desired.revision.name
    what = f"revision {name}" if work.slot.revision != name else ", ".join(entry.text for entry in found)
    what = what or f"the restart of {name}"
    text = f"{what} waits until the names of the present tasks have settled ({waits})"
    work.wakes.append(work.now + 2)
    work.verdict = Verdict(ready=False, reason="RollingOut", message=text)


def _attaching_refused(
    work: Work, found: tuple[Difference, ...], member: str, wanted: list[dict[str, Any]]
) -> str:
    """Return why what routes attach is not attached again, '' when it may be."""
    settled = work.slot.revision == work.desired.revision.name and work.state.rollout is None
    if not settled or not any(entry.member == member for entry in found):
        return ""
    ended = detached_again(work.observed.deployments, member, wanted)
    if ended is None:
        return ""
    why = str(ended.get("statusReason") or "its tasks did not become healthy")
    return (
        f"ECS detached {_WHAT[member]} of the ServiceRoutes again: {why}; fix the health check or the "
        "image (a new revision is tried at once)"
    )


def _with_count(
    work: Work, service: Structure, found: tuple[Difference, ...], body: dict[str, Any]
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


def _fell_back(work: Work, found: tuple[Difference, ...], arn: str | Ref) -> bool:
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
    why = with_alarms(why, alarms_of(ended))
    reasons = stopped_reasons(work.observed.stopped)
    work.state, note = motion.fall_back(
        desired, work.state, work.slot, why=why, reasons=reasons, now=work.now
    )
    work.notes.append(note)
    work.wakes.append(work.now)
    work.verdict = rejection(work)
    return True


def rejection(work: Work) -> Verdict:
    """Return what to tell of a rejected revision."""
    hold = target.choose(work.state, wanted=work.desired.spec_revision, paused=False).hold
    if hold is None:  # the rejected revision is not the spec's any more
        return Verdict(ready=False, reason="RollingOut", message="another revision follows")
    return Verdict(ready=False, reason=hold.reason, message=hold.message)


def _stop_old(work: Work, service: Structure, send: bool) -> None:  # noqa: FBT001 - private, one caller
    name = work.desired.revision.name
    if send:
        work.actions.append(motion.scale_down(work.slot, name))
    left = int(service.get("runningCount", 0))
    work.verdict = Verdict(
        ready=False,
        reason="RollingOut",
        message=f"Recreate: {left} tasks of the old revision stop before revision {name} starts",
    )


def _send(work: Work, service: Structure, found: tuple[Difference, ...], body: Mapping[str, Any]) -> None:
    """Step 6 for a service that exists."""
    desired, rollout = work.desired, work.state.rollout
    if work.still:
        started = work.slot.revision == desired.revision.name and rollout is None and not work.rejected
        blocked = set(ATTACHED) if started else ecs.REVISION_MEMBERS | ecs.TRIGGERING
        found = tuple(entry for entry in found if entry.member not in blocked)
    force = bool(
        rollout and rollout.supersedes and rollout.supersedes == work.slot.deployment_id and not work.still
    )
    tags = ecs.tag_actions(desired, work.slot, service)
    work.actions += tags
    if work.slot.revision == desired.revision.name:
        # A new revision's tag is no news, nor is the one that stays behind when ECS rolls back.
        behind = ecs.tags_of(service).get(REVISION) in {entry.get("revision") for entry in work.state.history}
        old = f"tags {REVISION}" if behind else ""
        changed(work, *(action.reason for action in tags if action.reason != old))
    if not found and not force:
        return
    work.actions.append(ecs.update(work.slot, body, found, force=force))
    changed(work, *([", ".join(entry.text for entry in found)] if found else []))


def changed(work: Work, *texts: str) -> None:
    """Tell what is different in AWS: drift, unless the spec, a route or a rollout asks for it."""
    if work.state.rollout is not None:
        return
    asked = work.state.observed_generation != work.desired.generation or any(
        not group.arn for group in work.state.target_groups
    )
    reason = "ServiceUpdated" if asked else "DriftRepaired"
    work.notes += [Note(type="Normal", reason=reason, message=text) for text in texts]


def _judge(work: Work, service: Structure, found: tuple[Difference, ...]) -> None:
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
            work.verdict = rejection(work)
        return
    stopped = work.observed.stopped
    alarms = triggered(work.observed.deployments, task_definition=str(service.get("taskDefinition")))
    progress = evaluate(
        desired, service, count=desired.replicas, stopped=stopped, now=work.now, alarms=alarms
    )
    if progress.ready_at:
        work.wakes.append(progress.ready_at)
    if progress.state == "Failed" and not work.rejected and _final(work, alarms):
        work.state, note = motion.fail(
            desired, work.state, work.slot, progress, reasons=stopped_reasons(stopped), now=work.now
        )
        work.notes.append(note)
        work.verdict = rejection(work)
    elif progress.state == "Complete" and not found:
        _complete(work, progress)
    else:
        work.verdict = _moving(work, progress)


def _final(work: Work, alarms: tuple[str, ...]) -> bool:
    """Whether a FAILED deployment stays as it is: nothing to roll back to, or no rollback asked for.

    `alarms` failed it, or else the circuit breaker did; each of the two says whether ECS rolls back.
    """
    strategy = work.desired.strategy
    detector = strategy.alarms if alarms else strategy.circuit_breaker
    return work.state.live is None or not detector.get("rollback", True)


def _complete(work: Work, progress: Progress) -> None:
    desired = work.desired
    work.completed = work.state.rollout is not None
    work.state, notes = motion.finish(desired, work.state, work.slot, now=work.now)
    work.notes += notes
    successor = work.slot.service_name
    if work.state.retiring:
        own = tuple(group for group in work.state.target_groups if group.slot == work.slot.name)
        proof = retire.carries_load(
            work.observed, own, running=int(work.slot.running), retiring=work.state.retiring
        )
        listed = _listed(work)
        ready_to_go = proof and not work.still and not listed
        if ready_to_go:
            work.actions += retire.retire(work.state.retiring, work.observed, successor=successor)
        names = ", ".join(slot.service_name for slot in work.state.retiring)
        what = "stays until the new tasks are healthy targets"
        if ready_to_go or listed:
            what = f"stays until names answer without it ({listed})" if listed else "stops"
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


def _listed(work: Work) -> str:
    """Return whose names may still answer with tasks of a service that was replaced, '' when none does."""
    traffic = work.state.traffic
    seen = traffic is not None and not publish.moved(work.desired, work.state)
    found = [
        entry.route
        for entry in work.listings
        if entry.holds and not (seen and entry.wanted and entry.proves(traffic) and not entry.leaving)
    ]
    return ", ".join(f"ServiceRoute {name}" for name in found)


def _moving(work: Work, progress: Progress) -> Verdict:
    desired, rollout = work.desired, work.state.rollout
    if desired.hold and desired.hold.reason != "Paused":
        return Verdict(ready=False, reason=desired.hold.reason, message=desired.hold.message)
    # In waves (maximumPercent), too, tasks of the next one have room only when entries of the last one left.
    makes_room = not progress.failing and any(entry.wanted and entry.leaving for entry in work.listings)
    if progress.leaving or makes_room:
        stuck = next((entry for entry in work.listings if entry.holds and entry.problem), None)
        reason = stuck.problem_reason if stuck and stuck.problem_reason in STALLED_REASONS else "RollingOut"
        why = f"; ServiceRoute {stuck.route}: {stuck.problem}" if stuck else ""
        return Verdict(ready=False, reason=reason, message=f"{progress.message}{why}")
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
