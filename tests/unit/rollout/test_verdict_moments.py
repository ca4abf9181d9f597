"""What people read of a decision: Ready, one reason, one text, one word."""

from __future__ import annotations

import dataclasses
from typing import Any, get_args

import pytest

from sluice.model.rollout import Gate, LiveRevision, Motion, RejectedRevision, Stage
from sluice.model.situation import SlotFacts
from sluice.rollout.verdict import Verdict, verdict
from sluice.rollout.work import Wait
from unit.rollout.moment import NOW, moment

LIVE = LiveRevision(slot="a", revision="r1", since=NOW - 1000)
PERSON = Gate(name="person", state="Waiting", since=NOW)
HOOK = Gate(name="hook tell", state="Running", since=NOW)
TECHNICAL = Wait(reason="WaitingForTargets", message="2 of 4", counts=True)
GATE = Wait(reason="WaitingForGate", message="a hook")


@pytest.mark.parametrize(
    ("wait", "blocked", "reason", "message"),
    [
        pytest.param(TECHNICAL, "", "WaitingForTargets", "2 of 4", id="what is waited for"),
        pytest.param(TECHNICAL, "slow", "WaitingForAWSBudget", "2 of 4; AWS: slow", id="AWS is the reason"),
        pytest.param(GATE, "slow", "WaitingForGate", "a hook", id="it is not"),
        pytest.param(None, "", "RollingOut", "the rollout moves", id="nothing is said"),
    ],
)
def test_in_motion_the_wait_is_told(wait: Wait | None, blocked: str, reason: str, message: str) -> None:
    """Never Ready; where AWS cannot be asked, what is technical waits for it."""
    work = moment(blocked=blocked)
    work.waits = wait
    assert verdict(work) == Verdict(ready=False, reason=reason, message=message, phase="Progressing")


WORDS = {"RollingBack": "RollingBack", "CleaningUp": "RollingBack", "Baking": "Baking", "PostBake": "Baking"}


@pytest.mark.parametrize("stage", get_args(Stage))
def test_each_stage_has_its_word(stage: Stage) -> None:
    """While nothing stops it."""
    work = moment(rollout={"stage": stage})
    work.waits = TECHNICAL
    assert verdict(work).phase == WORDS.get(stage, "Progressing")


@pytest.mark.parametrize(("live", "phase"), [(None, "Pending"), (LIVE, "Progressing")])
def test_before_the_first_start_it_is_pending(live: LiveRevision | None, phase: str) -> None:
    """Nothing is live, and nothing has begun; what begun is progressing."""
    for stage, word in (("Starting", phase), ("ScalingUp", "Progressing")):
        work = moment(rollout={"stage": stage})
        work.motion = dataclasses.replace(work.motion, live=live)
        assert verdict(work).phase == word


@pytest.mark.parametrize(
    ("reason", "phase"),
    [
        ("Frozen", "Frozen"),
        ("DriftHalted", "Degraded"),
        ("RouteMissing", "Degraded"),
        ("ProgressDeadlineExceeded", "Degraded"),
        ("Paused", "Paused"),
        ("AnalysisInconclusive", "Paused"),
        ("WaitingForGate", "Baking"),
    ],
)
def test_what_stops_it_is_its_word(reason: str, phase: str) -> None:
    """Before the stage's own; on the way back none of it matters."""
    work = moment(rollout={"stage": "Baking"})
    work.waits = Wait(reason=reason, message="m")
    assert verdict(work).phase == phase
    work.change(stage="RollingBack")
    assert verdict(work).phase == "RollingBack"


@pytest.mark.parametrize(
    ("stage", "gates", "phase"),
    [
        pytest.param("RollingBack", [HOOK, PERSON], "Degraded", id="held: a person is needed"),
        pytest.param("RollingBack", [HOOK], "RollingBack", id="another gate"),
        pytest.param("CleaningUp", [PERSON], "RollingBack", id="the weights went back"),
    ],
)
def test_a_held_rollback_is_degraded(stage: Stage, gates: list[Gate], phase: str) -> None:
    """Both slots are unhealthy, and nothing moves by itself."""
    work = moment(rollout={"stage": stage})
    work.gates = gates
    assert verdict(work).phase == phase


# -- at rest ----------------------------------------------------------------------------------------------


