"""One whole decision: what turns a rollout back whatever it waits for, and what else is asked of it."""

from __future__ import annotations

import dataclasses
from typing import Any, get_args

import pytest

from sluice.model.rollout import Decision, Gate, LiveRevision, Motion, RejectedRevision, Stage
from sluice.model.situation import GateFacts, GroupFacts, MemberFacts, RouteFacts, SlotFacts, TrafficFacts
from sluice.model.strategy import OnNewRevision, Pause, Progressive, SetWeight
from sluice.rollout.machine import decide
from unit.rollout.moment import NOW, analysed, moment

ROUTE = RouteFacts(name="main", proven=True, verified_at=NOW - 5)
LIVE = LiveRevision(slot="a", revision="r1", since=NOW - 1000)
STEPS = (SetWeight(permille=250), Pause(), SetWeight(permille=1000))
HELD = Progressive(steps=STEPS, snapshot={"x": 1})
BACK = ("RollingBack", "CleaningUp")


def decided(*, strategy: Progressive = HELD, slot: dict[str, Any] | None = None, **facts: Any) -> Decision:
    """Return the decision about r2 in a pause at a proven quarter, all well but what members say."""
    rollout = {"step": 1, "step_since": NOW - 20, "shown": True, "live_floor": 4} | facts.pop("rollout", {})
    motion = facts.pop("motion", {})
    work = moment(strategy=strategy, rollout=rollout, **facts)
    slots = {name: dataclasses.replace(found, healthy=4) for name, found in work.situation.slots.items()}
    slots["b"] = dataclasses.replace(slots["b"], **slot or {})
    weight = work.rollout.weight
    weights = {name: parts for name, parts in (("a", 1000 - weight), ("b", weight)) if parts}
    test = "b" if work.rollout.kind == "Rollout" else ""
    traffic = TrafficFacts(weights=weights, test=test, routes=(ROUTE,))
    if work.rollout.shares:
        traffic = TrafficFacts(weights=weights)
    situation = dataclasses.replace(work.situation, slots=slots, traffic=traffic)
    return decide(situation, dataclasses.replace(work.motion, **motion), now=NOW)


def reason(decision: Decision) -> str:
    """Return why the rollout goes back, '' while it does not."""
    rollout = decision.motion.rollout
    return rollout.reason if rollout else "over"


def text(decision: Decision) -> str:
    """Return the rollout's message."""
    return decision.motion.rollout.message if decision.motion.rollout else ""


CRASHED = {"failed": True, "failing": ("exit code 1", "exit code 2")}


@pytest.mark.parametrize(
    ("slot", "message"),
    [
        pytest.param(CRASHED, "slot b: exit code 1; exit code 2", id="with its reasons"),
        pytest.param({"failed": True}, "slot b: its tasks stop again and again", id="nobody knows why"),
        pytest.param(CRASHED | {"failed": False}, "", id="some stopped"),
        pytest.param(CRASHED | {"desired": 0}, "", id="none is to run"),
        pytest.param(CRASHED | {"revision": "r1"}, "", id="of the revision before"),
        pytest.param(CRASHED | {"revision": ""}, "", id="not of one revision alone"),
    ],
)
def test_tasks_that_crash_turn_back(slot: dict[str, Any], message: str) -> None:
    """The candidate's own, while some are to run."""
    decision = decided(slot=slot)
    assert (reason(decision), text(decision)) == ("CrashLoop" if message else "", message)


