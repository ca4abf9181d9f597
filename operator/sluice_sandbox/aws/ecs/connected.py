"""The Cloud Map services that ECS keeps for Service Connect: made with a deployment, gone with the service.

botocore, ServiceConnectServiceResource: each discovery name of a service is a Cloud Map service in its
namespace. No instance is registered in them, as no proxy is modelled; that two services may share a
name, and that the last one takes it away when it becomes INACTIVE, is assumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sluice_sandbox.aws.ecs import refusals
from sluice_sandbox.aws.ecs.core import Core
from sluice_sandbox.aws.ecs.identity import last_segment, owner
from sluice_sandbox.aws.ecs.state import Service


def names(spec: Mapping[str, Any]) -> list[str]:
    """Return the discovery names of a service's or a deployment's Service Connect, none where it is off."""
    connect = spec.get("serviceConnectConfiguration") or {}
    served = connect.get("services") or () if connect.get("enabled") else ()
    return [item.get("discoveryName") or item["portName"] for item in served]


def connect(core: Core, service: Service) -> None:
    """Make the Cloud Map services that the service's present spec names and that it does not have yet."""
    namespaces = core.ports.namespaces
    wanted = [name for name in names(service.spec) if name not in service.connected]
    if namespaces is None or not wanted:
        return
    caller = owner(service.arn)
    cluster = core.scope(caller).clusters[last_segment(service.cluster_arn)]
    default = (cluster.spec.get("serviceConnectDefaults") or {}).get("namespace") or ""
    namespace = service.spec["serviceConnectConfiguration"].get("namespace") or default
    if namespaces.namespace_arn(caller, namespace) is None:
        raise refusals.namespace_not_found(namespace)
    for name in wanted:
        service.connected[name] = namespaces.connect_service(caller, namespace, name)


def disconnect(core: Core, service: Service) -> None:
    """Delete the Cloud Map services that no other service has."""
    namespaces, caller = core.ports.namespaces, owner(service.arn)
    others = [item for item in core.scope(caller).services.values() if item is not service]
    used = {arn for item in others for arn in item.connected.values()}
    for arn in set(service.connected.values()) - used:
        if namespaces is not None:
            namespaces.release_service(caller, arn)
    service.connected = {}


def resources(service: Service, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return a deployment's serviceConnectResources; nothing without Service Connect services."""
    shown = [
        {"discoveryName": name, "discoveryArn": service.connected[name]}
        for name in names(spec)
        if name in service.connected
    ]
    return {"serviceConnectResources": shown} if shown else {}
