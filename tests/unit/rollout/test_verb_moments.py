"""A person's verbs, said at one moment: what changes, what is told, and why nothing does elsewhere."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.rollout import HookRun, LiveRevision, MetricRun, Motion, RejectedRevision, Standby
from sluice.model.situation import Person, SlotFacts
from sluice.model.strategy import Pause, Progressive, SetWeight
from sluice.rollout import verbs
from sluice.rollout.work import Work
from unit.rollout.moment import NOW, moment

LIVE = LiveRevision(slot="a", revision="r1", since=NOW - 1000)
WARM = Standby(slot="b", revision="r0", until=NOW + 1, count=4)
COLD = dataclasses.replace(WARM, until=NOW)
STEPS = (SetWeight(permille=250), Pause(), SetWeight(permille=1000))
REST = Motion(live=LIVE)
ALL = Person(abort=True, undo="", retry=True, resume=True, pause=True, promote_full=True, promote=True)
BACK = "the rollout is on its way back"
NOTHING = "nothing is in motion"


def said(person: Person, *, steps: Any = STEPS, **facts: Any) -> Work:
    """Return the moment after a person's word was heard."""
    strategy = Progressive(steps=steps, snapshot={"x": 1})
    work = moment(strategy=strategy, person=person, **facts)
    verbs.apply(work)
    return work


def told(work: Work, *reasons: str) -> list[str]:
    """Return what the Events with these reasons say."""
    return [note.message for note in work.notes if note.reason in reasons]


def ignored(work: Work) -> list[str]:
    """Return why verbs did nothing."""
    return told(work, "VerbIgnored")


HELD: dict[str, Any] = {
    "stage": "RollingBack",
    "step": 1,
    "weight": 250,
    "proven": 250,
    "shown": True,
    "reason": "Alarm",
    "message": "web-5xx is in ALARM",
    "outcome": "RolledBack",
    "decided_at": NOW - 500,
    "verify_after": NOW - 900,
}
"""A way back that could not begin: the source was not healthy enough."""
UNFIT = "the way back is held; abort goes back all the same, whether the source is healthy or not"


def taking(healthy: int | None) -> dict[str, SlotFacts]:
    """Return both slots, the source with so many healthy targets of four, the candidate with all."""
    slots: dict[str, SlotFacts] = dict(moment().situation.slots)
    slots["a"] = dataclasses.replace(slots["a"], healthy=healthy, running=1)
    slots["b"] = dataclasses.replace(slots["b"], healthy=4)
    return slots


@pytest.mark.parametrize(
    ("healthy", "since", "facts", "held"),
    [
        pytest.param(0, 0.0, {}, True, id="the source is dead"),
        pytest.param(4, 500.0, {}, False, id="it is well again in this pass"),
        pytest.param(None, 29.9, {"blocked": "Throttling"}, False, id="not known yet"),
        pytest.param(None, 30.0, {"blocked": "Throttling"}, True, id="not to be had"),
        pytest.param(None, 500.0, {}, False, id="about to be read"),
    ],
)
def test_only_a_hold_is_ended_by_a_person(
    healthy: int | None, since: float, facts: dict[str, Any], *, held: bool
) -> None:
    """A word that was meant for the step before would give up a rollback, or send to who knows whom."""
    back = HELD | {"decided_at": NOW - since, "verify_after": NOW - 900}
    shared: dict[str, Any] = {"rollout": back, "slots": taking(healthy)} | facts
    work = said(Person(promote_full=True), **shared)
    assert (work.rollout.stage, ignored(work)) == (
        ("Stepping", []) if held else ("RollingBack", [f"promote-full: {BACK}"])
    )
    work = said(Person(abort=True), **shared)
    assert (work.rollout.weight, ignored(work)) == ((0, []) if held else (250, [f"abort: {BACK} already"]))


def test_an_undo_does_not_end_a_hold() -> None:
    """Who says it may not know that the rollout is on its way back: it says which word does."""
    work = said(Person(undo=""), rollout=HELD, slots=taking(0))
    assert (work.rollout.weight, ignored(work)) == (250, [f"undo: {UNFIT}"])


def test_a_hook_that_ran_when_the_way_back_began_is_asked_again() -> None:
    """Its answer was not waited for: its time is over, and that would turn the cure back at once."""
    running = HookRun(id="PostTraffic/smoke", started_at=NOW - 900, attempt=1, message="at 3 of 9")
    told_already = HookRun(id="OnRollback/tell", started_at=NOW - 3)
    done = HookRun(id="PreTraffic/warm", state="Succeeded")
    held = HELD | {"hooks": (running, done, told_already)}
    work = said(Person(promote_full=True), rollout=held, slots=taking(0))
    again = HookRun(id="PostTraffic/smoke", started_at=NOW, attempt=2)
    assert sorted(work.rollout.hooks, key=lambda run: run.id) == [told_already, again, done]


