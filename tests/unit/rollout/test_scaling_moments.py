"""How many tasks each slot has at one moment, and who may be sent how much."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.situation import TrafficFacts
from sluice.model.strategy import FULL, CapacityMode, Pause, Progressive, SetWeight, Step
from sluice.rollout import scaling
from sluice.rollout.work import Wait, Work
from unit.rollout.moment import NOW, STEPS, moment

NOTHING, HALF, ALL = (SetWeight(permille=part) for part in (0, 500, 1000))


def at(
    *,
    steps: tuple[Step, ...] = STEPS,
    a: dict[str, Any] | None = None,
    b: dict[str, Any] | None = None,
    strategy: dict[str, Any] | None = None,
    **facts: Any,
) -> Work:
    """Return a moment; `a` is the source's slot, `b` the candidate's, four healthy tasks each."""
    work = moment(
        strategy=Progressive(steps=steps, snapshot={"x": 1}, **{"surge": 1} | (strategy or {})), **facts
    )
    found = work.situation.slots
    slots = {
        "a": dataclasses.replace(found["a"], **{"healthy": 4} | (a or {})),
        "b": dataclasses.replace(found["b"], **{"healthy": 4} | (b or {})),
    }
    work.situation = dataclasses.replace(work.situation, slots=slots)
    return work


# -- how many ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "rollout", "size"),
    [
        pytest.param({"replicas": 3}, {}, 3, id="the spec's"),
        pytest.param({"replicas": 3}, {"live_floor": 5}, 5, id="what the live slot had since the start"),
        pytest.param({"replicas": 7}, {"live_floor": 5}, 7, id="or more"),
        pytest.param({"replicas": None}, {}, 4, id="somebody else's count: the live slot's"),
        pytest.param({"replicas": None}, {"live_floor": 6}, 6, id="which had more"),
        pytest.param({"replicas": 3}, {"kind": "First", "live_floor": 9}, 3, id="a first one: the spec's"),
        pytest.param({"replicas": None, "b": {"desired": 6}}, {"kind": "First"}, 6, id="or its own"),
        pytest.param({"replicas": None, "b": {"desired": 0}}, {"kind": "First"}, 1, id="at least one"),
    ],
)
def test_how_many_tasks_carry_everything(facts: dict[str, Any], rollout: dict[str, Any], size: int) -> None:
    """R, never less than the live slot was meant to have."""
    assert scaling.full_size(at(rollout=rollout, **facts)) == size


@pytest.mark.parametrize(
    ("kind", "floor", "kept"),
    [("Rollout", 3, 4), ("Rollout", 5, 5), ("Undo", 3, 4), ("First", 0, 0)],
)
def test_the_floor_only_rises(kind: str, floor: int, kept: int) -> None:
    """A first rollout has no live slot."""
    work = at(rollout={"kind": kind, "live_floor": floor})
    scaling.keep_floor(work)
    assert work.rollout.live_floor == kept


@pytest.mark.parametrize(
    ("size", "permille", "capacity", "surge", "zones", "need"),
    [
        pytest.param(10, 250, "AheadOfWeight", 1, 0, 4, id="its part, rounded up, and the surge"),
        pytest.param(10, 250, "AheadOfWeight", 0, 0, 3, id="no surge"),
        pytest.param(10, 1000, "AheadOfWeight", 5, 0, 10, id="never more than everything"),
        pytest.param(10, 0, "AheadOfWeight", 0, 0, 1, id="at least one"),
        pytest.param(10, 100, "AheadOfWeight", 1, 3, 3, id="one in each zone"),
        pytest.param(10, 1, "Full", 0, 0, 10, id="full from the start"),
        pytest.param(1, 1, "Full", 0, 0, 1, id="full of one"),
        pytest.param(2, 1, "Full", 0, 3, 3, id="full, one in each zone"),
        pytest.param(1, 500, "AheadOfWeight", 1, 0, 1, id="one is everything"),
        pytest.param(0, 1000, "AheadOfWeight", 1, 3, 0, id="scaled to nothing"),
    ],
)
def test_how_many_healthy_targets_a_weight_needs(
    size: int, permille: int, capacity: CapacityMode, surge: int, zones: int, need: int
) -> None:
    """Of R tasks, before it is sent."""
    work = at(replicas=size, b={"zones": zones}, strategy={"capacity": capacity, "surge": surge})
    assert scaling.needed(work, permille) == need


@pytest.mark.parametrize(
    ("rollout", "need"),
    [({"shares": True}, 3), ({"kind": "Undo"}, 10), ({"kind": "First"}, 10)],
)
def test_shares_and_ways_without_steps_need_other_numbers(rollout: dict[str, Any], need: int) -> None:
    """A quarter of ten tasks; or all of them."""
    work = at(replicas=10, rollout=rollout)
    work.situation = dataclasses.replace(work.situation, traffic=TrafficFacts())
    assert scaling.needed(work, 250) == need


@pytest.mark.parametrize(
    ("steps", "rollout", "permille"),
    [
        pytest.param((HALF, ALL), {"step": 1}, 1000, id="the step's weight"),
        pytest.param((NOTHING, HALF), {"step": 0}, 0, id="also when it is lowered"),
        pytest.param((HALF, Pause(), ALL), {"step": 1}, 0, id="a pause: what there is, is enough"),
        pytest.param((HALF, ALL), {"step": 2}, 0, id="after the last step"),
        pytest.param(
            (HALF, Pause(), ALL), {"step": 1, "weight": 0, "proven": 500}, 0, id="what was proved is there"
        ),
        pytest.param((HALF, Pause(), ALL), {"step": 1, "proven": 0}, 0, id="what was ordered is there"),
        pytest.param(
            (Pause(), NOTHING, HALF, ALL), {"step": 0, "weight": 0, "proven": 0}, 500, id="the first weight"
        ),
        pytest.param(
            (NOTHING, HALF),
            {"stage": "ScalingUp", "weight": 0, "proven": 0},
            500,
            id="before the steps: the first that sends anything",
        ),
        pytest.param(
            (HALF, ALL), {"stage": "Baking", "step": 2, "weight": 1000, "proven": 1000}, 0, id="after them"
        ),
    ],
)
def test_which_weight_is_to_come(steps: tuple[Step, ...], rollout: dict[str, Any], permille: int) -> None:
    """The candidate's tasks are there before it."""
    assert scaling.coming(at(steps=steps, rollout=rollout)) == permille


