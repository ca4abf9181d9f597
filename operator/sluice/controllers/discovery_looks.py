"""What discovery's half of a route's pass looks at: Cloud Map, the backend's tasks, the load balancers.

Namespace and service are always read; a failure there ends the half. Instances, tasks and operations that
could not be read are None (or not there) in the facts, which never leads to a removal; `unread` tells why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from sluice.controllers.discovery_tasks import SlotSeen, is_running, tasks_of, wish_of
from sluice.controllers.settings import ControllerSettings
from sluice.model.binding import CallContext
from sluice.model.conditions import READY, STALLED_REASONS
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
    SeenTask,
    ServiceFacts,
    SlotWish,
)
from sluice.model.errors import AwsFailure, Deferred, Refused
from sluice.model.keys import DEPLOYMENT, Key
from sluice.model.ownership import INSTALLATION
from sluice.model.tenancy import TenancyRule
from sluice.observe.cache import AgedCache, tick
from sluice.plan.deployment.service import primary
from sluice.plan.discovery.memory import Memory
from sluice.plan.permit import permit_namespace
from sluice.plan.route.desired import BackendFacts, Parent
from sluice.ports import Object, World

T = TypeVar("T")
_SEEN_AGE: Final = 1.0
"""How old what clients see may be while something is under way, seconds: this is what is waited for."""
_MOVING_AGE: Final = 5.0
"""The same for tasks, instances, namespaces and services."""
_LOOKED: Final = 0.75
"""Looks at rest are 0.8 to 1 drift interval apart (runtime.worker.Cadence): each has to see for itself."""
_SERVICES: Final = 5000
"""ECS services whose last mark is remembered."""
_STILL: Final = frozenset({"Paused", "Baking", "WaitingForGate", "Frozen"}) | STALLED_REASONS
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
    moving: bool


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
        self._marks: AgedCache[tuple[object, ...], tuple[object, ...]] = AgedCache(_SERVICES)

    def deployment(self, key: Key, name: str) -> Object | None:
        """Return a Deployment of the route's namespace."""
        return self._world.store.get(Key(DEPLOYMENT, key.namespace, name)) if name else None

    def look(self, place: Place, around: Surroundings) -> Seen:
        """Return the facts of a place; raises Refused, Deferred or AwsFailure for namespace and service."""
        cloud_map, context, memory = self._world.facts.cloud_map, around.context, place.memory
        age = 0.0 if place.deleting else self._age(around, _MOVING_AGE)
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
        names = _backends(place)
        slots = read(lambda: self._slots(around, names, deleting=place.deleting))
        facts = self._of_backend(place, around)
        return Seen(
            facts=replace(
                facts,
                namespace=_namespace_facts(namespace) if namespace else None,
                service=_service_facts(service) if service else None,
                registered=registered,
                discovered=discovered,
                operations={name: _operation(found) for name, found in (operations or {}).items()},
                tasks=slots[0] if slots else None,
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

    def _age(self, around: Surroundings, moving: float) -> float:
        rest = self._settings.drift_interval * _LOOKED
        return min(moving, rest) if around.moving else rest

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
            found = self._chosen(wanted, named)
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
            namespace=_http_name(namespace),
            service=service["Name"],
            max_age=self._age(around, _SEEN_AGE),
        )
        listed = cloud_map.instances(
            context,
            service["Id"],
            revision=seen.revision,
            max_age=_MOVING_AGE if around.moving else self._settings.attributes_interval,
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

    # ECS.

    def _slots(
        self, around: Surroundings, names: Mapping[str, tuple[str, ...]], *, deleting: bool
    ) -> tuple[tuple[SeenTask, ...], tuple[SlotWish, ...]] | None:
        """Return tasks and wishes of the backends; None while a service of theirs is not known yet."""
        tasks: list[SeenTask] = []
        wishes: list[SlotWish] = []
        for number, (name, ports) in enumerate(names.items()):
            deployment = self.deployment(around.key, name)
            if deployment is None:
                continue
            status = deployment.get("status") or {}
            slots, retiring = status.get("slots") or (), status.get("retiring") or ()
            if not slots and not number and not deleting:
                return None  # it has not said yet where its tasks are
            for entry in (*slots, *retiring):
                seen = self._slot(around, entry, status)
                if seen is None:
                    if entry.get("serviceArn") or entry in retiring:
                        continue  # deleted: its tasks are gone, or about to be
                    return None
                # Those of a service that is being replaced leave like those of a former backend.
                other = entry["serviceName"] if entry in retiring else name if number else ""
                tasks += tasks_of(seen, ports=ports, backend=other)
                if entry in slots and not number:
                    wishes.append(wish_of(seen.name, seen.service))
        return tuple(tasks), tuple(wishes)

    def _slot(self, around: Surroundings, entry: Object, status: Mapping[str, Any]) -> SlotSeen | None:
        facts, context, age = self._world.facts, around.context, self._age(around, _MOVING_AGE)
        cluster, name = entry.get("cluster", ""), entry.get("serviceName", "")
        service = facts.service(context, cluster=cluster, name=name, max_age=age) if name else None
        if service is None:
            return None
        tasks = self._tasks(around, entry, service, cluster=cluster)
        definitions = {
            arn: definition
            for arn in {str(task.get("taskDefinitionArn")) for task in tasks}
            if (definition := facts.task_definition(context, arn)) is not None
        }
        arns = [str(task["taskArn"]) for task in tasks]
        wait = self._settings.drift_interval
        attached = {
            group["targetGroupArn"]
            for group in service.get("loadBalancers") or ()
            if "targetGroupArn" in group
        }
        groups = [
            group["arn"]
            for group in status.get("targetGroups") or ()
            if group.get("slot") == entry["name"]
            and group.get("arn") in attached
            and group.get("loadBalancerArn")
        ]
        return SlotSeen(
            name=entry["name"],
            service=service,
            tasks=tasks,
            definitions=definitions,
            protected=facts.protected(context, cluster=cluster, tasks=arns, max_age=wait) if arns else {},
            targets={
                arn: {
                    str(target["Target"]["Id"]): str(target["TargetHealth"]["State"])
                    for target in facts.target_health(context, arn, max_age=age)
                }
                for arn in groups
            }
            if arns
            else {},
        )

    def _tasks(
        self, around: Surroundings, entry: Object, service: Object, *, cluster: str
    ) -> Sequence[Object]:
        """Return a service's tasks; read again where its counts or its newest event say that they changed.

        ECS tells of each start and stop of a task by an event of the service, which DescribeServices brings
        for ten services at once; so names at rest cost no look at tasks.
        """
        name, context = entry["serviceName"], around.context
        key, mark = (context.binding, cluster, name), _mark(service)
        known = self._marks.peek(key)
        age = self._settings.attributes_interval if not around.moving else _MOVING_AGE
        for oldest in (age if known == mark else _SEEN_AGE, _SEEN_AGE):
            tasks = self._world.facts.tasks(
                context, cluster=cluster, service=name, status="RUNNING", max_age=oldest
            )
            running = sum(map(is_running, tasks))
            if running == service.get("runningCount") == entry.get("running", running):
                break
        self._marks.put(key, mark, order=tick(), read_at=0.0)
        return tasks

    # Kubernetes.

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


def _mark(service: Object) -> tuple[object, ...]:
    """Return what differs when tasks of a service were started or stopped."""
    newest: Object = next(iter(service.get("events") or ()), {})
    counts = (service.get(name) for name in ("desiredCount", "runningCount", "pendingCount"))
    return (*counts, primary(service).get("id"), newest.get("id"))


def in_motion(deployment: Object | None) -> bool:
    """Tell whether a Deployment's tasks are changing, or about to.

    A rollout that waits for a person, a gate or its time is as still as no rollout: what ends the wait is
    told by new weights or counts.
    """
    if deployment is None:
        return False
    status = deployment.get("status") or {}
    slots = (*(status.get("slots") or ()), *(status.get("retiring") or ()))
    if any(slot.get("desired") != slot.get("running") for slot in slots):
        return True
    generation = int(deployment["metadata"].get("generation", 0))
    if status.get("observedGeneration") != generation:
        return True
    found = (entry for entry in status.get("conditions") or () if entry["type"] == READY)
    return not any(entry["status"] == "True" or entry["reason"] in _STILL for entry in found)


def _backends(place: Place) -> dict[str, tuple[str, ...]]:
    """Return the Deployments whose tasks have a part in a place, the intent's first, and their ports."""
    intent, memory = place.intent, place.memory
    ports = tuple(filter(None, (intent.port, memory.port)))
    names = {intent.backend: ports} if intent.backend else {}
    for name in filter(None, (memory.backend, memory.former_backend)):
        names.setdefault(name, (memory.port, intent.port))
    return names


def _http_name(namespace: Object) -> str:
    properties = namespace.get("Properties") or {}
    return str((properties.get("HttpProperties") or {}).get("HttpName") or namespace["Name"])


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
