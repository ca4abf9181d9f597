"""A verb is refused in the terminal exactly where the operator would ignore it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.cli.sense import Situation, refusal
from sluice.model.situation import HookAnswer, Person
from sluice.model.strategy import Analysis, Hook, Metric, Pause, Progressive, RunHook, SetWeight
from sluice.plan.deployment import verbs as rolling
from sluice.plan.deployment.state import State
from sluice.rollout.machine import decide
from unit.cli.published import published
from unit.deployment.test_verbs import FIRST_FAILED, MOVING, REJECTED, RESTING
from unit.deployment.wishes import NOW
from unit.rollout.world import World, live

LOOKED = frozenset({"health", "proof", "alarms", "evidence"})
WORDS = {
    "promote": Person(promote=True),
    "promote-full": Person(promote_full=True),
    "abort": Person(abort=True),
    "retry": Person(retry=True),
    "undo": Person(undo=""),
    "undo/r1": Person(undo="r1"),
    "undo/r2": Person(undo="r2"),
    "undo/r9": Person(undo="r9"),
    "pause": Person(pause=True),
    "resume": Person(resume=True),
}
STRATEGY = Progressive(
    steps=(
        SetWeight(permille=250),
        Pause(),
        RunHook(name="smoke"),
        Pause(seconds=30),
        SetWeight(permille=1000),
    ),
    bake=40,
    standby_seconds=120,
    standby_percent=100,
    hooks=(Hook(name="smoke", stage="Step", timeout=20, on_failure="Pause"),),
    analysis=Analysis(
        metrics=(Metric(name="m", kind="web", query={}, interval=10, consecutive_error_limit=2),)
    ),
    snapshot={"x": 1},
)
EVENTS = ("r2", "r1", "r3", "drift", "calm", "sick", "hook fails", "hook passes", "errors", "data", "paused")


def disagreements(world: World) -> list[str]:
    """Return each verb that the terminal and the operator judge otherwise."""
    obj = published(world)
    found = []
    for word, person in WORDS.items():
        verb, _, revision = word.partition("/")
        seen = Situation(obj=obj, now=world.now, revision=revision, known=world.known, anyway=True)
        why = refusal(verb, seen)
        notes = decide(world.situation(LOOKED, person=person), world.motion, now=world.now).notes
        told = [note for note in notes if note.reason in ("VerbHandled", "VerbIgnored")]
        assert len(told) == 1, (word, notes)
        if bool(why) != (told[0].reason == "VerbIgnored") and not _unpublished(verb, told[0].message):
            found.append(f"{word}: {why or 'sensible'} but {told[0].message}")
    return found


def _unpublished(verb: str, told: str) -> bool:
    """Tell whether the operator's reason is one that status does not show."""
    return verb == "promote-full" and told.endswith("it was promoted already")


def happen(world: World, event: str) -> None:
    """Let something happen."""
    match event:
        case "r1" | "r2" | "r3":
            world.wanted = event
        case "drift" | "calm":
            world.routes[0].foreign = "a=1 b=1" if event == "drift" else ""
        case "sick":
            world.sick = {"r2"} ^ world.sick
        case "hook fails" | "hook passes":
            state = "Failed" if event == "hook fails" else "Succeeded"
            world.answers = {"smoke": HookAnswer(state=state, message="it says so")}
        case "errors" | "data":
            world.errors = {"m"} if event == "errors" else set()
        case "paused":
            world.paused = not world.paused


@settings(max_examples=25)
@given(
    story=st.lists(
        st.tuples(
            st.sampled_from(EVENTS),
            st.sampled_from([None, *WORDS]),
            st.sampled_from([2.0, 14.0, 60.0, 200.0]),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_the_progressive_machine_agrees(story: list[tuple[str, str | None, float]]) -> None:
    """Whatever happened before: refused here means ignored there, and sensible here means handled there."""
    world = live(strategy=STRATEGY, values={"m": 0.0}, watched=False)
    for event, word, seconds in (("r2", None, 30.0), *story):
        happen(world, event)
        if word:
            world.person = WORDS[word]
        world.run(seconds)
        assert disagreements(world) == []


def first(live_already: bool) -> World:  # noqa: FBT001 - two worlds
    """Return a first rollout, before or after it is live."""
    world = World(strategy=STRATEGY, values={"m": 0.0}, watched=False)
    if live_already:
        world.routes[0].delay = 2.0
        world.answers = {}
        world.until("PostTraffic", "", tick=1.0)
    else:
        world.until("ScalingUp")
    return world


@pytest.mark.parametrize("live_already", [False, True], ids=["starting", "live"])
def test_a_first_rollout_agrees(live_already: bool) -> None:  # noqa: FBT001 - two worlds
    """Before it is live it can be aborted; it has no steps to promote."""
    assert disagreements(first(live_already)) == []


@pytest.mark.parametrize(
    "state",
    [
        pytest.param(MOVING, id="moving"),
        pytest.param(RESTING, id="resting"),
        pytest.param(REJECTED, id="rejected"),
        pytest.param(FIRST_FAILED, id="first-failed"),
    ],
)
@pytest.mark.parametrize(
    "word", ["abort", "undo", "undo/web-old", "undo/gone", "retry", "pause", "resume", "promote"]
)
def test_rolling_agrees(state: State, word: str) -> None:
    """The other engine's answers, on what it publishes."""
    verb, _, revision = word.partition("/")
    ready = state.rollout is None and state.rejected is None
    obj = {
        "metadata": {"name": "web", "generation": 1},
        "spec": {},
        "status": {
            **state.write(),
            "conditions": [{"type": "Ready", "status": str(ready), "reason": "x", "observedGeneration": 1}],
        },
    }
    known = frozenset({"web-old", "web-new"})
    value = "r1" + (f"/{revision}" if revision else "")
    done = rolling.apply(
        state,
        rolling.unhandled({f"sluice.dev/{verb}": value}, {}),
        wanted="web-new",
        known=known,
        deadline=600,
        now=NOW,
    )
    why = refusal(verb, Situation(obj=obj, now=NOW, revision=revision, known=known))
    assert bool(why) == (done.notes[0].reason == "VerbIgnored"), (why, done.notes)
