"""What holds a rollout, fact by fact: drift, no route, a person, a freeze, and each gate of a step."""

from __future__ import annotations

import dataclasses
from typing import Any, get_args

import pytest

from sluice.model.rollout import Stage
from sluice.model.situation import GroupFacts, MemberFacts, RouteFacts, SlotFacts, TrafficFacts
from sluice.model.strategy import FreezeWindow, OnDrift, Progressive
from sluice.rollout import holds
from sluice.rollout.work import Work
from unit.rollout.moment import NOW, STEPS, analysed, moment

WRITTEN = "rule 7 gives 500 to b"
CLEAN = RouteFacts(name="main", proven=True, verified_at=NOW)
TOUCHED = dataclasses.replace(CLEAN, foreign=WRITTEN)
UNPROVEN = dataclasses.replace(CLEAN, proven=False)
REACHED = {"PreTraffic", "Stepping", "PostTraffic", "Baking", "PostBake"}
ALWAYS = FreezeWindow(name="always", schedule="* * * * *", duration=3600)


def watched(*routes: RouteFacts, on_drift: OnDrift = "Halt", **rollout: Any) -> Work:
    """Return the moment after the machine looked at its routes."""
    strategy = Progressive(steps=STEPS, on_drift=on_drift, snapshot={"x": 1})
    work = moment(strategy=strategy, rollout=rollout, traffic=TrafficFacts(routes=routes))
    holds.watch(work)
    return work


def told(work: Work) -> list[str]:
    """Return the reasons of the Events."""
    return [note.reason for note in work.notes]


@pytest.mark.parametrize(
    ("foreign", "on_drift", "reassert", "held"),
    [
        pytest.param(True, "Halt", False, "DriftHalted", id="somebody wrote weights"),
        pytest.param(True, "Reassert", False, "", id="the strategy overwrites them"),
        pytest.param(True, "Halt", True, "", id="a person said to overwrite them"),
        pytest.param(False, "Halt", False, "", id="nobody did"),
        pytest.param(False, "Reassert", True, "", id="nobody did, and they would be overwritten"),
    ],
)
def test_weights_of_somebody_else_hold(foreign: bool, on_drift: OnDrift, reassert: bool, held: str) -> None:  # noqa: FBT001 - a table
    """Only where neither the strategy nor a person says what to do with them; told once."""
    work = watched(CLEAN, TOUCHED if foreign else CLEAN, on_drift=on_drift, reassert=reassert)
    assert (work.rollout.held, told(work)) == (held, [held] if held else [])
    assert (WRITTEN in work.rollout.message) is bool(held)


@pytest.mark.parametrize("stage", get_args(Stage))
def test_only_stages_in_which_requests_may_reach_the_candidate_look_at_routes(stage: Stage) -> None:
    """Before, nothing is written; on the way back everything is overwritten. No route: not at the end."""
    assert watched(TOUCHED, stage=stage).rollout.held == (
        "DriftHalted" if stage in REACHED | {"Draining"} else ""
    )
    assert watched(stage=stage).rollout.held == ("RouteMissing" if stage in REACHED else "")


@pytest.mark.parametrize("kind", ["First", "Undo"])
def test_a_first_rollout_and_an_undo_are_not_held_by_routes(kind: str) -> None:
    """They overwrite what is there; a first one may run before anybody routes to it."""
    assert watched(TOUCHED, kind=kind).rollout.held == ""
    assert watched(kind=kind).rollout.held == ""


def test_shares_of_tasks_miss_no_route() -> None:
    """A rollout that began without a route needs none."""
    assert watched(shares=True).rollout.held == ""


@pytest.mark.parametrize(
    ("routes", "ends"),
    [
        pytest.param((CLEAN, CLEAN), True, id="every route proved the weights"),
        pytest.param((CLEAN, UNPROVEN), False, id="one has not yet"),
        pytest.param((CLEAN, TOUCHED), False, id="foreign weights are still there"),
    ],
)
def test_a_resume_overwrites_until_every_route_has_proved(routes: tuple[RouteFacts, ...], ends: bool) -> None:  # noqa: FBT001
    """Once; what is written by hand after that holds again."""
    assert watched(*routes, reassert=True).rollout.reassert is not ends


@pytest.mark.parametrize(
    ("before", "message", "routes", "after", "notes"),
    [
        pytest.param("DriftHalted", "old", (CLEAN,), "", [], id="drift is over"),
        pytest.param("RouteMissing", "old", (CLEAN,), "", [], id="a route is back"),
        pytest.param("AnalysisInconclusive", "old", (CLEAN,), "AnalysisInconclusive", [], id="not its own"),
        pytest.param(
            "AnalysisInconclusive", "old", (TOUCHED,), "AnalysisInconclusive", [], id="one at a time"
        ),
        pytest.param("DriftHalted", "old", (TOUCHED,), "DriftHalted", [], id="other weights now"),
        pytest.param("RouteMissing", "old", (TOUCHED,), "DriftHalted", ["DriftHalted"], id="back, drifted"),
        pytest.param("DriftHalted", "old", (), "RouteMissing", ["RouteMissing"], id="drifted, then gone"),
    ],
)
def test_one_question_at_a_time(
    before: str, message: str, routes: tuple[RouteFacts, ...], after: str, notes: list[str]
) -> None:
    """What a person was asked first stays; the same hold is told once, with what is there now."""
    work = watched(*routes, held=before, message=message)
    assert (work.rollout.held, told(work)) == (after, notes)
    if after == "AnalysisInconclusive":
        assert work.rollout.message == message
    if after == "DriftHalted":
        assert WRITTEN in work.rollout.message


