"""Equal meaning, equal form: task definitions and services in the order and with the defaults of ECS.

AWS answers with what it has filled in and in whatever order; comparing raw would register a new
revision on every pass. Both sides are brought into one form before they are compared or hashed:

- lists whose order means nothing are sorted, those whose order counts (commands) are left;
- what AWS fills in is filled in, what is empty is left out;
- sizes have one spelling (`1 vCPU` → `1024`), ports of awsvpc and host tasks their host port.

Laws (tested): the order of unordered lists does not matter; canonical(canonical(x)) = canonical(x);
canonical(described(register(x))) = canonical(x). Sources: ECS API reference (RegisterTaskDefinition,
CreateService) and ecspresso's normalisation, ../research/resource-controllers.md §3b.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sluice.model.names import short_hash

Body = Mapping[str, Any]

_ORDERED: Final = frozenset(
    {
        "command",
        "entryPoint",
        "environmentFiles",
        "dnsServers",
        "dnsSearchDomains",
        "mountOptions",
        "credentialSpecs",
        "placementStrategy",
    }
)
"""Lists whose order is part of their meaning."""
_LEAVES: Final = frozenset({str, int, float, bool, type(None)})
_DEFINITION_MEMBERS: Final = frozenset(
    {
        "taskRoleArn",
        "executionRoleArn",
        "networkMode",
        "containerDefinitions",
        "volumes",
        "placementConstraints",
        "requiresCompatibilities",
        "cpu",
        "memory",
        "pidMode",
        "ipcMode",
        "proxyConfiguration",
        "inferenceAccelerators",
        "ephemeralStorage",
        "runtimePlatform",
        "enableFaultInjection",
        "trustedExecutionConfiguration",
    }
)
"""RegisterTaskDefinition's members but family (Sluice's own, the hash is looked up inside it) and tags."""
_SERVICE_MEMBERS: Final = frozenset(
    {
        "taskDefinition",
        "desiredCount",
        "launchType",
        "capacityProviderStrategy",
        "platformVersion",
        "networkConfiguration",
        "loadBalancers",
        "serviceRegistries",
        "deploymentConfiguration",
        "placementConstraints",
        "placementStrategy",
        "healthCheckGracePeriodSeconds",
        "enableExecuteCommand",
        "enableECSManagedTags",
        "propagateTags",
        "availabilityZoneRebalancing",
        "serviceConnectConfiguration",
        "volumeConfigurations",
        "schedulingStrategy",
    }
)
_DEPLOYMENT_MEMBERS: Final = ("serviceConnectConfiguration", "volumeConfigurations")
"""DescribeServices tells these only in the PRIMARY deployment."""


@dataclass(frozen=True, slots=True)
class FieldDiff:
    """One field that is not as it should be."""

    path: str
    """As in `networkConfiguration.awsvpcConfiguration.subnets`."""
    desired: Any
    seen: Any
    """None: absent or AWS's default."""


def canonical_definition(body: Body) -> Body:
    """Return the canonical form of RegisterTaskDefinition's parameters or of a described definition.

    Family, revision, status, tags and all that ECS derives are left out.
    """
    kept = {key: value for key, value in body.items() if key in _DEFINITION_MEMBERS}
    mode = kept.get("networkMode") or "bridge"
    containers = [_container(container, mode) for container in kept.get("containerDefinitions") or ()]
    filled = {
        **kept,
        "networkMode": mode,
        "containerDefinitions": containers,
        "volumes": [_volume(volume) for volume in kept.get("volumes") or ()],
        "runtimePlatform": {
            "cpuArchitecture": "X86_64",
            "operatingSystemFamily": "LINUX",
            **(kept.get("runtimePlatform") or {}),
        },
        "cpu": _units(kept.get("cpu"), r"v?cpu"),
        "memory": _units(kept.get("memory"), r"gb"),
        "enableFaultInjection": bool(kept.get("enableFaultInjection")),
    }
    return dict(_tidy(filled) or {})


def definition_hash(body: Body) -> str:
    """Return the short hash of a definition's canonical form: the value of its definition-hash tag."""
    return short_hash(_text(canonical_definition(body)))


def canonical_service(body: Body) -> Body:
    """Return the comparable members of CreateService's parameters or of a described service.

    `desiredCount` and whatever else nobody asked for is absent; a member with a default that AWS
    documents is filled in.
    """
    found = {key: value for key, value in body.items() if key in _SERVICE_MEMBERS}
    for deployment in body.get("deployments") or ():
        if deployment.get("status") == "PRIMARY":
            found |= {key: deployment[key] for key in _DEPLOYMENT_MEMBERS if key in deployment}
    filled: dict[str, Any] = {
        "schedulingStrategy": "REPLICA",
        "enableExecuteCommand": False,
        "enableECSManagedTags": False,
        "propagateTags": "NONE",
        "healthCheckGracePeriodSeconds": 0,
        **{key: value for key, value in found.items() if value is not None},
    }
    if filled.get("platformVersion") == "LATEST":
        del filled["platformVersion"]
    if network := found.get("networkConfiguration"):
        filled["networkConfiguration"] = _network(network)
    if providers := found.get("capacityProviderStrategy"):
        filled["capacityProviderStrategy"] = [{"base": 0, "weight": 0, **item} for item in providers]
        filled.pop("launchType", None)
    if deployment_configuration := found.get("deploymentConfiguration"):
        filled["deploymentConfiguration"] = _deployment(deployment_configuration)
    connect = found.get("serviceConnectConfiguration")
    if connect and not connect.get("enabled"):
        del filled["serviceConnectConfiguration"]
    return dict(_tidy(filled) or {})


