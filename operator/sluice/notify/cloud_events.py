"""A moment as a CloudEvent 1.0 in structured mode (https://github.com/cloudevents/spec, v1.0.2).

`source` and `id` together are unique, and a repeated event has both again ("id": producers MUST ensure that
source + id is unique for each distinct event; a duplicate re-sent event MAY have the same id).
"""

from __future__ import annotations

from typing import Any, Final

from sluice.model.keys import API_VERSION
from sluice.notify.moment import EventName, Moment

CONTENT_TYPE: Final = "application/cloudevents+json"
_TYPES: Final[dict[EventName, str]] = {
    "Started": "rollout.started",
    "Paused": "rollout.paused",
    "Promoted": "rollout.promoted",
    "Succeeded": "rollout.succeeded",
    "RollingBack": "rollout.rolling-back",
    "RolledBack": "rollout.rolled-back",
    "Failed": "rollout.failed",
    "Aborted": "rollout.aborted",
    "Superseded": "rollout.superseded",
    "Stalled": "object.stalled",
    "Drift": "object.drift",
}


def type_of(event: EventName) -> str:
    """Return the CloudEvent's type: `dev.sluice.rollout.started`."""
    return f"dev.sluice.{_TYPES[event]}"


def cloud_event(moment: Moment, *, installation: str) -> dict[str, Any]:
    """Return the event with its data."""
    facts = moment.facts(installation)
    return {
        "specversion": "1.0",
        "id": moment.id,
        "source": f"/sluice/{installation}",
        "type": type_of(moment.event),
        "subject": f"{moment.key.kind}/{moment.key.namespace}/{moment.key.name}",
        "time": facts["at"],
        "datacontenttype": "application/json",
        "data": data(moment, installation=installation),
    }


def data(moment: Moment, *, installation: str) -> dict[str, Any]:
    """Return what receivers get of a moment in JSON; members that say nothing are left out."""
    facts = moment.facts(installation)
    rollout = {name: facts[name] for name in ("revision", "source", "step", "weight", "by") if facts[name]}
    if moment.rollout_id:
        rollout = {"id": moment.rollout_id, **rollout}
    about = ("event", "severity", "title", "message", "reason", "at", "installation")
    found: dict[str, Any] = {name: facts[name] for name in about if facts[name]}
    found["object"] = {
        "apiVersion": API_VERSION,
        "kind": moment.key.kind,
        "namespace": moment.key.namespace,
        "name": moment.key.name,
        "uid": moment.uid,
    }
    return {**found, "rollout": rollout} if rollout else found
