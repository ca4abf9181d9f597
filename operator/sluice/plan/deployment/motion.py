"""The life of one rollout of a rolling or recreated service: start, settle, fall back, finish.

`slot.revision` is the hinge. It says what the service was last given completely, and it changes only
when the service is seen without a difference, after the revision was kept. So a crash anywhere between
leads back here, and "the service no longer runs what it was given" can be told from "it never got it".
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

from sluice.model.actions import Action, Note
from sluice.model.desired import Desired
from sluice.model.observed import Structure
from sluice.plan.deployment import history
from sluice.plan.deployment import service as ecs
from sluice.plan.deployment.progress import Progress
from sluice.plan.deployment.service import Difference
from sluice.plan.deployment.state import Live, Rejected, Slot, State


def settled(desired: Desired, state: State, slot: Slot, found: tuple[Difference, ...]) -> bool:
    """Tell whether the service has completely got the effective revision.

    Without a difference it has, except where equal settings must still be deployed by force: a restart
    that has not begun, or whose forced deployment is not there yet.
    """
    if any(entry.of_revision for entry in found):
        return False
    name, rollout = desired.revision.name, state.rollout
    if rollout and rollout.candidate == name:
        return not rollout.supersedes or rollout.supersedes != slot.deployment_id
    return slot.revision in ("", name)


def start(
    desired: Desired, state: State, slot: Slot, found: tuple[Difference, ...], *, exists: bool, now: float
) -> State:
    """Return the state with a rollout to the effective revision; one to another revision is superseded."""
    if state.rollout and state.rollout.candidate == desired.revision.name:
        return state
    supersedes = slot.deployment_id if exists and ecs.needs_force(found) else ""
    rollout = history.begin(
        state,
        candidate=desired.revision.name,
        deadline=desired.strategy.progress_deadline_seconds,
        now=now,
        supersedes=supersedes,
    )
    entries = state.history
    if state.rollout:
        entries = history.add(entries, history.entry(state.rollout, outcome="Superseded", by="spec", now=now))
        rollout = dataclasses.replace(rollout, replicas=state.rollout.replicas)
    return dataclasses.replace(state, rollout=rollout, history=entries)


def clock(desired: Desired, state: State, *, now: float) -> State:
    """Stop the deadline's clock while paused; it starts anew afterwards, as in apps/v1."""
    rollout = state.rollout
    if rollout is None:
        return state
    deadline = rollout.deadline_at
    if desired.paused:
        deadline = None
    elif deadline is None:
        deadline = float(int(now + desired.strategy.progress_deadline_seconds))
    return dataclasses.replace(state, rollout=dataclasses.replace(rollout, deadline_at=deadline))


@dataclass(frozen=True, slots=True, kw_only=True)
class RecreateMove:
    """What Recreate does in this pass before the new revision may start."""

    state: State
    step: Literal["wait", "scale-down", "go"]


def recreate(desired: Desired, state: State, service: Structure) -> RecreateMove:
    """Decide the step of a Recreate: all tasks of the old revision go first.

    status.rollout.recreate is written before each step, so after a crash the same step is done again.
    """
    rollout = state.rollout
    if rollout is None or desired.strategy.type != "Recreate" or rollout.recreate == "Starting":
        return RecreateMove(state=state, step="go")
    want = int(service.get("desiredCount", 0))
    left = int(service.get("runningCount", 0)) + int(service.get("pendingCount", 0))
    if want:
        remembered = rollout.replicas if desired.replicas is not None else want
        moved = dataclasses.replace(rollout, recreate="ScalingDown", replicas=remembered)
        return RecreateMove(state=dataclasses.replace(state, rollout=moved), step="scale-down")
    if left:
        moved = dataclasses.replace(rollout, recreate="ScalingDown")
        return RecreateMove(state=dataclasses.replace(state, rollout=moved), step="wait")
    moved = dataclasses.replace(rollout, recreate="Starting")
    return RecreateMove(state=dataclasses.replace(state, rollout=moved), step="go")


def scale_down(slot: Slot, revision: str) -> Action:
    """Return the UpdateService that stops all tasks of the old revision."""
    return Action(
        service="ecs",
        operation="UpdateService",
        params={"cluster": slot.cluster, "service": slot.service_name, "desiredCount": 0},
        subject=f"ECS service {slot.service_name} in cluster {slot.cluster}",
        reason=f"Recreate: tasks stop before revision {revision} starts",
        outputs={ecs.output_name(slot): "service"},
    )


def finish(desired: Desired, state: State, slot: Slot, *, now: float) -> tuple[State, tuple[Note, ...]]:
    """Return the state once the effective revision runs completely."""
    name = desired.revision.name
    notes: tuple[Note, ...] = ()
    entries = state.history
    if state.rollout:
        entries = history.add(
            entries, history.entry(state.rollout, outcome="Succeeded", by=_author(state), now=now)
        )
        text = f"revision {name} runs completely (rollout {state.rollout.id})"
        notes = (Note(type="Normal", reason="RolloutCompleted", message=text),)
    live = state.live
    if live is None or live.revision != name or live.task_definition != slot.task_definition:
        live = Live(
            slot=slot.name,
            revision=name,
            task_definition=slot.task_definition,
            since=float(int(now)),
        )
    rejected = state.rejected
    if rejected and name == desired.spec_revision:
        rejected = None  # it runs after all, or the spec has moved on to one that does
    return (
        dataclasses.replace(state, rollout=None, live=live, history=entries, rejected=rejected),
        notes,
    )


def fall_back(
    desired: Desired, state: State, slot: Slot, *, why: str, reasons: tuple[str, ...], now: float
) -> tuple[State, Note]:
    """Return the state after ECS rolled the effective revision back: it is rejected until `retry`."""
    name = desired.revision.name
    source = (state.rollout.source if state.rollout else "") or history.previous(state)
    if not source and state.live and state.live.revision != name:
        source = state.live.revision
    detail = "; ".join((why, *reasons)) if why else "; ".join(reasons)
    message = f"ECS rolled revision {name} back" + (f" to {source}" if source else "")
    message += f": {detail}" if detail else ""
    return _reject(
        state,
        slot,
        Rejected(revision=name, reason="RolledBack", fallback=source, message=message),
        outcome="RolledBack",
        evidence=reasons,
        now=now,
    )


def fail(
    desired: Desired, state: State, slot: Slot, progress: Progress, *, reasons: tuple[str, ...], now: float
) -> tuple[State, Note]:
    """Return the state after a deployment failed and ECS leaves it so."""
    first = state.live is None
    reason = "FirstRolloutFailed" if first else "ProgressDeadlineExceeded"
    rejected = Rejected(revision=desired.revision.name, reason=reason, message=progress.message)
    return _reject(state, slot, rejected, outcome="Failed", evidence=reasons, now=now)


def _reject(
    state: State,
    slot: Slot,
    rejected: Rejected,
    *,
    outcome: Literal["RolledBack", "Failed"],
    evidence: tuple[str, ...],
    now: float,
) -> tuple[State, Note]:
    entries = state.history
    if state.rollout:
        entry = history.entry(
            state.rollout, outcome=outcome, reason=rejected.message, by="ECS", evidence=evidence, now=now
        )
        entries = history.add(entries, entry)
    kept = slot if not rejected.fallback else dataclasses.replace(slot, revision="")
    after = dataclasses.replace(state, rollout=None, rejected=rejected, history=entries, slot=kept)
    return after, Note(type="Warning", reason=rejected.reason, message=rejected.message)


def _author(state: State) -> str:
    return "spec" if state.rejected is None else "rollback"
