"""From an object of the API server to a `Desired`: parse, permit, read what it refers to, translate.

Parsing and translating are done once for a generation and a tenancy's answer, unless the template
refers to ConfigMaps or Secrets, whose content may change without one. Kept ControllerRevisions are
immutable, so one that was read is remembered.
"""

from __future__ import annotations

import dataclasses
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sluice.api.v1alpha1.deployment import DeploymentSpec, parse_deployment
from sluice.api.v1alpha1.progressive import strategy_of
from sluice.controllers.parents import resolve_parent
from sluice.controllers.settings import ControllerSettings
from sluice.model.binding import Binding, CallContext
from sluice.model.desired import Adoption, Backend, Desired, Hold, Revision
from sluice.model.errors import Refused
from sluice.model.keys import Key
from sluice.model.names import family_name
from sluice.model.strategy import Progressive
from sluice.model.tenancy import TenancyRule
from sluice.plan import permit
from sluice.plan.deployment import discovery
from sluice.plan.deployment import revision as revisions
from sluice.plan.deployment.desired import Identity, build
from sluice.plan.deployment.state import State
from sluice.plan.deployment.target import choose
from sluice.plan.parents import backend_ports, parent_refs, tested_refs
from sluice.plan.translation import (
    References,
    Sources,
    TranslationContext,
    references,
    translate,
)
from sluice.ports import Object, World

