"""What a pause and a rejected revision keep of a service, what is told meanwhile, and whose tags count."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model import ownership
from sluice.model.desired import Desired, Registry
from sluice.model.observed import Observed
from sluice.plan.deployment.planner import plan
from sluice.plan.deployment.state import Rejected, Slot
from unit.deployment.rolling import NEW, NEXT, OLD, begun, edited, ready, sent, settled
from unit.deployment.wishes import NOW, PLACE, desired

REGISTRY = Registry(arn="arn:aws:servicediscovery:eu-west-1:111122223333:service/srv-1")

# Paused, rejected.

EXEC = {"enableExecuteCommand": True}
FIRST_FAILED = Rejected(revision=OLD, reason="FirstRolloutFailed", message="it failed")


@pytest.mark.parametrize(
    ("wish", "rejected", "update"),
    [
        pytest.param(desired(), None, {"enableExecuteCommand": False}, id="at rest"),
        pytest.param(desired(paused=True), None, {"enableExecuteCommand": False}, id="paused at rest"),
        pytest.param(
            desired(paused=True, registry=REGISTRY),
            None,
            {"enableExecuteCommand": False},
            id="paused, a route",
        ),
        pytest.param(desired(image="web:2", paused=True), None, None, id="paused before another revision"),
        pytest.param(desired(), FIRST_FAILED, None, id="rejected"),
        pytest.param(
            desired(replicas=3), FIRST_FAILED, {"desiredCount": 3}, id="rejected, the count goes on"
        ),
        pytest.param(desired(paused=True), FIRST_FAILED, None, id="rejected and paused"),
        pytest.param(
            desired(),
            dataclasses.replace(FIRST_FAILED, revision="web-other"),
            {"enableExecuteCommand": False},
            id="another one is rejected",
        ),
    ],
)
def test_what_is_repaired_while_nothing_may_start(
    wish: Desired, rejected: Rejected | None, update: dict[str, Any] | None
) -> None:
    """Paused: hand edits of what runs are undone. Rejected: left as it is, but for the count."""
    state, seen = settled()
    done = plan(wish, edited(seen, **EXEC), dataclasses.replace(state, rejected=rejected), now=NOW)
    assert sent(done) == update


def test_a_pause_in_the_middle_of_a_rollout_sends_nothing_of_the_revision() -> None:
    """Where ECS is half way it stays; the service has the revision, but the rollout goes on."""
    state, _, after = begun(NEXT)
    given = plan(NEXT, after, state, now=NOW + 5)
    assert given.state.slot is not None
    assert given.state.slot.revision == NEW
    held = dataclasses.replace(NEXT, paused=True)
    assert plan(held, edited(after, platformVersion="1.3.0"), given.state, now=NOW + 6).actions == ()


@pytest.mark.parametrize(
    ("wish", "slot", "rejected", "told"),
    [
        pytest.param(
            desired(image="web:2", paused=True),
            None,
            None,
            ("False", "Paused", f"revision {NEW} waits until the pause ends"),
            id="paused",
        ),
        pytest.param(
            desired(image="web:2"),
            None,
            None,
            ("False", "RollingOut", f"revision {NEW} is rolled out"),
            id="moving",
        ),
        pytest.param(
            desired(image="web:2", spec_revision=NEW),
            Slot(cluster="main", service_name=PLACE.name),
            Rejected(revision=NEW, reason="FirstRolloutFailed", message="it failed"),
            (
                "False",
                "FirstRolloutFailed",
                f"it failed; fix the spec, or annotate sluice.dev/retry to try {NEW} again",
            ),
            id="rejected before the service had it",
        ),
    ],
)
def test_what_is_told_while_the_service_has_another_revision(
    wish: Desired, slot: Slot | None, rejected: Rejected | None, told: tuple[str, str, str]
) -> None:
    """Why it is not there yet."""
    state, seen = settled()
    state = dataclasses.replace(state, rejected=rejected, slot=slot or state.slot)
    assert ready(plan(wish, seen, state, now=NOW)) == told


# Tags.


def tags(seen: Observed, changes: dict[str, str]) -> Observed:
    """Return what is seen with other tags on the service."""
    found = seen.services[PLACE]
    assert found is not None
    return edited(seen, tags=ownership.to_ecs(ownership.from_ecs(found["tags"]) | changes))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param({"app": "other"}, ["tags app"], id="a person's tag"),
        pytest.param(
            {ownership.REVISION: "web-9"}, ["tags sluice.dev/revision"], id="a revision that never was"
        ),
        pytest.param({ownership.REVISION: "web-0"}, [], id="one that stayed behind when ECS rolled back"),
        pytest.param(
            {ownership.REVISION: "web-0", "app": "x"}, ["tags app, sluice.dev/revision"], id="and a person's"
        ),
    ],
)
def test_tags_that_are_put_back_are_told(changes: dict[str, str], told: list[str]) -> None:
    """But for the revision's, which ECS leaves behind."""
    state, seen = settled()
    state = dataclasses.replace(state, history=(*state.history, {"id": "r0", "revision": "web-0"}))
    done = plan(desired(), tags(seen, changes), state, now=NOW)
    assert [action.operation for action in done.actions] == ["TagResource"]
    assert [(note.reason, note.message) for note in done.notes] == [("DriftRepaired", text) for text in told]


def test_a_new_revisions_tag_is_no_news() -> None:
    """The rollout tells itself."""
    state, seen = settled()
    held = dataclasses.replace(state, rejected=Rejected(revision=NEW, reason="RolledBack", fallback=""))
    done = plan(desired(image="web:2", spec_revision=NEW), seen, held, now=NOW)
    assert [action.operation for action in done.actions if action.operation == "TagResource"] == [
        "TagResource"
    ]
    assert done.notes == ()
