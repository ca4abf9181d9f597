"""One Deployment as people look at it: Deployment → slots → tasks → routes, and why it waits. Pure.

Made of what status publishes for people (docs/reference.md); `status.rollout.memory` is the machine's own
and is not read. The same picture is printed as a tree (`tree`) and, member by member, as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sluice.cli import picture_routes
from sluice.cli.picture_routes import RouteView
from sluice.model.conditions import READY, UNSEEN, WARNINGS
from sluice.model.rollout import BACK

Json = Mapping[str, Any]
Role = Literal["live", "candidate", "standby", "idle", "retiring"]
StepState = Literal["done", "present", "next", "left"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotView:
    """An ECS service: what it runs and how many of its tasks are well."""

    slot: str
    role: Role
    revision: str = ""
    images: tuple[str, ...] = ()
    """Of the revision's containers; empty where the revision may not be read or is not kept."""
    desired: int = 0
    running: int = 0
    healthy: int | None = None
    """None: not known, or nothing asks for it (no target group)."""
    cluster: str = ""
    service: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepView:
    """A step of the rollout; `left` is the one at which it turned back."""

    number: int
    text: str
    state: StepState


@dataclass(frozen=True, slots=True, kw_only=True)
class GateView:
    """One thing that must say yes."""

    name: str
    state: str
    since: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnView:
    """A way back that is under way; seconds since the decision, None while a plane has not proved it."""

    decided_at: str
    rules_seconds: float | None = None
    discovery_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutView:
    """The change under way. Times as status has them (RFC 3339); shares in percent of the requests."""

    id: str
    kind: str = ""
    candidate: str = ""
    source: str = ""
    stage: str = ""
    by: str = ""
    started_at: str = ""
    step: int | None = None
    """Number of the present step, from 1; None before the first and after the last."""
    step_started_at: str = ""
    wake_at: str = ""
    """When it is looked at again at the latest."""
    deadline_at: str = ""
    share: float | None = None
    """What the candidate shall get; None: this strategy has no weights."""
    proven: float | None = None
    """What every route proved last."""
    paused: bool = False
    held: str = ""
    reason: str = ""
    message: str = ""
    rollback: ReturnView | None = None
    steps: tuple[StepView, ...] = ()
    gates: tuple[GateView, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """All of it."""

    namespace: str
    name: str
    generation: int
    observed_generation: int | None = None
    strategy: str = "RollingUpdate"
    phase: str = ""
    ready: bool = False
    """Ready, for the present generation."""
    reason: str = ""
    message: str = ""
    warnings: str = ""
    paused: bool = False
    """spec.paused."""
    suspended: bool = False
    """spec.suspend."""
    deleting: bool = False
    slots: tuple[SlotView, ...] = ()
    rollout: RolloutView | None = None
    standby_until: float | None = None
    """Epoch seconds: until then undo is instant."""
    rejected: Mapping[str, Any] | None = None
    """status.rejectedRevision."""
    last: Mapping[str, Any] | None = None
    """The newest entry of status.history."""
    routes: tuple[RouteView, ...] = ()
    problems: tuple[str, ...] = ()
    """What could not be read, so that its absence above means nothing."""
    unheard: tuple[str, ...] = ()
    """Verbs that were said of the present rollout and that the operator has not dealt with."""
    fewer_later: bool = False
    """spec.replicas asks for fewer tasks than the live slot keeps until the rollout is over."""


def picture(
    obj: Json,
    *,
    routes: Sequence[Json] = (),
    revisions: Sequence[Json] = (),
    problems: Sequence[str] = (),
    unheard: Sequence[str] = (),
) -> Picture:
    """Return the picture of a Deployment, its `routes` and its kept ControllerRevisions."""
    metadata, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    generation = int(metadata.get("generation", 0))
    ready = condition(obj, READY)
    history = status.get("history") or ()
    told = status.get("observedGeneration")
    seen = None if told == UNSEEN else told
    return Picture(
        namespace=metadata.get("namespace", ""),
        name=metadata["name"],
        generation=generation,
        observed_generation=seen,
        strategy=strategy_of(obj),
        phase=status.get("phase", ""),
        ready=ready.get("status") == "True" and ready.get("observedGeneration", seen) == generation,
        reason=ready.get("reason", ""),
        message=ready.get("message", "") or ("the operator has not looked at it yet" if seen is None else ""),
        warnings=condition(obj, WARNINGS).get("message", ""),
        paused=bool(spec.get("paused")),
        suspended=bool(spec.get("suspend")),
        deleting="deletionTimestamp" in metadata,
        slots=_slots(status, {entry["metadata"]["name"]: entry for entry in revisions}),
        rollout=_rollout(status["rollout"]) if status.get("rollout") else None,
        standby_until=(status.get("standby") or {}).get("until"),
        rejected=status.get("rejectedRevision"),
        last=history[0] if history else None,
        routes=tuple(picture_routes.route_view(route, obj) for route in routes),
        problems=tuple(text for text in problems if text),
        unheard=tuple(unheard),
        fewer_later=_fewer_later(spec, status),
    )


def _fewer_later(spec: Json, status: Json) -> bool:
    live, replicas = (status.get("live") or {}).get("slot"), spec.get("replicas")
    if not live or replicas is None or "stage" not in (status.get("rollout") or {}):
        return False
    return any(
        s.get("name") == live and int(s.get("desired", 0)) > replicas for s in status.get("slots") or ()
    )


def strategy_of(obj: Json) -> str:
    """Return `RollingUpdate`, `Recreate` or `Progressive`."""
    return str(((obj.get("spec") or {}).get("strategy") or {}).get("type") or "RollingUpdate")


def condition(obj: Json, kind: str) -> Json:
    """Return a condition of an object, {} when it has none of that type."""
    found = (obj.get("status") or {}).get("conditions") or ()
    return next((entry for entry in found if entry.get("type") == kind), {})


def images_of(revision: Json | None) -> tuple[str, ...]:
    """Return the images of a ControllerRevision's containers."""
    data = (revision or {}).get("data") or {}
    containers = (data.get("definition") or {}).get("containerDefinitions") or ()
    return tuple(str(container.get("image", "")) for container in containers)


def _slots(status: Json, revisions: Mapping[str, Json]) -> tuple[SlotView, ...]:
    found = []
    for group in ("slots", "retiring"):
        for entry in status.get(group) or ():
            name = str(entry.get("revision", ""))
            found.append(
                SlotView(
                    slot=entry.get("name", ""),
                    role="retiring" if group == "retiring" else _role(entry.get("name", ""), status),
                    revision=name,
                    images=images_of(revisions.get(name)),
                    desired=int(entry.get("desired", 0)),
                    running=int(entry.get("running", 0)),
                    healthy=entry.get("healthy"),
                    cluster=entry.get("cluster", ""),
                    service=entry.get("serviceName", ""),
                )
            )
    order: tuple[Role, ...] = ("live", "candidate", "standby", "idle", "retiring")
    return tuple(sorted(found, key=lambda slot: (order.index(slot.role), slot.slot)))


def _role(slot: str, status: Json) -> Role:
    live, rollout = status.get("live") or {}, status.get("rollout") or {}
    if live.get("slot", "a" if live else "") == slot:
        return "live"
    if rollout and rollout.get("slot", slot) == slot:
        return "candidate"
    if (status.get("standby") or {}).get("slot") == slot:
        return "standby"
    return "idle"


def _rollout(entry: Json) -> RolloutView:
    # A first rollout and an undo send everything at once; the strategy's steps are not theirs.
    own = entry.get("kind", "Rollout") == "Rollout"
    steps = [str(step) for step in entry.get("steps") or ()] if own else []
    index, stage = int(entry.get("stepIndex", 0)), str(entry.get("stage", ""))
    return RolloutView(
        id=str(entry["id"]),
        kind=entry.get("kind", ""),
        candidate=entry.get("candidate", ""),
        source=entry.get("source", ""),
        stage=stage or entry.get("recreate", ""),
        by=entry.get("by", ""),
        started_at=entry.get("startedAt", ""),
        step=index + 1 if stage == "Stepping" and index < len(steps) else None,
        step_started_at=entry.get("stepStartedAt", ""),
        wake_at=entry.get("wakeAt", ""),
        deadline_at=entry.get("deadlineAt", ""),
        share=_percent(entry.get("weight")),
        proven=_percent(entry.get("provenWeight")),
        paused=bool(entry.get("paused")),
        held=entry.get("held", ""),
        reason=entry.get("reason", ""),
        message=entry.get("message", ""),
        rollback=_return(entry.get("rollback")),
        steps=tuple(
            StepView(number=at + 1, text=text, state=_step_state(at, index, stage))
            for at, text in enumerate(steps)
        ),
        gates=tuple(
            GateView(
                name=gate["name"],
                state=gate.get("state", ""),
                since=gate.get("since", ""),
                message=gate.get("message", ""),
            )
            for gate in entry.get("gates") or ()
        ),
    )


def _return(entry: Json | None) -> ReturnView | None:
    if not entry:
        return None
    return ReturnView(
        decided_at=entry["decidedAt"],
        rules_seconds=entry.get("rulesSeconds"),
        discovery_seconds=entry.get("discoverySeconds"),
    )


def _step_state(at: int, index: int, stage: str) -> StepState:
    if at < index:
        return "done"
    if at > index:
        return "next"
    if stage in BACK:
        return "left"
    return "present" if stage == "Stepping" else "next"


def _percent(permille: object) -> float | None:
    return permille / 10 if isinstance(permille, int) else None
