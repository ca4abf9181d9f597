"""What status says of a change under way, of the weights that routes write, and of the way back.

`RolloutStatus` serves both engines: a rolling or recreating change fills in `deadlineAt`, `recreate`,
`replicas` and `supersedes`; a progressive one the rest, where `memory` is the machine's own and the
members beside it are for people and tools.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from sluice.api.v1alpha1.schema import Schema, Typed, atomic

Time = Annotated[str, Schema({"format": "date-time"})]
Parts = dict[str, int]
KEPT = Schema({"type": "object", "x-kubernetes-preserve-unknown-fields": True})
"""Content that only Sluice reads, in a shape that may differ from version to version."""


class GateStatus(Typed):
    """One thing that must say yes before the rollout goes on."""

    name: str
    """Pause, health, metric, alarm, hook, freeze window, release group."""
    state: Literal["Waiting", "Running", "Passed", "Failed", "Inconclusive"]
    """How it stands."""
    since: Time
    """Since when."""
    message: Annotated[str, Field(max_length=4096)] | None = None
    """Numbers and reasons."""


class ReturnStatus(Typed):
    """A way back that is under way, and how long each plane took."""

    decided_at: Time
    """When it was decided."""
    rules_seconds: float | None = None
    """From then to the last listener rule that was read back; absent: not yet, or there is none."""
    discovery_seconds: float | None = None
    """From then until every name in Cloud Map was seen to answer so, with what clients may keep of the old
    answers; absent: not yet, or there is none."""


class RolloutStatus(Typed):
    """A change that is under way."""

    id: str
    """Identity; verbs refer to it."""
    kind: Literal["First", "Rollout", "Undo"] | None = None
    """Progressive: the first ever, one with steps, or the way back to an older revision."""
    source: str | None = None
    """Revision that ran before."""
    candidate: str | None = None
    """Revision that shall run."""
    slot: str | None = None
    """Slot of the candidate."""
    stage: str | None = None
    """Where a progressive rollout is, as Stepping, Baking or RollingBack."""
    by: str | None = None
    """Who asked for it."""
    started_at: Time | None = None
    """Start."""
    deadline_at: Time | None = None
    """When it counts as stalled."""
    step: str | None = None
    """The present step of all, as 2/7."""
    share: str | None = None
    """Share of the requests that the candidate shall get, as 5%."""
    steps: Annotated[list[str], atomic(most=256)] | None = None
    """All steps, presets expanded."""
    step_index: int | None = None
    """Index of the present step."""
    step_started_at: Time | None = None
    """When the step's clock started: its weight was proved by every route."""
    wake_at: Time | None = None
    """When it is looked at again at the latest."""
    weight: Annotated[int, Field(ge=0, le=1000)] | None = None
    """Permille of the requests that the candidate shall get."""
    proven_weight: Annotated[int, Field(ge=0, le=1000)] | None = None
    """The last permille that every route proved."""
    paused: bool | None = None
    """Held by spec.paused or by a person's verb."""
    held: str | None = None
    """Condition reason for which it waits for a person."""
    reason: str | None = None
    """Why it is rolled back, in one word."""
    message: Annotated[str, Field(max_length=32768)] | None = None
    """What it waits for or why it is rolled back."""
    rollback: ReturnStatus | None = None
    """The way back, while it goes on."""
    gates: Annotated[list[GateStatus], atomic(most=128)] | None = None
    """What must say yes before it goes on."""
    leader_epoch: int | None = None
    """Transitions of the Lease when it was last written: whose work it is."""
    memory: Annotated[dict[str, Any], KEPT] | None = None
    """What Sluice itself remembers of a progressive rollout, with the strategy it began with. Not an
    interface: it may change with any version."""
    recreate: Literal["ScalingDown", "Starting"] | None = None
    """Step of a Recreate."""
    replicas: int | None = None
    """Tasks to come back to after a Recreate, where replicas is not in the spec."""
    supersedes: str | None = None
    """ECS deployment to be replaced by force (restart, retry)."""


class StandbyStatus(Typed):
    """The slot that is ready for an instant undo."""

    slot: str
    """Slot."""
    revision: str
    """Revision that it runs."""
    until: float
    """Until when (epoch seconds)."""
    count: int | None = None
    """Its tasks."""


class TrafficTarget(Typed):
    """Target group of a slot, for routes."""

    slot: str
    """Slot."""
    port: str
    """Name or number of the container port."""
    container_port: int
    """Number of the container port."""
    load_balancer_arn: str
    """Load balancer that it is associated with."""
    target_group_arn: str
    """ARN."""


class TrafficHeader(Typed):
    """A header that reaches one slot whatever the weights."""

    name: str
    """Name."""
    value: str
    """Value."""
    slot: str
    """Slot."""


class TrafficStatus(Typed):
    """Weights that routes have to write (rollout contract)."""

    uid: str
    """Deployment's uid."""
    rollout_id: str
    """Rollout."""
    seq: int
    """Rises with every change."""
    hash: str
    """Digest of what routes have to write."""
    weights: Parts | None = None
    """Slot to parts."""
    test: str | None = None
    """Slot that test listeners send to; absent: the one with the most weight."""
    header: TrafficHeader | None = None
    """Header route; absent: none."""
    reassert: bool | None = None
    """Whether weights of somebody else are overwritten; absent: true."""
    rollback: bool | None = None
    """The weights end a failed rollout and come before everything else; absent: false."""
    target_groups: Annotated[list[TrafficTarget], atomic(most=64)] | None = None
    """Where the slots are."""
    verify_after: float | None = None
    """Proofs older than this do not count (epoch seconds)."""


class RejectedRevision(Typed):
    """A revision that failed; it is not tried again without `retry`."""

    revision: str
    """Name."""
    reason: str | None = None
    """Condition reason that tells of it."""
    fallback: str | None = None
    """Revision that runs instead."""
    message: str | None = None
    """Why."""
    cause: str | None = None
    """Why a progressive rollout of it was rolled back, in one word."""
