"""The last lines of a container's log in CloudWatch Logs: evidence, never a reason to fail."""

from __future__ import annotations

from collections.abc import Sequence

from sluice.model.binding import CallContext
from sluice.observe.source import Source


def last_lines(source: Source, context: CallContext, *, group: str, stream: str, limit: int) -> Sequence[str]:
    """Return up to `limit` newest messages, oldest first; raises what the gateway raises.

    The stream of an `awslogs` container is `<prefix>/<container>/<task id>` (ECS developer guide,
    "awslogs log driver").
    """
    answer = source.read(
        "logs",
        "GetLogEvents",
        {"logGroupName": group, "logStreamName": stream, "limit": limit, "startFromHead": False},
        context,
    )
    return tuple(str(event.get("message", "")) for event in answer.get("events") or ())
