"""What a message says: EventBridge's JSON of an ECS event, read as far as it names services.

Shapes: ECS developer guide, "Amazon ECS task state change events", "… service deployment state change
events", "… service action events". An event is a hint and nothing more: whatever it says beyond names is
looked up in ECS.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from sluice.model.conditions import parse_timestamp
from sluice.observe.arns import service_of, short_name

What = Literal["task", "deployment", "service-action", "unknown"]
_KINDS: Final[Mapping[str, What]] = {
    "ECS Task State Change": "task",
    "ECS Deployment State Change": "deployment",
    "ECS Service Action": "service-action",
}
_OF_SERVICE: Final = "service:"
_PARTS: Final = 6
_SHAPES: Final = {"account": re.compile(r"[0-9]{12}"), "region": re.compile(r"[a-z0-9-]{1,32}")}
"""They become labels of metrics, so nothing else gets in, whoever may send to the queue."""


class Malformed(ValueError):  # noqa: N818 - reads as the outcome it is
    """The message is no event of EventBridge; the text says what is missing and holds nothing of it."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """An account and Region: events of one of them say nothing about another."""

    account: str
    region: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """An event of EventBridge."""

    what: What
    place: Place
    at: float | None
    """When AWS says that it happened, epoch seconds."""
    services: tuple[tuple[str, str], ...] = ()
    """(cluster, service) by name; the cluster is '' where the event does not say."""


def read(body: str) -> Happening:
    """Read a message's body; raises Malformed."""
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):  # nested beyond what the reader can take
        raise Malformed("no JSON") from None
    if not isinstance(event, dict):
        raise Malformed("no JSON object")
    missing = [name for name in ("source", "detail-type", "account", "region") if not _text(event, name)]
    detail = event.get("detail")
    if not isinstance(detail, dict):
        missing.append("detail")
    if missing or not isinstance(detail, dict):
        raise Malformed(f"without {', '.join(missing)}")
    for name, shape in _SHAPES.items():
        if not shape.fullmatch(event[name]):
            raise Malformed(f"with another {name} than AWS has")
    what = _KINDS.get(event["detail-type"], "unknown") if event["source"] == "aws.ecs" else "unknown"
    found: Iterable[tuple[str, str]] = ()
    if what == "task":
        found = _of_task(detail)
    elif what != "unknown":
        found = _of_arns(event.get("resources"))
    return Happening(
        what=what,
        place=Place(event["account"], event["region"]),
        at=_time(event.get("time")),
        services=tuple(dict.fromkeys(found)),
    )


def place_of(arn: str) -> Place | None:
    """Return where an ARN is, None for what is none."""
    parts = arn.split(":", _PARTS - 1)
    return Place(parts[4], parts[3]) if len(parts) == _PARTS and parts[3] and parts[4] else None


def _of_task(detail: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    group = _text(detail, "group")
    if group.startswith(_OF_SERVICE):
        yield short_name(_text(detail, "clusterArn")), group.removeprefix(_OF_SERVICE)


def _of_arns(resources: object) -> Iterable[tuple[str, str]]:
    for arn in resources if isinstance(resources, list) else ():
        if isinstance(arn, str) and ":service/" in arn:
            yield service_of(arn)


def _text(parent: Mapping[str, Any], name: str) -> str:
    value = parent.get(name)
    return value if isinstance(value, str) else ""


def _time(value: object) -> float | None:
    try:
        return parse_timestamp(value) if isinstance(value, str) else None
    except ValueError:
        return None
