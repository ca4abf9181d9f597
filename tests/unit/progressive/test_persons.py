"""A person's annotations: addressed, heard once, told when ignored."""

from __future__ import annotations

import pytest

from sluice.model.rollout import Motion, Rollout
from sluice.model.situation import Person
from sluice.plan.deployment.state import State
from sluice.plan.progressive.memory import with_motion
from sluice.plan.progressive.persons import person_of

MOVING = with_motion(
    State(),
    Motion(rollout=Rollout(id="r1", kind="Rollout", candidate="web-2", slot="b", step=2)),
    wake_at=None,
)
REST = State(history=({"id": "r0", "revision": "web-1", "outcome": "Succeeded"},))
HEARD: dict[str, tuple[State, str, str, Person]] = {
    "promote": (MOVING, "promote", "r1", Person(promote=True)),
    "promote this step": (MOVING, "promote", "r1/2", Person(promote=True)),
    "promote another step": (MOVING, "promote", "r1/1", Person()),
    "promote-full": (MOVING, "promote-full", "r1", Person(promote_full=True)),
    "abort": (MOVING, "abort", "r1", Person(abort=True)),
    "abort of another rollout": (MOVING, "abort", "r0", Person()),
    "pause": (MOVING, "pause", "r1", Person(pause=True)),
    "resume": (MOVING, "resume", "r1", Person(resume=True)),
    "retry": (REST, "retry", "r0", Person(retry=True)),
    "undo": (REST, "undo", "r0", Person(undo="")),
    "undo to a revision": (REST, "undo", "r0/web-0", Person(undo="web-0")),
    "restart": (MOVING, "restart", "r1", Person()),
}


@pytest.mark.parametrize(("state", "verb", "value", "person"), HEARD.values(), ids=HEARD)
def test_a_word_is_heard_once(state: State, verb: str, value: str, person: Person) -> None:
    """And recorded whether it had an effect or not; what is ignored is told."""
    annotations = {f"sluice.dev/{verb}": value}
    heard = person_of(annotations, state)
    assert heard.person == person
    assert heard.state.intents[verb] == value
    assert bool(heard.notes) == (person == Person())
    again = person_of(annotations, heard.state)
    assert (again.person, again.notes) == (Person(), ())


def test_abort_and_promote_full_can_be_heard_together() -> None:
    """Which one wins is the machine's to decide."""
    annotations = {"sluice.dev/abort": "r1", "sluice.dev/promote-full": "r1"}
    assert person_of(annotations, MOVING).person == Person(abort=True, promote_full=True)


def test_reconcile_now_looks_past_every_cache() -> None:
    """It names no rollout."""
    heard = person_of({"sluice.dev/reconcile-now": "please"}, MOVING)
    assert heard.look_now
    assert heard.person == Person()


def test_who_said_it_is_heard_with_the_word() -> None:
    """Each verb has its own; a name that stands there from another word is not taken."""
    annotations = {"sluice.dev/abort": "r1", "sluice.dev/pause": "r1", "sluice.dev/by": "abort=r1 alice"}
    assert person_of(annotations, MOVING).person.who == {"abort": "alice"}
