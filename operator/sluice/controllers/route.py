"""Reconcile one ServiceRoute: rules that carry the weights its Deployments publish, names, and the proof.

The pass: a look at listeners, Cloud Map and backends, two pure plans, the intent of both in one status write
(priorities before CreateRule, weights and entries before they are sent), the writes, a read of what was
written, the acknowledgements in a second one. The halves, `route_rules` and `discovery`, do not know each
other: what goes wrong with one is told and keeps the other from nothing. In a rollback the rules' writes come
first of all, and the names in the pass right after it. A backend's key is urgent when its acknowledgement
changed, so that a rollout does not wait for two watch round trips (rollout.md §7 point 9), and goes through
the rollback's lane in a rollback.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sluice.controllers import rehearsal
from sluice.controllers.discovery import Asked, NameKeeper, Names, concerned, waiting
from sluice.controllers.record import Record
from sluice.controllers.route_looks import RouteLooks, RoutePass
from sluice.controllers.route_removal import RouteRemover
from sluice.controllers.route_rules import RuleKeeper, Rules
from sluice.controllers.settings import ControllerSettings
from sluice.model.actions import Action
from sluice.model.errors import LeadershipLost, Refused, SluiceError, WriteConflict
from sluice.model.keys import DEPLOYMENT, Key
from sluice.plan.failures import failure_of
from sluice.plan.route.desired import Problem
from sluice.plan.route.observed import remark, without_observed
from sluice.plan.route.status import is_ready, is_stalled, together, with_conditions
from sluice.ports import Result, World
from sluice.telemetry import tracing

_FOLLOW = Problem(reason="RollingOut", message="the name in Cloud Map follows the listener rules")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """The two halves of a pass, before or after their writes."""

    seen: RoutePass
    rules: Rules | None
    error: SluiceError | None
    """What ended the rules' half."""
    names: Names | None
    """None where the route has no name, and where the rules come first."""
    named: bool
    """The route has, had or shall have a name in Cloud Map."""


