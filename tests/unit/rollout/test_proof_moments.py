"""What routes are asked to write at each moment, and what counts as proof that they have."""

from __future__ import annotations

import dataclasses
from typing import Any, get_args

import pytest

from sluice.model.rollout import LiveRevision, Motion, Rollout, Stage, TrafficOrder
from sluice.model.situation import RouteFacts, SlotFacts, TrafficFacts
from sluice.model.strategy import Progressive
from sluice.rollout import proof
from sluice.rollout.work import Wait, Work
from unit.rollout.moment import NOW, STEPS, moment

LIVE = LiveRevision(slot="a", revision="r1", since=NOW - 1000)
HEADER = ("x-canary", "1")
QUARTER = {"a": 750, "b": 250}
RULES = RouteFacts(name="main", proven=True, verified_at=NOW - 5)
NAMES = dataclasses.replace(RULES, plane="discovery", verified_at=NOW - 3)
UNPROVEN = dataclasses.replace(RULES, name="late", proven=False)


def resting(live: LiveRevision | None) -> Work:
    """Return a moment in which nothing is in motion."""
    traffic = TrafficFacts(weights=QUARTER, verify_after=7.0)
    return moment(motion=Motion(live=live), traffic=traffic)


@pytest.mark.parametrize(
    ("live", "weights"),
    [
        pytest.param(LIVE, {"a": 1000}, id="all to it"),
        pytest.param(None, QUARTER, id="nothing known: as told"),
    ],
)
def test_at_rest_the_live_slot_has_everything(live: LiveRevision | None, weights: dict[str, int]) -> None:
    """While nobody knows what is live, what is published stays."""
    assert proof.order(resting(live)) == TrafficOrder(weights=weights, verify_after=7.0)


@pytest.mark.parametrize("stage", get_args(Stage))
def test_what_routes_write_in_each_stage(stage: Stage) -> None:
    """The memory's weights; the test rules while they are of use; going back overwrites drift."""
    work = moment(rollout={"stage": stage, "header": HEADER, "verify_after": 3.0, "shown": True})
    if stage == "Starting":
        assert proof.order(work) == TrafficOrder(weights={"a": 1000})
        return
    shown = {"PreTraffic", "Stepping", "PostTraffic", "Baking", "PostBake", "RollingBack"}
    assert proof.order(work) == TrafficOrder(
        weights=QUARTER,
        test="b" if stage in shown else "",
        header=HEADER,
        header_slot="b",
        reassert=stage in {"PreScaleUp", "RollingBack", "CleaningUp"},
        verify_after=3.0,
    )


@pytest.mark.parametrize(
    ("rollout", "weights", "reassert"),
    [
        pytest.param({"weight": 0}, {"a": 1000}, False, id="nothing yet: the source alone"),
        pytest.param({"weight": 1000}, {"b": 1000}, False, id="everything: the candidate alone"),
        pytest.param({"slot": "a"}, {"a": 250, "b": 750}, False, id="the candidate is in slot a"),
        pytest.param({"reassert": True}, QUARTER, True, id="a person resumed after drift"),
    ],
)
def test_who_has_no_part_is_not_named(
    rollout: dict[str, Any], weights: dict[str, int], *, reassert: bool
) -> None:
    """A weight of 0 is left out, so that a sticky client leaves; the test rules show the candidate."""
    order = proof.order(moment(rollout=rollout))
    assert order == TrafficOrder(weights=weights, test=rollout.get("slot", "b"), reassert=reassert)


def test_a_strategy_may_overwrite_drift_always() -> None:
    """Policy Reassert, in a stage in which Halt would not."""
    assert proof.order(moment(strategy=Progressive(steps=STEPS, on_drift="Reassert"))).reassert


@pytest.mark.parametrize(
    ("kind", "weight", "weights"),
    [
        pytest.param("First", 0, QUARTER, id="a first one without weight: as published"),
        pytest.param("First", 1000, {"b": 1000}, id="a first one"),
        pytest.param("Undo", 0, {"a": 1000}, id="an undo before its weight"),
        pytest.param("Undo", 1000, {"b": 1000}, id="an undo"),
    ],
)
def test_a_first_rollout_and_an_undo_have_no_test_rules(
    kind: str, weight: int, weights: dict[str, int]
) -> None:
    """And whatever stands in the rules is overwritten."""
    work = moment(
        rollout={"kind": kind, "weight": weight}, traffic=TrafficFacts(weights=QUARTER), motion=None
    )
    if kind == "First":
        work.motion = dataclasses.replace(work.motion, live=None)
    assert proof.order(work) == TrafficOrder(weights=weights)


