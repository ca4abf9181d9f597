"""What a pass over a ServiceRoute looks at: its tenancy, its listeners with their rules, its Deployments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sluice.api.v1alpha1.duration import seconds_or
from sluice.api.v1alpha1.route import parse_route
from sluice.controllers.discovery import backends_of
from sluice.controllers.parents import resolve_parent
from sluice.controllers.record import Record
from sluice.controllers.settings import ControllerSettings
from sluice.model.binding import Binding, CallContext, Priority
from sluice.model.discovery import DiscoveryIntent
from sluice.model.errors import AwsFailure, Refused
from sluice.model.keys import DEPLOYMENT, Key
from sluice.model.tenancy import PRIORITIES, TenancyRule
from sluice.model.traffic import Traffic
from sluice.plan.deployment.state import TargetGroup
from sluice.plan.parents import ParentRef, parent_refs, tested_refs
from sluice.plan.permit import binding_for, permit_hostname, permit_listener, permit_place, rule_for
from sluice.plan.route.desired import BackendFacts, Parent, Problem
from sluice.plan.route.intent import RouteIntent
from sluice.plan.route.planner import Memory, own_rules
from sluice.plan.route.spec import container_ports, intent_of, port_numbers
from sluice.plan.route.status import memory_of
from sluice.plan.route.weights import forward_weights
from sluice.ports import Object, World


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutePass:
    """What one pass works on."""

    record: Record
    previous: Mapping[str, Any]
    context: CallContext
    tenant: TenancyRule
    intent: RouteIntent
    backends: Mapping[str, BackendFacts]
    """Those of the rules."""
    named: Mapping[str, BackendFacts]
    """Those that have, had or shall have a name in Cloud Map."""
    parents: tuple[Parent, ...]
    former: tuple[Parent, ...]
    lost: tuple[Problem, ...]
    """Listeners that are not there."""
    memory: Memory
    left: Mapping[str, BackendFacts] = field(default_factory=dict)
    """Those that rules still send to although the spec names them no more."""

    @property
    def key(self) -> Key:
        """Return the route's key."""
        return self.record.key

    @property
    def generation(self) -> int:
        """Return the generation that the pass works on."""
        return self.record.generation

    @property
    def rollback(self) -> bool:
        """Tell whether a backend wants back to what worked."""
        published = (*self.backends.values(), *self.named.values())
        return any(facts.traffic is not None and facts.traffic.rollback for facts in published)

    @property
    def moving(self) -> bool:
        """Tell whether a backend's weights are on their way, and what others write is to be seen soon."""
        return self.rollback or any(
            facts.traffic is not None and not facts.traffic.reassert for facts in self.backends.values()
        )


