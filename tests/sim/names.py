"""One name of Cloud Map and the tasks behind it, read from the stand-in's books: no call, no time, no plan.

Whoever judges discovery looks here, so nothing depends on what the operator believes or remembers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sim.universe import WEB, Universe
from sluice.model import ownership
from sluice.model.discovery import INSTALLATION_ATTRIBUTE, SLOT_ATTRIBUTE
from sluice.model.keys import Key
from sluice_sandbox.aws.ecs.state import Scope, Task
from sluice_sandbox.aws.servicediscovery.state import UNHEALTHY, DiscoveryService, Namespace
from sluice_sandbox.dns.message import TYPES, Query
from sluice_sandbox.dns.resolver import answers

_SERVES = frozenset({"RUNNING", "DEACTIVATING"})
"""lastStatus in which containers run and were not told to stop (ECS developer guide, "Task lifecycle")."""
_PLANNED = ("Scaling activity", "deployment")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An instance as clients get it."""

    id: str
    address: str
    healthy: bool
    slot: str
    ours: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """A task as a client meets it."""

    id: str
    address: str
    service_arn: str
    serves: bool
    healthy: bool
    """It serves, is not on its way out, and neither its containers' checks nor its targets say no."""
    planned: bool
    """It was stopped by ECS for a deployment or a scale-in, not for being ill."""


class Name:
    """`<service>.<domain>` of a universe, and the tasks of the Deployments that it is for."""

    def __init__(
        self, universe: Universe, service: str = "web", domain: str = "corp.local", *, backend: Key = WEB
    ) -> None:
        """Look at a name that need not exist yet."""
        self.universe = universe
        self.name, self.domain, self.backend = service, domain, backend
        self._dns = answers(universe.world, twins=False)

    # What clients get.

    def found(self) -> tuple[Namespace, DiscoveryService] | None:
        """Return the Cloud Map service with its namespace, None while there is none."""
        region = self.universe.world.services["servicediscovery"].state.region(self.universe.world.caller)
        for namespace in region.namespaces.values():
            for service in region.services_of(namespace.id):
                if namespace.ready and (namespace.name, service.name) == (self.domain, self.name):
                    return namespace, service
        return None

    def entries(self) -> list[Entry]:
        """Return every instance that DiscoverInstances (HealthStatus ALL) tells of."""
        found = self.found()
        if found is None:
            return []
        health = self.universe.world.services["servicediscovery"].health
        return [
            Entry(
                id=item.id,
                address=item.attributes.get("AWS_INSTANCE_IPV4", ""),
                healthy=health.of(found[1], item) != UNHEALTHY,
                slot=item.attributes.get(SLOT_ATTRIBUTE, ""),
                ours=INSTALLATION_ATTRIBUTE in item.attributes,
            )
            for item in found[1].seen.values()
        ]

    def answered(self) -> list[Entry]:
        """Return what any client may be answered with: the healthy ones, or all where none is."""
        entries = self.entries()
        return [entry for entry in entries if entry.healthy] or entries

    def resolved(self) -> set[str]:
        """Return the addresses that DNS answers with at this moment, of which there are eight at most."""
        query = Query(id=1, flags=0, name=f"{self.name}.{self.domain}", kind=TYPES["A"], klass=1)
        return {str(record.value) for record in self._dns.answer(query).records if record.kind == "A"}

    def shares(self) -> dict[str, int]:
        """Return how many healthy entries each slot has."""
        found: dict[str, int] = {}
        for entry in self.entries():
            if entry.healthy:
                found[entry.slot] = found.get(entry.slot, 0) + 1
        return found

    # What is behind them.

    def tasks(self) -> dict[str, Behind]:
        """Return the tasks of the backend by id, those that ended a moment ago included."""
        found = {}
        for scope in self._scopes():
            for service in scope.services.values():
                owner = service.tags.get(ownership.NAMESPACE), service.tags.get(ownership.NAME)
                if owner != (self.backend.namespace, self.backend.name):
                    continue
                for arn in (*service.live, *service.stopped):
                    task = scope.tasks.get(arn)
                    if task is not None:
                        found[task.id] = self._behind(task)
        return found

    def eligible(self) -> dict[str, Behind]:
        """Return the healthy tasks that may be answered with: those of slots with a published weight."""
        status = self.universe.status(self.backend)
        weights = (status.get("traffic") or {}).get("weights")
        slots = {slot.get("serviceArn"): slot.get("name") for slot in status.get("slots") or ()}
        return {
            name: task
            for name, task in self.tasks().items()
            if task.healthy and (not weights or weights.get(slots.get(task.service_arn), 0) > 0)
        }

    def _behind(self, task: Task) -> Behind:
        serves = task.last_status in _SERVES
        planned = task.stop_code == "ServiceSchedulerInitiated" and any(
            word in task.stopped_reason for word in _PLANNED
        )
        return Behind(
            id=task.id,
            address=task.ip,
            service_arn=task.service_arn,
            serves=serves,
            healthy=serves and task.desired_status == "RUNNING" and self._well(task),
            planned=planned,
        )

    def _well(self, task: Task) -> bool:
        if any(box.health_check and box.health != "HEALTHY" for box in task.containers if box.essential):
            return False
        elb, caller = self.universe.world.services["elbv2"], self.universe.world.caller
        for target in task.targets:
            health = elb.health(caller, target.group_arn, ip=task.ip, port=target.port)
            if health is not None and health.state not in {"healthy", "unused"}:
                return False
        return True

    def _scopes(self) -> Iterator[Scope]:
        yield from self.universe.world.services["ecs"].state.scopes.values()