@pytest.mark.parametrize(
    ("rollout", "routes", "urgent"),
    [
        pytest.param({"stage": "RollingBack", "weight": 0}, (RULES,), True, id="back, ordered"),
        pytest.param({"stage": "RollingBack", "weight": 250}, (RULES,), False, id="back, held"),
        pytest.param({"stage": "RollingBack", "weight": 0}, (), False, id="no route has anything to write"),
        pytest.param({"stage": "RollingBack", "weight": 0, "shown": False}, (RULES,), False, id="not shown"),
        pytest.param(
            {"stage": "RollingBack", "weight": 0, "verified_at": 5.0}, (RULES,), False, id="went back"
        ),
        pytest.param({"stage": "CleaningUp", "weight": 0}, (NAMES,), True, id="the names follow"),
        pytest.param({"stage": "CleaningUp", "weight": 0}, (RULES, NAMES), False, id="the rules went first"),
        pytest.param({"stage": "Stepping", "weight": 0}, (NAMES,), False, id="on its way forward"),
        pytest.param({"kind": "Undo", "weight": 1000}, (RULES,), True, id="an undo"),
        pytest.param({"kind": "Undo", "weight": 0}, (RULES,), False, id="an undo without weight yet"),
        pytest.param({"kind": "Undo", "weight": 1000, "stage": "Draining"}, (RULES,), False, id="it is over"),
    ],
)
def test_only_a_way_back_goes_before_everything_else(
    rollout: dict[str, Any], routes: tuple[RouteFacts, ...], *, urgent: bool
) -> None:
    """From the decision to the moment when requests went back, where there is anything to write."""
    work = moment(rollout={"shown": True} | rollout, traffic=TrafficFacts(routes=routes))
    assert proof.order(work).rollback is urgent


@pytest.mark.parametrize(
    ("published", "verify_after", "at"),
    [
        pytest.param({}, 0.0, NOW - 5, id="everything as ordered"),
        pytest.param({}, NOW - 5, NOW - 5, id="proved right when it was to be"),
        pytest.param({}, NOW - 4, None, id="proved too early"),
        pytest.param({"weights": {"a": 1000}}, 0.0, None, id="other weights"),
        pytest.param({"test": ""}, 0.0, None, id="another test slot"),
        pytest.param({"header": HEADER}, 0.0, None, id="another header"),
        pytest.param({"routes": (RULES, UNPROVEN)}, 0.0, None, id="one route has not"),
        pytest.param({"routes": (RULES, NAMES)}, 0.0, NOW - 3, id="the last one tells when"),
    ],
)
def test_what_counts_as_proof(published: dict[str, Any], verify_after: float, at: float | None) -> None:
    """What is published is what is ordered, and every route has read it back late enough."""
    traffic = dataclasses.replace(TrafficFacts(weights=QUARTER, test="b", routes=(RULES,)), **published)
    work = moment(rollout={"verify_after": verify_after}, traffic=traffic)
    assert proof.proven_at(work) == at


def test_one_plane_is_proved_by_itself() -> None:
    """Names come minutes after the rules."""
    routes = (RULES, dataclasses.replace(NAMES, proven=False))
    work = moment(traffic=TrafficFacts(weights=QUARTER, test="b", routes=routes))
    assert proof.proven_at(work, plane="rules") == NOW - 5
    assert proof.proven_at(work, plane="discovery") is None


def back(*routes: RouteFacts, weights: dict[str, int] | None = None, **rollout: Any) -> Work:
    """Return a rollback that was decided ten seconds ago, with the source alone ordered and published."""
    made = {"stage": "RollingBack", "weight": 0, "shown": True, "decided_at": NOW - 10, "reason": "Alarm"}
    slot = "b" if rollout.get("kind") != "Undo" else ""
    return moment(
        rollout=made | rollout,
        traffic=TrafficFacts(weights=weights or {"a": 1000}, test=slot, routes=routes),
    )


