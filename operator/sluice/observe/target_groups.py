"""Target groups with tags and attributes, and the health of their targets.

DescribeTargetGroups takes many names, but one name that does not exist spoils the call. Names that were
seen before are read together; new ones alone as soon as a call was spoilt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sluice.model.binding import Binding, CallContext
from sluice.model.errors import AwsFailure
from sluice.model.ownership import from_elb
from sluice.observe.batching import Batcher, ScopedName
from sluice.observe.cache import AgedCache, tick
from sluice.observe.elb_tags import ElbTagFacts
from sluice.observe.own_writes import OwnWrite
from sluice.observe.source import Source
from sluice.ports import Object

BATCH: Final = 20  # DescribeTags takes 20; DescribeTargetGroups states no limit for Names
Subject = tuple[Binding, str]


class TargetGroupFacts:
    """Target groups by (binding, name); attributes and health by ARN. Thread-safe."""

    def __init__(self, source: Source, tags: ElbTagFacts) -> None:
        """Read tags through `tags`."""
        self._source = source
        self._tags = tags
        limit = source.settings.limit
        self._groups: AgedCache[ScopedName, Object | None] = AgedCache(limit)
        self._attributes: AgedCache[Subject, Mapping[str, str]] = AgedCache(limit)
        self._health: AgedCache[Subject, Sequence[Object]] = AgedCache(limit)
        self._batcher = Batcher(self._groups, clock=source.clock, limit=BATCH)

    def target_groups(
        self, context: CallContext, names: Sequence[str], *, max_age: float
    ) -> Mapping[str, Object]:
        """Return those that exist, with `Tags` and `Attributes` (at most ten minutes old) as mappings."""
        found: dict[str, Object] = {}
        for name in names:
            group = self._batcher.get(
                context.binding,
                name,
                max_age=max_age,
                read=lambda wanted: self._read(context, wanted),
                fill=lambda limit: self._stale_names(context.binding, limit),
            )
            if group is None:
                continue
            arn = group["TargetGroupArn"]
            tags = self._tags.tags(context, [arn])
            attributes = self._attributes_of(context, arn)
            if arn in tags and attributes is not None:
                found[name] = {**group, "Tags": tags[arn], "Attributes": attributes}
            else:
                self.forget(context.binding, name)
        return found

    def target_health(self, context: CallContext, arn: str, *, max_age: float) -> Sequence[Object]:
        """Return TargetHealthDescriptions; none when the group is gone."""

        def read() -> Sequence[Object]:
            answer = self._source.read("elbv2", "DescribeTargetHealth", {"TargetGroupArn": arn}, context)
            return tuple(answer.get("TargetHealthDescriptions", []))

        found = self._source.aged(self._health, (context.binding, arn), max_age=max_age, read=read)
        if found is None:
            self.forget(context.binding, arn)
        return found or ()

    def wrote(
        self, binding: Binding, operation: str, params: Mapping[str, Any], response: Mapping[str, Any]
    ) -> None:
        """Take the response of a write to a target group."""
        if operation == "ModifyTargetGroupAttributes":
            self._attributes.drop((binding, params["TargetGroupArn"]))
            return
        now = self._source.clock.monotonic()
        for group in response.get("TargetGroups", []):
            name, arn = group["TargetGroupName"], group["TargetGroupArn"]
            if operation == "CreateTargetGroup":
                self._tags.put(binding, arn, from_elb(params.get("Tags", [])))
            self._source.writes.add((binding, name), group, sent=params)
            self._groups.put((binding, name), group, order=tick(), read_at=now)
        if operation == "DeleteTargetGroup":
            arn = params["TargetGroupArn"]
            name = name_of(arn)
            self._source.writes.add((binding, name), None)
            self._groups.put((binding, name), None, order=tick(), read_at=now)
            self._attributes.drop((binding, arn))
            self._health.drop((binding, arn))

    def forget(self, binding: Binding, subject: str) -> None:
        """Drop a group by its name or ARN, with attributes and health."""
        name = name_of(subject)
        held = self._groups.peek((binding, name))
        self._groups.drop((binding, name))
        self._source.writes.forget((binding, name))
        for arn in {subject, held["TargetGroupArn"] if held else subject}:
            self._attributes.drop((binding, arn))
            self._health.drop((binding, arn))

    def _stale_names(self, binding: Binding, limit: int) -> Sequence[str]:
        edge = self._source.clock.monotonic() - self._source.settings.refill
        keys = self._groups.oldest(
            lambda key, value: key[0] == binding and value is not None, read_before=edge, limit=limit
        )
        return [name for _, name in keys]

    def _read(self, context: CallContext, names: Sequence[str]) -> dict[str, Object | None]:
        found: dict[str, Object | None] = dict.fromkeys(names)
        found |= self._described(context, names)
        binding, writes = context.binding, self._source.writes
        settled_groups = {name: settled(found[name], writes.recent((binding, name))) for name in names}
        present = [group["TargetGroupArn"] for group in settled_groups.values() if group is not None]
        self._tags.tags(context, present)  # one call for the batch instead of one for each asker
        return settled_groups

    def _described(self, context: CallContext, names: Sequence[str]) -> dict[str, Object]:
        try:
            response = self._source.read("elbv2", "DescribeTargetGroups", {"Names": list(names)}, context)
        except AwsFailure as error:
            if error.kind != "not-found":
                raise
            if len(names) == 1:
                return {}
            seen = [name for name in names if self._groups.peek((context.binding, name)) is not None]
            together = [seen] if 1 < len(seen) < len(names) else [[name] for name in seen]
            alone = [[name] for name in names if name not in seen]
            return {
                name: group
                for part in (*together, *alone)
                for name, group in self._described(context, part).items()
            }
        return {group["TargetGroupName"]: group for group in response.get("TargetGroups", [])}

    def _attributes_of(self, context: CallContext, arn: str) -> Mapping[str, str] | None:
        def read() -> Mapping[str, str]:
            params = {"TargetGroupArn": arn}
            answer = self._source.read("elbv2", "DescribeTargetGroupAttributes", params, context)
            return {item["Key"]: item.get("Value", "") for item in answer.get("Attributes", [])}

        key, age = (context.binding, arn), self._source.settings.attributes
        return self._source.aged(self._attributes, key, max_age=age, read=read)


def name_of(name_or_arn: str) -> str:
    """Return a target group's name: `arn:…:targetgroup/<name>/<id>`."""
    return name_or_arn.split("/")[1] if ":targetgroup/" in name_or_arn else name_or_arn


def settled(read: Object | None, own: OwnWrite | None) -> Object | None:
    """Return what was read, or what our own write left when the read must be older."""
    if own is None:
        return read
    if read is None or own.value is None:
        return own.value
    stale = any(name in own.value and read.get(name) != own.value[name] for name in own.sent)
    return own.value if stale else read
