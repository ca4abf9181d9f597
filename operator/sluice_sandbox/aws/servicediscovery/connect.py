"""ECS's hands on namespaces, for Service Connect (`ecs.namespaces.Namespaces`).

botocore ecs, ClusterServiceConnectDefaultsRequest.namespace: an existing name or ARN of any type is used, a
new name makes one of type HTTP. ECS calls CreateHttpNamespace like anybody else: it takes its time.
"""

from __future__ import annotations

from contextlib import suppress

from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Caller
from sluice_sandbox.aws.servicediscovery.desk import Desk
from sluice_sandbox.aws.servicediscovery.namespaces import NamespaceCalls
from sluice_sandbox.aws.servicediscovery.services import ServiceCalls
from sluice_sandbox.aws.servicediscovery.state import HTTP


class ConnectNamespaces:
    """Finds namespaces, and makes them."""

    def __init__(self, desk: Desk, calls: NamespaceCalls, services: ServiceCalls) -> None:
        """Use the same handlers as the API does."""
        self._desk = desk
        self._calls = calls
        self._services = services

    def namespace_arn(self, caller: Caller, name_or_arn: str) -> str | None:
        """Return the ARN of the namespace with this name or ARN, made or in the making; None without one."""
        return next(
            (
                namespace.arn
                for namespace in self._desk.region(caller).namespaces.values()
                if name_or_arn in {namespace.name, namespace.http_name, namespace.arn}
            ),
            None,
        )

    def make_namespace(self, caller: Caller, name: str) -> str:
        """Ask for an HTTP namespace of a name that none has; return its ARN, raise as CreateHttpNamespace."""
        operation = self._calls.create(caller, {"Name": name}, HTTP)["OperationId"]
        region = self._desk.region(caller)
        return region.namespaces[region.operations[operation].targets["NAMESPACE"]].arn

    def connect_service(self, caller: Caller, namespace: str, name: str) -> str:
        """Return the ARN of the service of this name in a namespace, made if it is new."""
        found = self._desk.namespace(caller, self.namespace_arn(caller, namespace) or namespace)
        for service in self._desk.region(caller).services_of(found.id):
            if service.name == name:
                return service.arn
        made: str = self._services.create(caller, {"Name": name, "NamespaceId": found.id})["Service"]["Arn"]
        return made

    def release_service(self, caller: Caller, arn: str) -> None:
        """Delete a service that is still there and has no instances."""
        with suppress(AwsError):
            self._services.delete(caller, {"Id": arn})
