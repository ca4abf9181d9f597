"""Sinks in AWS: a topic of SNS (and so e-mail, SMS, queues) and a bus of EventBridge.

Both go through the gateway like everything else: under a budget, only while the Lease lasts, withheld in a
dry run. A call without an answer is made again: the id stands in the message.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from sluice.aws.errors import WriteWithheld
from sluice.model.binding import Binding, CallContext, Priority
from sluice.model.errors import AwsFailure, Deferred, LeadershipLost, SluiceError
from sluice.notify.cloud_events import cloud_event, data
from sluice.notify.moment import Moment
from sluice.notify.sink import SinkFailure
from sluice.notify.templates import filled
from sluice.ports import Aws, Clock

SUBJECT_MAX: Final = 100
"""SNS Publish, Subject: ASCII without line breaks, fewer than 100 characters."""
EVENT_SOURCE: Final = "sluice.dev"
_NO_SUCH_TOPIC: Final = "NotFound"  # SNS's code of NotFoundException: somebody may make the topic
_DEDUPLICATION_MAX: Final = 128  # SNS Publish, MessageDeduplicationId and MessageGroupId


class SnsSink:
    """`sns.topicArn`: text for people, or the CloudEvent for programs; attributes for filter policies."""

    pace = 0.0  # the gateway's budget sets it

    def __init__(
        self,
        name: str,
        aws: Aws,
        *,
        clock: Clock,
        binding: Binding,
        topic: str,
        installation: str,
        message: str = "",
    ) -> None:
        """Publish `message`, a template; '' is the CloudEvent."""
        self.name = name
        self._aws = aws
        self._clock = clock
        self._binding = binding
        self._topic = topic
        self._installation = installation
        self._message = message

    def send(self, moment: Moment) -> None:
        """Publish one message; see `sink.Sink`."""
        facts = moment.facts(self._installation)
        if self._message:
            text = str(filled(self._message, facts))
        else:
            text = json.dumps(cloud_event(moment, installation=self._installation))
        shown = ("id", "event", "severity", "installation", "kind", "namespace", "name")
        params: dict[str, Any] = {
            "TopicArn": self._topic,
            "Subject": _subject(moment.title),
            "Message": text,
            "MessageAttributes": {
                name: {"DataType": "String", "StringValue": facts[name]} for name in shown if facts[name]
            },
        }
        if self._topic.endswith(".fifo"):
            params["MessageGroupId"] = moment.uid[:_DEDUPLICATION_MAX]
            params["MessageDeduplicationId"] = moment.id[-_DEDUPLICATION_MAX:]
        call(self._aws, ("sns", "Publish"), params, moment=moment, binding=self._binding, clock=self._clock)


class EventBridgeSink:
    """`eventBridge.eventBusName`: source `sluice.dev`, detail-type `Sluice <event>`, CloudEvents' data."""

    pace = 0.0  # the gateway's budget sets it

    def __init__(
        self, name: str, aws: Aws, *, clock: Clock, binding: Binding, bus: str, installation: str
    ) -> None:
        """Put events on `bus`, a name or an ARN."""
        self.name = name
        self._aws = aws
        self._clock = clock
        self._binding = binding
        self._bus = bus
        self._installation = installation

    def send(self, moment: Moment) -> None:
        """Put one event; see `sink.Sink`."""
        detail = {"id": moment.id, **data(moment, installation=self._installation)}
        entry = {
            "Source": EVENT_SOURCE,
            "DetailType": f"Sluice {moment.event}",
            "Detail": json.dumps(detail),
            "EventBusName": self._bus,
            "Time": moment.at,
        }
        params = {"Entries": [entry]}
        binding, clock = self._binding, self._clock
        what = ("events", "PutEvents")
        answer = call(self._aws, what, params, moment=moment, binding=binding, clock=clock)
        # PutEvents answers 200 for entries that it did not take (EventBridge API, PutEventsResultEntry).
        for told in answer.get("Entries") or ():
            if code := told.get("ErrorCode"):
                later = code in ("ThrottlingException", "InternalFailure", "InternalException")
                text = f"events:PutEvents: {code}: {told.get('ErrorMessage', '')}"
                raise SinkFailure(text, kind="busy" if later else "refused")


def call(
    aws: Aws,
    what: tuple[str, str],
    params: Mapping[str, Any],
    *,
    moment: Moment,
    binding: Binding,
    clock: Clock,
) -> Mapping[str, Any]:
    """Make one call for a moment; raises SinkFailure."""
    service, operation = what
    context = CallContext(
        binding=binding, priority=Priority.DRIFT, key=moment.key, reason=f"notification {moment.event}"
    )
    try:
        return aws.call(service, operation, params, context=context)
    except WriteWithheld as error:
        raise SinkFailure(str(error), kind="withheld") from error
    except Deferred as error:
        wait = max(0.0, error.until - clock.now())
        raise SinkFailure(
            f"waiting for the AWS budget {error.bucket}", kind="busy", retry_after=wait
        ) from error
    except (LeadershipLost, SluiceError) as error:
        refused = isinstance(error, AwsFailure) and error.kind == "rejected" and error.code != _NO_SUCH_TOPIC
        raise SinkFailure(str(error), kind="refused" if refused else "busy") from error


def _subject(title: str) -> str:
    plain = title.encode("ascii", "replace").decode()
    return "".join(letter if letter.isprintable() else " " for letter in plain)[: SUBJECT_MAX - 1]
