"""Who is told of what: sinks by namespace and event, and the object's own word, an annotation.

`sluice.dev/notify: "pager, chat"` names the sinks of one object instead of those that its namespace has;
`off` is none. It chooses only among sinks that serve the namespace: whoever may annotate an object must not
thereby reach everybody's channel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sluice.model.keys import GROUP
from sluice.model.tenancy import ALL
from sluice.notify.moment import EVENTS, EventName, Moment
from sluice.plan.permit import matches

ANNOTATION: Final = f"{GROUP}/notify"
OFF: Final = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """What a sink is told of."""

    sink: str
    namespaces: Sequence[str] = ALL
    """Patterns over namespace names; one has to match."""
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    """Labels that the namespace must carry, all of them."""
    events: frozenset[EventName] = frozenset(EVENTS)
    opt_in: bool = False
    """Only objects that name it."""


class Audience:
    """Answers who is told of a moment."""

    def __init__(
        self,
        memberships: Sequence[Membership],
        *,
        labels: Callable[[str], Mapping[str, str]] = lambda _namespace: {},
    ) -> None:
        """`labels` returns a namespace's labels; it may ask the API server and is asked only where needed."""
        self._memberships = tuple(memberships)
        self._labels = labels

    def of(self, moment: Moment, annotation: str | None) -> tuple[str, ...]:
        """Return the sinks that are told; raises what reading the namespace's labels raises."""
        serving = [entry for entry in self._memberships if self._serves(entry, moment.key.namespace)]
        named = _names(annotation)
        if named is None:
            chosen = [entry for entry in serving if not entry.opt_in]
        else:
            chosen = [entry for entry in serving if entry.sink in named]
        return tuple(entry.sink for entry in chosen if moment.event in entry.events)

    def unknown(self, namespace: str, annotation: str | None) -> tuple[str, ...]:
        """Return the names in an annotation that are no sink of the namespace."""
        serving = {entry.sink for entry in self._memberships if self._serves(entry, namespace)}
        return tuple(name for name in _names(annotation) or () if name not in serving)

    def _serves(self, entry: Membership, namespace: str) -> bool:
        if not any(matches(pattern, namespace) for pattern in entry.namespaces):
            return False
        return not entry.namespace_labels or entry.namespace_labels.items() <= self._labels(namespace).items()


def _names(annotation: str | None) -> tuple[str, ...] | None:
    """Return the sinks that an annotation names, None when there is none, () for `off`."""
    if annotation is None:
        return None
    names = tuple(dict.fromkeys(name.strip() for name in annotation.split(",") if name.strip()))
    return () if names == (OFF,) else names