@pytest.mark.parametrize(
    ("rollout", "paused", "waits"),
    [
        pytest.param({}, False, "", id="nothing"),
        pytest.param({"held": "DriftHalted", "message": "m"}, True, "DriftHalted", id="held, the first"),
        pytest.param({"paused": True}, False, "Paused", id="a person's verb"),
        pytest.param({}, True, "Paused", id="spec.paused"),
        pytest.param({"kind": "Undo", "paused": True}, True, "", id="a way back knows no pause"),
        pytest.param({"kind": "Undo", "held": "RouteMissing"}, False, "RouteMissing", id="but a hold"),
        pytest.param({"kind": "First", "paused": True}, False, "Paused", id="a first rollout does"),
    ],
)
def test_what_halts(rollout: dict[str, Any], paused: bool, waits: str) -> None:  # noqa: FBT001 - a table
    """A person, drift or a missing route; and it is said."""
    work = moment(rollout=rollout, paused=paused)
    assert holds.halted(work) is bool(waits)
    assert (work.waits.reason if work.waits else "") == waits


@pytest.mark.parametrize(("kind", "frozen"), [("Rollout", True), ("First", False), ("Undo", False)])
def test_only_a_rollout_is_frozen(kind: str, frozen: bool) -> None:  # noqa: FBT001 - a table
    """It wakes when the window ends, and a gate shows it; what goes back or was never live is not stopped."""
    work = moment(strategy=analysed(freeze=(ALWAYS,)), rollout={"kind": kind})
    assert holds.frozen(work) is frozen
    assert holds.forward(work) is not frozen
    if frozen:
        assert (work.waits.reason if work.waits else "") == "Frozen"
        assert {gate.name for gate in work.gates} == {"freeze always"}
        assert set(work.wakes) == {NOW - NOW % 60 + 3600}


def test_no_window_freezes_nothing() -> None:
    """Nothing is said nor shown."""
    work = moment()
    assert (holds.frozen(work), work.waits, work.gates) == (False, None, [])


def slots(source: int) -> dict[str, SlotFacts]:
    """Return both slots; so many of the source's four targets are healthy."""
    made = moment().situation.slots
    return {
        "a": dataclasses.replace(made["a"], healthy=source),
        "b": dataclasses.replace(made["b"], healthy=4),
    }


LATE = GroupFacts(name="core", members=(MemberFacts(name="other", changing=True, arrived=-1),))


@pytest.mark.parametrize(
    ("strategy", "facts", "waits"),
    [
        pytest.param({}, {}, "", id="open"),
        pytest.param({}, {"source": 3}, "", id="the source carries its three quarters"),
        pytest.param({}, {"source": 2}, "WaitingForTargets", id="it does not"),
        pytest.param({}, {"paused": True}, "Paused", id="paused"),
        pytest.param({"freeze": (ALWAYS,)}, {}, "Frozen", id="frozen"),
        pytest.param({"alarms": ("5xx",)}, {}, "WaitingForGate", id="alarms that were not read"),
        pytest.param({"release_group": "core"}, {"group": LATE}, "WaitingForGate", id="the group"),
    ],
)
def test_each_gate_alone_stops_a_step(strategy: dict[str, Any], facts: dict[str, Any], waits: str) -> None:
    """Everything must say yes before more is sent to the candidate."""
    others = {name: fact for name, fact in facts.items() if name != "source"}
    work = moment(strategy=analysed(**strategy), slots=slots(facts.get("source", 4)), **others)
    assert holds.forward(work) is (waits == "")
    assert (work.waits.reason if work.waits else "") == waits


@pytest.mark.parametrize(
    ("facts", "message", "after"),
    [
        pytest.param(
            {},
            "spec.paused: revision r2 waits until it is cleared",
            "; spec.paused holds it after that",
            id="the field",
        ),
        pytest.param({"hold": True}, "revision r2 waits until then", "", id="a spec that is refused"),
    ],
)
def test_who_paused_is_told(facts: dict[str, Any], message: str, after: str) -> None:
    """Nobody looks for a field that is not there: what is wrong with the spec is told before it."""
    work = moment(paused=True, **facts)
    assert holds.halted(work) is True
    assert work.waits is not None
    assert work.waits.message == message
    assert holds.kept_paused(work) == after
