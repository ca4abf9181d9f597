"""Ports that load balancers can send to, as probes and `ecs.targetGroups` describe them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sluice.api.v1alpha1.container import Container
from sluice.api.v1alpha1.ecs import EcsSettings, HealthCheck, TargetGroupSettings
from sluice.plan.translation.health import ANY_ANSWER, GRPC_PATH, target_check
from sluice.plan.translation.model import Findings, PortSpec

DEREGISTRATION_DELAY: Final = "deregistration_delay.timeout_seconds"
_MEMBERS: Final = {
    "protocol": "HealthCheckProtocol",
    "path": "HealthCheckPath",
    "interval_seconds": "HealthCheckIntervalSeconds",
    "timeout_seconds": "HealthCheckTimeoutSeconds",
    "healthy_threshold_count": "HealthyThresholdCount",
    "unhealthy_threshold_count": "UnhealthyThresholdCount",
}
_AWS_DEFAULTS: Final = {"HealthCheckIntervalSeconds": 30, "HealthCheckTimeoutSeconds": 5}


def template_ports(
    containers: Sequence[tuple[Container, str]], ecs: EcsSettings, findings: Findings
) -> tuple[PortSpec, ...]:
    """Return the TCP ports of a template's containers (each with its field path), as they are listed."""
    found = []
    for container, path in containers:
        for port in container.ports or ():
            if port.protocol != "TCP":
                continue
            version, check = target_check(container, port.container_port, path, findings)
            found.append(
                PortSpec(
                    name=port.name or "",
                    container_name=container.name,
                    container_port=port.container_port,
                    protocol_version=version,
                    health_check=check,
                    attributes={},
                )
            )
    return refined(found, ecs, findings)


def definition_ports(body: Mapping[str, Any], ecs: EcsSettings, findings: Findings) -> tuple[PortSpec, ...]:
    """Return the TCP ports of a task-definition body."""
    found = [
        PortSpec(
            name=mapping.get("name") or "",
            container_name=container["name"],
            container_port=mapping["containerPort"],
            protocol_version="HTTP1",
            health_check={**ANY_ANSWER, "HealthCheckPort": "traffic-port"},
            attributes={},
        )
        for container in body.get("containerDefinitions") or ()
        for mapping in container.get("portMappings") or ()
        if mapping.get("protocol", "tcp") == "tcp" and "containerPort" in mapping
    ]
    return refined(found, ecs, findings)


def refined(ports: Sequence[PortSpec], ecs: EcsSettings, findings: Findings) -> tuple[PortSpec, ...]:
    """Apply `ecs.targetGroups` to the ports they name; an entry without a port is refused."""
    result = list(ports)
    described: dict[int, int] = {}
    for index, settings in enumerate(ecs.target_groups or ()):
        path = f"spec.ecs.targetGroups[{index}]"
        matching = [
            i for i, port in enumerate(result) if str(settings.port) in {port.name, str(port.container_port)}
        ]
        if not matching:
            known = ", ".join(port.name or str(port.container_port) for port in result) or "none"
            findings.refuse(f"{path}.port", f"no container has that TCP port; there are: {known}")
        for position in matching:
            if described.setdefault(position, index) != index:
                other = described[position]
                findings.refuse(f"{path}.port", f"targetGroups[{other}] is about the same port; keep one")
            result[position] = _refine(result[position], settings, path, findings)
    names = [port.name for port in result if port.name]
    for name in sorted({name for name in names if names.count(name) > 1}):
        findings.refuse(
            "spec.template.spec.containers", f"two ports are named {name}; routes need one meaning"
        )
    return tuple(result)


def _refine(port: PortSpec, settings: TargetGroupSettings, path: str, findings: Findings) -> PortSpec:
    version = settings.protocol_version or port.protocol_version
    check = dict(port.health_check)
    if version != port.protocol_version and "GRPC" in (version, port.protocol_version):
        check = _for_version(check, grpc=version == "GRPC")
    if settings.health_check:
        check |= _members(settings.health_check, grpc=version == "GRPC")
    interval = check.get("HealthCheckIntervalSeconds", _AWS_DEFAULTS["HealthCheckIntervalSeconds"])
    timeout = check.get("HealthCheckTimeoutSeconds", _AWS_DEFAULTS["HealthCheckTimeoutSeconds"])
    if timeout >= interval:
        if settings.health_check and settings.health_check.timeout_seconds is not None:
            findings.refuse(f"{path}.healthCheck.timeoutSeconds", "must be less than the interval")
        else:
            check["HealthCheckTimeoutSeconds"] = interval - 1
    attributes = dict(settings.attributes or {})
    if settings.deregistration_delay_seconds is not None:
        if DEREGISTRATION_DELAY in attributes:
            findings.refuse(
                f"{path}.attributes[{DEREGISTRATION_DELAY}]", "is deregistrationDelaySeconds; say it once"
            )
        attributes[DEREGISTRATION_DELAY] = str(settings.deregistration_delay_seconds)
    return replace(
        port,
        protocol_version=version,
        health_check=check,
        attributes=dict(sorted({**port.attributes, **attributes}.items())),
    )


def _members(settings: HealthCheck, *, grpc: bool) -> dict[str, Any]:
    members = {
        member: getattr(settings, name)
        for name, member in _MEMBERS.items()
        if getattr(settings, name) is not None
    }
    if settings.port is not None:
        members["HealthCheckPort"] = str(settings.port)
    if settings.matcher is not None:
        members["Matcher"] = {"GrpcCode" if grpc else "HttpCode": settings.matcher}
    return members


def _for_version(check: Mapping[str, Any], *, grpc: bool) -> dict[str, Any]:
    """Return a check that fits the protocol version: gRPC codes go with GRPC only."""
    if grpc:
        return {**check, "HealthCheckPath": GRPC_PATH, "Matcher": {"GrpcCode": "0"}}
    return {**check, **ANY_ANSWER}
