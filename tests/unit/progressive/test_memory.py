"""What the machine remembers survives the status, member by member."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.model.rollout import (
    Gate,
    HookRun,
    LiveRevision,
    MetricRun,
    Motion,
    RejectedRevision,
    Rollout,
    Standby,
)
from sluice.plan.deployment.state import State
from sluice.plan.progressive.memory import motion_of, read_rollout, with_motion, write_rollout

_TEXT = st.text(max_size=8)
_TIME = st.floats(min_value=0, max_value=2e9, allow_nan=False)
_ROLLOUTS = st.builds(
    Rollout,
    id=_TEXT,
    kind=st.sampled_from(["First", "Rollout", "Undo"]),
    candidate=_TEXT,
    source=_TEXT,
    slot=st.sampled_from(["a", "b"]),
    started_at=_TIME,
    step=st.integers(0, 9),
    step_since=st.none() | _TIME,
    weight=st.integers(0, 1000),
    proven=st.integers(0, 1000),
    header=st.none() | st.tuples(_TEXT, _TEXT),
    paused=st.booleans(),
    full=st.booleans(),
    verify_after=_TIME,
    evidence=st.lists(_TEXT, max_size=3).map(tuple),
    hooks=st.lists(st.builds(HookRun, id=_TEXT, attempt=st.integers(0, 3), started_at=_TIME), max_size=2).map(
        tuple
    ),
    metrics=st.lists(
        st.builds(MetricRun, id=_TEXT, since=_TIME, last=st.none() | _TIME, failed=st.integers(0, 5)),
        max_size=2,
    ).map(tuple),
    gates=st.lists(
        st.builds(Gate, name=_TEXT, state=st.sampled_from(["Waiting", "Passed"]), since=_TIME), max_size=2
    ).map(tuple),
    strategy=st.dictionaries(_TEXT, st.integers(), max_size=2),
)


@given(rollout=_ROLLOUTS)
def test_a_rollout_is_read_back_as_it_was_written(rollout: Rollout) -> None:
    """Through JSON, as the API server keeps it; what people read beside it is never needed."""
    entry = json.loads(json.dumps(write_rollout(rollout, steps=("setWeight 5",), wake_at=1.0)))
    assert read_rollout(entry) == rollout
    assert read_rollout({"memory": entry["memory"]}) == rollout


MOTIONS: dict[str, Motion] = {
    "nothing": Motion(),
    "live": Motion(live=LiveRevision(slot="b", revision="web-1", since=5.0)),
    "everything": Motion(
        live=LiveRevision(slot="a", revision="web-1", since=5.0),
        standby=Standby(slot="b", revision="web-0", until=99.5, count=3),
        rollout=Rollout(id="r", kind="Rollout", candidate="web-2", slot="b", started_at=1.5),
        rejected=RejectedRevision(revision="web-9", reason="RolledBack", message="why", fallback="web-1"),
    ),
}


@pytest.mark.parametrize("motion", MOTIONS.values(), ids=MOTIONS)
def test_a_motion_survives_the_status(motion: Motion) -> None:
    """What the next pass reads from the status is what this pass decided."""
    status: dict[str, Any] = json.loads(json.dumps(with_motion(State(), motion, wake_at=None).write()))
    assert motion_of(State.read(status)) == motion


def test_people_read_times_and_steps_beside_the_memory() -> None:
    """Kubectl shows RFC 3339 times, the expanded steps and both weights."""
    rollout = Rollout(
        id="r",
        kind="Rollout",
        candidate="web-2",
        slot="b",
        started_at=0.0,
        step=1,
        step_since=60.0,
        weight=50,
    )
    entry = write_rollout(rollout, steps=("setWeight 5", "pause 10m"), wake_at=660.0)
    assert (entry["startedAt"], entry["stepStartedAt"], entry["wakeAt"]) == (
        "1970-01-01T00:00:00Z",
        "1970-01-01T00:01:00Z",
        "1970-01-01T00:11:00Z",
    )
    assert (entry["steps"], entry["stepIndex"], entry["weight"], entry["provenWeight"]) == (
        ["setWeight 5", "pause 10m"],
        1,
        50,
        0,
    )
