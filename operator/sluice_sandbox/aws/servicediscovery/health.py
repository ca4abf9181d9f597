"""How healthy an instance is, and how that changes.

Custom health: UpdateInstanceCustomHealthStatus is seen about 30 seconds later, counted from the first of
equal requests (botocore: HealthCheckCustomConfig.FailureThreshold). Route 53 health checks: what the
endpoint answers now, unknown until the first interval has passed; consecutive failures are not counted.
"""

from __future__ import annotations

from collections.abc import Mapping

from sluice_sandbox.aws.service import Caller, Handler, Params, Response
from sluice_sandbox.aws.servicediscovery import instance_rules as attribute
from sluice_sandbox.aws.servicediscovery import refusals
from sluice_sandbox.aws.servicediscovery.desk import Desk
from sluice_sandbox.aws.servicediscovery.filters import page
from sluice_sandbox.aws.servicediscovery.state import (
    HEALTHY,
    UNHEALTHY,
    UNKNOWN,
    DiscoveryService,
    Instance,
)

_PROBE_TIMEOUT = 4.0
"""Seconds in which an endpoint must answer a Route 53 health check (Route 53 developer guide)."""


class HealthCalls:
    """UpdateInstanceCustomHealthStatus and GetInstancesHealthStatus."""

    def __init__(self, desk: Desk) -> None:
        """Work on the desk's books."""
        self._desk = desk

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""
        return {
            "UpdateInstanceCustomHealthStatus": self.update,
            "GetInstancesHealthStatus": self.get,
        }

    def of(self, service: DiscoveryService, instance: Instance) -> str:
        """Return the visible health: HEALTHY, UNHEALTHY, or UNKNOWN where nothing is checked (yet)."""
        if service.custom_health is not None:
            return instance.health
        if service.health_check is None or self._desk.clock.now() < instance.checked_from:
            return UNKNOWN
        return self._probed(service.health_check, instance)

    def _probed(self, check: Mapping[str, str], instance: Instance) -> str:
        ip = instance.attributes.get(attribute.IPV4) or instance.attributes.get(attribute.IPV6)
        port = instance.attributes.get(attribute.PORT)
        if not ip or not port:
            return UNKNOWN  # an alias, or registered before the service had a check
        answer = self._desk.outlook.network.probe(
            ip,
            int(port),
            path=check.get("ResourcePath", "/"),
            timeout=_PROBE_TIMEOUT,
        )
        if check["Type"] == "TCP":
            return HEALTHY if not answer.failure else UNHEALTHY
        return HEALTHY if answer.status is not None and 200 <= answer.status < 400 else UNHEALTHY

    # --------------------------------------------------------------------- calls

    def update(self, caller: Caller, params: Params) -> Response:
        """Ask for a custom status; it is visible later."""
        service = self._desk.service(caller, params["ServiceId"])
        if service.custom_health is None:
            raise refusals.custom_health_not_found()
        instance = service.instances.get(params["InstanceId"])
        if instance is None:
            raise refusals.instance_not_found(params["InstanceId"])
        self.want(caller, service, instance, status=params["Status"])
        return {}

    def want(self, caller: Caller, service: DiscoveryService, instance: Instance, *, status: str) -> None:
        """Let `status` become visible; the same wish again does not move the time, another replaces it."""
        if status == (instance.wanted_health or instance.health):
            return
        instance.health_change += 1
        instance.wanted_health = "" if status == instance.health else status
        if instance.wanted_health:
            number = instance.health_change
            names = service.id, instance.id
            self._desk.clock.call_later(
                self._desk.settings.pace.custom_health, lambda: self._show(caller, *names, number)
            )

    def _show(self, caller: Caller, service_id: str, instance_id: str, number: int) -> None:
        service = self._desk.region(caller).services.get(service_id)
        instance = service.instances.get(instance_id) if service is not None else None
        if instance is not None and instance.health_change == number and instance.wanted_health:
            instance.health, instance.wanted_health = instance.wanted_health, ""

    def get(self, caller: Caller, params: Params) -> Response:
        """Return the health of the named instances, or of all, by id; one page at a time."""
        service = self._desk.service(caller, params["ServiceId"])
        asked = params.get("Instances") or list(service.instances)
        for instance_id in asked:
            if instance_id not in service.instances:
                raise refusals.instance_not_found(instance_id)
        found = [service.instances[instance_id] for instance_id in dict.fromkeys(asked)]
        response = page(
            params,
            found,
            member="Status",
            key=lambda instance: instance.id,
            show=lambda instance: (instance.id, self.of(service, instance)),
        )
        return {**response, "Status": dict(response["Status"])}