def test_abort_once_more_goes_back_all_the_same() -> None:
    """Both slots may be dead: then no other revision could ever begin."""
    work = said(Person(abort=True), rollout=HELD, slots=taking(0))
    assert (work.rollout.stage, work.rollout.weight, work.rollout.verify_after) == ("RollingBack", 0, NOW)
    assert work.rollout.outcome == "RolledBack"
    assert told(work, "RollbackStarted") == ["back to r1 all the same: aborted by a person once more"]
    assert ignored(work) == []


@pytest.mark.parametrize(("kind", "decided"), [("Rollout", 0.0), ("Undo", NOW - 1000)])
def test_promote_full_ends_a_way_back_that_is_held(kind: str, decided: float) -> None:
    """The candidate may be the cure; what turned it back is measured anew, from now on."""
    runs = (
        MetricRun(id="errors", since=NOW - 900, due=NOW + 1, taken=5, passed=2, failed=3),
        MetricRun(id="alarm/web-5xx", since=NOW - 900),
    )
    hooks = (HookRun(id="PostTraffic/smoke", state="Failed"),)
    held = HELD | {"kind": kind, "metrics": runs, "hooks": hooks, "started_at": NOW - 1000}
    work = said(Person(promote_full=True), rollout=held, slots=taking(0))
    rollout = work.rollout
    assert (rollout.stage, rollout.step, rollout.full, rollout.weight) == (
        "Stepping",
        0 if kind == "Undo" else 2,
        True,
        250,
    )
    assert (rollout.reason, rollout.message, rollout.outcome, rollout.decided_at) == ("", "", "", decided)
    assert rollout.samples_after == rollout.progressed_at == NOW
    assert {(run.id, run.taken, run.passed, run.failed) for run in rollout.metrics} == {
        ("errors", 5, 0, 0),
        ("alarm/web-5xx", 0, 1, 0),
    }
    assert [run.state for run in rollout.hooks] == ["Ignored"]
    assert told(work, "Promoted") == [
        "the way back was held, and is given up by a person: the candidate gets everything"
    ]


# -- who said it, and in which order ----------------------------------------------------------------------


def test_abort_comes_before_everything_else() -> None:
    """Each other verb that was said is told as ignored; those that were not are not."""
    work = said(ALL)
    assert (work.rollout.stage, work.rollout.outcome, work.rollout.reason) == (
        "CleaningUp",
        "Aborted",
        "Person",
    )
    others = ("undo", "retry", "resume", "pause", "promote-full", "promote")
    assert ignored(work) == [f"{verb}: abort comes first" for verb in others]
    assert ignored(said(Person(abort=True, retry=True))) == ["retry: abort comes first"]


@pytest.mark.parametrize(
    ("who", "word", "event"),
    [({"pause": "alice"}, "pause: alice", "pause by alice"), ({"retry": "bob"}, "pause", "pause")],
)
def test_who_said_it_is_remembered_and_told(who: dict[str, str], word: str, event: str) -> None:
    """After those who said something before."""
    work = said(Person(pause=True, who=who), rollout={"persons": ("promote: carol",)})
    assert work.rollout.persons == ("promote: carol", word)
    assert told(work, "VerbHandled") == [event]


def test_the_last_sixteen_words_are_kept() -> None:
    """A status must not grow for ever."""
    before = tuple(f"word {number}" for number in range(20))
    assert said(Person(pause=True), rollout={"persons": before}).rollout.persons == (*before[-15:], "pause")


def test_what_is_refused_is_nobodys() -> None:
    """Neither in the rollout, nor where there is none."""
    work = said(Person(resume=True), rollout={"persons": ("pause: carol",)})
    assert (work.rollout.persons, ignored(work)) == (
        ("pause: carol",),
        ["resume: the rollout is not paused"],
    )
    assert said(Person(resume=True), motion=REST).motion == REST


def test_an_undo_at_rest_begins_with_its_person() -> None:
    """What nobody did before it is not there."""
    work = said(Person(undo="r0", who={"undo": "alice"}), motion=REST, known=frozenset({"r0"}))
    assert (work.rollout.kind, work.rollout.by, work.rollout.candidate) == ("Undo", "undo", "r0")
    assert work.rollout.persons == ("undo: alice",)


