"""Reconciles one Deployment: snapshot, wish, look, plan, intent, apply, outcome.

At most two status writes a pass: the intent before the first AWS call, the outcome after the last
(decision 11). The outcome is what planning again says of what was seen plus what AWS answered. Nothing
is called after a status write that failed (rollout.md §7 point 8).
"""

from __future__ import annotations

import dataclasses

from sluice.apply.errors import ApplyFailed
from sluice.controllers.deployment_looks import Looks, Mood
from sluice.controllers.deployment_removal import Remover
from sluice.controllers.deployment_wish import Tenant, Wish, Wishes
from sluice.controllers.record import Record
from sluice.controllers.settings import ControllerSettings
from sluice.model.actions import Action, Note
from sluice.model.binding import CallContext, Priority
from sluice.model.desired import Desired
from sluice.model.errors import AwsFailure, Deferred, Refused, SluiceError, WriteConflict
from sluice.model.keys import FINALIZER, SERVICE_ROUTE, Key
from sluice.model.observed import Observed
from sluice.plan.deployment import history, revision, summary, verbs
from sluice.plan.deployment.absorb import absorb
from sluice.plan.deployment.planner import DeploymentPlan, plan
from sluice.plan.deployment.service import cluster_account
from sluice.plan.deployment.state import State
from sluice.plan.deployment.summary import Verdict
from sluice.plan.failures import Failure, failure_of
from sluice.ports import Result, World


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Pass:
    """What one pass works with."""

    record: Record
    wish: Wish
    tenant: Tenant
    context: CallContext
    state: State
    """Status as read, with the verbs of this pass."""
    desired: Desired
    observed: Observed
    notes: tuple[Note, ...]


