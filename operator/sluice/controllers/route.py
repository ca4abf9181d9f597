"""Reconcile one ServiceRoute: rules that carry the weights its Deployments publish, and the proof.

The pass: listeners and backends, the rules as they are, a pure plan, the intent (priorities before
CreateRule), the writes, a read of what was written, the acknowledgement. A backend's key is urgent
when its acknowledgement changed, so that a rollout does not wait for two watch round trips
(rollout.md §7 point 9).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sluice.api.v1alpha1.route import parse_route
from sluice.apply.errors import ApplyFailed
from sluice.controllers.parents import resolve_parent
from sluice.controllers.record import Record
from sluice.controllers.settings import ControllerSettings
from sluice.model.binding import Binding, CallContext, Priority
from sluice.model.conditions import parse_timestamp
from sluice.model.errors import AwsFailure, Refused, SluiceError, WriteConflict
from sluice.model.keys import DEPLOYMENT, FINALIZER, Key
from sluice.model.ownership import ROUTE_RULE
from sluice.model.tenancy import PRIORITIES, TenancyRule
from sluice.model.traffic import Traffic
from sluice.plan.deployment.register import STALE_READS
from sluice.plan.failures import failure_of
from sluice.plan.parents import deployments_of, load_balancer_of, parent_refs
from sluice.plan.permit import binding_for, permit_hostname, permit_listener, permit_place, rule_for
from sluice.plan.route.desired import BackendFacts, Parent, Problem, desired_rules
from sluice.plan.route.intent import RouteIntent
from sluice.plan.route.planner import PlannedRule, RulePlan, own_rules, plan_removal, plan_rules
from sluice.plan.route.spec import container_ports, intent_of
from sluice.plan.route.status import (
    Proof,
    acknowledgements,
    is_ready,
    memory_of,
    parents_status,
    stale_backends,
    summary,
    verify,
    with_conditions,
)
from sluice.ports import Object, Result, World

_REWRITE_SECONDS: Final = 1.0
"""How soon to look again at rules that are not as they were written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pass:
    """What one pass works on."""

    record: Record
    previous: Mapping[str, Any]
    context: CallContext
    intent: RouteIntent
    backends: Mapping[str, BackendFacts]
    parents: tuple[Parent, ...]
    former: tuple[Parent, ...]
    lost: tuple[Problem, ...]
    """Listeners that are not there."""

    @property
    def key(self) -> Key:
        """Return the route's key."""
        return self.record.key

    @property
    def generation(self) -> int:
        """Return the generation that the pass works on."""
        return self.record.generation


