"""What a person is told of a word that has no effect, and what no annotation says."""

from __future__ import annotations

import pytest

from sluice.model.actions import Note
from sluice.model.rollout import Motion, Rollout
from sluice.model.situation import Person
from sluice.plan.deployment.state import State
from sluice.plan.progressive.memory import with_motion
from sluice.plan.progressive.persons import Heard, person_of

MOVING = with_motion(
    State(),
    Motion(rollout=Rollout(id="r1", kind="Rollout", candidate="web-2", slot="b", step=2)),
    wake_at=None,
)
IGNORED = {
    "of another rollout": ("abort", "r0", "abort r0: rollout r0 is not current; use r1"),
    "of no rollout": ("pause", "", "pause : rollout (none) is not current; use r1"),
    "of another step": ("promote", "r1/1", "promote r1/1: step 1 is not current; it is 2"),
    "that has another way": (
        "restart",
        "r1",
        "restart r1: set the template annotation sluice.dev/restartedAt instead",
    ),
}


@pytest.mark.parametrize(("verb", "value", "message"), IGNORED.values(), ids=IGNORED)
def test_a_word_without_effect_is_answered(verb: str, value: str, message: str) -> None:
    """With what would have one."""
    heard = person_of({f"sluice.dev/{verb}": value}, MOVING)
    assert heard.notes == (Note(type="Warning", reason="VerbIgnored", message=message),)
    assert (heard.person, heard.look_now) == (Person(), False)


def test_silence_is_heard_as_silence() -> None:
    """No annotation of ours: nothing is asked, recorded or looked past."""
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": "{}"}
    expected = Heard(person=Person(), state=MOVING, notes=(), look_now=False)
    assert person_of(annotations, MOVING) == expected
