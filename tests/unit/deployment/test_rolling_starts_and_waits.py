"""A rolling rollout from its start to its first task: what begins it, what it waits for, what is told."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.desired import Adoption, Desired, Hold, Registry, Strategy
from sluice.model.observed import Observed
from sluice.plan.deployment import history
from sluice.plan.deployment.planner import plan
from sluice.plan.deployment.state import Live, State
from unit.deployment.rolling import EMPTY, edited, notes, primary, ready, sent, settled
from unit.deployment.test_discovery import known, route
from unit.deployment.wishes import BACKEND, NOW, PLACE, carry_out, converge, desired

REGISTRY = Registry(arn="arn:aws:servicediscovery:eu-west-1:111122223333:service/srv-1")


# How it begins.


def test_the_first_rollout_starts_in_silence_and_each_later_one_is_told_once() -> None:
    """One Event for an object that just starts is enough: its end."""
    first = plan(desired(), EMPTY, State(), now=NOW)
    assert notes(first) == []
    state, seen = settled()
    wish = desired(image="web:2", generation=2)
    begun = plan(wish, seen, state, now=NOW + 5)
    rollout = begun.state.rollout
    assert rollout is not None
    old, new = desired().revision.name, wish.revision.name
    assert notes(begun) == [("RolloutStarted", f"rollout {rollout.id} to revision {new} from {old}")]
    again = plan(
        wish, primary(carry_out(seen, begun.actions), rolloutState="IN_PROGRESS"), begun.state, now=NOW + 6
    )
    assert (again.state.rollout, notes(again)) == (rollout, [])
    third = desired(image="web:3", generation=3)
    instead = plan(
        third, primary(carry_out(seen, begun.actions), rolloutState="IN_PROGRESS"), again.state, now=NOW + 7
    )
    assert instead.state.rollout is not None
    assert instead.state.rollout.candidate == third.revision.name
    assert [reason for reason, _ in notes(instead)] == ["RolloutStarted"]
    assert instead.state.history[0] == history.entry(rollout, outcome="Superseded", by="spec", now=NOW + 7)


def test_a_service_that_is_made_again_has_another_token() -> None:
    """CreateService answers an old token with the old service; the same pass again has the same one."""
    state, seen = settled()
    token = plan(desired(), EMPTY, State(), now=NOW).actions[-1].params["clientToken"]
    gone = dataclasses.replace(seen, services={PLACE: None})
    done = plan(desired(), gone, state, now=NOW)
    assert done.actions[-1].operation == "CreateService"
    assert done.actions[-1].params["clientToken"] != token
    again = plan(desired(), gone, State.read(done.status), now=NOW + 60)
    assert again.actions[-1].params["clientToken"] == done.actions[-1].params["clientToken"]


def test_a_replacement_starts_with_the_count_that_somebody_else_gave() -> None:
    """Without replicas: a new service of one task would take the load of seven."""
    state, seen = settled(replicas=None)
    done = plan(
        desired(replicas=None, cluster="second", generation=2), edited(seen, desiredCount=7), state, now=NOW
    )
    assert done.actions[-1].operation == "CreateService"
    assert done.actions[-1].params["desiredCount"] == 7


# A service that nobody remembers (ADR 25).


def forgotten(seen: Observed, *, created: float | None) -> Observed:
    """Return what is seen of a service whose status is lost."""
    digest = desired().revision.definition_hash
    found = seen.services[PLACE]
    assert found is not None
    arns = {digest: found["taskDefinition"]}
    return dataclasses.replace(edited(seen, createdAt=created), definitions=arns, family_read=True)


LIVE = Live(revision=desired().revision.name, task_definition="arn:0", since=NOW)


@pytest.mark.parametrize(
    ("created", "wish", "state", "outcomes"),
    [
        pytest.param(NOW - 10, desired(), State(), ["Succeeded"], id="just created"),
        pytest.param(NOW - 3599, desired(), State(), ["Succeeded"], id="within the deadline"),
        pytest.param(NOW - 3600, desired(), State(), [], id="older: its status was lost"),
        pytest.param(None, desired(), State(), [], id="ECS does not tell since when"),
        pytest.param(NOW - 10, desired(paused=True), State(), [], id="paused"),
        pytest.param(NOW - 10, desired(), State(live=LIVE), [], id="a revision was live before"),
        pytest.param(
            NOW - 10, desired(), State(history=({"id": "r0"},)), [None], id="a rollout ended before"
        ),
    ],
)
def test_a_service_that_a_pass_made_which_died(
    created: float | None, wish: Desired, state: State, outcomes: list[str | None]
) -> None:
    """It gets the rollout that it never had; one that was found after a lost status gets none."""
    _, seen = settled()
    done = plan(wish, forgotten(seen, created=created), state, now=NOW)
    assert done.actions == ()
    assert [entry.get("outcome") for entry in done.state.history] == outcomes
    assert done.completed is (outcomes == ["Succeeded"])
    assert ready(done)[0] == "True"
    assert done.state.slot is not None
    assert done.state.slot.revision == wish.revision.name


def test_its_rollout_replaces_nothing_by_force() -> None:
    """The deployment that CreateService began is the one that is waited for."""
    _, seen = settled()
    done = plan(
        desired(), primary(forgotten(seen, created=NOW - 10), rolloutState="IN_PROGRESS"), State(), now=NOW
    )
    assert done.actions == ()
    assert done.state.rollout is not None
    assert done.state.rollout.supersedes == ""


def test_an_adopted_service_began_before() -> None:
    """It is no rollout of ours, however young it is."""
    wish = desired(adopt=Adoption(arn="arn:x:service/main/legacy", cluster="main", name="legacy"))
    _, seen = settled()
    done = plan(wish, forgotten(seen, created=NOW - 10), State(), now=NOW)
    assert done.state.history == ()


# Names in Cloud Map have to settle first.

UNSETTLED = (route(discovery=known(pendingOperations=1)),)
RESTARTED = "2026-11-21"


@pytest.mark.parametrize(
    ("wish", "members", "what"),
    [
        pytest.param(desired(image="web:2", listed=True), {}, "revision {}", id="another revision"),
        pytest.param(desired(restarted_at=RESTARTED, listed=True), {}, "revision {}", id="a restart"),
        pytest.param(
            desired(
                listed=True,
                service={"capacityProviderStrategy": [{"capacityProvider": "F"}], "launchType": ""},
            ),
            {"launchType": None, "capacityProviderStrategy": [{"capacityProvider": "G"}]},
            "revision {}",
            id="a revision that ECS deploys by force alone",
        ),
        pytest.param(
            desired(listed=True, registry=REGISTRY), {}, "serviceRegistries changed", id="a registry is given"
        ),
        pytest.param(desired(listed=True, replicas=1), {}, "desiredCount 2 → 1", id="fewer tasks"),
    ],
)
def test_what_ends_tasks_waits_for_names(wish: Desired, members: dict[str, Any], what: str) -> None:
    """ECS would end tasks that clients are still sent to; looked at again soon, however long it lasts."""
    state, seen = settled(listed=True)
    since = "2027-01-15T07:00:00Z"  # an hour ago
    old = ({"type": "Ready", "status": "False", "lastTransitionTime": since},)
    done = plan(
        wish, edited(seen, **members), dataclasses.replace(state, conditions=old), now=NOW, routes=UNSETTLED
    )
    assert sent(done) is None
    expected = (
        f"{what.format(wish.revision.name)} waits until the names of the present tasks have settled (Serv"
    )
    status, reason, text = ready(done)
    assert (status, reason, text[: len(expected)]) == ("False", "RollingOut", expected)
    assert done.wake_at == NOW + 2


@pytest.mark.parametrize(
    ("wish", "members", "update"),
    [
        pytest.param(
            desired(listed=True), {"propagateTags": "NONE"}, {"propagateTags": "SERVICE"}, id="a setting"
        ),
        pytest.param(desired(listed=True, replicas=3), {}, {"desiredCount": 3}, id="more tasks"),
        pytest.param(
            desired(listed=True, replicas=3, registry=REGISTRY),
            {},
            {"desiredCount": 3},
            id="more tasks, while a registry waits",
        ),
        pytest.param(
            desired(listed=True, paused=True, replicas=1),
            {},
            {"desiredCount": 1},
            id="fewer tasks while paused",
        ),
    ],
)
def test_what_ends_no_task_goes_on(wish: Desired, members: dict[str, Any], update: dict[str, Any]) -> None:
    """And while paused a person has their way."""
    state, seen = settled(listed=True)
    assert sent(plan(wish, edited(seen, **members), state, now=NOW, routes=UNSETTLED)) == update


def test_a_way_back_waits_for_nothing() -> None:
    """Broken tasks are no better than names that have not settled."""
    state, seen = settled(listed=True)
    newer, seen = converge(desired(image="web:2", listed=True, generation=2), state=state, seen=seen)
    hold = Hold(reason="RolledBack", message="aborted")
    back = desired(listed=True, hold=hold, spec_revision="web-2", generation=2)
    update = sent(plan(back, seen, State.read(newer.status), now=NOW, routes=UNSETTLED))
    assert update is not None
    assert "taskDefinition" in update


def test_a_recreate_that_has_begun_waits_for_nothing() -> None:
    """It means everything to go; before it begins it waits like any other."""
    recreate = Strategy(type="Recreate")
    state, seen = settled(listed=True, strategy=recreate)
    wish = desired(image="web:2", listed=True, strategy=recreate, generation=2)
    assert sent(plan(wish, seen, state, now=NOW, routes=UNSETTLED)) is None
    begun = plan(wish, seen, state, now=NOW)
    assert sent(begun) == {"desiredCount": 0}
    assert ready(begun) == (
        "False",
        "RollingOut",
        f"Recreate: 2 tasks of the old revision stop before revision {wish.revision.name} starts",
    )
    again = plan(
        wish, carry_out(seen, begun.actions[:1]), State.read(begun.status), now=NOW, routes=UNSETTLED
    )
    assert sent(again) == {"desiredCount": 0}


# What is drift, what was asked for.


@pytest.mark.parametrize(
    ("wish", "members", "events"),
    [
        pytest.param(
            desired(),
            {"propagateTags": "NONE"},
            [("DriftRepaired", "propagateTags NONE → SERVICE")],
            id="by hand",
        ),
        pytest.param(
            desired(generation=2),
            {"propagateTags": "NONE"},
            [("ServiceUpdated", "propagateTags NONE → SERVICE")],
            id="the spec changed",
        ),
        pytest.param(
            desired(backends=(BACKEND,)),
            {},
            [("ServiceUpdated", "loadBalancers changes")],
            id="a route came: its group is made",
        ),
        pytest.param(desired(image="web:2"), {}, None, id="a rollout tells itself"),
    ],
)
def test_why_the_service_changes(
    wish: Desired, members: dict[str, Any], events: list[tuple[str, str]] | None
) -> None:
    """Drift is what nobody asked for."""
    state, seen = settled()
    done = plan(wish, edited(seen, **members), state, now=NOW)
    if events is None:
        assert [reason for reason, _ in notes(done)] == ["RolloutStarted"]
    else:
        assert notes(done) == events