@pytest.mark.parametrize(
    ("slot", "members", "message"),
    [
        pytest.param({"healthy": 0}, {}, "slot b has no healthy target left", id="none"),
        pytest.param(
            {"healthy": 0, "failing": ("no route", "later")},
            {},
            "slot b has no healthy target left: no route",
            id="none, and one reason",
        ),
        pytest.param({"healthy": 1}, {}, "", id="one"),
        pytest.param({"healthy": None}, {}, "", id="not read"),
        pytest.param({"healthy": 0, "unused": True}, {}, "", id="no listener sends to it"),
        pytest.param({"healthy": 0}, {"rollout": {"weight": 0, "proven": 0}}, "", id="nothing is sent to it"),
        pytest.param({"healthy": 0}, {"rollout": {"shares": True}}, "", id="it has no targets"),
        pytest.param(
            {"healthy": 0}, {"rollout": {"live_floor": 0}, "replicas": 0}, "", id="scaled to nothing"
        ),
    ],
)
def test_a_candidate_that_nobody_can_reach_turns_back(
    slot: dict[str, Any], members: dict[str, Any], message: str
) -> None:
    """Requests reach it, and an ALB sends them to whoever is there."""
    decision = decided(slot=slot, **members)
    assert (reason(decision), text(decision)) == ("Unhealthy" if message else "", message)
    assert ("health" in decision.needs) is (slot["healthy"] is None)


@pytest.mark.parametrize(
    ("candidate", "source", "blamed"),
    [
        pytest.param("all", "all", False, id="those of both slots begin"),
        pytest.param("all", "some", False, id="the source's were faster"),
        pytest.param("all", "", True, id="new tasks of the candidate"),
        pytest.param("some", "all", True, id="one of its targets was judged"),
        pytest.param("", "all", True, id="all were"),
    ],
)
def test_checks_that_begin_anew_blame_nobody(candidate: Any, source: Any, *, blamed: bool) -> None:
    """A listener was made again: no target is healthy before its first check, of whichever slot."""
    plain = moment(rollout={"shown": True})
    slots: dict[str, SlotFacts] = dict(plain.situation.slots)
    slots["a"] = dataclasses.replace(slots["a"], healthy=0, unjudged=source)
    slots["b"] = dataclasses.replace(slots["b"], healthy=0, unjudged=candidate)
    done = decide(dataclasses.replace(plain.situation, slots=slots), plain.motion, now=NOW)
    assert (reason(done) == "Unhealthy") is blamed


GROUP = GroupFacts(name="core", members=(MemberFacts(name="other", changing=True, arrived=9, failed=True),))
TOGETHER = dataclasses.replace(HELD, release_group="core")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        pytest.param("Rollout", "release group: other fell back", id="a rollout"),
        pytest.param("Undo", "", id="a way back is nobody else's"),
    ],
)
def test_a_member_that_fell_back_takes_a_rollout_with_it(kind: str, message: str) -> None:
    """An undo goes on."""
    decision = decided(strategy=TOGETHER, group=GROUP, rollout={"kind": kind, "step": 0, "weight": 1000})
    assert (reason(decision), text(decision)) == ("Group" if message else "", message)


@pytest.mark.parametrize("stage", get_args(Stage))
def test_an_alarm_turns_back_until_the_source_drains(stage: Stage) -> None:
    """Before the start it only keeps it from starting; after bake it is too late for it."""
    gates = GateFacts(alarms={"5xx": "ALARM"}, alarms_at=NOW)
    weight = 1000 if stage in ("PostTraffic", "Baking", "PostBake", "Draining") else 250
    rollout = {"stage": stage, "stage_since": NOW, "weight": weight, "proven": weight}
    decision = decided(strategy=analysed(steps=STEPS, alarms=("5xx",), bake=60), gates=gates, rollout=rollout)
    forward = stage not in (*BACK, "Starting", "Draining")
    assert reason(decision) == ("Alarm" if forward else "")
    if stage == "Starting":
        assert decision.message == "not started: alarm 5xx is in ALARM"


# -- another revision is asked for ------------------------------------------------------------------------

OTHER = "revision r3 came while r2 is rolled out (25 % of requests)"


