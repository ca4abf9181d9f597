"""What ECS needs of Cloud Map's namespaces for Service Connect, and how it names them: by ARN.

botocore, ClusterServiceConnectDefaults and its request: a name or ARN that exists is used, a new name makes
an HTTP namespace. On AWS the cluster is PROVISIONING meanwhile; here it is ACTIVE at once.
"""

from __future__ import annotations

from typing import Protocol

from sluice_sandbox.aws.ecs import refusals
from sluice_sandbox.aws.service import Caller


class Namespaces(Protocol):
    """Cloud Map's namespaces."""

    def namespace_arn(self, caller: Caller, name_or_arn: str) -> str | None:
        """Return the ARN of the namespace with this name or ARN, None without one."""

    def make_namespace(self, caller: Caller, name: str) -> str:
        """Make an HTTP namespace; return its ARN."""

    def connect_service(self, caller: Caller, namespace: str, name: str) -> str:
        """Return the ARN of the Cloud Map service of a name in a namespace that exists, made if it is new."""

    def release_service(self, caller: Caller, arn: str) -> None:
        """Delete a Cloud Map service; a no-op for one that is gone or that has instances."""


def default_of(namespaces: Namespaces | None, caller: Caller, name_or_arn: str) -> str:
    """Return the ARN of a cluster's default namespace, made where its name is new.

    An unknown ARN is NamespaceNotFoundException. A world without Cloud Map keeps what it is given.
    """
    if namespaces is None:
        return name_or_arn
    found = namespaces.namespace_arn(caller, name_or_arn)
    if found is None and name_or_arn.startswith("arn:"):
        raise refusals.namespace_not_found(name_or_arn)
    return found or namespaces.make_namespace(caller, name_or_arn)


def same(namespaces: Namespaces | None, caller: Caller, names: tuple[str, str]) -> bool:
    """Tell whether two names or ARNs mean one namespace."""
    one, other = names
    if one == other or namespaces is None:
        return one == other
    arn = namespaces.namespace_arn(caller, one)
    return arn is not None and arn == namespaces.namespace_arn(caller, other)
