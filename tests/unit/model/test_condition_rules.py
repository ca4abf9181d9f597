"""Conditions as kstatus reads them: which are there, since when, and how long their words may be."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.model.conditions import RECONCILING_REASONS, STALLED_REASONS, UNSEEN, conditions, timestamp

NOW = 1_790_000_000.9
SECOND = "2026-09-21T14:13:20Z"


def _conditions(*, ready: bool, reason: str, **more: Any) -> list[dict[str, Any]]:
    return conditions(ready=ready, reason=reason, message="why", generation=7, now=NOW, **more)


def _types(found: list[dict[str, Any]]) -> dict[str, tuple[str, str]]:
    return {condition["type"]: (condition["status"], condition["reason"]) for condition in found}


def test_a_ready_object_has_one_condition() -> None:
    """Whatever its reason: absent is how kstatus says False."""
    assert _conditions(ready=True, reason="Available") == [
        {
            "type": "Ready",
            "status": "True",
            "reason": "Available",
            "message": "why",
            "observedGeneration": 7,
            "lastTransitionTime": SECOND,
        }
    ]
    assert timestamp(NOW) == SECOND


@pytest.mark.parametrize("reason", sorted(RECONCILING_REASONS))
def test_a_reason_to_wait_is_reconciling(reason: str) -> None:
    """In progress: Helm and Flux wait on."""
    assert _types(_conditions(ready=False, reason=reason)) == {
        "Ready": ("False", reason),
        "Reconciling": ("True", reason),
    }


@pytest.mark.parametrize("reason", sorted(STALLED_REASONS))
def test_a_reason_for_a_person_is_stalled(reason: str) -> None:
    """Failed: nobody waits for what nobody will do."""
    assert _types(_conditions(ready=False, reason=reason)) == {
        "Ready": ("False", reason),
        "Stalled": ("True", reason),
    }


def test_a_reason_outside_of_the_list_is_a_mistake_of_ours() -> None:
    """The list is closed; an object that is ready may be paused all the same."""
    with pytest.raises(ValueError, match="Tired is not in the closed list"):
        _conditions(ready=False, reason="Tired")
    assert _types(_conditions(ready=True, reason="Paused")) == {"Ready": ("True", "Paused")}


def test_warnings_stand_beside_the_rest() -> None:
    """They hold nothing up."""
    found = _conditions(ready=True, reason="Available", warnings="spec.x: no")
    assert _types(found) == {"Ready": ("True", "Available"), "Warnings": ("True", "AcceptedWithWarnings")}
    assert found[1]["message"] == "spec.x: no"


BEFORE: dict[str, tuple[list[dict[str, Any]], str]] = {
    "nothing": ([], SECOND),
    "the same status": (
        [{"type": "Ready", "status": "False", "reason": "Baking", "lastTransitionTime": "before"}],
        "before",
    ),
    "another status": (
        [{"type": "Ready", "status": "True", "reason": "Paused", "lastTransitionTime": "before"}],
        SECOND,
    ),
    "another condition": (
        [{"type": "Stalled", "status": "False", "reason": "InUse", "lastTransitionTime": "before"}],
        SECOND,
    ),
}


@pytest.mark.parametrize(("previous", "since"), BEFORE.values(), ids=BEFORE)
def test_a_time_moves_only_when_the_status_does(previous: list[dict[str, Any]], since: str) -> None:
    """Another reason or message is not a transition (metav1.Condition)."""
    ready = _conditions(ready=False, reason="Paused", previous=previous)[0]
    assert ready["lastTransitionTime"] == since


@pytest.mark.parametrize(
    ("text", "shown"),
    [("x" * 8000, "x" * 8000), ("x" * 8001, "x" * 7999 + "…"), ("x" * 40_000, "x" * 7999 + "…")],
    ids=["as long as may be", "one more", "much more"],
)
def test_words_without_end_are_cut(text: str, shown: str) -> None:
    """The API server would refuse the whole status beyond 32,768 characters."""
    found = conditions(ready=True, reason="Available", message=text, generation=1, now=NOW)
    assert found[0]["message"] == shown


def test_an_object_that_nobody_looked_at_is_of_no_generation() -> None:
    """-1, as Flux's own kinds have it: kstatus then takes what was just applied for in progress."""
    (seen,) = conditions(ready=True, reason="Available", message="", generation=1, now=NOW)
    assert (UNSEEN, seen["observedGeneration"]) == (-1, 1)
