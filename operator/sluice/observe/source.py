"""What every collector reads with: the gateway, the time, the ages and our own recent writes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from sluice.model.binding import CallContext
from sluice.model.errors import AwsFailure
from sluice.observe.cache import AgedCache, tick
from sluice.observe.own_writes import OwnWrites
from sluice.ports import Aws, Clock

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class FactsSettings:
    """Ages in seconds; see the collectors for what they mean."""

    consistency: float = 5.0
    """How long a read may contradict our own write before it is believed."""
    refill: float = 20.0
    """Cached services and target groups at least this old are taken along when a batch has room."""
    attributes: float = 600.0
    """Target-group attributes and ELB tags (drift in ten minutes, decision 7)."""
    listeners: float = 120.0
    load_balancers: float = 600.0
    absence: float = 30.0
    """That a load balancer or listener does not exist: a person may be creating it."""
    definition_status: float = 3600.0
    """ACTIVE or INACTIVE of a task definition; its body never changes."""
    limit: int = 10_000
    """Entries per kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The collaborators of a collector."""

    aws: Aws
    clock: Clock
    settings: FactsSettings
    writes: OwnWrites

    def read(
        self, service: str, operation: str, params: Mapping[str, Any], context: CallContext
    ) -> Mapping[str, Any]:
        """Make one call with the asker's priority."""
        return self.aws.call(service, operation, params, context=context)

    def aged(self, cache: AgedCache[K, V], key: K, *, max_age: float, read: Callable[[], V]) -> V | None:
        """Return what `cache` has of `key`, else what `read` gives now, which is kept.

        None, which is not kept, where AWS says that there is no such thing.
        """
        now = self.clock.monotonic()
        hit = cache.get(key, max_age=max_age, now=now)
        if hit is not None:
            return hit.value
        order = tick()  # before the read: what is dropped meanwhile must not come back
        try:
            value = read()
        except AwsFailure as error:
            if error.kind != "not-found":
                raise
            return None
        return cache.put(key, value, order=order, read_at=now)

    def pages(
        self,
        service: str,
        operation: str,
        params: Mapping[str, Any],
        context: CallContext,
        *,
        items: str,
        token: tuple[str, str],
    ) -> list[Any]:
        """Read all pages; `token` is (member of the response, parameter of the next call)."""
        found: list[Any] = []
        page: Mapping[str, Any] = {}
        while not page or page.get(token[0]):
            following = {token[1]: page[token[0]]} if page else {}
            page = self.read(service, operation, {**params, **following}, context)
            found += page.get(items, [])
        return found
