"""What a person reads, and what the next pass knows, when a pass ends early.

An error becomes a condition (`plan.failures`), actions that took place before it reach the status, and
what AWS turned out to know better is forgotten. A status that only repeats itself is not written: an
object that waits for an AWS budget tries often, and each try must cost the API server nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from sluice.apply.errors import ApplyFailed
from sluice.controllers.record import Record
from sluice.model.actions import Action
from sluice.model.binding import Binding, Priority
from sluice.model.conditions import WARNINGS
from sluice.model.desired import Desired
from sluice.model.errors import AwsFailure, Deferred, SluiceError, WriteConflict
from sluice.model.keys import FINALIZER, Key
from sluice.model.observed import Observed
from sluice.plan.deployment import summary
from sluice.plan.deployment.absorb import absorb
from sluice.plan.deployment.planner import DeploymentPlan
from sluice.plan.deployment.state import State
from sluice.plan.deployment.summary import Verdict
from sluice.plan.failures import Failure, failure_of, silence
from sluice.ports import World

_RETRIED: Final = frozenset({"AccessDenied", "AWSRejected", "QuotaExceeded", "WaitingForAWSBudget"})
"""Reasons of a write that failed and is tried again as it is."""
_SILENCE: Final = 15.0
"""Seconds without an answer from AWS after which the conditions say so: a hiccup is not worth two writes."""
_SURPRISES: Final = frozenset({"conflict", "not-found", "unknown-outcome"})
"""Somebody was there first, it is gone, or nobody knows: what is cached is worth nothing."""


class Failures:
    """Tells failures; one for the process, one run per key at a time."""

    def __init__(self, world: World) -> None:
        """Write through `world`."""
        self._world = world
        self._unsent: dict[Key, str] = {}
        self._untouched: dict[Key, str] = {}

    def untouched(self, record: Record) -> bool:
        """Tell whether nothing was ever sent to AWS for this object: asked before our finalizer is set.

        An object with our finalizer and without a status was begun by a process that died, unless this
        process set the finalizer and knows that it came no further.
        """
        if FINALIZER not in record.finalizers:
            self.nothing_sent(record)
        return self._untouched.get(record.key) == record.uid

    def nothing_sent(self, record: Record) -> None:
        """Remember that nothing was sent for this object yet."""
        self._untouched[record.key] = record.uid

    def touch(self, key: Key) -> None:
        """Forget it: something is about to be sent, or the object is gone."""
        self._untouched.pop(key, None)

    def register_unsent(self, key: Key, state: State) -> bool:
        """Tell whether the open register intent is ours and its call was refused before it was made.

        Asked once a pass: the answer is used up, because the pass may send it.
        """
        digest = self._unsent.pop(key, "")
        return bool(digest and state.registering and state.registering.definition_hash == digest)

    def tell(self, record: Record, error: SluiceError, *, since: float | None = None) -> None:
        """Put an error of looking or planning into the conditions; what is only slow stays Ready.

        `since` is when AWS last let a pass of this object through to its end, None when it does.
        """
        failure = failure_of(error)
        if failure is None and since is not None and self._world.clock.now() - since >= _SILENCE:
            failure = silence(error)
        if failure is None or (failure.passing and summary.ready_now(record.status, record.generation)):
            return
        if failure.passing and _told(record, failure):
            return
        state = State.read(record.status)
        verdict = Verdict(ready=False, reason=failure.reason, message=failure.message)
        found = summary.judged(
            state, verdict, record.generation, now=self._world.clock.now(), warnings=_warnings(record)
        )
        record.save({**record.status, **found, "phase": summary.phase(verdict, None)})

    def withheld(self, record: Record, message: str) -> None:
        """Say what a dry run would do; everything else of the status stays as it is."""
        state = State.read(record.status)
        verdict = Verdict(ready=False, reason="Paused", message=message)
        now, warnings = self._world.clock.now(), _warnings(record)
        found = summary.judged(state, verdict, record.generation, now=now, warnings=warnings)
        record.save({**record.status, **found, "phase": summary.phase(verdict, None)})

    def partly(
        self,
        record: Record,
        failed: ApplyFailed,
        *,
        desired: Desired,
        observed: Observed,
        first: DeploymentPlan,
        binding: Binding,
    ) -> None:
        """Write what is known of actions of `first` that took place before the one that failed."""
        cause, done = failed.cause, failed.applied.done
        action = first.actions[done]
        if isinstance(cause, AwsFailure) and cause.kind in _SURPRISES:
            self._world.facts.forget(binding, *_subjects(action, first))
        if isinstance(cause, WriteConflict) or (
            isinstance(cause, Deferred) and action.priority is Priority.GARBAGE
        ):
            return  # a newer object follows; collection waits for spare tokens and nobody needs to know
        known = known_since(first, desired, absorb(observed, first.actions[:done], failed.applied.outputs))
        state = known.state
        if action.operation == "RegisterTaskDefinition" and state.registering and did_not_happen(cause):
            self._unsent[record.key] = state.registering.definition_hash
        status = dict(known.status)
        failure = failure_of(cause, subject=action.subject)
        ready = summary.ready_now(record.status, record.generation)
        if failure and failure.passing and _told(record, failure):
            status = _keep_conditions(record, status)
        elif failure and ready and action.priority is Priority.GARBAGE:
            # Ready as before: it would say False now and True after the next pass, which plans no collection.
            status = _keep_conditions(record, status)
            if not failure.passing:
                record.note(type_="Warning", reason=failure.reason, message=failure.message)
        elif failure and not (failure.passing and ready):
            verdict = Verdict(ready=False, reason=failure.reason, message=failure.message)
            status["conditions"] = summary.judged(
                State.read(record.status),
                verdict,
                record.generation,
                now=self._world.clock.now(),
                warnings="\n".join(desired.warnings),
            )["conditions"]
            status["phase"] = summary.phase(verdict, None)
        record.save(status)


def _subjects(action: Action, first: DeploymentPlan) -> list[str]:
    """Return the ARNs and names to look at again: the action's, and the groups that it may refer to."""
    members = ("ListenerArn", "RuleArn", "TargetGroupArn", "Name", "serviceName", "service")
    names = {str(value) for name in members if isinstance(value := action.params.get(name), str)}
    for group in first.state.target_groups:
        names |= {group.name, group.arn}
    return sorted(names - {""})


