"""A person's verbs: what each does in each state, and why it does nothing elsewhere."""

from __future__ import annotations

import dataclasses

import pytest

from sluice.model.situation import Person
from sluice.model.strategy import Analyse, Analysis, Hook, Metric, Pause, Progressive, RunHook, SetWeight
from sluice.rollout.machine import decide
from unit.rollout.world import CANARY, World, live

HELD = Progressive(
    steps=(SetWeight(permille=250), Pause(), SetWeight(permille=500), Pause(), SetWeight(permille=1000)),
    bake=600,
    snapshot={"x": 1},
)


def at(stage: str) -> World:
    """Return a world in a stage of the rollout to r2; '' is at rest after it, 'back' on its way back."""
    world = live(strategy=HELD)
    if stage == "rest":
        return world
    world.wanted = "r2"
    world.until("Stepping")
    world.run(10)
    if stage == "back":
        world.person = Person(abort=True)
        world.decide()
    if stage in ("Baking", "Draining", "done"):
        world.person = Person(promote_full=True)
        world.run(40)
        assert world.motion.rollout is not None
        assert world.motion.rollout.stage == "Baking"
    if stage in ("Draining", "done"):
        world.person = Person(promote_full=True)
        world.until("Draining" if stage == "Draining" else "")
    world.notes.clear()
    return world


@pytest.mark.parametrize(
    ("stage", "person", "told"),
    [
        ("Stepping", Person(promote=True), "VerbHandled"),
        ("Baking", Person(promote=True), "VerbIgnored"),
        ("rest", Person(promote=True), "VerbIgnored"),
        ("back", Person(promote=True), "VerbIgnored"),
        ("Stepping", Person(promote_full=True), "VerbHandled"),
        ("Baking", Person(promote_full=True), "VerbHandled"),
        ("Draining", Person(promote_full=True), "VerbIgnored"),
        ("rest", Person(promote_full=True), "VerbIgnored"),
        ("Stepping", Person(abort=True), "VerbHandled"),
        ("Draining", Person(abort=True), "VerbHandled"),
        ("back", Person(abort=True), "VerbIgnored"),
        ("rest", Person(abort=True), "VerbIgnored"),
        ("done", Person(abort=True), "VerbHandled"),
        ("Stepping", Person(undo=""), "VerbHandled"),
        ("Stepping", Person(undo="r1"), "VerbHandled"),
        ("Stepping", Person(undo="r3"), "VerbIgnored"),
        ("done", Person(undo="r2"), "VerbIgnored"),
        ("done", Person(undo="r9"), "VerbIgnored"),
        ("done", Person(undo="r3"), "VerbHandled"),
        ("rest", Person(undo=""), "VerbIgnored"),
        ("Stepping", Person(pause=True), "VerbHandled"),
        ("rest", Person(pause=True), "VerbIgnored"),
        ("back", Person(pause=True), "VerbIgnored"),
        ("Stepping", Person(resume=True), "VerbIgnored"),
        ("rest", Person(retry=True), "VerbIgnored"),
        ("Stepping", Person(retry=True), "VerbIgnored"),
    ],
)
def test_each_verb_is_told(stage: str, person: Person, told: str) -> None:
    """Done or ignored, there is an Event; an ignored verb changes nothing."""
    world = at(stage)
    before = world.motion
    found = decide(world.situation(frozenset({"health", "proof"}), person=person), before, now=world.now)
    assert [note.reason for note in found.notes if note.reason.startswith("Verb")] == [told]
    ignored = next(note for note in found.notes if note.reason == told)
    if told == "VerbIgnored":
        quiet = decide(world.situation(frozenset({"health", "proof"})), before, now=world.now)
        assert (found.motion, found.slots, found.traffic) == (quiet.motion, quiet.slots, quiet.traffic)
        assert ignored.type == "Warning"


def test_promote_ends_the_present_pause_only() -> None:
    """The next pause waits again."""
    world = at("Stepping")
    world.person = Person(promote=True)
    decision = world.run(40)
    assert (decision.reason, world.weights) == ("Paused", {"a": 500, "b": 500})


def test_promote_full_passes_over_steps_but_not_health() -> None:
    """The next weight is everything, once the candidate has all its healthy targets."""
    world = at("Stepping")
    world.person = Person(promote_full=True)
    decision = world.decide()
    assert (dict(decision.traffic.weights), world.slots["b"].desired) == ({"a": 750, "b": 250}, 4)
    world.run(16)
    assert world.weights == {"b": 1000}


