"""What begins at rest, and what a start waits for, case by case."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.rollout import Finished, LiveRevision, Motion, RejectedRevision, Rollout, Standby
from sluice.model.situation import GroupFacts, MemberFacts, SlotFacts, TrafficFacts
from sluice.model.strategy import FreezeWindow
from sluice.rollout import begin
from sluice.rollout.verdict import Verdict, verdict
from sluice.rollout.work import Work
from unit.rollout.moment import NOW, analysed, moment

LIVE = LiveRevision(slot="a", revision="r1", since=NOW - 1000)
ALWAYS = FreezeWindow(name="always", schedule="* * * * *", duration=3600)
WARM = Standby(slot="b", revision="r0", until=NOW + 60, count=4)


def resting(
    *, rejected: RejectedRevision | None = None, standby: Standby | None = None, **facts: Any
) -> Work:
    """Return a moment in which r1 is live and nothing moves."""
    return moment(motion=Motion(live=LIVE, rejected=rejected, standby=standby), **facts)


def rejected(cause: str = "Analysis") -> RejectedRevision:
    """Return the memory of r2's failure."""
    return RejectedRevision(revision="r2", reason="RolledBack", message="failed", cause=cause)


def grouped(*, failed: bool = False) -> GroupFacts:
    """Return a release group with one other member."""
    return GroupFacts(name="shop", members=(MemberFacts(name="ledger", changing=True, failed=failed),))


def start(*, kind: str = "Rollout", **facts: Any) -> Work:
    """Return a moment in Starting."""
    return moment(rollout={"stage": "Starting", "kind": kind, "weight": 0, "proven": 0}, **facts)


@pytest.mark.parametrize("wanted", ["", "r1"])
def test_nothing_begins_where_nothing_else_is_asked_for(wanted: str) -> None:
    """No revision known, or the live one."""
    work = resting(wanted=wanted)
    assert not begin.at_rest(work)
    assert work.motion.rollout is None


def test_nothing_begins_for_a_spec_that_is_rolling_by_now() -> None:
    """Its next revision knows no steps: it is the rolling strategy's, from the next pass on."""
    work = resting(leaving=True, wanted="r3")
    assert not begin.at_rest(work)
    assert verdict(work) == Verdict(
        ready=False,
        reason="RollingOut",
        message="revision r3 begins by the new strategy",
        phase="Progressing",
    )
    work.situation = dataclasses.replace(work.situation, wanted="r1")
    assert verdict(work).message != "revision r1 begins by the new strategy"


def test_another_revision_begins_in_the_other_slot() -> None:
    """From the live one, asked for by the spec; the machine moved."""
    work = resting()
    assert begin.at_rest(work)
    made = work.rollout
    assert (made.kind, made.candidate, made.slot, made.source, made.by) == (
        "Rollout",
        "r2",
        "b",
        "r1",
        "spec",
    )
    assert (made.started_at, made.stage_since, made.progressed_at) == (NOW, NOW, NOW)


@pytest.mark.parametrize(
    ("cause", "group", "begins"),
    [
        pytest.param("Analysis", None, False, id="failed by itself"),
        pytest.param("Analysis", grouped(), False, id="failed by itself, in a group"),
        pytest.param("Group", None, False, id="the group is not known"),
        pytest.param("Group", grouped(failed=True), False, id="the member is not mended"),
        pytest.param("Group", grouped(), True, id="the member is mended"),
    ],
)
def test_a_rejected_revision_begins_again_only_when_its_group_is_mended(
    cause: str,
    group: GroupFacts | None,
    begins: bool,  # noqa: FBT001 - a table
) -> None:
    """What failed by itself waits for `retry`; what the group took back is free when the member is well."""
    work = resting(rejected=rejected(cause), group=group, strategy=analysed(release_group="shop"))
    assert begin.at_rest(work) is begins
    assert (work.motion.rollout is not None) is begins
    assert (work.motion.rejected is None) is begins