@pytest.mark.parametrize(
    ("rollout", "b", "size"),
    [
        pytest.param({"step": 1}, {"desired": 1}, 10, id="the weight to come"),
        pytest.param({"step": 3, "weight": 250, "proven": 500}, {"desired": 1}, 6, id="what was proved"),
        pytest.param({"step": 3, "weight": 500, "proven": 250}, {"desired": 1}, 6, id="what is ordered"),
        pytest.param({"step": 0}, {"desired": 8}, 8, id="it loses none of its tasks"),
        pytest.param(
            {"step": 0}, {"desired": 8, "revision": "r0"}, 4, id="those of another revision it does"
        ),
    ],
)
def test_the_candidates_slot_is_sized_for_the_largest_weight(
    rollout: dict[str, Any], b: dict[str, Any], size: int
) -> None:
    """Ordered, proved, or to come; a weight that was lowered still drains."""
    steps = (SetWeight(permille=250), ALL, Pause(), Pause())
    assert scaling.candidate_size(at(steps=steps, replicas=10, rollout=rollout, b=b)) == size


@pytest.mark.parametrize(
    ("facts", "rollout", "size"),
    [
        pytest.param({}, {}, 4, id="whole"),
        pytest.param({"replicas": None}, {}, None, id="somebody else's"),
        pytest.param({}, {"shares": True}, 3, id="the rest of the shares"),
        pytest.param({"replicas": None}, {"shares": True}, 3, id="the rest, whoever counts"),
        pytest.param({}, {"shares": True, "weight": 0}, 4, id="nothing was taken"),
        pytest.param({"replicas": None}, {"shares": True, "stage": "RollingBack"}, 4, id="given back"),
    ],
)
def test_the_sources_slot_is_whole_until_the_end(
    facts: dict[str, Any], rollout: dict[str, Any], size: int | None
) -> None:
    """But where weights are shares of tasks."""
    work = at(rollout=rollout, **facts)
    work.situation = dataclasses.replace(work.situation, traffic=TrafficFacts())
    assert scaling.source_size(work) == size


# -- who may be sent how much -----------------------------------------------------------------------------

WHERE = "step 1 of 2: weight 50 %: slot b, revision r2"


