"""Tasks of a service: ListTasks, then DescribeTasks a hundred at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sluice.model.binding import Binding, CallContext
from sluice.model.errors import AwsFailure
from sluice.observe.arns import short_name
from sluice.observe.cache import AgedCache, tick
from sluice.observe.source import Source
from sluice.ports import Object

BATCH: Final = 100  # DescribeTasks, tasks: "up to 100 task IDs"
_SERVICES: Final = 2000
"""Tasks are looked at while something is in motion or wrong, and of services whose tasks have names."""


class TaskFacts:
    """Tasks by (binding, cluster, service, desired status). Thread-safe."""

    def __init__(self, source: Source) -> None:
        """Start empty."""
        self._source = source
        self._cache: AgedCache[tuple[Binding, str, str, str], Sequence[Object]] = AgedCache(_SERVICES)

    def tasks(
        self, context: CallContext, *, cluster: str, service: str, status: str, max_age: float
    ) -> Sequence[Object]:
        """Return the tasks with their tags; `status` is RUNNING or STOPPED. No service, no tasks."""
        key = (context.binding, short_name(cluster), short_name(service), status)
        now = self._source.clock.monotonic()
        hit = self._cache.get(key, max_age=max_age, now=now)
        if hit is not None:
            return hit.value
        order = tick()
        return self._cache.put(key, self._read(context, cluster, service, status), order=order, read_at=now)

    def forget(self, binding: Binding, service: str) -> None:
        """Read the service's tasks again at the next look."""
        name = short_name(service)
        self._cache.drop_where(lambda key: key[0] == binding and key[2] == name)

    def _read(self, context: CallContext, cluster: str, service: str, status: str) -> Sequence[Object]:
        params = {"cluster": cluster, "serviceName": service, "desiredStatus": status}
        try:
            arns = self._source.pages(
                "ecs", "ListTasks", params, context, items="taskArns", token=("nextToken", "nextToken")
            )
        except AwsFailure as error:
            if error.kind == "not-found" or error.code == "ClusterNotFoundException":
                return ()
            raise
        found: list[Any] = []
        for start in range(0, len(arns), BATCH):
            chunk = {"cluster": cluster, "tasks": arns[start : start + BATCH], "include": ["TAGS"]}
            found += self._source.read("ecs", "DescribeTasks", chunk, context).get("tasks", [])
        return tuple(found)
