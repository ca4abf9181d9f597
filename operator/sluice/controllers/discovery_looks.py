"""What discovery's half of a route's pass looks at: Cloud Map, the backend's tasks, the load balancers.

Namespace and service are always read; a failure there ends the half. Instances, tasks and operations that
could not be read are None (or not there) in the facts, which never leads to a removal; `unread` tells why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from sluice.controllers.discovery_others import http_name, with_holders
from sluice.controllers.discovery_slots import MOVING_AGE, SEEN_AGE, Backend, Pace, SlotLooks
from sluice.controllers.settings import ControllerSettings
from sluice.model.binding import CallContext
from sluice.model.discovery import (
    AliasTarget,
    DiscoveryFacts,
    DiscoveryIntent,
    DnsRecord,
    Health,
    Instance,
    NamespaceFacts,
    NamespaceIntent,
    Operation,
    ServiceFacts,
)
from sluice.model.errors import AwsFailure, Deferred, Refused
from sluice.model.keys import DEPLOYMENT, Key
from sluice.model.ownership import INSTALLATION, ownership
from sluice.model.tenancy import TenancyRule
from sluice.plan.discovery.memory import Memory
from sluice.plan.permit import permit_namespace
from sluice.plan.route.desired import BackendFacts, Parent
from sluice.ports import Object, World

T = TypeVar("T")
_NS_CREATE: Final = "spec.discovery.namespaceRef.create"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One Cloud Map service to look at: the one that the spec names, or one that the route leaves."""

    intent: DiscoveryIntent
    memory: Memory
    deleting: bool = False
    keep_protected: bool = False
    left: bool = False
    """The spec no longer names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all places of a pass share."""

    key: Key
    context: CallContext
    tenant: TenancyRule | None
    """None when nothing is asked for any more: leaving needs no leave."""
    parents: Sequence[Parent] | None
    """None when a listener could not be found: where Alias points is not known then."""
    backends: Mapping[str, BackendFacts]
    pace: Pace


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The facts of one place, and why some are missing."""

    facts: DiscoveryFacts
    unread: tuple[AwsFailure | Deferred, ...] = ()


class DiscoveryLooks:
    """Reads of the discovery half."""

    def __init__(self, world: World, settings: ControllerSettings) -> None:
        """Look at `world` under `settings`."""
        self._world = world
        self._settings = settings
        self._slots = SlotLooks(world.facts)

    def deployment(self, key: Key, name: str) -> Object | None:
        """Return a Deployment of the route's namespace."""
        return self._world.store.get(Key(DEPLOYMENT, key.namespace, name)) if name else None

    def look(self, place: Place, around: Surroundings) -> Seen:
        """Return the facts of a place; raises Refused, Deferred or AwsFailure for namespace and service."""
        cloud_map, context, memory = self._world.facts.cloud_map, around.context, place.memory
        age = 0.0 if place.deleting else around.pace.age(MOVING_AGE)
        namespace = self._namespace(place, around, age=age)
        service: Object | None = None
        if namespace is not None:
            service = cloud_map.service(
                context,
                namespace_id=namespace["Id"],
                name=place.intent.service,
                service_id=memory.service_id,
                max_age=age,
            )
        unread: list[AwsFailure | Deferred] = []

        def read(look: Callable[[], T]) -> T | None:
            try:
                return look()
            except (AwsFailure, Deferred) as error:
                unread.append(error)
                return None

        registered, discovered = read(lambda: self._instances(context, namespace, service, around)) or (
            None,
            None,
        )
        ids = [operation.id for operation in memory.operations if operation.id]
        operations = read(
            lambda: cloud_map.operations(context, ids, service_id=service["Id"] if service else "")
        )
        backends = self._backends(place, around)
        slots = read(lambda: self._slots.look(context, backends, pace=around.pace, deleting=place.deleting))
        tasks = slots[0] if slots else None
        if tasks and memory.leaving:
            names, about = [backend.name for backend in backends], tasks
            tasks = read(
                lambda: with_holders(
                    self._world, context, around.key, about, backends=names, age=around.pace.age(SEEN_AGE)
                )
            )
        facts = self._of_backend(place, around)
        return Seen(
            facts=replace(
                facts,
                namespace=_namespace_facts(namespace) if namespace else None,
                service=_service_facts(service) if service else None,
                registered=registered,
                discovered=discovered,
                operations={name: _operation(found) for name, found in (operations or {}).items()},
                tasks=tasks,
                slots=slots[1] if slots else None,
                aliases=self._aliases(place, around),
                deleting=place.deleting,
                keep_protected=place.keep_protected,
                suspended_until_seen=service is not None and (registered is None or discovered is None),
                propagation=self._settings.discovery_propagation,
            ),
            unread=tuple(unread),
        )

    # Cloud Map.

    def _namespace(self, place: Place, around: Surroundings, *, age: float) -> Object | None:
        """Return the namespace that the place means; raises Refused where that is not allowed or unclear."""
        wanted, memory, cloud_map = place.intent.namespace, place.memory, self._world.facts.cloud_map
        found: Object | None = None
        for known in dict.fromkeys(filter(None, (wanted.id, memory.namespace_id))):
            found = cloud_map.namespace(around.context, known, max_age=age)
            if found is not None and (wanted.id or not wanted.name or found["Name"] == wanted.name):
                break
            found = None
        if found is None and not wanted.id and wanted.name:
            named = cloud_map.namespaces(around.context, wanted.name, max_age=age)
            going = place.deleting or place.left
            found = self._left_behind(place, around, named, age=age) if going else self._chosen(wanted, named)
        if around.tenant is not None and not place.deleting:
            name = found["Name"] if found else wanted.name
            if name:  # an id that nobody has is the planner's to tell
                permit_namespace(
                    around.tenant,
                    name=name,
                    namespace_id=found["Id"] if found else wanted.id,
                    create=found is None and wanted.create is not None,
                )
        return found

    def _left_behind(
        self, place: Place, around: Surroundings, named: Sequence[Object], *, age: float
    ) -> Object | None:
        """Return the one of a name that has the route's service, else the installation's; None for neither.

        Whoever goes need not say which one he means: a spec that was refused for that could never be deleted.
        """
        installation = self._settings.installation_id
        for found in named:
            service = self._world.facts.cloud_map.service(
                around.context,
                namespace_id=found["Id"],
                name=place.intent.service,
                service_id=place.memory.service_id,
                max_age=age,
            )
            if service is not None and ownership(service["Tags"], installation, around.key) == "ours":
                return found
        return next((found for found in named if found["Tags"].get(INSTALLATION) == installation), None)

    def _chosen(self, wanted: NamespaceIntent, named: Sequence[Object]) -> Object | None:
        """Return the one of several of a name: of the type that would be made, then one of ours."""
        fitting = [found for found in named if wanted.create in (None, found["Type"])]
        ours = [
            found for found in fitting if found["Tags"].get(INSTALLATION) == self._settings.installation_id
        ]
        if len(fitting) > 1 and len(ours) != 1:
            known = ", ".join(f"{found['Id']} ({found['Type']})" for found in fitting)
            raise Refused(
                "InvalidSpec",
                f"spec.discovery.namespaceRef.name: {len(fitting)} Cloud Map namespaces are named "
                f"{wanted.name}: {known}; name one by namespaceRef.id",
            )
        if named and not fitting:
            raise Refused(
                "InvalidSpec",
                f"{_NS_CREATE}.type: namespace {wanted.name} exists with type {named[0]['Type']}, not "
                f"{wanted.create}; correct the type, or choose another name",
            )
        return ours[0] if len(fitting) > 1 else next(iter(fitting), None)

    def _instances(
        self,
        context: CallContext,
        namespace: Object | None,
        service: Object | None,
        around: Surroundings,
    ) -> tuple[Mapping[str, Instance] | None, Mapping[str, Health] | None]:
        if namespace is None or service is None:
            return {}, {}
        cloud_map = self._world.facts.cloud_map
        seen = cloud_map.discovered(
            context,
            namespace=http_name(namespace),
            service=service["Name"],
            max_age=around.pace.age(SEEN_AGE),
        )
        listed = cloud_map.instances(
            context,
            service["Id"],
            revision=seen.revision,
            max_age=MOVING_AGE if around.pace.moving else self._settings.attributes_interval,
        )
        registered = {
            name: Instance(id=name, attributes=instance.get("Attributes", {}))
            for name, instance in listed.items()
        }
        if not seen.complete:
            return registered, None
        return registered, {
            name: instance.get("HealthStatus", "UNKNOWN") for name, instance in seen.instances.items()
        }

    # Kubernetes.

    def _backends(self, place: Place, around: Surroundings) -> list[Backend]:
        """Return the Deployments whose tasks have a part in a place, the intent's first."""
        intent, memory = place.intent, place.memory
        names = dict.fromkeys(filter(None, (intent.backend, memory.backend, memory.former_backend)))
        return [
            Backend(
                name=name,
                deployment=self.deployment(around.key, name),
                ports=(intent.port, memory.port) if name == intent.backend else (memory.port, intent.port),
                own=name == intent.backend,
            )
            for name in names
        ]

    def _of_backend(self, place: Place, around: Surroundings) -> DiscoveryFacts:
        name = place.intent.backend
        known = around.backends.get(name)
        deployment = self.deployment(around.key, name)
        spec = (deployment or {}).get("spec") or {}
        return DiscoveryFacts(
            traffic=known.traffic if known else None,
            backend_exists=not name or (known.exists if known else False),
            backend_going=known.going if known else False,
            rolling=(spec.get("strategy") or {}).get("type") != "Progressive",
        )

    def _aliases(self, place: Place, around: Surroundings) -> tuple[AliasTarget, ...] | None:
        if place.intent.mode != "Alias":
            return None
        if around.parents is None:
            return None
        arns = dict.fromkeys(parent.load_balancer_arn for parent in around.parents if not parent.test)
        balancers = [self._world.facts.load_balancer(around.context, arn) for arn in arns]
        return tuple(
            AliasTarget(dns_name=found["DNSName"], name=found["LoadBalancerName"])
            for found in balancers
            if found
        )


def _namespace_facts(found: Object) -> NamespaceFacts:
    count = found.get("ServiceCount")
    return NamespaceFacts(
        id=found["Id"],
        name=found["Name"],
        arn=found["Arn"],
        type=found["Type"],
        tags=found["Tags"],
        services=None if count is None else int(count),
    )


def _service_facts(found: Object) -> ServiceFacts:
    dns = found.get("DnsConfig") or {}
    return ServiceFacts(
        id=found["Id"],
        arn=found["Arn"],
        name=found["Name"],
        namespace_id=found["NamespaceId"],
        tags=found["Tags"],
        records=tuple(
            DnsRecord(type=record["Type"], ttl=int(record["TTL"])) for record in dns.get("DnsRecords", ())
        ),
        routing=dns.get("RoutingPolicy", ""),
        custom_health="HealthCheckCustomConfig" in found,
    )


def _operation(found: Object) -> Operation:
    error = ": ".join(filter(None, (found.get("ErrorCode", ""), found.get("ErrorMessage", ""))))
    return Operation(id=found["Id"], status=found["Status"], error=error)