def ready(**members: Any) -> Work:
    """Return the moment after half of the requests were asked for: three healthy targets are needed."""
    work = at(**members)
    scaling.candidate_ready(work, 500)
    return work


@pytest.mark.parametrize(
    ("b", "reason", "message", "needs"),
    [
        pytest.param({"healthy": 3}, "", "", set(), id="enough"),
        pytest.param({"healthy": 2}, "WaitingForTargets", "2 of 3 targets healthy", set(), id="one too few"),
        pytest.param(
            {"desired": 2}, "WaitingForTargets", "2 of 3 targets healthy", set(), id="some are about to stop"
        ),
        pytest.param(
            {"healthy": None},
            "WaitingForTargets",
            "target health could not be read yet",
            {"health"},
            id="unread",
        ),
        pytest.param(
            {"revision": "r1", "carries_weight": False},
            "RollingOut",
            "4 of 3 tasks run, waiting for the revision to be there alone",
            set(),
            id="another revision is there",
        ),
        pytest.param(
            {"exists": False, "revision": "", "running": 0, "carries_weight": None},
            "RollingOut",
            "0 of 3 tasks run, waiting for the revision to be there alone",
            {"proof"},
            id="nothing is there",
        ),
        pytest.param(
            {"exists": False, "carries_weight": False},
            "RollingOut",
            "4 of 3 tasks run, waiting for the revision to be there alone",
            set(),
            id="its service is gone",
        ),
        pytest.param(
            {"revision": "r1", "carries_weight": True},
            "RollingOut",
            "a rule still gives weight to it, so the slot's revision is not changed",
            set(),
            id="a rule leads to it",
        ),
        pytest.param(
            {"revision": "r1", "carries_weight": True, "carrier": "rule/1, priority 7"},
            "RollingOut",
            "a rule still gives weight to it (rule/1, priority 7), so the slot's revision is not changed",
            set(),
            id="and which",
        ),
        pytest.param(
            {"revision": "r1", "carries_weight": False, "listed": "route web"},
            "RollingOut",
            "names still answer with its old tasks (route web), so the slot's revision is not changed",
            set(),
            id="a name leads to it",
        ),
    ],
)
def test_the_candidate_is_sent_more_when_it_is_ready(
    b: dict[str, Any], reason: str, message: str, needs: set[str]
) -> None:
    """By target health of this pass; what is missing is said, and counts against the deadline."""
    work = ready(b=b, rollout={"healthy_since": NOW - 60})
    assert work.needs == needs
    if reason:
        assert work.waits == Wait(reason=reason, message=f"{WHERE}: {message}", counts=True)
        kept = b.get("healthy", 4) is None
        assert work.rollout.healthy_since == (NOW - 60 if kept else None)
    else:
        assert (work.waits, work.rollout.healthy_since) == (None, NOW - 60)
        assert scaling.candidate_ready(work, 500) is True


def test_a_call_without_an_answer_counts_against_the_deadline() -> None:
    """It is AWS's, and over soon; a person has nothing to do."""
    work = ready(b={"fewest": 2, "settles_at": NOW + 9})
    assert work.waits is not None
    assert (work.waits.reason, work.waits.counts, work.wakes) == ("WaitingForTargets", True, [NOW + 9])


def test_before_the_steps_no_weight_is_named() -> None:
    """There is none yet."""
    work = at(b={"healthy": 0}, rollout={"stage": "ScalingUp"})
    assert scaling.candidate_ready(work, 500) is False
    assert work.waits is not None
    assert work.waits.message == "slot b, revision r2: 0 of 3 targets healthy"


def test_what_was_not_ready_is_not_said_twice() -> None:
    """Nothing changes in the memory where nothing was remembered."""
    assert ready(b={"healthy": 0}).rollout == at().rollout


@pytest.mark.parametrize(
    ("since", "min_ready", "wakes"),
    [
        pytest.param(None, 0.0, [], id="at once"),
        pytest.param(None, 30.0, [NOW + 30], id="from now on"),
        pytest.param(NOW - 29, 30.0, [NOW + 1], id="a second is missing"),
        pytest.param(NOW - 30, 30.0, [], id="long enough"),
        pytest.param(NOW - 900, 30.0, [], id="for long"),
    ],
)
def test_targets_are_healthy_for_min_ready_seconds(
    since: float | None, min_ready: float, wakes: list[float]
) -> None:
    """Without a break."""
    work = at(strategy={"min_ready": min_ready}, rollout={"healthy_since": since})
    assert scaling.candidate_ready(work, 500) is not bool(wakes)
    assert work.rollout.healthy_since == (NOW if since is None else since)
    assert work.wakes == wakes
    if wakes:
        text = f"{WHERE}: 3 targets healthy, waiting for minReadySeconds"
        assert work.waits == Wait(reason="WaitingForTargets", message=text, counts=True)


