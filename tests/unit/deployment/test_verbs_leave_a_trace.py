"""What a person's word leaves behind: state, history and Event, in full; and that nothing is done twice."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.plan.deployment import history, verbs
from sluice.plan.deployment.state import Live, Rejected, Rollout, Slot, State
from unit.deployment.wishes import NOW

NEW, OLD = "web-new", "web-old"
ROLLOUT = Rollout(id="r1", candidate=NEW, source=OLD, started_at=NOW, deadline_at=NOW + 60)
MOVING = State(
    live=Live(revision=OLD, task_definition="arn:1", since=NOW),
    slot=Slot(revision=NEW, deployment_id="ecs-svc/1"),
    rollout=ROLLOUT,
)
ENTRIES: tuple[dict[str, Any], ...] = (
    {"id": "r1", "revision": NEW, "outcome": "Succeeded"},
    {"id": "r0", "revision": OLD, "outcome": "Succeeded"},
)
RESTING = dataclasses.replace(
    MOVING, rollout=None, live=Live(revision=NEW, task_definition="arn:2", since=NOW), history=ENTRIES
)
BACK = Rejected(revision=NEW, reason="RolledBack", fallback=OLD)


def handle(state: State, *, known: frozenset[str] = frozenset({OLD, NEW}), **words: str) -> verbs.Handled:
    """Handle words (underscores for dashes) on a Deployment that wants the new revision, at NOW + 10."""
    named = {f"sluice.dev/{name.replace('_', '-')}": value for name, value in words.items()}
    intents = verbs.unhandled(named, state.intents)
    return verbs.apply(state, intents, wanted=NEW, known=known, deadline=600, now=NOW + 10)


def told(handled: verbs.Handled) -> list[str]:
    """Return the texts of the events."""
    return [note.message for note in handled.notes]


def test_without_a_word_nothing_has_to_be_read_anew() -> None:
    """`reconcile-now` alone asks for it."""
    assert not verbs.Handled(state=State()).look_now
    assert not handle(MOVING, pause="r1").look_now


def test_reconcile_now_stands_beside_other_words() -> None:
    """It asks for fresh reads and says nothing; the other word is done all the same."""
    handled = handle(MOVING, abort="r1", reconcile_now="x")
    assert (handled.look_now, handled.state.rollout, told(handled)) == (True, None, ["abort r1"])
    assert handled.state.intents == {"abort": "r1", "reconcile-now": "x"}


@pytest.mark.parametrize(
    ("state", "words", "text"),
    [
        pytest.param(State(), {"abort": ""}, "abort : nothing is in motion", id="nothing ever moved"),
        pytest.param(
            MOVING, {"abort": ""}, "abort : rollout (none) is not current; use r1", id="no id was given"
        ),
        pytest.param(
            RESTING, {"abort": "r0"}, "abort r0: rollout r0 is not current; use r1", id="the last rollout"
        ),
        pytest.param(
            dataclasses.replace(MOVING, rollout=dataclasses.replace(ROLLOUT, source=NEW)),
            {"abort": "r1"},
            "abort r1: there is no earlier revision to go back to",
            id="a restart has nothing to go back to",
        ),
        pytest.param(
            dataclasses.replace(RESTING, history=ENTRIES[:1]),
            {"undo": "r1"},
            "undo r1: there is no earlier revision to go back to",
            id="nothing ran before",
        ),
        pytest.param(
            dataclasses.replace(RESTING, rejected=dataclasses.replace(BACK, revision="web-other")),
            {"retry": "r1"},
            "retry r1: the revision that the spec asks for is not rejected",
            id="another one is rejected",
        ),
        pytest.param(
            dataclasses.replace(MOVING, rollout=dataclasses.replace(ROLLOUT, paused=True)),
            {"pause": "r1"},
            "pause r1: the rollout is paused already",
            id="paused already",
        ),
        pytest.param(
            MOVING, {"resume": "r1"}, "resume r1: the rollout is not paused already", id="not paused"
        ),
    ],
)
def test_a_word_without_effect_says_why(state: State, words: dict[str, str], text: str) -> None:
    """One Event, the state as it was but for the record of the word."""
    handled = handle(state, **words)
    assert told(handled) == [text]
    assert handled.state == dataclasses.replace(state, intents=words)


def test_no_kept_revision_is_told_as_none() -> None:
    """The text lists what can be undone to."""
    (text,) = told(handle(RESTING, known=frozenset(), undo="r1/web-gone"))
    assert text == "undo r1/web-gone: revision web-gone is not kept; known: none"


@pytest.mark.parametrize(
    ("word", "outcome"),
    [pytest.param("abort", "Aborted", id="abort"), pytest.param("undo", "Aborted", id="undo")],
)
def test_what_ends_a_rollout_is_in_the_history(word: str, outcome: str) -> None:
    """Who ended it, when, and that the old revision runs instead; earlier entries stay."""
    handled = handle(
        dataclasses.replace(MOVING, history=ENTRIES[1:]),
        known=frozenset({"web-older", OLD}),
        **{word: "r1/web-older" if word == "undo" else "r1"},
    )
    newest, *others = handled.state.history
    assert newest == history.entry(ROLLOUT, outcome="Aborted", by=word, persons=(word,), now=NOW + 10)
    assert (newest["durationSeconds"], newest["outcome"], others) == (10, outcome, list(ENTRIES[1:]))
    assert handled.state.rollout is None
    assert handled.state.rejected is not None
    assert handled.state.rejected.fallback == ("web-older" if word == "undo" else OLD)


def test_undo_at_rest_ends_nothing() -> None:
    """No rollout was there: the history is what it was."""
    assert handle(RESTING, undo="r1").state.history == ENTRIES


FAILED = Rejected(revision=NEW, reason="FirstRolloutFailed")


@pytest.mark.parametrize(
    ("state", "supersedes"),
    [
        pytest.param(dataclasses.replace(RESTING, rejected=BACK), None, id="another revision runs"),
        pytest.param(dataclasses.replace(RESTING, rejected=FAILED), "ecs-svc/1", id="nothing else runs"),
        pytest.param(dataclasses.replace(RESTING, slot=None, rejected=FAILED), "", id="there is no service"),
    ],
)
def test_retry(state: State, supersedes: str | None) -> None:
    """From another revision the ordinary way leads there; from itself only a forced deployment."""
    after = handle(state, retry="r1").state
    assert after.rejected is None
    assert (after.rollout.supersedes if after.rollout else None) == supersedes


def test_resume_gives_the_whole_deadline_anew() -> None:
    """From now on, as in apps/v1; a pause stops its clock."""
    paused = handle(MOVING, pause="r1").state
    assert paused.rollout == dataclasses.replace(ROLLOUT, paused=True, deadline_at=None)
    resumed = handle(paused, resume="r1").state
    assert resumed.rollout == dataclasses.replace(ROLLOUT, deadline_at=NOW + 610)


def test_the_newest_rollout_is_the_current_one() -> None:
    """A verb at rest must name what a person sees as the last rollout."""
    assert verbs.current_id(MOVING) == "r1"
    assert verbs.current_id(RESTING) == "r1"
    assert verbs.current_id(State()) == ""


def test_person_names_who_says_so() -> None:
    """The history's word."""
    assert (verbs.person("abort", "alice"), verbs.person("abort", "")) == ("abort: alice", "abort")
