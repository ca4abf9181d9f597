"""Until when tasks are protected from ECS's own scale-in and deployments (GetTaskProtection).

DescribeTasks does not tell it (botocore, Task). Our own UpdateTaskProtection answers with the new state,
which is kept; who else changes it, the task itself included, is seen when the answer has grown old.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sluice.model.binding import Binding, CallContext
from sluice.observe.cache import AgedCache, tick
from sluice.observe.source import Source

BATCH: Final = 100  # GetTaskProtection, tasks: "up to 100 task IDs"


class ProtectionFacts:
    """Protection by (binding, task ARN). Thread-safe."""

    def __init__(self, source: Source) -> None:
        """Start empty."""
        self._source = source
        self._until: AgedCache[tuple[Binding, str], float] = AgedCache(source.settings.limit)

    def protected(
        self, context: CallContext, *, cluster: str, tasks: Sequence[str], max_age: float
    ) -> Mapping[str, float]:
        """Return task ARN → epoch seconds until which it is protected, 0 for not; none for what is gone."""
        now = self._source.clock.monotonic()
        found: dict[str, float] = {}
        for arn in tasks:
            hit = self._until.get((context.binding, arn), max_age=max_age, now=now)
            if hit is not None:
                found[arn] = hit.value
        unknown = [arn for arn in tasks if arn not in found]
        for start in range(0, len(unknown), BATCH):
            chunk = unknown[start : start + BATCH]
            order = tick()
            answer = self._source.read(
                "ecs", "GetTaskProtection", {"cluster": cluster, "tasks": chunk}, context
            )
            for task in answer.get("protectedTasks", []):
                key = (context.binding, task["taskArn"])
                found[task["taskArn"]] = self._until.put(key, _until(task), order=order, read_at=now)
        return found

    def wrote(self, binding: Binding, params: Mapping[str, Any], response: Mapping[str, Any]) -> None:
        """Take the answer of UpdateTaskProtection; what it failed for is read again."""
        self.forget(binding, *params.get("tasks", ()))
        now = self._source.clock.monotonic()
        for task in response.get("protectedTasks", []):
            self._until.put((binding, task["taskArn"]), _until(task), order=tick(), read_at=now)

    def forget(self, binding: Binding, *tasks: str) -> None:
        """Read these tasks (ids or ARNs) again at the next look."""
        ids = {task.rsplit("/", 1)[-1] for task in tasks}
        self._until.drop_where(lambda key: key[0] == binding and key[1].rsplit("/", 1)[-1] in ids)


def _until(task: Mapping[str, Any]) -> float:
    if not task.get("protectionEnabled"):
        return 0.0
    expires = task.get("expirationDate")
    # boto3 gives a datetime, the stand-in in process a number.
    return expires.timestamp() if isinstance(expires, dt.datetime) else float(expires or 0.0)
