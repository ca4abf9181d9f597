"""From pydantic's JSON schema to the structural schema that a CRD takes.

Kubernetes wants every reference inlined, every node typed, null said as `nullable`, and integers that
may be strings marked (kubernetes.io: "Specifying a structural schema"). What this module does not
understand it refuses, instead of writing a schema that validates less than the types say.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any, Final

from sluice.api.v1alpha1.schema import API_DEFAULT, SHAPE, Typed

Json = dict[str, Any]
_INT_OR_STRING: Final = [{"type": "integer"}, {"type": "string"}]
_KEPT: Final = frozenset(
    {
        "description",
        "enum",
        "format",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minItems",
        "minLength",
        "minimum",
        "nullable",
        "pattern",
        "required",
        "type",
    }
)


def ecs_shapes() -> Json:
    """Return the embedded ECS schemas by shape name (written by tools/ecs_shapes.py)."""
    text = resources.files("sluice.api").joinpath("ecs_shapes.json").read_text(encoding="utf-8")
    shapes: Json = json.loads(text)
    return shapes


def structural(kind: type[Typed]) -> Json:
    """Return the structural schema of a type."""
    schema = kind.model_json_schema(by_alias=True)
    return _Inliner(schema.get("$defs", {}), ecs_shapes()).node(schema)


class _Inliner:
    def __init__(self, definitions: Json, shapes: Json) -> None:
        self._definitions = definitions
        self._shapes = shapes

    def node(self, schema: Json) -> Json:
        """Return the structural form of one node."""
        schema = self._flat(schema)
        result = _keywords(schema)
        if "anyOf" in schema:
            if schema["anyOf"] != _INT_OR_STRING:
                raise TypeError(f"a union that a CRD cannot say: {schema['anyOf']}")
            result |= {"anyOf": _INT_OR_STRING, "x-kubernetes-int-or-string": True}
            return result
        if "x-kubernetes-preserve-unknown-fields" in schema:
            return result
        if SHAPE in schema:
            shape: Json = self._shapes[schema[SHAPE]]
            return shape | {k: v for k, v in result.items() if k not in {"items", "type"}}
        if result.get("type") == "array":
            result["items"] = self.node(schema["items"])
        elif result.get("type") == "object":
            result |= self._object(schema)
        elif result.get("type") not in {"string", "integer", "number", "boolean"}:
            raise TypeError(f"a node without a type: {schema}")
        return result

    def _object(self, schema: Json) -> Json:
        values = schema.get("additionalProperties")
        if isinstance(values, dict):
            return {"additionalProperties": self.node(values)}
        properties = schema.get("properties")
        if not properties:
            raise TypeError(f"an object without properties: {schema}")
        return {"properties": {name: self.node(properties[name]) for name in sorted(properties)}}

    def _flat(self, schema: Json) -> Json:
        """Merge references and optional branches into the node; what stands beside them wins."""
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            beside = {key: value for key, value in schema.items() if key != "$ref"}
            return _merged(self._flat(self._definitions[name]), beside)
        if "anyOf" in schema:
            branches = [branch for branch in schema["anyOf"] if branch != {"type": "null"}]
            beside = {key: value for key, value in schema.items() if key != "anyOf"}
            if "type" in beside:  # an annotation has replaced the whole type
                return beside
            if len(branches) == 1:
                return _merged(self._flat(branches[0]), beside)
            return beside | {"anyOf": [{"type": branch.get("type")} for branch in branches]}
        return schema


def _keywords(schema: Json) -> Json:
    """Return what a node says about itself, without what it contains."""
    result: Json = {key: value for key, value in schema.items() if key in _KEPT and value is not None}
    result |= {key: schema[key] for key in sorted(schema) if key.startswith("x-kubernetes-")}
    if "description" in result:
        result["description"] = " ".join(result["description"].split())
    if API_DEFAULT in schema:
        result["default"] = schema[API_DEFAULT]
    if "const" in schema:
        result["enum"] = [schema["const"]]
    return result


def _merged(inner: Json, beside: Json) -> Json:
    """Return both; the rules of a type and of the field that has it all hold."""
    key = "x-kubernetes-validations"
    rules = [*inner.get(key, []), *beside.get(key, [])]
    return inner | beside | ({key: rules} if rules else {})
