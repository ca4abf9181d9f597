"""What each slot shall run at one moment, and what has to be read before it may lose anything."""

from __future__ import annotations

import dataclasses
from typing import Any, get_args

import pytest

from sluice.model.rollout import LiveRevision, Motion, RejectedRevision, SlotOrder, Stage, Standby
from sluice.model.situation import SlotFacts
from sluice.rollout import orders
from sluice.rollout.machine import decide
from sluice.rollout.work import Work
from unit.rollout.moment import NOW, moment
from unit.rollout.world import live

LIVE = LiveRevision(slot="a", revision="r1", since=NOW - 1000)
WARM = Standby(slot="b", revision="r0", until=NOW + 900, count=2)
REJECTED = RejectedRevision(revision="r2", reason="FirstRolloutFailed", message="m")
NOTHING = SlotFacts(name="b")
IDLE = SlotFacts(name="b", exists=True, revision="r0")
FULL = SlotFacts(name="b", exists=True, revision="r0", desired=4, running=4, tasks=4)
PROVED = dataclasses.replace(FULL, carries_weight=False)
WEIGHTED = dataclasses.replace(FULL, carries_weight=True)


def at(b: SlotFacts = IDLE, a: SlotFacts | None = None, **facts: Any) -> Work:
    """Return a moment with these slots; nothing is in motion unless `rollout` says so."""
    motion = facts.pop("motion", None)
    rollout = facts.pop("rollout", None)
    work = moment(rollout=rollout or {}, **facts)
    slots = {"a": a or work.situation.slots["a"], "b": b}
    work.situation = dataclasses.replace(work.situation, slots=slots)
    if motion is not None or rollout is None:
        found = motion or Motion(live=LIVE)
        work.motion = dataclasses.replace(found, rollout=work.motion.rollout if rollout is not None else None)
    return work


def of(slot: str, work: Work) -> SlotOrder:
    """Return the order of a slot; both are always there, a first."""
    found = orders.slots(work)
    assert [order.slot for order in found] == ["a", "b"]
    return next(order for order in found if order.slot == slot)


# -- the live slot ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("replicas", [3, None])
def test_at_rest_the_live_slot_runs_what_the_spec_counts(replicas: int | None) -> None:
    """And somebody else's scale-in is free; so it is while a rollout has not begun."""
    wanted = SlotOrder(slot="a", revision="r1", count=replicas, reason="live")
    assert of("a", at(replicas=replicas)) == wanted
    assert of("a", at(replicas=replicas, rollout={"stage": "Starting", "live_floor": 9})) == wanted


@pytest.mark.parametrize(("replicas", "floor", "count"), [(3, 9, 9), (9, 3, 9), (None, 9, None)])
def test_from_the_first_hook_on_it_does_not_lose_tasks(
    replicas: int | None, floor: int, count: int | None
) -> None:
    """What it had at the start, or more when the spec says so."""
    work = at(replicas=replicas, rollout={"stage": "PreScaleUp", "live_floor": floor})
    held = SlotOrder(slot="a", revision="r1", count=count, reason="live", hold_scale_in=True)
    assert of("a", work) == held


def test_nothing_is_read_for_what_stays_as_it_is() -> None:
    """At rest, and while a rollout waits to begin or for a hook: no rule is looked at, pass after pass."""
    for rollout in (None, {"stage": "Starting"}, {"stage": "PreScaleUp"}, {"stage": "ScalingUp"}):
        work = at(dataclasses.replace(IDLE, revision="r2") if rollout else IDLE, rollout=rollout)
        orders.slots(work)
        assert work.needs == set()


def test_a_deployment_at_rest_asks_for_nothing() -> None:
    """A pass that finds all as it should be reads neither rules nor targets beyond what it was told."""
    world = live()
    assert decide(world.situation(frozenset()), world.motion, now=world.now).needs == frozenset()


