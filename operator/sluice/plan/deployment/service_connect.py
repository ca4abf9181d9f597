"""Service Connect as ECS would take it, checked before ECS is asked: what is wrong, where, and what to do.

Rules: botocore, ServiceConnectConfiguration, ServiceConnectService, ServiceConnectClientAlias, and the ECS
guide's considerations of Service Connect (network modes). Whether a namespace exists, and which one is the
cluster's default, ECS alone can tell. Who may serve by Service Connect at all is `api.progressive_rules`'.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sluice.api.v1alpha1.parse import Problem

WHERE: Final = "spec.ecs.serviceConnectConfiguration"
_MODES: Final = ("awsvpc", "bridge")
_NAME: Final = re.compile(r"[a-z0-9_][a-z0-9_-]{0,63}")
_DNS: Final = re.compile(r"[a-z0-9_.][a-z0-9_.-]{0,126}")
_NAMESPACE: Final = re.compile(r"arn:aws[a-z-]*:servicediscovery:[a-z0-9-]+:[0-9]{12}:namespace/\S+")
_LAST_PORT: Final = 65_535
_NAME_TEXT: Final = (
    "has up to 64 lower-case letters, digits, _ and -, and does not start with -; choose another"
)
_DNS_TEXT: Final = (
    "has up to 127 lower-case letters, digits, _, - and ., and does not start with -; choose another"
)


def problems(connect: Mapping[str, Any], definition: Mapping[str, Any]) -> list[Problem]:
    """Return what keeps ECS from taking `connect` with a task definition's body; [] while it is off."""
    if not connect.get("enabled"):
        return []
    found = list(_whole(connect, definition))
    named = named_ports(definition)
    services: Sequence[Mapping[str, Any]] = connect.get("services") or ()
    names: dict[str, str] = {}
    for index, service in enumerate(services):
        where = f"{WHERE}.services[{index}]"
        found += _service(service, named, where)
        name = str(service.get("discoveryName") or service.get("portName") or "")
        if name in names:
            text = f"{name} is the name of {names[name]}, too; give one of them another discoveryName"
            found.append(Problem(f"{where}.discoveryName", text))
        names.setdefault(name, f"services[{index}]")
    return found


def named_ports(definition: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of a task definition's port mappings, in its order."""
    return tuple(
        str(mapping["name"])
        for container in definition.get("containerDefinitions") or ()
        for mapping in container.get("portMappings") or ()
        if mapping.get("name")
    )


def _whole(connect: Mapping[str, Any], definition: Mapping[str, Any]) -> Iterator[Problem]:
    mode = definition.get("networkMode") or "bridge"
    if mode not in _MODES:
        yield Problem(WHERE, f"works with the network modes awsvpc and bridge, not with {mode}; change one")
    namespace = str(connect.get("namespace") or "")
    if namespace.startswith("arn:") and not _NAMESPACE.fullmatch(namespace):
        yield Problem(
            f"{WHERE}.namespace",
            "is not the ARN of a Cloud Map namespace; use its name or "
            "arn:aws:servicediscovery:<region>:<account>:namespace/<id>",
        )
    if connect.get("accessLogConfiguration") and not connect.get("logConfiguration"):
        yield Problem(f"{WHERE}.accessLogConfiguration", "needs logConfiguration, which says where logs go")


def _service(service: Mapping[str, Any], named: Sequence[str], where: str) -> Iterator[Problem]:
    port = str(service.get("portName") or "")
    if port not in named:
        there = f"its named ports: {', '.join(named)}" if named else "give a container port that name"
        yield Problem(f"{where}.portName", f"{port or '(none)'} is no named port of the containers; {there}")
    name = service.get("discoveryName")
    if name is not None and not _NAME.fullmatch(str(name)):
        yield Problem(f"{where}.discoveryName", _NAME_TEXT)
    override = service.get("ingressPortOverride")
    if override is not None and not 1 <= int(override) <= _LAST_PORT:
        yield Problem(f"{where}.ingressPortOverride", f"is a port from 1 to {_LAST_PORT}")
    aliases: Sequence[Mapping[str, Any]] = service.get("clientAliases") or ()
    if len(aliases) > 1:
        yield Problem(f"{where}.clientAliases", "ECS takes one alias for a service; remove the others")
    for index, alias in enumerate(aliases):
        at = f"{where}.clientAliases[{index}]"
        if not 1 <= int(alias.get("port") or 0) <= _LAST_PORT:
            yield Problem(f"{at}.port", f"is a port from 1 to {_LAST_PORT}")
        dns = alias.get("dnsName")
        if dns is not None and not _DNS.fullmatch(str(dns)):
            yield Problem(f"{at}.dnsName", _DNS_TEXT)
