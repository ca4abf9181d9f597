"""One thing worth telling, with the identity by which a receiver recognises that it was told before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, get_args

from sluice.model.conditions import timestamp
from sluice.model.keys import DEPLOYMENT, SERVICE_ROUTE, Key

EventName = Literal[
    "Started",
    "Paused",
    "Promoted",
    "Succeeded",
    "RollingBack",
    "RolledBack",
    "Failed",
    "Aborted",
    "Superseded",
    "Stalled",
    "Drift",
]
EVENTS: Final[tuple[EventName, ...]] = get_args(EventName)
Severity = Literal["info", "warning", "error"]
_SEVERITIES: Final[Mapping[EventName, Severity]] = {
    "Paused": "warning",
    "Aborted": "warning",
    "Drift": "warning",
    "RollingBack": "error",
    "RolledBack": "error",
    "Failed": "error",
    "Stalled": "error",
}
_SHAPES: Final[Mapping[str, type | tuple[type, ...]]] = {"at": (int, float), "standing": bool}
"""Of members that are no text."""
LONGEST: Final = 1000
"""Characters of a message that are kept: the outbox has to fit into a ConfigMap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What a sink is told. Everything but `at` is the same whoever derives it, and whenever."""

    id: str
    """`<uid>/<rollout id>/<event>` and, where an event can come again in a rollout, what tells them apart."""
    event: EventName
    at: float
    """Epoch seconds: when it happened, or when it was noticed where the status does not say."""
    key: Key
    uid: str
    rollout_id: str = ""
    revision: str = ""
    """The candidate."""
    source: str = ""
    """The revision before it."""
    step: str = ""
    """`2/7`."""
    weight: str = ""
    """The candidate's share of the requests: `25%`."""
    by: str = ""
    """Who or what asked for it."""
    reason: str = ""
    message: str = ""
    standing: bool = False
    """It lasts as long as the status says so, and has no time of its own there."""

    @property
    def severity(self) -> Severity:
        """Return how loud it is."""
        return _SEVERITIES.get(self.event, "info")

    @property
    def title(self) -> str:
        """Return one line for people: `shop/checkout: rolled back to web-1`."""
        what = _TITLES[self.event].format(
            revision=self.revision or "a revision",
            back=self.source or "the revision before",
            weight=self.weight or "its share",
            reason=self.reason,
        )
        kind = "" if self.key.kind == DEPLOYMENT else "route "
        return f"{kind}{self.key.namespace}/{self.key.name}: {what}"

    def facts(self, installation: str) -> dict[str, str]:
        """Return every member as text, by the names that templates and receivers use; empty ones too."""
        return {
            "id": self.id,
            "event": self.event,
            "severity": self.severity,
            "title": self.title,
            "message": self.message,
            "reason": self.reason,
            "at": timestamp(self.at),
            "installation": installation,
            "kind": self.key.kind,
            "namespace": self.key.namespace,
            "name": self.key.name,
            "uid": self.uid,
            "rolloutId": self.rollout_id,
            "revision": self.revision,
            "source": self.source,
            "step": self.step,
            "weight": self.weight,
            "by": self.by,
        }

    def kept(self) -> dict[str, Any]:
        """Return the moment as the outbox keeps it, without empty members."""
        found: dict[str, Any] = {
            member.name: getattr(self, member.name) for member in fields(self) if member.name != "key"
        }
        found = {name: value for name, value in found.items() if value not in ("", False)}
        return found | {"key": [self.key.kind, self.key.namespace, self.key.name]}

    @classmethod
    def read(cls, entry: Mapping[str, Any]) -> Moment:
        """Read what `kept` returned; raises ValueError, KeyError or TypeError for anything else."""
        kind, namespace, name = entry["key"]
        if kind not in (DEPLOYMENT, SERVICE_ROUTE) or entry["event"] not in EVENTS:
            raise ValueError(f"no moment: {kind} {entry['event']}")
        known = {member.name for member in fields(cls)} - {"key"}
        members = {member: entry[member] for member in entry if member in known}
        for member, value in members.items():
            if not isinstance(value, _SHAPES.get(member, str)):
                raise TypeError(f"{member} has another shape")
        return cls(key=Key(kind, namespace, name), **members)


_TITLES: Final[Mapping[EventName, str]] = {
    "Started": "rollout of {revision} started",
    "Paused": "rollout of {revision} waits for a person at {weight} of the requests",
    "Promoted": "{revision} gets all requests",
    "Succeeded": "rollout of {revision} succeeded",
    "RollingBack": "rolling back from {revision} to {back} ({reason})",
    "RolledBack": "{revision} was rolled back",
    "Failed": "rollout of {revision} failed",
    "Aborted": "rollout of {revision} was aborted",
    "Superseded": "rollout of {revision} was superseded",
    "Stalled": "stalled: {reason}",
    "Drift": "drift: {reason}",
}

FACTS: Final = frozenset(
    Moment(id="", event="Started", at=0.0, key=Key(DEPLOYMENT, "", ""), uid="").facts("")
)
"""The names that a template may use."""