@pytest.mark.parametrize(
    ("routes", "rollout", "at", "notes"),
    [
        pytest.param(
            (RULES,), {}, (NOW - 5, 0.0), ["every route sends to r1 alone again, after 5.0 s"], id="r"
        ),
        pytest.param(
            (NAMES,), {}, (0.0, NOW - 3), ["every name answers with r1 alone again, after 7.0 s"], id="n"
        ),
        pytest.param(
            (RULES, NAMES),
            {"verified_at": NOW - 9},
            (NOW - 9, NOW - 3),
            ["every name answers with r1 alone again, after 7.0 s"],
            id="the names after the rules",
        ),
        pytest.param(
            (RULES, NAMES), {"verified_at": 1.0, "discovered_at": 2.0}, (1.0, 2.0), [], id="told once"
        ),
        pytest.param((UNPROVEN,), {}, (0.0, 0.0), [], id="not proved"),
        pytest.param((), {}, (0.0, 0.0), [], id="no route"),
        pytest.param((RULES, NAMES), {"shown": False}, (0.0, 0.0), [], id="never shown"),
        pytest.param((RULES, NAMES), {"decided_at": 0.0}, (0.0, 0.0), [], id="not decided"),
        pytest.param(
            (RULES, NAMES),
            {"decided_at": NOW - 1},
            (NOW - 1, NOW - 1),
            [
                "every route sends to r1 alone again, after 0.0 s",
                "every name answers with r1 alone again, after 0.0 s",
            ],
            id="proved before it was decided",
        ),
    ],
)
def test_each_plane_tells_its_way_back_once(
    routes: tuple[RouteFacts, ...], rollout: dict[str, Any], at: tuple[float, float], notes: list[str]
) -> None:
    """When, to whom and after how long; never before the decision."""
    work = back(*routes, **rollout)
    proof.note_return(work)
    assert (work.rollout.verified_at, work.rollout.discovered_at) == at
    assert [note.message for note in work.notes] == notes


@pytest.mark.parametrize(("reason", "to"), [("", "r2"), ("CrashLoop", "r1")])
def test_an_undo_tells_that_it_arrived_or_went_away_again(reason: str, to: str) -> None:
    """Its candidate is the way back; one that failed goes to the revision that was live."""
    stage, weight = ("RollingBack", 0) if reason else ("Stepping", 1000)
    weights = {"a": 1000} if reason else {"b": 1000}
    work = back(RULES, weights=weights, kind="Undo", reason=reason, stage=stage, weight=weight)
    proof.note_return(work)
    assert [note.message for note in work.notes] == [f"every route sends to {to} alone again, after 5.0 s"]


def counted(source: int, candidate: int, *, revision: str = "r2", **rollout: Any) -> Work:
    """Return a moment without routes: four tasks, shared by weight."""
    running = {"a": source, "b": candidate}
    slots = {
        name: SlotFacts(name=name, exists=True, revision=of, desired=4, running=running[name], tasks=4)
        for name, of in (("a", "r1"), ("b", revision))
    }
    return moment(rollout={"shares": True} | rollout, slots=slots, traffic=TrafficFacts())


@pytest.mark.parametrize(
    ("source", "candidate", "members", "proved"),
    [
        pytest.param(3, 1, {}, True, id="a quarter of the tasks"),
        pytest.param(3, 0, {}, False, id="the candidate's is missing"),
        pytest.param(4, 1, {}, False, id="one too many of the source"),
        pytest.param(3, 1, {"revision": "r1"}, False, id="it runs something else still"),
        pytest.param(4, 0, {"weight": 0}, True, id="nothing yet"),
        pytest.param(4, 0, {"weight": 0, "stage": "RollingBack"}, True, id="back: the source is whole"),
        pytest.param(3, 0, {"weight": 0, "stage": "RollingBack"}, False, id="back: one is missing"),
        pytest.param(3, 0, {"weight": 0, "stage": "CleaningUp"}, False, id="cleaning up, too"),
        pytest.param(0, 0, {"shares": False}, True, id="no shares: nothing has to be written"),
        pytest.param(0, 0, {"kind": "Undo"}, True, id="an undo has no shares"),
    ],
)
def test_without_routes_the_running_tasks_are_the_proof(
    source: int, candidate: int, members: dict[str, Any], *, proved: bool
) -> None:
    """At least the candidate's part, at most the source's; on the way back the whole source."""
    work = counted(source, candidate, **members)
    assert proof.proven_at(work) == (NOW if proved else None)