def test_two_rollouts_of_one_second_have_different_ids() -> None:
    """The newest that ended is part of the id: also one that ended in this very decision."""
    ids = set()
    for newest in ("one", "two"):
        work = resting(last_rollout="before")
        done = [Rollout(id=name, kind="Rollout", candidate="r9", slot="b") for name in ("other", newest)]
        work.finished = [Finished(rollout=old, outcome="Succeeded", at=NOW) for old in done]
        begin.begin(work, "r2", kind="Rollout", by="spec")
        ids.add(work.rollout.id)
    assert len(ids) == 2


@pytest.mark.parametrize(("until", "kept"), [(NOW + 1, True), (NOW, False)])
def test_a_standby_ends_to_the_second(until: float, kept: bool) -> None:  # noqa: FBT001 - a table
    """Until then it is where the next look is due."""
    work = resting(standby=dataclasses.replace(WARM, until=until))
    begin.expire_standby(work)
    assert (work.motion.standby is not None) is kept
    assert work.wakes == ([until] if kept else [])
    assert [note.reason for note in work.notes] == ([] if kept else ["StandbyEnded"])


@pytest.mark.parametrize(
    ("standby", "declared", "kind"),
    [(None, False, "Rollout"), (WARM, False, "Rollout"), (None, True, "Undo")],
)
def test_what_is_asked_for_decides_the_kind_until_it_goes(
    standby: Standby | None,
    declared: bool,  # noqa: FBT001 - a table
    kind: str,
) -> None:
    """A standby of another revision is no way back; a declared undo is one in Starting, too."""
    work = start(declared_undo=declared)
    work.motion = dataclasses.replace(work.motion, standby=standby)
    assert begin.starting(work)
    assert work.rollout.kind == kind
    assert (work.rollout.stage == "Starting") is (kind != "Rollout")


def test_the_warm_revision_is_an_undo() -> None:
    """It has tasks: no steps are needed."""
    work = resting(wanted="r0", standby=WARM)
    assert begin.at_rest(work)
    assert work.rollout.kind == "Undo"


@pytest.mark.parametrize(("kind", "goes"), [("Rollout", False), ("First", True), ("Undo", True)])
def test_a_freeze_window_stops_a_rollout_and_nothing_else(kind: str, goes: bool) -> None:  # noqa: FBT001
    """A first one has no production to disturb, an undo is the way back."""
    work = start(kind=kind, strategy=analysed(freeze=(ALWAYS,)), declared_undo=kind == "Undo")
    if kind == "First":
        work.motion = dataclasses.replace(work.motion, live=None)
    assert begin.starting(work) is goes
    assert work.rollout.stage == {"Rollout": "Starting", "First": "PreScaleUp", "Undo": "ScalingUp"}[kind]
    if not goes:
        assert work.waits is not None
        assert work.waits.reason == "Frozen"


@pytest.mark.parametrize("paused", ["spec", "verb", "held"])
def test_a_pause_stops_a_start(paused: str) -> None:
    """The field, the verb, or what a person has to answer."""
    work = start(paused=paused == "spec")
    work.change(paused=paused == "verb", held="RouteMissing" if paused == "held" else "", message="gone")
    assert not begin.starting(work)
    assert work.waits is not None
    assert work.waits.reason == ("RouteMissing" if paused == "held" else "Paused")


def test_a_mended_member_comes_first() -> None:
    """A start in a group waits while another member of the release fell back."""
    work = start(group=grouped(failed=True), strategy=analysed(release_group="shop"))
    assert not begin.starting(work)
    assert work.waits is not None
    assert work.waits.message == "release group: ledger fell back; mend it first"


@pytest.mark.parametrize(
    ("replicas", "desired", "waits"),
    [(0, 4, True), (1, 0, False), (None, 0, True), (None, 1, False)],
)
def test_nothing_starts_where_no_task_is_wanted(replicas: int | None, desired: int, waits: bool) -> None:  # noqa: FBT001
    """By the spec's number, or the live slot's where that is not ours: 0 is neither well nor fails."""
    live = SlotFacts(name="a", exists=True, revision="r1", desired=desired)
    work = start(replicas=replicas, slots={"a": live})
    assert begin.starting(work) is not waits
    if waits:
        assert work.waits is not None
        assert work.waits.message == "scaled to 0 tasks; revision r2 begins when there are to be some again"


