"""AWS Cloud Map: namespaces and services with their tags, shared by all routes of a namespace.

A namespace that a hundred routes are in is read once per age, and so are its services: ListServices by
namespace answers for all of them (its filter knows no names; botocore, ServiceFilter). Where the id of a
service is known and its namespace's list is too old for the question, GetService reads that one alone;
where many are asked for so, at rest, the list is read instead.
Structures are AWS's own with `Tags` as a mapping. Instances and operations: `cloud_instances`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sluice.model.binding import Binding, CallContext
from sluice.model.errors import AwsFailure
from sluice.model.ownership import from_elb
from sluice.observe.batching import Batcher, ScopedName
from sluice.observe.cache import AgedCache, tick
from sluice.observe.cloud_instances import InstanceFacts
from sluice.observe.source import Source
from sluice.ports import Discovered, Object

_MAP: Final = "servicediscovery"
_LISTS: Final = 200
"""Lists of services are worth keeping for this many namespaces (AWS's quota is 50 in a Region)."""
_PAGE: Final = 100
"""Services in a page of ListServices (botocore, MaxResults)."""
_AT_REST: Final = 30.0
"""Answers may be that old, seconds, where nothing is under way: a list read for one serves the others."""
_SHARED_NAMES: Final = frozenset({"CreateService", "UpdateService", "DeleteService", "TagResource"})
_OF_ECS: Final = frozenset({"serviceName", "service", "resourceArn"})
_WRITES: Final = _SHARED_NAMES | {
    "CreateHttpNamespace",
    "CreatePrivateDnsNamespace",
    "CreatePublicDnsNamespace",
    "DeleteNamespace",
    "DeregisterInstance",
    "RegisterInstance",
    "UpdateInstanceCustomHealthStatus",
}
Subject = tuple[Binding, str]


def is_cloud_map_write(operation: str, params: Mapping[str, Any]) -> bool:
    """Tell a write to Cloud Map from one to ECS, which has operations of the same names."""
    return operation in _WRITES and not (operation in _SHARED_NAMES and _OF_ECS & params.keys())


class CloudMapFacts:
    """`ports.CloudMap`. Thread-safe."""

    def __init__(self, source: Source) -> None:
        """Start empty."""
        self._source = source
        limit = source.settings.limit
        self._namespaces: AgedCache[Subject, Object | None] = AgedCache(limit)
        self._named: AgedCache[Subject, Sequence[Object]] = AgedCache(limit)
        self._services: AgedCache[Subject, Object | None] = AgedCache(limit)
        self._lists: AgedCache[ScopedName, Mapping[str, Object]] = AgedCache(_LISTS)
        self._lister = Batcher(self._lists, clock=source.clock, limit=1)
        self._single: dict[Subject, set[str]] = {}
        """Services of a namespace that were read alone since its list was."""
        self._tags: AgedCache[Subject, Mapping[str, str]] = AgedCache(limit)
        self._instances = InstanceFacts(source)

    # Namespaces.

    def namespaces(self, context: CallContext, name: str, *, max_age: float) -> Sequence[Object]:
        """Return every namespace of that name: one of each type, and a private one per VPC."""
        key = (context.binding, name)
        now = self._source.clock.monotonic()
        hit = self._named.get(key, max_age=max_age, now=now)
        if hit is not None:
            return self._all_tagged(context, hit.value)
        order = tick()
        params = {"Filters": [{"Name": "NAME", "Values": [name], "Condition": "EQ"}]}
        found: Sequence[Object] = tuple(
            self._source.pages(
                _MAP,
                "ListNamespaces",
                params,
                context,
                items="Namespaces",
                token=("NextToken", "NextToken"),
            )
        )
        found = self._named.put(key, found, order=order, read_at=now)
        for namespace in found:
            self._namespaces.put((context.binding, namespace["Id"]), namespace, order=order, read_at=now)
        return self._all_tagged(context, found)

    def namespace(self, context: CallContext, namespace_id: str, *, max_age: float) -> Object | None:
        """Return a namespace by its id."""
        found = self._source.aged(
            self._namespaces,
            (context.binding, namespace_id),
            max_age=max_age,
            read=lambda: self._one(context, "GetNamespace", {"Id": namespace_id}, member="Namespace"),
        )
        return next(iter(self._all_tagged(context, [found] if found else [])), None)

    # Services.

    def service(
        self, context: CallContext, *, namespace_id: str, name: str, service_id: str, max_age: float
    ) -> Object | None:
        """Return a service of a namespace by its name; `service_id` is what the status knows, or ''."""
        scope = (context.binding, namespace_id)
        now = self._source.clock.monotonic()
        known: Object | None = None
        listed = self._lists.get((scope, ""), max_age=max_age, now=now) is not None
        if service_id and not listed and self._is_cheaper_alone(scope, service_id, max_age=max_age):
            known = self._by_id(context, service_id, max_age=max_age)
        if known is None or known["Name"] != name:
            services = self._lister.get(
                scope, "", max_age=max_age, read=lambda _: {"": self._list(context, namespace_id)}
            )
            known = services.get(name) or _folded(services, name)
        if known is None:
            return None
        tags = self._tags_of(context, known["Arn"])
        return {**known, "NamespaceId": namespace_id, "Tags": tags} if tags is not None else None

    def _is_cheaper_alone(self, scope: Subject, service_id: str, *, max_age: float) -> bool:
        """Tell whether a service is read alone: the namespace's whole list may take fewer calls by now."""
        if max_age < _AT_REST:
            return True
        pages = 1 + len(self._lists.peek((scope, "")) or ()) // _PAGE
        alone = self._single.setdefault(scope, set())
        alone.add(service_id)
        return len(alone) <= 1 + pages

    def _by_id(self, context: CallContext, service_id: str, *, max_age: float) -> Object | None:
        return self._source.aged(
            self._services,
            (context.binding, service_id),
            max_age=max_age,
            read=lambda: self._one(context, "GetService", {"Id": service_id}, member="Service"),
        )

    def _list(self, context: CallContext, namespace_id: str) -> Mapping[str, Object]:
        self._single.pop((context.binding, namespace_id), None)
        params = {"Filters": [{"Name": "NAMESPACE_ID", "Values": [namespace_id], "Condition": "EQ"}]}
        listed = self._source.pages(
            _MAP, "ListServices", params, context, items="Services", token=("NextToken", "NextToken")
        )
        return {service["Name"]: service for service in listed}

    # Instances and operations.

    def instances(
        self, context: CallContext, service_id: str, *, revision: int | None, max_age: float
    ) -> Mapping[str, Object]:
        """See `ports.CloudMap`."""
        return self._instances.instances(context, service_id, revision=revision, max_age=max_age)

    def discovered(self, context: CallContext, *, namespace: str, service: str, max_age: float) -> Discovered:
        """See `ports.CloudMap`."""
        return self._instances.discovered(context, namespace=namespace, service=service, max_age=max_age)

    def operations(
        self, context: CallContext, ids: Sequence[str], *, service_id: str
    ) -> Mapping[str, Object]:
        """See `ports.CloudMap`."""
        return self._instances.operations(context, ids, service_id=service_id)

    # What writes of our own mean.

    def wrote(self, binding: Binding, params: Mapping[str, Any]) -> None:
        """Read again what a write of ours was about: most of them end later, by an operation."""
        if "InstanceId" in params:
            self._instances.forget(binding, params["ServiceId"])
            return
        self.forget(binding, params.get("Name", ""))
        for member in ("Id", "NamespaceId", "ServiceId", "ResourceARN"):
            self.forget(binding, str(params.get(member, "")).rsplit("/", 1)[-1])
        if "ResourceARN" in params:
            self._tags.drop((binding, params["ResourceARN"]))

    def forget(self, binding: Binding, subject: str) -> None:
        """Drop what is known of a namespace (name or id) or a service (id)."""
        if not subject:
            return
        self._named.drop((binding, subject))
        held = self._namespaces.peek((binding, subject))
        if held:
            self._named.drop((binding, held["Name"]))
        self._namespaces.drop((binding, subject))
        self._lists.drop(((binding, subject), ""))
        self._services.drop((binding, subject))
        self._lists.drop_where(lambda key: key[0][0] == binding and self._lists_service(key, subject))  # type: ignore[index]
        self._instances.forget(binding, subject)

    def _lists_service(self, key: ScopedName, service_id: str) -> bool:
        held = self._lists.peek(key) or {}
        return any(service["Id"] == service_id for service in held.values())

    # Reading.

    def _one(
        self, context: CallContext, operation: str, params: Mapping[str, Any], *, member: str
    ) -> Object | None:
        """Return what an operation tells of one thing; None, which is worth keeping, when it is not there."""
        try:
            found: Object = self._source.read(_MAP, operation, params, context)[member]
        except AwsFailure as error:
            if error.kind != "not-found":
                raise
            return None
        return found

    def _all_tagged(self, context: CallContext, found: Sequence[Object]) -> tuple[Object, ...]:
        """Return these with their tags; one that has vanished meanwhile is not there."""
        tagged = ((item, self._tags_of(context, item["Arn"])) for item in found)
        return tuple({**item, "Tags": tags} for item, tags in tagged if tags is not None)

    def _tags_of(self, context: CallContext, arn: str) -> Mapping[str, str] | None:
        def read() -> Mapping[str, str]:
            answer = self._source.read(_MAP, "ListTagsForResource", {"ResourceARN": arn}, context)
            return from_elb(answer.get("Tags", []))

        key, age = (context.binding, arn), self._source.settings.attributes
        return self._source.aged(self._tags, key, max_age=age, read=read)


def _folded(services: Mapping[str, Object], name: str) -> Object | None:
    """Return the service whose name differs by case alone: in DNS that is the same (CreateService, Name)."""
    same = (found for known, found in services.items() if known.lower() == name.lower())
    return next((found for found in same if found.get("DnsConfig")), None)