@pytest.mark.parametrize(
    ("healthy", "permille", "rollout", "message"),
    [
        pytest.param(2, 500, {}, "", id="half of them for half"),
        pytest.param(
            1,
            500,
            {},
            "1 of 2 targets healthy, no step forward meanwhile; abort, or promote-full if the candidate is "
            "the cure",
            id="too few",
        ),
        pytest.param(
            0,
            1,
            {},
            "0 of 1 targets healthy, no step forward meanwhile; abort, or promote-full if the candidate is "
            "the cure",
            id="one is needed for anything",
        ),
        pytest.param(0, 0, {}, "", id="nothing is left to it"),
        pytest.param(None, 0, {}, "", id="nothing: nobody is asked"),
        pytest.param(None, 500, {}, "target health could not be read yet", id="not read"),
        pytest.param(0, 500, {"full": True}, "", id="promote-full passes over it"),
        pytest.param(0, 500, {"shares": True}, "", id="shares have no targets"),
        pytest.param(0, 500, {"kind": "Undo"}, "", id="an undo leaves it"),
    ],
)
def test_live_tasks_that_die_stop_every_step(
    healthy: int | None, permille: int, rollout: dict[str, Any], message: str
) -> None:
    """The candidate is not promoted because the source is broken; a person knows what to do."""
    work = at(a={"healthy": healthy}, rollout=rollout)
    work.situation = dataclasses.replace(work.situation, traffic=TrafficFacts())
    assert scaling.source_carries(work, permille) is not bool(message)
    text = f"live slot a: {message}"
    assert work.waits == (Wait(reason="WaitingForTargets", message=text) if message else None)
    assert work.needs == ({"health"} if "read" in message else set())


@pytest.mark.parametrize(
    ("replicas", "a", "candidate", "enough", "needs"),
    [
        pytest.param(4, {"healthy": 2}, 4, True, set(), id="half of what everything needs"),
        pytest.param(5, {"healthy": 2}, 4, False, set(), id="less than half, and less than the candidate"),
        pytest.param(5, {"healthy": 2}, 2, True, set(), id="no fewer than the candidate"),
        pytest.param(5, {"healthy": 2}, None, None, {"health"}, id="the candidate's was not read"),
        pytest.param(5, {"healthy": 3}, None, True, set(), id="it needs not be"),
        pytest.param(1, {"healthy": 1}, 4, True, set(), id="one is everything"),
        pytest.param(1, {"healthy": 0}, 0, False, set(), id="none"),
        pytest.param(4, {"healthy": 2, "zones": 3}, 0, False, set(), id="a zone is without"),
        pytest.param(4, {"healthy": 3, "zones": 3}, 0, True, set(), id="one in each zone"),
        pytest.param(4, {"healthy": None}, 0, None, {"health"}, id="not read"),
        pytest.param(0, {"healthy": None}, 0, True, set(), id="scaled to nothing"),
    ],
)
def test_who_can_take_the_requests_back(
    replicas: int, a: dict[str, Any], candidate: int | None, needs: set[str], *, enough: bool | None
) -> None:
    """Half of what it needs, or no fewer than the candidate has; at least one, and one in each zone."""
    work = at(replicas=replicas, a=a, b={"healthy": candidate})
    assert scaling.source_takes_back(work) is enough
    assert work.needs == needs


def test_shares_go_back_at_once() -> None:
    """There are no targets that could be unhealthy."""
    work = at(a={"healthy": 0}, rollout={"shares": True})
    work.situation = dataclasses.replace(work.situation, traffic=TrafficFacts())
    assert scaling.source_takes_back(work) is True


def test_a_share_is_rounded_up() -> None:
    """A weight is never without a task."""
    assert [scaling.share(3, permille) for permille in (0, 1, 333, 334, FULL)] == [0, 1, 1, 2, 3]