_K = TypeVar("_K")
_V = TypeVar("_V")
_REMEMBERED: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """What a namespace may do, and where."""

    rule: TenancyRule
    binding: Binding


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """The spec's own wish, before rejections, undos and pauses are looked at."""

    desired: Desired
    wanted: str
    """Name of the revision that is asked for: the spec's, or `spec.rollback.toRevision`."""
    retain: bool
    progressive: Progressive | None = None
    """The strategy, where the spec's type is Progressive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """A wish that was made, and for what."""

    version: tuple[str, int]
    """uid and generation."""
    spec: DeploymentSpec
    tenant: Tenant
    fixed: bool
    """Nothing outside the spec goes into it."""
    desired: Desired
    progressive: Progressive | None


class Wishes:
    """Makes wishes; one for the process. Thread-safe."""

    def __init__(self, world: World, settings: ControllerSettings) -> None:
        """Read through `world`, permit by `settings`."""
        self._world = world
        self._settings = settings
        self._lock = threading.Lock()
        self._made: OrderedDict[Key, _Made] = OrderedDict()
        self._kept: OrderedDict[tuple[str, str], Revision] = OrderedDict()

    def tenant(self, key: Key, account: str = "") -> Tenant:
        """Return the namespace's rule and binding; raises Refused `NotPermitted`."""
        labels = self._world.kubernetes.namespace_labels(key.namespace)
        rule = permit.rule_for(self._settings.tenancy, key.namespace, labels)
        return Tenant(rule=rule, binding=permit.binding_for(self._settings.tenancy, rule, account))

    def wish(self, key: Key, obj: Object) -> tuple[Wish, Tenant]:
        """Return what the object asks for; raises Refused."""
        metadata = obj["metadata"]
        version = (str(metadata["uid"]), int(metadata["generation"]))
        with self._lock:
            found = self._made.get(key)
        known = found if found and found.version == version else None
        spec = known.spec if known else parse_deployment(obj)
        account = spec.settings.account or ""
        tenant = self.tenant(key, account)
        if known and known.tenant == tenant and known.fixed:
            desired, progressive = known.desired, known.progressive
        else:
            refers = references(spec)
            desired = self._build(key, obj, spec, tenant, refers)
            progressive = strategy_of(spec)
            made = _Made(
                version=version,
                spec=spec,
                tenant=tenant,
                fixed=not refers.config_maps and not refers.secrets,
                desired=desired,
                progressive=progressive,
            )
            with self._lock:
                _remember(self._made, key, made)
        to_revision = spec.rollback.to_revision if spec.rollback else ""
        retain = spec.deletion_policy == "Retain"
        wish = Wish(
            desired=desired,
            wanted=to_revision or desired.revision.name,
            retain=retain,
            progressive=progressive,
        )
        return wish, tenant

    def routed(self, desired: Desired, context: CallContext, rule: TenancyRule) -> Desired:
        """Return the wish with what routes ask of the Deployment: target groups, entries in Cloud Map.

        A registry is handed over to ECS only with one service: with slots it would put the candidate into
        the name at once. The route tells so.
        """
        found = discovery.listings(self._world.store.routes_to(desired.key), desired.key.name)
        revision, rolling = desired.revision, desired.strategy.type != "Progressive"
        awsvpc = revision.definition.get("networkMode") == "awsvpc"
        return dataclasses.replace(
            desired,
            backends=self._backends(context, desired.key, rule),
            listed=discovery.listed(found),
            registry=discovery.registry(found, revision.ports, awsvpc=awsvpc) if rolling else None,
        )

    def _backends(self, context: CallContext, key: Key, rule: TenancyRule) -> tuple[Backend, ...]:
        """Return where routes send to this Deployment.

        A route that may not use a listener, or whose listener does not exist, tells so itself; here
        it is as if that parent were not there.
        """
        found: dict[Backend, None] = {}
        for route in self._world.store.routes_to(key):
            if route["metadata"].get("deletionTimestamp"):
                continue
            ports = backend_ports(route, key.name)
            for ref in (*parent_refs(route), *tested_refs(route)):
                try:
                    parent = resolve_parent(self._world.facts, context, ref)
                    priorities = permit.permit_listener(
                        rule,
                        load_balancer=parent.load_balancer_name,
                        listener_arn=parent.listener_arn,
                        port=parent.port,
                    )
                except Refused:
                    continue
                for port in ports:
                    backend = Backend(
                        port=port,
                        listener_arn=parent.listener_arn,
                        load_balancer_arn=parent.load_balancer_arn,
                        vpc_id=parent.vpc_id,
                        priorities=priorities,
                    )
                    found[backend] = None
        return tuple(sorted(found, key=lambda entry: (entry.listener_arn, entry.port)))

    def effective(self, wish: Wish, state: State, key: Key, *, rule: TenancyRule) -> Desired:
        """Return the wish with the revision that should run (`plan.deployment.target`).

        Raises Refused `InvalidSpec` when `spec.rollback.toRevision` names one that is not kept, and
        `NotPermitted` when `rule` does not allow a role of what should run.
        """
        desired = dataclasses.replace(wish.desired, spec_revision=wish.wanted)
        choice = choose(state, wanted=wish.wanted, paused=desired.paused)
        hold = choice.hold
        chosen = desired.revision
        paused = choice.paused
        if choice.revision != desired.revision.name:
            kept = self.kept(key, desired.uid, choice.revision)
            if kept is None and choice.revision == wish.wanted:
                known = ", ".join(self.known(key)) or "none"
                raise Refused(
                    "InvalidSpec",
                    f"spec.rollback.toRevision: {wish.wanted} is not kept; known revisions: {known}",
                )
            if kept is None:
                # Deleted by hand: what runs can be scaled and described, but not repaired.
                text = f"revision {choice.revision} is not kept any more and cannot be repaired"
                hold = Hold(
                    reason=hold.reason if hold else "RolledBack",
                    message=f"{hold.message if hold else ''}; {text}".strip("; "),
                )
                paused = True
            else:
                chosen = kept
        permit.permit_revision(rule, definition=chosen.definition, service=chosen.service)
        return dataclasses.replace(desired, revision=chosen, hold=hold, paused=paused)

    def known(self, key: Key) -> tuple[str, ...]:
        """Return the names of the kept revisions, oldest first."""
        return tuple(obj["metadata"]["name"] for obj in self._world.kubernetes.revisions(key))

    def clusters(self, key: Key) -> tuple[str, ...]:
        """Return the ECS clusters that the specs of the kept revisions name."""
        specs = [obj.get("data", {}).get("spec") or {} for obj in self._world.kubernetes.revisions(key)]
        named = [str((spec.get("ecs") or {}).get("cluster") or "") for spec in specs]
        return tuple(sorted({cluster for cluster in named if cluster}))

    def forget(self, key: Key) -> None:
        """Drop what is remembered of a Deployment that is gone."""
        with self._lock:
            self._made.pop(key, None)

    def kept(self, key: Key, uid: str, name: str) -> Revision | None:
        """Return a kept revision by name, None when it is not kept (any more)."""
        with self._lock:
            if found := self._kept.get((uid, name)):
                return found
        for obj in self._world.kubernetes.revisions(key):
            if obj["metadata"]["name"] == name:
                revision = revisions.from_data(name, obj["data"])
                with self._lock:
                    _remember(self._kept, (uid, name), revision)
                return revision
        return None

    def _build(
        self, key: Key, obj: Object, spec: DeploymentSpec, tenant: Tenant, refers: References
    ) -> Desired:
        metadata = obj["metadata"]
        service_account = spec.template.spec.service_account_name if spec.template else None
        roles = permit.roles_for(
            tenant.rule,
            service_account=service_account or "",
            task_role=spec.settings.task_role_arn or "",
            execution_role=spec.settings.execution_role_arn or "",
        )
        kubernetes = self._world.kubernetes
        sources = Sources(
            config_maps={name: kubernetes.config_map(key.namespace, name) for name in refers.config_maps},
            secrets={name: kubernetes.secret(key.namespace, name) for name in refers.secrets},
        )
        installation = self._settings.installation_id
        translated = translate(
            spec,
            TranslationContext(
                namespace=key.namespace,
                name=key.name,
                family=family_name(installation, key),
                region=tenant.binding.region,
                task_role_arn=roles.task,
                execution_role_arn=roles.execution,
                default_network_configuration=tenant.rule.default_network_configuration,
                sources=sources,
            ),
        )
        spec = _placed(spec, tenant.rule, translated.body)
        adopted = Adoption.of(spec.adopt.service_arn).cluster if spec.adopt else ""
        cluster = spec.settings.cluster or adopted or tenant.rule.default_cluster
        # The roles of the finished body count: taskDefinition may name some of its own.
        permit.permit_deployment(
            tenant.rule,
            cluster=cluster,
            task_role=str(translated.body.get("taskRoleArn") or ""),
            execution_role=str(translated.body.get("executionRoleArn") or ""),
            account=spec.settings.account or "",
        )
        return build(
            Identity(
                key=key,
                uid=str(metadata["uid"]),
                generation=int(metadata["generation"]),
                installation=installation,
            ),
            spec,
            translated,
            cluster=cluster,
            raw_spec=obj.get("spec") or {},
            suspended=self._settings.suspended,
        )


def _placed(spec: DeploymentSpec, rule: TenancyRule, body: Mapping[str, Any]) -> DeploymentSpec:
    """Return the spec with the tenancy's subnets and security groups where it names none of its own."""
    own, default = spec.settings.network_configuration, rule.default_network_configuration
    if own or not default or body.get("networkMode") != "awsvpc":
        return spec
    ecs = spec.settings.model_copy(update={"network_configuration": dict(default)})
    return spec.model_copy(update={"ecs": ecs})


def _remember(cache: OrderedDict[_K, _V], key: _K, value: _V) -> None:
    cache[key] = value
    cache.move_to_end(key)
    if len(cache) > _REMEMBERED:
        cache.popitem(last=False)
