"""The end of a ServiceRoute: its rules go, wherever they are, then the object may."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sluice.apply.errors import ApplyFailed
from sluice.controllers.parents import resolve_parent
from sluice.controllers.record import Record
from sluice.controllers.route_looks import RouteLooks
from sluice.controllers.settings import ControllerSettings
from sluice.model.binding import CallContext, Priority
from sluice.model.conditions import parse_timestamp
from sluice.model.errors import Refused
from sluice.model.keys import DEPLOYMENT, FINALIZER, Key
from sluice.model.ownership import ROUTE_RULE
from sluice.model.tenancy import PRIORITIES
from sluice.plan.deployment.register import STALE_READS
from sluice.plan.parents import deployments_of, load_balancer_of, parent_refs, tested_refs
from sluice.plan.route.desired import Parent, Problem
from sluice.plan.route.planner import own_rules, plan_removal
from sluice.ports import Object, Result, World


class RouteRemover:
    """Deletes a route's rules and releases the object."""

    def __init__(
        self,
        world: World,
        settings: ControllerSettings,
        looks: RouteLooks,
        tell: Callable[[Record, Problem], None],
    ) -> None:
        """Work with `world`; `tell` puts what is waited for into the conditions."""
        self._world = world
        self._settings = settings
        self._looks = looks
        self._tell = tell

    def remove(self, record: Record) -> Result:
        """Delete the route's rules wherever they are, then let the object go."""
        key = record.key
        if FINALIZER not in record.finalizers:
            return Result()
        if self._settings.suspended:
            self._tell(record, Problem(reason="Paused", message="suspended; the deletion waits"))
            return Result()
        binding = self._looks.binding(self._looks.tenant(key), record.status)
        context = CallContext(binding=binding, priority=Priority.ROLLOUT, key=key)
        unanswered = self._delete_rules(key, record.obj, context)
        until = parse_timestamp(record.obj["metadata"]["deletionTimestamp"]) + STALE_READS
        if unanswered and self._world.clock.now() < until:
            text = f"waiting whether rule {unanswered[0]}, whose creation was not answered, comes to light"
            self._tell(record, Problem(reason="Deleting", message=text))
            return Result(wake_at=until)
        record.release()
        backends = sorted(deployments_of([record.obj]))
        return Result(urgent=tuple(Key(DEPLOYMENT, key.namespace, name) for name in backends))

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
