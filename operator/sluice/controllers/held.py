"""The wish of a rollout that stands between two revisions while its spec cannot be followed.

A spec that is refused (a mistake, a ConfigMap that is gone, a role that the tenancy no longer allows) says
nothing about the requests that reach a candidate: they go on, so analysis, alarms, verification, a
person's abort and the way back must go on too. The wish that is made here asks for what is there
already, holds every step forward, and changes nothing in AWS but the rules (`Desired.hold`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sluice.controllers.deployment_wish import Tenant, Wish, Wishes
from sluice.controllers.settings import ControllerSettings
from sluice.model.desired import Desired, Hold, Strategy
from sluice.model.errors import AwsFailure, Deferred, Refused
from sluice.model.keys import Key
from sluice.model.names import family_name
from sluice.model.rollout import BACK
from sluice.plan.deployment.state import State
from sluice.plan.failures import failure_of
from sluice.plan.progressive.memory import motion_of
from sluice.ports import Object

_ADVICE: Final = "the rollout goes no step forward until this is corrected; analysis and rollback go on"


def in_between(state: State) -> bool:
    """Tell whether a rollout has touched anything yet: what only waits to begin can wait on."""
    rollout = motion_of(state).rollout
    return rollout is not None and rollout.stage != "Starting"


def hold_of(refused: Refused) -> Hold:
    """Return the hold that tells why the spec is not followed."""
    return Hold(reason=refused.reason, message=f"{refused.message}; {_ADVICE}")


def hold_blind(error: AwsFailure | Deferred) -> Hold:
    """Return the hold of a pass that could not look: only the load balancer was asked."""
    failure = failure_of(error)
    why = failure.message if failure else str(error)
    return Hold(
        reason=failure.reason if failure else "WaitingForAWSBudget",
        message=f"{why}; the rollout goes no step forward until AWS answers, a rollback goes on",
    )


def held_wish(
    key: Key, obj: Object, state: State, refused: Refused, *, wishes: Wishes, settings: ControllerSettings
) -> tuple[Wish, Tenant]:
    """Return the wish for what is there; raises `refused` where nothing is in between, or not known any more.

    On its way back a rollout asks for its source, so that its candidate does not begin again.
    """
    rollout = motion_of(state).rollout
    if rollout is None or not in_between(state):
        raise refused
    uid, spec = str(obj["metadata"]["uid"]), obj.get("spec") or {}
    wanted = rollout.source if rollout.stage in BACK and rollout.source else rollout.candidate
    known = (wanted, rollout.candidate, rollout.source)
    revision = next((kept for name in known if name and (kept := wishes.kept(key, uid, name))), None)
    if revision is None:
        raise refused
    tenant = wishes.tenant(key)
    desired = Desired(
        key=key,
        uid=uid,
        installation=settings.installation_id,
        generation=int(obj["metadata"]["generation"]),
        family=family_name(settings.installation_id, key),
        revision=revision,
        spec_revision=wanted,
        cluster=next((slot.cluster for slot in state.slots if slot.cluster), ""),
        settings={},
        strategy=Strategy(
            type="Progressive",
            min_ready_seconds=_seconds(spec, "minReadySeconds", Strategy().min_ready_seconds),
            progress_deadline_seconds=_seconds(
                spec, "progressDeadlineSeconds", Strategy().progress_deadline_seconds
            ),
        ),
        paused=True,
        suspended=settings.suspended or spec.get("suspend") is True,
        hold=hold_of(refused),
        selector=str((obj.get("status") or {}).get("selector", "")),
        task_size=(obj.get("status") or {}).get("taskSize") or {},
    )
    return Wish(desired=desired, wanted=revision.name, retain=True), tenant


def _seconds(spec: Mapping[str, Any], member: str, default: int) -> int:
    value = spec.get(member)
    return value if isinstance(value, int) and value >= 0 else default
