"""Status as the operator publishes it, made of the machine's own memory by the operator's own code."""

from __future__ import annotations

import dataclasses
from typing import Any

from sluice.model.conditions import conditions, timestamp
from sluice.plan.deployment.state import Slot, State
from sluice.plan.progressive.memory import with_motion
from sluice.plan.progressive.steps import describe
from unit.rollout.world import World

GENERATION = 3


def published(world: World, *, generation: int = GENERATION) -> dict[str, Any]:
    """Return the Deployment that a person sees when the world stands as it does."""
    decision = world.last
    if decision is None:
        raise LookupError("the world has not been decided yet")
    steps = [describe(step) for step in world.strategy.steps]
    state = State(
        slot=Slot(revision=world.slots["a"].revision, desired=4, running=4, healthy=4),
        others=(Slot(name="b", revision=world.slots["b"].revision, desired=1, running=1),),
        # The machine's world keeps (revision, outcome); ids are what its next rollouts are named after.
        history=tuple(
            {"id": f"h{number}", "revision": revision, "outcome": outcome}
            for number, (revision, outcome) in reversed(list(enumerate(_whole(world))))
        ),
    )
    state = with_motion(state, world.motion, steps=steps, wake_at=decision.wake_at)
    status = dataclasses.replace(state, observed_generation=generation).write()
    status["phase"] = decision.phase
    status["conditions"] = conditions(
        ready=decision.ready,
        reason=decision.reason,
        message=decision.message,
        generation=generation,
        now=world.now,
    )
    return {
        "apiVersion": "sluice.dev/v1alpha1",
        "kind": "Deployment",
        "metadata": {"name": "checkout", "namespace": "shop", "generation": generation, "uid": "u-1"},
        "spec": {
            "template": {"metadata": {"labels": {"app": "checkout"}}},
            "strategy": {"type": "Progressive", "progressive": {}},
            **({"paused": True} if world.paused else {}),
        },
        "status": status,
    }


def _whole(world: World) -> list[tuple[str, str]]:
    """Return the history with the first rollout, which `live` forgets to keep stories short."""
    before = [("r1", "Succeeded")]
    if world.previous and (world.previous, "Succeeded") not in [*before, *world.history]:
        before.insert(0, (world.previous, "Succeeded"))
    return [*before, *world.history]


def moment(seconds: float) -> str:
    """Return a time as status has it."""
    return timestamp(seconds)
