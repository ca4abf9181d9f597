"""ECS services: DescribeServices ten at a time per cluster (the most that one call takes).

When one service is needed fresh, the longest unread ones of the same cluster come along, so that a
resync of a thousand services is a hundred calls in whatever order the keys are looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sluice.model.binding import Binding, CallContext
from sluice.model.errors import AwsFailure
from sluice.observe.arns import service_of, short_name
from sluice.observe.batching import Batcher, ScopedName
from sluice.observe.cache import AgedCache, tick
from sluice.observe.expected import ExpectedServices
from sluice.observe.own_writes import OwnWrite
from sluice.observe.source import Source
from sluice.ports import Object

BATCH: Final = 10  # DescribeServices, services: "up to 10 services in a single operation"
_EVENTS: Final = 10
"""AWS returns the newest hundred; they are most of a described service's size."""
_REPEATED: Final = frozenset({"networkConfiguration", "serviceConnectResources"})
"""Members that each of a service's deployments repeats."""
_PRIMARY_ONLY: Final = frozenset({"serviceConnectConfiguration", "volumeConfigurations"})
"""Members that the service itself does not show (ECS API, Service): the PRIMARY deployment's are its own."""


class ServiceFacts:
    """Services by (binding, cluster, name). Thread-safe."""

    def __init__(self, source: Source, expected: ExpectedServices | None = None) -> None:
        """Start empty; `expected` are services to read along in the first batches."""
        self._source = source
        self._expected = expected or ExpectedServices(tuple)
        self._cache: AgedCache[ScopedName, Object | None] = AgedCache(source.settings.limit)
        self._batcher = Batcher(self._cache, clock=source.clock, limit=BATCH)

    def service(self, context: CallContext, *, cluster: str, name: str, max_age: float) -> Object | None:
        """Return a service with `tags`; None when it is INACTIVE, missing, or the cluster is."""
        scope = (context.binding, short_name(cluster))
        source = self._source

        def fill(limit: int) -> Sequence[str]:
            edge = source.clock.monotonic() - source.settings.refill
            keys = self._cache.oldest(
                lambda key, value: key[0] == scope and value is not None, read_before=edge, limit=limit
            )
            names = [name for _, name in keys]
            return names + self._expected.unknown(
                context.binding,
                scope[1],
                limit - len(names),
                known=lambda name: self._cache.peek((scope, name)) is not None,
            )

        return self._batcher.get(
            scope,
            short_name(name),
            max_age=max_age,
            read=lambda names: self._read(context, cluster, names),
            fill=fill,
        )

    def wrote(
        self, binding: Binding, operation: str, params: Mapping[str, Any], response: Mapping[str, Any]
    ) -> None:
        """Take the response of CreateService, UpdateService or DeleteService as the newest read."""
        service = response.get("service")
        if not service:
            self.failed(binding, params)
            return
        scope, name = self._key(binding, params)
        held = self._cache.peek((scope, name)) or {}
        tags = service.get("tags") or (
            params.get("tags", []) if operation == "CreateService" else held.get("tags")
        )
        if tags is None:  # an update's response may come without tags: not the whole truth
            self._cache.drop((scope, name))
            return
        if service.get("status") == "INACTIVE":
            self._cache.put((scope, name), None, order=tick(), read_at=self._source.clock.monotonic())
            return
        value = {**trimmed(service), "tags": tags}
        self._source.writes.add((scope, name), value, sent=params)
        self._cache.put((scope, name), value, order=tick(), read_at=self._source.clock.monotonic())

    def failed(self, binding: Binding, params: Mapping[str, Any]) -> None:
        """A write had no good end: what is known of its service counts no more."""
        self._forget_key(self._key(binding, params))

    def forget(self, binding: Binding, subject: str) -> None:
        """Drop what is known of a service's name or ARN."""
        cluster, name = service_of(subject)

        def chosen(key: ScopedName) -> bool:
            scope, named = key
            return named == name and scope[0] == binding and cluster in ("", scope[1])  # type: ignore[index]

        self._cache.drop_where(chosen)

    def _forget_key(self, key: ScopedName) -> None:
        self._cache.drop(key)
        self._source.writes.forget(key)

    def _key(self, binding: Binding, params: Mapping[str, Any]) -> ScopedName:
        cluster = short_name(params.get("cluster", "default"))
        return (binding, cluster), short_name(params.get("serviceName") or params.get("service", ""))

    def _read(self, context: CallContext, cluster: str, names: Sequence[str]) -> dict[str, Object | None]:
        params = {"cluster": cluster, "services": list(names), "include": ["TAGS"]}
        found: dict[str, Object | None] = dict.fromkeys(names)
        try:
            response = self._source.read("ecs", "DescribeServices", params, context)
        except AwsFailure as error:
            if error.code != "ClusterNotFoundException":
                raise
            response = {}
        for failure in response.get("failures", []):
            if failure.get("reason") != "MISSING":
                raise AwsFailure(
                    service="ecs",
                    operation="DescribeServices",
                    code=str(failure.get("reason")),
                    message=f"{failure.get('arn', '')} {failure.get('detail', '')}".strip(),
                    kind="unavailable",
                )
        for service in response.get("services", []):
            active = service.get("status") != "INACTIVE"
            found[service["serviceName"]] = trimmed(service) if active else None
        scope = (context.binding, short_name(cluster))
        writes = self._source.writes
        return {name: settled(value, writes.recent((scope, name))) for name, value in found.items()}


def settled(read: Object | None, own: OwnWrite | None) -> Object | None:
    """Return what was read, or the response of our own write when the read must be older.

    An absent service contradicts a write that left it ACTIVE (a DRAINING one may just have ended); a
    present one contradicts it by being ACTIVE after our delete or by another value of a sent member.
    """
    if own is None or own.value is None:
        return read
    mine = own.value
    if read is None:
        return mine if mine.get("status") == "ACTIVE" else None
    if read.get("status") != mine.get("status"):
        return mine if read.get("status") == "ACTIVE" else read
    stale = any(name in mine and read.get(name) != mine[name] for name in own.sent - {"tags"})
    return mine if stale else read


def trimmed(service: Mapping[str, Any]) -> dict[str, Any]:
    """Return a described service without what nobody plans with: old events, repeated settings."""
    kept = dict(service)
    kept["events"] = list(service.get("events", []))[:_EVENTS]
    kept["deployments"] = [
        {name: value for name, value in deployment.items() if name not in _left_out(deployment)}
        for deployment in service.get("deployments", [])
    ]
    return kept


def _left_out(deployment: Mapping[str, Any]) -> frozenset[str]:
    return _REPEATED if deployment.get("status") == "PRIMARY" else _REPEATED | _PRIMARY_ONLY