@pytest.mark.parametrize(
    ("policy", "members", "message", "gated"),
    [
        pytest.param("Supersede", {}, OTHER, False, id="it takes its place"),
        pytest.param("Queue", {}, "", True, id="it waits"),
        pytest.param("Reject", {}, "", True, id="it is refused"),
        pytest.param("Queue", {"declared_undo": True}, OTHER, False, id="a declared way back does not wait"),
        pytest.param(
            "Queue", {"wanted": "r1"}, "the spec asks for the source r1 again", False, id="the source"
        ),
        pytest.param("Supersede", {"wanted": "r2"}, "", False, id="the candidate itself"),
        pytest.param("Supersede", {"wanted": ""}, "", False, id="nothing is known to be asked for"),
        pytest.param("Supersede", {"rollout": {"kind": "Undo", "step": 0}}, "", False, id="an undo goes on"),
        pytest.param(
            "Supersede",
            {"wanted": "r1", "rollout": {"stage": "Draining", "weight": 1000, "stage_since": NOW}},
            "the spec asks for the source r1 again",
            False,
            id="the source, while it drains",
        ),
        pytest.param(
            "Supersede",
            {"rollout": {"stage": "Draining", "weight": 1000, "stage_since": NOW}},
            "",
            False,
            id="the end is waited for",
        ),
        pytest.param(
            "Reject",
            {"rollout": {"stage": "Draining", "weight": 1000, "stage_since": NOW}},
            "",
            False,
            id="then it is not refused either",
        ),
    ],
)
def test_the_spec_asks_for_another_revision(
    policy: OnNewRevision, members: dict[str, Any], message: str, *, gated: bool
) -> None:
    """By the strategy; the source's is always a way back."""
    decision = decided(
        strategy=dataclasses.replace(HELD, on_new_revision=policy), **{"wanted": "r3"} | members
    )
    rollout = decision.motion.rollout
    assert rollout is not None
    assert (rollout.reason, rollout.message) == (("Superseded", message) if message else ("", ""))
    assert rollout.outcome == ("Superseded" if message else "")
    assert ("next revision" in [gate.name for gate in rollout.gates]) is gated
    refused = policy == "Reject" and gated
    assert (decision.motion.rejected is not None) is refused


REFUSED = RejectedRevision(
    revision="r3",
    reason="NotPermitted",
    message=f"{OTHER}; onNewRevision: Reject",
    fallback="r1",
    cause="Person",
)


@pytest.mark.parametrize(
    ("known", "told"),
    [
        pytest.param(None, True, id="it is refused, and told"),
        pytest.param(dataclasses.replace(REFUSED, revision="r9"), True, id="another one was"),
        pytest.param(dataclasses.replace(REFUSED, message="as before"), False, id="it was already"),
    ],
)
def test_a_revision_is_refused_once(known: RejectedRevision | None, *, told: bool) -> None:
    """Its text stays what it was, while the weight goes on."""
    strategy = dataclasses.replace(HELD, on_new_revision="Reject")
    decision = decided(strategy=strategy, wanted="r3", motion={"rejected": known})
    assert decision.motion.rejected == (REFUSED if told else known)
    assert [note.reason for note in decision.notes] == (["RevisionRefused"] if told else [])


@pytest.mark.parametrize(
    ("weight", "outcome", "live"),
    [
        pytest.param(0, "Superseded", None, id="nothing is sent to it: the newer one at once"),
        pytest.param(1000, "Succeeded", "r2", id="it is about to be live: the next one begins from it"),
    ],
)
def test_a_first_rollout_meets_another_revision(weight: int, outcome: str, live: str | None) -> None:
    """What has the requests is completed, and the next rollout follows in the same decision."""
    decision = decided(
        wanted="r3",
        rollout={"kind": "First", "source": "", "step": 0, "weight": weight, "proven": 0},
        slot={"carries_weight": bool(weight)},
        motion={"live": None},
    )
    assert [done.outcome for done in decision.finished] == [outcome]
    found = decision.motion.live
    assert (found.revision if found else None) == live


def test_a_revision_that_waits_stops_nothing() -> None:
    """The rollout goes on to its end, and then the next one begins from what is live."""
    timed = dataclasses.replace(HELD, steps=(STEPS[0], Pause(seconds=20), STEPS[2]), on_new_revision="Queue")
    rollout = decided(strategy=timed, wanted="r3").motion.rollout
    assert rollout is not None
    assert (rollout.step, rollout.weight) == (2, 1000)


