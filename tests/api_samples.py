"""Custom resources for tests: small valid ones, and ones with any field of a PodTemplate set.

`with_field` puts a value at a path as docs/translation.md writes it (`spec.containers[].env[].value`),
filling in what the items on the way need, so that tables of fields need no YAML of their own.
"""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from typing import Any

from sluice.api.crdgen.crds import crd
from sluice.model.keys import API_VERSION, DEPLOYMENT, SERVICE_ROUTE

Json = dict[str, Any]
SUBNETS = {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}}
EXECUTION_ROLE = "arn:aws:iam::111122223333:role/execution"
_NEEDED: dict[str, Json] = {
    "containers": {"name": "app", "image": "nginx"},
    "initContainers": {"name": "init", "image": "busybox"},
    "volumes": {"name": "data"},
    "volumeMounts": {"name": "data", "mountPath": "/data"},
    "volumeDevices": {"name": "raw", "devicePath": "/dev/x"},
    "env": {"name": "X"},
    "ports": {"containerPort": 8080},
    "imagePullSecrets": {"name": "pull"},
    "sysctls": {"name": "net.core.somaxconn", "value": "1"},
    "httpHeaders": {"name": "a", "value": "b"},
    "csi": {"driver": "efs.csi.aws.com", "volumeAttributes": {"fileSystemId": "fs-1"}},
    "httpGet": {"port": 8080},
    "tcpSocket": {"port": 8080},
    "grpc": {"port": 8080},
    "seccompProfile": {"type": "RuntimeDefault"},
    "appArmorProfile": {"type": "RuntimeDefault"},
    "os": {"name": "linux"},
    "fieldRef": {"fieldPath": "metadata.namespace"},
    "resourceFieldRef": {"resource": "limits.memory"},
    "configMapKeyRef": {"name": "config", "key": "a"},
    "secretKeyRef": {"name": "secret", "key": "a"},
    "configMapRef": {"name": "config"},
    "secretRef": {"name": "secret"},
}


def deployment(**spec: Any) -> Json:
    """Return a valid Deployment on Fargate; `spec` replaces members of its spec."""
    body: Json = {
        "template": {"spec": {"containers": [dict(_NEEDED["containers"])]}},
        "ecs": {"networkConfiguration": deepcopy(SUBNETS)},
    }
    body |= spec
    return {
        "apiVersion": API_VERSION,
        "kind": DEPLOYMENT,
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {key: value for key, value in body.items() if value is not None},
    }


def route(**spec: Any) -> Json:
    """Return a valid ServiceRoute; `spec` replaces members of its spec."""
    body: Json = {
        "parentRefs": [{"loadBalancerName": "sandbox", "port": 80}],
        "rules": [{"name": "main", "backendRefs": [{"name": "web", "port": "http", "weight": 100}]}],
    }
    return {
        "apiVersion": API_VERSION,
        "kind": SERVICE_ROUTE,
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {key: value for key, value in (body | spec).items() if value is not None},
    }


def discovery_route(**discovery: Any) -> Json:
    """Return a valid ServiceRoute with `discovery` alone; a member replaces one of that, None removes it."""
    body: Json = {
        "mode": "Tasks",
        "backendRef": {"name": "web", "port": "http"},
        "namespaceRef": {"name": "corp.local", "create": {"type": "DNS_PRIVATE", "vpc": "vpc-0a1b"}},
        "serviceName": "web",
        "dns": {"records": [{"type": "A", "ttlSeconds": 10}]},
    } | discovery
    chosen = {key: value for key, value in body.items() if value is not None}
    return route(parentRefs=None, rules=None, discovery=chosen)


def with_field(path: str, value: Any, obj: Json | None = None) -> Json:
    """Return a Deployment (or `obj`) with `value` at a path below `spec.template`; it is not shared."""
    result = deepcopy(obj) if obj is not None else deployment()
    node: Any = result["spec"].setdefault("template", {})
    parts = path.split(".")
    for part in parts[:-1]:
        name = part.removesuffix("[]")
        needed = deepcopy(_NEEDED.get(name, {}))
        if part.endswith("[]"):
            items = node.setdefault(name, [needed])
            node = items[0]
        else:
            node = node.setdefault(name, needed)
    node[parts[-1].removesuffix("[]")] = deepcopy(value)
    return result


def spec_field(path: str, value: Any, obj: Json | None = None) -> Json:
    """Return a Deployment (or `obj`) with `value` at a dotted path below `spec`."""
    result = deepcopy(obj) if obj is not None else deployment()
    node = result["spec"]
    *ahead, last = path.split(".")
    for part in ahead:
        node = node.setdefault(part, {})
    node[last] = value
    return result


def schema_at(path: str) -> Json:
    """Return the CRD's schema of a field below `spec.template`."""
    node = _deployment_schema()
    *ahead, last = ["spec", "template", *path.split(".")]
    for part in ahead:
        node = node["properties"][part.removesuffix("[]")]
        if part.endswith("[]"):
            node = node["items"]
    found: Json = node["properties"][last.removesuffix("[]")]
    return found


@cache
def _deployment_schema() -> Json:
    schema: Json = crd(DEPLOYMENT)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def sample_of(schema: Json) -> Any:
    """Return a value of a schema that no list of harmless values has."""
    if schema.get("x-kubernetes-int-or-string"):
        return 1
    if "enum" in schema:
        return schema["enum"][-1]
    kind = schema["type"]
    if kind == "array":
        return [sample_of(schema["items"])]
    if kind == "object":
        if "additionalProperties" in schema:
            return {"a": sample_of(schema["additionalProperties"])}
        required = schema.get("required", ())
        return {name: sample_of(schema["properties"][name]) for name in required} or {"x": {"y": 1}}
    harmless_true = any(
        "self in [true]" in rule["rule"] for rule in schema.get("x-kubernetes-validations", ())
    )
    return {"string": "anything", "boolean": not harmless_true, "integer": 1}[kind]
