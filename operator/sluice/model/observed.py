"""What a pass saw of a Deployment in AWS: only what its plan needs, so much may be absent.

Structures are AWS's own (boto3's answers). "Not looked at" and "does not exist" are told apart: the
first is a missing key, the second None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Structure = Mapping[str, Any]


@dataclass(frozen=True, slots=True, order=True)
class ServiceId:
    """Where a service is: `cluster` as the spec says it (name or ARN)."""

    cluster: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Facts of one pass."""

    services: Mapping[ServiceId, Structure | None] = field(default_factory=dict)
    definitions: Mapping[str, str] = field(default_factory=dict)
    """Definition hash → ARN of an ACTIVE task definition of ours, from the family's list."""
    family_read: bool = False
    """Whether the family's list was read in this pass."""
    register_unsent: bool = False
    """Whether the open register intent is known not to have been sent."""
    inactive: frozenset[str] = frozenset()
    """ARNs of task definitions that AWS says cannot be deployed any more."""
    target_groups: Mapping[str, Structure | None] = field(default_factory=dict)
    """By name, with `Tags` and `Attributes` as mappings."""
    rules: Mapping[str, Sequence[Structure]] = field(default_factory=dict)
    """By listener ARN. A listener that is gone has no entry and is in `lost_listeners`."""
    lost_listeners: frozenset[str] = frozenset()
    listeners: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Load balancer ARN → its listeners, where target groups may be collected; none when it is gone."""
    healthy: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Target group ARN → its healthy targets: address or instance, a colon, and the port."""
    addresses: frozenset[str] | None = None
    """Private addresses of the slot's running tasks; None when not looked at."""
    deployments: Sequence[Structure] = ()
    """The slot's newest service deployments, newest first, where they had to be read."""
    stopped: Sequence[Structure] = ()
    """The slot's stopped tasks, where they had to be read."""
    adopted_definition: Structure | None = None
    """What a service that is taken over runs, where that is not what the spec asks for."""