# -- the other slot ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slot", "count", "needs"),
    [
        pytest.param(NOTHING, 0, set(), id="it was never made"),
        pytest.param(IDLE, 0, set(), id="it has no tasks"),
        pytest.param(FULL, None, {"proof"}, id="its tasks stay until the rules were read"),
        pytest.param(WEIGHTED, None, set(), id="a rule sends to them"),
        pytest.param(PROVED, 0, set(), id="nothing leads to them"),
    ],
)
def test_a_slot_that_is_not_needed_is_emptied_with_proof(
    slot: SlotFacts, count: int | None, needs: set[str]
) -> None:
    """Its revision stays what it is."""
    work = at(slot)
    assert of("b", work) == SlotOrder(slot="b", revision=None, count=count, reason="not needed")
    assert work.needs == needs


@pytest.mark.parametrize(
    ("slot", "revision", "count", "needs"),
    [
        pytest.param(FULL, "r0", None, {"proof"}, id="to be made smaller: not without proof"),
        pytest.param(dataclasses.replace(FULL, desired=2), "r0", 2, set(), id="as it is"),
        pytest.param(dataclasses.replace(FULL, desired=1), "r0", 2, set(), id="to be made larger"),
        pytest.param(PROVED, "r0", 2, set(), id="proved"),
        pytest.param(dataclasses.replace(FULL, revision="r9"), None, None, {"proof"}, id="runs another one"),
        pytest.param(dataclasses.replace(PROVED, revision="r9"), "r0", 2, set(), id="another one, proved"),
        pytest.param(
            dataclasses.replace(WEIGHTED, revision="r9", desired=2),
            None,
            2,
            set(),
            id="another one, weighted",
        ),
    ],
)
def test_the_standby_is_kept_as_it_is_to_be(
    slot: SlotFacts, revision: str | None, count: int | None, needs: set[str]
) -> None:
    """Fewer tasks, or another revision, only when nothing leads to it."""
    work = at(slot, motion=Motion(live=LIVE, standby=WARM))
    assert of("b", work) == SlotOrder(slot="b", revision=revision, count=count, reason="standby")
    assert work.needs == needs


@pytest.mark.parametrize(
    ("slot", "rejected", "order"),
    [
        pytest.param(FULL, None, (None, "left as it is"), id="its rules were not read"),
        pytest.param(WEIGHTED, None, (None, "left as it is"), id="it may be what serves"),
        pytest.param(PROVED, REJECTED, (None, "left as it is"), id="people look at what failed"),
        pytest.param(PROVED, None, (0, "not needed"), id="nothing leads to it"),
    ],
)
def test_while_nothing_is_live_a_slot_is_left(
    slot: SlotFacts, rejected: RejectedRevision | None, order: tuple[int | None, str]
) -> None:
    """Unless it is proved that nobody is served by it, and nobody has to look at it."""
    work = at(slot, motion=Motion(rejected=rejected))
    assert of("b", work) == SlotOrder(slot="b", revision=None, count=order[0], reason=order[1])
    assert work.needs == set()


# -- in motion --------------------------------------------------------------------------------------------

FORWARD = {
    "ScalingUp",
    "PostScaleUp",
    "PreTraffic",
    "Stepping",
    "PostTraffic",
    "Baking",
    "PostBake",
    "Draining",
}
CANDIDATE = dataclasses.replace(FULL, revision="r2")


@pytest.mark.parametrize("stage", sorted(set(get_args(Stage)) - {"Starting", "PreScaleUp"}))
def test_both_slots_in_motion(stage: Stage) -> None:
    """The source is whole until the end; the candidate's tasks go only after the drain."""
    work = at(CANDIDATE, rollout={"stage": stage, "weight": 1000, "proven": 1000, "live_floor": 4})
    source = SlotOrder(
        slot="a", revision="r1", count=4, reason="live until the drain is over", hold_scale_in=True
    )
    assert of("a", work) == source
    forward = SlotOrder(slot="b", revision="r2", count=4, reason="candidate", hold_scale_in=True)
    back = SlotOrder(
        slot="b",
        revision=None,
        count=None,
        reason="rolled back: its tasks go after the drain and a proof",
        hold_scale_in=True,
    )
    assert of("b", work) == (forward if stage in FORWARD else back)


