"""Reconciles one Deployment: snapshot, wish, look, plan, intent, apply, outcome.

At most two status writes a pass: the intent before the first AWS call, the outcome after the last
(decision 11). The outcome is what planning again says of what was seen plus what AWS answered. Nothing
is called after a status write that failed (rollout.md §7 point 8).

The first pass of a fresh object writes no intent where it only registers a definition and creates a
service: our finalizer says as much. Who finds it on an object without a status looks first (ADR 25).
"""

from __future__ import annotations

import dataclasses
from typing import Final

from sluice.apply.errors import ApplyFailed
from sluice.controllers import rehearsal
from sluice.controllers.deployment_failures import Failures, did_not_happen, known_since, retrying
from sluice.controllers.deployment_looks import Looks, Mood
from sluice.controllers.deployment_removal import Remover
from sluice.controllers.deployment_wish import Tenant, Wish, Wishes
from sluice.controllers.held import held_wish
from sluice.controllers.hook_leftovers import HookLeftovers
from sluice.controllers.lost_time import LostTime
from sluice.controllers.progressive import Progressives, ProgressiveWork
from sluice.controllers.record import Record
from sluice.controllers.settings import ControllerSettings
from sluice.model.actions import Note
from sluice.model.binding import CallContext, Priority
from sluice.model.desired import Desired
from sluice.model.errors import Refused, SluiceError, WriteConflict
from sluice.model.keys import SERVICE_ROUTE, Key
from sluice.model.observed import Observed
from sluice.plan.deployment import history, revision, summary, verbs
from sluice.plan.deployment.absorb import absorb
from sluice.plan.deployment.planner import DeploymentPlan, plan
from sluice.plan.deployment.register import STALE_READS
from sluice.plan.deployment.state import State
from sluice.plan.permit import permit_adoption, permit_place
from sluice.plan.progressive import unanswered
from sluice.ports import Result, World
from sluice.telemetry import tracing

_BY_NAME: Final = frozenset({"RegisterTaskDefinition", "CreateService"})
"""What a look by name and tag finds again."""


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
    progressive: ProgressiveWork | None = None
    """Set where two slots and the machine decide instead of one service."""
    fresh: bool = False
    """Nothing was ever sent to AWS for this object."""


