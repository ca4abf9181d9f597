"""serviceRegistries of a rolling service: given, changed and taken away for routes; nobody else's goes."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.desired import Registry
from sluice.plan.deployment.discovery import Listing
from sluice.plan.deployment.planner import DeploymentPlan, plan
from sluice.plan.deployment.registries import foreign, remembered, wanted, warning
from sluice.plan.deployment.state import State
from unit.deployment.wishes import NOW, PLACE, converge, desired

OURS = "arn:aws:servicediscovery:eu-west-1:111122223333:service/srv-1"
THEIRS = "arn:aws:servicediscovery:eu-west-1:111122223333:service/srv-2"
GIVEN = Registry(arn=OURS)
WAITS = Listing(route="corp", mode="Tasks", entries=True)


@pytest.mark.parametrize(
    ("present", "handed", "asked", "listings", "member"),
    [
        pytest.param((), (), None, (), None, id="none, none asked for"),
        pytest.param((), (), GIVEN, (), [{"registryArn": OURS}], id="given"),
        pytest.param((OURS,), (OURS,), GIVEN, (), [{"registryArn": OURS}], id="kept"),
        pytest.param((OURS,), (OURS,), None, (), [], id="taken away"),
        pytest.param((OURS,), (OURS,), None, (WAITS,), None, id="kept until Sluice's entries answer"),
        pytest.param((THEIRS,), (THEIRS,), GIVEN, (), [{"registryArn": OURS}], id="changed"),
        pytest.param((THEIRS,), (), None, (), None, id="somebody else's is left"),
        pytest.param((THEIRS,), (), GIVEN, (), None, id="somebody else's stays in the way"),
    ],
)
def test_the_member(
    present: tuple[str, ...],
    handed: tuple[str, ...],
    asked: Registry | None,
    listings: tuple[Listing, ...],
    member: list[dict[str, Any]] | None,
) -> None:
    """None leaves the service as it is."""
    wish, state = desired(registry=asked), State(registries=handed)
    service = {"serviceRegistries": [{"registryArn": arn} for arn in present]}
    assert wanted(wish, state, service, listings) == member


def test_what_was_given_is_remembered_until_it_is_gone() -> None:
    """Before the call, and both while one takes the other's place."""
    service = {"serviceRegistries": [{"registryArn": OURS}]}
    assert remembered(State(), None, [{"registryArn": OURS}]) == (OURS,)
    assert remembered(State(registries=(OURS,)), service, [{"registryArn": THEIRS}]) == (THEIRS, OURS)
    assert remembered(State(registries=(OURS,)), service, []) == (OURS,)
    assert remembered(State(registries=(OURS,)), {}, None) == ()


def test_somebody_elses_registry_is_told() -> None:
    """ECS takes one: which is in the way, and what to do."""
    service = {"serviceRegistries": [{"registryArn": THEIRS}]}
    assert foreign(desired(registry=GIVEN), State(), service) == THEIRS
    assert THEIRS in warning(desired(registry=GIVEN), State(), service)
    assert warning(desired(), State(), service) == ""


def test_a_new_service_begins_with_its_registry() -> None:
    """No second deployment for a route that was there first."""
    done, seen = converge(desired(registry=GIVEN))
    service = seen.services[PLACE]
    assert service is not None
    assert service["serviceRegistries"] == [{"registryArn": OURS}]
    assert done.status["registries"] == [OURS]
    assert done.status["conditions"][0]["status"] == "True"


def update(done: DeploymentPlan) -> dict[str, Any]:
    """Return what is sent of the one UpdateService."""
    (action,) = [entry for entry in done.actions if entry.operation == "UpdateService"]
    return {name: value for name, value in action.params.items() if name not in ("cluster", "service")}


def test_a_route_that_comes_later_changes_nothing_but_the_registry() -> None:
    """It is no revision, and is taken away with the route."""
    base, seen = converge(desired())
    given = plan(desired(registry=GIVEN), seen, State.read(base.status), now=NOW)
    assert update(given) == {"serviceRegistries": [{"registryArn": OURS}]}
    assert given.status["registries"] == [OURS]
    later, seen = converge(desired(registry=GIVEN), state=State.read(base.status), seen=seen)
    gone = plan(desired(), seen, State.read(later.status), now=NOW)
    assert update(gone) == {"serviceRegistries": []}
    after, _ = converge(desired(), state=State.read(later.status), seen=seen)
    assert "registries" not in after.status


def test_paused_starts_no_deployment_for_a_registry() -> None:
    """As for target groups."""
    base, seen = converge(desired())
    state = State.read(base.status)
    held = plan(desired(registry=GIVEN, paused=True), seen, dataclasses.replace(state), now=NOW)
    assert held.actions == ()


def test_a_registry_that_ecs_rolled_back_is_not_given_for_ever() -> None:
    """Its deployment failed: told, until there is another revision."""
    base, seen = converge(desired())
    ended = {
        "status": "ROLLBACK_SUCCESSFUL",
        "statusReason": "tasks failed to start",
        "targetServiceRevision": {"serviceRegistries": [{"registryArn": OURS}]},
    }
    seen = dataclasses.replace(seen, deployments=(ended,))
    told = plan(desired(registry=GIVEN), seen, State.read(base.status), now=NOW)
    assert [entry.operation for entry in told.actions] == []
    assert _message(told).startswith("ECS detached the Cloud Map service of the ServiceRoutes again: tasks")


def _message(done: DeploymentPlan) -> str:
    return str(done.status["conditions"][0]["message"])


def test_a_hand_edit_is_repaired() -> None:
    """Somebody took the registry away at the console."""
    wish = desired(registry=GIVEN)
    done, seen = converge(wish)
    service = seen.services[PLACE]
    assert service is not None
    bare = dataclasses.replace(seen, services={PLACE: {**service, "serviceRegistries": []}})
    again = plan(wish, bare, State.read(done.status), now=NOW)
    assert update(again) == {"serviceRegistries": [{"registryArn": OURS}]}
    assert [note.reason for note in again.notes] == ["DriftRepaired"]
