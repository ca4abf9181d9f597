"""What people and tools read in status: conditions, phase, counts, images, size. Decides nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sluice.model.conditions import READY, conditions, parse_timestamp
from sluice.model.desired import Desired
from sluice.model.observed import Structure
from sluice.plan.deployment.service import primary
from sluice.plan.deployment.state import State

_FAST, _MEDIUM, _SLOW = 2.0, 5.0, 15.0
_PATIENCE: Final = 600.0
_PHASES: Final = {
    "Paused": "Paused",
    "RolledBack": "Degraded",
    "FirstRolloutFailed": "Degraded",
    "ProgressDeadlineExceeded": "Degraded",
    "Deleting": "Deleting",
    "RollingOut": "Progressing",
    "WaitingForTargets": "Progressing",
    "WaitingForAWSBudget": "Progressing",
    "Draining": "Progressing",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The one sentence about the object."""

    ready: bool
    reason: str
    message: str


def status(
    desired: Desired, state: State, verdict: Verdict, *, service: Structure | None, now: float
) -> dict[str, Any]:
    """Return the whole status; equal inputs but for the time give equal statuses."""
    found = judged(state, verdict, desired.generation, now=now, warnings="\n".join(desired.warnings))
    counts = _counts(desired, state, service)
    images = _images(desired.revision.definition)
    extra: dict[str, Any] = {
        "phase": phase(verdict, service),
        **counts,
        "selector": desired.selector,
        "images": images,
        "taskSize": dict(desired.task_size),
    }
    return {**found, **{name: value for name, value in extra.items() if value not in (None, "", [], {})}}


def judged(
    state: State, verdict: Verdict, generation: int, *, now: float, warnings: str = ""
) -> dict[str, Any]:
    """Return the state's status with conditions that say `verdict` about `generation`."""
    written = state.write()
    written["observedGeneration"] = generation
    written["conditions"] = conditions(
        ready=verdict.ready,
        reason=verdict.reason,
        message=verdict.message,
        generation=generation,
        now=now,
        previous=state.conditions,
        warnings=warnings,
    )
    return written


def phase(verdict: Verdict, service: Structure | None) -> str:
    """Return the display word of api.md."""
    if verdict.ready:
        return "Healthy"
    if verdict.reason == "RollingOut" and service is None:
        return "Pending"
    return _PHASES.get(verdict.reason, "Degraded")


def poll_after(state: State, *, now: float) -> float | None:
    """Return when to look again while something moves: often at first, seldom after minutes.

    None after ten minutes without a rollout: only a person can help, and the drift resync is enough.
    """
    since = now
    if state.rollout:
        since = state.rollout.started_at
    else:
        for condition in state.conditions:
            if condition["type"] == READY and condition["status"] == "False":
                since = parse_timestamp(condition["lastTransitionTime"])
    age = now - since
    if state.rollout is None and not state.retiring and age >= _PATIENCE:
        return None
    return now + (_FAST if age < 30 else _MEDIUM if age < 180 else _SLOW)


def ready_now(status: Mapping[str, Any], generation: int) -> bool:
    """Tell whether a status says Ready for this generation."""
    return any(
        condition["type"] == READY
        and condition["status"] == "True"
        and condition.get("observedGeneration") == generation
        for condition in status.get("conditions") or ()
    )


def _counts(desired: Desired, state: State, service: Structure | None) -> dict[str, int]:
    if service is None:
        return {"replicas": 0, "readyReplicas": 0, "updatedReplicas": 0}
    running = int(service.get("runningCount", 0))
    ours = bool(state.slot and state.slot.revision == desired.revision.name)
    updated = int(primary(service).get("runningCount", running)) if ours else 0
    return {
        "replicas": running + int(service.get("pendingCount", 0)),
        "readyReplicas": running,
        "updatedReplicas": updated,
    }


def _images(definition: Mapping[str, Any]) -> list[dict[str, str]]:
    found = []
    for container in definition.get("containerDefinitions") or ():
        image = str(container.get("image", ""))
        name, _, digest = image.partition("@")
        entry = {"name": container.get("name", ""), "tag": name}
        found.append({**entry, "digest": digest} if digest else entry)
    return found
