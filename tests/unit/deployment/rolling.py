"""A rolling Deployment at rest, on its way, and changed by hand: what tables of its rollout begin with."""

from __future__ import annotations

import dataclasses
from typing import Any

from sluice.model.desired import Desired
from sluice.model.observed import Observed
from sluice.plan.deployment.planner import DeploymentPlan, plan
from sluice.plan.deployment.state import State
from unit.deployment.wishes import LISTENER, NOW, PLACE, carry_out, converge, desired

EMPTY = Observed(rules={LISTENER: ()})
OLD, NEW = desired().revision.name, desired(image="web:2").revision.name
NEXT = desired(image="web:2", generation=2)


def settled(**changes: Any) -> tuple[State, Observed]:
    """Return status and facts of a Deployment that is at rest."""
    done, seen = converge(desired(**changes), seen=EMPTY)
    return State.read(done.status), seen


def edited(seen: Observed, **members: Any) -> Observed:
    """Return what is seen after the service changed."""
    found = seen.services[PLACE]
    assert found is not None
    return dataclasses.replace(seen, services={PLACE: {**found, **members}})


def primary(seen: Observed, *, running: int = 1, **members: Any) -> Observed:
    """Return what is seen while the PRIMARY deployment is like this."""
    found = seen.services[PLACE]
    assert found is not None
    deployment = {**found["deployments"][0], "runningCount": running, **members}
    return edited(seen, deployments=[deployment], runningCount=running)


def begun(wish: Desired, **rest: Any) -> tuple[State, Observed, Observed]:
    """Return status while a rollout to `wish` goes on, what was seen before and what is seen then."""
    state, seen = settled(**rest)
    done = plan(wish, seen, state, now=NOW)
    assert done.state.rollout is not None
    carried = carry_out(seen, done.actions)
    known = dict(done.state.definitions) | dict(carried.definitions)
    after = primary(carried, rolloutState="IN_PROGRESS", id="ecs-svc/new")
    state = dataclasses.replace(done.state, definitions=tuple(known.items()), registering=None)
    return state, seen, after


def ready(done: DeploymentPlan) -> tuple[str, str, str]:
    """Return status, reason and message of Ready."""
    found = done.status["conditions"][0]
    return found["status"], found["reason"], found["message"]


def sent(done: DeploymentPlan) -> dict[str, Any] | None:
    """Return what the one UpdateService sends, None without one."""
    found = [dict(action.params) for action in done.actions if action.operation == "UpdateService"]
    assert len(found) <= 1
    return {k: v for k, v in found[0].items() if k not in ("cluster", "service")} if found else None


def notes(done: DeploymentPlan) -> list[tuple[str, str]]:
    """Return the Events of a plan."""
    return [(note.reason, note.message) for note in done.notes]
