"""Deletes a Deployment: looks at AWS itself, follows `plan.deployment.delete`, lets the object go last."""

from __future__ import annotations

from collections.abc import Sequence

from sluice.api.v1alpha1.deployment import parse_deployment
from sluice.apply.errors import ApplyFailed
from sluice.controllers.deployment_wish import Wishes
from sluice.controllers.hook_leftovers import HookLeftovers
from sluice.controllers.record import Record
from sluice.controllers.settings import ControllerSettings
from sluice.model import ownership
from sluice.model.binding import CallContext, Priority
from sluice.model.conditions import parse_timestamp
from sluice.model.desired import Adoption
from sluice.model.errors import AwsFailure, Refused
from sluice.model.keys import FINALIZER, SERVICE_ROUTE, Key
from sluice.model.names import family_name
from sluice.model.observed import Observed, ServiceId, Structure
from sluice.plan.deployment import delete, discovery, slots, summary
from sluice.plan.deployment.state import State
from sluice.plan.deployment.summary import Verdict
from sluice.plan.permit import permit_place
from sluice.ports import Result, World

_FAMILY = 100
_HOOKS_POLL = 1.0
"""Seconds until it is asked again whether the tasks of hooks were looked for."""


class Remover:
    """The deletion branch of the Deployment controller."""

    def __init__(
        self, world: World, settings: ControllerSettings, wishes: Wishes, leftovers: HookLeftovers
    ) -> None:
        """Work with `world` under `settings`."""
        self._world = world
        self._leftovers = leftovers
        self._settings = settings
        self._wishes = wishes

    def remove(self, record: Record) -> Result:
        """Take the next steps; the finalizer goes when nothing is left."""
        if FINALIZER not in record.finalizers:
            return Result()
        key, now = record.key, self._world.clock.now()
        state = State.read(record.status)
        cluster, suspended, retain = self._spec(record)
        if suspended or self._settings.suspended:
            verdict = Verdict(ready=False, reason="Paused", message="suspended; the deletion waits")
            self._save(record, state, verdict, now=now)
            return Result()
        binding = self._wishes.tenant(key).binding
        permit_place(binding, state.arns)
        context = CallContext(binding=binding, priority=Priority.ROLLOUT, key=key)
        where = next((slot.cluster for slot in state.slots), cluster or self._default_cluster(key))
        hooks_ended = self._leftovers.ended(context, uid=record.uid, cluster=where, record=record)
        remains = self._remains(context, record, state, cluster=cluster)
        state = delete.learn(remains, state)
        requested = parse_timestamp(record.obj["metadata"]["deletionTimestamp"])
        if retain:
            step = delete.retain(remains)
        else:
            step = delete.remove(remains, state, requested_at=requested, now=now)
        if step.finished and not hooks_ended:
            text = "it is looked for tasks of its hooks that still run, which ECS has not answered yet"
            self._save(record, state, Verdict(ready=False, reason="Deleting", message=text), now=now)
            return Result(wake_at=now + _HOOKS_POLL)
        if step.finished:
            self._let_go(record)
            return Result(urgent=self._routes(key))
        told = self._save(record, state, step.verdict, now=now)
        if step.actions:
            try:
                self._world.executor.run(
                    step.actions,
                    key=key,
                    binding=binding,
                    still_current=lambda: self._still_there(record),
                )
            except ApplyFailed as failed:
                raise failed.cause from failed
        # Those whose names answer with the tasks have to let them go, and hear of it at once.
        urgent = self._routes(key) if remains.listed and told else ()
        return Result(wake_at=step.wake_at if step.wake_at is not None else now, urgent=urgent)

    def _spec(self, record: Record) -> tuple[str, bool, bool]:
        """Return cluster, suspend and retain of a spec that may have become invalid since."""
        try:
            spec = parse_deployment(record.obj)
        except Refused:
            raw = record.obj.get("spec") or {}
            return "", bool(raw.get("suspend")), raw.get("deletionPolicy") == "Retain"
        return spec.settings.cluster or "", bool(spec.suspend), spec.deletion_policy == "Retain"

    def _remains(self, context: CallContext, record: Record, state: State, *, cluster: str) -> delete.Remains:
        key, facts = record.key, self._world.facts
        installation = self._settings.installation_id
        adopted = (record.obj.get("spec") or {}).get("adopt")
        services = self._services(
            context,
            key,
            state,
            cluster=cluster,
            adopted=Adoption.of(str(adopted.get("serviceArn"))) if adopted else None,
        )
        names = {group.name for group in state.target_groups}
        for service in services.values():
            for entry in (service or {}).get("loadBalancers") or ():
                if arn := entry.get("targetGroupArn"):
                    names.add(arn.split("/")[1])
        groups = facts.target_groups(context, sorted(names), max_age=0) if names else {}
        balancers = {arn for group in groups.values() for arn in group.get("LoadBalancerArns") or ()}
        listeners = {anchor.listener_arn: () for anchor in state.anchors}
        defaults: dict[str, Sequence[Structure]] = {}
        for balancer in sorted(balancers):
            for listener in facts.listeners(context, balancer):
                listeners[listener["ListenerArn"]] = ()
                defaults[listener["ListenerArn"]] = listener.get("DefaultActions") or ()
        return delete.Remains(
            key=key,
            installation=installation,
            observed=Observed(
                services=services,
                target_groups=dict(groups),
                rules={arn: rules for arn in sorted(listeners) if (rules := self._rules(context, arn))},
            ),
            defaults=defaults,
            listed=discovery.holders(
                discovery.listings(self._world.store.routes_to(key), key.name), state.traffic
            ),
            definitions=tuple(
                body["taskDefinitionArn"]
                for body in facts.find_task_definitions(
                    context, family_name(installation, key), limit=_FAMILY
                )
                if body.get("status") == "ACTIVE" and _ours(body, installation, key)
            ),
        )

    def _services(
        self, context: CallContext, key: Key, state: State, *, cluster: str, adopted: Adoption | None
    ) -> dict[ServiceId, Structure | None]:
        known = [*state.slots, *state.retiring]
        places = [ServiceId(slot.cluster, slot.service_name) for slot in known]
        where = cluster or (adopted.cluster if adopted else "")
        where = where or self._default_cluster(key)
        if not places and where:
            clusters = (where, *self._wishes.clusters(key))
            places = slots.likely(self._settings.installation_id, key, clusters=clusters)
            places += [ServiceId(where, adopted.name)] if adopted else []
        return {
            place: self._world.facts.service(context, cluster=place.cluster, name=place.name, max_age=0)
            for place in places
        }

    def _default_cluster(self, key: Key) -> str:
        return self._wishes.tenant(key).rule.default_cluster

    def _rules(self, context: CallContext, listener: str) -> Sequence[Structure]:
        try:
            return self._world.facts.rules(context, listener, max_age=0)
        except AwsFailure as failure:
            if failure.kind == "not-found":
                return ()
            raise

    def _let_go(self, record: Record) -> None:
        key = record.key
        for obj in self._world.kubernetes.revisions(key):
            self._world.kubernetes.delete_revision(key.namespace, obj["metadata"]["name"])
        record.release()
        self._wishes.forget(key)

    def _save(self, record: Record, state: State, verdict: Verdict, *, now: float) -> bool:
        found = summary.judged(state, verdict, record.generation, now=now)
        kept = {name: value for name, value in record.status.items() if name not in found}
        for name in ("registering", "rollout"):
            if name not in found:
                kept.pop(name, None)
        return record.save({**kept, **found, "phase": "Deleting"})

    def _still_there(self, record: Record) -> bool:
        obj = self._world.store.get(record.key)
        return obj is not None and obj["metadata"]["uid"] == record.obj["metadata"]["uid"]

    def _routes(self, key: Key) -> tuple[Key, ...]:
        return tuple(
            Key(SERVICE_ROUTE, key.namespace, route["metadata"]["name"])
            for route in self._world.store.routes_to(key)
        )


def _ours(body: Structure, installation: str, key: Key) -> bool:
    tags = ownership.from_ecs(body.get("tags") or ())
    return ownership.ownership(tags, installation, key) == "ours"
