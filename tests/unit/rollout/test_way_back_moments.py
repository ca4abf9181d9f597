"""The way back at one moment: what is decided, what is waited for, and what is left behind."""

from __future__ import annotations

import dataclasses
from typing import Any, get_args

import pytest

from sluice.model.rollout import Finished, Motion, Outcome, RejectedRevision, Stage
from sluice.model.situation import RouteFacts, TrafficFacts
from sluice.rollout import rollback
from sluice.rollout.work import Wait, Work
from unit.rollout.moment import NOW, moment

RULES = RouteFacts(name="main", proven=True, verified_at=NOW - 5)
NAMES = dataclasses.replace(RULES, plane="discovery", verified_at=NOW - 3)
HEADER = ("x", "1")
BACK = ("RollingBack", "CleaningUp")


def told(work: Work) -> list[tuple[str, str]]:
    """Return the Events."""
    return [(note.reason, note.message) for note in work.notes]


# -- the decision -----------------------------------------------------------------------------------------

RUNNING = {
    "shown": True,
    "held": "DriftHalted",
    "paused": True,
    "barrier_since": NOW - 3,
    "step_since": NOW - 3,
    "healthy_since": NOW - 3,
    "verified_at": 7.0,
    "discovered_at": 7.0,
}
DECIDED = {
    "reason": "Alarm",
    "message": "5xx",
    "outcome": "RolledBack",
    "decided_at": NOW,
    "verified_at": 0.0,
    "discovered_at": 0.0,
    "held": "",
    "paused": False,
    "barrier_since": None,
    "step_since": None,
    "healthy_since": None,
    "stage_since": NOW,
    "progressed_at": NOW,
}


@pytest.mark.parametrize("stage", get_args(Stage))
@pytest.mark.parametrize("shown", [True, False])
def test_a_rollback_begins_from_every_stage(stage: Stage, *, shown: bool) -> None:
    """Everything that could hold it is forgotten; where nothing was shown there is nothing to take back."""
    work = moment(rollout=RUNNING | {"stage": stage, "shown": shown})
    before = work.rollout
    moved = rollback.fall_back(work, "Alarm", "5xx")
    assert moved is (stage not in BACK)
    if stage in BACK:
        assert (work.rollout, told(work)) == (before, [])
    elif stage == "Starting":
        assert (work.motion.rollout, [done.outcome for done in work.finished]) == (None, ["RolledBack"])
    else:
        to = {"stage": "RollingBack"} if shown else {"stage": "CleaningUp", "verified_at": NOW}
        assert work.rollout == dataclasses.replace(before, **DECIDED | to)
        assert told(work) == [("RollbackStarted", "back to r1: Alarm: 5xx")]


@pytest.mark.parametrize(
    ("outcome", "ends", "rejected", "note"),
    [
        pytest.param("RolledBack", "Failed", True, "RolloutFailed", id="it failed"),
        pytest.param("Aborted", "Aborted", True, "RolloutFailed", id="a person ended it"),
        pytest.param("Superseded", "Superseded", False, "RolloutSuperseded", id="a newer one came"),
    ],
)
def test_a_first_rollout_has_no_way_back(
    outcome: Outcome, ends: Outcome, note: str, *, rejected: bool
) -> None:
    """It ends, and what runs is left for people to see; what a newer one replaced may come again."""
    work = moment(rollout={"kind": "First", "source": ""}, motion=None)
    work.motion = dataclasses.replace(work.motion, live=None)
    failing = dataclasses.replace(work.situation.slots["b"], failing=("exit code 1",))
    work.situation = dataclasses.replace(work.situation, slots={**work.situation.slots, "b": failing})
    before = work.rollout
    assert rollback.fall_back(work, "CrashLoop", "exit", outcome=outcome) is True
    text = "the first rollout, of r2, failed: exit"
    done = dataclasses.replace(
        before,
        reason="CrashLoop",
        message="exit",
        evidence=("exit code 1",),
        evidence_taken=True,
        outcome=ends,
    )
    assert work.finished == [Finished(rollout=done, outcome=ends, at=NOW)]
    assert told(work) == [(note, text if rejected else "r2: exit")]
    found = RejectedRevision(revision="r2", reason="FirstRolloutFailed", message=text, cause="CrashLoop")
    assert work.motion == Motion(rejected=found if rejected else None)


