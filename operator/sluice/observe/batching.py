"""Reads of many threads combined into few calls.

One read is under way per scope (a cluster, a listener, an account); who arrives meanwhile queues its
name, and the next read takes all queued names along. Nobody is served by a read that began before the
question, and a read that failed fails everybody whose question it covered, so that a slow endpoint
costs a worker one timeout and not one per colleague. A missing budget token is not shared: it depends
on the priority of who asked.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from sluice.model.errors import AwsFailure
from sluice.observe.cache import AgedCache, tick
from sluice.ports import Clock

V = TypeVar("V")
ScopedName = tuple[Hashable, str]
ReadNames = Callable[[Sequence[str]], Mapping[str, V]]
"""Reads these names; the answer holds every one of them."""

_ONE_MAY_SPOIL_ALL: Final = frozenset({"denied", "rejected"})


@dataclass(slots=True)
class _Failure:
    order: int
    names: frozenset[str]
    error: AwsFailure


@dataclass(slots=True)
class _Scope:
    lock: threading.Lock = field(default_factory=threading.Lock)
    queued: set[str] = field(default_factory=set)
    failure: _Failure | None = None


class Batcher(Generic[V]):
    """Combines reads per scope over one cache keyed by (scope, name). Thread-safe."""

    def __init__(self, cache: AgedCache[ScopedName, V], *, clock: Clock, limit: int) -> None:
        """Read at most `limit` names at once."""
        self._cache = cache
        self._clock = clock
        self._limit = limit
        self._lock = threading.Lock()
        self._scopes: dict[Hashable, _Scope] = {}

    def get(
        self,
        scope: Hashable,
        name: str,
        *,
        max_age: float,
        read: ReadNames[V],
        fill: Callable[[int], Sequence[str]] = lambda _limit: (),
    ) -> V:
        """Return what AWS says of `name`, at most `max_age` seconds old.

        `fill(limit)` names at most so many others to take along when the batch has room. Raises what
        `read` raises.
        """
        hit = self._cache.get((scope, name), max_age=max_age, now=self._clock.monotonic())
        if hit is not None:
            return hit.value
        asked = tick()
        state = self._scope(scope)
        with self._lock:
            state.queued.add(name)
        with state.lock:
            answered = self._cache.after((scope, name), asked)
            if answered is not None:
                return answered.value
            failed = state.failure
            if failed is not None and failed.order > asked and name in failed.names:
                raise _again(failed.error) from failed.error
            return self._fly(scope, state, name, read=read, fill=fill)

    def _fly(
        self,
        scope: Hashable,
        state: _Scope,
        name: str,
        *,
        read: ReadNames[V],
        fill: Callable[[int], Sequence[str]],
    ) -> V:
        with self._lock:
            others = sorted(state.queued - {name})[: self._limit - 1]
            state.queued -= {name, *others}
        names = [name, *others]
        extra = [other for other in fill(self._limit) if other not in names]
        names += extra[: self._limit - len(names)]
        try:
            return self._read(scope, names, read=read)
        except AwsFailure as error:
            if len(names) > 1 and error.kind in _ONE_MAY_SPOIL_ALL:
                return self._read(scope, [name], read=read)  # the others ask for themselves
            # Ordered by its end: who asked while it was failing need not wait for the same timeout.
            state.failure = _Failure(tick(), frozenset(names), error)
            raise

    def _read(self, scope: Hashable, names: Sequence[str], *, read: ReadNames[V]) -> V:
        order, started = tick(), self._clock.monotonic()
        answers = read(names)
        newest = {
            name: self._cache.put((scope, name), answers[name], order=order, read_at=started)
            for name in names
        }
        return newest[names[0]]

    def _scope(self, scope: Hashable) -> _Scope:
        with self._lock:
            return self._scopes.setdefault(scope, _Scope())


def _again(error: AwsFailure) -> AwsFailure:
    """Return a copy: one exception object must not be raised in two threads."""
    return AwsFailure(
        service=error.service,
        operation=error.operation,
        code=error.code,
        message=error.message,
        kind=error.kind,
    )
