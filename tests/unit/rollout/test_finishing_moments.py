"""The end of a rollout to the second: bake, hooks, drain, and what holds each of them."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.rollout import RejectedRevision, Standby
from sluice.model.situation import RouteFacts, SlotFacts, TrafficFacts
from sluice.model.strategy import Hook
from sluice.rollout import finishing, stepping
from sluice.rollout.work import Work
from unit.rollout.moment import NOW, analysed, moment

BAKE = 60.0
DRAIN = 40.0
"""Ten seconds of propagation, thirty of deregistration."""


def ending(stage: str, *, since: float = NOW, carries: bool | None = False, **rollout: Any) -> Work:
    """Return a moment in which r2 has everything, proved now, and r1's slot is still whole."""
    slots = {
        name: SlotFacts(
            name=name,
            exists=True,
            revision=revision,
            desired=4,
            running=4,
            tasks=4,
            healthy=4,
            carries_weight=carries if name == "a" else True,
            drain_seconds=30.0,
        )
        for name, revision in (("a", "r1"), ("b", "r2"))
    }
    route = RouteFacts(name="main", proven=True, verified_at=NOW)
    members = {"stage": stage, "stage_since": since, "weight": 1000, "proven": 1000}
    return moment(
        strategy=analysed(bake=BAKE, propagation_delay=10.0),
        rollout=members | rollout,
        slots=slots,
        traffic=TrafficFacts(
            seq=9, weights={"b": 1000}, test="" if stage == "Draining" else "b", routes=(route,)
        ),
    )


@pytest.mark.parametrize(("since", "over"), [(NOW - BAKE + 1, False), (NOW - BAKE, True)])
def test_bake_is_over_to_the_second(since: float, over: bool) -> None:  # noqa: FBT001 - a table
    """Until then it wakes at its end and says how long it is."""
    work = ending("Baking", since=since)
    assert finishing.baking(work) is over
    assert work.rollout.stage == ("PostBake" if over else "Baking")
    assert work.wakes == ([] if over else [since + BAKE])


def test_a_pause_holds_the_end_of_bake() -> None:
    """Nothing moves, and the person is named as what is waited for."""
    work = ending("Baking", since=NOW - BAKE, paused=True)
    assert finishing.baking(work) is False
    assert (work.rollout.stage, work.waits.reason if work.waits else "") == ("Baking", "Paused")


def test_after_bake_everything_is_asked_once_more() -> None:
    """What is whole goes on; a candidate that lacks a target stays, and so does its source."""
    assert finishing.post_bake(ending("PostBake")) is True
    work = ending("PostBake")
    slots = dict(work.situation.slots)
    slots["b"] = dataclasses.replace(slots["b"], healthy=3)
    work.situation = dataclasses.replace(work.situation, slots=slots)
    assert finishing.post_bake(work) is False
    assert work.rollout.stage == "PostBake"


@pytest.mark.parametrize(("since", "over"), [(NOW - DRAIN + 1, False), (NOW - DRAIN, True)])
def test_drain_is_over_to_the_second(since: float, over: bool) -> None:  # noqa: FBT001 - a table
    """The propagation delay and the deregistration; the proof that counts is from after it."""
    work = ending("Draining", since=since)
    assert finishing.draining(work) is over
    if over:
        assert work.motion.rollout is None
        assert work.motion.live is not None
        assert work.motion.live.slot == "b"
    else:
        assert work.wakes == [since + DRAIN]


@pytest.mark.parametrize(("verify_after", "renewed"), [(NOW - 11, True), (NOW - 10, False), (NOW - 5, False)])
def test_the_proof_is_asked_for_once_after_the_drain(verify_after: float, renewed: bool) -> None:  # noqa: FBT001
    """One that was asked for when the drain was over (ten seconds ago) is good enough."""
    work = ending("Draining", since=NOW - DRAIN - 10, verify_after=verify_after, carries=None)
    finishing.draining(work)
    assert work.rollout.verify_after == (NOW if renewed else verify_after)