# -- the weights ------------------------------------------------------------------------------------------


def going(*routes: RouteFacts, source: int | None = 4, candidate: int | None = 0, **rollout: Any) -> Work:
    """Return a rollback that was decided ten seconds ago; so many of four targets are healthy."""
    made = moment().situation.slots
    slots = {
        "a": dataclasses.replace(made["a"], healthy=source, running=rollout.pop("running", 4)),
        "b": dataclasses.replace(made["b"], healthy=candidate),
    }
    facts = {"blocked": rollout.pop("blocked", "")}
    members = {
        "stage": "RollingBack",
        "shown": True,
        "reason": "Alarm",
        "decided_at": NOW - 10,
        "verify_after": NOW - 20,
    }
    return moment(
        rollout=members | rollout,
        slots=slots,
        traffic=TrafficFacts(weights={"a": 1000}, test="b", routes=routes),
        **facts,
    )


@pytest.mark.parametrize(
    ("rollout", "renewed"),
    [
        pytest.param({}, True, id="the weight goes back"),
        pytest.param({"weight": 0, "header": HEADER, "verify_after": NOW}, True, id="the header goes"),
        pytest.param({"weight": 0}, True, id="nothing to write: a proof from after the decision"),
        pytest.param({"weight": 0, "verify_after": NOW - 10}, False, id="asked for when it was decided"),
        pytest.param({"weight": 0, "verify_after": NOW - 9}, False, id="asked for already"),
    ],
)
def test_the_source_alone_is_ordered_once(rollout: dict[str, Any], *, renewed: bool) -> None:
    """Weight and header in one write, proved by a reading that is younger than the decision."""
    work = going(dataclasses.replace(RULES, proven=False), **rollout)
    before = work.rollout
    assert rollback.rolling_back(work) is False
    changes = {"weight": 0, "header": None, "verify_after": NOW} if renewed else {}
    assert work.rollout == dataclasses.replace(before, **changes)


@pytest.mark.parametrize(
    ("members", "weight", "message", "counts"),
    [
        pytest.param({"source": 2}, 0, "", False, id="half of the source is healthy"),
        pytest.param(
            {"source": 1, "candidate": 2},
            250,
            "is held: the source has 1 of 4 targets healthy, the candidate 2; the weights stay as they are "
            "until a slot is mended; promote-full if the candidate is the cure, abort once more to go back "
            "all the same",
            False,
            id="both are unhealthy",
        ),
        pytest.param(
            {"source": None}, 250, ": the source's target health could not be read yet", True, id="not read"
        ),
        pytest.param({"source": None, "weight": 0}, 0, "", False, id="no weight: nobody has to be asked"),
        pytest.param(
            {"source": 0, "candidate": 4, "weight": 0, "header": HEADER}, 0, "", False, id="only a header"
        ),
    ],
)
def test_weights_go_back_only_to_who_can_take_them(
    members: dict[str, Any], weight: int, message: str, *, counts: bool
) -> None:
    """Else nothing moves: a person, or the next reading, is waited for."""
    work = going(dataclasses.replace(RULES, proven=False), **members)
    assert rollback.rolling_back(work) is False
    assert (work.rollout.weight, work.rollout.header) == (weight, None)
    if message:
        text = f"rollback (Alarm){message}" if message[0] == ":" else f"rollback (Alarm) {message}"
        assert work.waits == Wait(reason="WaitingForTargets", message=text, counts=counts)
    assert [gate.name for gate in work.gates] == (["person"] if "held" in message else [])


