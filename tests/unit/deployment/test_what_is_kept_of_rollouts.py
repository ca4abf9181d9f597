"""What history tells of rollouts that are over, and which revisions and definitions are old enough to go."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.model.conditions import timestamp
from sluice.plan.deployment import history
from sluice.plan.deployment.state import Live, Rejected, Rollout, Slot, State
from unit.deployment.test_rollouts_begin_and_end_exactly import ROLLOUT
from unit.deployment.wishes import NOW


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.9, 0), (61.5, 61), (-5, 0)], ids=["less", "more", "a clock set back"]
)
def test_a_duration_is_whole_seconds(seconds: float, told: int) -> None:
    """Cut off, and never negative."""
    found = history.entry(ROLLOUT, outcome="Aborted", now=ROLLOUT.started_at + seconds)
    assert found["durationSeconds"] == told
    assert set(found) == {"id", "revision", "outcome", "startedAt", "durationSeconds"}


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        pytest.param(({"startedAt": timestamp(NOW), "durationSeconds": 60}, {}), NOW + 62, id="rounded up"),
        pytest.param(({"startedAt": timestamp(NOW)}, {}, {}), NOW + 2, id="a duration that is not told"),
        pytest.param(({"startedAt": timestamp(NOW), "durationSeconds": 60},), 0, id="the very first"),
        pytest.param((), 0, id="none"),
    ],
)
def test_when_the_newest_rollout_ended(entries: Any, expected: float) -> None:
    """Start and duration are cut off to seconds: it was over two seconds later at the latest."""
    assert history.ended(State(history=entries)) == expected


def test_what_may_still_be_needed_is_protected() -> None:
    """Each place of status that names a revision, and none of the rest of history."""
    state = State(
        live=Live(revision="live", task_definition="", since=NOW),
        slot=Slot(revision="running"),
        others=(Slot(name="b", revision="other"),),
        rollout=Rollout(id="r", candidate="candidate", source="source", started_at=NOW),
        progressive={
            "standby": {"revision": "standby"},
            "rollout": {"candidate": "next", "source": "before"},
        },
        rejected=Rejected(revision="rejected", reason="", fallback="fallback"),
        history=(
            {"revision": "bad", "outcome": "Failed"},
            {"revision": "live", "outcome": "Succeeded"},
            {"revision": "previous", "outcome": "Succeeded"},
            {"revision": "ancient", "outcome": "Succeeded"},
        ),
    )
    assert history.protected(state, "spec", "effective") == {
        *("spec", "effective", "live", "running", "other", "candidate", "source", "standby"),
        *("next", "before", "rejected", "fallback", "previous"),
    }
    assert history.protected(State()) == set()


KEPT = ("one", "two", "three", "now")


@pytest.mark.parametrize(
    ("limit", "needed", "expected"),
    [
        pytest.param(0, (), ("one", "two", "three"), id="no history"),
        pytest.param(1, (), ("one", "two"), id="one old one stays"),
        pytest.param(2, (), ("one",), id="two stay"),
        pytest.param(3, (), (), id="all stay"),
        pytest.param(9, (), (), id="fewer than may stay"),
        pytest.param(1, ("one",), ("two",), id="what is needed stays beyond the limit"),
    ],
)
def test_old_revisions_go_from_the_oldest(
    limit: int, needed: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    """As revisionHistoryLimit counts in apps/v1: the present one beside it."""
    found = history.surplus_revisions(KEPT, current="now", needed=frozenset(needed), limit=limit)
    assert found == expected


@pytest.mark.parametrize(
    ("limit", "needed", "expected"),
    [
        pytest.param(0, ("h3",), ("a1", "a2"), id="by hash"),
        pytest.param(0, ("a1",), ("a2", "a3"), id="by ARN"),
        pytest.param(1, ("h3",), ("a1",), id="one stays"),
        pytest.param(2, ("h3",), (), id="all stay"),
        pytest.param(9, (), (), id="fewer than may stay"),
    ],
)
def test_old_definitions_go_from_the_oldest(
    limit: int, needed: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    """What runs is not among those that are counted."""
    entries = (("h1", "a1"), ("h2", "a2"), ("h3", "a3"))
    assert history.surplus_definitions(entries, needed=frozenset(needed), limit=limit) == expected
