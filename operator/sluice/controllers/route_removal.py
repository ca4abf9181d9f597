"""The end of a ServiceRoute: its rules go, wherever they are, and its names; then the object may.

The rules go in the first pass. The names take longer, because clients keep answers: they are hidden, waited
for and removed like those of any task that leaves. Before the object is released the rules are looked for
once more: one whose creation was not answered may have come to light meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from sluice.apply.errors import ApplyFailed
from sluice.controllers import rehearsal
from sluice.controllers.discovery import Asked, NameKeeper, Names, backends_of, concerned, waiting
from sluice.controllers.parents import resolve_parent
from sluice.controllers.record import Record
from sluice.controllers.route_looks import RouteLooks
from sluice.controllers.settings import ControllerSettings
from sluice.model.binding import CallContext, Priority
from sluice.model.conditions import parse_timestamp
from sluice.model.discovery import DiscoveryIntent
from sluice.model.errors import Refused
from sluice.model.keys import DEPLOYMENT, FINALIZER, Key
from sluice.model.ownership import ROUTE_RULE
from sluice.model.tenancy import PRIORITIES
from sluice.plan.deployment.register import STALE_READS
from sluice.plan.parents import deployments_of, load_balancer_of, parent_refs, tested_refs
from sluice.plan.route.desired import Parent, Problem
from sluice.plan.route.planner import own_rules, plan_removal
from sluice.ports import Object, Result, World

_SUSPENDED = Problem(reason="Paused", message="suspended; the deletion waits")


class Tell(Protocol):
    """Puts what is waited for into the conditions, and what is left of the names into the status."""

    def __call__(
        self,
        record: Record,
        problem: Problem,
        discovery: Mapping[str, Any] | None = None,
        *,
        attempt: bool = False,
    ) -> None:
        """Write the status; an `attempt` that begins leaves conditions that say Stalled."""


class RouteRemover:
    """Deletes a route's rules and names and releases the object."""

    def __init__(
        self, world: World, settings: ControllerSettings, *, looks: RouteLooks, names: NameKeeper, tell: Tell
    ) -> None:
        """Work with `world`."""
        self._world = world
        self._settings = settings
        self._looks = looks
        self._names = names
        self._tell = tell

    def remove(self, record: Record) -> Result:
        """Delete the route's rules and names wherever they are, then let the object go."""
        key = record.key
        if FINALIZER not in record.finalizers:
            return Result()
        if self._settings.suspended:
            self._tell(record, _SUSPENDED)
            return Result()
        binding = self._looks.binding(self._looks.tenant(key), record.status)
        context = CallContext(binding=binding, priority=Priority.ROLLOUT, key=key)
        former = self._looks.named_by_spec(record)
        if former or concerned(None, record.status):
            begun = (record.status.get("discovery") or {}).get("generation") == record.generation
            if not begun:
                self._delete_rules(key, record.obj, context)
            left = self._remove_names(record, context, former)
            if left is not None:
                return left
        unanswered = self._delete_rules(key, record.obj, context)
        until = parse_timestamp(record.obj["metadata"]["deletionTimestamp"]) + STALE_READS
        if unanswered and self._world.clock.now() < until:
            text = f"waiting whether rule {unanswered[0]}, whose creation was not answered, comes to light"
            self._tell(record, Problem(reason="Deleting", message=text))
            return Result(wake_at=until)
        backends = {*deployments_of([record.obj]), *backends_of(None, record.status)}
        record.release()
        return Result(urgent=tuple(Key(DEPLOYMENT, key.namespace, name) for name in sorted(backends)))

    def _remove_names(
        self, record: Record, context: CallContext, former: DiscoveryIntent | None
    ) -> Result | None:
        """Take the names out of Cloud Map; None when nothing of them is left."""
        key = record.key
        asked = Asked(
            key=key,
            generation=record.generation,
            intent=None,
            former=former,
            status=record.status,
            context=context,
            tenant=None,
            parents=None,
            backends={name: self._looks.backend(key, name) for name in backends_of(None, record.status)},
        )
        names = self._names.plan(asked)
        actions = [action for plan in names.plans for action in plan.actions]
        if actions and self._settings.dry_run:
            self._tell(record, Problem(reason="Paused", message=rehearsal.told(actions)))
            rehearsal.rehearse(self._world.executor, actions, key=key, binding=context.binding)
        if actions:
            self._tell(record, _leaving(names), names.status, attempt=True)
        for note in names.notes:
            record.note(type_=note.type, reason=note.reason, message=note.message)
        names = self._names.send(names, key=key, binding=context.binding, still_current=lambda: True)
        if names.over:
            return None
        self._tell(record, _leaving(names), names.status)
        if names.error is not None and not isinstance(names.error, Refused):
            raise names.error
        return Result(wake_at=names.wake_at)

    def _delete_rules(self, key: Key, obj: Object, context: CallContext) -> tuple[str, ...]:
        """Delete every rule that is seen; return those that were meant to be made and are not seen."""
        meant: Any = (obj.get("status") or {}).get("parents", ())
        arns = {parent["listenerArn"] for parent in meant}
        for ref in (*parent_refs(obj), *tested_refs(obj)):
            try:
                arns.add(resolve_parent(self._world.facts, context, ref).listener_arn)
            except Refused:
                continue  # no listener, no rules
        parents = [
            Parent(
                name=arn,
                listener_arn=arn,
                load_balancer_arn=load_balancer_of(arn),
                reserved=PRIORITIES,
                rules=rules,
            )
            for arn in sorted(arns)
            if (rules := self._looks.rules(context, arn, max_age=0)) is not None
        ]
        installation = self._settings.installation_id
        actions = plan_removal(key, installation=installation, parents=parents)
        try:
            self._world.executor.run(actions, key=key, binding=context.binding, still_current=lambda: True)
        except ApplyFailed as failed:
            raise failed.cause from failed
        seen = {
            parent.listener_arn: {
                rule["Tags"][ROUTE_RULE] for rule in own_rules(parent, installation=installation, key=key)
            }
            for parent in parents
        }
        return tuple(
            rule["name"]
            for parent in meant
            for rule in parent.get("rules", ())
            if not rule.get("ruleArn")
            and parent["listenerArn"] in seen
            and rule["name"] not in seen[parent["listenerArn"]]
        )


def _leaving(names: Names) -> Problem:
    return names.problem or Problem(reason="Deleting", message=waiting(names))