class DeploymentController:
    """`ports.Controller` of the kind Deployment."""

    def __init__(self, world: World, settings: ControllerSettings) -> None:
        """Work with `world` under `settings`."""
        self._world = world
        self._settings = settings
        self._wishes = Wishes(world, settings)
        leftovers = HookLeftovers(world, settings)
        self._remover = Remover(world, settings, self._wishes, leftovers)
        self._failures = Failures(world)
        self._lost = LostTime()
        self._progressives = Progressives(world, settings, self._wishes, leftovers)

    def reconcile(self, key: Key) -> Result:
        """Make ECS equal to the Deployment as far as one pass can; raises SluiceError."""
        obj = self._world.store.get(key)
        if obj is None:
            self._wishes.forget(key)
            self._progressives.forget(key)
            self._failures.touch(key)
            self._lost.forget(key)
            return Result()
        record = Record(self._world, key, obj)
        try:
            if obj["metadata"].get("deletionTimestamp"):
                return self._remover.remove(record)
            fresh = self._failures.untouched(record)
            record.hold()
            with tracing.span("observe"):
                work = self._look(record, fresh=fresh)
            result = self._converge(work)
        except WriteConflict:
            raise
        except ApplyFailed as failed:
            self._lost.failed(key, failed.cause, now=self._world.clock.now())
            raise failed.cause from failed  # told already, with what took place before
        except SluiceError as error:
            self._lost.failed(key, error, now=self._world.clock.now())
            self._progressives.blocked(key, str(error))
            self._failures.tell(record, error, since=self._lost.since(key))
            raise
        self._lost.ended(key, now=self._world.clock.now())
        return result

    # Looking.

    def _look(self, record: Record, *, fresh: bool) -> _Pass:
        key, state = record.key, State.read(record.status)
        try:
            wish, tenant = self._wishes.wish(key, record.obj)
            return self._look_for(record, state, wish, tenant, fresh=fresh)
        except Refused as refused:
            wish, tenant = held_wish(
                key, record.obj, state, refused, wishes=self._wishes, settings=self._settings
            )
            return self._look_for(record, state, wish, tenant, fresh=fresh)

    def _look_for(self, record: Record, state: State, wish: Wish, tenant: Tenant, *, fresh: bool) -> _Pass:
        key, now = record.key, self._world.clock.now()
        progressive = wish.progressive is not None or bool(state.moving)
        handled = verbs.Handled(state=state)
        if not progressive:
            state = unanswered.over(state)  # one service: what comes late is drift, and repaired
            handled = self._verbs(record, state, wish, now=now)
        state = self._lost.granted(key, handled.state, now=now)
        rest = summary.ready_now(record.status, record.generation) and not state.retiring
        context = CallContext(
            binding=tenant.binding, priority=Priority.DRIFT if rest else Priority.ROLLOUT, key=key
        )
        permit_place(tenant.binding, state.arns)
        if wish.desired.adopt and state.slot is None:
            permit_adoption(tenant.binding, wish.desired.adopt.arn)
            if progressive:
                raise Refused(
                    "InvalidSpec",
                    "spec.adopt: goes with strategy type RollingUpdate at first; adopt the service so, and "
                    "change the type once the Deployment is Ready",
                )
        if progressive and state.registries:
            raise Refused(
                "InvalidSpec",
                "spec.strategy.type: Progressive does not go with a ServiceRoute of discovery mode ECS: ECS "
                "would put the candidate into the name at once. Keep RollingUpdate, change the route to mode "
                "Tasks or take its discovery away, and change the type once the Deployment is Ready",
            )
        lost = not fresh and state.slot is None
        mood = Mood(
            fresh=fresh and state.slot is None,
            lost=lost,
            clusters=self._wishes.clusters(key) if lost else (),
            resting=rest,
            look_now=handled.look_now,
            register_unsent=self._failures.register_unsent(key, state),
            just_begun=state.rollout is not None and now < state.rollout.started_at + STALE_READS,
        )
        if progressive:
            work = self._progressives.look(record, wish, tenant, context, state=state, mood=mood)
            return _Pass(
                record=record,
                wish=wish,
                tenant=tenant,
                context=context,
                state=work.state,
                desired=work.desired,
                observed=work.look.observed,
                notes=work.notes,
                progressive=work,
            )
        desired = self._wishes.effective(wish, state, key, rule=tenant.rule)
        desired = self._wishes.routed(desired, context, tenant.rule)
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
            fresh=mood.fresh,
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
        if self._settings.dry_run:
            self._failures.withheld(work.record, rehearsal.told(first.actions))
            rehearsal.rehearse(
                self._world.executor, first.actions, key=work.record.key, binding=work.context.binding
            )
        intent = unanswered.sending(first) if work.progressive else first
        written = not (work.fresh and _found_again(work, first))
        if written:
            self._keep(work, first)
            work.record.save(retrying(work.record, intent.status))
            self._ask(work, first)
        self._failures.touch(work.record.key)
        for note in first.notes:
            self._world.ledger.planned(work.record.key, note.reason, note.message)
        try:
            applied = self._world.executor.run(
                first.actions,
                key=work.record.key,
                binding=work.context.binding,
                still_current=lambda: self._still_current(work),
            )
        except ApplyFailed as failed:
            self._stopped(work, intent, failed, written=written)
            raise
        observed = absorb(work.observed, first.actions[: applied.done], applied.outputs)
        if applied.superseded:
            if work.fresh and not applied.done:
                self._failures.nothing_sent(work.record)
            self._finish(work, known_since(first, work.desired, observed), first.notes)
            return Result(wake_at=self._world.clock.now())
        second = self._plan(work, first.state, observed, again=True)
        second = dataclasses.replace(second, completed=first.completed or second.completed)
        result = self._finish(work, second, (*first.notes, *second.notes))
        if second.actions:
            return dataclasses.replace(result, wake_at=self._world.clock.now())
        return result

    def _stopped(self, work: _Pass, first: DeploymentPlan, failed: ApplyFailed, *, written: bool) -> None:
        """Write and tell what took place before an action failed.

        What AWS has taken, or status has (`written`), is not planned again: told now, or never.
        """
        if not did_not_happen(failed.cause):
            if unanswered.takes_tasks(first.actions[failed.applied.done], first.state):
                self._progressives.unanswered(work.record.key)
        elif work.fresh and not failed.applied.done:
            self._failures.nothing_sent(work.record)
        self._failures.partly(
            work.record,
            failed,
            desired=work.desired,
            observed=work.observed,
            first=first,
            binding=work.context.binding,
        )
        kept = first.notes if failed.applied.done else filter(_decided, first.notes if written else ())
        self._note(work, tuple(kept))
        if first.completed and written:
            self._collect(work, first.state)

    def _plan(self, work: _Pass, state: State, observed: Observed, *, again: bool = False) -> DeploymentPlan:
        with tracing.span("plan") as span:
            if work.progressive:
                planned = self._progressives.plan(work.progressive, state, observed, again=again)
            else:
                routes = self._world.store.routes_to(work.record.key)
                now = self._world.clock.now()
                planned = plan(work.desired, observed, state, now=now, routes=routes)
            if span.recording:
                span.put({tracing.ACTIONS: len(planned.actions)})
        if rollout := planned.status.get("rollout"):
            tracing.in_rollout((work.record.uid, str(rollout.get("id") or "")))
        return planned

    def _finish(self, work: _Pass, done: DeploymentPlan, notes: tuple[Note, ...]) -> Result:
        """Keep the revision, write the outcome, tell, and collect old revisions."""
        record = work.record
        self._keep(work, done)
        before = work.state.traffic.to_status() if work.state.traffic else None
        record.save(done.status)
        self._ask(work, done)
        self._note(work, notes)
        if done.completed:
            self._collect(work, done.state)
        changed = done.status.get("traffic") != before
        if work.desired.listed and _tasks(done.state) != _tasks(work.state):
            changed = True  # other tasks: names are to follow at once, not at the route's next look
        return Result(
            wake_at=done.wake_at,
            urgent=self._routes(record.key) if changed else (),
            rollback=done.rollback,
        )

    def _ask(self, work: _Pass, done: DeploymentPlan) -> None:
        """Let the gates measure and run what the status that was just written speaks of."""
        if work.progressive:
            self._progressives.ask(work.progressive, done)

    def _note(self, work: _Pass, notes: tuple[Note, ...]) -> None:
        for note in dict.fromkeys((*work.notes, *notes)):
            work.record.note(type_=note.type, reason=note.reason, message=note.message)

    def _keep(self, work: _Pass, done: DeploymentPlan) -> None:
        """Keep the revision before a status says that the service has it: a crash does it again."""
        if done.keep:
            self._world.kubernetes.create_revision(
                work.record.obj,
                done.keep.name,
                number=work.desired.generation,
                data=revision.to_data(done.keep),
            )

    def _collect(self, work: _Pass, state: State) -> None:
        """Delete ControllerRevisions beyond the history limit.

        Each is kept by a rollout, so while all rollouts ever are in the history and few, none is too many:
        a first rollout costs no read of them.
        """
        rollouts = len(state.history)
        if rollouts < history.KEPT_ENTRIES and rollouts <= work.desired.history_limit:
            return
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


def _tasks(state: State) -> list[tuple[str, int, int]]:
    """Return how many tasks each service has and shall have."""
    return [(slot.service_arn, slot.desired, slot.running) for slot in (*state.slots, *state.retiring)]


def _decided(note: Note) -> bool:
    """Tell whether a note is about a decision, which status keeps, not about writes still to come."""
    return note.reason not in {"ServiceUpdated", "DriftRepaired"}


def _found_again(work: _Pass, first: DeploymentPlan) -> bool:
    """Tell whether a look by name and tag finds everything that a plan makes, should its answers be lost."""
    return work.progressive is None and {action.operation for action in first.actions} <= _BY_NAME
