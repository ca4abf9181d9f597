"""Series of one Deployment and of its rollout, as its status has them."""

from __future__ import annotations

from typing import Any, Final

from sluice.model.keys import Key
from sluice.telemetry.raw import Raw, entries, member, moment, number, status_of, text
from sluice.telemetry.series import Families, Series

_NAMED: Final = ("namespace", "name")
INFO: Final = Series(
    "sluice_deployment_info",
    "1; phase, live revision, strategy and the value of the team label as labels.",
    (*_NAMED, "phase", "revision", "strategy", "team"),
)
REPLICAS: Final = Series("sluice_deployment_replicas", "Tasks that run or start.", _NAMED)
READY_REPLICAS: Final = Series("sluice_deployment_ready_replicas", "Tasks that run.", _NAMED)
UPDATED_REPLICAS: Final = Series(
    "sluice_deployment_updated_replicas", "Tasks of the present revision.", _NAMED
)
TASKS: Final = Series(
    "sluice_deployment_tasks",
    "Tasks of a slot: desired and running as ECS says, healthy in every target group where that was read.",
    (*_NAMED, "slot", "state"),
)
LAST_DURATION: Final = Series(
    "sluice_deployment_last_rollout_duration_seconds",
    "How long the newest rollout of status.history took; how it ended as a label.",
    (*_NAMED, "outcome"),
)
LAST_END: Final = Series(
    "sluice_deployment_last_rollout_timestamp_seconds",
    "When the newest rollout of status.history ended, epoch seconds.",
    _NAMED,
)
STARTED: Final = Series(
    "sluice_rollout_started_timestamp_seconds",
    "When the rollout that goes on began, epoch seconds.",
    _NAMED,
)
STEP_STARTED: Final = Series(
    "sluice_rollout_step_started_timestamp_seconds",
    "When the clock of the present step started: its weight was proved by every route. Epoch seconds.",
    _NAMED,
)
STEP: Final = Series("sluice_rollout_step", "Steps that are done.", _NAMED)
STEPS: Final = Series("sluice_rollout_steps", "Steps of the rollout, presets expanded.", _NAMED)
STAGE: Final = Series(
    "sluice_rollout_stage_info",
    "1 while a progressive rollout goes on; where it is, as labels.",
    (*_NAMED, "kind", "stage", "slot"),
)
GATE: Final = Series(
    "sluice_rollout_gate_info",
    "1 for each thing that must say yes before the rollout goes on; how it stands, as a label.",
    (*_NAMED, "gate", "state"),
)
WEIGHT: Final = Series(
    "sluice_rollout_weight",
    "Share of the requests (without a route: of the tasks) that the candidate shall have, 0 to 1: desired by"
    " the step, proven by every route.",
    (*_NAMED, "kind"),
)
HELD: Final = Series(
    "sluice_rollout_held",
    "1 while the rollout waits for a person; why, as a label.",
    (*_NAMED, "reason"),
)
DEPLOYMENT_SERIES: Final = (
    INFO, REPLICAS, READY_REPLICAS, UPDATED_REPLICAS, TASKS, LAST_DURATION, LAST_END,
)  # fmt: skip
ROLLOUT_SERIES: Final = (STARTED, STEP_STARTED, STEP, STEPS, STAGE, GATE, WEIGHT, HELD)
_COUNTS: Final = (
    ("replicas", REPLICAS), ("readyReplicas", READY_REPLICAS), ("updatedReplicas", UPDATED_REPLICAS),
)  # fmt: skip
_PERSONS: Final = {"promote": "Paused", "person": "BothSlotsUnhealthy"}
"""Gates that only a person opens (rollout.stepping, rollout.rollback) → what they tell."""


def deployment(families: Families, key: Key, obj: Raw, *, team: str) -> None:
    """Add the series of one Deployment; `team` is the value of its team label."""
    status, named = status_of(obj), (key.namespace, key.name)
    revision = text(member(status, "live").get("revision"))
    strategy = text(member(member(obj, "spec"), "strategy").get("type")) or "RollingUpdate"
    families.add(INFO, (*named, text(status.get("phase")), revision, strategy, team), 1)
    for field, series in _COUNTS:
        if (value := number(status.get(field))) is not None:
            families.add(series, named, value)
    for (slot, state), value in _tasks(status).items():
        families.add(TASKS, (*named, slot, state), value)
    _last(families, named, entries(status, "history")[:1])
    if rollout := member(status, "rollout"):
        _rollout(families, named, rollout)


def _tasks(status: Raw) -> dict[tuple[str, str], float]:
    """Return the tasks by slot and state; a service that is being replaced counts with its slot."""
    found: dict[tuple[str, str], float] = {}
    for slot in (*entries(status, "slots"), *entries(status, "retiring")):
        for state in ("desired", "running", "healthy"):
            if (value := number(slot.get(state))) is not None:
                place = (text(slot.get("name")), state)
                found[place] = found.get(place, 0.0) + value
    return found


def _last(families: Families, named: tuple[str, str], newest: list[Raw]) -> None:
    for entry in newest:
        seconds, started = number(entry.get("durationSeconds")), moment(entry.get("startedAt"))
        if seconds is None:
            continue
        families.add(LAST_DURATION, (*named, text(entry.get("outcome"))), seconds)
        if started is not None:
            families.add(LAST_END, named, started + seconds)


def _rollout(families: Families, named: tuple[str, str], rollout: Raw) -> None:
    if (started := moment(rollout.get("startedAt"))) is not None:
        families.add(STARTED, named, started)
    gates = {text(gate.get("name")): text(gate.get("state")) for gate in entries(rollout, "gates")}
    if reason := _held(rollout, gates):
        families.add(HELD, (*named, reason), 1)
    if not rollout.get("stage"):
        return
    families.add(STEP, named, number(rollout.get("stepIndex")) or 0.0)
    families.add(STEPS, named, len(_texts(rollout.get("steps"))))
    where = (text(rollout.get(name)) for name in ("kind", "stage", "slot"))
    families.add(STAGE, (*named, *where), 1)
    for gate, state in gates.items():
        families.add(GATE, (*named, gate, state), 1)
    if (since := moment(rollout.get("stepStartedAt"))) is not None:
        families.add(STEP_STARTED, named, since)
    for kind, field in (("desired", "weight"), ("proven", "provenWeight")):
        if (permille := number(rollout.get(field))) is not None:
            families.add(WEIGHT, (*named, kind), permille / 1000)


def _held(rollout: Raw, gates: dict[str, str]) -> str:
    """Return why a rollout waits for a person, '' when it does not."""
    if held := text(rollout.get("held")):
        return held
    if rollout.get("paused") is True:
        return "Paused"
    return next((told for gate, told in _PERSONS.items() if gates.get(gate) == "Waiting"), "")


def _texts(value: Any) -> list[Any]:  # noqa: ANN401 - raw JSON
    return value if isinstance(value, list) else []
