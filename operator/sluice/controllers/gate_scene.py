"""What the gates need to know to ask about a rollout: where its slots are, and how its tasks run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sluice.model import ownership
from sluice.model.binding import CallContext
from sluice.model.desired import Desired, Revision
from sluice.model.keys import Key
from sluice.model.names import short_hash
from sluice.model.rollout import Decision
from sluice.model.strategy import Progressive
from sluice.model.traffic import SlotTarget
from sluice.plan.deployment.state import State
from sluice.ports import GateScene
from sluice.rollout.hooks import attempts

_OWNER: Final = 32


def scene(
    context: CallContext,
    desired: Desired,
    state: State,
    decision: Decision,
    strategy: Progressive,
    revisions: Mapping[str, Revision],
) -> GateScene:
    """Return the scene of the rollout that goes on."""
    rollout = decision.motion.rollout
    groups: dict[str, list[SlotTarget]] = {}
    for group in state.target_groups:
        if group.arn:
            groups.setdefault(group.slot, []).append(group.target())
    return GateScene(
        context=context,
        uid=desired.uid,
        rollout_id=rollout.id if rollout else "",
        revisions={"candidate": rollout.candidate, "source": rollout.source} if rollout else {},
        groups=groups,
        alarms=strategy.analysis.alarms,
        hooks={hook.name: hook for hook in strategy.hooks},
        task=_task(desired, state, rollout.candidate if rollout else "", revisions),
        attempts=attempts(rollout) if rollout else frozenset(),
    )


def started_by(installation: str, key: Key) -> str:
    """Return what the tasks of an object's hooks are started by: it says whose they are, as their tags do.

    Like ownership it outlives a restore, which gives a new uid. Up to 128 letters, digits, `-`, `/` and `_`
    (botocore, ecs, RunTaskRequest.startedBy).
    """
    return f"sluice/{short_hash(installation, str(key), length=_OWNER)}"


def _task(desired: Desired, state: State, name: str, revisions: Mapping[str, Revision]) -> dict[str, Any]:
    revision = revisions.get(name)
    arn = dict(state.definitions).get(revision.definition_hash, "") if revision else ""
    if revision is None or not arn:
        return {}
    members = ("networkConfiguration", "launchType", "capacityProviderStrategy", "platformVersion")
    tags = ownership.owner_tags(desired.installation, desired.key, role="hook", uid=desired.uid)
    return {
        "cluster": desired.cluster,
        "startedBy": started_by(desired.installation, desired.key),
        "taskDefinition": arn,
        **{member: revision.service[member] for member in members if revision.service.get(member)},
        "tags": ownership.to_ecs({**desired.tags, **tags}),
    }