@pytest.mark.parametrize(
    ("replicas", "desired", "floor"),
    [(4, 6, 6), (6, 4, 6), (None, 3, 3)],
    ids=["more", "fewer", "theirs"],
)
def test_the_live_slots_floor_is_the_larger_number(replicas: int | None, desired: int, floor: int) -> None:
    """What the spec asks for or what it has: it never has fewer before the end."""
    live = SlotFacts(name="a", exists=True, revision="r1", desired=desired)
    work = start(replicas=replicas, slots={"a": live})
    assert begin.starting(work)
    assert work.rollout.live_floor == floor
    assert [(note.reason, note.message.partition(" to ")[0]) for note in work.notes] == [
        ("RolloutStarted", "rollout id")
    ]


@pytest.mark.parametrize(("replicas", "floor"), [(2, 2), (None, 0)])
def test_a_first_rollout_has_no_live_slot_and_says_nothing_yet(replicas: int | None, floor: int) -> None:
    """Its floor is what the spec asks for, if it does; its end tells enough."""
    work = start(kind="First", replicas=replicas)
    work.motion = dataclasses.replace(work.motion, live=None)
    work.change(source="")
    assert begin.starting(work)
    assert (work.rollout.live_floor, work.notes) == (floor, [])


FAILED = RejectedRevision(revision="r1", reason="FirstRolloutFailed", message="crashes")


def forgotten(
    carrying: dict[str, tuple[bool | None, int]],
    *,
    rejected: RejectedRevision | None = None,
    weights: dict[str, int] | None = None,
) -> Work:
    """Return a moment without a live revision; slot → whether rules send to it, and its healthy targets."""
    slots = {
        name: SlotFacts(name=name, exists=True, revision=f"of-{name}", carries_weight=weight, healthy=healthy)
        for name, (weight, healthy) in carrying.items()
    }
    traffic = TrafficFacts(weights=weights or {})
    return moment(motion=Motion(rejected=rejected), slots=slots, traffic=traffic)


@pytest.mark.parametrize(
    ("rejected", "weights", "asks"),
    [
        pytest.param(None, {}, True, id="nothing is known"),
        pytest.param(None, {"a": 1000}, True, id="weights were published"),
        pytest.param(FAILED, {"a": 1000}, True, id="the first failed after a weight"),
        pytest.param(FAILED, {}, False, id="the first failed before any weight"),
    ],
)
def test_rules_are_read_before_anything_begins(
    rejected: RejectedRevision | None,
    weights: dict[str, int],
    asks: bool,  # noqa: FBT001 - a table
) -> None:
    """Whatever gets requests is live; only a first revision that never had a weight cannot."""
    work = forgotten({"a": (None, 0)}, rejected=rejected, weights=weights)
    assert begin.at_rest(work) is not asks
    assert work.needs == ({"proof"} if asks else set())
    assert (work.motion.rollout is None) is asks
    if work.waits is not None:
        assert work.waits.message == "reading the rules to learn what is live"


@pytest.mark.parametrize(
    ("carrying", "rejected", "live"),
    [
        pytest.param({"a": (True, 2), "b": (False, 2)}, None, "a", id="who gets requests"),
        pytest.param({"a": (True, 0)}, None, "a", id="also when it is unwell"),
        pytest.param({"a": (True, 0)}, FAILED, "", id="a failed first one serves nobody"),
        pytest.param({"a": (True, 1)}, FAILED, "a", id="a failed first one that serves"),
        pytest.param({"a": (True, 0), "b": (True, 1)}, FAILED, "b", id="one of two serves"),
    ],
)
def test_who_gets_requests_is_live(
    carrying: dict[str, tuple[bool | None, int]], rejected: RejectedRevision | None, live: str
) -> None:
    """From there the way forward begins; where nobody is served, at once."""
    work = forgotten(carrying, rejected=rejected)
    assert begin.at_rest(work)
    assert (work.motion.live.slot if work.motion.live else "") == live
    assert (work.rollout.kind, work.rollout.source) == (("Rollout", f"of-{live}") if live else ("First", ""))
