"""Looks at one Deployment again and again: the picture, its changes, and how it ends.

Polling, once a second by default: what a person watches has clocks in it anyway, and a poll survives an API
server that restarts. A look that fails for reasons that pass is told and tried again; one that will
fail for ever ends it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from sluice.cli.cluster import Cluster, explain
from sluice.cli.judgement import Judgement, judge
from sluice.cli.picture import Picture, picture
from sluice.cli.sense import unheard
from sluice.runtime.apiserver import KubernetesFailure

INTERVAL: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look showed."""

    shown: Picture
    judgement: Judgement


class Looker:
    """Looks at one Deployment; kept revisions are read again only when an unknown one runs."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        """Look at `name`."""
        self._cluster = cluster
        self._name = name
        self._revisions: dict[str, dict[str, Any]] = {}
        self._asked: frozenset[str] = frozenset()
        self._problem = ""

    def look(self) -> Look:
        """Return what is there now; raises Unusable for ever, KubernetesFailure for now."""
        obj = self._cluster.deployment(self._name)
        routes = self._cluster.routes(self._name)
        self._know({str(slot.get("revision", "")) for slot in (obj.get("status") or {}).get("slots") or ()})
        problems = (routes.problem and f"routes: {routes.problem}", self._problem)
        shown = picture(
            obj,
            routes=routes.items,
            revisions=tuple(self._revisions.values()),
            problems=problems,
            unheard=unheard(obj),
        )
        return Look(shown=shown, judgement=judge(obj))

    def _know(self, names: set[str]) -> None:
        wanted = frozenset(names - {""})
        if wanted <= self._asked:
            return
        found = self._cluster.revisions(self._name)
        self._revisions = {entry["metadata"]["name"]: entry for entry in found.items}
        self._problem = found.problem and f"images: {found.problem}"
        self._asked = wanted


def looks(
    look: Callable[[], Look], *, interval: float, timeout: float, trouble: Callable[[str], None]
) -> Iterator[Look]:
    """Yield looks, `interval` seconds apart, until `timeout` seconds are over (0: never).

    The first look must succeed; a later one that fails for now is told to `trouble`.
    """
    ends = time.monotonic() + timeout if timeout else None
    yield look()
    told = ""
    while ends is None or time.monotonic() < ends:
        time.sleep(interval if ends is None else max(0.0, min(interval, ends - time.monotonic())))
        try:
            found = look()
        except KubernetesFailure as failure:
            text = explain(failure)
            if text != told:
                trouble(text)
            told = text
            continue
        told = ""
        yield found
