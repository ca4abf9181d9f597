"""DiscoverInstances and DiscoverInstancesRevision: what a client of Cloud Map's API sees.

Source: botocore's DiscoverInstances. What it does when HealthStatus is not given is not documented; here
it is HEALTHY_OR_ELSE_ALL, so that discovery fails open as DNS does (from memory).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping

from sluice_sandbox.aws.service import Caller, Handler, Params, Response
from sluice_sandbox.aws.servicediscovery import refusals
from sluice_sandbox.aws.servicediscovery.desk import Desk
from sluice_sandbox.aws.servicediscovery.health import HealthCalls
from sluice_sandbox.aws.servicediscovery.state import (
    HEALTHY,
    UNHEALTHY,
    DiscoveryService,
    Instance,
    Namespace,
)

DEFAULT_RESULTS = 100
FAIL_OPEN = "HEALTHY_OR_ELSE_ALL"


class DiscoveryCalls:
    """The two calls of the data plane."""

    def __init__(self, desk: Desk, health: HealthCalls, *, rng: random.Random) -> None:
        """Read the desk's books; `rng` shuffles answers."""
        self._desk = desk
        self._health = health
        self._rng = rng

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""
        return {
            "DiscoverInstances": self.discover,
            "DiscoverInstancesRevision": self.revision,
        }

    def discover(self, caller: Caller, params: Params) -> Response:
        """Return matching instances in random order, at most MaxResults of them."""
        namespace, service = self._find(caller, params)
        found = _with(service.seen.values(), params.get("QueryParameters") or {})
        preferred = _with(found, params.get("OptionalParameters") or {})
        chosen = self._of_health(service, preferred or found, params.get("HealthStatus") or FAIL_OPEN)
        self._rng.shuffle(chosen)
        return {
            "Instances": [
                {
                    "InstanceId": instance.id,
                    "NamespaceName": namespace.http_name,
                    "ServiceName": service.name,
                    "HealthStatus": self._health.of(service, instance),
                    "Attributes": dict(instance.attributes),
                }
                for instance in chosen[: params.get("MaxResults") or DEFAULT_RESULTS]
            ],
            "InstancesRevision": service.seen_revision,
        }

    def revision(self, caller: Caller, params: Params) -> Response:
        """Return what DiscoverInstances would say as InstancesRevision, without the instances."""
        return {"InstancesRevision": self._find(caller, params)[1].seen_revision}

    def _of_health(self, service: DiscoveryService, found: list[Instance], wanted: str) -> list[Instance]:
        if not service.checks_health or wanted == "ALL":
            return found
        state = UNHEALTHY if wanted == UNHEALTHY else HEALTHY
        chosen = [instance for instance in found if self._health.of(service, instance) == state]
        return chosen or found if wanted == FAIL_OPEN else chosen

    def _find(self, caller: Caller, params: Params) -> tuple[Namespace, DiscoveryService]:
        name = params["NamespaceName"]
        region = self._desk.region(caller)
        namespace = next((item for item in region.namespaces.values() if item.http_name == name), None)
        if (
            namespace is None
            or not namespace.ready
            or params.get("OwnerAccount", caller.account) != caller.account
        ):
            raise refusals.namespace_not_found(name)
        for service in region.services_of(namespace.id):
            if service.name == params["ServiceName"]:
                return namespace, service
        raise refusals.service_not_found(params["ServiceName"])


def _with(instances: Iterable[Instance], attributes: Mapping[str, str]) -> list[Instance]:
    wanted = attributes.items()
    return [instance for instance in instances if wanted <= instance.attributes.items()]
