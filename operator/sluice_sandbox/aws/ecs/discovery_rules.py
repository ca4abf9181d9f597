"""What ECS refuses of service discovery and Service Connect.

Texts of serviceRegistries: umotif-public/terraform-aws-ecs-fargate#25, cloudposse/
terraform-aws-ecs-web-app#208, techservicesillinois/terraform-aws-ecs-service#16; of namespaces:
terraform-aws-modules/terraform-aws-ecs#116; the others from memory. Rules: botocore, ServiceRegistry and
ServiceConnectConfiguration. A world without Cloud Map (`Core.ports.registries` is None) cannot look
registries and namespaces up and takes them as given.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sluice_sandbox.aws.ecs.core import Core
from sluice_sandbox.aws.ecs.refusals import invalid_parameter, namespace_not_found
from sluice_sandbox.aws.ecs.state import Definition
from sluice_sandbox.aws.service import Caller

_REGISTRY = re.compile(r"arn:[^:]+:servicediscovery:[^:]+:[^:]+:service/\S+")
_DISCOVERY_NAME = re.compile(r"[a-z0-9_][a-z0-9_-]{0,63}")
_DNS_NAME = re.compile(r"[a-z0-9_.][a-z0-9_.-]{0,126}")
_PORTS = range(1, 65536)

Item = Mapping[str, Any]


def container_port(item: Item, definition: Definition) -> None:
    """Refuse a containerName and containerPort that the definition does not map."""
    name, port = item.get("containerName"), item.get("containerPort")
    container = next((c for c in definition.spec["containerDefinitions"] if c["name"] == name), None)
    if container is None:
        # Text: public terraform issues.
        raise invalid_parameter(f"The container {name} does not exist in the task definition.")
    if not any(_maps(mapping, port) for mapping in container["portMappings"]):
        # Text: public issues.
        raise invalid_parameter(f"The container {name} did not have a container port {port} defined.")


def _maps(mapping: Item, port: int | None) -> bool:
    if "containerPort" in mapping:
        return bool(mapping["containerPort"] == port)
    low, _, high = str(mapping["containerPortRange"]).partition("-")
    return port is not None and int(low) <= port <= int(high)


class DiscoveryRules:
    """Checks of serviceRegistries and serviceConnectConfiguration."""

    def __init__(self, core: Core) -> None:
        """Ask Cloud Map behind `core`'s ports, where there is one."""
        self._core = core

    def check_registries(
        self, caller: Caller, spec: dict[str, Any], definition: Definition, *, look_up: bool
    ) -> None:
        """Refuse more than one registry, an impossible port, and (`look_up`) one that does not exist."""
        registries = spec.get("serviceRegistries") or []
        if len(registries) > 1:
            # botocore: each service may be associated with one service registry.
            raise invalid_parameter("Each service may be associated with one service registry.")
        for item in registries:
            arn = item.get("registryArn") or ""
            named = item.get("containerName") is not None or item.get("containerPort") is not None
            if item.get("port") is not None and named:
                raise invalid_parameter(
                    "Specify a value for either 'port' or the 'containerName' and 'containerPort' "
                    f"combination, but not both. Remove one and retry. Registry: {arn}"
                )
            if item.get("port") is not None and item["port"] not in _PORTS:
                raise invalid_parameter(f"Invalid port '{item['port']}' in a service registry.")
            if named:
                container_port(item, definition)
            if not _REGISTRY.fullmatch(arn):
                raise invalid_parameter("Invalid registryArn in a service registry.")
            mode = definition.spec["networkMode"]
            if mode in {"bridge", "host"} and not named:
                raise invalid_parameter(
                    "When specifying 'host' or 'bridge' for networkMode, values for 'containerName' and "
                    f"'containerPort' must be specified from the task definition. Registry: {arn}"
                )
            if look_up and self._core.ports.registries is not None:
                self._check_records(caller, item, mode)

    def _check_records(self, caller: Caller, item: Item, mode: str) -> None:
        registries = self._core.ports.registries
        assert registries is not None  # noqa: S101 - the caller looked
        arn = item["registryArn"]
        view = registries.service(caller, arn)
        if view is None:
            raise invalid_parameter(f"The specified service registry does not exist. Registry: {arn}")
        given = next((m for m in ("containerPort", "port") if item.get(m) is not None), "")
        if not view.record_types:
            return  # an HTTP namespace's instances may have a port (from memory)
        if "SRV" not in view.record_types:
            if mode in {"bridge", "host"}:
                raise invalid_parameter(
                    f"The networkMode {mode} requires a service registry with an SRV record. Registry: {arn}"
                )
            if given:
                raise invalid_parameter(
                    f"The values specified for serviceRegistries do not require a value for '{given}'. "
                    f"Remove the value and retry. Registry: {arn}"
                )
        elif not given:
            raise invalid_parameter(
                "Specify a value for either 'port' or the 'containerName' and 'containerPort' combination: "
                f"the service registry has an SRV record. Registry: {arn}"
            )

    def check_connect(
        self, caller: Caller, spec: dict[str, Any], definition: Definition, *, namespace: str | None
    ) -> None:
        """Refuse Service Connect without a namespace, and services that no port mapping is named for.

        `namespace` is the cluster's default ('' without one); None: namespaces are not looked up.
        """
        connect = spec.get("serviceConnectConfiguration") or {}
        services = connect.get("services") or ()
        names = {
            mapping["name"]
            for container in definition.spec["containerDefinitions"]
            for mapping in container["portMappings"]
            if mapping.get("name")
        }
        for item in services:
            if item["portName"] not in names:
                # Text: public issues.
                raise invalid_parameter(
                    f"The portName {item['portName']} does not exist in the task definition's port mappings."
                )
            _check_service(item)
        discovered = [item.get("discoveryName") or item["portName"] for item in services]
        if len(set(discovered)) != len(discovered):
            raise invalid_parameter("The discovery names of a service must be unique.")
        if connect.get("accessLogConfiguration") and not connect.get("logConfiguration"):
            # botocore, ServiceConnectConfiguration.accessLogConfiguration.
            raise invalid_parameter("Access logs require a logConfiguration in serviceConnectConfiguration.")
        if connect.get("enabled") and namespace is not None:
            self._check_namespace(caller, connect.get("namespace") or namespace, definition)

    def _check_namespace(self, caller: Caller, namespace: str, definition: Definition) -> None:
        if definition.spec["networkMode"] not in {"awsvpc", "bridge"}:
            # ECS developer guide, Service Connect considerations.
            raise invalid_parameter(
                "Service Connect is only supported with the network modes awsvpc and bridge."
            )
        if not namespace:
            raise invalid_parameter(
                "A namespace must be specified for Service Connect, in the service or as the cluster's "
                "default."
            )
        registries = self._core.ports.registries
        if registries is not None and not registries.namespace_exists(caller, namespace):
            raise namespace_not_found(namespace)


def _check_service(item: Item) -> None:
    name = item.get("discoveryName")
    if name is not None and not _DISCOVERY_NAME.fullmatch(name):
        raise invalid_parameter(f"Invalid discoveryName '{name}' in serviceConnectConfiguration.")
    aliases = item.get("clientAliases") or ()
    if len(aliases) > 1:
        raise invalid_parameter("A Service Connect service can have at most one client alias.")
    for alias in aliases:
        if alias["port"] not in _PORTS:
            raise invalid_parameter(f"Invalid port '{alias['port']}' in a client alias.")
        if alias.get("dnsName") is not None and not _DNS_NAME.fullmatch(alias["dnsName"]):
            raise invalid_parameter(f"Invalid dnsName '{alias['dnsName']}' in a client alias.")
