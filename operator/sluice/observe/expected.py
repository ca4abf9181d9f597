"""Services that are known to exist before AWS was asked: what the statuses name, for a process that starts.

Without them the first look at each of a thousand services would be a call of its own, because nothing
is cached that could fill a batch of ten. They are names only; whether they exist is AWS's to say.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from sluice.model.binding import Binding
from sluice.observe.arns import service_of

_PARTS: Final = 6  # arn:partition:ecs:region:account:service/cluster/name


class ExpectedServices:
    """Each name is offered to whoever fills a batch of its cluster, until it is known. Thread-safe."""

    def __init__(self, arns: Callable[[], Iterable[str]]) -> None:
        """Ask `arns` when the first batch is filled: everything has been listed by then."""
        self._arns = arns
        self._lock = threading.Lock()
        self._names: dict[tuple[str, str, str], list[str]] | None = None

    def unknown(
        self, binding: Binding, cluster: str, limit: int, *, known: Callable[[str], bool]
    ) -> list[str]:
        """Return at most `limit` names of a cluster that the binding's account and Region may have.

        What is `known` by now is never offered again.
        """
        if limit <= 0:
            return []
        with self._lock:
            if self._names is None:
                self._names = _by_place(self._arns())
            found: list[str] = []
            for (region, account, where), names in self._names.items():
                if (region, where) != (binding.region, cluster) or binding.account not in ("", account):
                    continue
                while names and known(names[-1]):
                    names.pop()
                newest = [name for name in reversed(names[-2 * limit :]) if not known(name)]
                found += newest[: limit - len(found)]
            return found


def service_arns(objects: Mapping[Any, Mapping[str, Any]]) -> Iterable[str]:
    """Return the ARNs of every service that a status names."""
    for obj in objects.values():
        status = obj.get("status") or {}
        for slot in (*(status.get("slots") or ()), *(status.get("retiring") or ())):
            if slot.get("serviceArn"):
                yield slot["serviceArn"]


def _by_place(arns: Iterable[str]) -> dict[tuple[str, str, str], list[str]]:
    found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for arn in arns:
        parts = arn.split(":", _PARTS - 1)
        if len(parts) == _PARTS:
            cluster, name = service_of(arn)
            found[parts[3], parts[4], cluster].append(name)
    return found
