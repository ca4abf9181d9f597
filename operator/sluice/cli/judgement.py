"""What a pipeline makes of a Deployment: Ready, failed, waiting for a person, or not decided yet. Pure.

| judgement | when |
|---|---|
| Ready | Ready is True for the present generation |
| Person | a person has to say or change something, see below |
| Failed | Stalled for the present generation in any other way: rolled back, refused, denied |
| Moving | everything else: a timed pause, a freeze, a rollback that goes on, a verb not dealt with yet |

A person is waited for at a pause without an end, after the verb pause, spec.paused or spec.suspend, a failed
hook that pauses, an inconclusive analysis, drift, a missing route, and where both slots are unhealthy.
`Stalled` of an older generation says nothing: the operator has not looked at the present spec.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from sluice.cli.picture import condition
from sluice.cli.problem import DONE, FAILED, PERSON
from sluice.cli.sense import unheard
from sluice.model.conditions import READY, STALLED
from sluice.model.rollout import BACK

Outcome = Literal["Ready", "Failed", "Person", "Moving"]
EXITS: Final[Mapping[Outcome, int]] = {"Ready": DONE, "Failed": FAILED, "Person": PERSON}
_ANSWERED: Final = frozenset(
    {"", "RolledBack", "FirstRolloutFailed", "ProgressDeadlineExceeded"}
    | {"AnalysisInconclusive", "DriftHalted", "RouteMissing", "NotPermitted"}
)
"""Reasons of Stalled that a verb may end; with any other (a refused spec) it may never be dealt with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The outcome, and in words why."""

    outcome: Outcome
    text: str


def judge(obj: Mapping[str, Any]) -> Judgement:
    """Judge a Deployment as the API server gives it."""
    generation = int(obj["metadata"].get("generation", 0))
    status = obj.get("status") or {}
    ready, stalled = condition(obj, READY), condition(obj, STALLED)
    seen = ready.get("observedGeneration", status.get("observedGeneration"))
    if not ready or seen != generation:
        return Judgement(outcome="Moving", text=f"generation {generation} has not been looked at yet")
    text = f"{ready.get('reason', '')}: {ready.get('message', '')}"
    if found := _said(obj, stalled) or _refused(status):
        return found
    if ready.get("status") == "True":
        return Judgement(outcome="Ready", text=text)
    if waits_for_person(obj):
        return Judgement(outcome="Person", text=text)
    if stalled.get("status") == "True" and not _going_back(status):
        return Judgement(outcome="Failed", text=text)
    return Judgement(outcome="Moving", text=text)


def _said(obj: Mapping[str, Any], stalled: Mapping[str, Any]) -> Judgement | None:
    """Return that something was said and what the status tells is of before that; None: nothing was."""
    said = unheard(obj)
    if not said or stalled.get("reason", "") not in _ANSWERED:
        return None
    text = f"{', '.join(said)} said, and not handled by the operator yet"
    return Judgement(outcome="Moving", text=text)


def _refused(status: Mapping[str, Any]) -> Judgement | None:
    """Return that the spec's revision will not run after the present rollout (onNewRevision: Reject)."""
    for gate in (status.get("rollout") or {}).get("gates") or ():
        if (gate.get("name"), gate.get("state")) == ("next revision", "Failed"):
            return Judgement(outcome="Failed", text=str(gate.get("message", "")))
    return None


def waits_for_person(obj: Mapping[str, Any]) -> bool:
    """Tell whether nothing goes on until a person says or changes something."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    rollout = status.get("rollout") or {}
    if spec.get("suspend"):
        return True
    gates = [(gate.get("name", ""), gate.get("state")) for gate in rollout.get("gates") or ()]
    if _going_back(status):
        return ("person", "Waiting") in gates
    if rollout.get("held"):
        return True  # known before the condition says so, where a timed pause or bake still runs
    if condition(obj, READY).get("reason") != "Paused":
        return False
    failed_hook = any(name.startswith("hook ") and state == "Failed" for name, state in gates)
    return bool(spec.get("paused") or rollout.get("paused") or ("promote", "Waiting") in gates or failed_hook)


def _going_back(status: Mapping[str, Any]) -> bool:
    return (status.get("rollout") or {}).get("stage") in BACK
