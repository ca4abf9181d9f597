"""AWS names: `<readable prefix>-<hash>`, the same for ever for the same identity.

The hash covers installation, kind, namespace, name and what the object is for, so nothing collides
across namespaces, clusters of Kubernetes or the 32 characters of a target group's name, and an object
whose ARN was lost with the status is found again by its name alone (decision 16).
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from sluice.model.keys import Key

TARGET_GROUP_MAX: Final = 32  # elasticloadbalancing: CreateTargetGroup, Name
SERVICE_MAX: Final = 64  # ours; ECS allows 255, but CloudWatch and the console cut long ones
FAMILY_MAX: Final = 128  # ours; ECS allows 255
_HASH_LENGTH: Final = 10


def short_hash(*parts: str, length: int = _HASH_LENGTH) -> str:
    """Return `length` hex digits over `parts`, unambiguous about where one part ends."""
    digest = hashlib.sha256("\x00".join(parts).encode())
    return digest.hexdigest()[:length]


def aws_name(installation: str, key: Key, *purpose: str, limit: int, suffix: str = "") -> str:
    """Return `<name>-<hash><suffix>` with at most `limit` characters of `[a-zA-Z0-9-]`.

    `purpose` tells apart the objects of one custom resource (slot, port, load balancer); `suffix` is
    kept whole for the human reader (`-a1`).
    """
    tail = f"-{short_hash(installation, key.kind, key.namespace, key.name, *purpose)}{suffix}"
    readable = re.sub(r"[^a-zA-Z0-9-]+", "-", key.name).strip("-")
    return f"{readable[: limit - len(tail)].strip('-')}{tail}"


def service_name(installation: str, key: Key, *, slot: str, ordinal: int) -> str:
    """Return the ECS service's name; `ordinal` counts replacements (a DRAINING name stays taken)."""
    return aws_name(installation, key, limit=SERVICE_MAX, suffix=f"-{slot}{ordinal}")


def family_name(installation: str, key: Key) -> str:
    """Return the task-definition family."""
    return aws_name(installation, key, limit=FAMILY_MAX)


def target_group_name(
    installation: str, key: Key, *, slot: str, container_port: int, load_balancer: str
) -> str:
    """Return the name of the target group of (slot, container port, load balancer's ARN or name)."""
    purpose = (slot, str(container_port), load_balancer)
    return aws_name(installation, key, *purpose, limit=TARGET_GROUP_MAX, suffix=f"-{slot}")