def test_promote_full_passes_over_analyses_and_hooks_of_steps() -> None:
    """They belong to the steps; the background analysis goes on."""
    metric = Metric(name="m", kind="web", query={}, interval=5)
    steps = (SetWeight(permille=250), Analyse(seconds=9e9), RunHook(name="h"), SetWeight(permille=1000))
    strategy = Progressive(
        steps=steps,
        hooks=(Hook(name="h", stage="Step", timeout=9e9),),
        analysis=Analysis(metrics=(metric,)),
        snapshot={"x": 1},
    )
    world = live(strategy=strategy, values={"m": 1.0})
    world.wanted = "r2"
    world.until("Stepping")
    world.run(20)
    world.person = Person(promote_full=True)
    world.until("", limit=300)
    assert world.history == [("r2", "Succeeded")]


def test_abort_beats_promote_full() -> None:
    """Both at once: the rollout goes back, and the other verb is told as ignored."""
    world = at("Stepping")
    world.person = Person(abort=True, promote_full=True, promote=True)
    decision = world.decide()
    assert dict(decision.traffic.weights) == {"a": 1000}
    assert world.notes.count("VerbIgnored") == 2


def test_pause_and_resume() -> None:
    """A timed pause goes on under a person's pause; the move waits for resume."""
    world = live(strategy=CANARY)
    world.wanted = "r2"
    world.until("Stepping")
    world.run(10)
    world.person = Person(pause=True)
    decision = world.run(200)
    assert (decision.reason, dict(decision.traffic.weights)) == ("Paused", {"a": 750, "b": 250})
    assert "resume" in decision.message
    world.person = Person(resume=True)
    world.run(14)
    assert world.weights == {"b": 1000}


def test_retry_begins_the_rejected_revision_again() -> None:
    """Only then; and the attempt is another rollout, with another id."""
    world = at("Stepping")
    world.person = Person(abort=True)
    first = world.decide().motion.rollout
    world.until("", limit=300)
    world.run(100)
    assert world.motion.rollout is None
    world.person = Person(retry=True)
    second = world.decide().motion.rollout
    assert first is not None
    assert second is not None
    assert second.id != first.id


def test_another_revision_begins_at_once_after_a_rejected_one() -> None:
    """What is remembered is the revision; going back to it needs retry still."""
    world = at("Stepping")
    world.person = Person(abort=True)
    world.until("", limit=300)
    world.wanted = "r3"
    world.run(4)
    assert world.motion.rollout is not None
    world.wanted = "r2"
    world.until("", limit=300)
    assert world.run(20).reason == "RolledBack"


def test_abort_while_waiting_to_start_touches_nothing() -> None:
    """The revision is rejected, the slot stays as it was."""
    world = live(paused=True)
    world.wanted = "r2"
    world.decide()
    world.person = Person(abort=True)
    decision = world.decide()
    assert (decision.reason, world.history) == ("RolledBack", [("r2", "Aborted")])
    assert not world.slots["b"].exists


def test_a_waiting_rollout_takes_the_strategy_and_the_revision_as_they_are() -> None:
    """Before the start a newer wish just takes its place; nothing goes to the history."""
    world = live(paused=True)
    world.wanted = "r2"
    world.decide()
    world.wanted = "r3"
    world.strategy = dataclasses.replace(CANARY, snapshot={"edited": True})
    decision = world.decide()
    assert decision.motion.rollout is not None
    assert (decision.motion.rollout.candidate, decision.motion.rollout.strategy) == ("r3", {"edited": True})
    world.wanted = "r1"
    assert world.decide().ready
    assert world.history == []


def test_the_history_tells_who_did_what() -> None:
    """Verbs that had an effect, in order, with who said them; what was ignored is not in it."""
    world = at("Stepping")
    for person in (
        Person(pause=True, who={"pause": "alice"}),
        Person(pause=True, who={"pause": "mallory"}),
        Person(resume=True),
        Person(abort=True, who={"abort": "bob"}),
    ):
        world.person = person
        world.decide()
    assert world.motion.rollout is not None
    assert world.motion.rollout.persons == ("pause: alice", "resume", "abort: bob")
    assert world.notes.count("VerbHandled") == 3


def test_an_undo_is_its_persons() -> None:
    """The rollout back begins with who asked for it."""
    world = at("done")
    world.person = Person(undo="", who={"undo": "carol"})
    world.decide()
    assert world.motion.rollout is not None
    assert world.motion.rollout.persons == ("undo: carol",)