class DeploymentController:
    """`ports.Controller` of the kind Deployment."""

    def __init__(self, world: World, settings: ControllerSettings) -> None:
        """Work with `world` under `settings`."""
        self._world = world
        self._settings = settings
        self._wishes = Wishes(world, settings)
        self._remover = Remover(world, settings, self._wishes)

    def reconcile(self, key: Key) -> Result:
        """Make ECS equal to the Deployment as far as one pass can; raises SluiceError."""
        obj = self._world.store.get(key)
        if obj is None:
            self._wishes.forget(key)
            return Result()
        record = Record(self._world, key, obj)
        try:
            if obj["metadata"].get("deletionTimestamp"):
                return self._remover.remove(record)
            fresh = FINALIZER not in record.finalizers
            record.hold()
            return self._converge(self._look(record, fresh=fresh))
        except WriteConflict:
            raise
        except SluiceError as error:
            self._tell(record, error)
            raise

    # Looking.

    def _look(self, record: Record, *, fresh: bool) -> _Pass:
        key, now = record.key, self._world.clock.now()
        state = State.read(record.status)
        wish, tenant = self._wishes.wish(key, record.obj)
        handled = self._verbs(record, state, wish, now=now)
        state = handled.state
        rest = summary.ready_now(record.status, record.generation) and not state.retiring
        context = CallContext(
            binding=tenant.binding, priority=Priority.DRIFT if rest else Priority.ROLLOUT, key=key
        )
        _same_account(state, tenant)
        desired = self._wishes.effective(wish, state, key)
        desired = dataclasses.replace(desired, backends=self._wishes.backends(context, key, tenant.rule))
        mood = Mood(
            fresh=fresh and state.slot is None,
            lost=not fresh and state.slot is None,
            resting=rest,
            look_now=handled.look_now,
        )
        looks = Looks(self._world.facts, context, self._settings, mood)
        return _Pass(
            record=record,
            wish=wish,
            tenant=tenant,
            context=context,
            state=state,
            desired=desired,
            observed=looks.look(desired, state),
            notes=handled.notes,
        )

    def _verbs(self, record: Record, state: State, wish: Wish, *, now: float) -> verbs.Handled:
        annotations = record.obj["metadata"].get("annotations") or {}
        intents = verbs.unhandled(annotations, state.intents)
        if not intents:
            return verbs.Handled(state=state)
        known = self._wishes.known(record.key) if any(entry.verb == "undo" for entry in intents) else ()
        return verbs.apply(
            state,
            intents,
            wanted=wish.wanted,
            known=frozenset(known),
            deadline=wish.desired.strategy.progress_deadline_seconds,
            now=now,
        )

    # Acting.

    def _converge(self, work: _Pass) -> Result:
        first = self._plan(work, work.state, work.observed)
        if not first.actions:
            return self._finish(work, first, first.notes)
        work.record.save(first.status)
        try:
            applied = self._world.executor.run(
                first.actions,
                key=work.record.key,
                binding=work.context.binding,
                still_current=lambda: self._still_current(work),
            )
        except ApplyFailed as failed:
            self._partly(work, first, failed)
            raise failed.cause from failed
        observed = absorb(work.observed, first.actions[: applied.done], applied.outputs)
        if applied.superseded:
            self._finish(work, _stopped(first, observed, work, now=self._world.clock.now()), first.notes)
            return Result(wake_at=self._world.clock.now())
        second = self._plan(work, first.state, observed)
        second = dataclasses.replace(second, completed=first.completed or second.completed)
        result = self._finish(work, second, (*first.notes, *second.notes))
        if second.actions:
            return dataclasses.replace(result, wake_at=self._world.clock.now())
        return result

    def _plan(self, work: _Pass, state: State, observed: Observed) -> DeploymentPlan:
        routes = self._world.store.routes_to(work.record.key)
        return plan(work.desired, observed, state, now=self._world.clock.now(), routes=routes)

    def _finish(self, work: _Pass, done: DeploymentPlan, notes: tuple[Note, ...]) -> Result:
        """Keep the revision, write the outcome, tell, and collect old revisions."""
        record, desired = work.record, work.desired
        if done.keep:
            self._world.kubernetes.create_revision(
                record.obj, done.keep.name, number=desired.generation, data=revision.to_data(done.keep)
            )
        traffic = record.status.get("traffic")
        record.save(done.status)
        for note in dict.fromkeys((*work.notes, *notes)):
            record.note(type_=note.type, reason=note.reason, message=note.message)
        if done.completed:
            self._collect(work, done.state)
        changed = done.status.get("traffic") != traffic
        return Result(
            wake_at=done.wake_at,
            urgent=self._routes(record.key) if changed else (),
            rollback=done.rollback,
        )

    def _collect(self, work: _Pass, state: State) -> None:
        """Delete ControllerRevisions beyond the history limit."""
        needed = history.protected(state, work.wish.wanted, work.desired.revision.name)
        surplus = history.surplus_revisions(
            self._wishes.known(work.record.key),
            current=work.desired.revision.name,
            needed=needed,
            limit=work.desired.history_limit,
        )
        for name in surplus:
            self._world.kubernetes.delete_revision(work.record.key.namespace, name)

    def _routes(self, key: Key) -> tuple[Key, ...]:
        return tuple(
            Key(SERVICE_ROUTE, key.namespace, route["metadata"]["name"])
            for route in self._world.store.routes_to(key)
        )

    def _still_current(self, work: _Pass) -> bool:
        """Compare with the store right before a write: the same spec, alive, the same person's word."""
        obj = self._world.store.get(work.record.key)
        if obj is None:
            return False
        now, then = obj["metadata"], work.record.obj["metadata"]
        return (
            now["uid"] == then["uid"]
            and now["generation"] == then["generation"]
            and now.get("annotations") == then.get("annotations")
            and bool(now.get("deletionTimestamp")) == bool(then.get("deletionTimestamp"))
        )

    # Failing.

    def _partly(self, work: _Pass, first: DeploymentPlan, failed: ApplyFailed) -> None:
        """Write what is known of actions that took place before the one that failed."""
        cause, action = failed.cause, first.actions[failed.applied.done]
        observed = absorb(work.observed, first.actions[: failed.applied.done], failed.applied.outputs)
        now = self._world.clock.now()
        known = _stopped(first, observed, work, now=now)
        state = known.state
        if action.operation == "RegisterTaskDefinition" and _did_not_happen(cause):
            state = dataclasses.replace(state, registering=None)
        self._after_failure(work, action, cause)
        if isinstance(cause, Deferred) and action.priority is Priority.GARBAGE:
            return  # collection waits for spare tokens; nobody needs to know
        failure = failure_of(cause)
        status = {**known.status, **state.write(), "conditions": known.status["conditions"]}
        if not state.registering:
            status.pop("registering", None)
        if failure and failure.passing and _told(work.record, failure):
            status["conditions"] = work.record.status["conditions"]
            status["phase"] = work.record.status.get("phase", status["phase"])
        elif failure and not (
            failure.passing and summary.ready_now(work.record.status, work.record.generation)
        ):
            verdict = Verdict(ready=False, reason=failure.reason, message=failure.message)
            status["conditions"] = summary.judged(
                state, verdict, work.record.generation, now=now, warnings="\n".join(work.desired.warnings)
            )["conditions"]
            status["phase"] = summary.phase(verdict, None)
        if not isinstance(cause, WriteConflict):
            work.record.save(status)

    def _after_failure(self, work: _Pass, action: Action, cause: SluiceError) -> None:
        """Look again at what turned out to be different: somebody was there first, or it is gone."""
        if isinstance(cause, AwsFailure) and cause.kind in {"conflict", "not-found", "unknown-outcome"}:
            names = {
                str(action.params[name])
                for name in ("ListenerArn", "RuleArn", "TargetGroupArn", "Name", "serviceName", "service")
                if isinstance(action.params.get(name), str)
            }
            for group in work.state.target_groups:
                names |= {group.name, group.arn}
            self._world.facts.forget(work.context.binding, *sorted(names))

    def _tell(self, record: Record, error: SluiceError) -> None:
        """Put an error of the looking or planning into the conditions; what is only slow stays Ready."""
        failure = failure_of(error)
        if failure is None or (failure.passing and summary.ready_now(record.status, record.generation)):
            return
        if failure.passing and _told(record, failure):
            return
        state = State.read(record.status)
        verdict = Verdict(ready=False, reason=failure.reason, message=failure.message)
        found = summary.judged(state, verdict, record.generation, now=self._world.clock.now())
        record.save({**record.status, **found, "phase": summary.phase(verdict, None)})