# -- abort ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("motion", "refusal"),
    [
        pytest.param(
            REST, "nothing is in motion, and no standby is warm; undo goes to an earlier revision", id="rest"
        ),
        pytest.param(
            dataclasses.replace(REST, standby=COLD),
            "nothing is in motion, and no standby is warm; undo goes to an earlier revision",
            id="its time is over",
        ),
        pytest.param(dataclasses.replace(REST, standby=WARM), "", id="warm: an undo"),
    ],
)
def test_abort_at_rest_goes_to_the_warm_standby(motion: Motion, refusal: str) -> None:
    """To the second; else it says what would."""
    work = said(Person(abort=True), motion=motion)
    assert ignored(work) == ([f"abort: {refusal}"] if refusal else [])
    began = work.motion.rollout
    assert ((began.kind, began.candidate) if began else None) == (None if refusal else ("Undo", "r0"))


@pytest.mark.parametrize(
    ("rollout", "live", "refusal"),
    [
        pytest.param({"stage": "RollingBack", "weight": 0}, LIVE, f"{BACK} already", id="back"),
        pytest.param({"stage": "CleaningUp"}, LIVE, f"{BACK} already", id="cleaning up"),
        pytest.param(
            {"kind": "First"},
            LIVE,
            "the first revision is live already, and there is nothing to go back to",
            id="the first one is live",
        ),
        pytest.param({"kind": "First"}, None, "", id="the first one is not"),
        pytest.param({"kind": "Undo"}, LIVE, "", id="an undo"),
        pytest.param({}, LIVE, "", id="a rollout"),
    ],
)
def test_abort_in_motion(rollout: dict[str, Any], live: LiveRevision | None, refusal: str) -> None:
    """Back, but from where there is no way back."""
    before = moment(rollout=rollout).motion
    work = said(Person(abort=True), motion=dataclasses.replace(before, live=live))
    assert ignored(work) == ([f"abort: {refusal}"] if refusal else [])
    if live is None:
        assert (work.motion.rollout, [done.outcome for done in work.finished]) == (None, ["Aborted"])
    else:
        assert work.rollout.outcome == ("" if refusal else "Aborted")


# -- undo -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("revision", "refusal"),
    [
        ("", ""),
        ("r1", ""),
        ("r9", "a rollout is in motion; abort it before you go to r9"),
    ],
)
def test_undo_in_motion_is_an_abort(revision: str, refusal: str) -> None:
    """To the source, named or not; nowhere else."""
    work = said(Person(undo=revision))
    assert ignored(work) == ([f"undo: {refusal}"] if refusal else [])
    assert work.rollout.outcome == ("" if refusal else "Aborted")


@pytest.mark.parametrize(
    ("revision", "motion", "facts", "target", "refusal"),
    [
        pytest.param("", {"standby": WARM}, {"previous": "r5"}, "r0", "", id="the warm standby first"),
        pytest.param("", {"standby": COLD}, {"previous": "r5"}, "r5", "", id="else the one before"),
        pytest.param("", {}, {"previous": "r5"}, "r5", "", id="no standby"),
        pytest.param("r5", {"standby": WARM}, {}, "r5", "", id="the one that is named"),
        pytest.param("r0", {"standby": WARM}, {}, "r0", "", id="the standby needs not be kept"),
        pytest.param(
            "r9", {"standby": WARM}, {}, "", "revision r9 is not kept; known: r5, r6", id="not kept"
        ),
        pytest.param("r9", {}, {}, "", "revision r9 is not kept; known: r5, r6", id="nor warm"),
        pytest.param("r0", {"standby": COLD}, {}, "", "revision r0 is not kept; known: r5, r6", id="cold"),
        pytest.param(
            "r9", {}, {"known": frozenset()}, "", "revision r9 is not kept; known: none", id="none is kept"
        ),
        pytest.param("r1", {}, {"known": frozenset({"r1"})}, "", "revision r1 is live already", id="live"),
        pytest.param("", {}, {}, "", "there is no earlier revision to go back to", id="nothing earlier"),
        pytest.param("r5", {"live": None}, {}, "", "nothing is live that could be undone", id="nothing live"),
    ],
)
def test_undo_at_rest(
    revision: str, motion: dict[str, Any], facts: dict[str, Any], target: str, refusal: str
) -> None:
    """Where it goes, or why nowhere; what the spec asks for does not come back by itself."""
    known = {"known": frozenset({"r6", "r5"})} | facts
    before = dataclasses.replace(REST, **motion)
    work = said(Person(undo=revision), motion=before, **known)
    if refusal:
        assert (work.motion, ignored(work)) == (before, [f"undo: {refusal}"])
        return
    assert (work.rollout.candidate, ignored(work)) == (target, [])
    assert work.motion.rejected == RejectedRevision(
        revision="r2",
        reason="RolledBack",
        message=f"revision r2 was undone; {target} takes its place",
        fallback=target,
        cause="Person",
    )


