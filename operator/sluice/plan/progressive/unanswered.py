"""UpdateService calls that take tasks from a slot: in status before they are sent, until they are answered.

ECS has no token and no precondition for them, so one whose answer never came may still take place after a
later pass gave the slot its tasks back (decision 27). `Slot.may_shrink_to` says what it would leave:

| moment | status.slots[].mayShrinkTo |
|---|---|
| the intent before the call | the count that is asked for; 0 where the revision changes |
| the answer came | as before: absent |
| no answer, or the process died | stays |
| `rollout.work.SETTLING` after whoever sent it gave up | absent again |

Who gave up when is not in status: this process knows when it did, and a new one counts from its own start.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from sluice.model.actions import Action
from sluice.plan.deployment.planner import DeploymentPlan
from sluice.plan.deployment.state import Slot, State


def left_by(action: Action, slot: Slot, *, live: bool) -> int | None:
    """Return how many tasks an action would leave a slot; None where it takes none away.

    The live slot's revision is changed in place, by ECS, task by task.
    """
    params = action.params
    same = (params.get("cluster"), params.get("service")) == (slot.cluster, slot.service_name)
    if action.operation != "UpdateService" or not same:
        return None
    if "taskDefinition" in params and not live:
        return 0
    count = params.get("desiredCount")
    return int(count) if count is not None and int(count) < slot.desired else None


def sending(done: DeploymentPlan) -> DeploymentPlan:
    """Return the plan as the intent says it: with what its actions may take from each slot."""

    def noted(slot: Slot) -> Slot:
        live = done.state.live is not None and done.state.live.slot == slot.name
        counts = [left_by(action, slot, live=live) for action in done.actions]
        known = [count for count in (slot.may_shrink_to, *counts) if count is not None]
        return dataclasses.replace(slot, may_shrink_to=min(known, default=None))

    state = _each(done.state, noted)
    if state == done.state:
        return done
    return dataclasses.replace(done, state=state, status={**done.status, "slots": state.write()["slots"]})


def takes_tasks(action: Action, state: State) -> bool:
    """Tell whether an action takes tasks from one of the slots."""
    live = state.live.slot if state.live else ""
    return any(left_by(action, slot, live=slot.name == live) is not None for slot in state.slots)


def waits(state: State) -> bool:
    """Tell whether such a call may still take place."""
    return any(slot.may_shrink_to is not None for slot in state.slots)


def over(state: State) -> State:
    """Return the state without them: what could take place has, and shows."""
    return _each(state, lambda slot: dataclasses.replace(slot, may_shrink_to=None))


def doubted(state: State) -> State:
    """Return a state that was lost and found again: nobody knows what was sent to a slot that is not live."""
    live = state.live.slot if state.live else ""
    return _each(
        state, lambda slot: slot if slot.name == live else dataclasses.replace(slot, may_shrink_to=0)
    )


def _each(state: State, change: Callable[[Slot], Slot]) -> State:
    return dataclasses.replace(
        state,
        slot=change(state.slot) if state.slot else None,
        others=tuple(change(slot) for slot in state.others),
    )