def known_since(first: DeploymentPlan, desired: Desired, observed: Observed) -> DeploymentPlan:
    """Return the first plan's intent with the ARNs that became known since; nothing new is decided."""
    state = first.state
    intent = state.registering.definition_hash if state.registering else ""
    for digest in dict.fromkeys((desired.revision.definition_hash, intent)):
        arn = observed.definitions.get(digest)
        if arn and digest not in dict(state.definitions):
            definitions = (*state.definitions, (digest, arn))
            state = dataclasses.replace(state, definitions=definitions, registering=None)
    arns = {name: group["TargetGroupArn"] for name, group in observed.target_groups.items() if group}
    groups = tuple(
        dataclasses.replace(group, arn=arns.get(group.name, group.arn)) for group in state.target_groups
    )
    state = dataclasses.replace(state, target_groups=groups)
    status = {**first.status, **state.write(), "conditions": first.status["conditions"]}
    if state.registering is None:
        status.pop("registering", None)
    return dataclasses.replace(first, state=state, status=status, actions=(), keep=None, completed=False)


def retrying(record: Record, status: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an intent that does not cover up the failure that it tries again."""
    reasons = {
        entry["reason"]
        for entry in record.status.get("conditions") or ()
        if entry["type"] == "Ready" and entry["observedGeneration"] == record.generation
    }
    return _keep_conditions(record, status) if reasons & _RETRIED else status


def _keep_conditions(record: Record, status: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: record.status[name] for name in ("conditions", "phase") if name in record.status}
    return {**status, **kept}


def _told(record: Record, failure: Failure) -> bool:
    """Whether the status says the same reason already, whatever its message.

    Which bucket or call is slow changes from pass to pass; that AWS is slow does not.
    """
    return any(
        entry["type"] == "Ready"
        and (entry["reason"], entry["observedGeneration"]) == (failure.reason, record.generation)
        for entry in record.status.get("conditions") or ()
    )


def _warnings(record: Record) -> str:
    return next(
        (entry["message"] for entry in record.status.get("conditions") or () if entry["type"] == WARNINGS),
        "",
    )


def did_not_happen(cause: SluiceError) -> bool:
    """Tell whether a failed call certainly changed nothing in AWS."""
    return not (isinstance(cause, AwsFailure) and cause.kind == "unknown-outcome")
