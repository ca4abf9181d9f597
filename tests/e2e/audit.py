"""The API server's audit log of the operator: what it wrote, before pruning, and what it was denied.

A field of a status that the schema does not know is dropped by the API server in silence
(https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/,
"Field pruning"), and the operator would never read again what it noted there. The audit log has the
request as it was sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

_CRDS = Path(__file__).resolve().parents[2] / "crds"


def flags(folder: Path, *, user: str) -> list[str]:
    """Write an audit policy into `folder`; return the API server's flags for a log of what `user` does."""
    statuses = {"group": "sluice.dev", "resources": ["ecsdeployments/status", "serviceroutes/status"]}
    policy = {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "Request", "users": [user], "verbs": ["patch"], "resources": [statuses]},
            {"level": "Metadata", "users": [user]},
            {"level": "None"},
        ],
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "policy.json").write_text(json.dumps(policy), encoding="utf-8")
    return [f"--audit-policy-file={folder / 'policy.json'}", f"--audit-log-path={folder / 'audit.log'}"]


class Audit:
    """Reads the log on from where it was read last."""

    def __init__(self, folder: Path) -> None:
        """Read what the API server writes according to `flags`."""
        self._file = folder / "audit.log"
        self._at = 0
        self._schemas = {kind: schema for file in sorted(_CRDS.iterdir()) for kind, schema in _status(file)}

    @property
    def fields(self) -> dict[str, set[str]]:
        """The fields that the schemas give to a status, by plural."""
        return {plural: set(schema["properties"]) for plural, schema in self._schemas.items()}

    def news(self) -> list[dict[str, Any]]:
        """Return the events since the last call."""
        if not self._file.exists():
            return []
        with self._file.open("rb") as log:
            log.seek(self._at)
            text = log.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._at += len(whole)
        return [json.loads(line) for line in whole.splitlines()]

    def statuses(self, events: list[dict[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield `plural namespace/name` and status of each status that was written."""
        for event in events:
            where = event.get("objectRef", {})
            if where.get("subresource") != "status" or event["verb"] != "patch":
                continue
            for change in event.get("requestObject", ()):
                if change["path"] == "/status":
                    yield f"{where['resource']} {where['namespace']}/{where['name']}", change["value"]

    def pruned(self, events: list[dict[str, Any]]) -> set[str]:
        """Return the fields that were written and that the schema has no place for, as `plural path`."""
        found: set[str] = set()
        for what, status in self.statuses(events):
            plural = what.split()[0]
            found |= {f"{plural} {path}" for path in _unknown(self._schemas[plural], status, "status")}
        return found

    @staticmethod
    def denied(events: list[dict[str, Any]]) -> set[str]:
        """Return the requests that RBAC or a policy refused."""
        return {
            f"{event['verb']} {event['requestURI']}"
            for event in events
            if event.get("responseStatus", {}).get("code") in (401, 403)
        }


def _status(file: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    definition = yaml.safe_load(file.read_text(encoding="utf-8"))["spec"]
    (version,) = definition["versions"]
    yield definition["names"]["plural"], version["schema"]["openAPIV3Schema"]["properties"]["status"]


def _unknown(schema: Mapping[str, Any], value: object, path: str) -> Iterator[str]:
    """Yield the paths in `value` that a structural schema would prune (null is a value like any other)."""
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    if isinstance(value, list):
        for item in value:
            yield from _unknown(schema.get("items", {}), item, f"{path}[]")
    elif isinstance(value, Mapping):
        properties, others = schema.get("properties", {}), schema.get("additionalProperties")
        for name, item in value.items():
            if name in properties:
                yield from _unknown(properties[name], item, f"{path}.{name}")
            elif isinstance(others, Mapping):
                yield from _unknown(others, item, f"{path}.*")
            else:
                yield f"{path}.{name}"
