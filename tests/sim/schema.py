"""The schemas of crds/, strict: what the API server would prune is a mistake of the operator's here."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

CRDS = Path(__file__).resolve().parents[2] / "crds"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast; each worker reads 200 KB of it


@functools.cache
def _validator(kind: str) -> Draft202012Validator:
    for path in sorted(CRDS.glob("*.yaml")):
        crd = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)
        if crd["spec"]["names"]["kind"] == kind:
            schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
            return Draft202012Validator(_strict(schema["properties"]["status"]))
    raise LookupError(f"no CRD of kind {kind} in {CRDS}")


def _strict(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Close every object that the API server would prune."""
    found = dict(schema)
    if "properties" in found:
        found["properties"] = {name: _strict(part) for name, part in found["properties"].items()}
        if not found.get("x-kubernetes-preserve-unknown-fields"):
            found["additionalProperties"] = False
    elif isinstance(found.get("additionalProperties"), Mapping):
        found["additionalProperties"] = _strict(found["additionalProperties"])
    if "items" in found:
        found["items"] = _strict(found["items"])
    return found


def check_status(kind: str, status: Mapping[str, Any]) -> None:
    """Raise AssertionError when a status is not what the CRD of its kind allows, or would be pruned."""
    problems = [f"{error.json_path}: {error.message}" for error in _validator(kind).iter_errors(dict(status))]
    assert not problems, f"status of a {kind}: {'; '.join(problems[:3])}"