@pytest.mark.parametrize(("carries", "done"), [(False, True), (True, False), (None, False)])
def test_tasks_go_only_when_the_rules_were_read(carries: bool | None, done: bool) -> None:  # noqa: FBT001
    """A rule that still sends to them, or a reading that is missing, and nothing moves."""
    work = ending("Draining", since=NOW - DRAIN, carries=carries)
    assert finishing.draining(work) is done
    assert (work.motion.rollout is None) is done


def test_a_pause_holds_the_drain() -> None:
    """The source stays whole."""
    work = ending("Draining", since=NOW - 10 * DRAIN, paused=True)
    assert finishing.draining(work) is False
    assert work.rollout.stage == "Draining"


def test_a_first_rollout_is_complete_after_its_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not bake: while a hook runs nothing moves, and a hook that ended the rollout has moved."""
    work = ending("PostTraffic", kind="First", source="")
    hook = Hook(name="smoke", stage="PostTraffic", webhook={})
    snapshot = dataclasses.replace(work.situation.strategy, hooks=(hook,))
    work.situation = dataclasses.replace(work.situation, strategy=snapshot)
    assert finishing.post_traffic(work) is False
    assert [request.hook for request in work.hooks] == ["smoke"]

    def ended(work: Work, *_: str) -> bool:
        work.conclude("Failed")
        return True

    monkeypatch.setattr(stepping, "hooked", ended)
    assert finishing.post_traffic(work) is True
    assert work.motion.rollout is None


@pytest.mark.parametrize(
    ("kind", "revision", "reason", "kept"),
    [
        pytest.param("Rollout", "r9", "RolledBack", False, id="a success forgets an older failure"),
        pytest.param("Rollout", "r9", "NotPermitted", True, id="a refusal stays"),
        pytest.param("Rollout", "r2", "NotPermitted", False, id="not of what is live now"),
        pytest.param("Undo", "r9", "RolledBack", True, id="a way back forgets nothing"),
        pytest.param("Undo", "r2", "RolledBack", False, id="but what it goes back to"),
    ],
)
def test_what_a_success_forgets(kind: str, revision: str, reason: str, kept: bool) -> None:  # noqa: FBT001
    """Else a revision that failed once would begin again right after an undo."""
    work = ending("Draining", since=NOW - DRAIN, kind=kind)
    rejected = RejectedRevision(revision=revision, reason=reason, message="")
    work.motion = dataclasses.replace(work.motion, rejected=rejected)
    assert finishing.draining(work)
    assert work.motion.rejected == (rejected if kept else None)


@pytest.mark.parametrize(
    ("percent", "seconds", "kind", "count"),
    [
        (100, 600.0, "Rollout", 4),
        (50, 600.0, "Rollout", 2),
        (75, 600.0, "Rollout", 3),
        (0, 600.0, "Rollout", None),
        (100, 0.0, "Rollout", None),
        (100, 600.0, "Undo", None),
    ],
)
def test_the_old_slot_becomes_a_standby(percent: int, seconds: float, kind: str, count: int | None) -> None:
    """So many tasks for so long; what an undo left is not kept, for nobody wants it back."""
    work = ending("Draining", since=NOW - DRAIN, kind=kind)
    strategy = dataclasses.replace(work.situation.strategy, standby_percent=percent, standby_seconds=seconds)
    work.situation = dataclasses.replace(work.situation, strategy=strategy)
    assert finishing.draining(work)
    warm = Standby(slot="a", revision="r1", until=NOW + seconds, count=count) if count else None
    assert work.motion.standby == warm


def test_a_first_revision_that_was_adopted_stays_where_it_is() -> None:
    """What was found live while the first rollout went on is what production requests reach."""
    work = ending("PostTraffic", kind="First")
    before = work.motion.live
    assert finishing.post_traffic(work)
    assert work.motion.live == before
    assert [(done.outcome, done.at) for done in work.finished] == [("Succeeded", NOW)]
