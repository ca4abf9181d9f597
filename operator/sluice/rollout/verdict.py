"""What people are told: one reason of the closed list, one text with numbers, one word for display."""

from __future__ import annotations

from dataclasses import dataclass

from sluice.model.rollout import BACK, Stage
from sluice.rollout.work import Wait, Work, facts, percent


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The state in a condition's words."""

    ready: bool
    reason: str
    message: str
    phase: str


def verdict(work: Work) -> Verdict:
    """Sum up the pass."""
    rollout = work.motion.rollout
    if rollout is None:
        return _at_rest(work)
    wait = work.waits or Wait(reason="RollingOut", message="the rollout moves")
    if work.situation.blocked and wait.counts:
        wait = Wait(reason="WaitingForAWSBudget", message=f"{wait.message}; AWS: {work.situation.blocked}")
    return Verdict(
        ready=False, reason=wait.reason, message=wait.message, phase=_phase(work, rollout.stage, wait)
    )


def _phase(work: Work, stage: Stage, wait: Wait) -> str:
    if stage in BACK:
        held = stage == "RollingBack" and any(gate.name == "person" for gate in work.gates)
        return "Degraded" if held else "RollingBack"
    if wait.reason == "Frozen":
        return "Frozen"
    if wait.reason in ("DriftHalted", "RouteMissing", "ProgressDeadlineExceeded"):
        return "Degraded"
    if wait.reason in ("Paused", "AnalysisInconclusive"):
        return "Paused"
    if stage in ("Baking", "PostBake"):
        return "Baking"
    return "Pending" if work.motion.live is None and stage == "Starting" else "Progressing"


def _at_rest(work: Work) -> Verdict:
    live, rejected, wanted = work.motion.live, work.motion.rejected, work.situation.wanted
    if rejected and rejected.revision == wanted and (live is None or live.revision != wanted):
        cure = f"fix the spec, or annotate sluice.dev/retry to try {wanted} again"
        if rejected.cause == "Group":
            cure = "it begins again by itself when that member is mended"
        return Verdict(
            ready=False, reason=rejected.reason, message=f"{rejected.message}; {cure}", phase="Degraded"
        )
    if live is None:
        wait = work.waits or Wait(reason="RollingOut", message="nothing is live yet")
        return Verdict(ready=False, reason=wait.reason, message=wait.message, phase="Pending")
    if work.situation.leaving and live.revision != wanted:
        text = f"revision {wanted} begins by the new strategy"
        return Verdict(ready=False, reason="RollingOut", message=text, phase="Progressing")
    slot = facts(work.situation, live.slot)
    size = slot.desired if work.situation.replicas is None else work.situation.replicas
    good = slot.running if slot.healthy is None else slot.healthy
    good = good if slot.current is None else min(good, slot.current)
    text = f"revision {live.revision} in slot {live.slot}: {good} of {size} tasks healthy"
    if slot.current is not None and slot.current < min(size, slot.running):
        text += f"; {slot.running - slot.current} of another task definition still run"
    surplus = work.situation.replicas is not None and slot.running > size
    if slot.exists and surplus and good >= size:  # as a rolling one: what is Ready shows true counts
        text = f"{text}; {slot.running - size} more are stopping"
        return Verdict(ready=False, reason="RollingOut", message=text, phase="Progressing")
    if slot.exists and good >= size:
        return Verdict(ready=True, reason="Available", message=text, phase="Healthy")
    return Verdict(ready=False, reason="WaitingForTargets", message=text, phase="Degraded")


def asked_revision(work: Work) -> str:
    """Return the text about a revision that the spec asks for while another one is in motion."""
    rollout = work.rollout
    return (
        f"revision {work.situation.wanted} came while {rollout.candidate} is rolled out "
        f"({percent(rollout.weight)} of requests)"
    )
