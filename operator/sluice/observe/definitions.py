"""Task definitions: immutable but for their status, so cached by ARN (decision 7).

For the consistency window after a write of ours a read might contradict it (not found though just
registered, ACTIVE though just deregistered), and who believed it would register the same body a second
time. So within it the write's own response is the answer, even after `forget`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sluice.model.binding import Binding, CallContext
from sluice.model.errors import AwsFailure
from sluice.observe.cache import AgedCache, tick
from sluice.observe.source import Source
from sluice.ports import Object


class DefinitionFacts:
    """Task definitions by (binding, ARN) with `tags`. Thread-safe."""

    def __init__(self, source: Source) -> None:
        """Start empty."""
        self._source = source
        self._cache: AgedCache[tuple[Binding, str], Object] = AgedCache(source.settings.limit)

    def task_definition(self, context: CallContext, arn: str) -> Object | None:
        """Return a task definition (ARN or family:revision) with `tags` and `status`.

        The status may be an hour old unless we changed it ourselves or `forget` was called.
        """
        now = self._source.clock.monotonic()
        age = self._source.settings.definition_status
        hit = self._cache.get((context.binding, arn), max_age=age, now=now)
        if hit is not None:
            return hit.value
        if (own := self._source.writes.recent(_subject(context.binding, arn))) is not None:
            return own.value
        order = tick()
        try:
            response = self._source.read(
                "ecs", "DescribeTaskDefinition", {"taskDefinition": arn, "include": ["TAGS"]}, context
            )
        except AwsFailure as error:
            if error.kind != "not-found":
                raise
            self._cache.drop((context.binding, arn))
            return None
        value = {**response["taskDefinition"], "tags": response.get("tags", [])}
        return self._cache.put((context.binding, arn), value, order=order, read_at=now)

    def find(self, context: CallContext, family: str, *, limit: int) -> Sequence[Object]:
        """Return the newest ACTIVE revisions of a family, newest first; the list is always read."""
        params = {"familyPrefix": family, "status": "ACTIVE", "sort": "DESC", "maxResults": limit}
        response = self._source.read("ecs", "ListTaskDefinitions", params, context)
        arns = response.get("taskDefinitionArns", [])[:limit]
        found = (self.task_definition(context, arn) for arn in arns)
        return tuple(item for item in found if item is not None)

    def wrote(self, binding: Binding, params: Mapping[str, Any], response: Mapping[str, Any]) -> None:
        """Take the response of RegisterTaskDefinition or DeregisterTaskDefinition."""
        definition = response.get("taskDefinition")
        if not definition:
            self.failed(binding, params)
            return
        arn = definition["taskDefinitionArn"]
        held = self._cache.peek((binding, arn)) or {}
        tags = response.get("tags") or params.get("tags") or held.get("tags")
        if tags is None:
            self._cache.drop((binding, arn))
            return
        value = {**definition, "tags": tags}
        self._source.writes.add(_subject(binding, arn), value)
        self._cache.put((binding, arn), value, order=tick(), read_at=self._source.clock.monotonic())

    def failed(self, binding: Binding, params: Mapping[str, Any]) -> None:
        """A write had no good end."""
        self.forget(binding, params.get("taskDefinition", ""))

    def forget(self, binding: Binding, arn: str) -> None:
        """Read the status again at the next look."""
        self._cache.drop((binding, arn))


def _subject(binding: Binding, arn: str) -> tuple[str, Binding, str]:
    """Return the key of an own write: one that no other collector's `forget` drops."""
    return ("task-definition", binding, arn)
