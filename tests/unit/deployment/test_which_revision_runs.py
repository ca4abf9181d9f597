"""Which revision should run: what a rollback, an undo, a failure or a pause keep, and what is told of it."""

from __future__ import annotations

import dataclasses

import pytest

from sluice.model.desired import Hold
from sluice.plan.deployment.state import Rejected, Rollout, Slot, State
from sluice.plan.deployment.target import Choice, choose
from unit.deployment.wishes import NOW

NEW, OLD = "web-new", "web-old"
RUNS_OLD = State(slot=Slot(revision=OLD))
RUNS_NEW = State(slot=Slot(revision=NEW))
BACK = Rejected(revision=NEW, reason="RolledBack", fallback=OLD, message="ECS rolled web-new back")
CURE = "fix the spec, or annotate sluice.dev/retry to try web-new again"
WAITS = Hold(reason="Paused", message="revision web-new waits until the pause ends")


def moving(candidate: str, *, paused: bool) -> State:
    """Return a rollout while the old revision is what the service has."""
    rollout = Rollout(id="r", candidate=candidate, started_at=NOW, paused=paused)
    return dataclasses.replace(RUNS_OLD, rollout=rollout)


@pytest.mark.parametrize(
    ("state", "paused", "choice"),
    [
        pytest.param(State(), False, Choice(revision=NEW), id="new"),
        pytest.param(RUNS_OLD, False, Choice(revision=NEW), id="another one runs"),
        pytest.param(RUNS_NEW, False, Choice(revision=NEW), id="it runs"),
        pytest.param(
            dataclasses.replace(RUNS_NEW, rejected=BACK),
            False,
            Choice(revision=OLD, hold=Hold(reason="RolledBack", message=f"{BACK.message}; {CURE}")),
            id="rolled back",
        ),
        pytest.param(
            dataclasses.replace(RUNS_NEW, rejected=BACK),
            True,
            Choice(
                revision=OLD, paused=True, hold=Hold(reason="RolledBack", message=f"{BACK.message}; {CURE}")
            ),
            id="rolled back and paused",
        ),
        pytest.param(
            dataclasses.replace(RUNS_OLD, rejected=dataclasses.replace(BACK, revision="web-other")),
            False,
            Choice(revision=NEW),
            id="another one was rolled back",
        ),
        pytest.param(
            State(rejected=Rejected(revision=NEW, reason="FirstRolloutFailed", message="it failed")),
            False,
            Choice(revision=NEW, hold=Hold(reason="FirstRolloutFailed", message=f"it failed; {CURE}")),
            id="the first one failed: nothing to go back to",
        ),
        pytest.param(
            State(rejected=Rejected(revision=NEW, reason="", fallback=OLD)),
            False,
            Choice(
                revision=OLD, hold=Hold(reason="RolledBack", message=f"revision web-new is rejected; {CURE}")
            ),
            id="rejected without a word",
        ),
        pytest.param(State(), True, Choice(revision=NEW, hold=WAITS, paused=True), id="paused, nothing runs"),
        pytest.param(
            RUNS_OLD, True, Choice(revision=OLD, hold=WAITS, paused=True), id="paused, another runs"
        ),
        pytest.param(RUNS_NEW, True, Choice(revision=NEW, paused=True), id="paused, it runs"),
        pytest.param(
            moving(NEW, paused=True),
            False,
            Choice(revision=OLD, hold=WAITS, paused=True),
            id="paused by the verb",
        ),
        pytest.param(moving(NEW, paused=False), False, Choice(revision=NEW), id="moving"),
        pytest.param(
            moving("web-other", paused=True),
            False,
            Choice(revision=NEW),
            id="a paused rollout of another one",
        ),
    ],
)
def test_the_table(state: State, paused: bool, choice: Choice) -> None:  # noqa: FBT001 - a table's column
    """The module's rows; a text says what is waited for and what cures it."""
    assert choose(state, wanted=NEW, paused=paused) == choice
