"""The `servicediscovery` service as a whole: its operations and the port that ECS uses."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from sluice_sandbox.aws.clock import Clock
from sluice_sandbox.aws.composed import ComposedService
from sluice_sandbox.aws.ports import RegistryView, TaggedResource
from sluice_sandbox.aws.service import Caller
from sluice_sandbox.aws.servicediscovery.connect import ConnectNamespaces
from sluice_sandbox.aws.servicediscovery.desk import Desk, Outlook
from sluice_sandbox.aws.servicediscovery.discovery import DiscoveryCalls
from sluice_sandbox.aws.servicediscovery.health import HealthCalls
from sluice_sandbox.aws.servicediscovery.instances import InstanceCalls
from sluice_sandbox.aws.servicediscovery.namespaces import NamespaceCalls
from sluice_sandbox.aws.servicediscovery.operations import OperationEngine
from sluice_sandbox.aws.servicediscovery.registry import Registry
from sluice_sandbox.aws.servicediscovery.services import ServiceCalls
from sluice_sandbox.aws.servicediscovery.settings import CloudMapSettings
from sluice_sandbox.aws.servicediscovery.state import State
from sluice_sandbox.aws.servicediscovery.tags import TagCalls


class ServiceDiscovery(ComposedService[State]):
    """AWS Cloud Map: a `Service`, and the `Registries` port of ECS."""

    name = "servicediscovery"

    def __init__(
        self, clock: Clock, *, outlook: Outlook, rng: random.Random, settings: CloudMapSettings | None = None
    ) -> None:
        """Start with nothing. `settings` default to AWS's pace in virtual time, else to a quick one."""
        self._desk = Desk(clock, outlook=outlook, rng=rng, settings=settings or CloudMapSettings.of(clock))
        engine = OperationEngine(self._desk)
        tags = self._tags = TagCalls(self._desk)
        instances = InstanceCalls(self._desk, engine)
        self.health = HealthCalls(self._desk)
        namespaces = NamespaceCalls(self._desk, engine, tags)
        services = ServiceCalls(self._desk, engine, tags)
        self.connect = ConnectNamespaces(self._desk, namespaces, services)
        """What ECS finds and makes namespaces with, for Service Connect."""
        self._registry = Registry(self._desk, instances=instances, health=self.health)
        # Draws of its own: how often somebody looks must not change anybody's ids.
        discovery = DiscoveryCalls(self._desk, self.health, rng=random.Random(rng.getrandbits(64)))
        super().__init__(
            self._desk,
            namespaces,
            services,
            instances,
            self.health,
            discovery,
            engine,
            tags,
        )

    @property
    def settings(self) -> CloudMapSettings:
        """Pace and quotas; a test may set others."""
        return self._desk.settings

    @settings.setter
    def settings(self, settings: CloudMapSettings) -> None:
        self._desk.settings = settings

    # The Registries port.

    def service(self, caller: Caller, arn: str) -> RegistryView | None:
        """Return what ECS checks of a Cloud Map service; see `ports.Registries`."""
        return self._registry.service(caller, arn)

    def namespace_exists(self, caller: Caller, name_or_arn: str) -> bool:
        """Tell whether a namespace has the name or ARN."""
        return self._registry.namespace_exists(caller, name_or_arn)

    def register(self, caller: Caller, arn: str, *, instance_id: str, attributes: Mapping[str, str]) -> None:
        """Register or update an instance for ECS."""
        self._registry.register(caller, arn, instance_id=instance_id, attributes=attributes)

    def deregister(self, caller: Caller, arn: str, *, instance_id: str) -> None:
        """Take an instance away for ECS."""
        self._registry.deregister(caller, arn, instance_id=instance_id)

    def set_health(self, caller: Caller, arn: str, *, instance_id: str, healthy: bool) -> None:
        """Set an instance's custom health for ECS."""
        self._registry.set_health(caller, arn, instance_id=instance_id, healthy=healthy)

    # The Tagged port.

    def tagged_resources(self, caller: Caller) -> Sequence[TaggedResource]:
        """Return namespaces and services with their tags; see `ports.Tagged`."""
        return self._tags.tagged_resources(caller)

    def change_tags(
        self, caller: Caller, arn: str, *, put: Mapping[str, str], remove: Sequence[str] = ()
    ) -> bool:
        """Change tags of a namespace or service; False when nothing has the ARN."""
        return self._tags.change_tags(caller, arn, put=put, remove=remove)