@pytest.mark.parametrize(
    ("members", "weight", "wakes"),
    [
        pytest.param({"blocked": "throttled", "decided_at": NOW - 29}, 250, [NOW + 1], id="wait"),
        pytest.param({"blocked": "throttled", "decided_at": NOW - 30}, 0, [], id="back all the same"),
        pytest.param(
            {"blocked": "throttled", "decided_at": NOW - 30, "running": 2}, 0, [], id="half of it runs"
        ),
        pytest.param(
            {"blocked": "throttled", "decided_at": NOW - 30, "running": 1}, 250, [], id="too few run"
        ),
        pytest.param(
            {"blocked": "throttled", "decided_at": NOW - 30, "running": 2, "live_floor": 5},
            250,
            [],
            id="two of five",
        ),
        pytest.param({"decided_at": NOW - 60}, 250, [], id="it can be read: it will be"),
    ],
)
def test_health_that_nobody_can_read_holds_a_rollback_for_half_a_minute(
    members: dict[str, Any], weight: int, wakes: list[float]
) -> None:
    """Requests reach a candidate that failed: a source whose tasks run is the better guess."""
    work = going(dataclasses.replace(RULES, proven=False), source=None, **members)
    assert rollback.rolling_back(work) is False
    assert work.rollout.weight == weight
    assert [at for at in work.wakes if at == NOW + 1] == wakes


@pytest.mark.parametrize(
    ("routes", "stage", "verified", "notes"),
    [
        pytest.param(
            (RULES,),
            "CleaningUp",
            NOW - 5,
            ["every route sends to r1 alone again, after 5.0 s"],
            id="proved",
        ),
        pytest.param((dataclasses.replace(RULES, proven=False),), "RollingBack", 0.0, [], id="not proved"),
        pytest.param(
            (dataclasses.replace(NAMES, proven=False),), "CleaningUp", 0.0, [], id="names follow meanwhile"
        ),
        pytest.param(
            (RULES, dataclasses.replace(NAMES, proven=False)),
            "CleaningUp",
            NOW - 5,
            ["every route sends to r1 alone again, after 5.0 s"],
            id="the rules are proved, the names not yet",
        ),
        pytest.param((), "CleaningUp", NOW, ["r1 has everything again, after 10.0 s"], id="no route at all"),
    ],
)
def test_the_clean_up_begins_when_the_rules_are_proved(
    routes: tuple[RouteFacts, ...], stage: Stage, verified: float, notes: list[str]
) -> None:
    """Names take minutes: they are waited for while evidence is collected."""
    work = going(*routes, weight=0, verify_after=NOW - 10)
    assert rollback.rolling_back(work) is (stage == "CleaningUp")
    assert (work.rollout.stage, work.rollout.verified_at) == (stage, verified)
    assert work.rollout.proven == (250 if stage == "RollingBack" else 0)
    assert [text for _, text in told(work)] == notes


@pytest.mark.parametrize(("decided", "seconds"), [(NOW, "0.0"), (NOW + 5, "0.0"), (NOW - 4, "4.0")])
def test_without_routes_the_way_back_is_told_in_seconds(decided: float, seconds: str) -> None:
    """Never less than none, whatever the clock did; the proof is never from before the decision."""
    work = going(weight=0, decided_at=decided, verify_after=NOW + 9)
    assert rollback.rolling_back(work) is True
    assert told(work) == [("RollbackVerified", f"r1 has everything again, after {seconds} s")]
    assert work.rollout.verified_at == max(NOW, decided)


def test_what_was_verified_is_told_once() -> None:
    """A pass that was interrupted after it goes on without another Event."""
    work = going(weight=0, verify_after=NOW, verified_at=NOW - 2)
    assert rollback.rolling_back(work) is True
    assert (work.rollout.verified_at, told(work)) == (NOW - 2, [])
