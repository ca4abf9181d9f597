"""Write the structural schemas of the ECS shapes that a Deployment embeds, from botocore's model.

The typed API must not import botocore (it decides, it does no I/O), so the schemas are committed as
data: operator/sluice/api/ecs_shapes.json. Without documentation they are 20 KB; with it 190 KB, too
much for a CRD. A test runs this and compares, so a newer botocore shows as a failing test.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, Shape, StructureShape

TARGET = Path(__file__).resolve().parents[1] / "operator" / "sluice" / "api" / "ecs_shapes.json"
ROOTS = (
    "RegisterTaskDefinitionRequest",
    "NetworkConfiguration",
    "CapacityProviderStrategy",
    "RuntimePlatform",
    "ServiceConnectConfiguration",
    "ServiceVolumeConfigurations",
    "PlacementConstraints",
    "PlacementStrategies",
    "VolumeList",
    "LogConfiguration",
    "DeploymentAlarms",
    "DeploymentCircuitBreaker",
    "SecretList",
)
# Lists that server-side apply merges by key. The key must then be required.
LIST_KEYS = {
    "ContainerDefinitions": "name",
    "EnvironmentVariables": "name",
    "SecretList": "name",
    "VolumeList": "name",
    "ServiceVolumeConfigurations": "name",
}
# Required by AWS, but Sluice gives it.
GIVEN = {"RegisterTaskDefinitionRequest": {"family"}}
_SCALARS = {
    "string": "string",
    "integer": "integer",
    "long": "integer",
    "double": "number",
    "float": "number",
    "boolean": "boolean",
}


def structural(shape: Shape) -> dict[str, Any]:
    """Return the structural OpenAPI schema of a botocore shape."""
    if isinstance(shape, StructureShape):
        result: dict[str, Any] = {
            "type": "object",
            "properties": {name: structural(member) for name, member in sorted(shape.members.items())},
        }
        if required := set(shape.required_members) - GIVEN.get(shape.name, set()):
            result["required"] = sorted(required)
        return result
    if isinstance(shape, ListShape):
        return _list(shape)
    if isinstance(shape, MapShape):
        return {"type": "object", "additionalProperties": structural(shape.value)}
    result = {"type": _SCALARS[shape.type_name]}
    if shape.type_name == "string" and getattr(shape, "enum", None):
        result["enum"] = sorted(shape.enum)
    lowest, highest = shape.metadata.get("min"), shape.metadata.get("max")
    if result["type"] == "integer":
        result |= {k: v for k, v in (("minimum", lowest), ("maximum", highest)) if v is not None}
    return result


def _list(shape: ListShape) -> dict[str, Any]:
    items = structural(shape.member)
    result: dict[str, Any] = {"type": "array", "items": items}
    if shape.name in LIST_KEYS:
        key = LIST_KEYS[shape.name]
        items["required"] = sorted({*items.get("required", ()), key})
        result |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}
    elif items["type"] == "object":
        result["x-kubernetes-list-type"] = "atomic"
    return result


def shapes() -> dict[str, Any]:
    """Return every root shape's schema by name."""
    model = botocore.session.get_session().get_service_model("ecs")
    return {name: structural(model.shape_for(name)) for name in ROOTS}


def render() -> str:
    """Return the file's text: one line a shape, so that a diff shows which one changed."""
    lines = (f'"{name}": {json.dumps(schema, separators=(",", ":"))}' for name, schema in shapes().items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    TARGET.write_text(render())
    sys.stdout.write(f"{TARGET.name}: {TARGET.stat().st_size} bytes\n")
