"""Turns what is heard of the custom resources into keys to look at: the level-triggered half of a watch.

Whatever the source (kopf's watch, the sweep's reads, the answers to own writes), an object goes through
the same door: the store decides whether it is news, and news decides which keys run and how soon. Nothing
here raises for a malformed object and nothing is parsed beyond the few members named below, because kopf
swallows what an event handler raises and a thousand events a second pass here after a restart.

| news                                               | keys                        | lane              |
|----------------------------------------------------|-----------------------------|-------------------|
| object as first listed, at rest                    | itself                      | resync            |
| object as first listed, in motion or not yet done  | itself                      | user              |
| object created or changed by somebody else         | itself                      | user, fresh       |
| abort or undo asked for and not handled            | itself                      | rollback, fresh   |
| object deleted                                     | itself                      | user              |
| Deployment appeared, vanished, published traffic   | the routes that refer to it | user              |
| Deployment's services or their counts changed      | of them, those with discovery | user            |
| route appeared, vanished, changed, acknowledged,   | the Deployments it names    | user              |
| told of its names in Cloud Map                     |                             |                   |
| own write                                          | the other side only         | user              |

An own write wakes the other side of the traffic contract at once (rollout.md §7 point 9); the watch's
echo of it is dropped by the store. The watch is often faster than the answer to the write, so what it
says of an object that is just being written waits for the answer (`writing`): otherwise every second own
write would be somebody's news and cost a pass.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from sluice.model.keys import DEPLOYMENT, GROUP, Key
from sluice.ports import Object
from sluice.runtime.queue import Lane, WorkQueue
from sluice.runtime.store import (
    Change,
    ObjectStore,
    Seen,
    backends,
    discovery_of,
    older,
    uid_of,
    version_of,
    without_managed_fields,
)

_ROLLBACK_VERBS: Final = ("abort", "undo")


class Intake:
    """The one door of objects into the store and of their keys into the queue."""

    def __init__(
        self,
        store: ObjectStore,
        queue: WorkQueue,
        *,
        heard: Callable[[str, str], None] = lambda _kind, _what: None,
        written: Callable[[Object | None, Object], None] = lambda _before, _after: None,
        changed: Callable[[Object | None, Object], None] = lambda _before, _after: None,
    ) -> None:
        """Feed `store` and `queue`; `heard(kind, new|changed|echo|deleted)` counts.

        `written(before, after)` hears of own writes, `changed(before, after)` of everything that is news,
        whoever wrote it (the answer to an own write may be lost, and the watch tells it). Neither may wait
        or raise.
        """
        self._store = store
        self._queue = queue
        self._heard = heard
        self._written = written
        self._changed = changed
        self._lock = threading.Lock()
        self._being_written: dict[Key, tuple[Mapping[str, Any], bool] | None] = {}

    @contextlib.contextmanager
    def writing(self, key: Key) -> Iterator[None]:
        """Hold back what is heard of `key` while this process writes it; one writer per key at a time."""
        with self._lock:
            self._being_written[key] = None
        try:
            yield
        finally:
            with self._lock:
                held_back = self._being_written.pop(key)
            if held_back is not None:
                self.seen(key, held_back[0], listed=held_back[1])

    def seen(self, key: Key, obj: Mapping[str, Any], *, listed: bool = False) -> None:
        """Take an object from the watch (`listed`: from its initial list) or from a read."""
        with self._lock:
            if key in self._being_written:
                self._being_written[key] = (obj, listed)
                return
        stripped = without_managed_fields(obj)
        change = self._store.put(key, stripped)
        self._heard(key.kind, change.seen.value)
        if change.seen is Seen.ECHO:
            return
        before = change.before
        first = listed and before is None
        fresh = before is None or _identity(before) != _identity(stripped)
        self._queue.add(key, _lane(stripped, listed=first), fresh=fresh)
        self._wake_others(key, before, stripped, lane=Lane.RESYNC if first else Lane.USER)
        self._changed(before, stripped)

    def wrote(self, key: Key, obj: Object) -> None:
        """Take the answer to an own write."""
        stripped = without_managed_fields(obj)
        change = self._store.wrote(key, stripped)
        if change.seen is Seen.ECHO:
            return
        if self._store.peek(key) is None:  # its last finalizer went
            self._buried(key, change)
        else:
            self._wake_others(key, change.before, stripped)
            self._written(change.before, stripped)
            self._changed(change.before, stripped)

    def gone(self, key: Key, uid: str) -> None:
        """Take the news that the object with `uid` does not exist any more."""
        change = self._store.delete(key, uid)
        self._heard(key.kind, "deleted")
        if change.seen is not Seen.ECHO:
            self._buried(key, change)

    def _buried(self, key: Key, change: Change) -> None:
        self._queue.drop(key)
        self._queue.add(key, Lane.USER)
        self._wake_others(key, change.before, None)

    def _wake_others(
        self, key: Key, before: Object | None, after: Object | None, *, lane: Lane = Lane.USER
    ) -> None:
        if key.kind == DEPLOYMENT:
            told = _uid(before) != _uid(after) or _part(before, "traffic") != _part(after, "traffic")
            moved = _part(before, "slots") != _part(after, "slots")
            for route in self._store.routes_of(key) if told or moved else ():
                if told or _discovers(self._store.peek(route)):
                    self._queue.add(route, lane)
            return
        if _identity(before) != _identity(after) or _told(before) != _told(after):
            named = set(self._store.targets_of(key))
            if before is not None:
                named |= backends(before)
            for deployment in named:
                self._queue.add(deployment, lane)


class Sweep:
    """Compares the store with a list of the API server's keys: what kopf missed is found here (decision 3).

    kopf reports no deletion that happened while its watch was gone, drops events of an object that it
    throttles, and its LISTED events may be older than what is known.
    """

    def __init__(
        self,
        store: ObjectStore,
        intake: Intake,
        *,
        list_keys: Callable[[], Mapping[Key, tuple[str, str]]],
        read: Callable[[Key], Mapping[str, Any] | None],
    ) -> None:
        """Compare `store` with `list_keys()` (key → uid, resourceVersion); `read` gets one object."""
        self._store = store
        self._intake = intake
        self._list_keys = list_keys
        self._read = read

    def missing(self) -> list[Key]:
        """Return the keys that exist and are not in the store: the barrier before the first reconcile."""
        listed = self._list_keys()
        return [key for key in listed if self._store.peek(key) is None]

    def run(self) -> int:
        """Repair the store; return how many objects had been missed."""
        before = self._store.snapshot()
        listed = self._list_keys()
        repaired = 0
        for key, obj in before.items():
            uid, _version = listed.get(key, ("", ""))
            if uid != uid_of(obj) and self._still(key, obj):
                self._intake.gone(key, uid_of(obj))
                repaired += 1
        for key, (uid, version) in listed.items():
            known = self._store.peek(key)
            if known is None or uid_of(known) != uid or older(version_of(known), version) is not False:
                repaired += self.refresh(key)
        return repaired

    def refresh(self, key: Key) -> bool:
        """Read one object now and tell whether that was news."""
        known = self._store.peek(key)
        obj = self._read(key)
        if obj is None:
            if known is None:
                return False
            self._intake.gone(key, uid_of(known))
            return True
        if known is not None and version_of(known) == version_of(obj):
            return False
        self._intake.seen(key, obj)
        return True

    def _still(self, key: Key, obj: Object) -> bool:
        now = self._store.peek(key)
        return now is not None and uid_of(now) == uid_of(obj)


def _lane(obj: Object, *, listed: bool) -> Lane:
    if _rollback_wanted(obj):
        return Lane.ROLLBACK
    return Lane.RESYNC if listed and _at_rest(obj) else Lane.USER


def _at_rest(obj: Object) -> bool:
    status = obj.get("status") or {}
    return (
        status.get("observedGeneration") == obj["metadata"].get("generation")
        and not status.get("rollout")
        and "deletionTimestamp" not in obj["metadata"]
    )


def _rollback_wanted(obj: Object) -> bool:
    annotations = obj["metadata"].get("annotations") or {}
    handled = (obj.get("status") or {}).get("intents") or {}
    return any(
        annotations.get(f"{GROUP}/{verb}") not in (None, handled.get(verb)) for verb in _ROLLBACK_VERBS
    )


def _uid(obj: Object | None) -> str | None:
    return None if obj is None else uid_of(obj)


def _identity(obj: Object | None) -> tuple[str, object] | None:
    return None if obj is None else (uid_of(obj), obj["metadata"].get("generation"))


def _discovers(route: Object | None) -> bool:
    """Tell whether a route gives tasks a name: it follows them, not only weights."""
    return route is not None and bool(discovery_of(route))


def _told(route: Object | None) -> tuple[object, ...]:
    """Return what a route's status tells the Deployments that it names."""
    named = _part(route, "discovery")
    entry: Mapping[str, Any] = named if isinstance(named, Mapping) else {}
    there = bool(entry.get("instances") or entry.get("pendingOperations"))
    still = bool(entry.get("settled")) and not entry.get("leaving")
    return _part(route, "backends"), entry.get("acknowledgement"), entry.get("registryArn"), there, still


def _part(obj: Object | None, name: str) -> object:
    return None if obj is None else (obj.get("status") or {}).get(name)