def test_an_undo_to_what_the_spec_asks_for_rejects_nothing() -> None:
    """It was refused before, and is what both want now."""
    work = said(Person(undo="r2"), motion=REST, known=frozenset({"r2"}))
    assert (work.rollout.candidate, work.motion.rejected) == ("r2", None)


# -- retry, pause, resume ---------------------------------------------------------------------------------

REJECTED = RejectedRevision(revision="r2", reason="RolledBack", message="m")
OTHER = dataclasses.replace(REJECTED, revision="r9")


@pytest.mark.parametrize(
    ("rejected", "moving", "refusal"),
    [
        pytest.param(REJECTED, False, "", id="it may begin again"),
        pytest.param(REJECTED, True, "a rollout is in motion; retry when it is over", id="later"),
        pytest.param(OTHER, False, "the revision that the spec asks for is not rejected", id="another one"),
        pytest.param(None, False, "the revision that the spec asks for is not rejected", id="none"),
    ],
)
def test_retry(rejected: RejectedRevision | None, *, moving: bool, refusal: str) -> None:
    """The rejected revision that the spec still asks for is not rejected any more."""
    before = dataclasses.replace(moment().motion if moving else REST, rejected=rejected)
    work = said(Person(retry=True), motion=before)
    assert ignored(work) == ([f"retry: {refusal}"] if refusal else [])
    assert work.motion == (before if refusal else dataclasses.replace(before, rejected=None))


DRIFT = {"held": "DriftHalted", "message": "m"}
FRESH = {"held": "", "message": "", "reassert": True, "paused": False}


@pytest.mark.parametrize(
    ("verb", "rollout", "changes", "refusal"),
    [
        pytest.param("pause", {}, {"paused": True}, "", id="pause"),
        pytest.param("pause", {"paused": True}, {}, "the rollout is paused already", id="paused"),
        pytest.param("pause", {"stage": "RollingBack"}, {}, BACK, id="pause on the way back"),
        pytest.param("pause", {"stage": "CleaningUp"}, {}, BACK, id="pause while cleaning up"),
        pytest.param("resume", {"paused": True}, {"paused": False}, "", id="resume"),
        pytest.param("resume", {}, {}, "the rollout is not paused", id="not paused"),
        pytest.param("resume", DRIFT, FRESH, "", id="overwrite drift"),
        pytest.param("resume", DRIFT | {"paused": True}, FRESH, "", id="drift, and go on"),
        pytest.param(
            "resume",
            {"held": "RouteMissing", "paused": True},
            {"paused": False},
            "",
            id="another hold stays",
        ),
        pytest.param("resume", {"stage": "RollingBack", "paused": True}, {}, BACK, id="resume back"),
    ],
)
def test_pause_and_resume(verb: str, rollout: dict[str, Any], changes: dict[str, Any], refusal: str) -> None:
    """Forward moves only; resume overwrites what somebody else wrote, once."""
    before = moment(rollout=rollout).rollout
    work = said(Person(**{verb: True}), rollout=rollout)
    assert ignored(work) == ([f"{verb}: {refusal}"] if refusal else [])
    persons = () if refusal else (verb,)
    assert work.rollout == dataclasses.replace(before, persons=persons, **changes)


# -- promote ----------------------------------------------------------------------------------------------

FAILED = HookRun(id="PreTraffic/smoke", state="Failed", message="no")
ASKED = {"held": "AnalysisInconclusive", "message": "m", "metrics": (MetricRun(id="m", since=NOW, errors=5),)}
CALM = (MetricRun(id="m", since=NOW, passed=1),)
IGNORED = (dataclasses.replace(FAILED, state="Ignored"),)
WAITS = "nothing waits for a person"