class RouteController:
    """`ports.Controller` of the kind ServiceRoute."""

    def __init__(self, world: World, settings: ControllerSettings) -> None:
        """Work with `world` under `settings`."""
        self._world = world
        self._settings = settings
        self._looks = RouteLooks(world, settings)
        self._rules = RuleKeeper(world, settings, self._looks)
        self._names = NameKeeper(world, settings)
        self._remover = RouteRemover(
            world, settings, looks=self._looks, names=self._names, tell=self._tell_problem
        )

    def reconcile(self, key: Key) -> Result:
        """Make rules and names equal to the route's spec and to what its Deployments publish."""
        obj = self._world.store.get(key)
        if obj is None:
            self._looks.forget(key)
            return Result()
        record = Record(self._world, key, obj)
        try:
            if "deletionTimestamp" in obj["metadata"]:
                return self._remover.remove(record)
            record.hold()
            return self._converge(self._looks.begin(record))
        except WriteConflict:
            raise
        except SluiceError as error:
            self._tell(record, error)
            raise

    def _converge(self, begun: RoutePass) -> Result:
        work = self._plan(begun)
        if self._settings.suspended:
            return self._report_only(work)
        if self._settings.dry_run and (actions := _writes(work)):
            self._tell_problem(work.seen.record, Problem(reason="Paused", message=rehearsal.told(actions)))
            rehearsal.rehearse(
                self._world.executor, actions, key=work.seen.key, binding=work.seen.context.binding
            )
        if work.error is not None and not work.named:
            raise work.error
        if (work.rules and work.rules.plan.actions) or (work.names and work.names.acts):
            self._write_status(work, done=False)
        for note in (
            *(work.rules.plan.notes if work.rules else ()),
            *(work.names.notes if work.names else ()),
        ):
            work.seen.record.note(type_=note.type, reason=note.reason, message=note.message)
        work = self._send(work)
        if work.rules and work.rules.superseded:
            return Result(wake_at=self._world.clock.now(), rollback=work.seen.rollback)
        if work.error is not None and not work.named:
            raise work.error
        self._write_status(work, done=True)
        return self._result(work)

    # The halves.

    def _plan(self, begun: RoutePass) -> _Work:
        seen, rules, error = begun, None, None
        try:
            with tracing.span("observe"):
                seen = self._looks.look(begun)
            rules = self._rules.plan(seen)
        except (WriteConflict, LeadershipLost):
            raise
        except SluiceError as failed:
            error = failed
        named = concerned(seen.intent.discovery, seen.previous)
        rules_first = seen.rollback and rules is not None and bool(rules.plan.actions)
        asked = Asked(
            key=seen.key,
            generation=seen.generation,
            intent=seen.intent.discovery,
            status=seen.previous,
            context=seen.context,
            tenant=seen.tenant,
            parents=None if error is not None or seen.lost else seen.parents,
            backends=seen.named,
        )
        names = self._names.plan(asked) if named and not rules_first else None
        return _Work(seen=seen, rules=rules, error=error, names=names, named=named)

    def _send(self, work: _Work) -> _Work:
        rules, names, error = work.rules, work.names, work.error
        if rules is not None:
            try:
                rules = self._rules.send(rules)
            except (WriteConflict, LeadershipLost):
                raise
            except SluiceError as failed:
                rules, error = None, failed
        if names is not None and not (rules and rules.superseded):
            names = self._names.send(
                names,
                key=work.seen.key,
                binding=work.seen.context.binding,
                still_current=lambda: self._looks.still_current(work.seen),
            )
        return replace(work, rules=rules, names=names, error=error)

    def _result(self, work: _Work) -> Result:
        """Return when to look again; raises what stopped a half that nothing else brings back sooner."""
        again = self._rules.again(work.rules) if work.rules else None
        wakes = [again, work.names.wake_at if work.names else None]
        if work.named and work.names is None:
            wakes.append(self._world.clock.now())
        if work.error is not None and wakes[1] is None:
            raise work.error
        failed = work.names.error if work.names else None
        if failed is not None and work.error is None:
            if again is None and not isinstance(failed, Refused):
                raise failed
            wakes[1] = None
        times = [time for time in wakes if time is not None]
        changed = _told(work.seen.record.status) != _told(work.seen.previous)
        names = {*work.seen.backends, *work.seen.named} if changed else ()
        return Result(
            wake_at=min(times, default=None),
            urgent=tuple(Key(DEPLOYMENT, work.seen.key.namespace, name) for name in sorted(names)),
            rollback=work.seen.rollback,
        )

    def _report_only(self, work: _Work) -> Result:
        for action in _writes(work):
            work.seen.record.note(
                type_="Warning",
                reason="DriftFound",
                message=f"suspended; would send {action.operation} for {action.subject}: {action.reason}",
            )
        if work.error is not None:
            raise work.error
        return Result()

    # Status.

    def _write_status(self, work: _Work, *, done: bool) -> None:
        seen, rules, names = work.seen, work.rules, work.names
        now = seen.record.status
        problem = together(self._rules_problem(work, done=done), self._names_problem(work))
        if rules is not None:
            own: Mapping[str, Any] = self._rules.status(rules, now, failed=problem is not None)
        else:
            own = {member: now[member] for member in ("parents", "backends", "summary") if member in now}
        body: dict[str, Any] = {"intents": dict(seen.previous.get("intents", {})), **own}
        discovery = names.status if names is not None else now.get("discovery")
        if discovery is not None:
            body["discovery"] = discovery
        if work.named and self._rules_stand(work, done=done):
            body["rulesGeneration"] = seen.generation
        status = with_conditions(
            body,
            # The pass's own intent is no transition: what was Ready and is again never ceased to be.
            previous=seen.previous,
            generation=seen.generation,
            now=self._world.clock.now(),
            problem=problem,
            remark=remark(body.get("backends", ())),
        )
        if not done and is_stalled(seen.previous, generation=seen.generation):
            # An attempt disproves nothing: nobody is told that what waits for a person comes and goes.
            status["conditions"] = seen.previous["conditions"]
        seen.record.save(status)

    def _rules_stand(self, work: _Work, *, done: bool) -> bool:
        """Tell whether the rules are proven for this generation and every published weight."""
        rules = work.rules
        if rules is None or rules.problem is not None or (rules.plan.actions and not done):
            return False
        proven = rules.proof is not None and not rules.proof.wrong
        return proven or (rules.seen.memory.settled and not rules.plan.actions)

    def _rules_problem(self, work: _Work, *, done: bool) -> Problem | None:
        ready = is_ready(work.seen.previous, generation=work.seen.generation)
        if work.error is not None:
            failure = failure_of(work.error)
            if ready and (failure is None or failure.passing):
                return None
            if failure is None:
                return Problem(reason="RollingOut", message=f"the listener rules: {work.error}")
            return Problem(reason=failure.reason, message=failure.message)
        if work.rules is None:
            return None
        if not done and work.rules.plan.actions and work.rules.problem is None:
            count = len(work.rules.plan.actions)
            return Problem(reason="RollingOut", message=f"writing {count} listener rule changes")
        return work.rules.problem

    def _names_problem(self, work: _Work) -> Problem | None:
        names = work.names
        if names is None:
            return _FOLLOW if work.named else None
        if names.error is not None and is_ready(work.seen.previous, generation=work.seen.generation):
            failure = failure_of(names.error)
            if failure is None or failure.passing:
                return None
        if names.problem is not None or names.settled:
            return names.problem
        return Problem(reason="RollingOut", message=waiting(names))

    def _tell(self, record: Record, error: SluiceError) -> None:
        """Put an error into the conditions; what worked and is only slow stays Ready."""
        failure = failure_of(error)
        if failure is None:
            return
        if failure.passing and is_ready(record.status, generation=record.generation):
            return
        self._tell_problem(record, Problem(reason=failure.reason, message=failure.message))

    def _tell_problem(
        self,
        record: Record,
        problem: Problem,
        discovery: Mapping[str, Any] | None = None,
        *,
        attempt: bool = False,
    ) -> None:
        """Put a problem into the conditions and leave the rest of the status as it is.

        An `attempt` that begins leaves conditions that say Stalled: it disproves nothing.
        """
        body = record.status if discovery is None else {**record.status, "discovery": discovery}
        if attempt and is_stalled(record.status, generation=record.generation):
            record.save(body)
            return
        status = with_conditions(
            body,
            previous=record.status,
            generation=record.generation,
            now=self._world.clock.now(),
            problem=problem,
        )
        record.save(status)


def _writes(work: _Work) -> list[Action]:
    """Return all that would be sent, rules before names."""
    names = work.names.plans if work.names else ()
    return [
        *(work.rules.plan.actions if work.rules else ()),
        *(action for plan in names for action in plan.actions),
    ]


def _told(status: Mapping[str, Any]) -> tuple[object, ...]:
    """Return what a status tells the Deployments that its route names."""
    named = status.get("discovery") or {}
    entries = [without_observed(entry) for entry in status.get("backends", ())]
    return entries, named.get("acknowledgement"), named.get("registryArn"), bool(named.get("instances"))
