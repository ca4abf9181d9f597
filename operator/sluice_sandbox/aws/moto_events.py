"""Delivery of the stand-in's own events to the targets of moto's EventBridge rules.

moto's own PutEvents renders every event through a JSONPath library that it leaves to an extra, drops
the account, and stamps the wall's time. So AWS-sourced events are matched against moto's rules here and
handed to SQS as AWS hands them over (the whole event, when the target has no transformer):
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_cwe_events.html.
"""

from __future__ import annotations

import json
import logging
import uuid
from datetime import UTC, datetime
from typing import Any

from sluice_sandbox.aws.emitter import Event

_log = logging.getLogger(__name__)


def deliver(event: Event) -> int:
    """Send `event` to the SQS targets of every matching rule on the default bus; return how many.

    Called in moto's thread, under its lock. Targets other than SQS, and targets with a transformer,
    are not served; each is logged once per event.
    """
    from moto.events.models import events_backends  # noqa: PLC0415 - moto is imported on first use

    message = as_delivered(event)
    bus = events_backends[event.account][event.region].event_buses.get("default")
    delivered = 0
    for rule in list(bus.rules.values()) if bus is not None else ():
        if rule.state != "ENABLED" or not rule.event_pattern.matches_event(message):
            continue
        for target in rule.targets:
            if not _is_queue(target):
                _log.warning("the sandbox serves only plain SQS targets; %s gets nothing", target.get("Arn"))
                continue
            _send(target, message)
            delivered += 1
    return delivered


def as_delivered(event: Event) -> dict[str, Any]:
    """Return the event in the form EventBridge delivers."""
    moment = datetime.fromtimestamp(event.time, UTC)
    return {
        "version": "0",
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event.number}/{event.time}/{event.detail_type}")),
        "detail-type": event.detail_type,
        "source": event.source,
        "account": event.account,
        "time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": event.region,
        "resources": list(event.resources),
        "detail": json.loads(json.dumps(event.detail, default=str)),
    }


def _is_queue(target: dict[str, Any]) -> bool:
    return str(target.get("Arn", "")).split(":")[2:3] == ["sqs"] and not target.get("InputTransformer")


def _send(target: dict[str, Any], message: dict[str, Any]) -> None:
    from moto.sqs.models import sqs_backends  # noqa: PLC0415 - moto is imported on first use

    region, account, name = target["Arn"].split(":")[3:6]
    sqs_backends[account][region].send_message(
        queue_name=name,
        message_body=json.dumps(message),
        group_id=target.get("SqsParameters", {}).get("MessageGroupId"),
        deduplication_id=message["id"] if name.endswith(".fifo") else None,
    )
