"""What the tests of AWS's events share: messages as EventBridge writes them, a queue, a clock."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sluice.aws_events.sqs import Message
from sluice.model.errors import AwsFailure
from sluice.model.keys import DEPLOYMENT, Key

ACCOUNT, REGION = "111122223333", "eu-west-1"
SERVICE = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/prod/web-1f-a1"
CLUSTER = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/prod"
WEB = Key(DEPLOYMENT, "shop", "web")
NOW = 1_795_000_000.0


@dataclass
class Clock:
    """Time that moves when told to."""

    time: float = NOW

    def now(self) -> float:
        """Return wall time."""
        return self.time

    def monotonic(self) -> float:
        """Return another one."""
        return self.time - NOW + 1000


def event(
    kind: str, *, resources: Sequence[str] = (), detail: Mapping[str, Any] | None = None, **more: Any
) -> str:
    """Return the body of a message of EventBridge."""
    body = {
        "version": "0",
        "id": "9bcdac79-b31f-4d3d-9410-fbd727c29fab",
        "detail-type": kind,
        "source": "aws.ecs",
        "account": ACCOUNT,
        "time": "2026-11-18T11:06:38Z",
        "region": REGION,
        "resources": list(resources),
        "detail": dict(detail or {}),
    }
    return json.dumps(body | more)


def task(group: str = "service:web-1f-a1", **more: Any) -> str:
    """Return a task's event."""
    detail = {"clusterArn": CLUSTER, "group": group, "lastStatus": "STOPPED", "desiredStatus": "STOPPED"}
    return event("ECS Task State Change", resources=[f"{CLUSTER}/abc"], detail=detail, **more)


def acted(arn: str = SERVICE, **more: Any) -> str:
    """Return a service action's event."""
    return event("ECS Service Action", resources=[arn], detail={"eventName": "SERVICE_STEADY_STATE"}, **more)


def deployment(*arns: str, status: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return a Deployment whose status names these services."""
    slots = [{"name": "a", "serviceArn": arn} for arn in arns or (SERVICE,)]
    return {"metadata": {"name": "web", "namespace": "shop"}, "status": {"slots": slots, **(status or {})}}


@dataclass
class FakeQueue:
    """A queue that hands out batches, or fails."""

    batches: list[Sequence[str] | AwsFailure] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    deletion: AwsFailure | int = 0

    def receive(self) -> Sequence[Message]:
        """Return the next batch."""
        batch = self.batches.pop(0) if self.batches else ()
        if isinstance(batch, AwsFailure):
            raise batch
        return [Message(body, body) for body in batch]

    def delete(self, messages: Sequence[Message]) -> int:
        """Delete messages."""
        if isinstance(self.deletion, AwsFailure):
            raise self.deletion
        self.deleted += [message.body for message in messages]
        return self.deletion
