"""A person's intents: parsed by one shape, handled once, ignored aloud when they are out of date."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.plan.deployment import verbs
from sluice.plan.deployment.state import Live, Rejected, Rollout, Slot, State
from unit.deployment.wishes import NOW

ROLLOUT = Rollout(id="r1", candidate="web-new", source="web-old", started_at=NOW, deadline_at=NOW + 60)
MOVING = State(
    observed_generation=1,
    live=Live(revision="web-old", task_definition="arn:1", since=NOW),
    slot=Slot(revision="web-new", deployment_id="ecs-svc/1"),
    rollout=ROLLOUT,
)
RESTING = dataclasses.replace(
    MOVING,
    rollout=None,
    live=Live(revision="web-new", task_definition="arn:2", since=NOW),
    history=(
        {"id": "r1", "revision": "web-new", "outcome": "Succeeded"},
        {"id": "r0", "revision": "web-old", "outcome": "Succeeded"},
    ),
)
REJECTED = dataclasses.replace(
    RESTING, rejected=Rejected(revision="web-new", reason="RolledBack", fallback="web-old")
)
FIRST_FAILED = dataclasses.replace(
    RESTING, live=None, rejected=Rejected(revision="web-new", reason="FirstRolloutFailed")
)


def handle(state: State, **annotations: str) -> verbs.Handled:
    """Handle annotations (underscores for dashes) on a Deployment that wants `web-new`."""
    named = {f"sluice.dev/{name.replace('_', '-')}": value for name, value in annotations.items()}
    return verbs.apply(
        state,
        verbs.unhandled(named, state.intents),
        wanted="web-new",
        known=frozenset({"web-old", "web-new"}),
        deadline=600,
        now=NOW,
    )


@pytest.mark.parametrize(
    ("value", "rollout_id", "argument"),
    [
        pytest.param("r1", "r1", "", id="id"),
        pytest.param("r1/3", "r1", "3", id="step"),
        pytest.param("r1/web-old", "r1", "web-old", id="revision"),
        pytest.param(" r1 / 2 ", "r1", "2", id="spaces"),
        pytest.param("", "", "", id="empty"),
        pytest.param("r1/2#2", "r1", "2", id="said-again"),
        pytest.param("r1#3", "r1", "", id="said-again-without-argument"),
    ],
)
def test_one_shape(value: str, rollout_id: str, argument: str) -> None:
    """Every verb's value is `<rollout id>[/<step or revision>]`."""
    (intent,) = verbs.unhandled({"sluice.dev/undo": value}, {})
    assert (intent.rollout_id, intent.argument) == (rollout_id, argument)


def test_a_handled_value_is_not_handled_again() -> None:
    """What status.intents records is old; another value of the same verb is new."""
    assert verbs.unhandled({"sluice.dev/abort": "r1"}, {"abort": "r1"}) == ()
    assert [found.value for found in verbs.unhandled({"sluice.dev/abort": "r2"}, {"abort": "r1"})] == ["r2"]


def test_other_annotations_are_no_verbs() -> None:
    """Only the known verbs under our own prefix count."""
    assert verbs.unhandled({"abort": "r1", "sluice.dev/dance": "r1", "other.dev/abort": "r1"}, {}) == ()


def test_abort_beats_promote_full() -> None:
    """Two verbs at once are handled most careful first."""
    found = verbs.unhandled({"sluice.dev/promote-full": "r1", "sluice.dev/abort": "r1"}, {})
    assert [intent.verb for intent in found] == ["abort", "promote-full"]