@pytest.mark.parametrize(
    ("rollout", "changes", "events", "refusal"),
    [
        pytest.param(
            {"step": 1},
            {"step": 2, "step_since": NOW, "progressed_at": NOW},
            ["step 2 of 3: the pause was ended by a person"],
            "",
            id="a pause step",
        ),
        pytest.param({"step": 0}, {}, [], WAITS, id="a weight"),
        pytest.param({"step": 1, "stage": "ScalingUp"}, {}, [], WAITS, id="a pause that is to come"),
        pytest.param({"step": 3, "stage": "Baking"}, {}, [], WAITS, id="after the steps"),
        pytest.param({"step": 0, "paused": True}, {}, [], "the rollout is paused; resume it", id="paused"),
        pytest.param(
            {"hooks": (FAILED,)},
            {"hooks": IGNORED},
            ["passed over by a person: PreTraffic/smoke"],
            "",
            id="a failed hook",
        ),
        pytest.param(
            {"step": 1} | ASKED,
            {"held": "", "message": "", "metrics": CALM},
            ["passed over by a person: analysis"],
            "",
            id="an analysis, and no more",
        ),
        pytest.param(
            {"hooks": (FAILED,)} | ASKED,
            {"hooks": IGNORED, "held": "", "message": "", "metrics": CALM},
            ["passed over by a person: PreTraffic/smoke analysis"],
            "",
            id="both",
        ),
        pytest.param(DRIFT, {}, [], WAITS, id="drift is resumed"),
        pytest.param({"step": 1, "stage": "RollingBack"}, {}, [], BACK, id="back"),
    ],
)
def test_promote(rollout: dict[str, Any], changes: dict[str, Any], events: list[str], refusal: str) -> None:
    """It ends what only a person can end, one thing at a time."""
    members = {"healthy_since": NOW - 9} | rollout
    before = moment(rollout=members).rollout
    work = said(Person(promote=True), rollout=members)
    assert told(work, "Promoted") == events
    assert ignored(work) == ([f"promote: {refusal}"] if refusal else [])
    if changes.get("step"):
        changes = changes | {"healthy_since": None}  # everything needs more targets than a quarter
    persons = () if refusal else ("promote",)
    assert work.rollout == dataclasses.replace(before, persons=persons, **changes)


REMAINING = "pauses, analyses and hooks of the remaining steps are passed over by a person"
LAST = {"step": 2, "step_since": None, "healthy_since": None, "progressed_at": NOW, "full": True}


@pytest.mark.parametrize(
    ("rollout", "changes", "events", "refusal"),
    [
        pytest.param({"step": 1}, LAST, [REMAINING], "", id="in a pause"),
        pytest.param({"step": 0, "stage": "Starting"}, LAST, [REMAINING], "", id="before its start"),
        pytest.param({"step": 2}, {"full": True}, [REMAINING], "", id="in the last step: its clock goes on"),
        pytest.param({"step": 2, "full": True}, {}, [], "it was promoted already", id="twice"),
        pytest.param(
            {"step": 2, "full": True, "hooks": (FAILED,)},
            {"hooks": IGNORED},
            ["passed over by a person: PreTraffic/smoke", REMAINING],
            "",
            id="twice, and a hook failed meanwhile",
        ),
        pytest.param(
            {"step": 3, "stage": "Baking"},
            {"stage": "PostBake", "stage_since": NOW, "progressed_at": NOW},
            ["the rest of bake was passed over by a person"],
            "",
            id="bake",
        ),
        pytest.param(
            {"step": 3, "stage": "PostBake"},
            {},
            [],
            "the candidate has all requests already",
            id="after bake",
        ),
        pytest.param(
            {"step": 3, "stage": "PostBake", "hooks": (FAILED,)},
            {"hooks": IGNORED},
            ["passed over by a person: PreTraffic/smoke"],
            "",
            id="a hook after bake",
        ),
        pytest.param({"step": 1, "stage": "CleaningUp"}, {}, [], BACK, id="back"),
    ],
)
def test_promote_full(
    rollout: dict[str, Any], changes: dict[str, Any], events: list[str], refusal: str
) -> None:
    """Everything next, or the end of bake; what a person was asked besides is answered by it."""
    members = {"step_since": NOW - 9, "healthy_since": NOW - 9} | rollout
    before = moment(rollout=members).rollout
    work = said(Person(promote_full=True), rollout=members)
    assert told(work, "Promoted") == events
    assert ignored(work) == ([f"promote-full: {refusal}"] if refusal else [])
    persons = () if refusal else ("promote-full",)
    assert work.rollout == dataclasses.replace(before, persons=persons, **changes)


@pytest.mark.parametrize("verb", ["pause", "resume", "promote", "promote_full"])
def test_at_rest_nothing_can_be_moved_on(verb: str) -> None:
    """It is said, and nothing changes."""
    work = said(Person(**{verb: True}), motion=REST)
    assert (work.motion, ignored(work)) == (REST, [f"{verb.replace('_', '-')}: {NOTHING}"])


def test_nobody_said_anything() -> None:
    """No word, no Event."""
    work = said(Person())
    assert (work.motion, work.notes) == (moment().motion, [])
