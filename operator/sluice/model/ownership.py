"""Ownership by tags: what is ours is changed, what is not is never touched.

The uid is informational: a cluster of Kubernetes restored from a backup has new uids and still owns
its services (decision 9). Tag keys are the same in ECS and Elastic Load Balancing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal

from sluice.model.keys import GROUP, Key

INSTALLATION: Final = f"{GROUP}/installation"
KIND: Final = f"{GROUP}/kind"
NAMESPACE: Final = f"{GROUP}/namespace"
NAME: Final = f"{GROUP}/name"
ROLE: Final = f"{GROUP}/role"
"""What the object is for its owner: slot-a, target-group, anchor, rule, task-definition."""
UID: Final = f"{GROUP}/uid"
DEFINITION_HASH: Final = f"{GROUP}/definition-hash"
REVISION: Final = f"{GROUP}/revision"
"""Name of the revision (`<deployment>-<10 hex>`), on services and tasks."""
ATTEMPT: Final = f"{GROUP}/attempt"
"""On a hook's task: the id of its attempt, `<rollout>/<place>/<hook>/<number>`."""
ROUTE_RULE: Final = f"{GROUP}/route-rule"
"""On a listener rule: `<rule name>/<index>` inside its ServiceRoute."""

Ownership = Literal["ours", "other-object", "foreign"]


def owner_tags(installation: str, key: Key, *, role: str, uid: str = "") -> dict[str, str]:
    """Return the tags that prove that `key` of this installation owns an AWS object."""
    tags = {
        INSTALLATION: installation,
        KIND: key.kind,
        NAMESPACE: key.namespace,
        NAME: key.name,
        ROLE: role,
    }
    return tags | ({UID: uid} if uid else {})


def ownership(tags: Mapping[str, str], installation: str, key: Key) -> Ownership:
    """Tell whose an AWS object with `tags` is.

    `other-object` belongs to another custom resource or another installation of Sluice, `foreign`
    carries no tag of ours. Neither is ever written.
    """
    if INSTALLATION not in tags:
        return "foreign"
    proof = owner_tags(installation, key, role="")
    same = all(tags.get(name) == value for name, value in proof.items() if name != ROLE)
    return "ours" if same else "other-object"


def from_ecs(tags: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Turn ECS's `[{key, value}]` into a mapping."""
    return {tag["key"]: tag.get("value", "") for tag in tags}


def to_ecs(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Turn a mapping into ECS's `[{key, value}]`, sorted."""
    return [{"key": key, "value": value} for key, value in sorted(tags.items())]


def from_elb(tags: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Turn Elastic Load Balancing's `[{Key, Value}]` into a mapping."""
    return {tag["Key"]: tag.get("Value", "") for tag in tags}


def to_elb(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Turn a mapping into Elastic Load Balancing's `[{Key, Value}]`, sorted."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