TROUBLED = dataclasses.replace(UNPROVEN, problem="throttled", problem_reason="Throttled")
GONE = dataclasses.replace(UNPROVEN, problem="443 is gone", problem_reason="ListenerNotFound")
FOUR = tuple(dataclasses.replace(UNPROVEN, name=name) for name in ("p", "q", "r", "s"))


@pytest.mark.parametrize(
    ("routes", "reason", "message"),
    [
        pytest.param(
            (RULES, *FOUR), "RollingOut", "1 of 5 routes have proved it; waiting for p, q, r", id="missing"
        ),
        pytest.param((UNPROVEN, TROUBLED), "WaitingForTargets", "route late: throttled", id="troubled"),
        pytest.param((UNPROVEN, GONE), "ListenerNotFound", "route late: 443 is gone", id="stalled"),
        pytest.param(
            (RULES,), "RollingOut", "the weights are being published and verified", id="not published"
        ),
    ],
)
def test_who_has_not_proved_is_named(routes: tuple[RouteFacts, ...], reason: str, message: str) -> None:
    """A route in trouble first, with its reason where people must act; else how many, and three names."""
    work = moment(traffic=TrafficFacts(weights={"a": 1000}, test="b", routes=routes))
    assert proof.await_proof(work, what="step") is None
    assert work.waits == Wait(reason=reason, message=f"step: {message}", counts=True)


def test_missing_tasks_are_counted() -> None:
    """Where weights are shares of tasks."""
    work = counted(3, 0)
    assert proof.await_proof(work, what="step") is None
    text = "step: 0 tasks of the candidate and 3 of the source run"
    assert work.waits == Wait(reason="RollingOut", message=text, counts=True)


def test_why_the_source_keeps_its_tasks_is_told() -> None:
    """No route names it, and a rule sends to it all the same."""
    work = counted(4, 1)
    slots = work.situation.slots
    source = dataclasses.replace(slots["a"], carries_weight=True)
    work.situation = dataclasses.replace(work.situation, slots={**slots, "a": source})
    assert proof.await_proof(work, what="step") is None
    assert work.waits is not None
    assert work.waits.message.endswith("while a listener rule sends to it: mend the route that has it")


@pytest.mark.parametrize("routes", [(UNPROVEN,), (TROUBLED,)])
def test_a_first_rollout_does_not_fail_for_its_routes(routes: tuple[RouteFacts, ...]) -> None:
    """Its tasks are well, so the time of its routes does not count against the deadline."""
    work = moment(rollout={"kind": "First"}, traffic=TrafficFacts(weights=QUARTER, routes=routes))
    assert proof.await_proof(work, what="step") is None
    assert work.waits is not None
    assert work.waits.counts is False


@pytest.mark.parametrize(("verify_after", "wakes"), [(NOW + 3, [NOW + 3]), (NOW, []), (NOW - 3, [])])
def test_it_wakes_when_a_proof_begins_to_count(verify_after: float, wakes: list[float]) -> None:
    """A new leader waits for what its predecessor may still have under way."""
    work = moment(rollout={"verify_after": verify_after}, traffic=TrafficFacts(routes=(UNPROVEN,)))
    assert proof.await_proof(work, what="step") is None
    assert work.wakes == wakes


def test_a_proof_waits_for_nothing() -> None:
    """The time of the proof comes back, and nothing is said."""
    work = moment(traffic=TrafficFacts(weights=QUARTER, test="b", routes=(RULES,)))
    assert (proof.await_proof(work, what="step"), work.waits, work.wakes) == (NOW - 5, None, [])


def test_the_default_moment_is_what_these_facts_say() -> None:
    """r2 in slot b at a quarter: what the tables above change."""
    assert isinstance(moment().rollout, Rollout)
    assert proof.order(moment()) == TrafficOrder(weights=QUARTER, test="b", reassert=False)
