"""docs/reference.md: every field of Sluice's own, from the types.

The PodTemplate is in docs/translation.md, the embedded ECS structures in AWS's API reference; here
they are one line each.
"""

from __future__ import annotations

from typing import Final

from sluice.api.crdgen.crds import crd
from sluice.api.crdgen.structural import Json, ecs_shapes
from sluice.model.keys import DEPLOYMENT, GROUP, SERVICE_ROUTE, VERSION

_ELSEWHERE: Final = {
    "spec.template": "Kubernetes' PodTemplateSpec: [translation.md](translation.md).",
    "spec.taskDefinition": "Parameters of ECS's RegisterTaskDefinition, as AWS's API reference has them.",
}

_INTRODUCTION: Final = (
    "Generated from the types (`make generate`). An absent optional field has the meaning that its line "
    "gives; Sluice never writes `spec`. `kubectl explain` shows the same.\n"
)


def reference() -> str:
    """Return the Markdown text."""
    parts = [
        "# Reference\n",
        _INTRODUCTION,
    ]
    for kind in (DEPLOYMENT, SERVICE_ROUTE):
        document = crd(kind)
        names = document["spec"]["names"]
        schema = document["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        api = (
            f"`apiVersion: {GROUP}/{VERSION}`, plural `{names['plural']}`, short `{names['shortNames'][0]}`."
        )
        parts += [f"## {kind}\n", f"{api} {schema['description']}\n"]
        for part in ("spec", "status"):
            parts += [f"### {kind} {part}\n", "| field | type | meaning |\n|---|---|---|"]
            parts += [f"| `{path}` | {kind_} | {text} |" for path, kind_, text in _fields(schema, part)]
            parts.append("")
        parts += ["### Rules\n", *_rules(schema, ""), ""]
    return "\n".join(parts)


def _fields(root: Json, part: str) -> list[tuple[str, str, str]]:
    rows: list[tuple[str, str, str]] = []
    bodies = [{k: s.get(k) for k in ("type", "properties", "items")} for s in ecs_shapes().values()]

    def walk(schema: Json, path: str) -> None:
        required = set(schema.get("required", ()))
        for name, child in schema.get("properties", {}).items():
            here = f"{path}.{name}"
            mark = ", required" if name in required else ""
            text = _ELSEWHERE.get(here) or " ".join(child.get("description", "").split())
            rows.append((here, _type(child) + mark, text.replace("|", "\\|")))
            body = {k: child.get(k) for k in ("type", "properties", "items")}
            if here not in _ELSEWHERE and body not in bodies:
                walk(child.get("items", child) if child.get("type") == "array" else child, here)

    walk(root["properties"][part], part)
    return rows


def _type(schema: Json) -> str:
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("x-kubernetes-int-or-string"):
        return "integer or string"
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"list of {_type(schema['items'])}"
    if "additionalProperties" in schema:
        return f"map of {_type(schema['additionalProperties'])}"
    if "minimum" in schema or "maximum" in schema:
        return f"{kind} {schema.get('minimum', '')}..{schema.get('maximum', '')}"
    return kind


def _rules(schema: Json, path: str) -> list[str]:
    """Return the texts of the rules that cross fields, outside the PodTemplate."""
    lines = [
        f"- `{(path + rule.get('fieldPath', '')) or 'the object'}`: {rule['message']}"
        for rule in schema.get("x-kubernetes-validations", [])
    ]
    for name, child in schema.get("properties", {}).items():
        here = f"{path}.{name}".lstrip(".")
        if here not in _ELSEWHERE:
            lines += _rules(child.get("items", child) if child.get("type") == "array" else child, here)
    return lines
