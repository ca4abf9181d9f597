"""How far a member has come, counted in steps, against members with more or fewer of them."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.model.situation import GroupFacts, MemberFacts
from sluice.rollout import group
from sluice.rollout.work import Work
from unit.rollout.moment import NOW, analysed, moment

STEPS = 2
"""Of `moment`'s strategy."""


def beside(*members: MemberFacts, **rollout: Any) -> Work:
    """Return a moment in a release group with these other members."""
    strategy = analysed(release_group="shop", group_timeout=100.0)
    return moment(strategy=strategy, group=GroupFacts(name="shop", members=members), rollout=rollout)


def member(arrived: int, *, steps: int = 0, **facts: Any) -> MemberFacts:
    """Return a member that changes, too."""
    return MemberFacts(
        **{"name": "ledger", "changing": True, "arrived": arrived, "strategy_steps": steps} | facts
    )


@pytest.mark.parametrize(
    ("arrived", "steps", "together"),
    [
        pytest.param(STEPS, 0, False, id="has its steps"),
        pytest.param(STEPS + 1, 0, True, id="baked"),
        pytest.param(5, 5, False, id="more steps, all done"),
        pytest.param(6, 5, True, id="more steps, baked"),
        pytest.param(1, 1, False, id="fewer steps, all done"),
        pytest.param(2, 1, True, id="fewer steps, baked"),
    ],
)
def test_the_last_barrier_is_the_end_of_everybodys_bake(arrived: int, steps: int, together: bool) -> None:  # noqa: FBT001
    """One more than its own steps, whatever their number."""
    work = beside(member(arrived, steps=steps), stage="PostBake")
    assert group.baked_together(work) is together


@pytest.mark.parametrize(
    ("mine", "arrived", "steps", "together"),
    [
        pytest.param(1, 0, 0, False, id="one behind"),
        pytest.param(1, 1, 0, True, id="as far"),
        pytest.param(1, -1, 0, False, id="not ready"),
        pytest.param(2, 1, 1, True, id="through with fewer steps"),
        pytest.param(2, 2, 5, True, id="as far, with more steps to come"),
        pytest.param(2, 1, 5, False, id="one behind, with more steps"),
    ],
)
def test_nobody_is_a_step_ahead(mine: int, arrived: int, steps: int, together: bool) -> None:  # noqa: FBT001
    """A member with fewer steps has come as far as any when it is through with its own."""
    work = beside(member(arrived, steps=steps), step=mine)
    assert group.arrived_together(work) is together


@pytest.mark.parametrize("facts", [{"changing": False}, {"finished": True}])
def test_who_does_not_change_any_more_is_not_waited_for(facts: dict[str, Any]) -> None:
    """Nobody could tell when it would come."""
    assert group.arrived_together(beside(member(-1, **facts), step=1))


@pytest.mark.parametrize(("waited", "stalled"), [(99, False), (100, True)])
def test_the_timeout_of_a_barrier_is_over_to_the_second(waited: float, stalled: bool) -> None:  # noqa: FBT001
    """It holds what it has and says who did not come, and why."""
    work = beside(member(0, trouble="ImagePullFailed"), step=1, barrier_since=NOW - waited)
    assert not group.arrived_together(work)
    assert work.waits is not None
    assert work.waits.reason == ("ProgressDeadlineExceeded" if stalled else "WaitingForGate")
    assert "ledger (ImagePullFailed)" in work.waits.message
    assert work.wakes == ([] if stalled else [NOW - waited + 100])
    assert [(gate.name, gate.state, gate.message) for gate in work.gates] == [
        ("release group shop", "Waiting", "ledger (ImagePullFailed)")
    ]


def test_a_barrier_counts_from_its_own_beginning() -> None:
    """The first wait notes when, the way that is free forgets it."""
    work = beside(member(0), step=1)
    group.arrived_together(work)
    assert work.rollout.barrier_since == NOW
    free = beside(member(1), step=1, barrier_since=NOW - 50)
    assert group.arrived_together(free)
    assert free.rollout.barrier_since is None


@pytest.mark.parametrize("name", ["", "shop"])
def test_without_a_group_nobody_is_waited_for_and_nobody_failed(name: str) -> None:
    """Neither where the strategy names none, nor where nothing is known of its members yet."""
    members = GroupFacts(name="shop", members=(member(-1, failed=True),))
    work = moment(strategy=analysed(release_group=name), group=None if name else members)
    assert group.arrived_together(work)
    assert group.baked_together(work)
    assert group.failed_member(work) == ""


def test_five_late_members_are_named() -> None:
    """A release of hundreds fits into a condition."""
    work = beside(*(member(0, name=f"member-{number}") for number in range(7)), step=1)
    assert not group.arrived_together(work)
    assert work.waits is not None
    assert work.waits.message.endswith("member-0, member-1, member-2, member-3, member-4")
