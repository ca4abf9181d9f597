"""A plan is data: ordered AWS calls with their reasons, shown or applied (product.md, "plan").

An action is one AWS write in AWS's own words. Parameters may hold `Ref`s to outputs of earlier
actions of the same plan, so that one pass goes from an empty account to a running service. Every
action must be safe to plan again: whoever plans has looked first, and a name, tag or client token
makes the second attempt find the first one's result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sluice.model.binding import Priority


@dataclass(frozen=True, slots=True)
class Ref:
    """The value of an output of an earlier action, put in when the action is sent."""

    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One AWS write."""

    service: str
    """boto3's service name: `ecs`, `elbv2`."""
    operation: str
    """As AWS spells it: `CreateService`."""
    params: Mapping[str, Any]
    """AWS's parameters; values may be `Ref`s at any depth."""
    subject: str
    """What it is about, for people: `ECS service checkout-1f… in cluster prod`."""
    reason: str
    """Why, for people: `desiredCount 2 → 3`."""
    outputs: Mapping[str, str] = field(default_factory=dict)
    """Output name → JMESPath into the response: {"taskDefinition": "taskDefinition.taskDefinitionArn"}."""
    priority: Priority = Priority.ROLLOUT
    already: frozenset[str] = frozenset()
    """Error codes that mean that the work is done already (a delete of what is gone)."""
    independent: bool = False
    """A failure of it does not keep the next action from being tried, as long as that is independent too:
    the rule writes of a rollback. What follows them waits until all of them took place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A Kubernetes Event to record: one for each decision that a person would ask about."""

    type: str
    """`Normal` or `Warning`."""
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a planner decided. Applying it and planning again gives no actions (fixpoint)."""

    status: Mapping[str, Any]
    """The status to write before the actions: the intent."""
    actions: tuple[Action, ...] = ()
    notes: tuple[Note, ...] = ()
    wake_at: float | None = None
    """Epoch seconds at which to look again whatever happens; None: only the drift resync."""
    finished: bool = False
    """Deletion is complete: the finalizer may go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What became of a plan's actions: `outputs` of those that were done, in order."""

    outputs: Mapping[str, Any]
    done: int
    """How many of the plan's actions took place before the first that did not. Independent ones behind that
    may have taken place, too."""
    superseded: bool = False
    """The snapshot went stale before the remaining actions; plan again at once."""
