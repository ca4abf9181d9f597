"""What stops forward moves: a pause, drift, a missing route, a freeze, gates, the live slot, the group.

None of it stops analysis, verification, scaling or a rollback (rollout.md §6).

| hold | ends |
|---|---|
| `spec.paused`, the verb pause | the field is cleared; resume |
| AnalysisInconclusive | promote (or abort) |
| DriftHalted | the foreign weights are gone, or resume: they are overwritten once |
| RouteMissing | a route refers to the Deployment again |
| Frozen | the window ends |
| alarms and metrics that say nothing yet | they do, or onNoData decides |
| unhealthy tasks of the live slot | they are healthy; promote-full passes over it |
| release group | all that change have arrived |
"""

from __future__ import annotations

from sluice.rollout import alarms, analysis, freeze, group, scaling
from sluice.rollout.work import Work

_WATCHED = frozenset({"PreTraffic", "Stepping", "PostTraffic", "Baking", "PostBake"})
"""Stages in which requests may reach the candidate, so drift and a missing route stop it."""


def watch(work: Work) -> None:
    """Take note of drift and of a set of routes that became empty; let go what is over."""
    rollout = work.rollout
    if rollout.kind != "Rollout" or rollout.stage not in _WATCHED | {"Draining"}:
        return
    routes = work.situation.traffic.routes
    foreign = next((route for route in routes if route.foreign), None)
    if rollout.reassert and not foreign and all(route.proven for route in routes):
        work.change(reassert=False)
    halts = work.strategy.on_drift == "Halt" and not rollout.reassert
    missing = not routes and not rollout.shares and rollout.stage != "Draining"
    if foreign and halts:
        text = (
            f"route {foreign.name} shows weights that Sluice did not write: {foreign.foreign}; "
            "put them back, or resume to overwrite them"
        )
        _hold(work, "DriftHalted", text)
    elif missing:
        text = "no ServiceRoute refers to this Deployment any more; apply one, or abort"
        _hold(work, "RouteMissing", text)
    elif rollout.held in ("DriftHalted", "RouteMissing"):
        work.change(held="", message="")


def _hold(work: Work, reason: str, message: str) -> None:
    rollout = work.rollout
    if rollout.held and rollout.held not in ("DriftHalted", "RouteMissing"):
        return  # a person has to answer the first one before
    if rollout.held != reason:
        work.note("DriftHalted" if reason == "DriftHalted" else "RouteMissing", message)
    if (rollout.held, rollout.message) != (reason, message):
        work.change(held=reason, message=message)


def halted(work: Work) -> bool:
    """Tell whether a person, drift or a missing route stops every forward move; say which."""
    rollout = work.rollout
    if rollout.held:
        work.wait(rollout.held, rollout.message)
    elif rollout.kind == "Undo":
        return False  # a way back is never paused
    elif work.situation.paused:
        text = f"revision {rollout.candidate} waits until"
        held = work.situation.hold
        work.wait("Paused", f"{text} then" if held else f"spec.paused: {text} it is cleared")
    elif rollout.paused:
        work.wait("Paused", "paused by a person; resume to go on")
    else:
        return False
    return True


def kept_paused(work: Work) -> str:
    """Return what a pause step adds to its message where something else will hold the rollout after it."""
    if work.rollout.kind == "Undo":
        return ""
    if work.situation.paused:
        return "" if work.situation.hold else "; spec.paused holds it after that"
    return "; paused by a person, too: resume to go on after that" if work.rollout.paused else ""


def frozen(work: Work) -> bool:
    """Tell whether a freeze window is open; a first rollout and an undo know none."""
    if work.rollout.kind != "Rollout":
        return False
    window = freeze.open_window(work.strategy.freeze, work.now)
    if window is None:
        return False
    work.wakes.append(window.until)
    work.gate(f"freeze {window.name}", "Waiting", "no start and no step forward while it lasts")
    work.wait("Frozen", f"freeze window {window.name} is open: no start and no step forward")
    return True


def forward(work: Work) -> bool:
    """Tell whether more may be sent to the candidate now; if not, say why."""
    if halted(work) or frozen(work):
        return False
    if work.rollout.kind != "Rollout":
        return True
    return (
        alarms.silent(work)
        and analysis.trusted(work)
        and scaling.source_carries(work, 1000 - work.rollout.weight)
        and group.arrived_together(work)
    )
