"""What stands in status of a rollout for people, and what the machine reads back where something changed."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.rollout import Gate, LiveRevision, Motion, Rollout, Standby
from sluice.plan.deployment.state import Live, Slot, State
from sluice.plan.progressive.memory import dump, motion_of, with_motion, write_rollout

ROLLOUT = Rollout(id="r", kind="Rollout", candidate="web-2", slot="b")
A, B = (
    Slot(name=name, revision=f"web-{number}", task_definition=f"definition-{number}")
    for number, name in enumerate("ab", 1)
)
LIVE = Live(slot="b", revision="web-0", task_definition="known", since=5.0)
SERVING: dict[str, tuple[State, str]] = {
    # what the live slot b was given counts at rest, what status calls live while a rollout is under way
    "at rest": (State(live=LIVE, slot=A, others=(B,)), "web-2"),
    "at rest, nothing is known of the slot": (State(live=LIVE, slot=A), "web-0"),
    "at rest, the slot was given nothing completely": (
        State(live=LIVE, slot=A, others=(dataclasses.replace(B, revision=""),)),
        "web-0",
    ),
    "in a rollout": (
        State(
            live=LIVE,
            slot=A,
            others=(B,),
            progressive={"rollout": write_rollout(ROLLOUT, wake_at=None)},
        ),
        "web-0",
    ),
}


@pytest.mark.parametrize(("state", "revision"), SERVING.values(), ids=SERVING)
def test_which_revision_serves(state: State, revision: str) -> None:
    """A rolling deployment may have begun just before the strategy became Progressive."""
    assert motion_of(state).live == LiveRevision(slot="b", revision=revision, since=5.0)


def test_the_live_definition_is_that_of_the_live_slot() -> None:
    """As long as the slot is known; else the one that was known before stays."""
    motion = Motion(live=LiveRevision(slot="b", revision="web-2", since=7.0))
    told = Live(slot="b", revision="web-2", task_definition="definition-2", since=7.0)
    assert with_motion(State(slot=A, others=(B,), live=LIVE), motion, wake_at=None).live == told
    assert with_motion(State(slot=A, live=LIVE), motion, wake_at=None).live == dataclasses.replace(
        told, task_definition="known"
    )
    assert with_motion(State(slot=A), motion, wake_at=None).live == dataclasses.replace(
        told, task_definition=""
    )
    assert with_motion(State(slot=A, live=LIVE), Motion(), wake_at=None).live is None


@pytest.mark.parametrize(("count", "kept"), [(0, {}), (1, {"count": 1})])
def test_a_standby_is_remembered_with_its_count(count: int, kept: dict[str, int]) -> None:
    """A count of 0 is absent in status, as Kubernetes writes it."""
    standby = Standby(slot="b", revision="web-0", until=9.5, count=count)
    state = with_motion(State(), Motion(standby=standby), wake_at=None)
    assert state.progressive == {"standby": {"slot": "b", "revision": "web-0", "until": 9.5} | kept}
    assert motion_of(state).standby == standby


STEPS = ("setWeight 5", "pause 10m", "setWeight 100")
SHOWN: dict[str, tuple[dict[str, Any], tuple[str, ...], dict[str, Any]]] = {
    "the first step": ({"step": 0, "weight": 50}, STEPS, {"step": "1/3", "share": "5%"}),
    "the last step": ({"step": 2, "weight": 1000}, STEPS, {"step": "3/3", "share": "100%"}),
    "after the last step": ({"step": 3, "weight": 1000}, STEPS, {"step": "3/3", "share": "100%"}),
    "a part of a percent": ({"weight": 5}, STEPS, {"step": "1/3", "share": "0.5%"}),
    "no steps": ({"weight": 0}, (), {"step": None, "share": "0%"}),
    "gates": (
        {
            "gates": (
                Gate(name="bake", state="Passed", since=0.0),
                Gate(name="alarms", state="Failed", since=60.0, message="high: ALARM"),
            )
        },
        (),
        {
            "gates": [
                {"name": "bake", "state": "Passed", "since": "1970-01-01T00:00:00Z"},
                {
                    "name": "alarms",
                    "state": "Failed",
                    "since": "1970-01-01T00:01:00Z",
                    "message": "high: ALARM",
                },
            ]
        },
    ),
    "the way back": (
        {"decided_at": 100.0, "verified_at": 100.12345, "discovered_at": 111.0},
        (),
        {
            "rollback": {
                "decidedAt": "1970-01-01T00:01:40Z",
                "rulesSeconds": 0.123,
                "discoverySeconds": 11.0,
            }
        },
    ),
}


@pytest.mark.parametrize(("rollout", "steps", "shown"), SHOWN.values(), ids=SHOWN)
def test_what_people_read_of_a_rollout(
    rollout: dict[str, Any], steps: tuple[str, ...], shown: dict[str, Any]
) -> None:
    """Steps are counted from one and never beyond their number; weights are percent."""
    entry = write_rollout(dataclasses.replace(ROLLOUT, **rollout), steps=steps, wake_at=None)
    assert {name: entry.get(name) for name in shown} == shown


def test_what_is_as_it_begins_is_not_kept() -> None:
    """Status is small: only what differs from a new rollout is in its memory."""
    assert dump(ROLLOUT) == {"id": "r", "kind": "Rollout", "candidate": "web-2", "slot": "b"}
