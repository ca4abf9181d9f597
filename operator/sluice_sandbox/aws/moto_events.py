"""Delivery to the targets of moto's EventBridge rules: of the stand-in's own events and of PutEvents'.

moto's own PutEvents renders every event through a JSONPath library that it leaves to an extra, drops
the account, and stamps the wall's time. So events are matched against moto's rules here and handed over as
EventBridge does it: the whole event, or what Input, InputPath or InputTransformer make of it.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html,
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_cwe_events.html.
"""

from __future__ import annotations

import json
import logging
import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sluice_sandbox.aws.clock import Clock
from sluice_sandbox.aws.emitter import Event
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

_log = logging.getLogger(__name__)
_STEP = re.compile(r"\.([\w-]+)|\[(\d+)\]|\['([^']+)'\]")
_PLACEHOLDER = re.compile(r"<([\w.-]+)>")


def deliver(event: Event) -> int:
    """Send `event` to the targets of every matching rule on the default bus; return how many.

    Called in moto's thread, under its lock. Queues, topics and log groups are served; any other target
    is logged once per event.
    """
    from moto.events.models import events_backends  # noqa: PLC0415 - moto is imported on first use

    bus = events_backends[event.account][event.region].event_buses.get("default")
    return _to_rules(bus, as_delivered(event)) if bus is not None else 0


class PutEventsCall:
    """PutEvents in moto's place: its rules and targets, EventBridge's delivery."""

    def __init__(self, clock: Clock) -> None:
        """Stamp events that carry no time with `clock`'s."""
        self._clock = clock
        self._count = 0

    def operations(self) -> Mapping[tuple[str, str], Handler]:
        """Return the handler by service and operation."""
        return {("events", "PutEvents"): self.put}

    def put(self, caller: Caller, params: Params) -> Response:
        """Deliver up to ten events; each entry is told an id or its own error."""
        from moto.events.models import events_backends  # noqa: PLC0415 - moto is imported on first use

        buses = events_backends[caller.account][caller.region].event_buses
        entries = []
        for entry in params["Entries"]:
            problem = _problem(entry)
            if problem is not None:
                entries.append(problem)
                continue
            name = str(entry.get("EventBusName") or "default").rsplit("/", 1)[-1]
            if name not in buses:
                raise AwsError("ResourceNotFoundException", f"Event bus {name} does not exist.")
            self._count += 1
            message = as_delivered(
                Event(
                    number=self._count,
                    time=entry.get("Time", self._clock.now()),
                    account=caller.account,
                    region=caller.region,
                    source=entry["Source"],
                    detail_type=entry["DetailType"],
                    detail=json.loads(entry["Detail"]),
                    resources=tuple(entry.get("Resources", ())),
                )
            )
            _to_rules(buses[name], message)
            entries.append({"EventId": message["id"]})
        return {"FailedEntryCount": sum("ErrorCode" in entry for entry in entries), "Entries": entries}


def _problem(entry: Mapping[str, Any]) -> dict[str, str] | None:
    """Return the error of an entry (texts as moto's tests repeat them from AWS), None when it has none."""
    for member in ("Source", "DetailType", "Detail"):
        if not entry.get(member):
            text = f"Parameter {member} is not valid. Reason: {member} is a required argument."
            return {"ErrorCode": "InvalidArgument", "ErrorMessage": text}
    if str(entry["Source"]).startswith("aws."):
        text = "Not authorized for the source."
        return {"ErrorCode": "NotAuthorizedForSourceException", "ErrorMessage": text}
    try:
        detail = json.loads(entry["Detail"])
    except ValueError:
        detail = None
    if not isinstance(detail, dict):
        return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
    return None


def as_delivered(event: Event) -> dict[str, Any]:
    """Return the event in the form EventBridge delivers."""
    moment = datetime.fromtimestamp(event.time, UTC)
    name = f"{event.number}/{event.time}/{event.source}/{event.detail_type}"
    return {
        "version": "0",
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, name)),
        "detail-type": event.detail_type,
        "source": event.source,
        "account": event.account,
        "time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": event.region,
        "resources": list(event.resources),
        "detail": json.loads(json.dumps(event.detail, default=str)),
    }