@pytest.mark.parametrize(
    ("standby", "order"),
    [
        pytest.param(WARM, SlotOrder(slot="b", revision="r0", count=2, reason="standby"), id="its own"),
        pytest.param(
            dataclasses.replace(WARM, slot="a"),
            SlotOrder(
                slot="b",
                revision=None,
                count=None,
                reason="rolled back: its tasks go after the drain and a proof",
                hold_scale_in=True,
            ),
            id="another slot's",
        ),
    ],
)
def test_a_rollout_that_never_took_the_slot_leaves_its_standby(standby: Standby, order: SlotOrder) -> None:
    """It went back from a hook before it scaled anything."""
    work = at(
        dataclasses.replace(FULL, desired=2),
        rollout={"stage": "CleaningUp", "weight": 0, "proven": 0},
        motion=Motion(live=LIVE, standby=standby),
    )
    assert of("b", work) == order


@pytest.mark.parametrize(
    ("slot", "weight", "revision", "count", "needs"),
    [
        pytest.param(CANDIDATE, 250, "r2", 4, set(), id="it runs it"),
        pytest.param(PROVED, 0, "r2", 2, set(), id="it may be changed"),
        pytest.param(FULL, 0, None, None, {"proof"}, id="it may not yet"),
        pytest.param(
            dataclasses.replace(FULL, desired=3), 250, None, 3, {"proof"}, id="it has weight: not smaller"
        ),
        pytest.param(
            dataclasses.replace(FULL, desired=1), 250, None, 2, {"proof"}, id="it has weight: larger"
        ),
    ],
)
def test_the_candidates_slot_is_never_swapped_under_weight(
    slot: SlotFacts, weight: int, revision: str | None, count: int | None, needs: set[str]
) -> None:
    """Its revision changes only while nothing leads to it."""
    work = at(slot, rollout={"weight": weight, "proven": weight, "live_floor": 4, "step": 1 if weight else 0})
    if weight:  # the next weight is a quarter, too
        strategy = work.situation.strategy
        steps = (strategy.steps[0], strategy.steps[0], strategy.steps[1])
        work.situation = dataclasses.replace(
            work.situation, strategy=dataclasses.replace(strategy, steps=steps)
        )
    waits = revision is None and not weight
    assert of("b", work) == SlotOrder(
        slot="b",
        revision=revision,
        count=count,
        reason="waits for the proof" if waits else "candidate",
        hold_scale_in=not waits,
    )
    assert work.needs == needs


@pytest.mark.parametrize("known", [LIVE, None])
def test_a_first_rollout_has_no_source(known: LiveRevision | None) -> None:
    """The other slot is idle, also once the first revision is live in its own."""
    live = dataclasses.replace(known, slot="b", revision="r2") if known else None
    work = at(
        CANDIDATE,
        SlotFacts(name="a", carries_weight=False),
        rollout={"kind": "First", "source": ""},
        motion=Motion(live=live),
    )
    assert of("a", work) == SlotOrder(slot="a", revision=None, count=0, reason="not needed")
    assert of("b", work).reason == "candidate"


@pytest.mark.parametrize(
    ("carries", "count", "needs"),
    [
        pytest.param(None, None, {"proof"}, id="the rules were not read"),
        pytest.param(True, None, set(), id="a rule of a route that waits sends to it"),
        pytest.param(False, 3, set(), id="nobody does"),
    ],
)
def test_where_weights_are_shares_of_tasks_the_source_gives_them_with_proof(
    *, carries: bool | None, count: int | None, needs: set[str]
) -> None:
    """No route names the Deployment, but one that was misspelt has rules that stay until it is mended."""
    source = dataclasses.replace(FULL, name="a", revision="r1", carries_weight=carries)
    work = at(dataclasses.replace(FULL, revision="r2"), source, rollout={"shares": True})
    assert of("a", work).count == count
    assert work.needs == needs