@pytest.mark.parametrize(
    ("state", "annotations", "text"),
    [
        pytest.param(MOVING, {"abort": "r0"}, "is not current; use r1", id="stale-id"),
        pytest.param(RESTING, {"abort": "r1"}, "nothing is in motion", id="abort-at-rest"),
        pytest.param(
            dataclasses.replace(MOVING, rollout=dataclasses.replace(ROLLOUT, source="")),
            {"abort": "r1"},
            "no earlier revision",
            id="abort-first",
        ),
        pytest.param(RESTING, {"undo": "r1/web-gone"}, "known: web-new, web-old", id="undo-unknown"),
        pytest.param(RESTING, {"undo": "r1/web-new"}, "is what the spec asks for", id="undo-to-present"),
        pytest.param(RESTING, {"retry": "r1"}, "is not rejected", id="retry-nothing"),
        pytest.param(RESTING, {"pause": "r1"}, "set spec.paused", id="pause-at-rest"),
        pytest.param(MOVING, {"resume": "r1"}, "not paused already", id="resume-running"),
        pytest.param(MOVING, {"promote": "r1"}, "no steps to promote", id="promote-rolling"),
        pytest.param(MOVING, {"restart": "r1"}, "restartedAt", id="restart-annotation"),
    ],
)
def test_ignored_with_an_event(state: State, annotations: dict[str, str], text: str) -> None:
    """A verb without effect changes nothing but its record, and the event says why."""
    handled = handle(state, **annotations)
    (note,) = handled.notes
    assert (note.type, note.reason) == ("Warning", "VerbIgnored")
    assert text in note.message
    assert dataclasses.replace(handled.state, intents={}) == state
    assert handled.state.intents == annotations


def test_abort_goes_back_to_the_source() -> None:
    """Abort rejects the candidate, ends the rollout, and the source is what runs instead."""
    state = handle(MOVING, abort="r1").state
    assert state.rollout is None
    assert state.rejected is not None
    assert (state.rejected.revision, state.rejected.fallback) == ("web-new", "web-old")
    assert state.history[0]["outcome"] == "Aborted"


@pytest.mark.parametrize("value", ["r1", "r1/web-old"])
def test_undo_runs_an_earlier_revision(value: str) -> None:
    """Undo rejects what the spec asks for in favour of the named or the previous revision."""
    state = handle(RESTING, undo=value).state
    assert state.rejected is not None
    assert (state.rejected.revision, state.rejected.fallback) == ("web-new", "web-old")


def test_retry_forgets_the_rejection() -> None:
    """After retry the spec's revision is tried again as if it were new."""
    state = handle(REJECTED, retry="r1").state
    assert state.rejected is None
    assert state.rollout is None


def test_retry_of_a_failed_first_rollout_forces_a_deployment() -> None:
    """Nothing else runs that it could differ from, so the present ECS deployment is to be replaced."""
    state = handle(FIRST_FAILED, retry="r1").state
    assert state.rollout is not None
    assert (state.rollout.candidate, state.rollout.supersedes) == ("web-new", "ecs-svc/1")


def test_pause_stops_the_deadline_and_resume_starts_it_anew() -> None:
    """The deadline's clock does not run while paused."""
    paused = handle(MOVING, pause="r1").state
    assert paused.rollout is not None
    assert (paused.rollout.paused, paused.rollout.deadline_at) == (True, None)
    resumed = handle(paused, resume="r1").state
    assert resumed.rollout is not None
    assert (resumed.rollout.paused, resumed.rollout.deadline_at) == (False, NOW + 600)


@pytest.mark.parametrize("state", [MOVING, RESTING, State()], ids=["moving", "resting", "empty"])
def test_reconcile_now_looks_at_aws_once(state: Any) -> None:
    """reconcile-now needs no id, is recorded, and asks for fresh reads in this pass only."""
    handled = handle(state, reconcile_now="2026-11-21")
    assert handled.look_now
    assert not handle(handled.state, reconcile_now="2026-11-21").look_now


@pytest.mark.parametrize(
    ("by", "who"),
    [
        pytest.param("abort=r1 alice@example.com", "alice@example.com", id="said with it"),
        pytest.param("abort=r1 system:serviceaccount:ci:bot ", "system:serviceaccount:ci:bot", id="a robot"),
        pytest.param("abort=r0 alice", "", id="of an earlier word"),
        pytest.param("pause=r1 alice", "", id="of another verb"),
        pytest.param("alice", "", id="of no word"),
        pytest.param("", "", id="nobody says"),
        pytest.param(f"abort=r1 {'x' * 500}", "x" * 100, id="bounded"),
    ],
)
def test_who_said_it_stands_beside_the_word(by: str, who: str) -> None:
    """The name counts for the very value that it was written with, and reaches event and history."""
    annotations = {"sluice.dev/abort": "r1", "sluice.dev/by": by}
    (intent,) = verbs.unhandled(annotations, {})
    assert intent.who == who
    handled = handle(MOVING, abort="r1", by=by)
    assert handled.state.history[0]["persons"] == [f"abort: {who}" if who else "abort"]
    assert handled.notes[0].message == ("abort r1" + (f" by {who}" if who else ""))