def _to_rules(bus: Any, message: dict[str, Any]) -> int:  # noqa: ANN401 - moto's bus
    delivered = 0
    for rule in list(bus.rules.values()):
        # A rule of a schedule alone has an empty pattern, which moto would let match everything.
        if rule.state != "ENABLED" or not rule.event_pattern.get_pattern():
            continue
        if rule.event_pattern.matches_event(message):
            delivered += sum(_send(target, message) for target in rule.targets)
    return delivered


def _send(target: dict[str, Any], message: dict[str, Any]) -> bool:
    """Hand the message to a queue, a topic or a log group; tell whether it got there."""
    parts = str(target.get("Arn", "")).split(":", 5)
    senders = {"sqs": _to_queue, "sns": _to_topic, "logs": _to_log_group}
    send = senders.get(parts[2]) if len(parts) == 6 else None
    if send is None:
        _log.warning("the sandbox serves queues, topics and log groups; %s gets nothing", target.get("Arn"))
        return False
    try:
        send(target, parts, body=_body(target, message), message=message)
    except Exception as error:  # noqa: BLE001 - moto's errors: AWS retries, then drops the event
        _log.warning("an event did not reach %s: %s", target.get("Arn"), error)
        return False
    return True


def _to_queue(target: dict[str, Any], parts: list[str], *, body: str, message: dict[str, Any]) -> None:
    from moto.sqs.models import sqs_backends  # noqa: PLC0415 - moto is imported on first use

    sqs_backends[parts[4]][parts[3]].send_message(
        queue_name=parts[5],
        message_body=body,
        group_id=target.get("SqsParameters", {}).get("MessageGroupId"),
        deduplication_id=message["id"] if parts[5].endswith(".fifo") else None,
    )


def _to_topic(target: dict[str, Any], parts: list[str], *, body: str, message: dict[str, Any]) -> None:
    from moto.sns.models import sns_backends  # noqa: PLC0415 - moto is imported on first use

    del message
    sns_backends[parts[4]][parts[3]].topics[target["Arn"]].publish(body)


def _to_log_group(target: dict[str, Any], parts: list[str], *, body: str, message: dict[str, Any]) -> None:
    from moto.logs.models import logs_backends  # noqa: PLC0415 - moto is imported on first use

    del target
    logs = logs_backends[parts[4]][parts[3]]
    group, stream = parts[5].removeprefix("log-group:").removesuffix(":*"), message["id"]
    logs.create_log_stream(group, stream)
    moment = datetime.strptime(message["time"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    event = {"timestamp": int(moment.timestamp() * 1000), "message": body}
    logs.put_log_events(group, stream, [event])


def _body(target: Mapping[str, Any], message: dict[str, Any]) -> str:
    """Return what a target gets of an event."""
    if target.get("Input"):
        return str(target["Input"])
    if target.get("InputPath"):
        return json.dumps(_at(message, str(target["InputPath"])))
    transformer = target.get("InputTransformer")
    if not transformer:
        return json.dumps(message)
    paths = transformer.get("InputPathsMap") or {}
    values = {name: _at(message, path) for name, path in paths.items()}
    return _filled(str(transformer.get("InputTemplate", "")), values, message)


def _filled(template: str, values: Mapping[str, Any], message: dict[str, Any]) -> str:
    """Put values in place of `<name>`: text inside quotes, JSON elsewhere."""
    out, end = [], 0
    for found in _PLACEHOLDER.finditer(template):
        name = found.group(1)
        if name in {"aws.events.event", "aws.events.event.json"}:
            value: Any = message
        elif name in values:
            value = values[name]
        else:
            continue
        quoted = template[: found.start()].replace('\\"', "").count('"') % 2 == 1
        text = value if isinstance(value, str) else json.dumps(value)
        inside = json.dumps(text)[1:-1] if isinstance(value, str) else text
        out += [template[end : found.start()], inside if quoted else json.dumps(value)]
        end = found.end()
    return "".join(out) + template[end:]


def _at(message: Any, path: str) -> Any:  # noqa: ANN401 - any part of an event
    """Return what a JSONPath of names and indexes (`$.detail.items[0]`) points at; None when nothing."""
    value = message
    for name, index, quoted in _STEP.findall(path.removeprefix("$")):
        try:
            value = value[int(index)] if index else value[name or quoted]
        except (KeyError, IndexError, TypeError):
            return None
    return value
