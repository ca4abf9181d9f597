"""Content-addressed revisions, and how a ControllerRevision keeps one (rollout.md §1, decision 8).

Two hashes: the definition's (`plan.canonical.definition_hash`) and the revision's, which adds the
service settings and the template's restart annotation. Equal content has the same name for ever, so
going back to an old spec is going back to an old revision.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sluice.model.desired import Port, Revision
from sluice.model.names import short_hash
from sluice.plan.canonical import canonical_service, definition_hash


def make(
    *,
    deployment: str,
    definition: Mapping[str, Any],
    service: Mapping[str, Any],
    ports: tuple[Port, ...] = (),
    restarted_at: str = "",
    spec: Mapping[str, Any] | None = None,
) -> Revision:
    """Return the revision of a task-definition body and the service settings that belong to it."""
    digest = definition_hash(definition)
    settings = json.dumps(canonical_service(service), separators=(",", ":"), default=str)  # sorted already
    return Revision(
        name=f"{deployment}-{short_hash(digest, settings, restarted_at)}",
        definition_hash=digest,
        definition=definition,
        service=service,
        ports=ports,
        restarted_at=restarted_at,
        spec=spec or {},
    )


def to_data(revision: Revision) -> dict[str, Any]:
    """Return a ControllerRevision's `data`."""
    return {
        "definitionHash": revision.definition_hash,
        "definition": dict(revision.definition),
        "service": dict(revision.service),
        "ports": [
            {
                "name": port.name,
                "containerName": port.container_name,
                "containerPort": port.container_port,
                "protocolVersion": port.protocol_version,
                "healthCheck": dict(port.health_check),
                "attributes": dict(port.attributes),
            }
            for port in revision.ports
        ],
        "restartedAt": revision.restarted_at,
        "spec": dict(revision.spec),
    }


def from_data(name: str, data: Mapping[str, Any]) -> Revision:
    """Read what `to_data` wrote."""
    return Revision(
        name=name,
        definition_hash=data["definitionHash"],
        definition=data["definition"],
        service=data["service"],
        ports=tuple(
            Port(
                name=port["name"],
                container_name=port["containerName"],
                container_port=int(port["containerPort"]),
                protocol_version=port["protocolVersion"],
                health_check=port["healthCheck"],
                attributes=port["attributes"],
            )
            for port in data.get("ports") or ()
        ),
        restarted_at=data.get("restartedAt", ""),
        spec=data.get("spec") or {},
    )