def diff(desired: Body, seen: Body) -> tuple[FieldDiff, ...]:
    """Return the fields in which two canonical forms differ, by path.

    What is absent at the top of `desired` is nobody's wish and not compared; below, absence is a wish.
    """
    return tuple(entry for key in sorted(desired) for entry in _differences(key, desired[key], seen.get(key)))


def _differences(path: str, desired: Any, seen: Any) -> list[FieldDiff]:  # noqa: ANN401 - any JSON
    if desired == seen:  # at rest everything is, and the walk would only find that out leaf by leaf
        return []
    if isinstance(desired, Mapping) and isinstance(seen, Mapping):
        keys = sorted({*desired, *seen})
        return [
            entry for key in keys for entry in _differences(f"{path}.{key}", desired.get(key), seen.get(key))
        ]
    named = _by_name(desired), _by_name(seen)
    if named[0] is not None and named[1] is not None:
        return _differences(path, named[0], named[1])
    return [FieldDiff(path, desired, seen)]


def _by_name(value: Any) -> dict[str, Any] | None:  # noqa: ANN401
    """Return a list of named things as a mapping, so that a path names the container and not its index."""
    if (
        isinstance(value, list)
        and value
        and all(isinstance(item, Mapping) and "name" in item for item in value)
    ):
        return {item["name"]: item for item in value}
    return None


def _container(container: Body, mode: str) -> dict[str, Any]:
    filled = {
        **container,
        "cpu": container.get("cpu") or 0,
        "essential": container.get("essential", True) is not False,
        "portMappings": [_port(mapping, mode) for mapping in container.get("portMappings") or ()],
        "mountPoints": [
            {**mount, "readOnly": bool(mount.get("readOnly"))} for mount in container.get("mountPoints") or ()
        ],
    }
    if check := container.get("healthCheck"):
        filled["healthCheck"] = {"interval": 30, "timeout": 5, "retries": 3, **_present(check)}
    for member in (
        "privileged",
        "readonlyRootFilesystem",
        "interactive",
        "pseudoTerminal",
        "disableNetworking",
    ):
        if not container.get(member):
            filled.pop(member, None)  # absent and false are one
    if container.get("versionConsistency") == "enabled":
        del filled["versionConsistency"]
    return filled


def _port(mapping: Body, mode: str) -> dict[str, Any]:
    filled = {"protocol": "tcp", **_present(mapping)}
    if mode in {"awsvpc", "host"} and "containerPort" in filled:
        filled["hostPort"] = filled["containerPort"]
    elif not filled.get("hostPort"):
        filled.pop("hostPort", None)  # 0 and absent: a port of the agent's choice
    return filled


def _volume(volume: Body) -> dict[str, Any]:
    filled = dict(volume)
    if efs := volume.get("efsVolumeConfiguration"):
        access = {"iam": "DISABLED", **_present(efs.get("authorizationConfig") or {})}
        filled["efsVolumeConfiguration"] = {
            "rootDirectory": "/",
            "transitEncryption": "DISABLED",
            **_present(efs),
            "authorizationConfig": access,
        }
    if not volume.get("configuredAtLaunch"):
        filled.pop("configuredAtLaunch", None)
    return filled


def _network(network: Body) -> dict[str, Any]:
    vpc = network.get("awsvpcConfiguration")
    return {"awsvpcConfiguration": {"assignPublicIp": "DISABLED", **_present(vpc)}} if vpc else {}


def _deployment(configuration: Body) -> dict[str, Any]:
    filled = {"maximumPercent": 200, "minimumHealthyPercent": 100, **_present(configuration)}
    breaker = {
        "enable": False,
        "rollback": False,
        **_present(configuration.get("deploymentCircuitBreaker") or {}),
    }
    if breaker.get("resetOnHealthyTask") is True:
        del breaker["resetOnHealthyTask"]  # AWS's default
    filled["deploymentCircuitBreaker"] = breaker
    if filled.get("strategy") == "ROLLING":
        del filled["strategy"]
    if not filled.get("bakeTimeInMinutes"):
        filled.pop("bakeTimeInMinutes", None)
    alarms = filled.get("alarms")
    if alarms and not alarms.get("enable"):
        del filled["alarms"]
    return filled


def _units(value: Any, unit: str) -> str | None:  # noqa: ANN401 - text or number
    """Return `1 vCPU` or `2 GB` as CPU units or MiB, in decimal digits."""
    if value is None:
        return None
    match = re.fullmatch(rf"\s*([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*{unit}\s*", str(value), re.IGNORECASE)
    return str(round(float(match[1]) * 1024)) if match else str(value).strip()


def _present(mapping: Body) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if value is not None}


def _tidy(value: Any, *, key: str = "") -> Any:  # noqa: ANN401 - any JSON
    """Leave out what is empty, at any depth, and sort what has no order."""
    if type(value) in _LEAVES:  # most calls: asking Mapping costs ten times as much
        return value
    if isinstance(value, Mapping):
        items = ((name, _tidy(item, key=name)) for name, item in sorted(value.items()))
        return {name: item for name, item in items if item not in (None, {}, [])}
    if isinstance(value, list | tuple):
        tidy = [_tidy(item) for item in value]
        return tidy if len(tidy) < 2 or key in _ORDERED else sorted(tidy, key=_sort_key(tidy))
    return value


def _sort_key(items: list[Any]) -> Callable[[Any], str]:
    if all(isinstance(item, Mapping) and "name" in item for item in items):
        return lambda item: f"{item['name']}\x00{_text(item)}"
    return _text


def _text(value: Any) -> str:  # noqa: ANN401
    """Return a tidy value as JSON: its keys are sorted already."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
