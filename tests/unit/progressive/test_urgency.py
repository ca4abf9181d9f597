"""Which passes read with the rollback's priority: those with news that may end a rollout."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.rollout import Motion, Rollout
from sluice.model.situation import GateFacts, HookAnswer, Sample
from sluice.model.strategy import Condition, Metric
from sluice.plan.deployment.state import State
from sluice.plan.progressive.memory import with_motion
from sluice.plan.progressive.urgency import urgent

ERRORS = Metric(name="errors", kind="loadBalancer", query={}, failure=Condition(operator=">", threshold=0.1))
STEPPING = Rollout(
    id="r1", kind="Rollout", candidate="web-2", source="web-1", slot="b", stage="Stepping", shown=True
)
ALARM = GateFacts(alarms={"quiet": "OK", "loud": "ALARM"})
BAD, GOOD = (GateFacts(samples={"r1/errors/3": Sample(at=1.0, value=value)}) for value in (0.5, 0.0))

CASES: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "nothing is new": ({}, {}, False),
    "abort": ({}, {"annotations": {"sluice.dev/abort": "r1"}}, True),
    "promote": ({}, {"annotations": {"sluice.dev/promote": "r1"}}, False),
    "the source's revision is wanted again": ({}, {"wanted": "web-1"}, True),
    "a third revision is wanted": ({}, {"wanted": "web-3"}, False),
    "rolling back": ({"stage": "RollingBack"}, {}, True),
    "cleaning up": ({"stage": "CleaningUp"}, {"gates": ALARM}, False),
    "an undo writes its weights": ({"kind": "Undo"}, {}, True),
    "an undo bakes": ({"kind": "Undo", "stage": "Baking"}, {}, False),
    "an alarm rings": ({}, {"gates": ALARM}, True),
    "an alarm rings before anybody met the candidate": (
        {"stage": "Starting", "shown": False},
        {"gates": ALARM},
        False,
    ),
    "a hook said no": ({}, {"gates": GateFacts(hooks={"h": HookAnswer(state="Failed")})}, True),
    "a hook runs": ({}, {"gates": GateFacts(hooks={"h": HookAnswer(state="Running")})}, False),
    "a sample failed": ({}, {"gates": BAD}, True),
    "a step's sample failed": (
        {},
        {"gates": GateFacts(samples={"r1/step-2/errors/0": Sample(at=1.0, value=0.5)})},
        True,
    ),
    "a sample passed": ({}, {"gates": GOOD}, False),
    "a sample has no data": ({}, {"gates": GateFacts(samples={"r1/errors/3": Sample(at=1.0)})}, False),
    "a dry run failed": (
        {},
        {"gates": BAD, "metrics": {"errors": dataclasses.replace(ERRORS, dry_run=True)}},
        False,
    ),
    "a sample of a metric that is gone": ({}, {"gates": BAD, "metrics": {}}, False),
    "the first rollout": ({"kind": "First"}, {"gates": ALARM}, False),
}


@pytest.mark.parametrize(("rollout", "news", "expected"), CASES.values(), ids=CASES)
def test_news_that_may_end_a_rollout(
    rollout: dict[str, Any], news: dict[str, Any], *, expected: bool
) -> None:
    """Only they may use the reserve: everything else waits its turn."""
    motion = Motion(rollout=dataclasses.replace(STEPPING, **rollout))
    known: dict[str, Any] = {
        "annotations": {},
        "wanted": "web-2",
        "gates": GateFacts(),
        "metrics": {"errors": ERRORS},
    }
    assert urgent(with_motion(State(), motion, wake_at=None), **(known | news)) is expected


def test_a_word_that_was_heard_is_no_news() -> None:
    """The annotation stays on the object for ever."""
    state = with_motion(State(intents={"abort": "r1"}), Motion(rollout=STEPPING), wake_at=None)
    said = {"sluice.dev/abort": "r1"}
    assert not urgent(state, annotations=said, wanted="web-2", gates=GateFacts(), metrics={})


def test_an_undo_at_rest_is_urgent() -> None:
    """The bad revision is live: the word for it hurries although nothing moves."""
    said = {"sluice.dev/undo": "r0"}
    assert urgent(State(), annotations=said, wanted="web-2", gates=GateFacts(), metrics={})
