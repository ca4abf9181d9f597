"""A task definition is registered once for equal content, whatever was lost on the way."""

from __future__ import annotations

import pytest

from sluice.model import ownership
from sluice.model.actions import Ref
from sluice.model.observed import Observed
from sluice.plan.deployment.register import needs_family, register
from sluice.plan.deployment.state import Registering, State
from unit.deployment.wishes import KEY, NOW, desired

WISH = desired()
DIGEST = WISH.revision.definition_hash
OPEN = State(registering=Registering(definition_hash=DIGEST, family=WISH.family, since=NOW))


@pytest.mark.parametrize(
    ("state", "seen", "later", "outcome"),
    [
        pytest.param(State(), Observed(), 0, "register", id="new"),
        pytest.param(State(definitions=((DIGEST, "arn:1"),)), Observed(), 0, "arn:1", id="known"),
        pytest.param(
            State(definitions=((DIGEST, "arn:1"),)),
            Observed(inactive=frozenset({"arn:1"})),
            0,
            "register",
            id="known-but-inactive",
        ),
        pytest.param(OPEN, Observed(definitions={DIGEST: "arn:2"}, family_read=True), 5, "arn:2", id="found"),
        pytest.param(OPEN, Observed(family_read=True), 5, "wait", id="not-found-yet"),
        pytest.param(OPEN, Observed(family_read=True), 30, "register", id="not-found-for-long"),
        pytest.param(OPEN, Observed(), 300, "wait", id="not-looked"),
        pytest.param(State(), Observed(family_read=True), 0, "wait", id="status-lost-none-there"),
        pytest.param(
            State(), Observed(definitions={DIGEST: "arn:3"}, family_read=True), 0, "arn:3", id="status-lost"
        ),
        pytest.param(
            State(registering=Registering(definition_hash="other", family=WISH.family, since=NOW)),
            Observed(),
            0,
            "register",
            id="intent-of-another-body",
        ),
    ],
)
def test_the_table(state: State, seen: Observed, later: float, outcome: str) -> None:
    """Each row of the module's table: register, wait, or use what is there."""
    found = register(WISH, state, seen, now=NOW + later)
    if outcome == "register":
        assert found.action is not None
        assert found.arn == Ref(f"definition:{DIGEST}")
        assert found.registering == Registering(definition_hash=DIGEST, family=WISH.family, since=NOW + later)
    elif outcome == "wait":
        assert (found.action, found.arn, found.wait_until) == (None, None, NOW + 30)
        begun = Registering(definition_hash=DIGEST, family=WISH.family, since=NOW)
        assert found.registering == (state.registering or begun)
    else:
        assert (found.action, found.arn, found.registering) == (None, outcome, None)
        assert found.definitions[-1] == (DIGEST, outcome)


@pytest.mark.parametrize(
    ("definitions", "seen", "known"),
    [
        pytest.param([], {"b": "arn:2"}, ["arn:2", "arn:1"], id="came to light"),
        pytest.param([], {"b": "arn:2", "c": "arn:3"}, ["arn:2", "arn:1"], id="what else the family has"),
        pytest.param([], {}, ["arn:1"], id="never made"),
        pytest.param([("b", "arn:2")], {"b": "arn:4"}, ["arn:2", "arn:1"], id="known before"),
    ],
)
def test_what_nobody_wants_any_more_is_known_all_the_same(
    definitions: list[tuple[str, str]], seen: dict[str, str], known: list[str]
) -> None:
    """The answer was lost and the revision given up: it is not made twice, and collected in its time."""
    intent = Registering(definition_hash="b", family=WISH.family, since=NOW)
    state = State(registering=intent, definitions=(*definitions, (DIGEST, "arn:1")))
    found = register(WISH, state, Observed(definitions=seen, family_read=True), now=NOW)
    assert (found.arn, found.action, found.registering) == ("arn:1", None, None)
    assert [arn for _, arn in found.definitions] == known


def test_the_call_carries_hash_and_owner() -> None:
    """The tags by which a later look-up finds it, and proves whose it is."""
    action = register(WISH, State(), Observed(), now=NOW).action
    assert action is not None
    tags = ownership.from_ecs(action.params["tags"])
    assert tags[ownership.DEFINITION_HASH] == DIGEST
    assert ownership.ownership(tags, "test", KEY) == "ours"
    assert action.params["family"] == WISH.family


@pytest.mark.parametrize(
    ("state", "lost", "expected"),
    [
        pytest.param(State(), False, False, id="new"),
        pytest.param(State(), True, True, id="lost"),
        pytest.param(OPEN, False, True, id="open-intent"),
        pytest.param(State(definitions=((DIGEST, "arn:1"),)), True, False, id="known"),
    ],
)
def test_the_family_is_read_only_where_needed(state: State, lost: bool, expected: bool) -> None:  # noqa: FBT001 - a table's column
    """A first attempt needs no look-up: that keeps apply → AWS short."""
    assert needs_family(state, DIGEST, lost=lost) is expected


def test_definitions_are_kept_in_order_of_use() -> None:
    """The one that is deployed now is last: the collection takes the first ones."""
    state = State(definitions=((DIGEST, "arn:1"), ("b", "arn:2")))
    found = register(WISH, state, Observed(), now=NOW)
    assert [arn for _, arn in found.definitions] == ["arn:2", "arn:1"]
