"""The port through which ECS registers its tasks (`ports.Registries`).

ECS makes the same calls as anybody else, so everything takes Cloud Map's own time. Where AWS has ECS
try again (another operation on the instance in progress, an operation that failed), so does this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.ports import RegistryView
from sluice_sandbox.aws.service import Caller, Response
from sluice_sandbox.aws.servicediscovery.desk import Desk
from sluice_sandbox.aws.servicediscovery.health import HealthCalls
from sluice_sandbox.aws.servicediscovery.instances import InstanceCalls
from sluice_sandbox.aws.servicediscovery.state import FAIL, HEALTHY, UNHEALTHY, DiscoveryService

Work = Callable[[], Response]


class Registry:
    """ECS's hands in Cloud Map."""

    def __init__(self, desk: Desk, *, instances: InstanceCalls, health: HealthCalls) -> None:
        """Use the same handlers as the API does."""
        self._desk = desk
        self._instances = instances
        self._health = health
        self._wanted: dict[tuple[str, str], int] = {}
        """The newest wish for each (service ARN, instance id): older ones that still wait are dropped."""

    def service(self, caller: Caller, arn: str) -> RegistryView | None:
        """Return what ECS checks of a Cloud Map service; see `ports.Registries`."""
        service = self._found(caller, arn)
        if service is None:
            return None
        return RegistryView(
            arn=service.arn,
            service_id=service.id,
            namespace_id=service.namespace_id,
            name=service.name,
            record_types=service.record_types,
            custom_health=service.custom_health is not None,
        )

    def namespace_exists(self, caller: Caller, name_or_arn: str) -> bool:
        """Tell whether a namespace has the name or ARN."""
        return any(
            namespace.ready and name_or_arn in {namespace.name, namespace.http_name, namespace.arn}
            for namespace in self._desk.region(caller).namespaces.values()
        )

    def register(self, caller: Caller, arn: str, *, instance_id: str, attributes: Mapping[str, str]) -> None:
        """Register or update an instance, sooner or later."""
        params = {"ServiceId": arn, "InstanceId": instance_id, "Attributes": dict(attributes)}
        self._see_to(caller, arn, instance_id, lambda: self._instances.register(caller, params))

    def deregister(self, caller: Caller, arn: str, *, instance_id: str) -> None:
        """Take an instance away, sooner or later."""
        params = {"ServiceId": arn, "InstanceId": instance_id}
        self._see_to(caller, arn, instance_id, lambda: self._instances.deregister(caller, params))

    def set_health(self, caller: Caller, arn: str, *, instance_id: str, healthy: bool) -> None:
        """Set the custom health where there is one."""
        service = self._found(caller, arn)
        instance = service.instances.get(instance_id) if service is not None else None
        if service is not None and instance is not None and service.custom_health is not None:
            self._health.want(caller, service, instance, status=HEALTHY if healthy else UNHEALTHY)

    # ------------------------------------------------------------------- private

    def _found(self, caller: Caller, arn: str) -> DiscoveryService | None:
        try:
            return self._desk.service(caller, arn)
        except AwsError:
            return None

    def _see_to(self, caller: Caller, arn: str, instance_id: str, work: Work) -> None:
        key = arn, instance_id
        number = self._wanted[key] = self._wanted.get(key, 0) + 1
        self._try(caller, key, number, work)

    def _try(self, caller: Caller, key: tuple[str, str], number: int, work: Work) -> None:
        if self._wanted.get(key) != number:
            return
        later = self._desk.settings.pace.instance
        try:
            operation_id = work()["OperationId"]
        except AwsError as error:
            if error.code == "DuplicateRequest":
                self._desk.clock.call_later(later, lambda: self._try(caller, key, number, work))
            else:
                self._wanted.pop(key)
            return

        def look() -> None:
            item = self._desk.region(caller).operations.get(operation_id)
            if item is not None and item.running:
                self._desk.clock.call_later(later, look)
            elif item is not None and item.status == FAIL:
                self._try(caller, key, number, work)
            elif self._wanted.get(key) == number:
                self._wanted.pop(key)

        self._desk.clock.call_later(later, look)