def _stopped(first: DeploymentPlan, observed: Observed, work: _Pass, *, now: float) -> DeploymentPlan:
    """Return the first plan's intent with what became known since; nothing new is decided."""
    state = first.state
    found = {name: group["TargetGroupArn"] for name, group in observed.target_groups.items() if group}
    digest = work.desired.revision.definition_hash
    arn = observed.definitions.get(digest)
    if arn and digest not in dict(state.definitions):
        state = dataclasses.replace(state, definitions=(*state.definitions, (digest, arn)), registering=None)
    groups = tuple(
        dataclasses.replace(group, arn=found.get(group.name, group.arn)) for group in state.target_groups
    )
    state = dataclasses.replace(state, target_groups=groups)
    written = state.write()
    status = {**first.status, **written, "conditions": first.status["conditions"]}
    if state.registering is None:
        status.pop("registering", None)
    return DeploymentPlan(state=state, status=status, wake_at=now)


def _told(record: Record, failure: Failure) -> bool:
    """Whether the status says the same reason already, whatever its message.

    Which bucket or call is slow changes from pass to pass; that AWS is slow does not.
    """
    return any(
        entry["type"] == "Ready"
        and (entry["reason"], entry["observedGeneration"]) == (failure.reason, record.generation)
        for entry in record.status.get("conditions") or ()
    )


def _did_not_happen(cause: SluiceError) -> bool:
    """Whether a failed call certainly changed nothing in AWS."""
    return not (isinstance(cause, AwsFailure) and cause.kind == "unknown-outcome")


def _same_account(state: State, tenant: Tenant) -> None:
    """Refuse to move to another account or region: the old service would be left behind."""
    if not (state.slot and state.slot.service_arn):
        return
    account, region = cluster_account(state.slot.service_arn)
    binding = tenant.binding
    if (binding.account and account != binding.account) or (binding.region and region != binding.region):
        raise Refused(
            "InvalidSpec",
            f"spec.ecs.account: the ECS service is in {account}/{region}, the account asked for is "
            f"{binding}; an account cannot be changed, create another Deployment and delete this one",
        )