def resting(
    rejected: RejectedRevision | None = None, live: LiveRevision | None = LIVE, **slot: Any
) -> Verdict:
    """Return what is said at rest; the spec asks for r1, and its four tasks are as `slot` says."""
    facts = {name: slot.pop(name) for name in ("wanted", "replicas") if name in slot}
    found = {"exists": True, "revision": "r1", "desired": 4, "running": 4, "tasks": 4, "healthy": 4} | slot
    slots = {"a": SlotFacts(name="a", **found), "b": SlotFacts(name="b")}
    return verdict(
        moment(motion=Motion(live=live, rejected=rejected), slots=slots, **{"wanted": "r1"} | facts)
    )


def of(good: int, size: int = 4) -> str:
    """Return the text about so many healthy tasks."""
    return f"revision r1 in slot a: {good} of {size} tasks healthy"


HEALTHY = {"ready": True, "reason": "Available", "phase": "Healthy"}
ILL = {"ready": False, "reason": "WaitingForTargets", "phase": "Degraded"}
MORE = {"ready": False, "reason": "RollingOut", "phase": "Progressing"}


@pytest.mark.parametrize(
    ("slot", "members", "message"),
    [
        pytest.param({}, HEALTHY, of(4), id="all healthy"),
        pytest.param({"healthy": 3}, ILL, of(3), id="one is not"),
        pytest.param({"healthy": None}, HEALTHY, of(4), id="no target health: running ones"),
        pytest.param({"healthy": None, "running": 3}, ILL, of(3), id="one does not run"),
        pytest.param({"running": 6, "healthy": 6}, MORE, f"{of(6)}; 2 more are stopping", id="scaled in"),
        pytest.param({"running": 6, "healthy": 4}, MORE, f"{of(4)}; 2 more are stopping", id="just enough"),
        pytest.param({"running": 6, "healthy": 3}, ILL, of(3), id="more, but too few are healthy"),
        pytest.param(
            {"replicas": None, "running": 6, "healthy": 6},
            HEALTHY,
            of(6),
            id="somebody else's count: surplus is its own affair",
        ),
        pytest.param(
            {"replicas": None, "desired": 5, "healthy": 4}, ILL, of(4, 5), id="somebody else's: one short"
        ),
        pytest.param({"replicas": 2, "running": 2, "healthy": 2}, HEALTHY, of(2, 2), id="the spec's count"),
        pytest.param(
            {"exists": False, "replicas": 0, "running": 0, "healthy": 0},
            ILL,
            of(0, 0),
            id="its service is gone",
        ),
        pytest.param(
            {"exists": False, "replicas": 0, "running": 1, "healthy": 1}, ILL, of(1, 0), id="gone, one runs"
        ),
    ],
)
def test_at_rest_the_live_slot_is_told(slot: dict[str, Any], members: dict[str, Any], message: str) -> None:
    """Ready shows true counts: neither fewer healthy tasks than wanted, nor more than are to run."""
    assert resting(**slot) == Verdict(message=message, **members)


REJECTED = RejectedRevision(revision="r2", reason="RolledBack", message="r2 fell back", cause="Alarm")
CURE = "r2 fell back; fix the spec, or annotate sluice.dev/retry to try r2 again"


@pytest.mark.parametrize(
    ("rejected", "live", "wanted", "message"),
    [
        pytest.param(REJECTED, LIVE, "r2", CURE, id="the spec asks for it still"),
        pytest.param(REJECTED, None, "r2", CURE, id="nothing is live"),
        pytest.param(
            dataclasses.replace(REJECTED, cause="Group"),
            LIVE,
            "r2",
            "r2 fell back; it begins again by itself when that member is mended",
            id="the group's",
        ),
        pytest.param(REJECTED, LIVE, "r1", "", id="the spec asks for what is live"),
        pytest.param(
            dataclasses.replace(REJECTED, revision="r1"), LIVE, "r1", "", id="it is live all the same"
        ),
    ],
)
def test_a_rejected_revision_is_told_with_its_cure(
    rejected: RejectedRevision, live: LiveRevision | None, wanted: str, message: str
) -> None:
    """While the spec asks for it, and it is not live."""
    found = resting(rejected, live, wanted=wanted)
    if message:
        assert found == Verdict(ready=False, reason="RolledBack", message=message, phase="Degraded")
    else:
        assert found == Verdict(message=of(4), **HEALTHY)


@pytest.mark.parametrize(
    ("wait", "reason", "message"),
    [
        (None, "RollingOut", "nothing is live yet"),
        (Wait(reason="RollingOut", message="reading the rules"), "RollingOut", "reading the rules"),
    ],
)
def test_nothing_is_live(wait: Wait | None, reason: str, message: str) -> None:
    """It is said what is waited for, where anything is."""
    work = moment(motion=Motion())
    work.waits = wait
    assert verdict(work) == Verdict(ready=False, reason=reason, message=message, phase="Pending")