class RouteController:
    """`ports.Controller` of the kind ServiceRoute."""

    def __init__(self, world: World, settings: ControllerSettings) -> None:
        """Work with `world` under `settings`."""
        self._world = world
        self._settings = settings

    def reconcile(self, key: Key) -> Result:
        """Make the route's rules equal to its spec and to what its Deployments publish."""
        obj = self._world.store.get(key)
        if obj is None:
            return Result()
        record = Record(self._world, key, obj)
        try:
            if "deletionTimestamp" in obj["metadata"]:
                return self._remove(record)
            record.hold()
            return self._converge(self._look(record))
        except WriteConflict:
            raise
        except SluiceError as error:
            self._tell(record, error)
            raise

    # Looking.

    def _look(self, record: Record) -> _Pass:
        key, obj = record.key, record.obj
        spec = parse_route(obj)
        tenant = self._tenant(key)
        for hostname in spec.hostnames or [""]:
            permit_hostname(tenant, hostname)
        previous, generation = record.status, record.generation
        binding = self._binding(tenant, previous)
        context = CallContext(binding=binding, priority=Priority.ROLLOUT, key=key)
        intent = intent_of(spec, key, created=obj["metadata"].get("creationTimestamp", ""))
        backends = {name: self._backend(key, name) for name in intent.backend_names}
        if is_ready(previous, generation=generation) and not stale_backends(
            previous, generation=generation, backends=backends
        ):
            context = replace(context, priority=Priority.DRIFT)
        parents, lost = self._parents(context, obj, tenant)
        names = {parent.listener_arn for parent in parents}
        return _Pass(
            record=record,
            previous=previous,
            context=context,
            intent=intent,
            backends=backends,
            parents=parents,
            former=self._former(context, previous, without=names),
            lost=lost,
        )

    def _tenant(self, key: Key) -> TenancyRule:
        labels = self._world.kubernetes.namespace_labels(key.namespace)
        return rule_for(self._settings.tenancy, key.namespace, labels)

    def _binding(self, tenant: TenancyRule, status: Mapping[str, Any]) -> Binding:
        """Return where the rules are; raises Refused when the tenancy says another place by now."""
        binding = binding_for(self._settings.tenancy, tenant, "")
        permit_place(binding, [parent["listenerArn"] for parent in status.get("parents", ())])
        return binding

    def _backend(self, key: Key, name: str) -> BackendFacts:
        obj = self._world.store.get(Key(DEPLOYMENT, key.namespace, name))
        if obj is None:
            return BackendFacts(exists=False)
        traffic = Traffic.from_status((obj.get("status") or {}).get("traffic"))
        # After a restore the uid is new and the traffic is another object's promise.
        current = traffic if traffic and traffic.uid == obj["metadata"]["uid"] else None
        return BackendFacts(
            exists=True,
            traffic=current,
            ports=container_ports(obj),
            going="deletionTimestamp" in obj["metadata"],
        )

    def _parents(
        self, context: CallContext, obj: Object, tenant: TenancyRule
    ) -> tuple[tuple[Parent, ...], tuple[Problem, ...]]:
        found: dict[str, Parent] = {}
        lost: list[Problem] = []
        for ref in parent_refs(obj):
            try:
                listener = resolve_parent(self._world.facts, context, ref)
                reserved = permit_listener(
                    tenant,
                    load_balancer=listener.load_balancer_name,
                    listener_arn=listener.listener_arn,
                    port=listener.port,
                )
                rules = self._rules(context, listener.listener_arn)
            except Refused as refused:
                if refused.reason != "ListenerNotFound":
                    raise
                lost.append(Problem(reason=refused.reason, message=refused.message))
                continue
            if rules is None:
                self._world.facts.forget(context.binding, listener.listener_arn, listener.load_balancer_arn)
                text = f"the listener of parentRef {ref.name} was deleted; create it again"
                lost.append(Problem(reason="ListenerNotFound", message=text))
                continue
            found[listener.listener_arn] = Parent(
                name=ref.name,
                listener_arn=listener.listener_arn,
                load_balancer_arn=listener.load_balancer_arn,
                reserved=reserved,
                rules=rules,
            )
        return tuple(found.values()), tuple(lost)

    def _former(
        self, context: CallContext, previous: Mapping[str, Any], *, without: set[str]
    ) -> tuple[Parent, ...]:
        """Return the listeners of the last status that the spec no longer names."""
        found: list[Parent] = []
        for parent in previous.get("parents", ()):
            arn = parent["listenerArn"]
            rules = None if arn in without else self._rules(context, arn)
            if rules:
                found.append(
                    Parent(
                        name=parent["name"],
                        listener_arn=arn,
                        load_balancer_arn=parent.get("loadBalancerArn", ""),
                        reserved=PRIORITIES,
                        rules=rules,
                    )
                )
        return tuple(found)

    def _rules(
        self, context: CallContext, listener_arn: str, *, max_age: float | None = None
    ) -> Sequence[Object] | None:
        """Return a listener's rules, None when the listener is gone; by default as old as rest allows."""
        if max_age is None:
            resting = context.priority is Priority.DRIFT
            max_age = self._settings.drift_interval if resting else self._settings.drift_interval / 12
        try:
            return self._world.facts.rules(context, listener_arn, max_age=max_age)
        except AwsFailure as failure:
            if failure.kind == "not-found":
                return None
            raise

    # Acting.

    def _converge(self, now_seen: _Pass) -> Result:
        world, settings = self._world, self._settings
        desired, problems = desired_rules(
            now_seen.key, now_seen.intent, parents=now_seen.parents, backends=now_seen.backends
        )
        memory = memory_of(now_seen.previous, generation=now_seen.generation, backends=now_seen.backends)
        plan = plan_rules(
            now_seen.key,
            installation=settings.installation_id,
            desired=desired,
            parents=now_seen.parents,
            # Rules of a listener that is to be left go last, and not while another one is missing.
            former=() if now_seen.lost or problems else now_seen.former,
            memory=memory,
        )
        open_problem = next(iter((*now_seen.lost, *problems)), None)
        if settings.suspended:
            return self._report_only(now_seen, plan)
        if plan.actions:
            working = Problem(
                reason="RollingOut", message=f"writing {len(plan.actions)} listener rule changes"
            )
            self._write_status(
                now_seen, rules=plan.rules, proof=None, missing=desired, problem=open_problem or working
            )
        for note in plan.notes:
            now_seen.record.note(type_=note.type, reason=note.reason, message=note.message)
        rules = self._apply(now_seen, plan)
        if rules is None:
            return Result(wake_at=world.clock.now())
        proof = self._prove(now_seen, plan, rules)
        if proof is not None and proof.wrong:
            wrong = next(iter(proof.wrong.values()))
            open_problem = open_problem or Problem(reason="RollingOut", message=f"{wrong}; writing it again")
            world.facts.forget(
                now_seen.context.binding, *(parent.listener_arn for parent in now_seen.parents)
            )
        before = now_seen.previous.get("backends", ())
        self._write_status(now_seen, rules=rules, proof=proof, missing=desired, problem=open_problem)
        changed = now_seen.record.status.get("backends", ()) != before
        urgent = tuple(Key(DEPLOYMENT, now_seen.key.namespace, name) for name in now_seen.backends)
        again = world.clock.now() + _REWRITE_SECONDS if proof is not None and proof.wrong else None
        return Result(wake_at=again, urgent=urgent if changed else ())

    def _apply(self, now_seen: _Pass, plan: RulePlan) -> tuple[PlannedRule, ...] | None:
        """Send the writes and return the rules with the ARNs that are known now; None if outdated."""
        if not plan.actions:
            return plan.rules
        try:
            applied = self._world.executor.run(
                plan.actions,
                key=now_seen.key,
                binding=now_seen.context.binding,
                still_current=lambda: self._still_current(now_seen),
            )
        except ApplyFailed as failed:
            raise failed.cause from failed
        if applied.superseded:
            return None
        return tuple(
            rule if rule.arn else replace(rule, arn=str(applied.outputs.get(rule.output, "")))
            for rule in plan.rules
        )

    def _still_current(self, now_seen: _Pass) -> bool:
        """Compare with the store right before a write: same spec, same promises (§7 point 2)."""
        obj = self._world.store.get(now_seen.key)
        if obj is None or int(obj["metadata"]["generation"]) != now_seen.generation:
            return False
        return all(self._backend(now_seen.key, name) == facts for name, facts in now_seen.backends.items())

    def _prove(self, now_seen: _Pass, plan: RulePlan, rules: Sequence[PlannedRule]) -> Proof | None:
        """Read the rules back when something was written or is not proven yet; None otherwise."""
        proven = is_ready(now_seen.previous, generation=now_seen.generation) and not stale_backends(
            now_seen.previous, generation=now_seen.generation, backends=now_seen.backends
        )
        if proven and not plan.actions:
            return None
        at = self._world.clock.now()
        context = replace(now_seen.context, priority=Priority.VERIFY)
        seen = self._world.facts.rules_by_arn(context, [rule.arn for rule in rules if rule.arn])
        return verify(rules, seen, at=at)

    def _report_only(self, now_seen: _Pass, plan: RulePlan) -> Result:
        for action in plan.actions:
            now_seen.record.note(
                type_="Warning",
                reason="DriftFound",
                message=f"suspended; would send {action.operation} for {action.subject}: {action.reason}",
            )
        return Result()

    # Status.

    def _write_status(
        self,
        now_seen: _Pass,
        *,
        rules: Sequence[PlannedRule],
        proof: Proof | None,
        missing: Sequence[Any],
        problem: Problem | None,
    ) -> None:
        written = {rule.output for rule in rules if rule.desired.weights is not None}
        absent = frozenset(
            name
            for rule in missing
            if f"{rule.listener_arn}|{rule.name}" not in written
            for name in rule.backends
        )
        body: dict[str, Any] = {
            "intents": dict(now_seen.previous.get("intents", {})),
            "parents": parents_status(now_seen.parents, rules)
            + [
                dict(parent)
                for parent in now_seen.previous.get("parents", ())
                if problem is not None
                and parent["listenerArn"] not in {own.listener_arn for own in now_seen.parents}
            ],
            "backends": acknowledgements(
                now_seen.previous,
                generation=now_seen.generation,
                backends=now_seen.backends,
                rules=rules,
                missing=absent,
                proof=proof,
            ),
            "summary": summary(
                now_seen.intent,
                rules,
                now_seen.backends,
                listeners=[parent.name for parent in now_seen.parents],
            ),
        }
        status = with_conditions(
            body,
            previous=now_seen.previous,
            generation=now_seen.generation,
            now=self._world.clock.now(),
            problem=problem,
        )
        now_seen.record.save(status)

    def _tell(self, record: Record, error: SluiceError) -> None:
        """Put an error into the conditions; what worked and is only slow stays Ready."""
        failure = failure_of(error)
        if failure is None:
            return
        previous, generation = record.status, record.generation
        if failure.passing and is_ready(previous, generation=generation):
            return
        self._tell_problem(record, Problem(reason=failure.reason, message=failure.message))

    def _tell_problem(self, record: Record, problem: Problem) -> None:
        """Put a problem into the conditions and leave the rest of the status as it is."""
        status = with_conditions(
            record.status,
            previous=record.status,
            generation=record.generation,
            now=self._world.clock.now(),
            problem=problem,
        )
        record.save(status)

    # Going.

    def _remove(self, record: Record) -> Result:
        """Delete the route's rules wherever they are, then let the object go."""
        key = record.key
        if FINALIZER not in record.finalizers:
            return Result()
        if self._settings.suspended:
            waits = Problem(reason="Paused", message="suspended; the deletion waits")
            self._tell_problem(record, waits)
            return Result()
        binding = self._binding(self._tenant(key), record.status)
        context = CallContext(binding=binding, priority=Priority.ROLLOUT, key=key)
        unanswered = self._delete_rules(key, record.obj, context)
        until = parse_timestamp(record.obj["metadata"]["deletionTimestamp"]) + STALE_READS
        if unanswered and self._world.clock.now() < until:
            text = f"waiting whether rule {unanswered[0]}, whose creation was not answered, comes to light"
            self._tell_problem(record, Problem(reason="Deleting", message=text))
            return Result(wake_at=until)
        record.release()
        backends = sorted(deployments_of([record.obj]))
        return Result(urgent=tuple(Key(DEPLOYMENT, key.namespace, name) for name in backends))

    def _delete_rules(self, key: Key, obj: Object, context: CallContext) -> tuple[str, ...]:
        """Delete every rule that is seen; return those that were meant to be made and are not seen."""
        meant = (obj.get("status") or {}).get("parents", ())
        arns = {parent["listenerArn"] for parent in meant}
        for ref in parent_refs(obj):
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
            if (rules := self._rules(context, arn, max_age=0)) is not None
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
