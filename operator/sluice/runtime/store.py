"""The last seen state of every custom resource, as the API server's JSON, without its managedFields.

Nothing is parsed here: a watch event costs a dictionary entry and a comparison. The store promises:

- an object never goes back in time: what this process wrote is there at once (`wrote`), and an older
  event of the same object, the watch's echo included, is dropped before anything looks at it;
- a deleted object does not come back: uids of the dead are remembered for a while, because the answer to
  a write may arrive after the DELETED event and kopf's LISTED events may be older than both;
- routes are found by the Deployments they refer to, without a scan.

resourceVersions are compared as numbers when both are (Kubernetes 1.35 and newer promise it, KEP-5504;
from memory). Where they are not, the rule of rollout.md §7 point 10 holds: after a write everything but
the written version waits for the watch to deliver that version, at most `PATIENCE` seconds.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from sluice.model.errors import WriteConflict
from sluice.model.keys import DEPLOYMENT, SERVICE_ROUTE, Key, Kind
from sluice.ports import Clock, Object

PATIENCE: Final = 10.0
_GRAVES: Final = 10_000


class Seen(Enum):
    """What became of an object that was offered to the store."""

    NEW = "new"
    CHANGED = "changed"
    ECHO = "echo"
    """Not newer than what is known; dropped."""


@dataclass(frozen=True, slots=True)
class Change:
    """An accepted or dropped object and what was known before it."""

    seen: Seen
    before: Object | None


@dataclass(slots=True)
class _Awaited:
    version: str
    since: float
    parked: Object | None = None


class ObjectStore:
    """Thread-safe cache with one secondary index; the production implementation of `ports.Store`."""

    def __init__(self, clock: Clock) -> None:
        """Start empty."""
        self._clock = clock
        self._lock = threading.Lock()
        self._objects: dict[Key, Object] = {}
        self._awaited: dict[Key, _Awaited] = {}
        self._graves: OrderedDict[str, None] = OrderedDict()
        self._routes: dict[Key, set[Key]] = {}  # Deployment → routes
        self._targets: dict[Key, frozenset[Key]] = {}  # route → Deployments

    # What controllers see (ports.Store)

    def get(self, key: Key) -> Object | None:
        """Return the object, None when it does not exist.

        Raises WriteConflict while the watch has not delivered a version that this process wrote.
        """
        with self._lock:
            awaited = self._awaited.get(key)
            if awaited and not self._give_up(key, awaited):
                raise WriteConflict(f"the watch has not delivered resourceVersion {awaited.version} yet")
            return self._objects.get(key)

    def keys(self, kind: str) -> Sequence[Key]:
        """Return the keys of one kind, sorted."""
        with self._lock:
            return sorted(key for key in self._objects if key.kind == kind)

    def routes_to(self, key: Key) -> Sequence[Object]:
        """Return the ServiceRoutes that refer to the Deployment `key`, ordered by name."""
        with self._lock:
            return [self._objects[route] for route in sorted(self._routes.get(key, ()))]

    def newest(self, key: Key, resource_version: str) -> None:
        """Remember that this process wrote `resource_version`: older events of `key` are echoes."""
        with self._lock:
            known = self._objects.get(key)
            if known is None or version_of(known) == resource_version:
                return
            if older(version_of(known), resource_version) is not False:
                self._awaited[key] = _Awaited(resource_version, self._clock.monotonic())

    # What the watch, the sweep and the writer tell

    def put(self, key: Key, obj: Object) -> Change:
        """Take what the watch or a read delivered."""
        with self._lock:
            before = self._objects.get(key)
            if uid_of(obj) in self._graves:
                return Change(Seen.ECHO, before)
            awaited = self._awaited.get(key)
            if awaited and not self._arrived(awaited, obj):
                return Change(Seen.ECHO, before)
            self._awaited.pop(key, None)
            if before is not None and self._not_newer(before, obj):
                return Change(Seen.ECHO, before)
            self._set(key, obj)
            return Change(Seen.CHANGED if before else Seen.NEW, before)

    def wrote(self, key: Key, obj: Object) -> Change:
        """Take the answer to an own write; the watch's echo of it will be dropped.

        An object whose last finalizer went with this write is gone.
        """
        metadata = obj["metadata"]
        if metadata.get("deletionTimestamp") and not metadata.get("finalizers"):
            return self.delete(key, uid_of(obj))
        with self._lock:
            before = self._objects.get(key)
            if uid_of(obj) in self._graves or (before is not None and self._not_newer(before, obj)):
                return Change(Seen.ECHO, before)
            self._set(key, obj)
            if not version_of(obj).isdigit():
                self._awaited[key] = _Awaited(version_of(obj), self._clock.monotonic())
            return Change(Seen.CHANGED if before else Seen.NEW, before)

    def delete(self, key: Key, uid: str) -> Change:
        """Bury the object with `uid`; a successor of the same name stays."""
        with self._lock:
            if uid:
                self._graves[uid] = None
            if len(self._graves) > _GRAVES:
                self._graves.popitem(last=False)
            before = self._objects.get(key)
            if before is None or uid_of(before) != uid:
                return Change(Seen.ECHO, before)
            del self._objects[key]
            self._awaited.pop(key, None)
            self._index(key, None)
            return Change(Seen.CHANGED, before)

    # Looking

    def peek(self, key: Key) -> Object | None:
        """Return the object whatever is awaited; for metrics, the sweep and the look at changes."""
        with self._lock:
            return self._objects.get(key)

    def snapshot(self) -> dict[Key, Object]:
        """Return everything as it is now; the objects are shared and never mutated."""
        with self._lock:
            return dict(self._objects)

    def targets_of(self, key: Key) -> Iterable[Key]:
        """Return the Deployments that the route `key` refers to."""
        with self._lock:
            return self._targets.get(key, frozenset())

    def routes_of(self, key: Key) -> Iterable[Key]:
        """Return the keys of the routes that refer to the Deployment `key`."""
        with self._lock:
            return frozenset(self._routes.get(key, ()))

    # Inside the lock

    def _set(self, key: Key, obj: Object) -> None:
        self._objects[key] = obj
        self._index(key, obj)

    def _index(self, key: Key, obj: Object | None) -> None:
        if key.kind != SERVICE_ROUTE:
            return
        now = frozenset[Key]() if obj is None else backends(obj)
        before = self._targets.get(key, frozenset())
        for gone in before - now:
            self._routes[gone].discard(key)
            if not self._routes[gone]:
                del self._routes[gone]
        for new in now - before:
            self._routes.setdefault(new, set()).add(key)
        if now:
            self._targets[key] = now
        else:
            self._targets.pop(key, None)

    def _not_newer(self, known: Object, offered: Object) -> bool:
        if version_of(known) == version_of(offered):
            return True
        return older(version_of(offered), version_of(known)) is True

    def _arrived(self, awaited: _Awaited, obj: Object) -> bool:
        """Tell whether `obj` is the awaited version or newer; park it when that cannot be told."""
        if version_of(obj) == awaited.version:
            return True
        is_older = older(version_of(obj), awaited.version)
        if is_older is None:
            if self._clock.monotonic() - awaited.since > PATIENCE:
                return True
            awaited.parked = obj
            return False
        return not is_older

    def _give_up(self, key: Key, awaited: _Awaited) -> bool:
        """Tell whether waiting is over: what came last is the best there is."""
        if self._clock.monotonic() - awaited.since <= PATIENCE:
            known = self._objects.get(key)
            return known is not None and version_of(known) == awaited.version
        del self._awaited[key]
        if awaited.parked is not None:
            self._set(key, awaited.parked)
        return True


def backends(route: Object) -> frozenset[Key]:
    """Return the Deployments that a raw ServiceRoute refers to; whatever is malformed refers to none."""
    namespace = route["metadata"]["namespace"]
    names: set[str] = set()
    for rule in _dicts(route.get("spec"), "rules"):
        names.update(str(ref.get("name")) for ref in _dicts(rule, "backendRefs") if ref.get("name"))
    ref = _dict(discovery_of(route), "backendRef")
    names |= {str(ref["name"])} if ref.get("name") else set()
    told = _dict(route.get("status"), "discovery")
    for place in (told, *_dicts(told, "left")):  # clients may be sent to their tasks until these have left
        names |= {str(place[member]) for member in ("backend", "formerBackend") if place.get(member)}
    return frozenset(Key(DEPLOYMENT, namespace, name) for name in names)


def discovery_of(route: Object) -> Mapping[str, Any]:
    """Return `spec.discovery` of a raw ServiceRoute, {} where there is none or it is malformed."""
    return _dict(route.get("spec"), "discovery")


def key_of(kind: Kind, obj: Object) -> Key:
    """Return the key of a raw object."""
    return Key(kind, obj["metadata"]["namespace"], obj["metadata"]["name"])


def version_of(obj: Object) -> str:
    """Return metadata.resourceVersion."""
    return str(obj["metadata"].get("resourceVersion", ""))


def uid_of(obj: Object) -> str:
    """Return metadata.uid."""
    return str(obj["metadata"].get("uid", ""))


def older(one: str, other: str) -> bool | None:
    """Tell whether resourceVersion `one` is older than `other`; None when that cannot be told."""
    if one.isdigit() and other.isdigit():
        return int(one) < int(other)
    return None


def without_managed_fields(obj: Mapping[str, Any]) -> dict[str, Any]:
    """Return the object without what only server-side apply reads: a third of its size."""
    metadata = {name: value for name, value in obj["metadata"].items() if name != "managedFields"}
    return {**obj, "metadata": metadata}


def _dict(parent: object, name: str) -> Mapping[str, Any]:
    value = parent.get(name) if isinstance(parent, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _dicts(parent: object, name: str) -> list[Mapping[str, Any]]:
    values = parent.get(name) if isinstance(parent, Mapping) else None
    return [value for value in values if isinstance(value, Mapping)] if isinstance(values, list) else []
