"""The machine's memory in status: `rollout`, `standby`, `live` and `rejectedRevision`, there and back.

`status.rollout.memory` is the machine's own, member by member, opaque to everybody else; what stands
beside it is for people and tools, and is never read back. Machine times are epoch seconds with
fractions, because steps are timed by them.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from sluice.model.conditions import timestamp
from sluice.model.rollout import (
    Gate,
    HookRun,
    LiveRevision,
    MetricRun,
    Motion,
    RejectedRevision,
    Rollout,
    Standby,
)
from sluice.plan.deployment.state import Live, Rejected, State

_T = TypeVar("_T")
_EMPTY: Final[tuple[Any, ...]] = (None, "", 0, (), [], {})
"""What status leaves out; False and 0.0 are 0."""


def motion_of(state: State) -> Motion:
    """Read what the machine remembers."""
    rollout, standby = state.moving, state.progressive.get("standby")
    live, rejected = state.live, state.rejected
    return Motion(
        live=LiveRevision(slot=live.slot, revision=_serving(state, live), since=live.since) if live else None,
        standby=Standby(
            slot=standby["slot"],
            revision=standby["revision"],
            until=float(standby["until"]),
            count=int(standby.get("count", 0)),
        )
        if standby
        else None,
        rollout=read_rollout(rollout) if rollout else None,
        rejected=RejectedRevision(
            revision=rejected.revision,
            reason=rejected.reason,
            message=rejected.message,
            fallback=rejected.fallback,
            cause=rejected.cause,
        )
        if rejected
        else None,
    )


def _serving(state: State, live: Live) -> str:
    """Return what the live slot was given last: a rolling deployment may have begun before this strategy."""
    given = next((slot.revision for slot in state.slots if slot.name == live.slot), "")
    return live.revision if state.moving else given or live.revision


def with_motion(state: State, motion: Motion, *, steps: Sequence[str] = (), wake_at: float | None) -> State:
    """Return the state that keeps `motion`; `steps` and `wake_at` are for people."""
    live = None
    if motion.live:
        slot = next((entry for entry in state.slots if entry.name == motion.live.slot), None)
        known = state.live.task_definition if state.live else ""
        live = Live(
            slot=motion.live.slot,
            revision=motion.live.revision,
            task_definition=slot.task_definition if slot else known,
            since=motion.live.since,
        )
    progressive: dict[str, Any] = {}
    if motion.rollout:
        progressive["rollout"] = write_rollout(motion.rollout, steps=steps, wake_at=wake_at)
    if motion.standby:
        progressive["standby"] = _dense(dataclasses.asdict(motion.standby))
    rejected = motion.rejected
    return dataclasses.replace(
        state,
        live=live,
        rollout=None,
        progressive=progressive,
        rejected=Rejected(
            revision=rejected.revision,
            reason=rejected.reason,
            message=rejected.message,
            fallback=rejected.fallback,
            cause=rejected.cause,
        )
        if rejected
        else None,
    )


def write_rollout(rollout: Rollout, *, steps: Sequence[str] = (), wake_at: float | None) -> dict[str, Any]:
    """Return `status.rollout`: what people read, and `memory`, the machine's own."""
    shown = {
        "id": rollout.id,
        "kind": rollout.kind,
        "candidate": rollout.candidate,
        "source": rollout.source,
        "slot": rollout.slot,
        "stage": rollout.stage,
        "startedAt": timestamp(rollout.started_at),
        "by": rollout.by,
        "step": f"{min(rollout.step + 1, len(steps))}/{len(steps)}" if steps else "",
        "share": f"{rollout.weight / 10:g}%",
        "steps": list(steps),
        "stepIndex": rollout.step,
        "stepStartedAt": timestamp(rollout.step_since) if rollout.step_since is not None else None,
        "wakeAt": timestamp(wake_at) if wake_at is not None else None,
        "weight": rollout.weight,
        "provenWeight": rollout.proven,
        "paused": rollout.paused,
        "held": rollout.held,
        "reason": rollout.reason,
        "message": rollout.message,
        "rollback": _way_back(rollout),
        "gates": [
            {
                "name": gate.name,
                "state": gate.state,
                "since": timestamp(gate.since),
                **({"message": gate.message} if gate.message else {}),
            }
            for gate in rollout.gates
        ],
        "leaderEpoch": rollout.leader_epoch,
    }
    always = {"stepIndex", "weight", "provenWeight"}
    kept = {
        name: value
        for name, value in shown.items()
        if value is not None and (name in always or value not in _EMPTY)
    }
    return {**kept, "memory": dump(rollout)}


def _way_back(rollout: Rollout) -> dict[str, Any]:
    """Return when a return was decided and how long each plane took; {} while none is under way."""
    if not rollout.decided_at:
        return {}
    planes = {"rulesSeconds": rollout.verified_at, "discoverySeconds": rollout.discovered_at}
    took = {name: round(at - rollout.decided_at, 3) for name, at in planes.items() if at}
    return {"decidedAt": timestamp(rollout.decided_at), **took}


def read_rollout(entry: Mapping[str, Any]) -> Rollout:
    """Read `status.rollout` back from its `memory`."""
    return _load(Rollout, entry["memory"])


def dump(value: Any) -> dict[str, Any]:  # noqa: ANN401 - any of the machine's dataclasses
    """Return a dataclass as JSON can carry it, without members that have their default."""
    found: dict[str, Any] = {}
    for member in dataclasses.fields(value):
        held = getattr(value, member.name)
        if held != member.default and held not in ((), {}):
            found[_camel(member.name)] = _plain(held)
    return found


def _plain(value: Any) -> Any:  # noqa: ANN401 - members of the machine's dataclasses
    if dataclasses.is_dataclass(value):
        return dump(value)
    if isinstance(value, tuple):
        return [_plain(entry) for entry in value]
    return dict(value) if isinstance(value, Mapping) else value


def _load(kind: type[_T], entry: Mapping[str, Any]) -> _T:
    members: dict[str, Any] = {}
    for member in dataclasses.fields(kind):  # type: ignore[arg-type]  # every kind here is a dataclass
        name = _camel(member.name)
        if name in entry:
            members[member.name] = _read(member.name, entry[name])
    return kind(**members)


def _read(name: str, value: Any) -> Any:  # noqa: ANN401 - members of the machine's dataclasses
    nested = _NESTED.get(name)
    if nested and isinstance(value, list):
        return tuple(_load(nested, entry) for entry in value)
    return tuple(value) if isinstance(value, list) else value


@functools.cache
def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def _dense(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if value not in _EMPTY}


_NESTED: Final[Mapping[str, type[Any]]] = {"hooks": HookRun, "metrics": MetricRun, "gates": Gate}
