"""Two slots behind one load balancer, at rest or half-way: what a pass plans for a decision made by hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sluice.model.actions import Action
from sluice.model.desired import Desired, Revision
from sluice.model.observed import Observed, ServiceId
from sluice.model.rollout import Decision, LiveRevision, Motion, Rollout, SlotOrder, TrafficOrder
from sluice.plan.deployment.planner import DeploymentPlan
from sluice.plan.deployment.state import State
from sluice.plan.progressive.look import Look
from sluice.plan.progressive.planner import plan
from unit.deployment import wishes

NOW: Final = wishes.NOW
OLD: Final = wishes.desired(image="web:1", backends=(wishes.BACKEND,))
NEW: Final = wishes.desired(image="web:2", backends=(wishes.BACKEND,))
R1, R2 = OLD.revision.name, NEW.revision.name
LIVE: Final = LiveRevision(slot="a", revision=R1, since=NOW - 1000)
A: Final = SlotOrder(slot="a", revision=R1, count=2)
B: Final = SlotOrder(slot="b", revision=R2, count=1)
ONLY_A: Final = TrafficOrder(weights={"a": 1000})
SPLIT: Final = TrafficOrder(weights={"a": 950, "b": 50})
ROLLOUT: Final = Rollout(
    id="r2",
    kind="Rollout",
    candidate=R2,
    source=R1,
    slot="b",
    stage="Stepping",
    started_at=NOW - 100,
    stage_since=NOW - 10,
)


def decision(*orders: SlotOrder, rollout: Rollout | None = None, **changes: Any) -> Decision:
    """Return the decision to let r1 serve from slot a, at rest; or these orders in a rollout."""
    moving: dict[str, Any] = {"ready": False, "reason": "RollingOut", "phase": "Progressing"}
    members: dict[str, Any] = {
        "motion": Motion(live=LIVE, rollout=rollout),
        "slots": orders or (A,),
        "traffic": ONLY_A,
        "ready": True,
        "reason": "Available",
        "message": "said by the machine",
        "phase": "Healthy",
    } | (moving if rollout else {})
    return Decision(**(members | changes))


def look(seen: Observed, **changes: Any) -> Look:
    """Return a look at which health was read, with the bodies of both revisions."""
    members: dict[str, Any] = {
        "observed": seen,
        "revisions": {R1: OLD.revision, R2: NEW.revision},
        "health_read": frozenset(seen.healthy),
    }
    return Look(**(members | changes))


def planned(
    seen: Observed,
    state: State,
    what: Decision,
    *,
    wish: Desired = OLD,
    routes: Sequence[Mapping[str, Any]] = (),
    revisions: Mapping[str, Revision] | None = None,
    **looked: Any,
) -> DeploymentPlan:
    """Return what a pass plans."""
    if revisions is not None:
        looked["revisions"] = revisions
    return plan(wish, look(seen, **looked), state, what, now=NOW, routes=routes, steps=("setWeight 5",))


def settle(
    what: Decision,
    *,
    wish: Desired = OLD,
    state: State | None = None,
    seen: Observed | None = None,
) -> tuple[State, Observed]:
    """Plan and carry out until nothing is left to do; each target group finds its tasks healthy."""
    present = state or State()
    observed = seen or Observed(rules={wishes.LISTENER: ()})
    for _ in range(12):
        done = planned(observed, present, what, wish=wish)
        present = State.read(done.status)
        if not done.actions:
            return present, observed
        observed = wishes.carry_out(observed, done.actions)
        arns = [group["TargetGroupArn"] for group in observed.target_groups.values() if group]
        observed = dataclasses.replace(
            observed, healthy={arn: frozenset({"10.0.0.1:8080", "10.0.0.2:8080"}) for arn in arns}
        )
    raise AssertionError(f"no fixpoint: {[action.operation for action in done.actions]}")


REST, REST_SEEN = settle(decision())
"""Slot a at rest."""
BOTH, BOTH_SEEN = settle(decision(A, B, rollout=ROLLOUT, traffic=SPLIT), wish=NEW)
"""Slot b with one task of r2 beside r1 in slot a, with all that a step of five percent needs."""


def service_of(state: State, slot: str) -> ServiceId:
    """Return where a slot's service is."""
    own = next(entry for entry in state.slots if entry.name == slot)
    return ServiceId(own.cluster, own.service_name)


def changed(seen: Observed, place: ServiceId, **members: Any) -> Observed:
    """Return what is seen when a service has other members; `gone=True`: it was deleted."""
    before = seen.services[place] or {}
    found = None if members.pop("gone", False) else {**before, **members}
    return dataclasses.replace(seen, services={**seen.services, place: found})


def calls(done: DeploymentPlan) -> list[str]:
    """Return the operations of a plan."""
    return [action.operation for action in done.actions]


def call(done: DeploymentPlan, operation: str) -> Action:
    """Return the only action of an operation."""
    (found,) = [action for action in done.actions if action.operation == operation]
    return found
