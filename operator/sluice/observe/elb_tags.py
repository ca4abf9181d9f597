"""Tags of load-balancing objects: DescribeTags, twenty ARNs a call, kept for ten minutes.

Tags prove ownership and are changed by nobody but their owner, so they are read once and not with
every look at a listener.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sluice.model.binding import Binding, CallContext
from sluice.model.errors import AwsFailure
from sluice.model.ownership import from_elb
from sluice.observe.cache import AgedCache, tick
from sluice.observe.source import Source

BATCH: Final = 20  # DescribeTags, ResourceArns: at most 20


class ElbTagFacts:
    """Tags by (binding, ARN), as mappings. Thread-safe."""

    def __init__(self, source: Source) -> None:
        """Start empty."""
        self._source = source
        self._cache: AgedCache[tuple[Binding, str], Mapping[str, str]] = AgedCache(source.settings.limit)

    def tags(self, context: CallContext, arns: Sequence[str]) -> dict[str, Mapping[str, str]]:
        """Return the tags of each ARN; an ARN that does not exist is left out."""
        now, age = self._source.clock.monotonic(), self._source.settings.attributes
        found: dict[str, Mapping[str, str]] = {}
        missing: list[str] = []
        for arn in arns:
            hit = self._cache.get((context.binding, arn), max_age=age, now=now)
            if hit is None:
                missing.append(arn)
            else:
                found[arn] = hit.value
        for start in range(0, len(missing), BATCH):
            found |= self._read(context, missing[start : start + BATCH])
        return found

    def put(self, binding: Binding, arn: str, tags: Mapping[str, str]) -> None:
        """Take the tags that a create call was sent with."""
        self._cache.put((binding, arn), dict(tags), order=tick(), read_at=self._source.clock.monotonic())

    def forget(self, binding: Binding, arn: str) -> None:
        """Read the tags again at the next look."""
        self._cache.drop((binding, arn))

    def wrote(self, binding: Binding, params: Mapping[str, Any]) -> None:
        """Tags were added or removed."""
        for arn in params.get("ResourceArns", []):
            self.forget(binding, arn)

    def _read(self, context: CallContext, arns: Sequence[str]) -> dict[str, Mapping[str, str]]:
        order, started = tick(), self._source.clock.monotonic()
        try:
            response = self._source.read("elbv2", "DescribeTags", {"ResourceArns": list(arns)}, context)
        except AwsFailure as error:
            if error.kind != "not-found":
                raise
            if len(arns) == 1:
                return {}
            # One of them vanished meanwhile and AWS does not say which.
            return {arn: tags for one in arns for arn, tags in self._read(context, [one]).items()}
        found: dict[str, Mapping[str, str]] = {
            item["ResourceArn"]: from_elb(item.get("Tags", [])) for item in response["TagDescriptions"]
        }
        for arn, tags in found.items():
            self._cache.put((context.binding, arn), tags, order=order, read_at=started)
        return found
