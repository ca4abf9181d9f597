"""Cloud Map's two views of instances, and its operations.

`instances` is the control plane (ListInstances, a hundred a page), `discovered` what clients get
(DiscoverInstances). The second tells the revision of the first for nothing: InstancesRevision grows with
every registration and deregistration, and with no health (botocore, DiscoverInstances). So a list is kept
for as long as its revision stays, and a thousand instances at rest cost one call a look.
DiscoverInstancesRevision alone would be cheaper still, but it is blind to a health that somebody changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sluice.model.binding import Binding, CallContext
from sluice.model.errors import AwsFailure
from sluice.observe.cache import AgedCache, tick
from sluice.observe.source import Source
from sluice.ports import Discovered, Object

_MAP: Final = "servicediscovery"
MOST_DISCOVERED: Final = 1000
"""DiscoverInstances, MaxResults; as many as a service may have (Cloud Map quotas), and there are no pages."""
_SINGLY: Final = 10
"""Operations up to this many are asked for one by one, more of them by their service's list."""
_PAGES: Final = 10
"""Pages of operations at most: a page is taken first and filtered then (botocore, ListOperations)."""
_RECENT: Final = 3600.0
"""Operations that changed longer ago are asked for one by one."""
_AHEAD: Final = 300.0
"""AWS's clock may be that much before ours, seconds."""
_SERVICES: Final = 2000


@dataclass(frozen=True, slots=True)
class _List:
    revision: int | None
    instances: Mapping[str, Object]


class InstanceFacts:
    """Instances by service, operations by id. Thread-safe."""

    def __init__(self, source: Source) -> None:
        """Start empty."""
        self._source = source
        self._lists: AgedCache[tuple[Binding, str], _List] = AgedCache(_SERVICES)
        self._discovered: AgedCache[tuple[Binding, str, str], Discovered] = AgedCache(_SERVICES)

    def instances(
        self, context: CallContext, service_id: str, *, revision: int | None, max_age: float
    ) -> Mapping[str, Object]:
        """Return instance id → InstanceSummary; read again when `revision` is not the list's."""
        key = (context.binding, service_id)
        now = self._source.clock.monotonic()
        hit = self._lists.get(key, max_age=max_age, now=now)
        if hit is not None and revision is not None and hit.value.revision == revision:
            return hit.value.instances
        order = tick()
        listed = self._source.pages(
            _MAP,
            "ListInstances",
            {"ServiceId": service_id, "MaxResults": 100},
            context,
            items="Instances",
            token=("NextToken", "NextToken"),
        )
        # The revision was read before the list, so the list may be newer, and is then read once too often.
        found = _List(revision, {instance["Id"]: instance for instance in listed})
        return self._lists.put(key, found, order=order, read_at=now).instances

    def discovered(self, context: CallContext, *, namespace: str, service: str, max_age: float) -> Discovered:
        """Return what clients get; `namespace` is its HTTP name."""
        params = {
            "NamespaceName": namespace,
            "ServiceName": service,
            "HealthStatus": "ALL",
            "MaxResults": MOST_DISCOVERED,
        }

        def read() -> Discovered:
            answer = self._source.read(_MAP, "DiscoverInstances", params, context)
            found = answer.get("Instances", [])
            return Discovered(
                instances={instance["InstanceId"]: instance for instance in found},
                revision=answer.get("InstancesRevision"),
                complete=len(found) < MOST_DISCOVERED,
            )

        key = (context.binding, namespace, service)
        found = self._source.aged(self._discovered, key, max_age=max_age, read=read)
        # A service that was just made is known to the control plane first: clients find nothing.
        return found or Discovered(instances={}, revision=None)

    def operations(
        self, context: CallContext, ids: Sequence[str], *, service_id: str
    ) -> Mapping[str, Object]:
        """Return operation id → Operation of those that AWS still knows; failed ones with their error."""
        found: dict[str, Object] = {}
        wanted = list(dict.fromkeys(ids))
        if service_id and len(wanted) > _SINGLY:
            found = self._recent(context, frozenset(wanted), service_id)
        for operation_id in wanted:
            # A list tells no error, and what it lacks may be older than it goes back.
            if operation_id not in found or found[operation_id]["Status"] == "FAIL":
                operation = self._operation(context, operation_id)
                if operation is not None:
                    found[operation_id] = operation
        return found

    def _operation(self, context: CallContext, operation_id: str) -> Object | None:
        try:
            answer = self._source.read(_MAP, "GetOperation", {"OperationId": operation_id}, context)
        except AwsFailure as error:
            if error.kind != "not-found":
                raise
            return None
        found: Object = answer["Operation"]
        return found

    def _recent(self, context: CallContext, wanted: frozenset[str], service_id: str) -> dict[str, Object]:
        now = self._source.clock.now()
        params: dict[str, Any] = {
            "MaxResults": 100,
            "Filters": [
                {"Name": "SERVICE_ID", "Values": [service_id], "Condition": "EQ"},
                {
                    "Name": "UPDATE_DATE",
                    "Values": [str(int(now - _RECENT)), str(int(now + _AHEAD))],
                    "Condition": "BETWEEN",
                },
            ],
        }
        found: dict[str, Object] = {}
        for _ in range(_PAGES):
            page = self._source.read(_MAP, "ListOperations", params, context)
            found |= {item["Id"]: item for item in page.get("Operations", []) if item["Id"] in wanted}
            if len(found) == len(wanted) or not page.get("NextToken"):
                break
            params["NextToken"] = page["NextToken"]
        return found

    def forget(self, binding: Binding, service_id: str) -> None:
        """List a service's instances again at the next look."""
        self._lists.drop((binding, service_id))