class RouteLooks:
    """Reads of a route's pass."""

    def __init__(self, world: World, settings: ControllerSettings) -> None:
        """Look at `world` under `settings`."""
        self._world = world
        self._settings = settings

    def begin(self, record: Record) -> RoutePass:
        """Return what is known without a look at AWS; raises Refused for a spec that can't or may not be."""
        key, obj = record.key, record.obj
        spec = parse_route(obj)
        tenant = self.tenant(key)
        previous, generation = record.status, record.generation
        context = CallContext(binding=self.binding(tenant, previous), priority=Priority.ROLLOUT, key=key)
        intent = intent_of(spec, key, created=obj["metadata"].get("creationTimestamp", ""))
        backends = {name: self.backend(key, name) for name in intent.backend_names}
        memory = memory_of(previous, generation=generation, backends=backends)
        found = RoutePass(
            record=record,
            previous=previous,
            context=context,
            tenant=tenant,
            intent=intent,
            backends=backends,
            named={name: self.backend(key, name) for name in backends_of(intent.discovery, previous)},
            parents=(),
            former=(),
            lost=(),
            memory=memory,
        )
        if found.rollback:
            context = replace(context, priority=Priority.ROLLBACK)
        elif memory.settled and not found.moving:
            context = replace(context, priority=Priority.DRIFT)
        return replace(found, context=context)

    def look(self, found: RoutePass) -> RoutePass:
        """Return the pass with its listeners and their rules; raises Refused where they may not be used."""
        if found.intent.rules:
            for hostname in found.intent.hostnames or ("",):
                permit_hostname(found.tenant, hostname)
        parents, lost = self._parents(found.context, found.record.obj, found.tenant)
        names = {parent.listener_arn for parent in parents}
        return replace(
            found,
            parents=parents,
            former=self._former(found.context, found.previous, without=names),
            lost=lost,
        )

    def forget(self, key: Key) -> None:
        """Stop counting for a route that is gone."""
        nowhere = CallContext(binding=Binding(account="", region=""), priority=Priority.DRIFT, key=key)
        self._world.requests.watch(nowhere, {})

    def tenant(self, key: Key) -> TenancyRule:
        """Return what the operator's configuration allows the namespace."""
        labels = self._world.kubernetes.namespace_labels(key.namespace)
        return rule_for(self._settings.tenancy, key.namespace, labels)

    def binding(self, tenant: TenancyRule, status: Mapping[str, Any]) -> Binding:
        """Return where the rules are; raises Refused when the tenancy says another place by now."""
        binding = binding_for(self._settings.tenancy, tenant, "")
        discovery = status.get("discovery") or {}
        places = [discovery, *discovery.get("left", ())]
        arns = [parent["listenerArn"] for parent in status.get("parents", ())]
        permit_place(binding, [*arns, *(place.get("namespaceArn", "") for place in places)])
        return binding

    def backend(self, key: Key, name: str) -> BackendFacts:
        """Return what a Deployment of the route's namespace publishes now."""
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
            numbers=port_numbers(obj),
            groups=tuple(group.target() for group in _groups(obj)),
            going="deletionTimestamp" in obj["metadata"],
            bake=_bake(obj),
        )

    def left(self, found: RoutePass) -> dict[str, BackendFacts]:
        """Return the Deployments that own rules send to although the spec names them no more.

        Looks through all Deployments of the namespace: asked only where a rule can't be as the spec wants.
        """
        arns = {
            arn
            for parent in (*found.parents, *found.former)
            for rule in own_rules(parent, installation=self._settings.installation_id, key=found.key)
            for arn in forward_weights(rule.get("Actions", ())) or ()
        }
        names = [
            key.name for key in self._world.store.keys(DEPLOYMENT) if key.namespace == found.key.namespace
        ]
        others = {name: self.backend(found.key, name) for name in names if name not in found.backends}
        return {
            name: facts
            for name, facts in others.items()
            if facts.traffic and any(group.target_group_arn in arns for group in facts.groups)
        }

    def named_by_spec(self, record: Record) -> DiscoveryIntent | None:
        """Return what a route asks for in Cloud Map; None too where its spec is refused."""
        created = record.obj["metadata"].get("creationTimestamp", "")
        try:
            return intent_of(parse_route(record.obj), record.key, created=created).discovery
        except Refused:
            return None

    def still_current(self, now_seen: RoutePass) -> bool:
        """Compare with the store right before a write: same spec, same promises (§7 point 2)."""
        obj = self._world.store.get(now_seen.key)
        if obj is None or int(obj["metadata"]["generation"]) != now_seen.generation:
            return False
        known = {**now_seen.backends, **now_seen.named, **now_seen.left}
        return all(self.backend(now_seen.key, name) == facts for name, facts in known.items())

    def rules(
        self, context: CallContext, listener_arn: str, *, max_age: float | None = None
    ) -> Sequence[Object] | None:
        """Return a listener's rules, None when the listener is gone.

        By default they are as old as rest allows. A rollback takes what is known, too: it writes by ARN
        and reads back, and must not wait for a listing first.
        """
        if max_age is None:
            patient = context.priority in (Priority.DRIFT, Priority.ROLLBACK)
            max_age = self._settings.drift_interval if patient else self._settings.drift_interval / 12
        try:
            return self._world.facts.rules(context, listener_arn, max_age=max_age)
        except AwsFailure as failure:
            if failure.kind == "not-found":
                return None
            raise

    def _parents(
        self, context: CallContext, obj: Object, tenant: TenancyRule
    ) -> tuple[tuple[Parent, ...], tuple[Problem, ...]]:
        found: dict[str, Parent] = {}
        lost: list[Problem] = []
        refs = [*((ref, False) for ref in parent_refs(obj)), *((ref, True) for ref in tested_refs(obj))]
        for ref, test in refs:
            try:
                parent = self._parent(context, ref, tenant, test=test)
            except Refused as refused:
                # What is wrong with a test listener must not stop production, least of all a rollback.
                if refused.reason != "ListenerNotFound" and not test:
                    raise
                lost.append(Problem(reason=refused.reason, message=refused.message))
            else:
                found.setdefault(parent.listener_arn, parent)
        return tuple(found.values()), tuple(lost)

    def _parent(self, context: CallContext, ref: ParentRef, tenant: TenancyRule, *, test: bool) -> Parent:
        listener = resolve_parent(self._world.facts, context, ref)
        reserved = permit_listener(
            tenant,
            load_balancer=listener.load_balancer_name,
            listener_arn=listener.listener_arn,
            port=listener.port,
        )
        rules = self.rules(context, listener.listener_arn)
        if rules is None:
            gone = (listener.listener_arn, listener.load_balancer_arn, listener.load_balancer_name)
            self._world.facts.forget(context.binding, *gone)
            text = f"the listener of parentRef {ref.name} was deleted; create it again"
            raise Refused("ListenerNotFound", text)
        return Parent(
            name=ref.name,
            listener_arn=listener.listener_arn,
            load_balancer_arn=listener.load_balancer_arn,
            reserved=reserved,
            rules=rules,
            test=test,
        )

    def _former(
        self, context: CallContext, previous: Mapping[str, Any], *, without: set[str]
    ) -> tuple[Parent, ...]:
        """Return the listeners of the last status that the spec no longer names."""
        found: list[Parent] = []
        for parent in previous.get("parents", ()):
            arn = parent["listenerArn"]
            rules = None if arn in without else self.rules(context, arn)
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


def _bake(deployment: Object) -> float | None:
    """Return the bake of a raw Deployment whose strategy is Progressive; None too when it can't be read."""
    progressive = ((deployment.get("spec") or {}).get("strategy") or {}).get("progressive")
    if progressive is None:
        return None
    try:
        return seconds_or((progressive.get("bake") or {}).get("duration"), 0.0)
    except ValueError:
        return None  # an older CRD let it through; the Deployment's own controller tells of it


def _groups(deployment: Object) -> list[TargetGroup]:
    """Return the target groups that a raw Deployment's status names, as far as they are made."""
    entries = (deployment.get("status") or {}).get("targetGroups") or ()
    return [group for group in map(TargetGroup.read, entries) if group.arn]
