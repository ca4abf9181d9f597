"""The port `ScalableServices` over the world's ECS: what Application Auto Scaling reads and sets.

It goes through ECS's own calls, so that a desired count set by scaling does all that UpdateService does.
Calls of services are not recorded and count against no budget.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Caller, Handler


class Calls(Protocol):
    """A service's operations by name."""

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""


class EcsScalables:
    """ECS services as things to scale."""

    def __init__(self, ecs: Calls) -> None:
        """Scale the services of `ecs`."""
        self._ecs = ecs

    def desired_count(self, caller: Caller, cluster: str, service: str) -> int | None:
        """Return desiredCount of an ACTIVE service, None when there is none."""
        found = self._find(caller, cluster, service)
        return int(found["desiredCount"]) if found is not None else None

    def set_desired_count(self, caller: Caller, cluster: str, service: str, count: int) -> None:
        """Set desiredCount as UpdateService would; a service that is gone or refuses is left as it is."""
        try:
            self._ecs.operations()["UpdateService"](
                caller, {"cluster": cluster, "service": service, "desiredCount": count}
            )
        except AwsError:  # between the look and the change it may have gone: there is nobody to tell
            return

    def deploying(self, caller: Caller, cluster: str, service: str) -> bool:
        """Tell whether a deployment is in progress."""
        found = self._find(caller, cluster, service)
        if found is None:
            return False
        deployments = found.get("deployments", [])
        return len(deployments) > 1 or any(
            deployment.get("rolloutState") == "IN_PROGRESS" for deployment in deployments
        )

    def _find(self, caller: Caller, cluster: str, service: str) -> dict[str, Any] | None:
        try:
            answer = self._ecs.operations()["DescribeServices"](
                caller, {"cluster": cluster, "services": [service]}
            )
        except AwsError:  # no such cluster
            return None
        services = [item for item in answer.get("services", ()) if item.get("status") == "ACTIVE"]
        return services[0] if services else None