def test_a_revision_that_comes_while_the_old_tasks_drain_begins_after_them() -> None:
    """Nothing but their end is missing: what replaced them is live first."""
    done = {"stage": "Draining", "weight": 1000, "proven": 1000, "stage_since": NOW - 900}
    work = moment(rollout=done | {"verify_after": NOW - 10, "live_floor": 4}, wanted="r3", strategy=HELD)
    slots = {
        name: dataclasses.replace(slot, healthy=4, carries_weight=name == "b")
        for name, slot in work.situation.slots.items()
    }
    traffic = TrafficFacts(weights={"b": 1000}, routes=(ROUTE,))
    situation = dataclasses.replace(work.situation, slots=slots, traffic=traffic)
    decision = decide(situation, work.motion, now=NOW)
    assert [done.outcome for done in decision.finished] == ["Succeeded"]
    assert decision.motion.live == LiveRevision(slot="b", revision="r2", since=NOW)
    assert decision.motion.rollout is not None
    assert (decision.motion.rollout.candidate, decision.motion.rollout.source) == ("r3", "r2")


# -- the decision itself ----------------------------------------------------------------------------------


def test_it_wakes_at_the_first_moment_that_is_to_come() -> None:
    """Not at one that is over."""
    timed = Progressive(steps=(SetWeight(permille=250), Pause(seconds=90)), snapshot={"x": 1}, min_ready=0)
    gates = GateFacts(alarms={"5xx": "OK"}, alarms_at=NOW)
    decision = decided(
        strategy=dataclasses.replace(timed, analysis=dataclasses.replace(timed.analysis, alarms=("5xx",))),
        gates=gates,
    )
    assert decision.wake_at == NOW + 30  # alarms are looked at before the pause is over, in 70 s
    assert decided(strategy=timed).wake_at == NOW + 70
    assert decided().wake_at is None


def test_gates_are_kept_with_the_rollout() -> None:
    """As they are now; the same ones are no change."""
    before = Gate(name="promote", state="Waiting", since=NOW - 20, message="a person promotes")
    over = Gate(name="hook check", state="Running", since=NOW - 90)
    decision = decided(rollout={"gates": (over, before)})
    assert decision.motion.rollout is not None
    assert decision.motion.rollout.gates == (before,)


def test_at_rest_nothing_is_in_motion() -> None:
    """The live slot is told, and its traffic is what is published."""
    work = moment(motion=Motion(live=LIVE), wanted="r1")
    slots = {"a": dataclasses.replace(work.situation.slots["a"], healthy=4), "b": SlotFacts(name="b")}
    decision = decide(dataclasses.replace(work.situation, slots=slots), work.motion, now=NOW)
    assert (decision.ready, decision.motion, decision.wake_at) == (True, Motion(live=LIVE), None)
    assert dict(decision.traffic.weights) == {"a": 1000}


@pytest.mark.parametrize(("stage", "floor"), [("Starting", 4), ("PreScaleUp", 9), ("Stepping", 9)])
def test_the_live_slots_most_tasks_are_remembered_from_the_start_on(stage: Stage, floor: int) -> None:
    """A rollout that has not begun holds nobody's scale."""
    decision = decided(
        strategy=analysed(steps=STEPS, alarms=("5xx",)),
        gates=GateFacts(alarms={"5xx": "ALARM"}, alarms_at=NOW) if stage == "Starting" else GateFacts(),
        replicas=9,
        rollout={"stage": stage},
    )
    assert decision.motion.rollout is not None
    assert decision.motion.rollout.live_floor == floor


def test_the_deadline_is_looked_at_where_a_stage_waits() -> None:
    """Tasks that are not there in time turn it back."""
    strategy = dataclasses.replace(HELD, progress_deadline=100)
    rollout = {"stage": "ScalingUp", "weight": 0, "proven": 0, "step": 0}
    decision = decided(strategy=strategy, slot={"healthy": 1}, rollout=rollout)
    assert reason(decision) == "Deadline"
